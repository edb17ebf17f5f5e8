//! Where a screen is cleared: from there on it is known, whatever was on it.

use memchr::memrchr_iter;

/// A full reset.
pub(super) const RESET: &[u8] = b"\x1bc";

/// What clears the screen and takes the cursor to its corner: a full reset, what terminfo has as `clear` for the common
/// terminals, and what programs write that do not ask terminfo.
const CLEARINGS: [&[u8]; 9] = [
    RESET,
    b"\x1b[H\x1b[2J",
    b"\x1b[H\x1b[3J\x1b[2J",
    b"\x1b[H\x1b[J",
    b"\x1b[H\x1b[0J",
    b"\x1b[1;1H\x1b[2J",
    b"\x1b[1;1H\x1b[J",
    b"\x1b[2J\x1b[H",
    b"\x1b[2J\x1b[1;1H",
];

/// What comes before the last of them, and the rest.
pub(super) fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let clears = |at: &usize| {
        let rest = &bytes[*at..];
        CLEARINGS.iter().any(|clearing| rest.starts_with(clearing))
    };
    let last = memrchr_iter(0x1b, bytes).find(clears);
    bytes.split_at(last.unwrap_or(bytes.len()))
}
