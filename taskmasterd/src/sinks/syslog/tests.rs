//! Syslog played by a datagram socket of the test's own. Time is an argument, so nothing waits.

use std::fs;
use std::os::unix::net::UnixListener;

use super::*;

/// Where a test's syslog listens.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let unique = format!("taskmaster-syslog-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(unique))
    }

    fn listen(&self) -> UnixDatagram {
        let _ = fs::remove_file(&self.0);
        let socket = UnixDatagram::bind(&self.0).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    fn syslog(&self) -> Syslog {
        let settings = model::Syslog {
            facility: "daemon".into(),
            tag: "taskmasterd".into(),
        };
        Syslog::new(&settings, &self.0)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// All that has arrived.
fn received(socket: &UnixDatagram) -> Vec<String> {
    let mut buffer = vec![0; 10_000];
    let next = || {
        let len = socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..len].to_vec()).unwrap())
    };
    std::iter::from_fn(next).collect()
}

#[test]
fn a_message_says_who_how_bad_and_what() {
    let place = Place::new("message");
    let socket = place.listen();
    let mut syslog = place.syslog();
    syslog.send(Mono(0), Severity::Error, "web gave up");
    syslog.send(Mono(0), Severity::Warning, "hm");
    syslog.send_output(Mono(0), "web:1", Pid(7), Severity::Info, b"hello");
    syslog.send_output(Mono(0), "web:1", Pid(7), Severity::Info, b"");
    let pid = std::process::id();
    assert_eq!(
        received(&socket),
        [
            format!("<27>taskmasterd[{pid}]: web gave up"),
            format!("<28>taskmasterd[{pid}]: hm"),
            "<30>web/1[7]: hello".to_owned(),
        ]
    );
}

#[test]
fn hostile_text_is_one_message_without_controls() {
    let place = Place::new("hostile");
    let socket = place.listen();
    let mut syslog = place.syslog();
    let hostile = "a\n<0>kernel: b\r\0\x1b[2J\u{9b}\u{202e}";
    syslog.send(Mono(0), Severity::Info, hostile);
    syslog.send_output(Mono(0), "a b\n", Pid(1), Severity::Info, b"\xff\n\0");
    let got = received(&socket);
    assert_eq!(got.len(), 2);
    assert!(
        got.iter().all(|text| !text.contains(char::is_control)),
        "{got:?}"
    );
    assert_eq!(got[1], "<30>a_b_[1]: \\xff\\n\\x00");
}

#[test]
fn what_is_too_long_is_cut_between_characters() {
    let place = Place::new("long");
    let socket = place.listen();
    let mut syslog = place.syslog();
    let long = "€".repeat(1500);
    syslog.send(Mono(0), Severity::Info, &long);
    syslog.send_output(Mono(0), "web", Pid(1), Severity::Info, long.as_bytes());
    let got = received(&socket);
    assert!(got.iter().all(|text| text.len() <= SYSLOG_LEN_MAX));
    assert!(got[0].len() > SYSLOG_LEN_MAX - 20);
    // A program's line loses nothing.
    let texts = got[1..].iter().map(|text| text.split_once(": ").unwrap().1);
    assert_eq!(texts.collect::<String>(), long);
}

#[test]
fn a_syslog_that_does_not_read_costs_messages_and_is_told_how_many() {
    let place = Place::new("stalled");
    let socket = place.listen();
    let mut syslog = place.syslog();
    for n in 0..1000 {
        syslog.send(Mono(n), Severity::Info, &format!("message {n}"));
    }
    assert_eq!(syslog.take_dropped(), None);
    let taken = received(&socket).len() as u64;
    assert!((1..1000).contains(&taken), "{taken}");
    syslog.send(Mono(2000), Severity::Info, "again");
    let missing = 1000 - taken;
    let got = received(&socket);
    assert!(got[0].ends_with(&format!(
        ": {missing} messages were dropped before this one"
    )));
    assert!(got[1].ends_with(": again"));
    assert_eq!(syslog.take_dropped(), Some(missing));
    assert_eq!(syslog.take_dropped(), None);
}

#[test]
fn a_syslog_that_went_and_came_back_is_found_again() {
    let place = Place::new("back");
    let first = place.listen();
    let mut syslog = place.syslog();
    syslog.send(Mono(0), Severity::Info, "one");
    assert_eq!(received(&first).len(), 1);
    drop(first);
    syslog.send(Mono(5000), Severity::Info, "lost");
    syslog.send(Mono(5001), Severity::Info, "lost too");
    let second = place.listen();
    syslog.send(Mono(5500), Severity::Info, "not tried yet");
    assert_eq!(received(&second), Vec::<String>::new());
    syslog.send(Mono(6000), Severity::Info, "two");
    assert_eq!(received(&second).len(), 2);
    assert_eq!(syslog.take_dropped(), Some(3));

    // One that was away between two messages misses none.
    drop(second);
    let third = place.listen();
    syslog.send(Mono(9000), Severity::Info, "three");
    assert_eq!(received(&third).len(), 1);
    assert_eq!(syslog.take_dropped(), None);
}

// Once: a daemon may run for months without a syslog.
#[test]
fn the_first_refusal_of_an_outage_is_told_and_no_other() {
    let place = Place::new("refusal");
    let mut syslog = place.syslog();
    assert_eq!(syslog.take_refusal(), None);
    syslog.send(Mono(0), Severity::Info, "one");
    syslog.send(Mono(1), Severity::Info, "two");
    let reason = format!("{}: no such file or directory", place.0.display());
    assert_eq!(syslog.take_refusal(), Some(reason));
    syslog.send(Mono(5000), Severity::Info, "three");
    assert_eq!(syslog.take_refusal(), None);
    let socket = place.listen();
    syslog.send(Mono(6000), Severity::Info, "four");
    assert_eq!(received(&socket).len(), 2);
    assert_eq!(syslog.take_dropped(), Some(3));
    drop(socket);
    syslog.send(Mono(9000), Severity::Info, "five");
    assert_eq!((syslog.take_refusal(), syslog.take_lost()), (None, 1));
    assert_eq!(syslog.take_lost(), 0);

    let deaf = place.listen();
    let mut syslog = place.syslog();
    for n in 0..1000 {
        syslog.send(Mono(n), Severity::Info, "message");
    }
    let reason = format!("{}: it reads too slowly", place.0.display());
    assert_eq!(syslog.take_refusal(), Some(reason));
    drop(deaf);
}

// A syslogd that comes and goes does not fill the event log; one that stays away is not kept quiet about.
#[test]
fn each_outage_is_told_of_but_not_twice_a_minute() {
    let place = Place::new("outages");
    let mut syslog = place.syslog();
    let mut refused_at = |ms| {
        syslog.send(Mono(ms), Severity::Info, "message");
        syslog.take_refusal().is_some()
    };
    assert!(refused_at(0));
    let back = place.listen();
    assert!(!refused_at(2000));
    drop(back);
    assert!(!refused_at(4000));
    assert!(!refused_at(59_999));
    assert!(refused_at(60_000));
    assert!(!refused_at(200_000));
    let back = place.listen();
    assert!(!refused_at(201_000));
    drop(back);
    assert!(refused_at(202_000));
}

#[test]
fn whatever_else_is_at_the_path_is_no_syslog_and_stops_nobody() {
    let place = Place::new("other");
    let mut syslog = place.syslog();
    syslog.send(Mono(0), Severity::Info, "nothing there");
    let listener = UnixListener::bind(&place.0).unwrap();
    syslog.send(Mono(1000), Severity::Info, "a stream socket there");
    drop(listener);
    fs::remove_file(&place.0).unwrap();
    fs::write(&place.0, "").unwrap();
    syslog.send(Mono(2000), Severity::Info, "a file there");
    assert_eq!(syslog.take_dropped(), None);
    let socket = place.listen();
    syslog.send(Mono(3000), Severity::Info, "there");
    assert_eq!(received(&socket).len(), 2);
    assert_eq!(syslog.take_dropped(), Some(3));
}

#[test]
fn every_facility_on_the_list_is_one() {
    let places = FACILITIES
        .iter()
        .map(|name| name.parse::<Facility>().unwrap() as u8);
    let places: std::collections::BTreeSet<u8> = places.collect();
    assert_eq!(places.len(), FACILITIES.len());
    assert!(!FACILITIES.contains(&"kern"));
}
