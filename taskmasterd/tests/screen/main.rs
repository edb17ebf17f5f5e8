//! What a terminal shows: against recordings of real programs, feature by feature, and against floods of nonsense.

mod bounds;
mod features;
mod floods;
mod guards;
mod history;
mod leaving;
mod plain;
mod recordings;
mod renewals;
mod scrolled;
mod taller;

use taskmasterd::screen::Screen;

/// A screen with its bytes in ordinary memory.
fn screen(rows: u16, cols: u16) -> Screen<Vec<u8>> {
    Screen::new(rows, cols, |len| Ok(vec![0; len]))
}

/// A screen that has been given these bytes in pieces of this length.
fn fed(rows: u16, cols: u16, bytes: &[u8], piece: usize) -> Screen<Vec<u8>> {
    let mut screen = screen(rows, cols);
    for piece in bytes.chunks(piece) {
        screen.feed(piece, &mut Vec::new());
    }
    screen
}
