//! A terminal with somebody at it: drives programs that talk to people.
//!
//! Keys are sent only when the prompt is drawn with the cursor behind it. A line editor flushes what was
//! typed before it took over the terminal, so a key sent earlier may be lost, or echoed twice.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::Signal;
use nix::sys::termios::{InputFlags, LocalFlags, OutputFlags, SetArg, tcgetattr, tcsetattr};

use crate::screen::Screen;
use crate::wait::{SOON, check, eventually};
use crate::{Referee, bins, proc, sys};

/// A terminal and the program on it.
pub struct Term {
    master: PtyMaster,
    child: Child,
    screen: Screen,
    raw: Vec<u8>,
}

impl Term {
    /// Runs a command on a terminal of 24 rows and 80 columns, in a session of its own.
    #[track_caller]
    pub fn spawn(command: &Command) -> Self {
        Self::spawn_sized(command, 24, 80)
    }

    /// The same with another size.
    #[track_caller]
    pub fn spawn_sized(command: &Command, rows: u16, columns: u16) -> Self {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags).expect("a terminal can be had");
        grantpt(&master).expect("a terminal can be granted");
        unlockpt(&master).expect("a terminal can be unlocked");
        let name = ptsname_r(&master).expect("a terminal has a name");
        sys::set_window(&master, rows, columns).expect("a terminal has a size");
        let child = in_session(command, Path::new(&name))
            .spawn()
            .expect("the puppet can be started");
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("a flag can be set");
        Self {
            master,
            child,
            screen: Screen::new(rows, columns),
            raw: Vec::new(),
        }
    }

    /// The program's pid.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid is an i32")
    }

    /// What is on the screen by now, and what scrolled off it.
    pub fn text(&mut self) -> String {
        self.take_in();
        self.screen.text()
    }

    /// The rows of the window, and that of the cursor, from 0.
    pub fn window(&mut self) -> (Vec<String>, usize) {
        self.take_in();
        (self.screen.window(), self.screen.cursor_row())
    }

    /// Every byte that came.
    pub fn raw(&mut self) -> &[u8] {
        self.take_in();
        &self.raw
    }

    /// The modes of the terminal, in words.
    pub fn modes(&self) -> String {
        let modes = tcgetattr(&self.master).expect("a terminal has modes");
        format!(
            "{:?} {:?} {:?} {:?} {:?}",
            modes.input_flags,
            modes.output_flags,
            modes.control_flags,
            modes.local_flags,
            modes.control_chars
        )
    }

    /// Gives the terminal the modes in which a shell leaves it to others: whole lines, which are echoed.
    pub fn cook(&self) {
        let mut modes = tcgetattr(&self.master).expect("a terminal has modes");
        modes.input_flags |= InputFlags::ICRNL;
        modes.output_flags |= OutputFlags::OPOST;
        modes.local_flags |= LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG;
        tcsetattr(&self.master, SetArg::TCSANOW, &modes).expect("a terminal takes modes");
    }

    /// Takes the terminal away, as when its window is closed.
    pub fn hang_up(&mut self) {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        self.master = posix_openpt(flags).expect("a terminal can be had");
    }

    /// Presses keys, without looking.
    #[track_caller]
    pub fn send(&mut self, keys: &str) {
        self.master
            .write_all(keys.as_bytes())
            .expect("a terminal takes keys");
    }

    /// Presses more keys than the terminal may take at once, while looking.
    #[track_caller]
    pub fn send_all(&mut self, keys: &str) {
        let mut rest = keys.as_bytes();
        eventually("room for keys", SOON, || {
            self.take_in();
            if let Ok(count) = self.master.write(rest) {
                rest = &rest[count..];
            }
            check(rest.is_empty(), || format!("{} keys are left", rest.len()))
        });
    }

    /// Types a line when the prompt is there, as people do: the next key after the one before is seen. At the
    /// end the line has been taken, so that a prompt that is seen then is a new one.
    #[track_caller]
    pub fn type_line(&mut self, prompt: &str, line: &str) {
        self.wait_prompt(prompt);
        self.send(line);
        self.wait_typed(&format!("{prompt}{line}"));
        let row = self.screen.row();
        self.send("\r");
        eventually(&format!("{line:?} to be taken"), SOON, || {
            self.take_in();
            check(self.screen.row() > row, || self.screen.text())
        });
    }

    /// Waits until the prompt is drawn, nothing is typed behind it, and the cursor stands there.
    #[track_caller]
    pub fn wait_prompt(&mut self, prompt: &str) {
        let what = format!("the prompt {prompt:?}");
        eventually(&what, SOON, || {
            self.take_in();
            let (before, after) = (self.screen.before_cursor(), self.screen.after_cursor());
            check(before == prompt && after.is_empty(), || self.screen.text())
        });
    }

    /// Waits until this stands before the cursor.
    #[track_caller]
    pub fn wait_typed(&mut self, text: &str) {
        eventually(&format!("{text:?} before the cursor"), SOON, || {
            self.take_in();
            check(self.screen.before_cursor().ends_with(text), || {
                self.screen.text()
            })
        });
    }

    /// Waits until this is on the screen or was.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        eventually(&format!("{text:?} on the screen"), SOON, || {
            self.take_in();
            check(self.screen.text().contains(text), || self.screen.text())
        });
    }

    /// What is on the screen now, in the eyes of another terminal.
    pub fn shown(&mut self) -> Referee {
        self.take_in();
        let (rows, columns) = self.screen.size();
        let mut shown = Referee::new(rows, columns);
        shown.feed(&self.raw);
        shown
    }

    /// Waits until this is on the screen, and gives what is.
    #[track_caller]
    pub fn wait_shown(&mut self, text: &str) -> Referee {
        eventually(&format!("{text:?} on the screen now"), SOON, || {
            let shown = self.shown();
            check(shown.text().contains(text), || shown.text()).map(|()| shown)
        })
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        sys::set_window(&self.master, rows, columns).expect("a terminal has a size");
        self.screen.resize(rows, columns);
    }

    /// Waits for the program's end.
    #[track_caller]
    pub fn wait_exit(&mut self, deadline: Duration) -> ExitStatus {
        eventually("the end of the program on the terminal", deadline, || {
            self.take_in();
            let ended = self.child.try_wait().map_err(|error| error.to_string())?;
            ended.ok_or_else(|| self.screen.text())
        })
    }

    fn take_in(&mut self) {
        let mut chunk = [0; 16 * 1024];
        while let Ok(count @ 1..) = self.master.read(&mut chunk) {
            self.screen.feed(&chunk[..count]);
            self.raw.extend_from_slice(&chunk[..count]);
        }
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- on the screen ---\n{}\n---------------------",
                self.text()
            );
        }
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            proc::signal(self.pid(), Signal::SIGKILL);
            self.child.wait().ok();
        }
    }
}

/// The command, started by the puppet on a terminal that it makes its own first.
fn in_session(command: &Command, tty: &Path) -> Command {
    let mut words = Command::new(bins::puppet());
    words
        .arg("--in-session")
        .arg(tty)
        .arg(command.get_program());
    words.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => words.env(name, value),
            None => words.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        words.current_dir(dir);
    }
    words.stdin(Stdio::null()).stdout(Stdio::null());
    words
}
