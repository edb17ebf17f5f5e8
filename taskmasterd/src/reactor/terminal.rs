//! The terminal of a process: what is on it, what was typed, and who is in front of it.

use std::collections::VecDeque;

use mio::Token;
use shared::frame::Size;
use shared::state::Exit;

use crate::child::pty::Window;
use crate::core::Mono;
use crate::screen::{self, Screen};
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
    /// When the program last asked where the cursor is.
    pub(super) cursor_asked_at: Option<Mono>,
    /// The clients that are attached.
    pub(super) viewers: Vec<Token>,
    /// Those of them that may type; who typed or changed its size last is the last.
    pub(super) typists: Vec<Token>,
    /// The one among these whose size counts.
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
            cursor_asked_at: None,
            viewers: Vec::new(),
            typists: Vec::new(),
            leader: None,
        }
    }

    /// A new process at the terminal: nothing is on the screen.
    pub(super) fn born(&mut self) {
        self.screen.clear();
    }

    /// Its rows and columns.
    pub(super) fn cells(&self) -> (u16, u16) {
        (self.window.rows, self.window.cols)
    }

    /// Takes on the size of `size`, or the nearest that a screen can have. None if it has it already.
    pub(super) fn fit(&mut self, size: Size) -> Option<Window> {
        let (rows, cols) = screen::model::Size::new(size.rows, size.cols).numbers();
        let window = Window {
            rows,
            cols,
            xpixel: size.xpixel,
            ypixel: size.ypixel,
        };
        if window == self.window {
            return None;
        }
        self.window = window;
        self.screen.resize(rows, cols);
        Some(window)
    }
}
