//! Becoming another user for good, and making sure of it. Everything here runs between fork and exec, and
//! neither allocates nor locks.

use std::io;

use nix::errno::Errno;
use nix::unistd::{getresgid, getresuid, setfsgid, setfsuid};

use super::failure::Stage;
use crate::config::model::Identity;
use crate::sys;

/// An id that nobody has: asking for it changes nothing and tells the present one.
const NO_ID: u32 = u32::MAX;

/// Makes this process `target` and nobody else, with no way back; the step that failed, if not.
///
/// `groups` are the target's, sorted; `room` has space for one more, to notice one too many.
pub(super) fn assume(
    target: &Identity,
    groups: &[u32],
    room: &mut [u32],
) -> Result<(), (Stage, Errno)> {
    sys::set_groups(groups).map_err(|error| (Stage::Groups, errno(&error)))?;
    sys::set_gid(target.gid).map_err(|error| (Stage::Gid, errno(&error)))?;
    sys::set_uid(target.uid).map_err(|error| (Stage::Uid, errno(&error)))?;
    let is_target = has_uids(target.uid) && has_gids(target.gid) && has_groups(groups, room);
    // Last, because it is the one look that could change something.
    if !is_target || (target.uid != 0 && sys::set_uid(0).is_ok()) {
        return Err((Stage::Verify, Errno::EPERM));
    }
    Ok(())
}

fn has_uids(uid: u32) -> bool {
    let fs = setfsuid(NO_ID.into());
    getresuid().is_ok_and(|ids| {
        [ids.real, ids.effective, ids.saved, fs]
            .iter()
            .all(|id| id.as_raw() == uid)
    })
}

fn has_gids(gid: u32) -> bool {
    let fs = setfsgid(NO_ID.into());
    getresgid().is_ok_and(|ids| {
        [ids.real, ids.effective, ids.saved, fs]
            .iter()
            .all(|id| id.as_raw() == gid)
    })
}

/// The kernel keeps groups sorted, and so do we.
fn has_groups(groups: &[u32], room: &mut [u32]) -> bool {
    sys::groups(room).is_ok_and(|present| present == groups)
}

/// The kernel's number for what went wrong.
pub(super) fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}
