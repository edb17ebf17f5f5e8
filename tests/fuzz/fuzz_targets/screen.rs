//! Whatever is written, a screen has something to show, of a sensible length. The first bytes are its size.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taskmasterd::screen::Screen;

fuzz_target!(|input: (u16, u16, Vec<Vec<u8>>)| {
    let (rows, cols, pieces) = input;
    let mut screen: Screen<Vec<u8>> = Screen::new(rows, cols, |len| Ok(vec![0; len]));
    for (index, piece) in pieces.iter().enumerate() {
        screen.feed(piece, &mut Vec::new());
        if index % 7 == 6 {
            screen.resize(cols, rows);
        }
    }
    let (rows, cols) = screen.size();
    assert!(screen.snapshot(100).bytes.len() < 100 * 1024 + 2 * rows * cols * 60);
    let (row, col) = screen.cursor();
    assert!(row < rows && col < cols);
});
