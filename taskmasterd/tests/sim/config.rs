//! Configurations by chance, and changes to them.

use std::sync::Arc;

use taskmasterd::config::model::{Autorestart, Config, Launch, Output, Program, RestartLimit, Tty};

use crate::rng::Rng;

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// A configuration with some of the programs that can be.
pub(crate) fn any(rng: &mut Rng) -> Config {
    let mut config = Config::default();
    for name in NAMES {
        if rng.percent(60) {
            put(&mut config, program(name, rng));
        }
    }
    config
}

/// Changes a few things.
pub(crate) fn mutate(config: &mut Config, rng: &mut Rng) {
    for _ in 0..=rng.below(3) {
        let name = rng.pick(&NAMES);
        let Some(known) = config.programs.get(name) else {
            put(config, program(name, rng));
            continue;
        };
        let mut changed = Program::clone(known);
        match rng.below(10) {
            0 => {
                config.programs.remove(name);
                continue;
            }
            1 => changed = program(name, rng),
            2 => changed.numprocs = numprocs(rng),
            3 => changed.launch.argv = vec![format!("/bin/{}", rng.below(1000))],
            4 => changed.stderr = rng.pick(&[Output::Memory, Output::Discard]),
            5 => changed.autostart = !changed.autostart,
            _ => {
                let live = program(name, rng);
                changed = Program {
                    launch: changed.launch,
                    numprocs: changed.numprocs,
                    ..live
                };
            }
        }
        put(config, changed);
    }
}

fn put(config: &mut Config, program: Program) {
    config
        .programs
        .insert(program.name.clone(), Arc::new(program));
}

/// Few as a rule, now and then more than are started in one turn.
fn numprocs(rng: &mut Rng) -> u32 {
    rng.pick(&[1, 1, 1, 2, 2, 3, 3, 12])
}

fn program(name: &str, rng: &mut Rng) -> Program {
    Program {
        name: name.parse().expect("a good name"),
        launch: Launch {
            tty: rng.pick(&[Tty::None, Tty::Split, Tty::Full]),
            ..Launch::new(vec![format!("/bin/{name}")])
        },
        numprocs: numprocs(rng),
        autostart: rng.percent(75),
        autorestart: rng.pick(&[
            Autorestart::Always,
            Autorestart::Unexpected,
            Autorestart::Never,
            Autorestart::OnFailure(2),
        ]),
        exitcodes: rng.pick(&[vec![0], vec![0, 2], vec![]]),
        starttime_ms: rng.pick(&[0, 0, 1, 10, 1000, 1000, 3000]),
        startretries: rng.pick(&[0, 1, 3]),
        stopsignal: rng.pick(&[15, 2, 10]),
        stoptime_ms: rng.pick(&[0, 50, 1000, 5000]),
        stopasgroup: rng.percent(30),
        sweep: rng.percent(70),
        stdout: rng.pick(&[Output::Memory, Output::Discard]),
        stderr: rng.pick(&[Output::Memory, Output::Discard, Output::Stdout]),
        priority: rng.pick(&[1, 5, 999]),
        restart_delay_ms: rng.pick(&[0, 0, 100, 2000]),
        restart_limit: rng.pick(&[
            None,
            None,
            Some(RestartLimit {
                burst: 2,
                interval_ms: 10_000,
            }),
        ]),
        fatal_state_report_address: None,
        description: None,
    }
}
