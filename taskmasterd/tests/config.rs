//! Configuration files as users write them, good and bad.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use taskmasterd::config::model::{Autorestart, Config, LogFile, Output, Program, Tty};
use taskmasterd::config::{KEYS, Place, Surroundings, describe, load};

/// A directory of the test's own, removed when it ends.
struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("taskmaster-config-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a temporary directory can be made");
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).expect("a temporary file can be written");
        path
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

/// A daemon that is not root; what only root may ask for is refused, and who owns the files does not matter.
fn somebody() -> Surroundings {
    Surroundings {
        euid: 54321,
        egid: 54321,
        cwd: "/home/somebody".into(),
        terminals_max: Some(4096),
        terminals_reserve: 1024,
    }
}

/// The configuration in `text`, or its problems, with `tm.yaml` for the file's name.
fn read(text: impl AsRef<[u8]>) -> Result<Config, Vec<String>> {
    let files = Files::new();
    let path = files.write("tm.yaml", text);
    load(&path, &somebody()).map_err(|problems| {
        let prefix = format!("{}/", files.0.display());
        problems
            .0
            .iter()
            .map(|line| line.replace(&prefix, ""))
            .collect()
    })
}

fn good(text: &str) -> Config {
    read(text).unwrap_or_else(|problems| panic!("{text}\n{}", problems.join("\n")))
}

fn problems(text: impl AsRef<[u8]>) -> Vec<String> {
    read(text).expect_err("the file is bad")
}

/// The program `web` with these lines in it.
fn web(lines: &str) -> String {
    format!("programs:\n  web:\n    cmd: x\n    {lines}\n")
}

fn fixture(name: &str, env: &Surroundings) -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/config")
        .join(name);
    load(&path, env).unwrap_or_else(|problems| panic!("{problems}"))
}

fn program<'a>(config: &'a Config, name: &str) -> &'a Program {
    &config.programs[name]
}

/// What is wrong with a program, where, and what to do: each line in full.
#[test]
fn every_bad_value_is_told_with_its_place() {
    for (lines, expected) in [
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
        ("stopsignal: 0", "4:17: web.stopsignal: 0 is not a signal"),
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
        ("user: nobody2", "4:11: web.user: no such user \"nobody2\""),
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
        ("env: {\"\": x}", "4:11: web.env.: a variable needs a name"),
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
            "4:13: web.stdout: \"stdout\" is for stderr; write ./stdout for a file of that name",
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
            "fatal_state_report_address: nowhere",
            "4:33: web.fatal_state_report_address: \"nowhere\" is not host:port",
        ),
        (
            "<<: 5",
            "4:9: web.<<: 5 cannot be merged; give an alias of a map",
        ),
    ] {
        assert_eq!(
            problems(web(lines)),
            [format!("tm.yaml:{expected}")],
            "{lines}"
        );
    }
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

/// Files that are wrong as a whole.
#[test]
fn every_bad_file_is_told_with_its_place() {
    let tag = "a YAML tag (!word) means nothing here; quote text that begins with !";
    for (text, expected) in [
        (
            "programs:\n  web:\n\tcmd: a\n",
            "3:1: tab in indentation; use spaces",
        ),
        (
            "programs:\n  web:\n    cmd: a\n   umask: 022\n",
            "4:4: not YAML: did not find expected key, while parsing a block mapping at line 2 column 3",
        ),
        (
            "programs:\n  web:\n    cmd: \"a\n    umask: 022\n",
            "5:1: not YAML: found unexpected end of stream, while scanning a quoted scalar at line 3 column 10",
        ),
        (
            "programs: {a: {cmd: \"a\\0b\"}}",
            "1:21: a NUL character; no value can have one",
        ),
        ("programs: !foo\n  web: {cmd: a}\n", &format!("1:11: {tag}")),
        ("programs:\n  web: {cmd: !x a}\n", &format!("2:14: {tag}")),
        (
            "programs:\n  web: {cmd: a}\n---\nprograms: {}\n",
            "4:1: a second document begins; put it in a file of its own, and include that",
        ),
        (
            "programs: &a [*a]\n",
            "1:11: nested too deeply; 32 levels are the most",
        ),
        ("programs: *b\n", "1:11: not YAML: unknown anchor"),
        (
            "- a\n",
            "1:3: a list where a map of keys is needed, as programs:",
        ),
        (
            "hello\n",
            "1:1: \"hello\" where a map of keys is needed, as programs:",
        ),
        (
            "programs: 5\n",
            "1:11: programs: 5 is not a map of names and programs",
        ),
        (
            "programs: {web: 5}\n",
            "1:17: web: 5 is not a map of keys, as cmd:",
        ),
        (
            "program:\n  web: {cmd: a}\n",
            "1:1: program: unknown key; did you mean programs?",
        ),
        (
            "programs: {}\nalerts: {}\n",
            "2:1: alerts: not supported yet; remove it",
        ),
        (
            "programs: {}\naccess: []\n",
            "2:1: access: not supported yet; remove it",
        ),
        (
            "socket: {mode: 999}\n",
            "1:16: socket.mode: 999 is not a mode; write octal digits, as 0660",
        ),
        (
            "socket: {pth: x}\n",
            "1:10: socket.pth: unknown key; did you mean path?",
        ),
        (
            "log: {path: /x, format: json}\n",
            "1:17: log.format: not supported yet; remove it",
        ),
        (
            "syslog: {facility: nope}\n",
            "1:20: syslog.facility: \"nope\" is not a facility; write daemon, user or local0 to local7",
        ),
        (
            "programs: {web: {cmd: a}}\nprocesses: {web: {cmd: b}}\n",
            "2:13: web: written twice; the first is at line 1 column 12",
        ),
        (
            "include: ['a***b']\n",
            "1:11: include: \"a***b\" is not a pattern: wildcards are either regular `*` or recursive `**`",
        ),
    ] {
        assert_eq!(problems(text), [format!("tm.yaml:{expected}")], "{text}");
    }
    assert_eq!(
        problems("a: b\nc: \u{1}"),
        ["tm.yaml:2:4: a control character; write \"\\x01\" in double quotes"]
    );
}

#[test]
fn what_is_not_text_is_refused_by_name() {
    let only = |bytes: &[u8]| problems(bytes).remove(0);
    assert_eq!(
        only(b"\xff\xfea\0"),
        "tm.yaml: is UTF-16; write it in UTF-8"
    );
    assert_eq!(
        only(b"a: b\n\0"),
        "tm.yaml: has a NUL byte in line 2; is it text?"
    );
    assert_eq!(
        only(b"a: \xff"),
        "tm.yaml: is not UTF-8 in line 1; write it in UTF-8"
    );
    assert_eq!(good("\u{feff}programs: {web: {cmd: x}}").programs.len(), 1);
}

/// Bad names, all told at once, with nothing in them that a terminal would obey.
#[test]
fn all_problems_are_told_at_once() {
    let long = "x".repeat(300);
    let found = problems(format!(
        "programs:\n  ../x: {{cmd: a}}\n  a b: {{cmd: a}}\n  a:b: {{cmd: a}}\n  all: {{cmd: a}}\n  \
         \"*\": {{cmd: a}}\n  é: {{cmd: a}}\n  \"\\e[31m\": {{cmd: a}}\n  {long}: {{cmd: a}}\n"
    ));
    assert_eq!(found.len(), 8, "{found:#?}");
    for (line, problem) in (2..).zip(&found) {
        assert!(
            problem.starts_with(&format!("tm.yaml:{line}:3: ")),
            "{problem}"
        );
        assert!(!problem.contains('\x1b'));
    }
    let many: String = (0..500).map(|n| format!("  p{n}: 5\n")).collect();
    let found = problems(format!("programs:\n{many}"));
    assert_eq!(
        (found.len(), found[100].as_str()),
        (101, "and 400 more problems")
    );
}

/// A problem in `defaults` is one problem, however many programs it is for.
#[test]
fn defaults_apply_below_each_program() {
    let config =
        good("defaults: {umask: 077, tty: none}\nprograms: {a: {cmd: x}, b: {cmd: x, umask: 002}}");
    assert_eq!(program(&config, "a").launch.umask, 0o77);
    assert_eq!(program(&config, "b").launch.umask, 0o2);
    assert_eq!(program(&config, "b").launch.tty, Tty::None);
    assert_eq!(
        problems("defaults: {umask: 999, foo: 1}\nprograms: {a: {cmd: x}, b: {cmd: y}}\n"),
        [
            "tm.yaml:1:19: defaults.umask: 999 is not a mask; write octal digits from 000 to 777, as 022",
            "tm.yaml:1:24: defaults.foo: unknown key",
        ]
    );
}

#[test]
fn a_file_without_programs_loads_with_a_warning() {
    for text in [
        "",
        "# nothing\n",
        "programs:\n",
        "programs: {}\n",
        "---\n...\n",
    ] {
        let config = good(text);
        assert!(config.programs.is_empty());
        assert!(
            config.warnings[0].ends_with("tm.yaml: no programs"),
            "{text:?}"
        );
    }
}

#[test]
fn what_is_allowed_but_odd_is_a_warning() {
    for (text, warning) in [
        (
            web("stopsignal: KILL"),
            ":4:5: web.stopsignal: SIGKILL gives it no chance to clean up; TERM asks first",
        ),
        (
            web("tty: full\n    stderr: /x"),
            ":4:5: web.tty: full makes standard error go where stdout goes; write split to keep them apart",
        ),
        (
            "programs: {a: {cmd: 'a | b > c'}}".to_owned(),
            ":1:16: a.cmd: | is not run by a shell; write sh -c '...'",
        ),
    ] {
        let warnings = good(&text).warnings;
        assert!(
            warnings.len() == 1 && warnings[0].ends_with(warning),
            "{warnings:?}"
        );
    }
    assert!(
        good("programs: {a: {cmd: [a, '|', b]}}")
            .warnings
            .is_empty()
    );
}

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

/// Each in well under a second even without optimisation, and with a bound on what it may cost in memory.
#[test]
fn bombs_do_not_go_off() {
    let laughs: String = (1..30)
        .map(|n| format!("x-{n}: &a{n} [{}]\n", format!("*a{},", n - 1).repeat(9)))
        .collect();
    let text = format!(
        "x-0: &a0 {}\nx-1: [{}]\n",
        "y".repeat(1 << 20),
        "*a0,".repeat(1000)
    );
    let tree = format!(
        "x-0: &a0 [{}]\nx-1: [{}]\n",
        "y,".repeat(100_000),
        "*a0,".repeat(1000)
    );
    for bomb in [
        format!("x-0: &a0 y\n{laughs}"),
        text,
        tree,
        "[".repeat(10_000),
        "{a: ".repeat(10_000),
        "- ".repeat(10_000),
        format!("a: {}", "[\n".repeat(1_000_000)),
    ] {
        let found = problems(&bomb);
        assert!(
            found[0].contains("nested too deeply") || found[0].contains("aliases repeat"),
            "{found:?}"
        );
    }
}

#[test]
fn brackets_inside_quotes_are_no_depth() {
    let programs: String = (0..200)
        .map(|n| format!("  p{n}: {{cmd: \"x '[[[' - [\"}}\n"))
        .collect();
    assert_eq!(good(&format!("programs:\n{programs}")).programs.len(), 200);
}

#[test]
fn included_files_bring_programs() {
    let files = Files::new();
    fs::create_dir(files.0.join("conf.d")).unwrap();
    files.write("conf.d/b.yaml", "programs: {b: {cmd: x}}\n");
    files.write("conf.d/c.yaml", "c: {cmd: x}\n");
    let main = files.write(
        "tm.yaml",
        "include: [conf.d/*.yaml, none/*.yaml]\ndefaults: {umask: 077}\nprograms: {a: {cmd: x}}\n",
    );
    let config = load(&main, &somebody()).unwrap();
    let names: Vec<&str> = config.programs.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(program(&config, "c").launch.umask, 0o77);

    files.write("conf.d/d.yaml", "programs:\n  a: {cmd: y}\nlog: /x\n");
    fs::write(
        &main,
        "include: [conf.d/*.yaml, missing.yaml]\nprograms: {a: {cmd: x}}\n",
    )
    .unwrap();
    let found = load(&main, &somebody()).unwrap_err().to_string();
    let dir = files.0.display();
    assert_eq!(
        found.lines().collect::<Vec<_>>(),
        [
            format!(
                "{dir}/conf.d/d.yaml:2:3: a: written twice; the first is at {dir}/tm.yaml:2:12"
            ),
            format!("{dir}/conf.d/d.yaml:3:1: log: belongs into the file that includes this one"),
            format!("{dir}/missing.yaml: cannot be opened: no such file or directory"),
        ]
    );
}

#[test]
fn a_file_of_several_writers_is_not_rotated() {
    let refused = |text: &str, streams: u32| {
        let found = problems(text);
        assert!(
            found[0].contains(&format!(
                "is written by {streams} streams and cannot be rotated"
            )),
            "{found:?}"
        );
    };
    refused(
        "programs: {a: {cmd: x, numprocs: 2, stdout: {path: /a, max_size: 1MB}}}",
        2,
    );
    refused(
        "programs: {a: {cmd: x, stdout: /a}, b: {cmd: x, stdout: {path: /a, max_size: 1MB}}}",
        2,
    );
    good("programs: {a: {cmd: x, stdout: /a}, b: {cmd: x, stdout: /a, stderr: /b}}");
    good("programs: {a: {cmd: x, stdout: {path: /a, max_size: 1MB}, stderr: stdout}}");
}

#[test]
fn there_are_only_so_many_terminals() {
    let programs = |count: u32, rest: &str| -> String {
        (0..count)
            .map(|n| format!("  p{n}: {{cmd: x, numprocs: 1000{rest}}}\n"))
            .collect()
    };
    let found = problems(format!("programs:\n{}", programs(5, "")));
    assert_eq!(
        found,
        [
            "tm.yaml: 5000 processes want a terminal and the kernel has 4096; set tty: none for some, \
          or raise kernel.pty.max"
        ]
    );
    assert_eq!(
        good(&format!("programs:\n{}", programs(4, "")))
            .warnings
            .len(),
        1
    );
    assert!(
        good(&format!("programs:\n{}", programs(5, ", tty: none")))
            .warnings
            .is_empty()
    );
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
    let text = include_str!("config/every_key.yaml");
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

#[test]
fn root_is_not_led_astray_by_the_loader() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: the file must belong to root");
        return;
    }
    let files = Files::new();
    let root = Surroundings {
        euid: 0,
        egid: 0,
        ..somebody()
    };
    let path = files.write("tm.yaml", web("env: {LD_PRELOAD: /x.so}"));
    let found = load(&path, &root).unwrap_err().to_string();
    assert!(
        found.ends_with("web.env.LD_PRELOAD: would change what a program of root loads; remove it")
    );
    fs::write(
        &path,
        web("env: {LD_PRELOAD: /x.so}\n    user: 5\n    group: 5"),
    )
    .unwrap();
    assert!(load(&path, &root).is_ok());
}

/// As many programs as are allowed load, and one more is told from them.
#[test]
fn many_programs_load() {
    let programs: String = (0..10_000)
        .map(|n| {
            format!(
                "  p{n}:\n    cmd: /usr/bin/worker --number {n}\n    numprocs: 1\n    umask: 022\n    \
                 tty: none\n    exitcodes: [0, 2]\n    stdout: /tmp/p{n}.log\n    env: {{A: 1, B: 2}}\n"
            )
        })
        .collect();
    let config = good(&format!("programs:\n{programs}"));
    assert_eq!(config.programs.len(), 10_000);
    let one_more = problems(format!(
        "programs:\n{programs}  more: {{cmd: x, tty: none}}\n"
    ));
    assert_eq!(
        one_more,
        ["tm.yaml: 10001 programs are too many; 10000 are the most"]
    );
}

/// Files with a few bytes replaced: whatever they say, they are judged, and nothing panics.
#[test]
fn no_text_brings_the_loader_down() {
    const PIECES: [&str; 16] = [
        "*a", "&a ", "<<: ", "[", "]", "{", "}", ": ", "\n", "- ", "\"", "'", "!x ", "---\n", "#",
        "? ",
    ];
    let text = concat!(
        include_str!("config/every_key.yaml"),
        "x-a: &a {b: [1, ~], <<: {c: d}}\n",
    );
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let files = Files::new();
    for _ in 0..1000 {
        let mut mutant = text.to_owned();
        for _ in 0..3 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let at = (random >> 8) as usize % mutant.len();
            let piece = PIECES[random as usize % PIECES.len()];
            mutant.replace_range(at..=at, piece);
        }
        let path = files.write("tm.yaml", &mutant);
        _ = load(&path, &somebody());
    }
}
