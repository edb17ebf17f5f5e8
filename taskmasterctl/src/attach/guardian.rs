//! The guardian: a tiny process that puts the terminal in order if the client is killed outright.
//!
//! It is this very program in a hidden mode. It waits at the end of a pipe that only the client holds: the end of
//! the pipe without a goodbye means that the client could not do it any more. It inherits a mask that keeps
//! every signal of the terminal from it.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::termios::{
    ControlFlags, InputFlags, LocalFlags, OutputFlags, SetArg, Termios, tcgetattr, tcsetattr,
};

use shared::tracker::Tracker;

/// The first word of the hidden mode.
pub(crate) const WORD: &str = "--guard-terminal";
/// What the client says when it has put the terminal in order itself.
const GOODBYE: &[u8] = b".";

/// How long a terminal may take nothing, in milliseconds, before it is given up.
const ROOM_PATIENCE: u16 = 2000;

/// What it looks after.
#[derive(Clone, Copy, Debug)]
pub(super) enum Duty {
    /// The modes of the terminal.
    Modes,
    /// And what is painted on it.
    Picture,
}

/// What stands before the modes if there is a picture.
const PICTURE_MARK: char = '+';

/// A guardian on duty.
#[derive(Debug)]
pub(super) struct Guardian {
    child: Child,
}

impl Guardian {
    /// Posts one at the terminal `tty`, whose modes were `modes`.
    pub(super) fn post(tty: BorrowedFd<'_>, modes: &Termios, duty: Duty) -> io::Result<Self> {
        let mut word = write_modes(modes);
        if let Duty::Picture = duty {
            word.insert(0, PICTURE_MARK);
        }
        let child = Command::new("/proc/self/exe")
            .arg(WORD)
            .arg(word)
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

/// The guardian's own life: `modes` are those to put back.
pub(crate) fn watch(modes: Option<&str>) -> ExitCode {
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
    let mut said = Vec::new();
    let heard = io::stdin().take(16).read_to_end(&mut said);
    match (modes, heard) {
        (Some(modes), Ok(_)) if said != GOODBYE => restore(modes),
        (_, _) => {}
    }
    ExitCode::SUCCESS
}

fn restore(modes: &str) {
    let tty = io::stdout();
    let picture = modes.strip_prefix(PICTURE_MARK);
    if picture.is_some() {
        // Where it ends is not known: below the last row there is none of it.
        let leave = [&Tracker::leave_unknown()[..], b"\x1b[9999B\r\n"].concat();
        write_out(tty.as_fd(), &leave);
    }
    if let Ok(mut now) = tcgetattr(tty.as_fd())
        && read_modes(picture.unwrap_or(modes), &mut now).is_some()
    {
        let _ = tcsetattr(tty.as_fd(), SetArg::TCSAFLUSH, &now);
    }
}

/// Writes to a terminal that may be full of what the client left, as long as it takes some within a while.
fn write_out(tty: BorrowedFd<'_>, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match nix::unistd::write(tty, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                let mut room = [PollFd::new(tty, PollFlags::POLLOUT)];
                if !matches!(
                    poll(&mut room, PollTimeout::from(ROOM_PATIENCE)),
                    Ok(1..) | Err(Errno::EINTR)
                ) {
                    return;
                }
            }
            Err(_) => return,
        }
    }
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
