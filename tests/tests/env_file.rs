//! Whose rights a program's `env_file` is read with: a daemon of root reads nothing to a user that is not his.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Daemon, SOON, Sandbox, State, User, Value, bins, json, skip_unless_root};
use shared::rpc::RpcError;

fn directory(path: PathBuf, mode: u32) -> PathBuf {
    fs::create_dir(&path).expect("a directory can be made");
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode can be set");
    path
}

fn file(path: PathBuf, mode: u32, text: &str) -> PathBuf {
    fs::write(&path, text).expect("a file can be written");
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode can be set");
    path
}

fn give(path: &Path, user: &User) {
    chown(path, Some(user.uid), Some(user.gid)).expect("root can give files away");
}

/// A directory of root's with a secret in it, and one of the user's.
fn directories(sandbox: &Sandbox, user: &User) -> (PathBuf, PathBuf) {
    let roots = directory(sandbox.path("roots"), 0o700);
    file(roots.join("sec.env"), 0o600, "PASSWORD=hunter2\n");
    let his = directory(sandbox.path("his"), 0o755);
    give(&his, user);
    (roots, his)
}

fn programs(sandbox: &Sandbox, user: &User, path: &Path) -> Value {
    let cmd = sandbox.puppet("p", &[]);
    json!({"p": {"cmd": cmd, "starttime": "50ms", "user": user.name, "env_file": path}})
}

/// What `--check` has against this file, run in that directory; nothing if it is good.
fn complaint(sandbox: &Sandbox, user: &User, path: &Path, cwd: &Path) -> Option<String> {
    let config = json!({"programs": programs(sandbox, user, path)});
    let config = sandbox.write("check.yaml", config.to_string());
    let mut command = Command::new(bins::taskmasterd());
    command.arg("--check").arg("-c").arg(config);
    let output = command.current_dir(cwd).output();
    let output = output.expect("taskmasterd starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("hunter2"), "{said}");
    (!output.status.success()).then_some(said)
}

#[track_caller]
fn refused(found: Option<String>, words: &[&str]) {
    let said = found.expect("it is refused");
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
}

#[test]
fn a_users_link_leads_root_to_nothing_he_could_not_read() {
    skip_unless_root!();
    let (sandbox, user) = (Sandbox::new(), User::new());
    let (roots, his) = directories(&sandbox, &user);
    let secret = roots.join("sec.env");
    let path = his.join("app.env");
    symlink(&secret, &path).expect("a symlink can be made");
    let check = |path: &Path| complaint(&sandbox, &user, path, sandbox.dir());
    let (who, dir) = (format!("cannot be opened as {}", user.name), his.display());
    let why = format!("root does not read it for him, because {dir} belongs to");
    refused(
        check(&path),
        &["p.env_file", &who, "permission denied", &why],
    );
    // Root chose the link, and the user the directory it leads through.
    let way = sandbox.path("way.env");
    symlink(&path, &way).expect("a symlink can be made");
    refused(check(&way), &[&who, &why]);
    // He may have moved it there.
    let open = directory(sandbox.path("open"), 0o1777);
    let moved = file(open.join("moved.env"), 0o600, "PASSWORD=hunter2\n");
    let why = format!("others can write {} (mode 1777)", open.display());
    refused(check(&moved), &[&who, &why]);
    refused(check(&his.join("none")), &[&who, "no such file"]);
}

// The daemon's own descriptors and directories are open to it whoever it is to the file system.
#[test]
fn a_users_link_does_not_lead_through_what_the_daemon_has_open() {
    skip_unless_root!();
    let (sandbox, user) = (Sandbox::new(), User::new());
    let (roots, his) = directories(&sandbox, &user);
    let inner = directory(roots.join("inner"), 0o755);
    file(inner.join("sec.env"), 0o644, "PASSWORD=hunter2\n");
    let path = his.join("app.env");
    symlink("/proc/self/cwd/sec.env", &path).expect("a symlink can be made");
    let who = format!("cannot be opened as {}", user.name);
    refused(complaint(&sandbox, &user, &path, &inner), &[&who]);
}

#[test]
fn what_root_alone_chose_is_read_for_anybody_and_his_own_for_the_user() {
    skip_unless_root!();
    let (sandbox, user) = (Sandbox::new(), User::new());
    let (roots, his) = directories(&sandbox, &user);
    let mine = file(his.join("mine.env"), 0o600, "PASSWORD=mine\n");
    give(&mine, &user);
    let link = sandbox.path("link.env");
    symlink(roots.join("sec.env"), &link).expect("a symlink can be made");
    // By one of his groups.
    let shared = file(sandbox.path("shared.env"), 0o640, "PASSWORD=shared\n");
    chown(&shared, Some(54_321), Some(user.more)).expect("root can give files away");
    let check = |path: &Path| complaint(&sandbox, &user, path, sandbox.dir());
    for path in [&link, &mine, &shared] {
        assert_eq!(check(path), None);
    }
    let missing = roots.join("none");
    refused(check(&missing), &["cannot be opened as root: no such file"]);

    let first = programs(&sandbox, &user, &roots.join("sec.env"));
    let daemon = Daemon::start(sandbox, first);
    let password = |starts| {
        let ledger = daemon.sandbox().ledger("p");
        ledger.wait("ready", starts, SOON);
        ledger.all("start")[starts - 1]["env"]["PASSWORD"].clone()
    };
    assert_eq!(password(1), "hunter2");
    daemon.reload(&programs(daemon.sandbox(), &user, &mine));
    assert_eq!(password(2), "mine");
}

// It was good when the daemon started.
#[test]
fn a_link_that_is_put_there_later_is_refused_by_the_reload() {
    skip_unless_root!();
    let (sandbox, user) = (Sandbox::new(), User::new());
    let (roots, his) = directories(&sandbox, &user);
    let path = file(his.join("app.env"), 0o644, "PASSWORD=mine\n");
    give(&path, &user);
    let first = programs(&sandbox, &user, &path);
    let daemon = Daemon::start(sandbox, first);
    let pid = daemon.wait_state("p", State::Running).pid;
    fs::remove_file(&path).expect("a file can be removed");
    symlink(roots.join("sec.env"), &path).expect("a symlink can be made");
    let RpcError { data, .. } = daemon.rpc().reload().expect_err("it is refused");
    let told = format!("{data:?}");
    let who = format!("cannot be opened as {}", user.name);
    assert!(told.contains(&who) && !told.contains("hunter2"), "{told}");
    assert_eq!(daemon.status("p").pid, pid);
}
