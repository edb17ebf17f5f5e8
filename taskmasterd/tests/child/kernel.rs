//! Deaths, signals and memory: what the kernel is asked for without `nix`.

use std::collections::BTreeMap;
use std::io;

use nix::fcntl::OFlag;
use shared::state::Exit;
use taskmasterd::config::model::{Limit, Resource, Tty};
use taskmasterd::sys::{Arena, peek_dead, write_now};

use super::*;

/// Two hundred deaths are one SIGCHLD; each is found, with its own status, also those by a real-time signal.
#[test]
fn every_death_is_seen_with_its_status() {
    let _turn = my_turn();
    let expected: Vec<Exit> = (0..200).map(fate).collect();
    let mut children = BTreeMap::new();
    for &exit in &expected {
        let script = match exit {
            Exit::Code(code) => format!("exit {code}"),
            Exit::Signal { number, .. } => format!("ulimit -c 0; kill -{number} $$"),
        };
        let spawned = start(&launch(&["/bin/sh", "-c", &script], Tty::None)).unwrap();
        children.insert(spawned.child.pid(), (spawned.child, exit));
    }
    for (child, _) in children.values() {
        wait_for(child.as_fd(), PollFlags::POLLIN);
    }
    for _ in &expected {
        let (pid, seen) = peek_dead().unwrap().expect("a dead child");
        assert_eq!(
            peek_dead().unwrap(),
            Some((pid, seen)),
            "the same one until it is reaped"
        );
        let (child, exit) = children.remove(&pid).expect("one of ours, and once");
        assert_eq!(seen, exit);
        assert_eq!(child.reap().unwrap(), exit);
    }
    assert_eq!(peek_dead().unwrap(), None);
}

/// How the `n`th child ends.
fn fate(n: i32) -> Exit {
    let number = match n % 4 {
        0 => return Exit::Code(n),
        1 => libc::SIGKILL,
        2 => libc::SIGTERM,
        _ => 34 + n % 31,
    };
    Exit::Signal {
        number,
        core_dumped: false,
    }
}

/// A living process has no status, and keeps its handle.
#[test]
fn the_living_are_not_reaped() {
    let _turn = my_turn();
    let mut spawned = start(&launch(&["/bin/sleep", "1000"], Tty::None)).unwrap();
    spawned.child = spawned.child.reap().unwrap_err();
    spawned.child.signal(libc::SIGTERM).unwrap();
    wait_for(spawned.child.as_fd(), PollFlags::POLLIN);
    // Dead and not reaped: there is nobody to signal, and nobody else either.
    spawned.child.signal(libc::SIGUSR1).unwrap();
    let exit = finish(spawned).exit;
    assert_eq!(
        exit,
        Exit::Signal {
            number: libc::SIGTERM,
            core_dumped: false
        }
    );
}

/// The group can be signalled in the child's first moment, before it leads one, and in its last, as a zombie.
#[test]
fn a_group_is_reached_at_any_time() {
    let _turn = my_turn();
    for _ in 0..50 {
        let spawned = start(&launch(&["/bin/sleep", "1000"], Tty::Full)).unwrap();
        spawned.child.signal_group(libc::SIGKILL).unwrap();
        let exit = finish(spawned).exit;
        assert_eq!(
            exit,
            Exit::Signal {
                number: libc::SIGKILL,
                core_dumped: false
            }
        );
    }
    // The leader dies; the sleeper in its group holds the pipe, which ends when the group is swept.
    let spawned = start(&launch(
        &["/bin/sh", "-c", "sleep 1000 & exit 3"],
        Tty::None,
    ))
    .unwrap();
    wait_for(spawned.child.as_fd(), PollFlags::POLLIN);
    spawned.child.signal_group(libc::SIGKILL).unwrap();
    assert_eq!(finish(spawned).exit, Exit::Code(3));
}

/// An order can be carried out many times, and costs no descriptor.
#[test]
fn a_thousand_starts_leak_nothing() {
    let _turn = my_turn();
    let order = order(
        &launch(&["/bin/true"], Tty::Full),
        Stderr::Own,
        Window::default(),
    );
    let before = open_fds();
    for _ in 0..300 {
        assert_eq!(finish(spawn(&order).unwrap()).exit, Exit::Code(0));
    }
    assert_eq!(open_fds(), before);
}

/// Rings must cost memory only when written, and nothing at a fork.
#[test]
fn an_arena_is_zeroed_lazy_and_not_inherited() {
    let _turn = my_turn();
    let mut arena = Arena::new(64 << 20).unwrap();
    let start = format!("{:x}-", arena.as_ptr().addr());
    let of_arena = |name: &str| {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let own = maps.split_once(&start).expect("its mapping").1;
        field(own, name).to_owned()
    };
    assert_eq!(of_arena("Rss"), "0 kB");
    assert!(
        of_arena("VmFlags").split(' ').any(|flag| flag == "dc"),
        "do not copy"
    );
    assert!(arena[12345..12445].iter().all(|&byte| byte == 0));
    arena[12345] = 7;
    assert_eq!(arena[12345], 7);
    assert_eq!(arena.len(), 64 << 20);
}

/// Our own standard output may be a pipe that nobody reads; its flags are shared with strangers.
#[test]
fn a_full_pipe_does_not_hold_the_writer() {
    let _turn = my_turn();
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
    let much = vec![b'x'; 1 << 20];
    let mut written = 0;
    let error = loop {
        match write_now(writer.as_fd(), &much) {
            Ok(len) => written += len,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert!(written > 0);
    drop(reader);
    let broken = write_now(writer.as_fd(), b"x").unwrap_err();
    assert_eq!(broken.kind(), io::ErrorKind::BrokenPipe);
}

/// A child within our memory must share nothing else: what it sets for itself is not set for us.
#[test]
fn what_a_child_sets_is_its_own() {
    let _turn = my_turn();
    let us = || {
        // Of this thread: the one that starts tests blocks signals while it does.
        let read =
            |name: &str| std::fs::read_to_string(format!("/proc/thread-self/{name}")).unwrap();
        let status = read("status");
        let of_status = [
            "Umask",
            "SigBlk",
            "SigIgn",
            "SigCgt",
            "NoNewPrivs",
            "Uid",
            "Groups",
        ];
        let stat = read("stat");
        let (_, stat) = stat.rsplit_once(')').unwrap();
        let stat: Vec<String> = stat.split_whitespace().map(str::to_owned).collect();
        (
            of_status.map(|name| field(&status, name).to_owned()),
            // Its group, session, terminal and nice value.
            [2, 3, 4, 16].map(|at: usize| stat[at].clone()),
            (read("limits"), read("oom_score_adj")),
            std::env::current_dir().unwrap(),
            std::fs::read_link("/proc/self/fd/0").unwrap(),
            open_fds(),
        )
    };
    let mut all = launch(&["/bin/true"], Tty::Full);
    all.umask = 0o077;
    all.nice = Some(19);
    all.no_new_privs = true;
    all.workingdir = Some("/usr".into());
    let limit = Limit {
        soft: Some(16),
        hard: Some(16),
    };
    all.limits.insert(Resource::Nofile, limit);
    let before = us();
    for _ in 0..50 {
        assert_eq!(run(&all).exit, Exit::Code(0));
        all.argv = vec!["/no/such".into()];
        assert!(run(&all).failed.is_some());
        all.argv = vec!["/bin/true".into()];
    }
    assert_eq!(us(), before);
}

/// A call that fails in the child must not touch the word that tells our own calls' errors.
#[test]
fn a_failing_child_leaves_our_errno_alone() {
    let _turn = my_turn();
    let missing = order(
        &launch(&["/no/such"], Tty::None),
        Stderr::Own,
        Window::default(),
    );
    for _ in 0..300 {
        let spawned = spawn(&missing).unwrap();
        nix::errno::Errno::EXDEV.set();
        while !is_dead(&spawned) {}
        assert_eq!(nix::errno::Errno::last(), nix::errno::Errno::EXDEV);
        assert!(finish(spawned).failed.is_some());
    }
}

/// Asks the kernel without a call that could fail.
fn is_dead(spawned: &Spawned) -> bool {
    let mut fds = [PollFd::new(spawned.child.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).unwrap() > 0
}

/// What a child was lent is ours again once it is executed or dead, also when nobody listened until then; a
/// child that is still on its way keeps it.
#[test]
fn a_loan_comes_back_and_not_before() {
    let _turn = my_turn();
    let mappings = || {
        std::fs::read_to_string("/proc/self/maps")
            .unwrap()
            .lines()
            .count()
    };
    for argv in [&["/bin/true"][..], &["/no/such"]] {
        let order = order(&launch(argv, Tty::None), Stderr::Own, Window::default());
        drop(finish(spawn(&order).unwrap()));
        let before = mappings();
        for _ in 0..50 {
            drop(finish(spawn(&order).unwrap()));
            let unheard = spawn(&order).unwrap();
            wait_for(unheard.child.as_fd(), PollFlags::POLLIN);
            drop(unheard.exec_status);
            unheard.child.reap().unwrap();
        }
        assert_eq!(Rc::strong_count(&order), 1);
        assert!(mappings() < before + 10);
    }
}

/// A child that is stopped on its way holds nobody up, and goes on where it was in memory that is still there.
#[test]
fn a_child_stopped_on_its_way_is_waited_for_by_nobody() {
    let _turn = my_turn();
    let order = order(
        &launch(&["/bin/true"], Tty::None),
        Stderr::Own,
        Window::default(),
    );
    let mut held = 0;
    for _ in 0..200 {
        let mut spawned = spawn(&order).unwrap();
        spawned.child.signal(libc::SIGSTOP).unwrap();
        let mut said = [0; 16];
        if spawned.exec_status.read(&mut said).is_err() {
            held += Rc::strong_count(&order) - 1;
            assert_eq!(Rc::strong_count(&order), 2);
        }
        spawned.child.signal(libc::SIGCONT).unwrap();
        assert_eq!(finish(spawned).exit, Exit::Code(0));
        assert_eq!(Rc::strong_count(&order), 1);
    }
    assert!(held > 0, "not one of two hundred was caught on its way");
}

/// A user must not reach the daemon's memory through its own process, nor an `oom_score_adj` the daemon.
#[test]
fn who_becomes_another_gets_a_copy() {
    let _turn = my_turn();
    let loans = |launch: &Launch| {
        let order = order(launch, Stderr::Own, Window::default());
        let spawned = spawn(&order).unwrap();
        let loans = Rc::strong_count(&order) - 1;
        assert_eq!(finish(spawned).failed, None);
        loans
    };
    let plain = launch(&["/bin/true"], Tty::None);
    assert_eq!(loans(&plain), 1);
    let mut adjusted = plain.clone();
    adjusted.oom_score_adj = Some(500);
    assert_eq!(loans(&adjusted), 0);
    if is_root("who_becomes_another_gets_a_copy") {
        let mut other = plain.clone();
        other.user = Some(user(54_321, 54_321, &[]));
        assert_eq!(loans(&other), 0);
    }
}
