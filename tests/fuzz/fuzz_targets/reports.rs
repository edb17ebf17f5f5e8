//! However typing is cut, the same is left of it without what a terminal says of itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taskmasterd::control::reports::{Cursor, Reports};

fn typed<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let (mut reports, mut out) = (Reports::default(), Vec::new());
    for piece in pieces {
        out.extend(reports.without(piece, Cursor::Asked));
    }
    out.extend(reports.release());
    out
}

fuzz_target!(|bytes: &[u8]| {
    let whole = typed([bytes].into_iter());
    assert!(whole.len() <= bytes.len());
    // Of a sequence without an end the first bytes are held back, and how many depends on the cut.
    if bytes.len() <= 64 {
        assert_eq!(whole, typed(bytes.chunks(1)));
    }
});
