//! The user's seat: a keyboard to read from and a canvas to paint on, taken over and given back.
//!
//! Whatever ends the attachment, the terminal is given back as it was: by [`Seat::leave`], by dropping the seat,
//! and where even that cannot happen, by the [`Guardian`].

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::termios::{FlushArg, SetArg, Termios, tcflush, tcgetattr, tcsetattr};
use nix::unistd::{Pid, getppid};
use shared::frame::Size;

use super::canvas::Canvas;
use super::guardian::{Duty, Guardian};
use super::signals::{self, Signals};
use super::speech::{ANSWER_PATIENCE, Answers};
use super::tty;

/// What a terminal answers at once, after all that it was told before.
const FENCE: &[u8] = b"\x1b[5n";
/// Its answer.
const FENCE_ANSWER: &[u8] = b"\x1b[0n";
/// How long mouse reports that are on their way may take.
const FENCE_LEAST: Duration = Duration::from_millis(30);

/// What is typed on.
#[derive(Debug)]
enum Keyboard {
    Terminal(File),
    /// Standard input as it is.
    Plain,
}

/// What a read of the keyboard brought.
#[derive(Debug)]
pub(super) enum Typed {
    Bytes(Vec<u8>),
    Nothing,
    End,
    /// What is no keyboard cannot be read.
    Failed(io::Error),
}

/// A terminal that was taken over.
#[derive(Debug)]
struct Taken {
    before: Termios,
    /// Its modes meanwhile.
    raw: Termios,
    guardian: Option<Guardian>,
}

/// Keyboard and canvas.
#[derive(Debug)]
pub(super) struct Seat {
    keyboard: Keyboard,
    pub(super) canvas: Canvas,
    taken: Option<Taken>,
    /// Looks after a canvas that is not typed on.
    curator: Option<Guardian>,
    /// Who waits for us, as far as is known.
    caller: Option<Pid>,
}

impl Seat {
    /// Finds out what there is to type on and to paint on. Nothing is changed yet.
    pub(super) fn find() -> io::Result<Self> {
        let keyboard = match io::stdin().is_terminal() {
            true => Keyboard::Terminal(tty::open_again(io::stdin())?),
            false => Keyboard::Plain,
        };
        let canvas = match io::stdout().is_terminal() {
            true => Canvas::terminal(tty::open_again(io::stdout())?),
            false => Canvas::plain(),
        };
        Ok(Self {
            keyboard,
            canvas,
            taken: None,
            curator: None,
            caller: Some(getppid()),
        })
    }

    /// Whether somebody types on a terminal.
    pub(super) fn has_keyboard(&self) -> bool {
        match self.keyboard {
            Keyboard::Terminal(_) => true,
            Keyboard::Plain => false,
        }
    }

    /// Whether what the terminal answers is heard: it is typed on as well as painted on.
    pub(super) fn answers(&self) -> bool {
        match (&self.keyboard, self.canvas.tty()) {
            (Keyboard::Terminal(tty), Some(own)) => tty::are_one(own, tty),
            (Keyboard::Plain, _) | (_, None) => false,
        }
    }

    /// The size of what is painted on when that was measured last, where it has one.
    pub(super) fn size(&self) -> Option<Size> {
        self.canvas.size()
    }

    /// Stops in the background, before anything has been asked for.
    pub(super) fn stop_in_background(&self) {
        if !self.is_in_front() {
            signals::stop_group();
        }
    }

    /// Whether nobody else has the terminal that is typed on.
    pub(super) fn is_in_front(&self) -> bool {
        match &self.keyboard {
            Keyboard::Terminal(tty) => signals::is_in_front(tty),
            Keyboard::Plain => true,
        }
    }

    /// Waits until the terminal is ours to take over. Returns the signal that asks us to end instead, if there is one.
    pub(super) fn come_forward(&self, signals: &Signals) -> Option<Signal> {
        match &self.keyboard {
            Keyboard::Terminal(tty) => signals.come_forward(tty),
            Keyboard::Plain => None,
        }
    }

    /// Takes the terminal over: every key comes as it is typed, and nothing is echoed.
    pub(super) fn enter(&mut self) -> io::Result<()> {
        if let Some(own) = self.canvas.tty().filter(|_| !self.answers()) {
            let post = |modes| Guardian::post(own.as_fd(), &modes, Duty::Picture).ok();
            self.curator = tcgetattr(own).ok().and_then(post);
        }
        let Keyboard::Terminal(tty) = &self.keyboard else {
            return Ok(());
        };
        let before = tcgetattr(tty)?;
        let duty = if self.answers() {
            Duty::Both
        } else {
            Duty::Modes
        };
        // Where no process can be started the terminal is unguarded, which is no reason not to go on.
        let guardian = Guardian::post(tty.as_fd(), &before, duty).ok();
        let raw = duty.raw(&before);
        let taken = self.taken.insert(Taken {
            before,
            raw,
            guardian,
        });
        Ok(tcsetattr(tty, SetArg::TCSANOW, &taken.raw)?)
    }

    /// This process is about to die. If it is our caller, nobody waits for us.
    pub(super) fn mourn(&mut self, pid: Pid) {
        self.caller = self.caller.filter(|&caller| caller != pid);
    }

    /// Takes it over again, after somebody else may have changed it.
    pub(super) fn enter_again(&self) {
        if let (Keyboard::Terminal(tty), Some(taken)) = (&self.keyboard, &self.taken) {
            // A terminal that is gone shows at the next read.
            let _ = tcsetattr(tty, SetArg::TCSANOW, &taken.raw);
        }
    }

    /// Gives the terminal back as it was. Says whether it took all that it was told.
    pub(super) fn leave(&mut self) -> bool {
        let in_front = self.is_in_front();
        if in_front {
            // A question may be among them.
            self.canvas.paint_all_held();
        } else {
            self.canvas.cut();
        }
        let answers = self.canvas.answers();
        let left = self.canvas.leave();
        if let Some(curator) = self.curator.take() {
            curator.dismiss();
        }
        let (Keyboard::Terminal(tty), Some(taken)) = (&mut self.keyboard, self.taken.take()) else {
            return left;
        };
        if !in_front {
            // Somebody else has it, and the modes are his.
            if let Some(guardian) = taken.guardian {
                guardian.dismiss();
            }
            return left;
        }
        let own = self.canvas.tty();
        let ours = own.is_some_and(|own| tty::are_one(own, &*tty));
        // Once our caller is dead his shell does not wait for us: it may read the answer already.
        let asks = left && ours && self.caller == Some(getppid());
        match answers {
            Answers::Some if asks => fence(tty, Some(FENCE_ANSWER)),
            // The answer to the process would be taken for the one to us.
            Answers::Well if asks => fence(tty, None),
            Answers::None | Answers::Some | Answers::Well => {}
        }
        if !left {
            // It would be waited for until somebody reads it.
            let _ = tcflush(&*tty, FlushArg::TCOFLUSH);
        }
        let _ = tcsetattr(&*tty, SetArg::TCSAFLUSH, &taken.before);
        if let Some(guardian) = taken.guardian {
            guardian.dismiss();
        }
        left
    }

    /// What was typed.
    pub(super) fn read(&mut self) -> Typed {
        let mut buffer = [0; 4096];
        let read = match &mut self.keyboard {
            Keyboard::Terminal(tty) => tty.read(&mut buffer),
            Keyboard::Plain => nix::unistd::read(io::stdin(), &mut buffer).map_err(Into::into),
        };
        match read {
            Ok(0) => Typed::End,
            Ok(count) => Typed::Bytes(buffer[..count].into()),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                Typed::Nothing
            }
            Err(error) => match self.keyboard {
                Keyboard::Terminal(_) => Typed::End,
                Keyboard::Plain => Typed::Failed(error),
            },
        }
    }

    /// What is to be watched for keys.
    pub(super) fn keyboard(&self) -> BorrowedFd<'_> {
        match &self.keyboard {
            Keyboard::Terminal(tty) => tty.as_fd(),
            Keyboard::Plain => rustix::stdio::stdin(),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Throws away what the terminal still sends because of what it was told before: answers to queries and mouse reports,
/// which would be typed into the shell. They are over when it answers our own query, or does not in time; without an
/// `answer` to tell that by, all of the time is waited. Only for a terminal that has been asked something: an answer
/// to ours that came too late would be typed, too.
fn fence(tty: &mut File, answer: Option<&[u8]>) {
    let start = Instant::now();
    if io::Write::write_all(tty, FENCE).is_err() {
        return;
    }
    let (mut heard, mut answered) = (Vec::new(), false);
    loop {
        let limit = if answered {
            FENCE_LEAST
        } else {
            ANSWER_PATIENCE
        };
        let left = limit.saturating_sub(start.elapsed());
        let mut fds = [PollFd::new(tty.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        if left.is_zero() || !matches!(poll(&mut fds, timeout), Ok(1..)) {
            return;
        }
        let mut buffer = [0; 1024];
        match tty.read(&mut buffer) {
            Ok(count @ 1..) => heard.extend_from_slice(&buffer[..count]),
            Ok(0) | Err(_) => return,
        }
        let says = |answer: &[u8]| heard.windows(answer.len()).any(|part| part == answer);
        answered |= answer.is_some_and(says);
        let keep = heard.len().saturating_sub(FENCE_ANSWER.len());
        heard.drain(..keep);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use nix::pty::openpty;

    use super::super::canvas::Lines;
    use super::*;

    /// All that the terminal has been told.
    fn told(master: impl AsFd) -> String {
        let mut told = Vec::new();
        let mut buffer = [0; 4096];
        let mut fds = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
        while let Ok(1..) = poll(&mut fds, PollTimeout::ZERO) {
            let count = nix::unistd::read(&master, &mut buffer).unwrap();
            told.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8(told).unwrap()
    }

    #[test]
    fn a_panic_leaves_the_terminal_as_it_was() {
        let pty = openpty(None, None).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let mut seat = Seat {
            keyboard: Keyboard::Terminal(tty::open_again(&pty.slave).unwrap()),
            canvas: Canvas::terminal(tty::open_again(&pty.slave).unwrap()),
            taken: None,
            curator: None,
            caller: Some(getppid()),
        };
        // The guardian is this very program, which has no such mode here, and ends.
        seat.enter().unwrap();
        seat.canvas
            .output(b"\x1b[?1049h\x1b[?1000hpicture", Lines::Finished);
        seat.canvas.flush().unwrap();
        assert_ne!(tcgetattr(&pty.slave).unwrap(), before);
        assert!(told(&pty.master).ends_with("picture"));
        let died = catch_unwind(AssertUnwindSafe(move || {
            let _seat = seat;
            panic!("as the test wants it");
        }));
        assert!(died.is_err());
        assert_eq!(tcgetattr(&pty.slave).unwrap(), before);
        let told = told(&pty.master);
        assert!(
            told.starts_with("\x1b[?1049l") && told.contains("\x1b[?1000l"),
            "{told:?}"
        );
    }
}
