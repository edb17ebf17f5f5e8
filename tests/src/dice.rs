//! Chance that can be repeated: the seed is printed, and `TASKMASTER_SEED` brings it back.

use std::time::{Duration, SystemTime};

/// A stream of numbers that look like chance.
pub struct Dice(u64);

impl Default for Dice {
    fn default() -> Self {
        Self::new()
    }
}

impl Dice {
    /// From the seed in the environment, else from the time; says which.
    pub fn new() -> Self {
        let given = std::env::var("TASKMASTER_SEED").ok();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(1, |since| since.subsec_nanos().into());
        let seed = given.and_then(|text| text.parse().ok()).unwrap_or(now);
        eprintln!("TASKMASTER_SEED={seed}");
        Self(seed)
    }

    /// A number below the bound (splitmix64).
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// A time below so many milliseconds.
    pub fn time_below_ms(&mut self, bound: u64) -> Duration {
        Duration::from_millis(self.below(bound))
    }

    /// One of them.
    pub fn one_of<'a, T>(&mut self, choice: &'a [T]) -> &'a T {
        &choice[self.below(choice.len() as u64) as usize]
    }
}

/// How often a long test repeats itself: `TASKMASTER_LAPS` where it is set.
pub fn laps(usual: usize) -> usize {
    let given = std::env::var("TASKMASTER_LAPS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(usual)
}
