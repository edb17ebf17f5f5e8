//! Whose a log file is, and what a user may plant where root is to write: a daemon of root must not be led.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{
    Daemon, NOBODYS_UID, SOON, Sandbox, State, User, Value, bins, check, eventually, json,
    skip_unless_root,
};

/// A directory of that user's own.
fn directory_of(sandbox: &Sandbox, name: &str, user: &User) -> PathBuf {
    let dir = sandbox.path(name);
    fs::create_dir(&dir).expect("a directory can be made");
    chown(&dir, Some(user.uid), Some(user.gid)).expect("root can give files away");
    dir
}

fn wait_file(path: &Path, contents: &str) {
    eventually("the log", SOON, || {
        let found = fs::read_to_string(path).unwrap_or_default();
        check(found == contents, || format!("{found:?}"))
    });
}

/// What `--check` warns of, run by `uid`.
fn warnings(sandbox: &Sandbox, uid: u32, config: &Value) -> Vec<String> {
    let path = sandbox.write("check.yaml", config.to_string());
    let mut command = Command::new(bins::taskmasterd());
    command.arg("--check").arg("-c").arg(path).uid(uid).gid(uid);
    let output = command.output().expect("taskmasterd starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let lines = said.lines().filter(|line| !line.ends_with("no programs"));
    lines.map(str::to_owned).collect()
}

/// A directory of root's with this mode.
fn directory_with_mode(sandbox: &Sandbox, name: &str, mode: u32) -> PathBuf {
    let dir = sandbox.path(name);
    fs::create_dir(&dir).expect("a directory can be made");
    fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).expect("a mode can be set");
    dir
}

fn event_log(dir: &Path) -> Value {
    json!({"log": dir.join("log"), "programs": {}})
}

fn stdout(dir: &Path) -> Value {
    json!({"programs": {"p": {"cmd": "sh", "stdout": dir.join("log")}}})
}

/// One warning, of `log` in that directory, and nothing made there.
#[track_caller]
fn assert_warned(found: &[String], key: &str, dir: &Path, what: &str) {
    let want = format!("warning: {key}: {}: {what}", dir.join("log").display());
    let told = found.len() == 1 && found[0].starts_with(&want);
    assert!(told, "{want}: {found:?}");
    assert!(!dir.join("log").exists());
}

// The rules are those of the opening: a daemon that starts on what was checked does not end for its log.
#[test]
fn the_check_of_root_tells_where_others_lead_and_where_root_does_not_help() {
    skip_unless_root!();
    let user = User::new();
    let sandbox = Sandbox::new();
    let his = directory_of(&sandbox, "his", &user);
    let roots = directory_with_mode(&sandbox, "roots", 0o755);
    let open = directory_with_mode(&sandbox, "open", 0o1777);
    let group = directory_with_mode(&sandbox, "group", 0o775);
    let of_user = |dir: &Path| {
        let mut config = stdout(dir);
        config["programs"]["p"]["user"] = json!(user.name);
        warnings(&sandbox, 0, &config)
    };
    let (dir, uid) = (his.display(), user.uid);
    let led = format!("{dir} belongs to uid {uid}, and root writes only where nobody else leads");
    assert_warned(&warnings(&sandbox, 0, &event_log(&his)), "log", &his, &led);
    assert_warned(
        &warnings(&sandbox, 0, &stdout(&his)),
        "p.stdout",
        &his,
        &led,
    );
    let dir = group.display();
    let no_help = format!("permission denied, and root does not help in {dir}");
    assert_warned(&of_user(&group), "p.stdout", &group, &no_help);
    for dir in [&his, &roots, &open] {
        assert!(of_user(dir).is_empty(), "{:?}", of_user(dir));
    }
    for dir in [&roots, &open] {
        let found = warnings(&sandbox, 0, &stdout(dir));
        assert!(found.is_empty(), "{found:?}");
    }

    let mut config = event_log(&his);
    config["socket"] = json!(sandbox.path("sock"));
    let path = sandbox.write("tm.yaml", config.to_string());
    let output = Command::new(bins::taskmasterd())
        .arg("-c")
        .arg(path)
        .output();
    let output = output.expect("taskmasterd starts");
    let told = String::from_utf8_lossy(&output.stderr).contains(&led);
    assert!(told && output.status.code() == Some(2), "{output:?}");
}

#[test]
fn the_check_of_an_ordinary_user_tells_where_he_may_not_write() {
    skip_unless_root!();
    let sandbox = Sandbox::new();
    let denied = "permission denied";
    for (name, mode) in [("roots", 0o755), ("locked", 0o700)] {
        let dir = directory_with_mode(&sandbox, name, mode);
        let said = |config: &Value| warnings(&sandbox, NOBODYS_UID, config);
        assert_warned(&said(&stdout(&dir)), "p.stdout", &dir, denied);
        assert_warned(&said(&event_log(&dir)), "log", &dir, denied);
    }
    let open = directory_with_mode(&sandbox, "open", 0o1777);
    for config in [stdout(&open), event_log(&open)] {
        let found = warnings(&sandbox, NOBODYS_UID, &config);
        assert!(found.is_empty(), "{found:?}");
    }
}

// A directory like /var/log is root's, and the user cannot make a file there; in his own the user does.
#[test]
fn a_log_is_the_users_in_his_directory_and_roots_in_roots() {
    skip_unless_root!();
    let user = User::new();
    let sandbox = Sandbox::new();
    let (roots, own) = (
        sandbox.path("var-log"),
        directory_of(&sandbox, "own", &user),
    );
    fs::create_dir(&roots).expect("a directory can be made");
    fs::set_permissions(&roots, fs::Permissions::from_mode(0o755)).expect("a mode can be set");
    let program = |dir: &Path| {
        let cmd = sandbox.puppet("p", &["--write-out", "words\\n"]);
        json!({"cmd": cmd, "user": user.name, "starttime": "50ms", "stdout": dir.join("p.out")})
    };
    let programs = json!({"roots": program(&roots), "own": program(&own)});
    let daemon = Daemon::start(sandbox, programs);
    for (name, dir, uid) in [("roots", &roots, 0), ("own", &own, user.uid)] {
        let log = dir.join("p.out");
        wait_file(&log, "words\n");
        let found = fs::metadata(&log).expect("a log");
        assert_eq!(found.uid(), uid, "{name}");
        assert_eq!(found.mode() & 0o022, 0, "{name}: {:o}", found.mode());
        daemon.wait_state(name, State::Running);
    }
}

// As Ubuntu has /var/log: the user may not, and root does not where a group could have prepared something.
#[test]
fn a_directory_of_roots_that_a_group_may_write_to_is_named_with_the_cure() {
    skip_unless_root!();
    let user = User::new();
    let sandbox = Sandbox::new();
    let logs = sandbox.open_dir("log");
    chown(&logs, None, Some(60_004)).expect("root can give files away");
    fs::set_permissions(&logs, fs::Permissions::from_mode(0o775)).expect("a mode can be set");
    let cmd = sandbox.puppet("p", &["--write-out", "hello\\n"]);
    let keys =
        json!({"cmd": cmd, "user": user.name, "starttime": "50ms", "stdout": logs.join("p.out")});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    let line = daemon.wait_log(&["output of p cannot be written", "permission denied"]);
    let logs = logs.display();
    let reason =
        format!("does not help in {logs}, because its group 60004 can write to it (mode 0775)");
    let cure = format!("chmod go-w {logs}");
    assert!(line.contains(&reason) && line.contains(&cure), "{line}");
    daemon.wait_state("p", State::Running);
}

// What a user can plant in his own directory: root writes through none of it, waits for none of it, and says so.
#[test]
fn what_a_user_planted_is_refused_by_its_kind() {
    skip_unless_root!();
    let user = User::new();
    let sandbox = Sandbox::new();
    let own = directory_of(&sandbox, "own", &user);
    let precious = sandbox.write("precious", "precious\n");
    let other = sandbox.write("other", "precious\n");
    let [link, up, fifo, hard, dir] =
        ["link", "up", "fifo", "hard", "dir"].map(|name| own.join(name));
    symlink(&precious, &link).expect("a symlink can be made");
    symlink(sandbox.dir(), &up).expect("a symlink can be made");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO can be made");
    chown(&fifo, Some(user.uid), Some(user.gid)).expect("root can give files away");
    fs::hard_link(&precious, &hard).expect("a hard link can be made");
    fs::create_dir(&dir).expect("a directory can be made");
    let cases = [
        ("link", link, "symlink"),
        ("up", up.join("other"), "ermission"),
        ("fifo", fifo, "FIFO"),
        ("hard", hard, "hard"),
        ("dir", dir, "directory"),
    ];
    let mut programs = json!({});
    for (name, path, _) in &cases {
        let cmd = sandbox.puppet(name, &["--write-out", "planted\\n"]);
        programs[name] =
            json!({"cmd": cmd, "user": user.name, "starttime": "50ms", "stdout": path});
    }
    let daemon = Daemon::start(sandbox, programs);
    for (name, path, _) in &cases {
        daemon.sandbox().ledger(name).wait("ready", 1, SOON);
        daemon.wait_state(name, State::Running);
        daemon.wait_log(&[&format!("output of {name} "), &path.display().to_string()]);
    }
    for (name, path, word) in &cases {
        let line = daemon.wait_log(&[&format!("output of {name} "), &path.display().to_string()]);
        let told = line.to_lowercase().contains(&word.to_lowercase());
        let owner = *name == "hard" && line.contains("belongs to uid 0");
        assert!(told || owner, "{line}");
    }
    for file in [precious, other] {
        assert_eq!(fs::read(&file).expect("a file"), b"precious\n");
    }
}

// The classic: the log is good at first, then the user swaps it for a link to a file of root's and waits for the
// next rotation.
#[test]
fn a_log_swapped_for_a_link_is_not_followed_at_a_reopening() {
    skip_unless_root!();
    let user = User::new();
    let sandbox = Sandbox::new();
    let own = directory_of(&sandbox, "own", &user);
    let precious = sandbox.write("precious", "precious\n");
    let log = own.join("p.out");
    let cmd = sandbox.puppet("p", &["--tick", "20ms"]);
    let keys =
        json!({"cmd": cmd, "user": user.name, "starttime": "50ms", "stdout": log, "tty": "none"});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    let pid = daemon.wait_state("p", State::Running).pid;
    eventually("a first line", SOON, || {
        check(fs::metadata(&log).is_ok_and(|log| log.len() > 0), || {
            "none".into()
        })
    });
    fs::remove_file(&log).expect("a log can be removed");
    symlink(&precious, &log).expect("a symlink can be made");
    daemon.signal(nix::sys::signal::Signal::SIGUSR2);
    daemon.wait_log(&["p.out", "symlink"]);
    fs::remove_file(&log).expect("a link can be removed");
    daemon.signal(nix::sys::signal::Signal::SIGUSR2);
    eventually("a line in a new log", SOON, || {
        let found = fs::symlink_metadata(&log).map_err(|error| error.to_string())?;
        check(found.is_file() && found.len() > 0, || format!("{found:?}"))
    });
    assert_eq!(fs::read(&precious).expect("a file"), b"precious\n");
    assert_eq!(daemon.status("p").pid, pid);
}

// The event log of a root daemon is written by root: the daemon does not start with one that a user could have led
// elsewhere, and says what and why.
#[test]
fn an_event_log_that_a_user_could_lead_elsewhere_ends_the_start() {
    skip_unless_root!();
    let user = User::new();
    let sandbox = Sandbox::new();
    let own = directory_of(&sandbox, "own", &user);
    let open = sandbox.open_dir("open");
    let precious = sandbox.write("precious", "precious\n");
    let [link, fifo, hard, up] = ["link", "fifo", "hard", "up"].map(|name| sandbox.path(name));
    symlink(&precious, &link).expect("a symlink can be made");
    symlink(&own, &up).expect("a symlink can be made");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO can be made");
    fs::hard_link(&precious, &hard).expect("a hard link can be made");
    let [own_cure, open_cure] = [("chown root", &own), ("chmod go-w", &open)]
        .map(|(cure, dir)| format!("{cure} {}", dir.display()));
    let cases = [
        (own.join("tm.log"), &own_cure),
        (up.join("tm.log"), &own_cure),
        (open.join("tm.log"), &open_cure),
        (link, &"symlink".into()),
        (fifo, &"FIFO".into()),
        (hard, &"hard links".into()),
    ];
    for (path, words) in cases {
        let text = json!({"socket": sandbox.path("sock"), "log": path, "programs": {}});
        let file = sandbox.write("tm.yaml", text.to_string());
        let mut command = Command::new(bins::taskmasterd());
        let output = command.arg("-c").arg(file).output();
        let output = output.expect("taskmasterd starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        let begin = format!("the event log cannot be opened: {}: ", path.display());
        let told = said.contains(&begin) && said.contains(words.as_str());
        assert!(told && said.contains("name another path"), "{said}");
    }
    assert_eq!(fs::read(&precious).expect("a file"), b"precious\n");
    assert!(!own.join("tm.log").exists() && !open.join("tm.log").exists());
}
