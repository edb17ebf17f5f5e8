//! Configurations that are wrong: refused at once, in words that say where; and what runs, runs on.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use harness::daemon::config_text;
use harness::{Daemon, LATER, SOON, Sandbox, State, bins, eventually, json, skip_unless_root};

/// A file, and words its refusal must have.
struct Bad {
    text: Vec<u8>,
    words: Vec<String>,
}

fn bad(text: impl AsRef<[u8]>, words: &[&str]) -> Bad {
    Bad {
        text: text.as_ref().to_vec(),
        words: words.iter().map(|word| (*word).to_owned()).collect(),
    }
}

/// Lines of a program, each wrong by itself; its key and its place must be told.
const LINES: [&str; 28] = [
    "autorestrat: true",
    "umask: 888",
    "starttime: -1",
    "starttime: .inf",
    "stoptime: soon",
    "stoptime: 1e400",
    "user: no-such-user",
    "user: 4294967295", // to setresuid, no change at all
    "user: -1",
    "env: {\"\": x}",
    "env: {\"B=C\": x}",
    "env: {A: [1, 2]}",
    "numprocs: -1",
    "numprocs: 1000000000",
    "numprocs: 8.5",
    "numprocs: true",
    "numprocs: many",
    "exitcodes: [0, 256]",
    "exitcodes: [-1]",
    "exitcodes: [SIGTERM]",
    "exitcodes: zero",
    "stopsignal: FOO",
    "stopsignal: STOP",
    "stopsignal: CONT",
    "stopsignal: 0",
    "stopsignal: 65",
    "autorestart: perhaps",
    "tty: half",
];

/// Commands that are none.
const COMMANDS: [&str; 5] = [
    "autostart: true",
    "cmd: \"\"",
    "cmd: \"   \"",
    "cmd: \"echo 'a\"",
    "cmd: []",
];

/// Names that no program may have.
const NAMES: [&str; 8] = [
    "../x",
    "\"a b\"",
    "\"a:b\"",
    "all",
    "\"*\"",
    "\u{e9}",
    "\"\\e[31m\"",
    "\"\"",
];

/// Texts that are no YAML, or none that anybody wants to read.
fn texts() -> Vec<Bad> {
    let deep = format!("programs: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let utf16 = "programs:".encode_utf16().flat_map(u16::to_le_bytes);
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(utf16).collect();
    vec![
        bad("programs:\n\tp:\n\t\tcmd: sleep 1\n", &["tm.yaml:2:"]),
        bad("programs:\n  p:\n    cmd: \"sleep\n", &["tm.yaml:"]),
        bad(
            "programs:\n  p:\n    cmd: a\n   numprocs: 1\n",
            &["tm.yaml:"],
        ),
        bad(b"programs:\n  p:\n    cmd: a\0b\n", &["tm.yaml"]),
        bad(b"programs:\n  p:\n    cmd: a\xff\n", &["tm.yaml"]),
        bad(utf16, &["tm.yaml"]),
        bad(bomb, &["tm.yaml"]),
        bad("a: &a [*a]\nprograms: {}\n", &["tm.yaml"]),
        bad(deep, &["tm.yaml"]),
        bad("programs:\n  p: {cmd: a}\n  p: {cmd: b}\n", &["p"]),
        bad("programs:\n  p:\n    cmd: a\n    cmd: b\n", &["cmd"]),
        bad("programs: [a, b]\n", &["tm.yaml:1:", "programs"]),
    ]
}

fn files() -> Vec<Bad> {
    let mut found = texts();
    found.extend(LINES.map(|line| {
        let key = line.split(':').next().unwrap_or(line);
        let text = format!("programs:\n  p:\n    cmd: sleep 1000\n    {line}\n");
        bad(text, &["tm.yaml:4:", key])
    }));
    found.extend(COMMANDS.map(|line| {
        let text = format!("programs:\n  p:\n    {line}\n    numprocs: 1\n");
        bad(text, &["tm.yaml:", "cmd"])
    }));
    let long = "n".repeat(300);
    found.extend(NAMES.into_iter().chain([long.as_str()]).map(|name| {
        bad(
            format!("programs:\n  {name}:\n    cmd: sleep 1000\n"),
            &["tm.yaml:"],
        )
    }));
    found
}

impl Bad {
    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.text)
            .chars()
            .take(80)
            .collect()
    }
}

fn check(path: &Path) -> Output {
    // Whoever waits for a FIFO is ended by the one, whoever is busy with a bomb by the other.
    let mut command = Command::new("timeout");
    command.arg(SOON.as_secs().to_string());
    command.args(["prlimit", "--cpu=2"]);
    command.arg(bins::taskmasterd());
    command.arg("--check").arg("-c").arg(path);
    command.output().expect("timeout starts")
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

// Every one of them: refused at once, in words that say where, and nothing of it reaches a terminal raw.
#[test]
fn a_bad_file_is_refused_by_the_check_with_the_place() {
    let sandbox = Sandbox::new();
    let mut wrong = Vec::new();
    for bad in files() {
        let path = sandbox.write("tm.yaml", &bad.text);
        let output = check(&path);
        let said = said(&output);
        let told = bad.words.iter().all(|word| said.contains(word)) && !said.contains('\x1b');
        let code = output.status.code();
        if code != Some(2) || !told {
            wrong.push(format!("{:?}: {code:?}: {said}", bad.shown()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

// Through SIGHUP and by command alike: the old configuration stays in force, and no process is touched.
#[test]
fn a_bad_file_changes_nothing_at_a_reload() {
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("p", &[]);
    let daemon = Daemon::start(sandbox, json!({"p": {"cmd": cmd, "starttime": "50ms"}}));
    let before = daemon.wait_state("p", State::Running);
    let mut wrong = Vec::new();
    for bad in files() {
        daemon.write_text(&bad.text);
        let line = daemon.hup();
        let error = daemon.rpc().reload();
        let refused = error
            .as_ref()
            .is_err_and(|error| error.code == shared::rpc::code::RELOAD_REFUSED);
        if !line.contains("refused") || !refused {
            wrong.push(format!("{:?}: {line}: {error:?}", bad.shown()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let after = daemon.status("p");
    assert_eq!(
        (after.pid, after.state, after.starts),
        (before.pid, State::Running, 1)
    );
    assert_eq!(daemon.rpc().status().processes.len(), 1);
}

#[test]
fn a_key_that_is_nearly_right_is_suggested() {
    let sandbox = Sandbox::new();
    let text = "programs:\n  p:\n    cmd: sleep 1000\n    autorestrat: true\n";
    let output = check(&sandbox.write("tm.yaml", text));
    let line = format!(
        "{}:4:5: p.autorestrat: unknown key; did you mean autorestart?",
        sandbox.text("tm.yaml")
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr).trim_end(), line);
}

// A word that means something to a shell is a legal argument, and hardly ever meant as one.
#[test]
fn a_command_that_wants_a_shell_is_warned_of_and_loads() {
    let sandbox = Sandbox::new();
    let text = "programs:\n  p:\n    cmd: \"echo | b > c && d\"\n";
    let output = check(&sandbox.write("tm.yaml", text));
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let line = format!(
        "warning: {}:3:5: p.cmd: | is not run by a shell; write sh -c '...'",
        sandbox.text("tm.yaml")
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr).trim_end(), line);
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(!shown.contains("warning"), "told twice: {shown}");
}

#[test]
fn all_problems_are_told_at_once() {
    let sandbox = Sandbox::new();
    let text = "programs:\n  a:\n    cmd: x\n    umask: 999\n    starttime: never\n  b:\n    stopsignal: FOO\n";
    let output = check(&sandbox.write("tm.yaml", text));
    let said = said(&output);
    for word in [
        "tm.yaml:4:",
        "tm.yaml:5:",
        "tm.yaml:7:",
        "umask",
        "starttime",
        "stopsignal",
        "cmd",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn what_is_no_regular_file_is_refused_before_it_is_read() {
    let sandbox = Sandbox::new();
    let fifo = sandbox.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO can be made");
    let huge = sandbox.path("huge.yaml");
    fs::File::create(&huge)
        .and_then(|file| file.set_len(5 << 30))
        .expect("a sparse file");
    for path in [
        Path::new("/dev/zero"),
        &fifo,
        sandbox.dir(),
        &huge,
        &sandbox.path("missing"),
    ] {
        let output = check(path);
        assert_eq!(output.status.code(), Some(2), "{}", path.display());
        assert!(!said(&output).is_empty());
    }
}

// It would run, and refuse every reload of a good file.
#[test]
fn a_path_that_no_reload_could_read_is_refused_at_the_start() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("dir").into_os_string();
    let dir = OsString::from_vec([dir.as_bytes(), b"\xff"].concat());
    fs::create_dir(&dir).expect("a directory can be made");
    let path = Path::new(&dir).join("tm.yaml");
    // A daemon that read it would not get far: its log is a directory.
    fs::write(&path, "programs: {}\nlog: /\n").expect("a file can be written");
    for words in [&["--check"][..], &[], &["--daemonize"]] {
        for (config, here) in [
            (path.as_path(), sandbox.dir()),
            ("tm.yaml".as_ref(), dir.as_ref()),
        ] {
            let mut command = Command::new(bins::taskmasterd());
            command.args(words).arg("-c").arg(config).current_dir(here);
            let output = command.output().expect("taskmasterd starts");
            let said = said(&output);
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(
                said.contains("not UTF-8, and no reload could read it"),
                "{said}"
            );
        }
    }
}

#[test]
fn the_many_ways_to_write_a_configuration_are_understood() {
    let sandbox = Sandbox::new();
    let good = [
        "\u{feff}programs:\n  p: {cmd: sleep 1}\n",
        "processes:\n  p: {cmd: sleep 1, exitcodes: 0, stopsignal: SIGTERM}\n",
        "programs:\n  p: {cmd: sleep 1, stopsignal: 15, exitcodes: [0, 2], umask: 022}\n",
        "programs:\n  p: {cmd: [sleep, '1'], starttime: 500ms, stoptime: 2m, autorestart: on-failure:3}\n",
        "p: {cmd: sleep 1}\n",
        "# nothing yet\n",
        "",
    ];
    for text in good {
        let output = check(&sandbox.write("tm.yaml", text));
        assert_eq!(output.status.code(), Some(0), "{text:?}: {}", said(&output));
    }
}

#[test]
fn a_bad_file_at_the_start_ends_the_daemon_before_it_touches_anything() {
    let sandbox = Sandbox::new();
    let dir = sandbox.dir().to_owned();
    sandbox.write(
        "tm.yaml",
        config_text(&dir, "programs:\n  p:\n    cmd: a\n    umask: 9\n"),
    );
    let mut daemon = Daemon::launch(sandbox, harness::Setup::default());
    assert_ne!(daemon.wait_exit(LATER).code(), Some(0));
    assert!(daemon.said().contains("tm.yaml:6:"), "{}", daemon.said());
    assert!(!daemon.socket().exists());
}

// Who can write the configuration of a root daemon is root.
#[test]
fn as_root_a_file_that_others_can_write_is_refused() {
    skip_unless_root!();
    let sandbox = Sandbox::new();
    let text = "programs:\n  p: {cmd: sleep 1}\n";
    let path = sandbox.write("tm.yaml", text);
    for mode in [0o666, 0o664] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode can be set");
        let output = check(&path);
        assert_ne!(output.status.code(), Some(0), "{mode:o}");
        assert!(said(&output).contains("tm.yaml"), "{}", said(&output));
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode can be set");
    std::os::unix::fs::chown(&path, Some(harness::NOBODYS_UID), None)
        .expect("root can give files away");
    assert_ne!(
        check(&path).status.code(),
        Some(0),
        "a file of another user"
    );
    let open = sandbox.open_dir("open");
    let inner = open.join("tm.yaml");
    fs::write(&inner, text).expect("a file can be written");
    assert_ne!(
        check(&inner).status.code(),
        Some(0),
        "a directory that others can write"
    );
}

// Values of variables are secrets: names may be shown, values never.
#[test]
fn no_value_of_the_environment_is_ever_told() {
    let sandbox = Sandbox::new();
    let secret = "hunter2-canary";
    let cmd = sandbox.puppet("p", &["--brief"]);
    let program =
        |value: &str| json!({"p": {"cmd": cmd, "starttime": "50ms", "env": {"TOKEN": value}}});
    let daemon = Daemon::start(sandbox, program(secret));
    daemon.wait_state("p", State::Running);
    let reloaded = daemon.reload(&program("hunter2-canary-changed"));
    assert!(!format!("{reloaded:?}").contains("canary"), "{reloaded:?}");
    for words in [&["--json", "status"][..], &["--json", "avail"], &["status"]] {
        let said = daemon.ctl().run(words);
        assert!(!format!("{said:?}").contains("canary"), "{said:?}");
    }
    eventually("a log of the reload", LATER, || {
        let log = daemon.log().join("\n");
        if log.contains("reloaded") {
            Ok(())
        } else {
            Err(log)
        }
    });
    assert!(!daemon.said().contains("canary"));
}
