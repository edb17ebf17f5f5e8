//! Reloads: what did not change is not touched, what is wrong changes nothing, and a storm does no harm.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use harness::{
    Daemon, SOON, Sandbox, State, Value, Verdict, check, eventually, json, only, pause, throughout,
};
use nix::sys::signal::Signal;
use shared::api::Change;

fn program(sandbox: &Sandbox, name: &str, keys: &Value) -> Value {
    let mut program = json!({"cmd": sandbox.puppet(name, &[]), "starttime": "50ms"});
    for (key, value) in keys.as_object().into_iter().flatten() {
        program[key] = value.clone();
    }
    program
}

fn pids(daemon: &Daemon) -> BTreeMap<String, Option<i32>> {
    let processes = daemon.rpc().status().processes;
    processes
        .into_iter()
        .map(|process| (process.name, process.pid))
        .collect()
}

fn wait_all_running(daemon: &Daemon) {
    eventually("everything to run", SOON, || {
        let processes = daemon.rpc().status().processes;
        let up = processes
            .iter()
            .all(|process| process.state == State::Running);
        check(up, || format!("{processes:?}"))
    });
}

// The subject's own example of a reload: HUP, and what did not change keeps its pid.
#[test]
fn what_did_not_change_keeps_its_process() {
    let sandbox = Sandbox::new();
    let keep = program(&sandbox, "keep", &json!({"numprocs": 2}));
    let old = program(&sandbox, "old", &json!({}));
    let change = program(&sandbox, "change", &json!({}));
    let daemon = Daemon::start(sandbox, json!({"keep": keep, "old": old, "change": change}));
    wait_all_running(&daemon);
    let ledger = daemon.sandbox().ledger("change");
    ledger.wait("start", 1, SOON);
    let before = pids(&daemon);
    let new = program(daemon.sandbox(), "new", &json!({}));
    let changed = program(daemon.sandbox(), "change", &json!({"env": {"A": 1}}));
    daemon.write_config(&json!({"keep": keep, "change": changed, "new": new}));
    let line = daemon.hup();
    assert!(
        line.contains("reloaded") && line.contains("added new"),
        "{line}"
    );
    daemon.wait_state("new", State::Running);
    daemon.wait_status("change", "running anew", |status| {
        status.state == State::Running && status.pid != before["change"]
    });
    let after = pids(&daemon);
    for name in ["keep:0", "keep:1"] {
        assert_eq!(before[name], after[name], "{name}");
    }
    assert!(!after.contains_key("old"), "{after:?}");
    assert_eq!(ledger.wait("start", 2, SOON)[1]["env"]["A"], "1");
}

#[test]
fn a_reload_of_the_same_file_changes_nothing() {
    let sandbox = Sandbox::new();
    let keys = json!({"exitcodes": [0, 2], "env": {"B": 2, "A": 1}, "stopsignal": "INT"});
    let p = program(&sandbox, "p", &keys);
    let daemon = Daemon::start(sandbox, json!({"p": p}));
    wait_all_running(&daemon);
    let before = pids(&daemon);
    let reloaded = daemon.reload(&json!({"p": p}));
    assert!(
        reloaded.applied && reloaded.plan.programs.is_empty(),
        "{reloaded:?}"
    );
    // The same meaning in other words is no change either.
    let mut reworded = p.clone();
    reworded["stopsignal"] = json!("SIGINT");
    reworded["env"] = json!({"A": "1", "B": "2"});
    reworded["stoptime"] = json!("10s");
    reworded["autostart"] = json!(true);
    let reloaded = daemon.reload(&json!({"p": reworded}));
    assert!(reloaded.plan.programs.is_empty(), "{reloaded:?}");
    assert_eq!(before, pids(&daemon));
}

// numprocs 4, 6, 2, 4: two more, the four highest less, two more; nobody else is touched.
#[test]
fn numprocs_up_and_down_touches_only_the_difference() {
    let sandbox = Sandbox::new();
    let with = |count: u32| json!({"numprocs": count, "stoptime": 2});
    let p = program(&sandbox, "p", &with(4));
    let daemon = Daemon::start(sandbox, json!({"p": p}));
    wait_all_running(&daemon);
    let mut before = pids(&daemon);
    for count in [6, 2, 4] {
        let p = program(daemon.sandbox(), "p", &with(count));
        daemon.reload(&json!({"p": p}));
        wait_all_running(&daemon);
        let after = pids(&daemon);
        let names: Vec<String> = (0..count).map(|index| format!("p:{index}")).collect();
        assert_eq!(
            after.keys().collect::<Vec<_>>(),
            names.iter().collect::<Vec<_>>()
        );
        for (name, pid) in &before {
            assert!(
                after.get(name).is_none_or(|now| now == pid),
                "{name} was touched"
            );
        }
        before = after;
    }
}

// A key that is live takes effect without a new process.
#[test]
fn live_keys_take_effect_without_a_restart() {
    let sandbox = Sandbox::new();
    let p = program(&sandbox, "p", &json!({}));
    let daemon = Daemon::start(sandbox, json!({"p": p}));
    let pid = daemon.wait_state("p", State::Running).pid;
    let live = json!({
        "autostart": false, "autorestart": "never", "exitcodes": [3], "starttime": "70ms",
        "startretries": 9, "stopsignal": "USR1", "stoptime": "1s", "stopasgroup": true, "sweep": false,
        "stdout": daemon.sandbox().path("p.out"), "priority": 5, "description": "a puppet",
    });
    let changed = program(daemon.sandbox(), "p", &live);
    let reloaded = daemon.reload(&json!({"p": changed}));
    assert_eq!(
        reloaded.plan.programs[0].change,
        Change::Changed,
        "{reloaded:?}"
    );
    let status = daemon.status("p");
    assert_eq!(
        (status.pid, status.description.as_deref()),
        (pid, Some("a puppet"))
    );
    daemon.rpc().stop(&["p"]);
    let heard = daemon.sandbox().ledger("p").wait("signal", 1, SOON);
    assert_eq!(heard[0]["signal"], "SIGUSR1");
}

#[test]
fn keys_of_the_launch_need_a_restart() {
    let keys = [
        json!({"env": {"A": 1}}),
        json!({"umask": "077"}),
        json!({"workingdir": "/"}),
        json!({"tty": "none"}),
        json!({"nice": 3}),
        json!({"limits": {"nofile": 99}}),
        json!({"args": ["--brief"]}),
    ];
    let sandbox = Sandbox::new();
    let p = program(&sandbox, "p", &json!({}));
    let daemon = Daemon::start(sandbox, json!({"p": p}));
    let mut last = daemon.wait_state("p", State::Running).pid;
    for key in keys {
        let changed = program(daemon.sandbox(), "p", &key);
        let reloaded = daemon.reload(&json!({"p": changed}));
        assert_eq!(reloaded.plan.programs[0].change, Change::Restarted, "{key}");
        let status = daemon.wait_status("p", "running anew", |status| {
            status.state == State::Running && status.pid != last
        });
        last = status.pid;
    }
}

// Supervisor starts it again (its issue 214); whoever stopped it by hand had a reason.
// With one terminal for everything there is nothing to write to a file of its own.
#[test]
fn standard_error_has_a_file_once_it_is_apart() {
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("p", &["--write-err", "heard"]);
    let file = sandbox.path("p.err");
    let keys = |tty| json!({"p": {"cmd": cmd, "stderr": file, "tty": tty, "stoptime": 0}});
    let daemon = Daemon::start(sandbox, keys("full"));
    let ledger = daemon.sandbox().ledger("p");
    ledger.wait("wrote", 1, SOON);
    assert!(!file.exists());
    daemon.reload(&keys("split"));
    ledger.wait("wrote", 2, SOON);
    wait_text(&file, "heard");
}

#[track_caller]
fn wait_text(file: &Path, wanted: &str) {
    eventually("what was written", SOON, || {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        check(text == wanted, || text)
    });
}

// The last words of the old go to the old place.
#[test]
fn a_changed_program_writes_to_its_new_file() {
    let sandbox = Sandbox::new();
    let (old, new) = (sandbox.path("old.out"), sandbox.path("new.out"));
    let script = "trap 'echo last; exit' TERM; echo $0; while :; do sleep 0.05; done";
    let keys =
        |word: &str, file: &Path| json!({"p": {"cmd": ["sh", "-c", script, word], "stdout": file}});
    let daemon = Daemon::start(sandbox, keys("one", &old));
    wait_text(&old, "one\n");
    daemon.reload(&keys("two", &new));
    wait_text(&new, "two\n");
    wait_text(&old, "one\nlast\n");
}

#[test]
fn what_was_stopped_by_hand_stays_stopped() {
    let sandbox = Sandbox::new();
    let p = program(&sandbox, "p", &json!({}));
    let daemon = Daemon::start(sandbox, json!({"p": p}));
    daemon.wait_state("p", State::Running);
    let ledger = daemon.sandbox().ledger("p");
    ledger.wait("start", 1, SOON);
    daemon.rpc().stop(&["p"]);
    let changed = program(daemon.sandbox(), "p", &json!({"env": {"A": 1}}));
    daemon.reload(&json!({"p": changed}));
    let stopped = || {
        check(daemon.status("p").state == State::Stopped, || {
            "it started".into()
        })
    };
    throughout("STOPPED", Duration::from_millis(300), stopped);
    assert_eq!(only(&daemon.rpc().start(&["p"])), Verdict::Started);
    assert_eq!(ledger.wait("start", 2, SOON)[1]["env"]["A"], "1");
}

#[test]
fn a_changed_program_that_was_fatal_is_tried_anew() {
    let sandbox = Sandbox::new();
    let bad = json!({"cmd": sandbox.puppet("p", &["--plan", "exit:1"]), "startretries": 0});
    let daemon = Daemon::start(sandbox, json!({"p": bad}));
    daemon.wait_state("p", State::Fatal);
    let good = program(daemon.sandbox(), "p", &json!({}));
    daemon.reload(&json!({"p": good}));
    daemon.wait_state("p", State::Running);
}

#[test]
fn a_dry_run_says_what_would_happen_and_does_nothing() {
    let sandbox = Sandbox::new();
    let p = program(&sandbox, "p", &json!({}));
    let daemon = Daemon::start(sandbox, json!({"p": p}));
    let before = daemon.wait_state("p", State::Running).pid;
    let changed = program(daemon.sandbox(), "p", &json!({"env": {"A": 1}}));
    daemon.write_config(&json!({"p": changed, "q": p}));
    let params = shared::api::ReloadParams {
        dry_run: true,
        allow_empty: false,
    };
    let answer = daemon
        .rpc()
        .call(&shared::api::Call::Reload(params))
        .expect("a plan");
    assert_eq!(answer["applied"], false);
    let changes: Vec<&Value> = (0..2)
        .map(|at| &answer["plan"]["programs"][at]["change"])
        .collect();
    assert_eq!(changes, ["restarted", "added"]);
    assert_eq!(daemon.status("p").pid, before);
    assert_eq!(daemon.rpc().status().processes.len(), 1);
}

/// A reload by command that takes a file without programs.
fn allow_empty(daemon: &Daemon) {
    let params = shared::api::ReloadParams {
        dry_run: false,
        allow_empty: true,
    };
    let call = shared::api::Call::Reload(params);
    daemon.rpc().call(&call).expect("it is meant");
}

// A truncated file must not stop everything; a file that says so may.
#[test]
fn a_file_that_says_nothing_is_refused_unless_it_is_meant() {
    let sandbox = Sandbox::new();
    let p = program(&sandbox, "p", &json!({}));
    let programs = json!({"p": p});
    let daemon = Daemon::start(sandbox, programs.clone());
    let before = daemon.wait_state("p", State::Running).pid;
    let nothing = harness::daemon::config_text(daemon.sandbox().dir(), "");
    for text in ["", "# nothing yet\n", nothing.as_str()] {
        daemon.write_text(text);
        assert!(daemon.hup().contains("refused"), "{text:?}");
        let error = daemon.rpc().reload().expect_err("a refusal");
        assert_eq!(error.code, shared::rpc::code::RELOAD_REFUSED, "{text:?}");
        assert_eq!(daemon.status("p").pid, before);
    }
    for text in ["", "# nothing yet\n", nothing.as_str()] {
        daemon.write_text(text);
        allow_empty(&daemon);
        assert!(daemon.rpc().status().processes.is_empty(), "{text:?}");
        daemon.reload(&programs);
    }
}

#[test]
fn no_programs_in_so_many_words_is_a_statement_and_is_applied() {
    let sandbox = Sandbox::new();
    let p = program(&sandbox, "p", &json!({}));
    let daemon = Daemon::start(sandbox, json!({"p": p}));
    let pid = daemon.wait_state("p", State::Running).pid.expect("a pid");
    daemon.write_config(&json!({}));
    let line = daemon.hup();
    assert!(line.contains("reloaded"), "{line}");
    harness::proc::wait_dead(pid);
    assert!(daemon.rpc().status().processes.is_empty());
}

// 300 signals, a millisecond apart, while the file is good, bad and half-written: one last good one counts.
#[test]
fn a_storm_of_reloads_ends_with_the_last_good_file() {
    let sandbox = Sandbox::new();
    let keep = program(&sandbox, "keep", &json!({}));
    let a = json!({"keep": keep, "a": program(&sandbox, "a", &json!({}))});
    let b = json!({"keep": keep, "b": program(&sandbox, "b", &json!({}))});
    let daemon = Daemon::start(sandbox, a.clone());
    let before = daemon.wait_state("keep", State::Running).pid;
    let rss = daemon.rss_kib();
    for lap in 0..300 {
        match lap % 4 {
            0 => daemon.write_config(&a),
            1 => daemon.write_text("programs: {keep: [\n"),
            2 => daemon.write_config(&b),
            _ => drop(
                daemon
                    .sandbox()
                    .write("tm.yaml", "programs:\n  keep:\n    cm"),
            ),
        }
        daemon.signal(Signal::SIGHUP);
        pause(Duration::from_millis(1));
    }
    daemon.reload(&b);
    daemon.wait_state("b", State::Running);
    let after = pids(&daemon);
    assert_eq!(after.keys().collect::<Vec<_>>(), ["b", "keep"]);
    assert_eq!(after["keep"], before);
    let grown = daemon.rss_kib().saturating_sub(rss);
    assert!(grown <= 4096, "{grown} KiB more");
}

#[test]
fn reloads_at_the_same_time_are_all_answered() {
    let sandbox = Sandbox::new();
    let p = program(&sandbox, "p", &json!({}));
    let daemon = Daemon::start(sandbox, json!({"p": p}));
    let before = daemon.wait_state("p", State::Running).pid;
    let call = shared::api::Call::Reload(shared::api::ReloadParams::default());
    let mut clients: Vec<_> = (0..50).map(|_| daemon.rpc()).collect();
    let asked: Vec<u64> = clients.iter_mut().map(|client| client.ask(&call)).collect();
    for (client, id) in clients.iter_mut().zip(asked) {
        let answer = client.answer(id);
        let busy = answer
            .as_ref()
            .is_err_and(|error| error.code == shared::rpc::code::BUSY);
        assert!(answer.is_ok() || busy, "{answer:?}");
    }
    assert_eq!(daemon.status("p").pid, before);
}
