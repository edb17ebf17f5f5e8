//! However output is cut, a tracker knows the same, and what it restores restores itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::tracker::{STRING_LEN_MAX, Tracker};

fuzz_target!(|bytes: &[u8]| {
    let (mut whole, mut cut) = (Tracker::default(), Tracker::default());
    whole.feed(bytes, &mut Vec::new());
    for byte in bytes {
        cut.feed(&[*byte], &mut Vec::new());
    }
    assert_eq!(whole.restore(), cut.restore());
    assert_eq!(whole.pending(), cut.pending());
    assert!(whole.pending().len() <= STRING_LEN_MAX);
    let mut again = Tracker::default();
    again.feed(&whole.restore(), &mut Vec::new());
    assert_eq!(again.restore(), whole.restore());
});
