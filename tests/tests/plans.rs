//! What a reload announces is what it then does, for any two configurations.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use harness::{Daemon, Dice, LATER, Sandbox, State, Value, check, eventually, json, laps};
use shared::api::{Call, Change, Plan, ReloadParams, Reloaded};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// A key whose change needs new processes, or one that takes effect on those that run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Launch,
    Live,
}

/// Keys and the values they take; the first is what the key is when it is left out.
fn keys() -> Vec<(&'static str, Side, Vec<Value>)> {
    use Side::{Launch, Live};
    vec![
        (
            "env",
            Launch,
            vec![json!({}), json!({"A": "1"}), json!({"A": "1", "B": "2"})],
        ),
        ("umask", Launch, vec![json!("022"), json!("077")]),
        ("nice", Launch, vec![Value::Null, json!(1)]),
        ("args", Launch, vec![json!([]), json!(["--name", "other"])]),
        ("inherit_env", Launch, vec![json!(true), json!(false)]),
        (
            "workingdir",
            Launch,
            vec![Value::Null, json!("/tmp"), json!("/tmp/"), json!("/./tmp")],
        ),
        ("limits", Launch, vec![json!({}), json!({"core": 0})]),
        ("numprocs", Live, vec![json!(1), json!(2), json!(3)]),
        ("autostart", Live, vec![json!(true), json!(false)]),
        (
            "autorestart",
            Live,
            vec![json!("unexpected"), json!("always")],
        ),
        ("exitcodes", Live, vec![json!([0]), json!([0, 2])]),
        ("startretries", Live, vec![json!(3), json!(5)]),
        ("stoptime", Live, vec![json!(10), json!("20s")]),
        ("stopsignal", Live, vec![json!("TERM"), json!("USR1")]),
        ("priority", Live, vec![json!(999), json!(1)]),
        ("sweep", Live, vec![json!(true), json!(false)]),
        ("description", Live, vec![Value::Null, json!("words")]),
        ("restart_delay", Live, vec![json!(0), json!(1)]),
    ]
}

type Programs = BTreeMap<&'static str, BTreeMap<&'static str, Value>>;

/// Another configuration near this one: programs come and go, and some of their keys change.
fn neighbour(dice: &mut Dice, programs: &Programs) -> Programs {
    let mut new = programs.clone();
    for name in NAMES {
        match dice.below(6) {
            0 => drop(new.remove(name)),
            1 | 2 => {
                let program = new.entry(name).or_default();
                for _ in 0..=dice.below(2) {
                    let keys = keys();
                    let (key, _, values) = dice.one_of(&keys);
                    program.insert(key, dice.one_of(values).clone());
                }
            }
            // What never ran is started by this key alone, so it has more than its share.
            3 => {
                let autostart = json!(dice.below(2) == 0);
                new.entry(name).or_default().insert("autostart", autostart);
            }
            _ => {}
        }
    }
    new
}

fn value(program: &BTreeMap<&'static str, Value>, key: &str, usual: &Value) -> Value {
    program.get(key).unwrap_or(usual).clone()
}

/// What a value means, of which a path may be written in several ways.
fn meaning(program: &BTreeMap<&'static str, Value>, key: &str, usual: &Value) -> Value {
    let value = value(program, key, usual);
    match value.as_str() {
        Some(text) => json!(Path::new(text).components().collect::<PathBuf>()),
        None => value,
    }
}

/// What the table above says of the change from one program to another.
fn predicted(
    was: Option<&BTreeMap<&'static str, Value>>,
    is: Option<&BTreeMap<&'static str, Value>>,
) -> Option<Change> {
    let (was, is) = match (was, is) {
        (None, None) => return None,
        (None, Some(_)) => return Some(Change::Added),
        (Some(_), None) => return Some(Change::Removed),
        (Some(was), Some(is)) => (was, is),
    };
    let differs = |side: Side| {
        let keys = keys();
        let mut keys = keys.iter().filter(|(_, own, _)| *own == side);
        keys.any(|(key, _, values)| meaning(was, key, &values[0]) != meaning(is, key, &values[0]))
    };
    match (differs(Side::Launch), differs(Side::Live)) {
        (true, _) => Some(Change::Restarted),
        (false, true) => Some(Change::Changed),
        (false, false) => None,
    }
}

fn written(sandbox: &Sandbox, programs: &Programs) -> Value {
    let mut out = json!({});
    for (name, keys) in programs {
        out[name] =
            json!({"cmd": sandbox.puppet("all", &["--brief"]), "starttime": 0, "tty": "none"});
        for (key, value) in keys.iter().filter(|(_, value)| !value.is_null()) {
            out[name][key] = value.clone();
        }
    }
    out
}

type Pids = BTreeMap<(String, u32), Option<i32>>;

fn pids(daemon: &Daemon) -> Pids {
    let processes = daemon.rpc().status().processes;
    let pairs = processes
        .into_iter()
        .map(|process| ((process.program, process.index), process.pid));
    pairs.collect()
}

fn reload(daemon: &Daemon, dry_run: bool) -> Plan {
    let params = ReloadParams {
        dry_run,
        allow_empty: true,
    };
    let answer = daemon.rpc().call(&Call::Reload(params));
    let answer = answer.unwrap_or_else(|error| panic!("{}", error.message));
    let reloaded: Reloaded = serde_json::from_value(answer).expect("an answer has its form");
    assert_eq!(reloaded.applied, !dry_run);
    reloaded.plan
}

/// Those that were there and did not run, and do now, by their shown names.
fn started(daemon: &Daemon, before: &Pids) -> BTreeSet<String> {
    let processes = daemon.rpc().status().processes.into_iter();
    let started = processes.filter(|process| {
        let key = (process.program.clone(), process.index);
        before.get(&key) == Some(&None) && process.pid.is_some()
    });
    started.map(|process| process.name).collect()
}

fn settled(daemon: &Daemon) {
    eventually("nothing on its way", LATER, || {
        let processes = daemon.rpc().status().processes;
        let still = |state| matches!(state, State::Running | State::Stopped);
        let settled = processes.iter().all(|process| still(process.state));
        check(settled, || format!("{processes:?}"))
    });
}

/// Holds what happened to the pids to what was announced.
#[track_caller]
fn hold(was: &Programs, is: &Programs, before: &Pids, after: &Pids) {
    let count = |programs: &Programs, name: &str| -> u32 {
        let numprocs = programs
            .get(name)
            .map(|keys| value(keys, "numprocs", &json!(1)));
        numprocs.and_then(|count| count.as_u64()).unwrap_or(0) as u32
    };
    for name in NAMES {
        let change = predicted(was.get(name), is.get(name));
        let autostart = is
            .get(name)
            .is_some_and(|keys| value(keys, "autostart", &json!(true)) == true);
        for index in 0..3 {
            let key = (name.to_owned(), index);
            let shown = format!("{name}:{index} {change:?}: {was:?} -> {is:?}");
            let Some(&now) = after.get(&key) else {
                assert!(index >= count(is, name), "{shown} is missing");
                continue;
            };
            assert!(index < count(is, name), "{shown} is too much");
            let then = before.get(&key).copied().flatten();
            match (change, then) {
                (None | Some(Change::Changed), Some(pid)) => assert_eq!(now, Some(pid), "{shown}"),
                (None, None) => assert_eq!(now, None, "{shown}"),
                (Some(Change::Restarted), Some(pid)) => {
                    assert!(now != Some(pid), "{shown}");
                    assert!(now.is_some() || !autostart, "{shown}");
                }
                (Some(_), _) => assert_eq!(now.is_some(), autostart, "{shown}"),
            }
        }
    }
}

// Forty neighbours in a row, or as many as `TASKMASTER_LAPS` says: the plan is what the table says, the deed is
// what the plan says, and a second reload finds nothing to do.
#[test]
fn a_plan_is_what_then_happens() {
    let mut dice = Dice::new();
    let mut was = Programs::new();
    for name in NAMES {
        was.insert(name, BTreeMap::new());
    }
    let sandbox = Sandbox::new();
    let programs = written(&sandbox, &was);
    let daemon = Daemon::start(sandbox, programs);
    settled(&daemon);
    for _ in 0..laps(40) {
        let is = neighbour(&mut dice, &was);
        let before = pids(&daemon);
        daemon.write_config(&written(daemon.sandbox(), &is));
        let announced = reload(&daemon, true);
        assert_eq!(pids(&daemon), before, "a dry run did something");
        let told: BTreeMap<&str, Change> = announced
            .programs
            .iter()
            .map(|change| (change.program.as_str(), change.change))
            .collect();
        let names: BTreeSet<&str> = was.keys().chain(is.keys()).copied().collect();
        let wanted: BTreeMap<&str, Change> = names
            .into_iter()
            .filter_map(|name| Some((name, predicted(was.get(name), is.get(name))?)))
            .collect();
        assert_eq!(told, wanted, "{was:?} -> {is:?}");
        assert_eq!(reload(&daemon, false), announced);
        settled(&daemon);
        hold(&was, &is, &before, &pids(&daemon));
        let programs = announced.programs.into_iter();
        let told: BTreeSet<String> = programs.flat_map(|program| program.starts).collect();
        assert_eq!(told, started(&daemon, &before), "{was:?} -> {is:?}");
        assert!(reload(&daemon, true).programs.is_empty());
        was = is;
    }
}
