//! What a good file means.

use std::path::Path;

use super::{fixture, good, load, problems, program, read, somebody, web};
use taskmasterd::config::model::{Autorestart, LogFile, Output, Tty};
use taskmasterd::config::{KEYS, Place, Surroundings, describe};
use taskmasterd::sinks::syslog::FACILITIES;

/// Values keep the digits they were written with.
#[test]
fn the_environment_is_taken_as_written() {
    let config = good(&web(
        "env: {ANSWER: 042, V: 1.10, Y: yes, T: true, N: null, E: , H: 0x1F, S: \"q\", L: 99999999999999999999999}",
    ));
    let env = &program(&config, "web").launch.env;
    let pairs: Vec<String> = env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        pairs.join(" "),
        "ANSWER=042 E= H=0x1F L=99999999999999999999999 N= S=q T=true V=1.10 Y=yes"
    );
}

#[test]
fn anchors_and_merge_keys_save_writing() {
    let config = good(
        "x-base: &base {cmd: x, umask: 027, env: {A: 1.10}}\n\
         x-more: &more {umask: 077, stoptime: 3}\n\
         programs:\n  one: *base\n  two: {<<: *base, umask: 002}\n  three: {<<: [*more, *base], numprocs: 2}\n",
    );
    let umasks = ["one", "two", "three"].map(|name| program(&config, name).launch.umask);
    assert_eq!(umasks, [0o27, 0o2, 0o77]);
    assert_eq!(program(&config, "three").stoptime_ms, 3000);
    assert_eq!(program(&config, "three").launch.env["A"], "1.10");
    let inside = problems("x-a: &a {cmd: x, umask: 9}\nprograms: {web: {<<: *a}}\n");
    assert!(
        inside[0].starts_with("tm.yaml:1:25: web.umask"),
        "{inside:?}"
    );
}

// It is known, and what is missing without the second is not.
#[test]
fn a_second_merge_key_is_told_of_alone() {
    let anchors = "x-a: &a {umask: 027}\nx-b: &b {cmd: x}\n";
    let found = problems(format!("{anchors}programs: {{t: {{<<: *a, <<: *b}}}}\n"));
    let wanted = "tm.yaml:3:24: t.<<: written twice; the first is at line 3 column 16; write <<: [*one, *two]";
    assert_eq!(found, [wanted]);
    good(&format!("{anchors}programs: {{t: {{<<: [*a, *b]}}}}\n"));
}

#[test]
fn descriptors_follow_from_where_the_errors_go() {
    let tty = |lines: &str| program(&good(&web(lines)), "web").launch.tty;
    assert_eq!(tty("numprocs: 1"), Tty::Full);
    assert_eq!(tty("stderr: stdout"), Tty::Full);
    assert_eq!(tty("stderr: /x"), Tty::Split);
    assert_eq!(tty("stderr: /x\n    tty: true"), Tty::Split);
    assert_eq!(tty("stderr: /x\n    tty: none"), Tty::None);
    assert_eq!(tty("tty: false"), Tty::None);
    let config = good(&web("stdout: logs/x\n    stderr: /dev/null"));
    let Output::File(LogFile {
        path,
        keep: 10,
        max_size: None,
        ..
    }) = &program(&config, "web").stdout
    else {
        panic!("{config:?}");
    };
    assert_eq!(path.to_str(), Some("/home/somebody/logs/x"));
    assert_eq!(program(&config, "web").stderr, Output::Discard);
}

#[test]
fn the_files_of_the_wild_load() {
    let config = fixture("subject.yaml", &somebody());
    let worker = program(&config, "worker");
    assert_eq!(
        (worker.numprocs, worker.launch.umask, worker.stopsignal),
        (8, 0o77, libc::SIGUSR1)
    );
    assert_eq!(program(&config, "web").exitcodes, [0, 2]);
    assert_eq!(program(&config, "web").launch.env["ANSWER"], "42");
    let without_cmd = problems("web: {cmd: x}\ndb: {cdm: y}\n");
    assert_eq!(
        without_cmd[1],
        "tm.yaml:2:6: db.cdm: unknown key; did you mean cmd?"
    );
    assert_eq!(
        problems("db: {command: y}\n"),
        [
            "tm.yaml:1:1: db.cmd: missing; say what to run",
            "tm.yaml:1:6: db.command: unknown key; it is cmd here"
        ]
    );
    let config = fixture("flat.yaml", &somebody());
    assert_eq!(program(&config, "web").launch.umask, 0o77);
    assert_eq!(
        program(&config, "list").autorestart,
        Autorestart::OnFailure(5)
    );
    assert!(config.warnings.is_empty());
}

/// Every key of the table is in the fixture, is accepted, and can be seen in the description; no secret can.
#[test]
fn every_key_is_known_and_shown() {
    let text = include_str!("every_key.yaml");
    let root = Surroundings {
        euid: 0,
        egid: 0,
        cwd: env!("CARGO_MANIFEST_DIR").into(),
        ..somebody()
    };
    let shown = match load(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/every_key.yaml"),
        &root,
    ) {
        Ok(config) => describe(&config),
        // A checkout that belongs to somebody else may not command root, which is right.
        Err(problems) if problems.to_string().contains("command") => return,
        Err(problems) => panic!("{problems}"),
    };
    assert!(!shown.contains("hunter2") && !shown.contains("two words"));
    for key in KEYS {
        let indent = if key.place == Place::Program {
            "\n  "
        } else {
            "\n"
        };
        assert!(
            text.contains(&format!("{indent}{}:", key.name))
                || text.contains(&format!("\n    {}:", key.name)),
            "{}",
            key.name
        );
        // What these bring is shown where it goes.
        let elsewhere = ["programs", "include", "defaults", "args", "env_file"];
        let pattern = if key.place == Place::Program {
            format!("\n  {} ", key.name)
        } else {
            format!("{}: ", key.name)
        };
        assert!(
            elsewhere.contains(&key.name) || shown.contains(&pattern),
            "{}\n{shown}",
            key.name
        );
    }
    assert!(shown.contains("serve 'a b' --port 8080\n") && shown.contains(" A B SECRET\n"));
    assert!(shown.contains(" 54321 (uid 54321, ") && shown.contains(" 54322 54323\n"));
}

/// Two modules that may not know each other have the list; one that only the configuration has would be sent as
/// another.
#[test]
fn the_facilities_of_syslog_are_those_that_it_is_sent_with() {
    let others = [
        "kern",
        "security",
        "ntp",
        "console",
        "solaris-cron",
        "mark",
        "local8",
        "clock",
        "audit",
    ];
    for name in FACILITIES.iter().chain(&others) {
        let read = read(format!("syslog: {{facility: {name}}}\nprograms: {{}}\n"));
        assert_eq!(read.is_ok(), FACILITIES.contains(name), "{name}: {read:?}");
    }
}

// With a whole terminal, standard error has no place of its own, whatever its key says.
#[test]
fn where_standard_error_goes_is_shown_as_it_is() {
    for (keys, want) in [
        ("tty: full", "where stdout goes"),
        ("stderr: stdout", "where stdout goes"),
        ("tty: split", "memory"),
        ("tty: none", "memory"),
        ("stderr: /e", "/e"),
        (
            "{tty: full, stderr: /e}",
            "where stdout goes, not /e, because tty is full",
        ),
    ] {
        let keys = keys.trim_matches(['{', '}']);
        let text = describe(&good(&format!("programs: {{web: {{cmd: x, {keys}}}}}")));
        let row = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("stderr "));
        assert_eq!(row.map(str::trim), Some(want), "{keys}");
    }
}

// A plan that told of 12 s and 12 s would tell of no change.
#[test]
fn times_are_shown_to_the_millisecond() {
    for (written, want) in [
        ("1ms", "1 ms"),
        ("9.5", "9.5 s"),
        ("12.3", "12.3 s"),
        ("12.345s", "12.345 s"),
        ("60500ms", "60.5 s"),
        ("90", "90 s"),
        ("2h", "2 h"),
    ] {
        let text = describe(&good(&web(&format!("stoptime: {written}"))));
        let row = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("stoptime "));
        assert_eq!(row.map(str::trim), Some(want), "{written}");
    }
}
