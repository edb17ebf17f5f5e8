//! The core in a simulated world, by the seed: after each step the invariants are looked at.
//!
//! `TASKMASTER_SIM_SEEDS=n` runs so many seeds instead of 200, `TASKMASTER_SIM_SEED=x` that one.

#[path = "sim/check.rs"]
mod check;
#[path = "sim/config.rs"]
mod config;
#[path = "sim/os.rs"]
mod os;
#[path = "sim/rest.rs"]
mod rest;
#[path = "sim/rng.rs"]
mod rng;
#[path = "sim/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use world::World;

const SEEDS: u64 = 200;

/// Whatever programs, clients and the kernel do, the core does not contradict itself.
#[test]
fn the_invariants_hold_whatever_happens() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = match number("TASKMASTER_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TASKMASTER_SIM_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        let mut world = World::new(seed);
        let outcome = catch_unwind(AssertUnwindSafe(|| world.run()));
        let problem = match outcome {
            Ok(Ok(())) => continue,
            Ok(Err(problem)) => problem,
            Err(_) => "the core panicked, see above".into(),
        };
        for (now, input, effects) in &world.history {
            println!("{:>9} {input:?}", now.0);
            effects
                .iter()
                .for_each(|effect| println!("          -> {effect:?}"));
        }
        panic!("{problem}\nTASKMASTER_SIM_SEED={seed} shows this again");
    }
}

/// A seed replays a run exactly, or a failure could not be looked into.
#[test]
fn a_seed_replays_its_run() {
    let run = || {
        let mut world = World::new(7);
        world.run().expect("seed 7 is good");
        world.history
    };
    assert_eq!(run(), run());
}
