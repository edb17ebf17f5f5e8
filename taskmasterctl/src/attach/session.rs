//! The attachment itself: keys to the daemon, output to the canvas, and all else that can happen meanwhile.
//!
//! One loop waits for everything at once and never for one thing alone, so the key that detaches is found
//! while the terminal is stalled and while the daemon is.

use std::io::{self, ErrorKind};
use std::time::Instant;

use nix::sys::signal::Signal;
use shared::api::Tty;
use shared::frame::Frame;

use crate::exit::Exit;
use crate::term;

use super::filter::Filter;
use super::hand::Hand;
use super::keys::{Scanner, Then};
use super::life::Life;
use super::link::{Link, Lost};
use super::seat::{Seat, Typed};
use super::signals::Signals;

mod hear;
mod wait;

use wait::Source;

/// How an attachment ends.
#[derive(Debug)]
pub(super) enum End {
    /// The user left, or the input ended.
    Detached,
    /// The process is over, for this attachment or for good.
    Ended(Exit),
    /// The daemon detached us, and said why.
    Dismissed(String),
    /// The daemon is gone, or speaks gibberish.
    Lost(Lost),
    /// A signal asked us to end.
    Signalled(Signal),
    /// Nobody reads our output.
    Unheard,
    /// What was said of our input, or our output.
    Failed(String),
    /// The terminal is gone.
    HungUp,
}

impl End {
    /// Output that goes to no terminal could not be written: its reader has gone, or a disk is full.
    pub(super) fn of_output(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::Unheard,
            _ => Self::Failed(format!("standard output: {}", term::reason(error))),
        }
    }
}

/// Who is attached to what.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) seat: Seat,
    pub(super) link: Link,
    pub(super) signals: Signals,
    pub(super) scanner: Scanner,
    pub(super) life: Life,
    pub(super) tty: Tty,
    pub(super) read_only: bool,
    /// Who is told that nothing can be typed there.
    hand: Hand,
    /// How much was typed and thrown away, because nobody read what was typed before, or it was piped in where nobody
    /// reads, in bytes.
    pub(super) lost: usize,
    /// What is to be said of a process that does not run, as soon as its screen is painted.
    opening: Option<String>,
    /// What is to be said of who else is there.
    pub(super) company: Option<String>,
    /// Whether its screen is still to come.
    pub(super) awaits_picture: bool,
    /// What its output passes through, and its errors.
    filters: [Filter; 2],
    started: Instant,
    /// Whether all input was sent and only the daemon's goodbye is waited for.
    finishing: bool,
    /// How much was left out of lines, of which the next picture shows only the last.
    skipped: u64,
    /// Whether the last frame was a part of a snapshot with more to come.
    in_snapshot: bool,
}

impl Session {
    pub(super) fn new(
        seat: Seat,
        link: Link,
        signals: Signals,
        scanner: Scanner,
        life: Life,
        tty: Tty,
    ) -> Self {
        Self {
            seat,
            link,
            signals,
            scanner,
            life,
            tty,
            read_only: false,
            hand: Hand::default(),
            lost: 0,
            opening: None,
            company: None,
            awaits_picture: false,
            filters: [Filter::Open, Filter::Open],
            started: Instant::now(),
            finishing: false,
            skipped: 0,
            in_snapshot: false,
        }
    }

    /// What is painted passes through such filters from now on.
    pub(super) fn filter(&mut self, filter: fn() -> Filter) {
        self.filters = [filter(), filter()];
    }

    /// Lives until it ends.
    pub(super) fn run(&mut self) -> End {
        self.opening = self.life.opening();
        match self.tty {
            // Behind a screen that is at work it would stand in the way.
            Tty::Full | Tty::Split if self.opening.is_none() => self.present(),
            Tty::Full | Tty::Split | Tty::None => {}
        }
        self.open();
        loop {
            if let Err(end) = self.turn() {
                return end;
            }
        }
    }

    /// Says who else is there.
    fn present(&mut self) {
        if let Some(line) = self.company.take() {
            self.seat.canvas.remark(&line);
        }
    }

    /// Says what is to be said on arrival, when it will not be painted over.
    fn open(&mut self) {
        if self.awaits_picture {
            return;
        }
        self.present();
        if let Some(line) = self.opening.take() {
            self.seat.canvas.remark(&line);
        }
    }

    /// Waits for news and takes them in.
    fn turn(&mut self) -> Result<(), End> {
        for source in self.wait()? {
            match source {
                Source::Signals => self.take_signals()?,
                Source::Keyboard => self.typed()?,
                Source::Link => {
                    self.link.flush();
                    self.listen()?;
                }
                Source::Canvas if self.seat.canvas.is_idle_pipe() => {
                    return Err(self.detach(End::Unheard));
                }
                Source::Canvas => self.paint()?,
                Source::Errors => self.seat.canvas.flush_errors(),
            }
        }
        if self.link.has_early() {
            self.listen()?;
        }
        self.tick()?;
        if self.seat.canvas.tty().is_some() {
            self.paint()?;
        }
        Ok(())
    }

    fn take_signals(&mut self) -> Result<(), End> {
        while let Some(signal) = self.signals.next() {
            self.signalled(signal)?;
        }
        Ok(())
    }

    /// A pipe takes a piece when it was found to be ready, a terminal as many as it can at any time.
    fn paint(&mut self) -> Result<(), End> {
        while self.seat.canvas.is_behind() {
            // Somebody else has the terminal when we were stopped, unheard of, or the shell between us was killed.
            self.take_signals()?;
            if !self.seat.is_in_front() {
                self.come_back()?;
            }
            match self.seat.canvas.flush() {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) if self.seat.canvas.tty().is_none() => {
                    return Err(self.detach(End::of_output(&error)));
                }
                Err(_) => return Err(self.detach(End::HungUp)),
            }
        }
        Ok(())
    }

    /// Listens to the daemon, unless there is no room for what it says.
    fn listen(&mut self) -> Result<(), End> {
        if self.seat.canvas.is_full() {
            return Ok(());
        }
        self.hear()
    }

    /// Takes in what was typed.
    fn typed(&mut self) -> Result<(), End> {
        match self.seat.read() {
            Typed::Nothing => Ok(()),
            Typed::Bytes(bytes) => {
                let mut input = Vec::new();
                let then = self.scanner.feed(self.now(), &bytes, &mut input);
                self.send(input, then)
            }
            // A terminal that ends has hung up.
            Typed::End if self.seat.has_keyboard() => Err(self.detach(End::HungUp)),
            Typed::Failed(error) => {
                let reason = term::reason(&error);
                Err(self.detach(End::Failed(format!("standard input: {reason}"))))
            }
            Typed::End => {
                self.link.send(&Frame::Detach);
                self.finishing = true;
                Ok(())
            }
        }
    }

    fn tick(&mut self) -> Result<(), End> {
        self.seat.canvas.paint_late();
        let mut input = Vec::new();
        let then = self.scanner.tick(self.now(), &mut input);
        self.send(input, then)
    }

    fn send(&mut self, input: Vec<u8>, then: Then) -> Result<(), End> {
        let reaches_nobody = self.unheard().is_some();
        if reaches_nobody && self.seat.has_keyboard() && self.hand.types(&input) {
            self.seat.canvas.ring();
        }
        let wanted = !input.is_empty() && !self.read_only;
        if reaches_nobody && !self.seat.has_keyboard() {
            // Who pipes hears no bell.
            self.lost += input.len();
        } else if wanted && self.seat.has_keyboard() && self.link.is_full() {
            self.lost += input.len();
            self.seat.canvas.ring();
        } else if wanted {
            self.link.send(&Frame::Input(input));
        }
        match then {
            Then::Stay => Ok(()),
            Then::Detach => Err(self.detach(End::Detached)),
        }
    }

    /// Why what is typed reaches nobody, if that is so.
    pub(super) fn unheard(&self) -> Option<&'static str> {
        if self.read_only {
            Some("takes nothing that is typed with --read-only")
        } else if self.tty == Tty::None {
            Some("has no terminal to type at")
        } else {
            None
        }
    }

    /// Says goodbye to the daemon. If it cannot hear that, the end of the connection will tell it.
    fn detach(&mut self, end: End) -> End {
        self.link.send(&Frame::Detach);
        end
    }

    fn signalled(&mut self, signal: Signal) -> Result<(), End> {
        match signal {
            Signal::SIGWINCH => {
                self.tell_size();
            }
            Signal::SIGTSTP => {
                self.seat.leave();
                if let Some(signal) = self.signals.stop() {
                    return self.signalled(signal);
                }
                self.come_forward()?;
                self.seat.enter().map_err(|_| End::HungUp)?;
                self.ask_again();
            }
            Signal::SIGCONT => self.come_back()?,
            other => return Err(self.detach(End::Signalled(other))),
        }
        Ok(())
    }

    /// Waits until the terminal is ours again.
    fn come_forward(&mut self) -> Result<(), End> {
        match self.seat.come_forward(&self.signals) {
            Some(signal) => self.signalled(signal),
            None => Ok(()),
        }
    }

    /// Waits until the terminal is ours again, and takes it over as it was.
    fn come_back(&mut self) -> Result<(), End> {
        self.come_forward()?;
        if !self.seat.is_in_front() {
            // Nobody will bring us back. So says a read of it, too.
            return Err(self.detach(End::HungUp));
        }
        self.seat.enter_again();
        self.ask_again();
        Ok(())
    }

    /// Asks for the picture that whoever had the terminal meanwhile painted over.
    fn ask_again(&mut self) {
        if self.tell_size() {
            self.link.send(&Frame::Redraw);
        }
    }

    /// Tells the daemon how large the terminal is, if there is one.
    fn tell_size(&mut self) -> bool {
        let size = self.seat.canvas.measure();
        size.is_some_and(|size| {
            self.link.send(&Frame::Resize(size));
            true
        })
    }
}
