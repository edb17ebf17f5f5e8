//! `--daemonize`: the daemon in the background, and a caller who knows whether it came up.
//!
//! The daemon runs itself once more, in a session of its own; the caller waits for its word on a pipe. What
//! goes wrong before that word is said on the caller's standard error, and is his exit code.

use std::ffi::CString;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, Stdio};

use taskmasterd::files::reason;
use taskmasterd::sys;

use crate::options::DAEMONIZED;
use crate::say::complain;

/// What the daemon is called.
const NAME: &str = "taskmasterd";
/// What the daemon says when it is up.
const READY: &str = "ready\n";

/// In the caller: starts the daemon and waits for its word.
pub(crate) fn launch() -> ExitCode {
    match try_launch() {
        Ok(code) => code,
        Err(error) => {
            complain(format_args!(
                "taskmasterd: cannot go into the background: {}",
                reason(&error)
            ));
            ExitCode::FAILURE
        }
    }
}

fn try_launch() -> io::Result<ExitCode> {
    let mut arguments = std::env::args_os();
    let own_name = arguments.next().unwrap_or_else(|| NAME.into());
    // A lock or a pipe of the caller's would be held for as long as the daemon lives.
    sys::close_others_on_exec()?;
    let mut daemon = Command::new("/proc/self/exe")
        .arg0(own_name)
        .arg(format!("--{DAEMONIZED}"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    if let Some(mut output) = daemon.stdout.take() {
        output.read_to_string(&mut said)?;
    }
    if said == READY {
        return Ok(ExitCode::SUCCESS);
    }
    let status = daemon.wait()?;
    if let Some(signal) = status.signal() {
        complain(format_args!(
            "taskmasterd: the daemon was killed by {} as it started",
            shared::signal::name(signal)
        ));
    }
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .filter(|&code| code != 0)
        .unwrap_or(1)
        .into())
}

/// In the daemon: takes the name that ps(1) and pgrep(1) know it by, where the kernel took `exe` from the path.
pub(crate) fn take_name() -> io::Result<()> {
    let name = CString::new(NAME)?;
    Ok(nix::sys::prctl::set_name(&name)?)
}

/// In the daemon: leaves the caller's session and terminal, and says that it is up.
pub(crate) fn ready() -> io::Result<()> {
    nix::unistd::setsid()?;
    let mut stdout = io::stdout();
    stdout.write_all(READY.as_bytes())?;
    stdout.flush()?;
    let null = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    Ok(())
}
