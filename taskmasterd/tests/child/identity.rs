//! Exactly the target's identity, or no program at all.

use taskmasterd::config::model::Tty;
use taskmasterd::sys::as_filesystem_user;

use super::*;

/// Ids that need no entry in any database; none, one, some and more groups than a 16-entry buffer holds.
#[test]
fn a_child_is_its_user_and_nobody_else() {
    let _turn = my_turn();
    if !is_root("a_child_is_its_user_and_nobody_else") {
        return;
    }
    let forty: Vec<u32> = (60_000..60_040).collect();
    for groups in [&[][..], &[54_322], &[7, 54_322, 60_000], &forty] {
        for tty in [Tty::Full, Tty::None] {
            let mut cat = launch(&["/bin/cat", "/proc/self/status"], tty);
            cat.user = Some(user(54_321, 54_322, groups));
            let status = run(&cat).out;
            let ids = |name| field(&status, name).split_whitespace().collect::<Vec<_>>();
            assert_eq!(ids("Uid"), ["54321"; 4]);
            assert_eq!(ids("Gid"), ["54322"; 4]);
            let expected: Vec<String> = groups.iter().map(u32::to_string).collect();
            assert_eq!(ids("Groups"), expected);
            for capabilities in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                assert_eq!(field(&status, capabilities), "0000000000000000");
            }
        }
    }
}

/// The way back must be closed to the program too, not only to us.
#[test]
fn a_child_cannot_be_root_again() {
    let _turn = my_turn();
    if !is_root("a_child_cannot_be_root_again") {
        return;
    }
    let Some(python) = ["/usr/bin/python3", "/usr/local/bin/python3"]
        .into_iter()
        .find(|path| std::path::Path::new(path).exists())
    else {
        eprintln!("a_child_cannot_be_root_again: SKIPPED, needs python3");
        return;
    };
    let script =
        "import os\ntry: os.setuid(0); print('root')\nexcept PermissionError: print('refused')";
    let mut probe = launch(&[python, "-c", script], Tty::None);
    probe.user = Some(user(54_321, 54_321, &[54_321]));
    assert_eq!(run(&probe).out, "refused\n");
}

/// Otherwise `> /dev/stdout` is refused to a program that runs as another user.
#[test]
fn a_terminal_belongs_to_its_user() {
    let _turn = my_turn();
    if !is_root("a_terminal_belongs_to_its_user") {
        return;
    }
    let script = "stat -L -c '%u %a' /dev/stdin && echo again > /dev/tty";
    let mut sh = launch(&["/bin/sh", "-c", script], Tty::Full);
    sh.user = Some(user(54_321, 54_322, &[54_322]));
    assert_eq!(run(&sh).out, "54321 600\r\nagain\r\n");
}

/// A user's own daemon may name the user in the configuration.
#[test]
fn being_oneself_needs_no_right() {
    let _turn = my_turn();
    let (uid, gid) = (
        nix::unistd::geteuid().as_raw(),
        nix::unistd::getegid().as_raw(),
    );
    let mut id = launch(&["id", "-u"], Tty::None);
    id.user = Some(user(uid, gid, &[gid]));
    assert_eq!(run(&id).out, format!("{uid}\n"));
}

/// Root must see files as the user sees them, and be root again even after a panic.
#[test]
fn a_filesystem_user_is_one_for_a_moment() {
    let _turn = my_turn();
    if !is_root("a_filesystem_user_is_one_for_a_moment") {
        return;
    }
    let status = || std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let who = |status: &str| {
        ["Uid", "Gid", "Groups", "CapEff"].map(|name| field(status, name).to_owned())
    };
    let before = who(&status());
    let other = user(54_321, 54_322, &[7, 54_322]);
    let [uid, gid, groups, _] = who(&as_filesystem_user(&other, || Ok(status())).unwrap());
    assert_eq!(
        (uid.as_str(), gid.as_str()),
        ("0\t0\t0\t54321", "0\t0\t0\t54322")
    );
    assert_eq!(groups, "7 54322");
    assert_eq!(who(&status()), before);
    let shadow = as_filesystem_user(&other, || std::fs::File::open("/etc/shadow"));
    assert_eq!(errno(&shadow.unwrap_err()), Some(libc::EACCES));
    let panicked =
        std::panic::catch_unwind(|| as_filesystem_user::<()>(&other, || panic!("on purpose")));
    assert!(panicked.is_err());
    assert_eq!(who(&status()), before);
}
