//! The event log where it cannot be written, and its lines where it can.

use std::fs;
use std::io::{PipeReader, PipeWriter, Read};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;

use nix::fcntl::{FcntlArg, fcntl};
use nix::unistd::mkfifo;
use shared::event::{Cause, EventKind};

use super::*;
use crate::files::tests::{Dir, Tmpfs};
use crate::limits::EVENT_QUEUE_LEN_MAX;

fn notice(seq: u64, text: &str) -> Event {
    Event {
        seq,
        at: 0,
        kind: EventKind::Notice { text: text.into() },
        cause: Cause::Policy,
    }
}

#[test]
fn each_event_is_one_line() {
    let dir = Dir::new("events-line");
    let mut log = EventLog::new(Some(dir.path("log")), None);
    log.push(&notice(1, "hello"));
    log.push(&notice(
        2,
        "forged\n1970-01-01T00:00:00.000Z INFO all is well\x1b[2J",
    ));
    assert_eq!(log.flush(Mono(0)), None);
    let text = fs::read_to_string(dir.path("log")).unwrap();
    assert_eq!(
        text,
        "1970-01-01T00:00:00.000Z INFO hello\n\
         1970-01-01T00:00:00.000Z INFO forged\\n1970-01-01T00:00:00.000Z INFO all is well\\x1b[2J\n"
    );
}

#[test]
fn what_could_not_be_written_is_kept_and_then_counted() {
    let dir = Dir::new("events-gap");
    let path = dir.path("sub/log");
    let mut log = EventLog::new(Some(path.clone()), None);
    log.push(&notice(0, "first"));
    let trouble = format!(
        "the event log cannot be opened: {}: no such file or directory",
        path.display()
    );
    assert_eq!(log.flush(Mono(0)), Some(trouble));
    let long = "x".repeat(1000);
    let count = EVENT_QUEUE_LEN_MAX / 1000 + 100;
    for n in 0..count {
        log.push(&notice(n as u64, &long));
        assert_eq!(log.flush(Mono(n as u64 * 10)), None);
    }
    fs::create_dir(dir.path("sub")).unwrap();
    assert_eq!(log.flush(Mono(1_000_000)), None);
    let text = fs::read_to_string(&path).unwrap();
    let first = text.lines().next().unwrap();
    let dropped = count + 1 - (text.lines().count() - 1);
    let gap = format!("1970-01-01T00:00:00.000Z WARN {dropped} events were not written");
    assert_eq!(first, gap);
    assert!((100..120).contains(&dropped), "{dropped}");
}

#[test]
fn a_deleted_file_is_missed_and_begun_anew() {
    let dir = Dir::new("events-deleted");
    fs::create_dir(dir.path("sub")).unwrap();
    let path = dir.path("sub/log");
    let mut log = EventLog::new(Some(path.clone()), None);
    let mut put = |ms, text| {
        log.push(&notice(ms, text));
        log.flush(Mono(ms))
    };
    let lines = || {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| line.split_once(' ').unwrap().1);
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let gone = "WARN the event log was deleted, and what was in it is gone";
    assert_eq!(put(0, "one"), None);
    fs::remove_file(&path).unwrap();
    assert_eq!(put(1000, "two"), None);
    assert_eq!(lines(), ["INFO two", gone]);
    fs::remove_dir_all(dir.path("sub")).unwrap();
    let trouble = put(2000, "three").unwrap();
    assert!(trouble.ends_with("no such file or directory"), "{trouble}");
    assert_eq!(put(3000, "four"), None);
    fs::create_dir(dir.path("sub")).unwrap();
    assert_eq!(put(4000, "five"), None);
    assert_eq!(lines(), ["INFO three", gone, "INFO four", "INFO five"]);
}

#[test]
fn a_renamed_file_is_let_go_of_at_a_reopening() {
    let dir = Dir::new("events-reopen");
    let mut log = EventLog::new(Some(dir.path("log")), None);
    log.push(&notice(1, "one"));
    log.flush(Mono(0));
    fs::rename(dir.path("log"), dir.path("log.1")).unwrap();
    fs::create_dir(dir.path("log")).unwrap();
    assert!(log.reopen().unwrap_err().ends_with("name another path"));
    log.push(&notice(2, "two"));
    assert_eq!(log.flush(Mono(0)), None);
    fs::remove_dir(dir.path("log")).unwrap();
    assert_eq!(log.reopen(), Ok(()));
    log.push(&notice(3, "three"));
    log.flush(Mono(0));
    let lines = |name| fs::read_to_string(dir.path(name)).unwrap().lines().count();
    assert_eq!((lines("log.1"), lines("log")), (2, 1));
}

/// An event log on a disk that became full within a line; there is room again when `filler` is removed.
fn cut_off(disk: &Tmpfs) -> (EventLog, PathBuf) {
    let filler = disk.path("filler");
    let mut log = EventLog::new(Some(disk.path("log")), None);
    // It was emptied before, as a rotation by copying does.
    log.push(&notice(0, &"x".repeat(40_000)));
    assert_eq!(log.flush(Mono(0)), None);
    fs::write(disk.path("log"), "").unwrap();
    fs::write(&filler, vec![b'x'; 60 * 1024]).unwrap();
    for n in 0..100 {
        log.push(&notice(n, &"x".repeat(70)));
    }
    assert!(log.flush(Mono(0)).unwrap().contains("no space left"));
    assert!(!fs::read(disk.path("log")).unwrap().ends_with(b"\n"));
    (log, filler)
}

// The beginning of a line was in the file that was moved away, and its end at the top of the next one.
#[test]
fn a_line_that_a_full_disk_has_cut_is_whole_where_it_goes_on() {
    let Some(disk) = Tmpfs::new() else {
        return eprintln!("skipped: needs root and mount");
    };
    let path = disk.path("log");
    for (case, kept) in [
        ("same", 100),
        ("reopened", 60),
        ("moved", 60),
        ("emptied", 60),
    ] {
        let (mut log, filler) = cut_off(&disk);
        match case {
            "reopened" | "moved" => fs::rename(&path, disk.path("log.1")).unwrap(),
            "emptied" => fs::write(&path, "").unwrap(),
            _ => {}
        }
        fs::remove_file(filler).unwrap();
        if case == "reopened" {
            assert_eq!(log.reopen(), Ok(()));
        }
        assert_eq!(log.flush(Mono(EVENT_RETRY_MS)), None);
        let text = fs::read_to_string(&path).unwrap();
        let whole = |line: &str| line.starts_with("1970-") && line.ends_with(&"x".repeat(70));
        assert!(
            text.ends_with('\n') && text.lines().all(whole),
            "{case}: {text}"
        );
        assert_eq!(text.lines().count(), kept, "{case}");
        fs::remove_file(path.clone()).unwrap();
        fs::remove_file(disk.path("log.1")).ok();
    }
}

// The kinds are told apart in the tests of `files`; here it counts that nothing else opens the event log.
#[test]
fn what_is_no_regular_file_is_refused_and_nothing_hangs() {
    let dir = Dir::new("events-kinds");
    fs::write(dir.path("target"), "precious").unwrap();
    symlink(dir.path("target"), dir.path("link")).unwrap();
    mkfifo(&dir.path("fifo"), Mode::from_bits_truncate(0o600)).unwrap();
    for (name, kind) in [("link", "symlink"), ("fifo", "FIFO"), ("", "directory")] {
        let path = dir.path(name);
        let refused = EventLog::new(Some(path.clone()), None).reopen();
        let path = path.display();
        let reason = format!("{path}: a {kind}, not a regular file; name another path");
        let wanted = format!("the event log cannot be opened: {reason}");
        assert_eq!(refused, Err(wanted));
    }
    assert_eq!(fs::read(dir.path("target")).unwrap(), b"precious");
    let open = |path: &str| EventLog::new(Some(path.into()), None).reopen();
    assert_eq!(open("/dev/null"), Ok(()));
    assert!(open("/dev/zero").is_err());
}

fn pipe() -> (PipeReader, PipeWriter) {
    io::pipe().unwrap()
}

/// Much more than a pipe and the queue hold together.
fn flood(log: &mut EventLog) {
    for n in 0..10_000 {
        log.push(&notice(n, &"x".repeat(100)));
        log.flush(Mono(n));
    }
}

#[test]
fn a_standard_error_that_nobody_reads_stops_nobody() {
    let (mut reader, writer) = pipe();
    let flags = fcntl(&writer, FcntlArg::F_GETFL);
    let mut log = EventLog::new(None, own(writer.as_fd()));
    flood(&mut log);
    assert_eq!(fcntl(&writer, FcntlArg::F_GETFL), flags);
    drop(writer);

    // Read at last, it has whole lines, and every event is there or counted.
    let mut text = String::new();
    let mut some = vec![0; 64 * 1024];
    for _ in 0..100 {
        log.push(&notice(0, &"x".repeat(100)));
        log.flush(Mono(0));
        let count = reader.read(&mut some).unwrap();
        text.push_str(str::from_utf8(&some[..count]).unwrap());
    }
    drop(log);
    reader.read_to_string(&mut text).unwrap();
    let events = text.lines().filter(|line| line.ends_with("xxx")).count();
    let gaps = text
        .lines()
        .filter_map(|line| line.split_once("WARN ")?.1.split_once(' '));
    let missing: usize = gaps.map(|(count, _)| count.parse::<usize>().unwrap()).sum();
    assert_eq!(events + missing, 10_100);
}

#[test]
fn a_standard_error_of_any_kind_stops_nobody() {
    let (reader, writer) = pipe();
    drop(reader);
    flood(&mut EventLog::new(None, own(writer.as_fd())));
    // A terminal whose other end is not read, as after Ctrl-S.
    let terminal = nix::pty::openpty(None, None).unwrap();
    flood(&mut EventLog::new(None, own(terminal.slave.as_fd())));
    // A socket cannot be opened anew; it is written with care.
    let (ours, _theirs) = UnixStream::pair().unwrap();
    flood(&mut EventLog::new(None, own(ours.as_fd())));
}

// Nothing says when there is room again, so lines that wait have a time, and without any nobody wakes up.
#[test]
fn lines_that_wait_are_tried_again_and_only_they() {
    let dir = Dir::new("events-deadline");
    let path = dir.path("sub/log");
    let mut log = EventLog::new(Some(path.clone()), None);
    log.flush(Mono(0));
    assert_eq!(log.deadline(), None, "there is no file, and nothing for it");
    log.push(&notice(0, "first"));
    log.flush(Mono(2000));
    assert_eq!(log.deadline(), Some(Mono(2000 + EVENT_RETRY_MS)));
    fs::create_dir(dir.path("sub")).unwrap();
    log.flush(Mono(2000 + EVENT_RETRY_MS));
    assert_eq!(log.deadline(), None);
    assert!(fs::read_to_string(&path).unwrap().ends_with("first\n"));

    let (mut reader, writer) = pipe();
    let mut log = EventLog::new(None, own(writer.as_fd()));
    log.push(&notice(0, "first"));
    log.flush(Mono(0));
    assert_eq!(log.deadline(), None);
    flood(&mut log);
    assert_eq!(log.deadline(), Some(Mono(9_999 + EVENT_RETRY_MS)));
    let mut text = vec![0; 1 << 20];
    while log.deadline().is_some() {
        assert!(reader.read(&mut text).unwrap() > 0);
        log.flush(Mono(20_000));
    }
    // Who has gone does not come back.
    flood(&mut log);
    drop(reader);
    log.flush(Mono(30_000));
    assert_eq!(log.deadline(), None);
}
