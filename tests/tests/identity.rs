//! What a child is: whose, with which limits, descriptors, environment and signals - and never anything else.

use std::collections::BTreeSet;

use harness::{
    Daemon, NOBODYS_UID, SOON, Sandbox, Setup, State, User, Value, json, skip_unless_root,
};

/// Starts one puppet with these keys and gives its report.
fn report_of(sandbox: Sandbox, orders: &[&str], keys: Value, setup: Setup) -> (Daemon, Value) {
    let mut program = keys;
    program["cmd"] = sandbox.puppet("p", orders);
    program["starttime"] = json!("50ms");
    let daemon = Daemon::start_with(sandbox, json!({"p": program}), setup);
    daemon.sandbox().ledger("p").wait("ready", 1, SOON);
    let report = daemon.sandbox().ledger("p").all("start").remove(0);
    (daemon, report)
}

fn report(keys: Value) -> (Daemon, Value) {
    report_of(Sandbox::new(), &[], keys, Setup::default())
}

fn groups(report: &Value) -> BTreeSet<u32> {
    let text = report["status"]["Groups"].as_str().expect("groups");
    text.split_whitespace()
        .map(|group| group.parse().expect("a number"))
        .collect()
}

/// The report of a child shows this user and group four times over, no capabilities, and no way back.
#[track_caller]
fn is_entirely(daemon: &Daemon, report: &Value, uid: u32, gid: u32) {
    let four = |id: u32| [id.to_string().as_str(); 4].join("\t");
    assert_eq!(report["status"]["Uid"], four(uid));
    assert_eq!(report["status"]["Gid"], four(gid));
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(report["status"][set], "0000000000000000", "{set}");
    }
    assert_eq!(
        daemon.sandbox().ledger("p").all("setuid_root")[0]["ok"],
        false
    );
}

fn as_user(keys: Value) -> (Daemon, Value) {
    report_of(
        Sandbox::new(),
        &["--try-setuid-root"],
        keys,
        Setup::default(),
    )
}

// The whole point of `user:`: every one of the four ids, the groups of that user and none of root's.
#[test]
fn a_child_is_entirely_the_user_it_runs_as() {
    skip_unless_root!();
    let user = User::new();
    let (daemon, report) = as_user(json!({"user": user.name}));
    is_entirely(&daemon, &report, user.uid, user.gid);
    assert_eq!(groups(&report), BTreeSet::from([user.gid, user.more]));
    assert_eq!(report["env"]["USER"], user.name.as_str());
    assert_eq!(report["env"]["LOGNAME"], user.name.as_str());
    assert_eq!(report["env"]["SHELL"], "/bin/sh");
    assert_eq!(report["tty"]["owner"], user.uid);
    assert_eq!(report["tty"]["mode"], 0o600);
}

#[test]
fn a_number_without_a_name_is_a_user_too() {
    skip_unless_root!();
    let (daemon, report) = as_user(json!({"user": NOBODYS_UID, "group": NOBODYS_UID}));
    is_entirely(&daemon, &report, NOBODYS_UID, NOBODYS_UID);
    assert!(
        groups(&report).is_subset(&BTreeSet::from([NOBODYS_UID])),
        "{:?}",
        groups(&report)
    );
}

#[test]
fn group_and_groups_replace_those_of_the_user() {
    skip_unless_root!();
    let user = User::new();
    let keys = json!({"user": user.name, "group": 60_001, "groups": [60_002, 60_003]});
    let (daemon, report) = as_user(keys);
    is_entirely(&daemon, &report, user.uid, 60_001);
    let groups = groups(&report);
    assert!(
        groups.contains(&60_002) && groups.contains(&60_003),
        "{groups:?}"
    );
    assert!(!groups.contains(&0), "{groups:?}");
}

// A daemon that cannot become the user must say so, and never run the program as itself.
#[test]
fn another_user_without_root_is_refused_at_once() {
    skip_unless_root!();
    let sandbox = Sandbox::new();
    let dir = sandbox.open_dir("own");
    let cmd = sandbox.puppet("p", &[]);
    let config =
        json!({"socket": dir.join("sock"), "programs": {"p": {"cmd": cmd, "user": "root"}}});
    sandbox.write("tm.yaml", config.to_string());
    let uid = NOBODYS_UID.to_string();
    let before = [
        "setpriv",
        "--reuid",
        &uid,
        "--regid",
        &uid,
        "--clear-groups",
    ];
    let before = before.map(str::to_owned).to_vec();
    let mut daemon = Daemon::launch(
        sandbox,
        Setup {
            before,
            ..Setup::default()
        },
    );
    assert_ne!(daemon.wait_exit(SOON).code(), Some(0));
    assert!(daemon.said().contains("user"), "{}", daemon.said());
    assert!(daemon.sandbox().ledger("p").facts().is_empty());
}

// Exactly 0, 1 and 2, none of them non-blocking: what a program written without us in mind expects.
#[test]
fn a_child_has_three_ordinary_descriptors() {
    for tty in ["full", "split", "none"] {
        let (daemon, report) = report(json!({"tty": tty}));
        let fds = report["fds"].as_object().expect("descriptors");
        let numbers: Vec<&String> = fds.keys().collect();
        assert_eq!(numbers, ["0", "1", "2"], "{tty}: {fds:?}");
        assert!(
            fds.values().all(|fd| fd["nonblock"] == false),
            "{tty}: {fds:?}"
        );
        let kinds: Vec<&Value> = fds.values().map(|fd| &fd["kind"]).collect();
        let wanted = match tty {
            "full" => ["tty", "tty", "tty"],
            "split" => ["tty", "tty", "pipe"],
            _ => ["null", "pipe", "pipe"],
        };
        assert_eq!(kinds, wanted, "{tty}");
        assert_eq!(report["sid"], report["pid"], "{tty}: a session of its own");
        drop(daemon);
    }
}

#[test]
fn no_descriptor_leaks_however_many_the_daemon_has() {
    let sandbox = Sandbox::new();
    let mut programs = json!({});
    for index in 0..40 {
        let cmd = sandbox.puppet("others", &["--brief"]);
        programs[format!("o{index}")] = json!({"cmd": cmd, "starttime": "50ms"});
    }
    programs["p"] =
        json!({"cmd": sandbox.puppet("p", &[]), "starttime": "50ms", "autostart": false});
    let daemon = Daemon::start(sandbox, programs);
    daemon.sandbox().ledger("others").wait("ready", 40, SOON);
    let clients: Vec<_> = (0..20).map(|_| daemon.rpc()).collect();
    for _ in 0..20 {
        daemon.rpc().restart(&["p"]);
    }
    drop(clients);
    for report in daemon.sandbox().ledger("p").all("start") {
        let fds = report["fds"].as_object().expect("descriptors");
        assert_eq!(fds.len(), 3, "{fds:?}");
    }
}

#[test]
fn a_terminal_is_controlling_has_a_size_and_does_not_freeze() {
    let (_daemon, report) = report(json!({"tty": "full"}));
    let window: Vec<u64> = serde_json::from_value(report["tty"]["window"].clone()).expect("a size");
    assert!(window[0] > 0 && window[1] > 0, "{window:?}");
    let input = report["tty"]["input"].as_str().expect("modes");
    assert!(
        !input.contains("IXON") && input.contains("IUTF8"),
        "{input}"
    );
    assert_eq!(report["tpgid"], report["pid"]);
    assert_eq!(
        report["env"]["TERM"].as_str().map(str::is_empty),
        Some(false)
    );
}

// A mask or an ignored signal passes through fork and exec; a daemon started by nohup must not pass it on.
#[test]
fn signals_are_as_new_whatever_the_daemon_was_started_with() {
    let before = [
        "bash",
        "-c",
        "trap '' HUP INT TERM USR1 PIPE CHLD; exec \"$@\"",
        "bash",
    ];
    let before = before.map(str::to_owned).to_vec();
    let setup = Setup {
        before,
        ..Setup::default()
    };
    let (_daemon, report) = report_of(Sandbox::new(), &[], json!({}), setup);
    for set in ["SigBlk", "SigIgn", "SigCgt", "SigPnd"] {
        assert_eq!(report["status"][set], "0000000000000000", "{set}");
    }
}

// The kernel tells nobody of a death who ignores that, and keeps no status for him.
#[test]
fn a_daemon_that_was_started_with_deaths_ignored_hears_of_them() {
    // Other shells do not ignore it for what they run.
    let before = ["bash", "-c", "trap '' CHLD; exec \"$@\"", "bash"];
    let setup = Setup {
        before: before.map(str::to_owned).to_vec(),
        ..Setup::default()
    };
    let programs = json!({"p": {"cmd": "sleep 1000", "stdout": "discard"}});
    let mut daemon = Daemon::start_with(Sandbox::new(), programs, setup);
    let pid = daemon.pid("p");
    daemon.rpc().signal("KILL", &["p"]);
    daemon.wait_log(&["p (pid", &pid.to_string(), "SIGKILL"]);
    daemon.wait_log(&["p started with pid"]);
    assert!(daemon.hup().contains("no program changed"));
    daemon.stop();
}

#[test]
fn limits_are_those_the_daemon_was_started_with_and_not_its_own() {
    let before = ["prlimit", "--nofile=300:4000", "--core=0:0"]
        .map(str::to_owned)
        .to_vec();
    let setup = Setup {
        before,
        ..Setup::default()
    };
    let (_daemon, report) = report_of(Sandbox::new(), &[], json!({}), setup);
    assert_eq!(report["limits"]["Max open files"], json!(["300", "4000"]));
    assert_eq!(report["limits"]["Max core file size"], json!(["0", "0"]));
    assert_eq!(
        report["limits"].as_object().map(serde_json::Map::len),
        Some(16)
    );
}

#[test]
fn limits_nice_and_the_rest_are_as_configured() {
    let keys = json!({
        "limits": {"nofile": 77, "core": 0, "as": 4_000_000_000u64, "nproc": 1234},
        "nice": 7, "oom_score_adj": 500, "no_new_privs": true, "umask": "027", "workingdir": "/",
    });
    let (_daemon, report) = report(keys);
    assert_eq!(report["limits"]["Max open files"][0], "77");
    assert_eq!(report["limits"]["Max core file size"][0], "0");
    assert_eq!(report["limits"]["Max address space"][0], "4000000000");
    assert_eq!(report["limits"]["Max processes"][0], "1234");
    assert_eq!(
        (&report["nice"], &report["oom_score_adj"]),
        (&json!(7), &json!(500))
    );
    assert_eq!(report["status"]["NoNewPrivs"], "1");
    assert_eq!(report["status"]["Umask"], "0027");
    assert_eq!(report["cwd"], "/");
}

// Digits of a umask are octal, however YAML reads them.
#[test]
fn a_umask_is_octal_and_022_when_unsaid() {
    for (umask, wanted) in [
        (json!(null), "0022"),
        (json!(77), "0077"),
        (json!("007"), "0007"),
    ] {
        let keys = if umask.is_null() {
            json!({})
        } else {
            json!({"umask": umask})
        };
        let before = ["sh", "-c", "umask 0; exec \"$@\"", "sh"]
            .map(str::to_owned)
            .to_vec();
        let setup = Setup {
            before,
            ..Setup::default()
        };
        let (_daemon, report) = report_of(Sandbox::new(), &[], keys, setup);
        assert_eq!(report["status"]["Umask"], wanted, "{umask}");
    }
}

fn hostile() -> Setup {
    let names = [
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "LISTEN_FDS",
        "SUDO_USER",
        "LD_AUDIT",
        "BASH_ENV",
        "IFS",
        "PYTHONPATH",
        "DBUS_SESSION_BUS_ADDRESS",
        "HARMLESS",
    ];
    let env = names.map(|name| (name.to_owned(), "x".to_owned())).to_vec();
    Setup {
        env,
        ..Setup::default()
    }
}

#[test]
fn the_environment_is_the_daemons_without_what_is_private_to_it() {
    let keys = json!({"env": {"OWN": "words with spaces", "NUMBER": 1.10, "HARMLESS": "y"}});
    let (_daemon, report) = report_of(Sandbox::new(), &[], keys, hostile());
    let env = &report["env"];
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS", "SUDO_USER"] {
        assert_eq!(env[name], Value::Null, "{name}");
    }
    assert_eq!(env["OWN"], "words with spaces");
    assert_eq!(env["HARMLESS"], "y");
    assert_eq!(env["TASKMASTER_PROGRAM"], "p");
    assert_eq!(env["TASKMASTER_PROCESS"], "p:0");
}

#[test]
fn on_a_change_of_user_nothing_passes_that_could_lead_astray() {
    skip_unless_root!();
    let keys = json!({"user": NOBODYS_UID, "group": NOBODYS_UID});
    let (_daemon, report) = report_of(Sandbox::new(), &[], keys, hostile());
    for name in [
        "LD_AUDIT",
        "BASH_ENV",
        "IFS",
        "PYTHONPATH",
        "DBUS_SESSION_BUS_ADDRESS",
    ] {
        assert_eq!(report["env"][name], Value::Null, "{name}");
    }
    assert_eq!(report["env"]["HARMLESS"], "x");
}

#[test]
fn inherit_env_false_is_a_clean_environment() {
    let keys = json!({"inherit_env": false, "env": {"OWN": "1"}, "tty": "none"});
    let (_daemon, report) = report_of(Sandbox::new(), &[], keys, hostile());
    let env = report["env"].as_object().expect("an environment");
    let names: BTreeSet<&str> = env.keys().map(String::as_str).collect();
    let wanted = ["OWN", "PATH", "TASKMASTER_PROCESS", "TASKMASTER_PROGRAM"];
    assert_eq!(names, BTreeSet::from(wanted));
}

// A start that failed before exec names the step and the reason, and nothing of the program ever ran.
#[test]
fn a_start_that_fails_before_exec_names_the_step() {
    let sandbox = Sandbox::new();
    let plain = sandbox.write("plain", "no program\n");
    let cmd = sandbox.puppet("p", &[]);
    let programs = json!({
        "missing": {"cmd": ["/nonexistent/program"], "startretries": 0},
        "unsearched": {"cmd": ["nonexistent-program"], "startretries": 0},
        "plain": {"cmd": [plain], "startretries": 0},
        "directory": {"cmd": [sandbox.dir()], "startretries": 0},
        "chdir": {"cmd": cmd, "workingdir": "/nonexistent/dir", "startretries": 0},
    });
    let daemon = Daemon::start(sandbox, programs);
    let cases = [
        ("missing", "no such file"),
        ("unsearched", "nonexistent-program"),
        ("plain", "ermission"),
        ("directory", "directory"),
        ("chdir", "/nonexistent/dir"),
    ];
    for (name, words) in cases {
        let status = daemon.wait_state(name, State::Fatal);
        let told = format!("{:?} {:?}", status.reason, status.detail);
        assert!(told.to_lowercase().contains(words), "{name}: {told}");
    }
    assert!(daemon.sandbox().ledger("p").facts().is_empty());
}

// The directory is entered as the user: root may go where the user may not.
#[test]
fn a_directory_closed_to_the_user_fails_the_start() {
    skip_unless_root!();
    let sandbox = Sandbox::new();
    let dir = sandbox.path("closed");
    std::fs::create_dir(&dir).expect("a directory can be made");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&dir, mode).expect("a mode can be set");
    let cmd = sandbox.puppet("p", &[]);
    let keys = json!({"cmd": cmd, "workingdir": dir, "user": NOBODYS_UID, "group": NOBODYS_UID, "startretries": 0});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    let status = daemon.wait_state("p", State::Fatal);
    assert!(status.detail.is_some_and(|detail| detail.contains("chdir")));
    assert!(daemon.sandbox().ledger("p").facts().is_empty());
}
