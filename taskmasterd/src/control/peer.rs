//! Who is at the other end of a connection, and whether he may speak.
//!
//! The kernel's word, taken once, when the connection is accepted. Numbers only: nothing that the peer says of
//! himself is believed.

use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::{getsockopt, sockopt};
use shared::event::Cause;

/// The identity of a peer as it was when it connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its effective user.
    pub uid: u32,
    /// Its process; for the log only, as the number may have been passed on since.
    pub pid: i32,
}

impl Peer {
    /// Asks the kernel.
    ///
    /// # Errors
    /// What getsockopt(2) says of a descriptor that is no connected Unix socket.
    pub fn of(stream: impl AsFd) -> io::Result<Self> {
        let credentials = getsockopt(&stream, sockopt::PeerCredentials)?;
        Ok(Self {
            uid: credentials.uid(),
            pid: credentials.pid(),
        })
    }

    /// Whether he is root or the daemon's own user.
    pub fn is_master(self) -> bool {
        self.uid == 0 || self.uid == nix::unistd::geteuid().as_raw()
    }

    /// Whether he may do anything at all. Root and the daemon's own user may; others may if the configuration gave
    /// the socket a mode for them, in which case the kernel has let in just those whom mode and group admit.
    pub fn may_speak(self, socket_mode: u32) -> bool {
        self.is_master() || socket_mode & 0o077 != 0
    }

    /// The peer as the cause of what he asked for.
    pub fn cause(self) -> Cause {
        Cause::Peer {
            uid: self.uid,
            pid: self.pid,
        }
    }
}
