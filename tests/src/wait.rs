//! The one place where the tests wait.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long most things may take: long enough for a machine that does five other things.
pub const SOON: Duration = Duration::from_secs(15);
/// For what moves a lot of data or many processes.
pub const LATER: Duration = Duration::from_secs(60);
/// How often a fact is looked at.
const INTERVAL: Duration = Duration::from_millis(5);

/// Looks at a fact again and again until `probe` gives a value; what it says instead is what was seen.
///
/// # Panics
/// When the deadline has passed, with what was last seen.
#[track_caller]
pub fn eventually<T, E: Display>(
    what: &str,
    deadline: Duration,
    mut probe: impl FnMut() -> Result<T, E>,
) -> T {
    let start = Instant::now();
    loop {
        let last_seen = match probe() {
            Ok(value) => return value,
            Err(seen) => seen,
        };
        let waited = start.elapsed();
        assert!(
            waited < deadline,
            "waited {waited:?} for {what}; last seen: {last_seen}"
        );
        pause(INTERVAL);
    }
}

/// Watches that something does not happen: `probe` must hold all the time.
///
/// # Panics
/// As soon as it does not.
#[track_caller]
pub fn throughout(what: &str, time: Duration, mut probe: impl FnMut() -> Result<(), String>) {
    let start = Instant::now();
    while start.elapsed() < time {
        if let Err(seen) = probe() {
            panic!("{what} did not hold after {:?}: {seen}", start.elapsed());
        }
        pause(INTERVAL);
    }
}

/// Lets time pass where time itself is the matter of a test: between two signals of a storm.
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// `Ok` where it holds, else what was seen.
pub fn check(holds: bool, seen: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(seen()) }
}
