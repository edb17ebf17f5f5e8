//! The real program against a daemon of cardboard: what each command asks, prints and exits with.

use crate::fake::{self, Fake, process};
use serde_json::json;

#[test]
fn status_shows_columns_and_exits_with_3_if_something_is_down() {
    let daemon = Fake::result(json!({
        "processes": [process("p:0", "RUNNING"), process("q", "STOPPED")],
        "errors": [{"name": "nope", "result": "no_such_group"}],
    }));
    let (text, code) = daemon.run("status p q nope:*");
    assert_eq!(
        text,
        format!(
            "nope: ERROR (no such group)\np:0{0}RUNNING   pid 1234, uptime 0:00:07\n\
             q{0}  STOPPED   Not started\n",
            " ".repeat(30)
        )
    );
    assert_eq!(code, 3);
    assert_eq!(
        daemon.asked()[0]["params"],
        json!({"names": ["p", "q", "nope:*"]})
    );
}

#[test]
fn status_exits_with_0_if_all_is_up_and_4_for_a_bad_name() {
    let up = Fake::result(json!({"processes": [process("p", "STARTING")]}));
    assert_eq!(up.run("status"), (format!("p{:32}STARTING  \n", ""), 0));
    let bad = Fake::result(json!({
        "processes": [], "errors": [{"name": "p:9", "result": "no_such_process"}],
    }));
    assert_eq!(
        bad.run("status p:9"),
        ("p:9: ERROR (no such process)\n".into(), 4)
    );
}

#[test]
fn strays_are_shown_when_asked_for() {
    let daemon = Fake::result(json!({
        "processes": [], "strays": [{"pid": 7, "process": "web:0", "command": "worker\u{1b}[2J"}],
    }));
    assert_eq!(daemon.run("status"), (String::new(), 0));
    let want = format!("web:0{:28}STRAY     pid 7, worker\\x1b[2J\n", "");
    assert_eq!(daemon.run("status --strays"), (want, 0));
    // A lone process has no number, wherever its name is shown.
    let lone = Fake::result(json!({"processes": [process("web", "STOPPED")],
        "strays": [{"pid": 7, "process": "web:0", "command": "worker"}]}));
    let (text, _) = lone.run("status --strays");
    let want = format!("web{:30}STRAY     pid 7, worker\n", "");
    assert_eq!(text.split_once('\n').unwrap().1, want);
}

#[test]
fn outcomes_are_worded_and_coded_as_by_supervisorctl() {
    for (line, verdict, text, code) in [
        ("start p:0", "started", "p:0: started\n", 0),
        (
            "start p:0",
            "already_started",
            "p:0: ERROR (already started)\n",
            0,
        ),
        ("start p:0", "spawn_error", "p:0: ERROR (spawn error)\n", 7),
        (
            "start p:0",
            "not_executable",
            "p:0: ERROR (file is not executable)\n",
            1,
        ),
        (
            "start p:0",
            "no_such_group",
            "p:0: ERROR (no such group)\n",
            2,
        ),
        (
            "restart p:0",
            "no_such_group",
            "p:0: ERROR (no such group)\n",
            2,
        ),
        (
            "stop p:0",
            "no_such_group",
            "p:0: ERROR (no such group)\n",
            1,
        ),
        ("stop p:0", "not_running", "p:0: ERROR (not running)\n", 0),
        ("stop p:0", "superseded", "p:0: ERROR (superseded)\n", 1),
        ("signal HUP p:0", "signalled", "p:0: signalled\n", 0),
        (
            "signal HUP p:0",
            "not_running",
            "p:0: ERROR (not running)\n",
            7,
        ),
        (
            "signal FOO p:0",
            "bad_signal",
            "p:0: ERROR (bad signal name)\n",
            1,
        ),
        ("clear p:0", "cleared", "p:0: cleared\n", 0),
    ] {
        let daemon = Fake::outcomes(&[("p:0", verdict)]);
        assert_eq!(daemon.run(line), (text.into(), code), "{line} {verdict}");
    }
}

#[test]
fn several_names_are_all_done_and_the_last_failure_decides() {
    let daemon = Fake::outcomes(&[("b:0", "started"), ("nope:0", "no_such_process")]);
    let (text, code) = daemon.run("start b:0 nope:0 what:ever");
    assert_eq!(
        text,
        "b:0: started\nnope:0: ERROR (no such process)\nwhat:ever: ERROR (no such process)\n"
    );
    assert_eq!(code, 1);
    // What no process can be called is not asked for.
    assert_eq!(
        daemon.asked()[0]["params"],
        json!({"names": ["b:0", "nope:0"]})
    );
    let strange = daemon.run("stop what:ever");
    assert_eq!(strange, ("what:ever: ERROR (no such process)\n".into(), 1));
    assert_eq!(daemon.asked().len(), 1);
}

#[test]
fn a_restart_prints_the_stop_and_the_start() {
    let daemon = Fake::result(json!({
        "results": [{"name": "p:0", "result": "started", "before": "stopped"}],
    }));
    let want = ("p:0: stopped\np:0: started\n".into(), 0);
    assert_eq!(daemon.run("restart p:0"), want);
    let nothing = Fake::outcomes(&[]);
    assert_eq!(nothing.run("start all"), (String::new(), 0));
}

#[test]
fn without_names_there_is_a_complaint_and_help() {
    let daemon = Fake::result(json!({}));
    let squeezed = |line: &str| {
        let (text, code) = daemon.run(line);
        let lines = text.lines().map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.join(" ")
        });
        (lines.collect::<Vec<String>>(), code)
    };
    assert_eq!(
        squeezed("start"),
        (
            vec![
                "Error: start requires a process name".into(),
                "start <name> Start a process".into(),
                "start <gname>:* Start all processes in a group".into(),
                "start <name> <name> Start multiple processes or groups".into(),
                "start all Start all processes".into(),
            ],
            2
        )
    );
    let (restart, code) = squeezed("restart");
    assert_eq!((restart.len(), code), (6, 1));
    assert!(restart[5].starts_with("Note: restart does not reread config files."));
    assert_eq!(squeezed("stop").0[0], "Error: stop requires a process name");
    assert_eq!(squeezed("stop").1, 1);
    assert_eq!(
        squeezed("shutdown now"),
        (
            vec![
                "Error: shutdown accepts no arguments".into(),
                "shutdown Shut the remote taskmasterd down".into(),
            ],
            1
        )
    );
    assert_eq!(
        squeezed("signal HUP").0[0],
        "Error: signal requires a signal name and a process name"
    );
    assert!(daemon.asked().is_empty());
}

#[test]
fn an_unknown_command_is_named_and_something_near_it_suggested() {
    let daemon = Fake::result(json!({}));
    let want = ("*** Unknown syntax: frobnicate a\n".into(), 1);
    assert_eq!(daemon.run("frobnicate a"), want);
    let output = fake::ctl(&daemon.place).arg("statsu").output().unwrap();
    assert_eq!(output.stderr, b"did you mean \"status\"?\n");
}

#[test]
fn a_reload_prints_what_update_prints() {
    let plan = json!({"programs": [
        {"program": "new", "change": "added"},
        {"program": "old", "change": "removed"},
        {"program": "web", "change": "restarted", "keys": [
            {"key": "cmd", "old": "a", "new": "b", "consequence": "restart"}]},
    ]});
    let applied = Fake::result(json!({"applied": true, "plan": plan}));
    let want = "old: stopped\nold: removed process group\nweb: stopped\n\
                web: updated process group\nnew: added process group\n";
    assert_eq!(applied.run("reload"), (want.into(), 0));
    assert_eq!(applied.run("update --allow-empty"), (want.into(), 0));
    assert_eq!(
        applied.asked()[1]["params"],
        json!({"dry_run": false, "allow_empty": true})
    );
    let dry = Fake::result(json!({"applied": false, "plan": plan}));
    let want = "new: available\nold: disappeared\nweb: changed\n  cmd: a -> b (restart)\n";
    assert_eq!(dry.run("reread"), (want.into(), 0));
    assert_eq!(dry.asked()[0]["params"]["dry_run"], true);
    let plan = json!({"programs": [], "warnings": ["tm.yaml:1:1: odd"]});
    let odd = Fake::result(json!({"applied": true, "plan": plan}));
    let output = fake::ctl(&odd.place).arg("reload").output().unwrap();
    assert_eq!((output.stdout, output.status.code()), (Vec::new(), Some(0)));
    assert_eq!(output.stderr, b"warning: tm.yaml:1:1: odd\n");
    let nothing = Fake::result(json!({"applied": true, "plan": {"programs": []}}));
    assert_eq!(nothing.run("reload"), (String::new(), 0));
    let nothing = Fake::result(json!({"applied": false, "plan": {"programs": []}}));
    let want = ("No config updates to processes\n".into(), 0);
    assert_eq!(nothing.run("reload --dry-run"), want);
}

#[test]
fn a_refused_configuration_is_told_problem_by_problem() {
    let daemon = Fake::answering(json!({"error": {
        "code": 3, "message": "2 problems", "data": ["a.yaml:1:2: one", "a.yaml:3:4: two"],
    }}));
    let want = "ERROR: CANT_REREAD: a.yaml:1:2: one\na.yaml:3:4: two\n";
    assert_eq!(daemon.run("reload"), (want.into(), 1));
    assert_eq!(daemon.run("reread"), (want.into(), 1));
}

// supervisorctl updates single groups; whoever is used to that is told what to do instead.
#[test]
fn a_reload_of_some_programs_is_refused_in_words() {
    let daemon = Fake::result(json!({"applied": true, "plan": {"programs": []}}));
    for (line, verb) in [("update web", "update"), ("reread web", "reread")] {
        let (text, code) = daemon.run(line);
        let want = format!(
            "Error: {verb} takes no names, but \"web\" was given; without one it is about all that changed\n"
        );
        assert!(text.starts_with(&want) && code == 1, "{text}");
        let help = daemon.run(&format!("help {verb}")).0;
        assert!(text.ends_with(&help) && help.starts_with(verb), "{text}");
    }
    assert!(daemon.asked().is_empty());
    assert_eq!(daemon.run("update all"), (String::new(), 0));
}

#[test]
fn pids_are_numbers_and_nothing_else() {
    let daemon = Fake::result(json!({"daemon": 42, "processes": [
        {"name": "a", "pid": 7}, {"name": "b", "pid": 0}]}));
    assert_eq!(daemon.run("pid"), ("42\n".into(), 0));
    assert_eq!(daemon.run("pid all"), ("7\n0\n".into(), 7));
    let unknown = Fake::result(json!({"daemon": 42, "processes": [],
        "errors": [{"name": "x", "result": "no_such_process"}]}));
    assert_eq!(unknown.run("pid x"), ("No such process x\n".into(), 1));
}

#[test]
fn version_avail_and_shutdown_say_what_they_were_told() {
    let version = Fake::result(json!({"version": "1.2.3", "protocol": 1}));
    assert_eq!(version.run("version"), ("1.2.3\n".into(), 0));
    let avail = Fake::result(json!({"processes": [
        {"name": "web:0", "autostart": false, "priority": 5}]}));
    let want = format!("web:0{:27} in use    manual    5:5\n", "");
    assert_eq!(avail.run("avail"), (want, 0));
    let shutdown = Fake::result(json!({"left": 0}));
    assert_eq!(shutdown.run("shutdown"), ("Shut down\n".into(), 0));
    let already = Fake::answering(json!({"error": {"code": 2, "message": "shutting down"}}));
    let want = ("ERROR: already shutting down\n".into(), 1);
    assert_eq!(already.run("shutdown"), want);
    let denied = Fake::answering(json!({"error": {"code": 1, "message": "only root may"}}));
    assert_eq!(denied.run("stop p"), ("ERROR: only root may\n".into(), 4));
}

#[test]
fn tail_prints_the_bytes() {
    let daemon = Fake::result(json!({
        "name": "p", "stream": "stdout", "data": "G1szMW0A/2E=", "more": true,
    }));
    let output = fake::ctl(&daemon.place).args(["tail", "-9", "p"]).output();
    assert_eq!(output.unwrap().stdout, b"\x1b[31m\0\xffa");
    assert_eq!(
        daemon.asked()[0]["params"],
        json!({"name": "p", "stream": "stdout", "bytes": 9, "follow": false})
    );
    let unlogged = Fake::answering(json!({"error": {"code": 5, "message": "kept nowhere"}}));
    let want = ("p: ERROR (no log file)\n".into(), 1);
    assert_eq!(unlogged.run("tail p stderr"), want);
    let unknown = Fake::answering(json!({"error": {"code": 4, "message": "no"}}));
    let want = ("p: ERROR (no such process name)\n".into(), 1);
    assert_eq!(unknown.run("tail p"), want);
    assert!(
        unknown
            .run("tail")
            .0
            .starts_with("Error: too few arguments\n")
    );
}

#[test]
fn what_cannot_be_done_with_one_process_is_worded_as_with_several() {
    for (line, error, text, exit) in [
        ("send p x", 4, "p: ERROR (no such process)\n", 1),
        ("screen p", 4, "p: ERROR (no such process)\n", 1),
        ("attach p", 4, "p: ERROR (no such process)\n", 1),
        ("send p x", 9, "p: ERROR (not running)\n", 7),
        ("send p x", 8, "p: ERROR (no terminal)\n", 1),
        ("screen p", 8, "p: ERROR (no terminal)\n", 1),
        ("send p x", 6, "ERROR: p does not read\n", 1),
    ] {
        let answer = json!({"error": {"code": error, "message": "p does not read"}});
        let daemon = Fake::answering(answer.clone());
        assert_eq!(daemon.run(line), (text.into(), exit), "{line} {error}");
        if !line.starts_with("attach") {
            let (json, code) = daemon.run(&format!("--json {line}"));
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!((json, code), (answer, exit), "{line} {error}");
        }
    }
    // What no process can be called is not asked for.
    let daemon = Fake::result(json!({}));
    for line in ["send a:b x", "screen a:b", "attach a:b"] {
        let want = ("a:b: ERROR (no such process)\n".into(), 1);
        assert_eq!(daemon.run(line), want);
    }
    let (json, code) = daemon.run("--json screen a:b");
    assert!(
        json.starts_with("{\"error\":{\"code\":4,") && code == 1,
        "{json}"
    );
    assert!(daemon.asked().is_empty());
}

#[test]
fn a_screen_is_printed_up_to_its_last_line_with_something_in_it() {
    let mut answer = json!({
        "name": "p", "rows": 5, "cols": 80, "cursor_row": 2, "cursor_col": 0,
        "cursor_visible": true, "alternate": false, "text": ["", "a\u{1b}[2J", "b", "", ""],
    });
    let want = ("\na\\x1b[2J\nb\n".into(), 0);
    assert_eq!(Fake::result(answer.clone()).run("screen p"), want);
    answer["history"] = json!(["above", ""]);
    let daemon = Fake::result(answer.clone());
    let want = ("above\n\n\na\\x1b[2J\nb\n".into(), 0);
    assert_eq!(daemon.run("screen --history 2 p"), want);
    let params = json!({"name": "p", "ansi": false, "history": 2});
    assert_eq!(daemon.asked()[0]["params"], params);
    // "\n\x1b[31ma\x1b[0m\nb\n\n"
    answer["ansi"] = json!("ChtbMzFtYRtbMG0KYgoK");
    let want = ("\n\x1b[31ma\x1b[0m\nb\x1b[m\n".into(), 0);
    assert_eq!(Fake::result(answer.clone()).run("screen --ansi p"), want);
    answer["incomplete"] = json!(true);
    let daemon = Fake::result(answer);
    let output = fake::ctl(&daemon.place)
        .args(["screen", "p"])
        .output()
        .unwrap();
    assert_eq!(
        output.stderr,
        b"p: more was drawn than is followed; this is what the last lines look like\n"
    );
    assert!(output.status.success());
}

#[test]
fn json_is_the_answer_and_the_code_stays() {
    let daemon = Fake::result(json!({"processes": [process("p", "FATAL")], "later": 1}));
    for line in ["--json status", "status --json"] {
        let (text, code) = daemon.run(line);
        assert_eq!(code, 3);
        assert_eq!(text.lines().count(), 1);
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["processes"][0]["state"], "FATAL");
        assert_eq!(answer["later"], 1);
    }
    let refused = Fake::answering(json!({"error": {"code": 3, "message": "m", "data": ["x"]}}));
    let want = "{\"error\":{\"code\":3,\"data\":[\"x\"],\"message\":\"m\"}}\n";
    assert_eq!(refused.run("reload --json"), (want.into(), 1));
    let (text, code) = fake::run(&fake::Place::new(), "status --json");
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["error"]["message"], "unix://SOCK no such file");
    assert_eq!(code, 4);
}
