//! Whose the daemon may be to which something is said.

use std::os::fd::BorrowedFd;

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Uid, geteuid};

use crate::call::{Failure, Reason};

/// Whose it may be.
#[derive(Debug)]
pub(crate) enum Whose {
    /// Anybody's: the user named its socket.
    Anybodys,
    /// Root's, or the user's own: under `/tmp` others could have made the usual socket before he did.
    RootsOrOurs,
}

impl Whose {
    /// Refuses the daemon at the other end, which has been told nothing yet, if it may not be his.
    pub(crate) fn check(&self, connection: BorrowedFd<'_>) -> Result<(), Failure> {
        match self {
            Self::Anybodys => Ok(()),
            Self::RootsOrOurs => {
                let peer = getsockopt(&connection, sockopt::PeerCredentials)?;
                let uid = Uid::from_raw(peer.uid());
                if uid.is_root() || uid == geteuid() {
                    return Ok(());
                }
                Err(Failure::Unreachable(Reason::Stranger(uid.as_raw())))
            }
        }
    }
}
