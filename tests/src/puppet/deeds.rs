//! What a puppet can do once: write, fork, meddle with its terminal.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;
use nix::sys::termios;
use nix::unistd::{ForkResult, Uid, getpgrp, getsid, setresuid, setsid};
use serde_json::json;

use super::orders::Deed;
use super::play::Puppet;

/// How a child of a puppet takes signals.
#[derive(Clone, Copy)]
pub(super) enum Child {
    /// It dies of them.
    Meek,
    /// Only SIGKILL ends it.
    Stubborn,
}

/// Writes all of it, however long the reader makes us wait. Says whether the reader was still there.
pub(super) fn write_all(fd: i32, bytes: &[u8]) -> bool {
    match fd {
        1 => written(std::io::stdout(), bytes),
        _ => written(std::io::stderr(), bytes),
    }
}

fn written(to: impl AsFd, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match nix::unistd::write(&to, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(nix::Error::EINTR) => {}
            Err(_) => return false,
        }
    }
    true
}

/// Line `number` of a flood: 64 bytes with the newline.
pub fn flood_line(number: u64) -> String {
    format!("{number:015} abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTU\n")
}

impl Puppet {
    /// Does one deed.
    pub(super) fn perform(&mut self, deed: Deed) {
        match deed {
            Deed::Write { fd, bytes } => {
                let kept = write_all(fd, &bytes);
                self.report("wrote", json!({"fd": fd, "bytes": bytes.len(), "ok": kept}));
            }
            Deed::Cat(path) => self.cat(&path),
            Deed::Flood { fd, bytes } => self.flood(fd, bytes),
            Deed::Raw => self.raw(),
            Deed::ReopenTty => self.reopen_tty(),
            Deed::CloseOut => self.close_out(),
            Deed::Fork => self.fork("fork", Child::Meek),
            Deed::ForkStubborn => self.fork("fork", Child::Stubborn),
            Deed::ForkSetsid => self.fork("setsid", Child::Meek),
            Deed::DoubleFork => self.double_fork(),
            Deed::ForkHoldTty(time) => self.fork_hold_tty(time),
            Deed::ReadStdin => self.read_stdin(),
            Deed::TrySetuidRoot => {
                let root = Uid::from_raw(0);
                let got = setresuid(root, root, root).is_ok();
                self.report("setuid_root", json!({"ok": got}));
            }
            Deed::Lock(path) => self.lock(&path),
        }
    }

    fn cat(&self, path: &Path) {
        let bytes = fs::read(path).unwrap_or_default();
        let kept = write_all(1, &bytes);
        self.report("wrote", json!({"fd": 1, "bytes": bytes.len(), "ok": kept}));
    }

    fn flood(&self, fd: i32, bytes: u64) {
        let mut number = 0;
        let mut chunk = String::with_capacity(64 * 1024);
        while bytes == 0 || number * 64 < bytes {
            chunk.clear();
            while chunk.len() < 64 * 1024 && (bytes == 0 || number * 64 < bytes) {
                chunk.push_str(&flood_line(number));
                number += 1;
            }
            if !write_all(fd, chunk.as_bytes()) {
                break;
            }
            self.listen_for(Some(Duration::ZERO));
        }
        self.report("flooded", json!({"fd": fd, "bytes": number * 64}));
    }

    fn raw(&self) {
        let stdout = std::io::stdout();
        if let Ok(mut modes) = termios::tcgetattr(&stdout) {
            termios::cfmakeraw(&mut modes);
            termios::tcsetattr(&stdout, termios::SetArg::TCSANOW, &modes).ok();
        }
    }

    fn reopen_tty(&self) {
        let name = fs::read_link("/proc/self/fd/0").unwrap_or_default();
        for fd in 0..3 {
            nix::unistd::close(fd).ok();
        }
        let mut options = OpenOptions::new();
        for _ in 0..3 {
            // Kept open for good: the numbers 0, 1 and 2 are the point.
            std::mem::forget(options.read(true).write(true).open(&name));
        }
        let kept = write_all(1, b"reopened\n");
        self.report(
            "reopened",
            json!({"tty": name.to_string_lossy(), "ok": kept}),
        );
    }

    fn close_out(&self) {
        nix::unistd::close(1).ok();
        nix::unistd::close(2).ok();
        self.report("closed", json!({}));
    }

    /// One more process: in the same group, or in a session of its own.
    pub(super) fn fork(&self, kind: &str, child: Child) {
        let Ok(ForkResult::Child) = crate::sys::fork() else {
            return;
        };
        if kind == "setsid" {
            setsid().ok();
        }
        self.settle_down(kind, child)
    }

    fn double_fork(&self) {
        match crate::sys::fork() {
            Ok(ForkResult::Parent { child }) => {
                nix::sys::wait::waitpid(child, None).ok();
            }
            Ok(ForkResult::Child) => {
                setsid().ok();
                if let Ok(ForkResult::Child) = crate::sys::fork() {
                    self.settle_down("double", Child::Meek);
                }
                std::process::exit(0)
            }
            Err(_) => {}
        }
    }

    /// A grandchild's life: it reports itself, lets go of the terminal, and stays.
    fn settle_down(&self, kind: &str, child: Child) -> ! {
        self.report(
            "grandchild",
            json!({"kind": kind, "pgid": getpgrp().as_raw(),
                   "sid": getsid(None).map(|sid| sid.as_raw()).unwrap_or(-1)}),
        );
        match child {
            Child::Meek => SigSet::all().thread_unblock().ok(),
            Child::Stubborn => SigSet::all().thread_block().ok(),
        };
        loop {
            nix::unistd::pause();
        }
    }

    /// A grandchild that outlives its parent and writes one line when the time has come.
    fn fork_hold_tty(&self, time: Duration) {
        let Ok(ForkResult::Child) = crate::sys::fork() else {
            return;
        };
        SigSet::all().thread_block().ok();
        self.report("grandchild", json!({"kind": "hold"}));
        let ms = PollTimeout::try_from(time.as_millis()).unwrap_or(PollTimeout::MAX);
        poll(&mut [], ms).ok();
        let kept = write_all(1, b"late words\n");
        self.report("late", json!({"ok": kept}));
        std::process::exit(0)
    }

    fn read_stdin(&self) {
        let stdin = std::io::stdin();
        let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        let found = match poll(&mut fds, 300u16) {
            Ok(0) | Err(_) => "nothing".to_owned(),
            Ok(_) => match stdin.lock().read(&mut [0; 64]) {
                Ok(0) => "end".to_owned(),
                Ok(count) => format!("{count} bytes"),
                Err(error) => format!("error {}", error.raw_os_error().unwrap_or(0)),
            },
        };
        self.report("stdin", json!({"found": found}));
    }

    /// Holds a lock named after itself for as long as it lives: there must never be two of it.
    fn lock(&self, path: &Path) {
        let mut path = path.to_owned().into_os_string();
        path.push(format!(".{}", self.name.replace([':', '/'], "_")));
        let file = File::create(&path).expect("a lock file can be made");
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => {
                writeln!(&*lock, "{}", std::process::id()).ok();
                std::mem::forget(lock);
            }
            Err(_) => {
                self.report("locked_out", json!({}));
                self.leave(99)
            }
        }
    }
}
