//! The helper: our own binary, run once more to do what the reactor must not wait for.
//!
//! It is started as every child is, with a pipe for its words and nothing else, and lives for one task: it
//! reads and checks a configuration, and hands back the result as JSON.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use shared::name::ProcessName;

use super::failure::failure;
use super::heritage::Heritage;
use super::order::{Order, Stderr};
use super::pty::Window;
use super::spawn::spawn;
use crate::config::model::{Config, Launch, Tty};
use crate::sys;

/// The word that turns our binary into a helper; no option a user would write.
pub const HELPER: &str = "--internal-read-configuration";

/// What a helper found.
#[derive(Debug, Serialize, Deserialize)]
pub enum Verdict {
    /// The configuration as it is meant.
    Good(Box<Config>),
    /// What is wrong with it.
    Problems(Vec<String>),
}

/// Starts a helper on the configuration at `path`, for a daemon with that event log; its words come through the
/// descriptor.
///
/// # Errors
/// Why there is none, in words.
pub fn start(
    path: &Path,
    event_log: Option<&Path>,
    heritage: &Heritage,
) -> Result<(sys::Child, OwnedFd), String> {
    let path = path
        .to_str()
        .ok_or("the path of the configuration is not UTF-8")?;
    let event_log = event_log
        .map_or(Some(""), Path::to_str)
        .ok_or("the path of the event log is not UTF-8")?;
    // Even if the file of our binary has been replaced since, this is the one that runs.
    let argv = ["/proc/self/exe", HELPER, path, event_log];
    let mut argv: Vec<String> = argv.map(Into::into).into();
    // It may have been removed since, and the helper could not ask for it. One that is not UTF-8 it asks for.
    argv.extend(heritage.directory.to_str().map(Into::into));
    let launch = Launch {
        tty: Tty::None,
        umask: 0o077,
        ..Launch::new(argv)
    };
    let name = ProcessName::new("configuration".parse()?, 0);
    let order = Order::new(&launch, &name, Stderr::Own, Window::default(), heritage)
        .map_err(|failure| failure.detail)?;
    let spawned = spawn(&Rc::new(order.copied()))
        .map_err(|(stage, errno)| failure(stage, errno, &launch).detail)?;
    let output = spawned.stdout.ok_or("it has no standard output")?;
    Ok((spawned.child, output))
}

/// Reads what a helper said; `None` if it did not finish.
pub fn read_verdict(said: &[u8]) -> Option<Verdict> {
    serde_json::from_slice(said).ok()
}
