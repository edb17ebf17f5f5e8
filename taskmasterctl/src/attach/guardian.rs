//! The guardian: a tiny process that puts the terminal in order if the client is killed outright.
//!
//! It is this very program in a hidden mode. It waits at the end of a pipe that only the client holds: the end of
//! the pipe without a goodbye means that the client could not do it any more. It inherits a mask that keeps
//! every signal of the terminal from it.
//!
//! It never takes the terminal from anybody: where another program is in front, and stays there, nothing is done, and
//! modes that are no longer the client's are those of somebody who is at home there.

use std::ffi::{CStr, OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::poll::poll;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::termios::{
    ControlFlags, FlushArg, InputFlags, LocalFlags, OutputFlags, SetArg, Termios, cfmakeraw,
    tcflush, tcgetattr, tcsetattr,
};
use nix::unistd::{Pid, getpgrp, tcgetpgrp};

use shared::tracker::Tracker;

use super::{stat, tty};

/// The first word of the hidden mode.
pub(crate) const WORD: &str = "--guard-terminal";
/// What it is called in a list of processes.
const NAME: &CStr = c"taskmasterctl";
/// What the client says when it has put the terminal in order itself.
const GOODBYE: &[u8] = b".";

/// How long a terminal may take nothing, full of what the client left, before it is given up.
const ROOM_PATIENCE: Duration = Duration::from_secs(2);
/// How long another program in front is waited for. One that stood behind the client on the shell's line is in front as
/// soon as the client is dead, and often over at once; one that stays has made itself at home.
const FRONT_PATIENCE: Duration = Duration::from_secs(2);
/// How long from one look at who is in front to the next, in milliseconds: nobody is told of it. The user sees no
/// delay.
const LOOK_MS: u8 = 20;

/// What it looks after.
#[derive(Clone, Copy, Debug)]
pub(super) enum Duty {
    /// The modes of a terminal that is typed on.
    Modes,
    /// What is painted on a terminal.
    Picture,
    /// Both, on one terminal.
    Both,
}

impl Duty {
    /// As a word for the guardian.
    fn word(self) -> &'static str {
        match self {
            Self::Modes => "modes",
            Self::Picture => "picture",
            Self::Both => "both",
        }
    }

    /// The modes of a terminal that is taken over: raw, where it is typed on. Who does not paint on it leaves it to
    /// others to, as `tee` does behind him, and their lines are finished as they were.
    pub(super) fn raw(self, before: &Termios) -> Termios {
        let mut raw = before.clone();
        match self {
            Self::Modes => {
                cfmakeraw(&mut raw);
                raw.output_flags = before.output_flags;
            }
            Self::Picture => {}
            Self::Both => cfmakeraw(&mut raw),
        }
        raw
    }
}

/// A guardian on duty.
#[derive(Debug)]
pub(super) struct Guardian {
    child: Child,
}

impl Guardian {
    /// Posts one at the terminal `tty`, whose modes were `modes`.
    pub(super) fn post(tty: BorrowedFd<'_>, modes: &Termios, duty: Duty) -> io::Result<Self> {
        let groups = [getpgrp(), stat::group_of_shell()];
        let child = Command::new("/proc/self/exe")
            .arg0(OsStr::from_bytes(NAME.to_bytes()))
            .arg(WORD)
            .args([duty.word(), &write_modes(modes)])
            .args(groups.map(|group| group.to_string()))
            .stdin(Stdio::piped())
            .stdout(tty.try_clone_to_owned()?)
            .stderr(Stdio::null())
            // What is aimed at the client's group is not meant for it.
            .process_group(0)
            .spawn()?;
        Ok(Self { child })
    }

    /// Sends it home: there is nothing to guard any more.
    pub(super) fn dismiss(mut self) {
        if let Some(mut pipe) = self.child.stdin.take() {
            let _ = pipe.write_all(GOODBYE);
        }
        let _ = self.child.wait();
    }
}

/// What a guardian is told.
struct Orders {
    duty: Duty,
    /// The modes that are to be put back.
    before: Termios,
    /// The process groups that may be in front: the client's own, and that of the shell which started it.
    groups: Vec<Pid>,
}

impl Orders {
    /// `now` are the modes of the terminal, of which most is no part of the orders.
    fn read(words: impl IntoIterator<Item = OsString>, now: &Termios) -> Option<Self> {
        let words: Vec<OsString> = words.into_iter().collect();
        let words: Option<Vec<&str>> = words.iter().map(|word| word.to_str()).collect();
        let words = words?;
        let [duty, modes, groups @ ..] = &words[..] else {
            return None;
        };
        let duty = [Duty::Modes, Duty::Picture, Duty::Both]
            .into_iter()
            .find(|known| known.word() == *duty)?;
        let mut before = now.clone();
        read_modes(modes, &mut before)?;
        let groups = groups.iter().filter_map(|group| group.parse().ok());
        Some(Self {
            duty,
            before,
            groups: groups.map(Pid::from_raw).collect(),
        })
    }

    /// Whether nobody else has the terminal. Of one that is not that of our session nobody is in front.
    fn are_for(&self, tty: BorrowedFd<'_>) -> bool {
        tcgetpgrp(tty).map_or(true, |front| self.groups.contains(&front))
    }

    /// Waits until nobody else has the terminal. Says whether that came.
    fn wait_for(&self, tty: BorrowedFd<'_>) -> bool {
        let deadline = Instant::now() + FRONT_PATIENCE;
        while !self.are_for(tty) {
            if Instant::now() > deadline {
                return false;
            }
            let _ = poll(&mut [], LOOK_MS);
        }
        true
    }

    fn carry_out(&self, tty: BorrowedFd<'_>) {
        if !self.wait_for(tty) {
            return;
        }
        // First, and at once: the shell changes them too, as soon as it hears of the end of the client.
        let ours = self.put_modes_back(tty);
        match self.duty {
            Duty::Modes => {}
            Duty::Picture | Duty::Both => {
                // Where it ends is not known: below the last row there is none of it.
                let leave = [&Tracker::leave_unknown()[..], b"\x1b[9999B\r\n"].concat();
                tty::write_out(tty, &leave, ROOM_PATIENCE);
            }
        }
        if ours {
            // What the terminal reported until it was told not to would be typed into the shell.
            let _ = tcflush(tty, FlushArg::TCIFLUSH);
        }
    }

    /// Puts the modes back if they are the client's and have stayed so. Says whether they had.
    fn put_modes_back(&self, tty: BorrowedFd<'_>) -> bool {
        match self.duty {
            Duty::Modes | Duty::Both => {}
            Duty::Picture => return false,
        }
        let raw = self.duty.raw(&self.before);
        let ours = tcgetattr(tty).is_ok_and(|now| write_modes(&now) == write_modes(&raw));
        if ours {
            let _ = tcsetattr(tty, SetArg::TCSANOW, &self.before);
        }
        ours
    }
}

/// The guardian's own life, with the words that stand behind [`WORD`].
pub(crate) fn watch(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    // It would be called as the link is by which it was executed: exe.
    let _ = prctl::set_name(NAME);
    let job_signals = [
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGTSTP,
        Signal::SIGTTOU,
        Signal::SIGTTIN,
    ];
    // A background process may change a terminal only if it holds SIGTTOU back.
    let _ = SigSet::from_iter(job_signals).thread_block();
    let tty = io::stdout();
    let orders = tcgetattr(tty.as_fd()).ok();
    let orders = orders.and_then(|now| Orders::read(words, &now));
    let mut said = Vec::new();
    let heard = io::stdin().take(16).read_to_end(&mut said);
    match (orders, heard) {
        (Some(orders), Ok(_)) if said != GOODBYE => orders.carry_out(tty.as_fd()),
        (_, _) => {}
    }
    ExitCode::SUCCESS
}

/// The modes as one word: four numbers and the control characters, in hexadecimal.
fn write_modes(modes: &Termios) -> String {
    let flags = [
        modes.input_flags.bits(),
        modes.output_flags.bits(),
        modes.control_flags.bits(),
        modes.local_flags.bits(),
    ];
    let flags = flags.map(|flags| format!("{flags:x}"));
    let characters = modes
        .control_chars
        .map(|character| format!("{character:x}"));
    [&flags[..], &characters[..]].concat().join(":")
}

fn read_modes(word: &str, modes: &mut Termios) -> Option<()> {
    let numbers: Result<Vec<u32>, _> = word
        .split(':')
        .map(|number| u32::from_str_radix(number, 16))
        .collect();
    let numbers = numbers.ok()?;
    let (&[input, output, control, local], characters) = numbers.split_first_chunk()?;
    modes.input_flags = InputFlags::from_bits_retain(input);
    modes.output_flags = OutputFlags::from_bits_retain(output);
    modes.control_flags = ControlFlags::from_bits_retain(control);
    modes.local_flags = LocalFlags::from_bits_retain(local);
    for (place, &character) in modes.control_chars.iter_mut().zip(characters) {
        *place = u8::try_from(character).ok()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::pty::openpty;
    use nix::sys::termios::cfmakeraw;

    #[test]
    fn modes_survive_being_written_down() {
        let pty = openpty(None, None).unwrap();
        let modes = tcgetattr(&pty.slave).unwrap();
        let mut other = modes.clone();
        cfmakeraw(&mut other);
        other.control_chars[0] = 200;
        let word = write_modes(&modes);
        assert_ne!(write_modes(&other), word);
        read_modes(&word, &mut other).unwrap();
        assert_eq!(write_modes(&other), word);
        assert!(read_modes("1:2", &mut other).is_none());
    }
}
