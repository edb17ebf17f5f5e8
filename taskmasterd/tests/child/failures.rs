//! A start that fails says where and why, and leaves nothing behind.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use shared::state::Exit;
use taskmasterd::child::{Stage, failure};
use taskmasterd::config::model::{Limit, Resource, Tty};

use super::*;

/// A directory that is gone with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("child-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> String {
        let path: &Path = &self.0.join(name);
        let mut file = File::create(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.set_permissions(Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().into()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What is shown of a launch that fails in the child.
fn shown(launch: &Launch) -> (Stage, i32, String) {
    let told = run(launch);
    assert_eq!(told.exit, Exit::Code(127));
    assert_eq!((told.out.as_str(), told.err.as_str()), ("", ""));
    let (stage, errno) = told.failed.expect("a failure");
    (stage, errno, failure(stage, errno, launch).reason)
}

/// The words are supervisor's, which scripts look for.
#[test]
fn every_way_not_to_be_executed_has_its_words() {
    let _turn = my_turn();
    let scratch = Scratch::new("exec");
    let fails = |command: &str, stage, errno, reason: &str| {
        let reason = reason
            .replace("'X'", &format!("'{command}'"))
            .replace(" X:", &format!(" {command}:"));
        for tty in [Tty::Full, Tty::None] {
            assert_eq!(
                shown(&launch(&[command], tty)),
                (stage, errno, reason.clone())
            );
        }
    };
    fails(
        "/no/such",
        Stage::Exec,
        libc::ENOENT,
        "can't find command 'X'",
    );
    fails(
        "no-such-command",
        Stage::Exec,
        libc::ENOENT,
        "can't find command 'X'",
    );
    fails("", Stage::Exec, libc::ENOENT, "can't find command 'X'");
    fails(
        "/usr",
        Stage::Exec,
        libc::EISDIR,
        "command at 'X' is a directory",
    );
    let plain = scratch.file("plain", "#!/bin/sh\n", 0o644);
    fails(
        &plain,
        Stage::Exec,
        libc::EACCES,
        "command at 'X' is not executable",
    );
    let odd = scratch.file("odd", "#!/no/such/interpreter\n", 0o755);
    fails(
        &odd,
        Stage::Interpreter,
        libc::ENOENT,
        "couldn't exec X: ENOENT",
    );
    let text = scratch.file("text", "exit 0\n", 0o755);
    fails(
        &text,
        Stage::Exec,
        libc::ENOEXEC,
        "couldn't exec X: ENOEXEC",
    );
}

/// The program's own PATH counts, and a file in it that cannot be executed does not end the search.
#[test]
fn a_command_is_looked_for_in_the_programs_path() {
    let _turn = my_turn();
    let scratch = Scratch::new("path");
    let other = Scratch::new("path2");
    scratch.file("probe", "#!/bin/sh\n", 0o644);
    other.file("probe", "#!/bin/sh\necho \"$0\"\n", 0o755);
    let mut probe = launch(&["probe"], Tty::None);
    let path = format!("/no/such:{}:{}", scratch.0.display(), other.0.display());
    probe.env.insert("PATH".into(), path);
    assert_eq!(run(&probe).out, format!("{}/probe\n", other.0.display()));
    probe
        .env
        .insert("PATH".into(), format!("/no/such:{}", scratch.0.display()));
    assert_eq!(shown(&probe).2, "command at 'probe' is not executable");
}

/// As in a shell, whose `cd` comes first.
#[test]
fn a_relative_command_starts_from_the_programs_directory() {
    let _turn = my_turn();
    let scratch = Scratch::new("relative");
    scratch.file("probe", "#!/bin/sh\necho \"$0\"\n", 0o755);
    let mut probe = launch(&["./probe"], Tty::None);
    probe.workingdir = Some(scratch.0.clone());
    assert_eq!(run(&probe).out, "./probe\n");
    probe.argv = vec!["probe".into()];
    for path in [".", "", "/no/such:"] {
        probe.env.insert("PATH".into(), path.into());
        assert!(run(&probe).out.ends_with("probe\n"), "PATH={path}");
    }
    // One where the daemon is does not count.
    assert!(Path::new("./Cargo.toml").exists());
    probe.argv = vec!["./Cargo.toml".into()];
    assert_eq!(shown(&probe).1, libc::ENOENT);
    let detail = failure(Stage::Exec, libc::ENOENT, &probe).detail;
    let from = format!("; it starts from {}", scratch.0.display());
    assert!(detail.ends_with(&from), "{detail}");
}

#[test]
fn a_missing_directory_is_named() {
    let _turn = my_turn();
    let mut sh = launch(&["/bin/true"], Tty::Split);
    sh.workingdir = Some("/no/such".into());
    let reason = "couldn't chdir to /no/such: ENOENT".to_owned();
    assert_eq!(shown(&sh), (Stage::Chdir, libc::ENOENT, reason));
}

/// A hard limit of descriptors above the kernel's own is refused even to root.
#[test]
fn an_impossible_limit_is_told() {
    let _turn = my_turn();
    let mut sh = launch(&["/bin/true"], Tty::None);
    let unlimited = Limit {
        soft: None,
        hard: None,
    };
    sh.limits.insert(Resource::Nofile, unlimited);
    let reason = "couldn't set limits.nofile to unlimited: EPERM".to_owned();
    assert_eq!(shown(&sh), (Stage::Setrlimit, libc::EPERM, reason));
    let detail = failure(Stage::Setrlimit, libc::EPERM, &sh).detail;
    let start =
        "cannot set limits.nofile to unlimited: Operation not permitted (EPERM); above the ";
    assert!(detail.starts_with(start), "{detail}");
}

/// Root is exempt from nproc until it has become the user: then exec fails, not fork.
#[test]
fn too_many_processes_of_a_user_is_an_exec_failure() {
    let _turn = my_turn();
    if !is_root("too_many_processes_of_a_user_is_an_exec_failure") {
        return;
    }
    let mut sleeper = launch(&["/bin/sleep", "1000"], Tty::None);
    sleeper.user = Some(user(54_321, 54_321, &[54_321]));
    let first = start(&sleeper).unwrap();
    let mut second = sleeper.clone();
    let limit = Limit {
        soft: Some(0),
        hard: Some(0),
    };
    second.limits.insert(Resource::Nproc, limit);
    // The kernel compares before it counts the newcomer, and the first counts once it is that user.
    wait_for(first.exec_status.as_fd(), PollFlags::POLLIN);
    let (stage, errno, reason) = shown(&second);
    assert_eq!((stage, errno), (Stage::Exec, libc::EAGAIN));
    assert_eq!(reason, "couldn't exec /bin/sleep: EAGAIN");
    assert!(failure(stage, errno, &second).detail.contains("nproc"));
    first.child.signal(libc::SIGKILL).unwrap();
    finish(first);
}

/// Who is not root cannot become anybody; who is root and has no such right is told the same way.
#[test]
fn an_ordinary_user_cannot_become_another() {
    let _turn = my_turn();
    if nix::unistd::geteuid().is_root() {
        eprintln!("an_ordinary_user_cannot_become_another: SKIPPED, needs an ordinary user");
        return;
    }
    let mut sh = launch(&["/bin/true"], Tty::Full);
    sh.user = Some(user(54_321, 54_321, &[54_321]));
    let reason = "couldn't setuid to 54321: EPERM".to_owned();
    assert_eq!(shown(&sh), (Stage::Groups, libc::EPERM, reason));
}

/// What runs out in the daemon keeps its errno, by which the core knows that it is worth waiting.
#[test]
fn no_descriptors_is_told_with_its_errno() {
    let _turn = my_turn();
    let kind = nix::sys::resource::Resource::RLIMIT_NOFILE;
    let (soft, hard) = nix::sys::resource::getrlimit(kind).unwrap();
    let orders = [Tty::Full, Tty::Split, Tty::None]
        .map(|tty| order(&launch(&["/bin/true"], tty), Stderr::Own, Window::default()));
    let before = open_fds();
    // The highest descriptor now open is below this by little.
    for room in 0..6 {
        nix::sys::resource::setrlimit(kind, before as u64 - 1 + room, hard).unwrap();
        for order in &orders {
            match spawn(order) {
                Ok(spawned) => assert_eq!(finish(spawned).exit, Exit::Code(0)),
                Err((stage, errno)) => assert_eq!(errno, libc::EMFILE, "{stage:?}"),
            }
        }
    }
    nix::sys::resource::setrlimit(kind, soft, hard).unwrap();
    assert_eq!(open_fds(), before);
}

/// A program that can never start is tried again and again, for months.
#[test]
fn failures_leave_no_zombie_and_no_descriptor() {
    let _turn = my_turn();
    let before = open_fds();
    for tty in [Tty::Full, Tty::Split, Tty::None] {
        for _ in 0..50 {
            shown(&launch(&["/no/such"], tty));
        }
    }
    assert_eq!(open_fds(), before);
    assert_eq!(taskmasterd::sys::peek_dead().unwrap(), None);
}

/// No environment and no command line can hold a zero byte.
#[test]
fn a_zero_byte_is_refused_before_the_fork() {
    let _turn = my_turn();
    let bad = launch(&["/bin/true", "a\0b"], Tty::None);
    let refused = Order::new(
        &bad,
        &process(),
        Stderr::Own,
        Window::default(),
        &heritage(),
    );
    assert_eq!(refused.unwrap_err().errno, libc::EINVAL);
}
