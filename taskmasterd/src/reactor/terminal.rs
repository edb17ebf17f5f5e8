//! The terminal of a process: what is on it, what was typed, and who is in front of it.

use std::collections::VecDeque;

use mio::Token;
use shared::frame::Size;
use shared::state::Exit;

use crate::child::pty::Window;
use crate::screen::Screen;
use crate::sys::Arena;

/// The terminal of one process, over all its incarnations.
pub(super) struct Terminal {
    pub(super) screen: Screen<Arena>,
    /// The size with which the next one is born.
    pub(super) window: Window,
    /// Typed, and not yet taken by the process.
    pub(super) typed: VecDeque<u8>,
    /// How the last process at it ended, for when it is no more.
    pub(super) exit: Option<Exit>,
    /// The clients that are attached.
    pub(super) viewers: Vec<Token>,
    /// The one among them whose size counts, and whose terminal speaks for all: the last that typed or changed
    /// its size.
    pub(super) leader: Option<Token>,
}

impl Terminal {
    pub(super) fn new() -> Self {
        let window = Window::default();
        Self {
            screen: Screen::new(window.rows, window.cols, Arena::new),
            window,
            typed: VecDeque::new(),
            exit: None,
            viewers: Vec::new(),
            leader: None,
        }
    }

    /// A new process at the terminal: nothing is on the screen.
    pub(super) fn born(&mut self) {
        self.screen.clear();
    }

    /// The size of `size`, within what a terminal can be.
    pub(super) fn fit(&mut self, size: Size) -> Window {
        self.window = Window {
            rows: size.rows.min(1000),
            cols: size.cols.min(1000),
            xpixel: size.xpixel,
            ypixel: size.ypixel,
        };
        self.screen.resize(self.window.rows, self.window.cols);
        self.window
    }
}
