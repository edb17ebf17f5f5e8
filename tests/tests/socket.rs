//! The control socket: it lives as long as the daemon, and nobody else's file is ever touched.

use std::fs;
use std::io::{IoSlice, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::{
    Daemon, LATER, NOBODYS_UID, Rpc, SOON, Sandbox, Setup, State, User, Value, bins, eventually,
    json, skip_unless_root, throughout,
};
use nix::sys::signal::Signal;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

fn daemon(sandbox: Sandbox) -> Daemon {
    let cmd = sandbox.puppet("p", &["--brief"]);
    let daemon = Daemon::start(sandbox, json!({"p": {"cmd": cmd, "starttime": "50ms"}}));
    daemon.wait_state("p", State::Running);
    daemon
}

fn wait_answer(daemon: &Daemon) {
    eventually("an answer", SOON, || {
        let mut rpc = Rpc::connect(&daemon.socket()).map_err(|error| error.to_string())?;
        rpc.status();
        Ok::<_, String>(())
    });
}

// Something sweeps /tmp at night. Connections that are there go on, and USR2 brings the socket back.
#[test]
fn a_socket_that_was_removed_comes_back_on_sigusr2() {
    let daemon = daemon(Sandbox::new());
    let pid = daemon.pid("p");
    let mut early = daemon.rpc();
    for _ in 0..3 {
        fs::remove_file(daemon.socket()).expect("a socket can be removed");
        assert_eq!(early.status().processes.len(), 1);
        daemon.signal(Signal::SIGUSR2);
        wait_answer(&daemon);
    }
    assert_eq!(daemon.pid("p"), pid);
    daemon.wait_log(&["made", "sock", "again"]);
}

// Something swept its directory away, and the lock with it.
#[test]
fn a_socket_whose_directory_was_removed_comes_back_on_sigusr2() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("run/taskmaster");
    let setup = Setup {
        args: vec!["-s".into(), dir.join("sock").display().to_string()],
        ..Setup::default()
    };
    sandbox.write(
        "tm.yaml",
        json!({"programs": {}, "log": sandbox.path("tm.log")}).to_string(),
    );
    let daemon = Daemon::launch(sandbox, setup);
    eventually("the socket", SOON, || {
        Rpc::connect(&dir.join("sock")).map(drop)
    });
    fs::remove_dir_all(daemon.sandbox().path("run")).expect("a directory can be removed");
    daemon.signal(Signal::SIGUSR2);
    daemon.wait_log(&["made", "sock", "again"]);
    assert!(dir.join("sock.lock").exists());
    Rpc::connect(&dir.join("sock")).expect("it is listened to");
}

// The same answer to the same question as that of the daemon it is asked for.
#[test]
fn a_check_shows_the_socket_that_the_daemon_would_have() {
    let sandbox = Sandbox::new();
    let named = json!({"socket": "/named/sock", "programs": {}}).to_string();
    let [named, unnamed] = [("named", &*named), ("unnamed", "programs: {}\n")]
        .map(|(name, text)| sandbox.write(name, text));
    let shown = |file: &Path, option: &[&str], variable: &str| {
        let mut command = Command::new(bins::taskmasterd());
        command.arg("--check").arg("-c").arg(file).args(option);
        command.env("TASKMASTER_SOCKET", variable);
        let output = command.output().expect("taskmasterd starts");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.lines().next().unwrap_or_default().to_owned()
    };
    let option = ["-s", "unix:///option/sock"];
    let usual = shared::paths::default_socket(
        nix::unistd::geteuid().as_raw(),
        std::env::var("XDG_RUNTIME_DIR").ok().as_deref(),
    );
    let usual = usual.to_str().expect("UTF-8");
    for (file, option, variable, want) in [
        (&named, &option[..], "/variable/sock", "/option/sock"),
        (&named, &[], "/variable/sock", "/named/sock"),
        (&unnamed, &option, "", "/option/sock"),
        (&unnamed, &[], "/variable/sock", "/variable/sock"),
        (&unnamed, &[], "", usual),
    ] {
        let want = format!("socket: {want}, mode 0600");
        assert_eq!(shown(file, option, variable), want);
    }
}

// As the client takes it, and shows it: one variable is for both.
#[test]
fn a_socket_can_be_named_as_the_client_shows_it() {
    let named = |sandbox: &Sandbox| format!("unix://{}", sandbox.text("sock"));
    for by_option in [false, true] {
        let sandbox = Sandbox::new();
        let setup = match by_option {
            true => Setup {
                args: vec!["-s".into(), named(&sandbox)],
                ..Setup::default()
            },
            false => Setup {
                env: vec![("TASKMASTER_SOCKET".into(), named(&sandbox))],
                ..Setup::default()
            },
        };
        sandbox.write("tm.yaml", "programs: {}\n");
        let mut daemon = Daemon::launch(sandbox, setup);
        daemon.wait_up();
        assert!(!daemon.sandbox().path("unix:").exists());
        daemon.stop();
    }
}

#[test]
fn what_somebody_else_put_in_its_place_is_left_alone() {
    let mut daemon = daemon(Sandbox::new());
    let mut early = daemon.rpc();
    fs::remove_file(daemon.socket()).expect("a socket can be removed");
    daemon.sandbox().write("sock", "precious");
    daemon.signal(Signal::SIGUSR2);
    daemon.wait_log(&["sock", "is no socket"]);
    assert_eq!(daemon.sandbox().read("sock"), b"precious");
    assert_eq!(early.status().processes.len(), 1, "who is in stays in");

    fs::remove_file(daemon.socket()).expect("a file can be removed");
    let foreign = UnixListener::bind(daemon.socket()).expect("a socket can be bound");
    daemon.signal(Signal::SIGUSR2);
    daemon.wait_log(&["sock", "another program listens"]);
    assert!(daemon.socket().exists());

    daemon.stop();
    assert!(daemon.socket().exists(), "a foreign socket was removed");
    drop(foreign);
}

// Descriptors that a client sends along are closed unseen: nobody fills our table with his files.
#[test]
fn descriptors_sent_along_are_not_kept() {
    let daemon = daemon(Sandbox::new());
    let mut rpc = daemon.rpc();
    rpc.status();
    let before = daemon.fds().len();
    let null = fs::File::open("/dev/null").expect("there is a null device");
    let many = [null.as_fd().as_raw_fd(); 253];
    let request = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n";
    let mut answered = 0;
    for _ in 0..20 {
        let stream = rpc.stream().as_raw_fd();
        let rights = [ControlMessage::ScmRights(&many)];
        let bytes = [IoSlice::new(request)];
        if sendmsg::<()>(stream, &bytes, &rights, MsgFlags::MSG_NOSIGNAL, None).is_err() {
            break;
        }
        match rpc.line(SOON) {
            Ok(Some(line)) => {
                assert!(line.contains("result"), "{line}");
                answered += 1;
            }
            Ok(None) => break,
            Err(error) => panic!("{error}"),
        }
    }
    eprintln!("{answered} of 20 requests with 253 descriptors each were answered");
    let kept = || {
        let now = daemon.fds().len();
        harness::check(now <= before, || format!("{now} where there were {before}"))
    };
    throughout("descriptors as before", Duration::from_millis(100), kept);
    assert_eq!(daemon.rpc().status().processes.len(), 1);
}

/// How a daemon with its socket at `path`, run by `before`, ended: its code and what it said. One that comes up
/// is told to shut down.
fn tried(sandbox: &Sandbox, path: &Path, before: &[String]) -> (Option<i32>, String) {
    tried_with(sandbox, &json!({"path": path}), path, before)
}

/// The same, with more said of the socket.
fn tried_with(
    sandbox: &Sandbox,
    socket: &Value,
    path: &Path,
    before: &[String],
) -> (Option<i32>, String) {
    let text = json!({"socket": socket, "programs": {}});
    let file = sandbox.write("tm.yaml", text.to_string());
    let daemon = bins::taskmasterd().display().to_string();
    let words = [before, &[daemon, "-c".into(), file.display().to_string()]].concat();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
    let mut asked = false;
    let status = eventually("the end of a daemon", LATER, || {
        if !asked && let Ok(mut rpc) = Rpc::connect(path) {
            // One that fails behind its socket answers nobody, and ends by itself.
            let request = json!({"jsonrpc": "2.0", "id": 1, "method": "shutdown"});
            asked = rpc.send(format!("{request}\n").as_bytes()).is_ok();
        }
        child.try_wait().ok().flatten().ok_or("it runs")
    });
    let mut said = String::new();
    let stderr = child.stderr.as_mut().expect("a pipe");
    stderr.read_to_string(&mut said).expect("it is text");
    (status.code(), said)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode can be set");
}

// Who can write to a directory above, can put a whole tree of his own in the place of ours.
#[test]
fn a_socket_is_not_made_where_others_lead() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("a/b")).expect("directories can be made");
    let path = sandbox.path("a/b/made/sock");
    for step in ["a", "a/b"] {
        set_mode(&sandbox.path("a"), 0o755);
        set_mode(&sandbox.path("a/b"), 0o755);
        set_mode(&sandbox.path(step), 0o777);
        let (code, said) = tried(&sandbox, &path, &[]);
        assert_eq!(code, Some(1), "{said}");
        let path = path.display();
        let begin = format!("the control socket cannot be {path}: ");
        let cure = format!("chmod go-w {}, or put", sandbox.text(step));
        assert!(said.contains(&begin) && said.contains(&cure), "{said}");
        assert!(!sandbox.path("a/b/made").exists(), "made on the way");
        // As /tmp is: what is ours there nobody else may rename or remove.
        set_mode(&sandbox.path(step), 0o1777);
        let (code, said) = tried(&sandbox, &sandbox.path("a/b/sock"), &[]);
        assert_eq!(code, Some(0), "{said}");
    }
}

// What the kernel says comes with its subject, and as people say it.
#[test]
fn a_socket_that_cannot_be_made_is_told_with_path_and_reason() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("file", "");
    let few = ["prlimit", "--nofile=5:5"].map(str::to_owned);
    fs::create_dir(sandbox.path("taken.lock")).expect("a directory can be made");
    for (path, before, want) in [
        (
            file.join("dir/sock"),
            &[][..],
            format!(
                "cannot make the directory {}/dir: not a directory",
                file.display()
            ),
        ),
        (
            sandbox.path("taken"),
            &[],
            format!("cannot lock {}: is a directory", sandbox.text("taken.lock")),
        ),
        (sandbox.path("sock"), &few, "too many open files".into()),
    ] {
        let (code, said) = tried(&sandbox, &path, before);
        assert_eq!(code, Some(1), "{said}");
        let line = said.trim_end();
        assert!(
            line.starts_with("taskmasterd: cannot ") && line.ends_with(&want),
            "{said}"
        );
        assert!(!said.contains("os error"), "{said}");
    }
}

#[test]
fn the_path_of_a_socket_is_as_long_as_the_kernel_takes() {
    let sandbox = Sandbox::new();
    let most = 107;
    let path = |len: usize| {
        let rest = len - sandbox.dir().as_os_str().len() - 1;
        sandbox.path(&"s".repeat(rest))
    };
    assert_eq!(tried(&sandbox, &path(most), &[]).0, Some(0));
    let (code, said) = tried(&sandbox, &path(most + 1), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.ends_with("a path of 108 bytes is too long (107 at most)\n"),
        "{said}"
    );
}

// An ordinary user has his socket in /tmp, in a directory of his there, or at home; in another's home he has not.
#[test]
fn an_ordinary_users_socket_is_in_tmp_or_at_home_and_not_at_anothers() {
    skip_unless_root!();
    let user = User::new();
    let sandbox = Sandbox::new();
    let (tmp, home, others) = (
        sandbox.open_dir("tmp"),
        sandbox.open_dir("home"),
        sandbox.open_dir("others"),
    );
    set_mode(&tmp, 0o1777);
    for (dir, uid) in [(&home, user.uid), (&others, NOBODYS_UID)] {
        set_mode(dir, 0o755);
        chown(dir, Some(uid), None).expect("root can give files away");
    }
    let before = ["setpriv", "--clear-groups"].map(str::to_owned);
    let ids = [
        format!("--reuid={}", user.uid),
        format!("--regid={}", user.gid),
    ];
    let before = [&before[..], &ids].concat();
    for path in [
        tmp.join("sock"),
        tmp.join("dir/sock"),
        home.join("run/tm/sock"),
    ] {
        let (code, said) = tried(&sandbox, &path, &before);
        assert_eq!(code, Some(0), "{said}");
    }
    let inner = others.join("his");
    fs::create_dir(&inner).expect("a directory can be made");
    chown(&inner, Some(user.uid), None).expect("root can give files away");
    for before in [&before[..], &[]] {
        let (code, said) = tried(&sandbox, &inner.join("sock"), before);
        assert_eq!(code, Some(1), "{said}");
        let words = format!("{} belongs to uid {NOBODYS_UID}, who", others.display());
        assert!(said.contains(&words), "{said}");
    }
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory can be read");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

// A start that fails leaves what it found.
#[test]
fn a_daemon_that_cannot_have_its_socket_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("dir");
    fs::create_dir(&dir).expect("a directory can be made");
    for name in ["sock".repeat(27), "sock".repeat(60)] {
        let (code, said) = tried(&sandbox, &dir.join(name), &[]);
        assert_eq!(code, Some(1), "{said}");
        assert_eq!(names_in(&dir), Vec::<String>::new(), "{said}");
    }
    fs::write(dir.join("file"), "precious").expect("a file can be written");
    let (code, said) = tried(&sandbox, &dir.join("file"), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(names_in(&dir), ["file"], "{said}");
}

#[test]
fn a_socket_that_cannot_be_given_to_its_owner_is_not_left_behind() {
    skip_unless_root!();
    let user = User::new();
    let sandbox = Sandbox::new();
    let dir = sandbox.path("dir");
    fs::create_dir(&dir).expect("a directory can be made");
    chown(&dir, Some(user.uid), None).expect("root can give files away");
    let before = ["setpriv", "--clear-groups"].map(str::to_owned);
    let ids = [
        format!("--reuid={}", user.uid),
        format!("--regid={}", user.gid),
    ];
    let before = [&before[..], &ids].concat();
    let path = dir.join("sock");
    let socket = json!({"path": path, "owner": "root"});
    let (code, said) = tried_with(&sandbox, &socket, &path, &before);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(names_in(&dir), Vec::<String>::new(), "{said}");
}

// Its file is beside the socket, and like the socket it may have been replaced.
#[test]
fn a_lock_that_somebody_else_put_there_is_left_alone() {
    let mut daemon = daemon(Sandbox::new());
    fs::remove_file(daemon.sandbox().path("sock.lock")).expect("a lock can be removed");
    daemon.sandbox().write("sock.lock", "precious");
    daemon.stop();
    assert_eq!(daemon.sandbox().read("sock.lock"), b"precious");
    assert!(!daemon.socket().exists());
}
