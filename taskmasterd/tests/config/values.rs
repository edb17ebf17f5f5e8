//! Values that no program can have, each told with its place.

use super::{Files, good, load, problems, program, somebody, web};
use taskmasterd::config::Surroundings;
use taskmasterd::config::model::Output;

/// Lines of a program, and what is said of them.
const BAD_VALUES: &[(&str, &str)] = &[
    (
        "autorestrat: 1",
        "4:5: web.autorestrat: unknown key; did you mean autorestart?",
    ),
    (
        "numprocs: -1",
        "4:15: web.numprocs: -1 is not a whole number from 0 to 1000",
    ),
    (
        "numprocs: 1000000000",
        "4:15: web.numprocs: 1000000000 is not a whole number from 0 to 1000",
    ),
    (
        "numprocs: \"8\"",
        "4:15: web.numprocs: \"8\" is not a whole number from 0 to 1000; write 8",
    ),
    (
        "numprocs: 8.5",
        "4:15: web.numprocs: 8.5 is not a whole number from 0 to 1000",
    ),
    (
        "numprocs: true",
        "4:15: web.numprocs: true is not a whole number from 0 to 1000",
    ),
    (
        "numprocs:",
        "4:14: web.numprocs: has no value; write one, or remove the key",
    ),
    (
        "umask: 888",
        "4:12: web.umask: 888 is not a mask; write octal digits from 000 to 777, as 022",
    ),
    (
        "exitcodes: [0, 256]",
        "4:20: web.exitcodes: 256 is not a whole number from 0 to 255",
    ),
    (
        "exitcodes: [-1]",
        "4:17: web.exitcodes: -1 is not a whole number from 0 to 255",
    ),
    (
        "exitcodes: \"0,2\"",
        "4:16: web.exitcodes: \"0,2\" is not a list; write [0,2]",
    ),
    (
        "exitcodes: [SIGTERM]",
        "4:17: web.exitcodes: \"SIGTERM\" is not a whole number from 0 to 255",
    ),
    (
        "stopsignal: STOP",
        "4:17: web.stopsignal: \"STOP\" suspends or continues a process and does not end it",
    ),
    (
        "stopsignal: SIGCONT",
        "4:17: web.stopsignal: \"SIGCONT\" suspends or continues a process and does not end it",
    ),
    (
        "stopsignal: TREM",
        "4:17: web.stopsignal: \"TREM\" is not a signal; did you mean TERM?",
    ),
    (
        "stopsignal: 0",
        "4:17: web.stopsignal: 0 is not a signal; write a name, as TERM, or a number from 1 to 64",
    ),
    (
        "starttime: -1",
        "4:16: web.starttime: -1 is not a time; write seconds, or 500ms, 5s, 2m, 1h, 1m30s",
    ),
    (
        "stoptime: 400d",
        "4:15: web.stoptime: \"400d\" is longer than a year",
    ),
    (
        "startretries: 1000000001",
        "4:19: web.startretries: 1000000001 is not a whole number from 0 to 1000000000",
    ),
    (
        "autorestart: on-failure:99999999999",
        "4:18: web.autorestart: more than 1000000000 times are too many",
    ),
    (
        "autorestart: maybe",
        "4:18: web.autorestart: \"maybe\" is not always, never, unexpected or on-failure:N",
    ),
    (
        "autostart: 1",
        "4:16: web.autostart: 1 is not true or false",
    ),
    (
        "args: --port",
        "4:11: web.args: \"--port\" is not a list of words",
    ),
    (
        "user: root",
        "4:11: web.user: only root can switch users, and the daemon runs as uid 54321; \
            start taskmasterd as root, or remove the key",
    ),
    (
        "user: nobody2",
        "4:11: web.user: no such user \"nobody2\"; create it, or name another",
    ),
    (
        "user: 54321\n    group: nosuch",
        "5:12: web.group: no such group \"nosuch\"; create it, or name another",
    ),
    (
        "group: 7",
        "4:12: web.group: only root can switch groups; start taskmasterd as root, or remove the key",
    ),
    (
        "user: 54321\n    groups: [54321]",
        "5:14: web.groups: only root can switch groups; start taskmasterd as root, or remove the key",
    ),
    (
        "zzz: 1",
        "4:5: web.zzz: unknown key; taskmaster.yaml(5) has them all",
    ),
    (
        "command: 1",
        "4:5: web.command: unknown key; it is cmd here",
    ),
    ("CWD: 1", "4:5: web.CWD: unknown key; it is workingdir here"),
    (
        "redirect_stderr: 1",
        "4:5: web.redirect_stderr: unknown key; it is stderr: stdout here",
    ),
    (
        "stdout_logfile_maxbytes: 1",
        "4:5: web.stdout_logfile_maxbytes: unknown key; it is stdout.max_size here",
    ),
    (
        "name: 1",
        "4:5: web.name: unknown key; a program's name is the key above it",
    ),
    (
        "startretrys: 1",
        "4:5: web.startretrys: unknown key; did you mean startretries?",
    ),
    (
        "stderr: {foo: 1, path: x}",
        "4:14: web.stderr.foo: unknown key; it can be path, max_size, keep, timestamps or strip_ansi",
    ),
    (
        "limits: {xyzzy: 1}",
        "4:14: web.limits.xyzzy: unknown key; it can be as, core, cpu, data, fsize, locks, memlock, \
         msgqueue, nice, nofile, nproc, rss, rtprio, rttime, sigpending or stack",
    ),
    (
        "user: -1",
        "4:11: web.user: \"-1\" is no user or group; write a name, or a number from 0 to 4294967294",
    ),
    (
        "env: [A]",
        "4:11: web.env: a list is not a map of names and values",
    ),
    ("env: {A: [1, 2]}", "4:15: web.env.A: a list is not text"),
    (
        "env: {\"B=C\": x}",
        "4:11: web.env.B=C: a variable's name cannot have =",
    ),
    (
        "env: {\"\": x}",
        "4:11: web.env.\"\": a variable needs a name",
    ),
    (
        "env_file: /nonexistent",
        "4:15: web.env_file: /nonexistent cannot be opened: no such file or directory",
    ),
    (
        "umask: 022\n    cmd: y",
        "5:5: web.cmd: written twice; the first is at line 3 column 5",
    ),
    (
        "env: {A: 1, A: 2}",
        "4:17: web.env.A: written twice; the first is at line 4 column 11",
    ),
    (
        "depends_on: {}",
        "4:5: web.depends_on: not supported yet; remove it",
    ),
    (
        "healthcheck: {}",
        "4:5: web.healthcheck: not supported yet; remove it",
    ),
    (
        "stdout: stdout",
        "4:13: web.stdout: \"stdout\" is no file; write stdout: inherit for the daemon's own, or write ./stdout for a \
            file of that name",
    ),
    ("stdout: {keep: 3}", "4:14: web.stdout: path is missing"),
    (
        "stdout: {path: /a, max_size: 0}",
        "4:34: web.stdout.max_size: 0 would rotate at every byte; leave it out to rotate never",
    ),
    (
        "tty: maybe",
        "4:10: web.tty: \"maybe\" is not full, split or none",
    ),
    (
        "limits: {nofil: 3}",
        "4:14: web.limits.nofil: unknown key; did you mean nofile?",
    ),
    (
        "limits: {nofile: x}",
        "4:22: web.limits.nofile: \"x\" is not a whole number or unlimited",
    ),
    (
        "limits: {as: {soft: 2, hard: 1}}",
        "4:19: web.limits.as: soft is more than hard",
    ),
    (
        "nice: 20",
        "4:11: web.nice: 20 is not a whole number from -20 to 19",
    ),
    (
        "restart_limit: {burst: 5}",
        "4:21: web.restart_limit: interval is missing",
    ),
    (
        "restart_limit: {burst: 0, interval: 1m}",
        "4:28: web.restart_limit.burst: 0 allows no restart; write autorestart: never for that, or leave \
            restart_limit out for no limit",
    ),
    (
        "restart_limit: {burst: 5, interval: 0}",
        "4:41: web.restart_limit.interval: no restart falls within 0; leave restart_limit out for no limit",
    ),
    (
        "restart_limit: {burst: 10001, interval: 1m}",
        "4:28: web.restart_limit.burst: 10001 is not a whole number from 0 to 10000",
    ),
    (
        "fatal_state_report_address: nowhere",
        "4:33: web.fatal_state_report_address: \"nowhere\" is not host:port",
    ),
    (
        "<<: 5",
        "4:9: web.<<: 5 cannot be merged; give an alias of a map",
    ),
];

/// What is wrong with a program, where, and what to do: each line in full.
#[test]
fn every_bad_value_is_told_with_its_place() {
    for (lines, expected) in BAD_VALUES {
        assert_eq!(
            problems(web(lines)),
            [format!("tm.yaml:{expected}")],
            "{lines}"
        );
    }
}

/// Words for a place, of ours or of others, that mean nothing where they stand; and files that are called so.
#[test]
fn a_word_for_a_place_is_no_file() {
    let refused = |stream: &str, word: &str, advice: &str| {
        let advice = advice.replace("{stream}", stream);
        let says =
            format!("\"{word}\" is no file; {advice}, or write ./{word} for a file of that name");
        let alone = format!("{stream}: \"{word}\"");
        let column = 7 + stream.len();
        let wanted = format!("tm.yaml:4:{column}: web.{stream}: {says}");
        assert_eq!(problems(web(&alone)), [wanted]);
        let inside = format!("{stream}: {{path: \"{word}\"}}");
        let column = column + 7;
        let wanted = format!("tm.yaml:4:{column}: web.{stream}.path: {says}");
        assert_eq!(problems(web(&inside)), [wanted]);
    };
    let own = "write {stream}: inherit for the daemon's own";
    let both = "write stderr: stdout to have both in one place";
    for stream in ["stdout", "stderr"] {
        for word in ["none", "NONE", "null", "Discard"] {
            refused(stream, word, "write {stream}: discard to keep nothing");
        }
        for word in ["auto", "AUTO", "memory"] {
            refused(stream, word, "leave {stream} out to keep its end in memory");
        }
        refused(stream, "INHERIT", own);
        refused(stream, &stream.to_uppercase(), own);
        refused(stream, "Syslog", "write {stream}: syslog for syslog");
    }
    refused("stdout", "stderr", both);
    refused("stderr", "Stdout", both);
    for word in ["discard", "inherit", "syslog"] {
        good(&web(&format!("stdout: {word}\n    stderr: {word}")));
        let inside = problems(web(&format!("stderr: {{path: {word}}}")));
        assert!(inside[0].contains("is no file"), "{inside:?}");
    }
    let config = good(&web("stdout: ./none\n    stderr: {path: logs/auto}"));
    let path = |output: &Output| match output {
        Output::File(log) => log.path.clone(),
        other => panic!("{other:?}"),
    };
    let web = program(&config, "web");
    assert_eq!(path(&web.stdout).to_str(), Some("/home/somebody/none"));
    assert_eq!(path(&web.stderr).to_str(), Some("/home/somebody/logs/auto"));
}

/// Commands that are none.
#[test]
fn a_command_has_words() {
    for (cmd, expected) in [
        (
            "",
            "3:9: web.cmd: has no value; write one, or remove the key",
        ),
        (" '  '", "3:10: web.cmd: empty; say what to run"),
        (" []", "3:5: web.cmd: empty; say what to run"),
        (" a 'b", "3:10: web.cmd: a ' is not closed"),
        (" {a: b}", "3:11: web.cmd: a map is not a list of words"),
        (" [a, [b]]", "3:15: web.cmd: a list is not text"),
    ] {
        let text = format!("programs:\n  web:\n    cmd:{cmd}\n");
        assert_eq!(problems(text), [format!("tm.yaml:{expected}")], "{cmd}");
    }
    let missing = problems("programs:\n  web:\n    numprocs: 1\n");
    assert_eq!(missing, ["tm.yaml:2:3: web.cmd: missing; say what to run"]);
}

// Whoever removes the key from his program, or adds one without it, would be told of it only then.
#[test]
fn a_mistake_in_defaults_is_told_though_no_program_takes_it_over() {
    let defaults = "defaults: {stopsignal: TREM, user: nosuch, group: nosuch, numprocs: x, args: 3,\n  \
                    stdout: {path: /x, foo: 3}, env: {A: [1]}, env_file: dir/}\n";
    let wanted = [
        "1:24: defaults.stopsignal: \"TREM\" is not a signal; did you mean TERM?",
        "1:36: defaults.user: no such user \"nosuch\"; create it, or name another",
        "1:51: defaults.group: no such group \"nosuch\"; create it, or name another",
        "1:69: defaults.numprocs: \"x\" is not a whole number from 0 to 1000",
        "1:78: defaults.args: 3 is not a list of words",
        "2:22: defaults.stdout.foo: unknown key; it can be path, max_size, keep, timestamps or strip_ansi",
        "2:41: defaults.env.A: a list is not text",
        "2:56: defaults.env_file: \"dir/\" names a directory; name a file in it",
    ];
    for programs in [
        "",
        "programs: {a: {cmd: x}}\n",
        "programs: {a: {cmd: x, stopsignal: INT, user: 54321, group: 54321, numprocs: 1, args: [],\n  \
         stdout: discard, env: {}}}\n",
    ] {
        let found = problems(format!("{defaults}{programs}"));
        assert_eq!(found, wanted.map(|line| format!("tm.yaml:{line}")));
    }
}

// Another key, or another user, may make it right, and what is odd is told to whom it concerns.
#[test]
fn what_only_a_program_shows_is_not_said_of_defaults() {
    let text = "defaults: {user: 54321, env: {LD_PRELOAD: /x.so}, env_file: none, tty: full, stderr: /e,\n  \
                stopsignal: KILL, args: [y]}\n";
    assert!(good(text).warnings[0].ends_with("tm.yaml: no programs"));
    assert_eq!(good(text).warnings.len(), 1);
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("skipped: the file must belong to root");
    }
    let files = Files::new();
    let root = Surroundings {
        euid: 0,
        egid: 0,
        ..somebody()
    };
    let loaded = load(&files.write("tm.yaml", text), &root);
    assert_eq!(loaded.map(|config| config.warnings.len()), Ok(1));
}
