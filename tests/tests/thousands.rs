//! As many programs as a configuration may have: nothing is lost among them, and they do not cost the earth.

use std::fmt::Write;
use std::process::Command;

use harness::daemon::config_text;
use harness::{Daemon, LATER, Sandbox, Setup, State, bins, check, eventually};

const PROGRAMS: usize = 10_000;
const AUTOSTARTED: usize = 200;
/// What the daemon may need for them, in KiB; a debug build is not lean.
const RSS_KIB_MAX: u64 = 192 * 1024;

fn text(sandbox: &Sandbox) -> String {
    let mut programs = "programs:\n".to_owned();
    for number in 0..PROGRAMS {
        let autostart = number < AUTOSTARTED;
        writeln!(
            programs,
            "  p{number:05}: {{cmd: sleep 100000, autostart: {autostart}, starttime: 0, tty: none}}"
        )
        .expect("memory");
    }
    config_text(sandbox.dir(), &programs)
}

#[test]
fn ten_thousand_programs_are_checked_run_shown_and_reloaded() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("tm.yaml", text(&sandbox));
    let mut command = Command::new(bins::taskmasterd());
    command.arg("--check").arg("-c").arg(&file);
    let output = command.output().expect("taskmasterd starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(
        said.lines().filter(|line| line.starts_with("p0")).count(),
        PROGRAMS
    );

    let daemon = Daemon::launch(sandbox, Setup::default());
    eventually("an answer", LATER, || {
        harness::Rpc::connect(&daemon.socket()).map(|mut rpc| rpc.status())
    });
    let running = || {
        let processes = daemon.rpc().status().processes;
        assert_eq!(processes.len(), PROGRAMS);
        let running = processes
            .into_iter()
            .filter(|process| process.state == State::Running);
        running
            .map(|process| (process.name, process.pid))
            .collect::<Vec<_>>()
    };
    let before = eventually("two hundred that run", LATER, || {
        let running = running();
        check(running.len() == AUTOSTARTED, || {
            format!("{}", running.len())
        })
        .map(|()| running)
    });
    let rss = daemon.rss_kib();
    assert!(rss <= RSS_KIB_MAX, "{rss} KiB");
    for _ in 0..2 {
        let reloaded = daemon.rpc().reload().expect("the file is good");
        assert!(reloaded.applied && reloaded.plan.programs.is_empty());
        assert_eq!(running(), before);
    }
    let rss = daemon.rss_kib();
    assert!(rss <= RSS_KIB_MAX, "{rss} KiB after reloads");
    let said = daemon.ctl().run(&["status", "p09999"]);
    assert!(said.out.contains("STOPPED"), "{said:?}");
}
