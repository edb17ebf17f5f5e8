//! Each key on its side, and the plan against `needs_restart` on random pairs.

use super::*;
use crate::config::model::{
    Autorestart, Identity, Limit, LogFile, Output, Resource, RestartLimit, Tty,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn program(name: &str) -> Program {
    let mut program = Program::new(name.parse().unwrap(), vec!["x".into()]);
    program.launch.tty = Tty::Split;
    program
}

fn identity(uid: u32) -> Identity {
    Identity {
        name: "x".into(),
        uid,
        gid: 1,
        groups: vec![1],
        home: "/".into(),
        shell: "/bin/sh".into(),
    }
}

fn config(programs: impl IntoIterator<Item = Program>) -> Config {
    let named = |program: Program| (program.name.clone(), Arc::new(program));
    Config {
        programs: programs.into_iter().map(named).collect(),
        ..Config::default()
    }
}

/// A path as the configuration has it, however it was written.
fn spelled(text: &str) -> Option<PathBuf> {
    let node = crate::config::file::parse(text, 0).unwrap();
    crate::config::values::path(&node, Path::new("/")).ok()
}

/// A change of one field, and the key and the consequence under which the plan tells it.
type Edit = (fn(&mut Program), &'static str, &'static str);

const EDITS: &[Edit] = &[
    (|p| p.launch.argv.push("y".into()), "cmd", "restart"),
    (|p| p.launch.tty = Tty::None, "tty", "restart"),
    (
        |p| _ = p.launch.env.insert("A".into(), "1".into()),
        "env",
        "restart",
    ),
    (|p| p.launch.inherit_env = false, "inherit_env", "restart"),
    (
        |p| p.launch.workingdir = spelled("/w"),
        "workingdir",
        "restart",
    ),
    (
        |p| p.launch.workingdir = spelled("//w/"),
        "workingdir",
        "restart",
    ),
    (
        |p| p.launch.workingdir = spelled("./w/."),
        "workingdir",
        "restart",
    ),
    (|p| p.launch.umask = 0, "umask", "restart"),
    (|p| p.launch.user = Some(identity(7)), "user", "restart"),
    (
        |p| {
            _ = p.launch.limits.insert(
                Resource::Core,
                Limit {
                    soft: None,
                    hard: None,
                },
            )
        },
        "limits",
        "restart",
    ),
    (|p| p.launch.nice = Some(1), "nice", "restart"),
    (
        |p| p.launch.oom_score_adj = Some(1),
        "oom_score_adj",
        "restart",
    ),
    (|p| p.launch.no_new_privs = true, "no_new_privs", "restart"),
    (|p| p.numprocs = 3, "numprocs", "adds web:1 web:2"),
    (|p| p.autostart = false, "autostart", "live"),
    (
        |p| p.autorestart = Autorestart::OnFailure(2),
        "autorestart",
        "live",
    ),
    (|p| p.exitcodes.push(2), "exitcodes", "live"),
    (|p| p.starttime_ms = 1, "starttime", "live"),
    (|p| p.startretries = 4, "startretries", "live"),
    (|p| p.stopsignal = 2, "stopsignal", "live"),
    (|p| p.stoptime_ms = 1, "stoptime", "live"),
    (|p| p.stopasgroup = true, "stopasgroup", "live"),
    (|p| p.sweep = false, "sweep", "live"),
    (|p| p.stdout = Output::Discard, "stdout", "live, reopened"),
    (
        |p| {
            p.stderr = Output::File(LogFile {
                path: "/x".into(),
                max_size: Some(1),
                keep: 1,
                timestamps: true,
                strip_ansi: true,
            });
        },
        "stderr",
        "live, reopened",
    ),
    (|p| p.stderr = Output::Stdout, "stderr", "restart"),
    (|p| p.priority = 1, "priority", "live"),
    (|p| p.restart_delay_ms = 1, "restart_delay", "live"),
    (
        |p| {
            p.restart_limit = Some(RestartLimit {
                burst: 1,
                interval_ms: 1,
            })
        },
        "restart_limit",
        "live",
    ),
    (
        |p| p.fatal_state_report_address = Some("h:1".into()),
        "fatal_state_report_address",
        "live",
    ),
    (
        |p| p.description = Some("none".into()),
        "description",
        "live",
    ),
];

#[test]
fn every_key_is_told_with_its_consequence() {
    for &(edit, key, consequence) in EDITS {
        let (was, mut is) = (program("web"), program("web"));
        edit(&mut is);
        assert_eq!(needs_restart(&was, &is), consequence == "restart", "{key}");
        let plan = plan(&config([was]), &config([is]));
        let told = &plan.programs[0].keys[0];
        assert_eq!(
            (told.key.as_str(), told.consequence.as_str()),
            (key, consequence)
        );
    }
    let told: BTreeSet<&str> = EDITS.iter().map(|(_, key, _)| *key).collect();
    // These are told as the key they end up in: cmd, env and user.
    let merged = ["args", "env_file", "group", "groups"];
    for key in keys::names(keys::Place::Program) {
        assert!(told.contains(key) || merged.contains(&key), "{key}");
    }
}

#[test]
fn variables_are_told_by_name() {
    let with = |pairs: &[(&str, &str)]| {
        let mut program = program("web");
        let pairs = pairs
            .iter()
            .map(|&(name, value)| (name.into(), value.into()));
        program.launch.env = pairs.collect();
        config([program])
    };
    let was = with(&[("A", "secret"), ("C", "secret"), ("D", "secret")]);
    let is = with(&[("A", "hidden"), ("B", "hidden"), ("D", "secret")]);
    let plan = plan(&was, &is);
    let change = &plan.programs[0].keys[0];
    assert_eq!(change.old, "A C D");
    assert_eq!(change.new, "A (changed), B (added), C (removed)");
    assert!(!format!("{plan:?}").contains("secret") && !format!("{plan:?}").contains("hidden"));
}

#[test]
fn fewer_processes_stop_those_with_the_highest_numbers() {
    let of = |numprocs| {
        config([Program {
            numprocs,
            ..program("web")
        }])
    };
    let consequence = |was, is| {
        plan(&of(was), &of(is)).programs[0].keys[0]
            .consequence
            .clone()
    };
    assert_eq!(consequence(4, 2), "stops web:2 web:3");
    assert_eq!(consequence(0, 1), "adds web:0");
}

#[test]
fn settings_wait_for_the_next_start() {
    let mut is = Config::default();
    is.socket.mode = 0o660;
    is.log = Some("/x".into());
    let plan = plan(&Config::default(), &is);
    let told: Vec<&str> = plan
        .settings
        .iter()
        .map(|change| change.key.as_str())
        .collect();
    assert_eq!(told, ["socket", "log"]);
    assert_eq!(
        plan.settings[0].consequence,
        "at the next start of taskmasterd"
    );
}

/// Xorshift; the seed is printed where a run fails.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn config(&mut self) -> Config {
        let mut programs = Vec::new();
        for name in ["a", "b", "c", "d"] {
            if self.below(5) == 0 {
                continue;
            }
            let mut program = program(name);
            for _ in 0..self.below(3) {
                EDITS[self.below(EDITS.len())].0(&mut program);
            }
            programs.push(program);
        }
        config(programs)
    }
}

/// The plan and `needs_restart` are written apart and must agree; no change is missed and none made up.
#[test]
fn the_plan_restarts_what_needs_it_and_nothing_else() {
    for seed in 1..2000 {
        let mut random = Random(seed);
        let (was, is) = (random.config(), random.config());
        let plan = plan(&was, &is);
        assert_eq!(plan == Plan::default(), was == is, "seed {seed}");
        let told = |change: Change| -> BTreeSet<&str> {
            let programs = plan.programs.iter().filter(|told| told.change == change);
            programs.map(|told| told.program.as_str()).collect()
        };
        let restarts = was.programs.iter().filter(|(name, was)| {
            is.programs
                .get(*name)
                .is_some_and(|is| needs_restart(was, is))
        });
        let restarts: BTreeSet<&str> = restarts.map(|(name, _)| name.as_str()).collect();
        assert_eq!(told(Change::Restarted), restarts, "seed {seed}");
        let only_in = |these: &Config, those: &Config| -> Vec<String> {
            let names = these
                .programs
                .keys()
                .filter(|name| !those.programs.contains_key(*name));
            names.map(ToString::to_string).collect()
        };
        assert!(
            told(Change::Added).into_iter().eq(only_in(&is, &was)),
            "seed {seed}"
        );
        assert!(
            told(Change::Removed).into_iter().eq(only_in(&was, &is)),
            "seed {seed}"
        );
    }
}
