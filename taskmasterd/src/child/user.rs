//! Becoming another user for good, and making sure of it. Everything here runs between fork and exec, and
//! neither allocates nor locks.

use nix::errno::Errno;

use super::failure::Stage;
use crate::config::model::Identity;
use crate::sys::raw;

/// Makes this process `target` and nobody else, with no way back; the step that failed, if not.
///
/// `groups` are the target's, sorted; `room` has space for one more, to notice one too many.
pub(super) fn assume(
    target: &Identity,
    groups: &[u32],
    room: &mut [u32],
) -> Result<(), (Stage, Errno)> {
    raw::set_groups(groups).map_err(|errno| (Stage::Groups, errno))?;
    raw::set_gid(target.gid).map_err(|errno| (Stage::Gid, errno))?;
    raw::set_uid(target.uid).map_err(|errno| (Stage::Uid, errno))?;
    let is_target = raw::uids() == Ok([target.uid; 4])
        && raw::gids() == Ok([target.gid; 4])
        // The kernel keeps groups sorted, and so do we.
        && raw::groups(room).is_ok_and(|present| present == groups);
    // Last, because it is the one look that could change something.
    if !is_target || (target.uid != 0 && raw::set_uid(0).is_ok()) {
        return Err((Stage::Verify, Errno::EPERM));
    }
    Ok(())
}
