//! Who could turn a path elsewhere: the steps on the way to it, and whose they are.

use std::ffi::OsString;
use std::fs::{Metadata, read_link, symlink_metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::limits::LINKS_MAX;

/// A step on the way to a path that somebody could put another in the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead {
    /// The directory, the symlink or the file at the end.
    pub step: PathBuf,
    /// What lets him.
    pub why: Why,
}

/// What lets somebody else lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It belongs to this user, and may be a symlink.
    Owner { uid: u32, link: bool },
    /// Others than its owner can write to it; this is its mode.
    Mode(u32),
}

/// The first step on the way to `path`, from the root of all on, at which somebody other than root and the user `uid`
/// leads: it belongs to him, or he can write to it and it is no sticky directory, as `/tmp` is. Symlinks are
/// steps, and so is what they lead through.
///
/// The way ends where there is nothing or nothing can be seen: nobody could have put it there, and who opens
/// it hears why not.
pub fn led_by_others(path: &Path, uid: u32) -> Option<Lead> {
    walk(path, uid, Sticky::Holds)
}

/// The same for what root opens on behalf of somebody else, who must not have chosen it. He cannot make a directory
/// of root's, but he can have moved a file of root's, or a hard link to one, into a sticky directory.
pub fn chosen_by_others(path: &Path) -> Option<Lead> {
    walk(path, 0, Sticky::HoldsDirectories)
}

/// What a sticky directory of root's is trusted to hold, if it belongs to root too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sticky {
    Holds,
    HoldsDirectories,
}

fn walk(path: &Path, uid: u32, sticky: Sticky) -> Option<Lead> {
    let path = std::path::absolute(path).ok()?;
    let mut here = PathBuf::from("/");
    let mut lead = judge(&here, &symlink_metadata(&here).ok()?, uid);
    let mut ahead = steps_of(&path);
    let mut links = 0;
    while let (None, Some(name)) = (&lead, ahead.pop()) {
        // What it goes back to was judged on the way here.
        if name == ".." {
            here.pop();
            continue;
        }
        let step = here.join(name);
        let found = symlink_metadata(&step);
        let is_directory = found.as_ref().is_ok_and(Metadata::is_dir);
        if sticky == Sticky::HoldsDirectories
            && !is_directory
            && let Some(why) = shared(&symlink_metadata(&here).ok()?)
        {
            return Some(Lead { step: here, why });
        }
        let found = found.ok()?;
        lead = judge(&step, &found, uid);
        if !found.is_symlink() {
            here = step;
            continue;
        }
        links += 1;
        let target = read_link(&step).ok().filter(|_| links <= LINKS_MAX)?;
        if target.is_absolute() {
            here = PathBuf::from("/");
        }
        ahead.extend(steps_of(&target));
    }
    lead
}

/// The names in a path, the last one first.
fn steps_of(path: &Path) -> Vec<OsString> {
    let names = path.components().filter_map(|part| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    let mut names: Vec<OsString> = names.collect();
    names.reverse();
    names
}

/// The step itself, as it was found: whether somebody other than root and the user `uid` has it in hand.
pub fn judge(step: &Path, found: &Metadata, uid: u32) -> Option<Lead> {
    let owner = found.uid();
    let sticky = found.is_dir() && found.mode() & 0o1000 != 0;
    let why = if owner != 0 && owner != uid {
        let link = found.is_symlink();
        Some(Why::Owner { uid: owner, link })
    } else {
        // The mode of a link means nothing.
        shared(found).filter(|_| !sticky && !found.is_symlink())
    };
    let step = step.to_owned();
    why.map(|why| Lead { step, why })
}

/// Its mode, if others than its owner can write to it.
fn shared(found: &Metadata) -> Option<Why> {
    let mode = found.mode() & 0o7777;
    (mode & 0o022 != 0).then_some(Why::Mode(mode))
}

/// Whether nobody but root can change what is in `directory`: it and all above it are root's, no symlink is on
/// the way, and none can be written to by others (above it a sticky directory such as `/tmp` will do).
pub fn is_roots_own(directory: &Path) -> bool {
    directory.ancestors().enumerate().all(|(above, part)| {
        symlink_metadata(part).is_ok_and(|found| {
            let shared = found.mode() & 0o022 != 0;
            let sticky = found.mode() & 0o1000 != 0;
            found.is_dir() && found.uid() == 0 && (!shared || (sticky && above > 0))
        })
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

    use nix::unistd::geteuid;

    use super::*;
    use crate::files::tests::Dir;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn lead(path: &Path) -> Option<Lead> {
        led_by_others(path, geteuid().as_raw())
    }

    fn by_mode(step: PathBuf, mode: u32) -> Option<Lead> {
        let why = Why::Mode(mode);
        Some(Lead { step, why })
    }

    fn by_owner(step: PathBuf, uid: u32, link: bool) -> Option<Lead> {
        let why = Why::Owner { uid, link };
        Some(Lead { step, why })
    }

    #[test]
    fn the_step_that_others_can_write_to_is_found_wherever_it_is() {
        let dir = Dir::new("steps");
        fs::create_dir_all(dir.path("a/b/c")).unwrap();
        for step in ["a", "a/b", "a/b/c"] {
            set_mode(&dir.path(step), 0o755);
        }
        assert_eq!(lead(&dir.path("a/b/c/file")), None);
        for step in ["a/b/c", "a/b", "a"] {
            for mode in [0o775, 0o757] {
                set_mode(&dir.path(step), mode);
                let found = lead(&dir.path("a/b/c/file"));
                assert_eq!(found, by_mode(dir.path(step), mode));
            }
            set_mode(&dir.path(step), 0o1777);
            assert_eq!(lead(&dir.path("a/b/c/file")), None, "sticky");
        }
        // Only a directory is better off for being sticky.
        fs::write(dir.path("a/b/c/file"), "").unwrap();
        set_mode(&dir.path("a/b/c/file"), 0o1666);
        let file = dir.path("a/b/c/file");
        assert_eq!(lead(&file), by_mode(file.clone(), 0o1666));
    }

    // The file may be one of root's that somebody moved there, or a hard link to it.
    #[test]
    fn a_sticky_directory_keeps_no_file_from_being_chosen() {
        if !geteuid().is_root() {
            return eprintln!("skipped: needs root");
        }
        let dir = Dir::new("chosen");
        set_mode(&dir.path(""), 0o755);
        fs::create_dir(dir.path("shared")).unwrap();
        fs::create_dir(dir.path("shared/own")).unwrap();
        set_mode(&dir.path("shared/own"), 0o755);
        for file in ["shared/file", "shared/own/file"] {
            fs::write(dir.path(file), "").unwrap();
            set_mode(&dir.path(file), 0o600);
        }
        symlink("own", dir.path("shared/link")).unwrap();
        set_mode(&dir.path("shared"), 0o1777);
        let shared = by_mode(dir.path("shared"), 0o1777);
        for chosen in ["shared/file", "shared/none", "shared/link/file"] {
            assert_eq!(chosen_by_others(&dir.path(chosen)), shared, "{chosen}");
            assert_eq!(lead(&dir.path(chosen)), None, "{chosen}");
        }
        assert_eq!(chosen_by_others(&dir.path("shared/own/file")), None);
        assert_eq!(chosen_by_others(&dir.path("shared/own/none")), None);
        chown(dir.path("shared/own/file"), Some(4321), None).unwrap();
        let file = dir.path("shared/own/file");
        assert_eq!(chosen_by_others(&file), by_owner(file.clone(), 4321, false));
    }

    #[test]
    fn links_are_followed_step_by_step() {
        let dir = Dir::new("link-steps");
        for step in ["good", "open", "end"] {
            fs::create_dir(dir.path(step)).unwrap();
        }
        set_mode(&dir.path("open"), 0o777);
        // Neither the path as it is written nor the place it leads to has the open directory in it.
        symlink(dir.path("end"), dir.path("open/hop")).unwrap();
        symlink("../open/hop", dir.path("good/link")).unwrap();
        let found = lead(&dir.path("good/link/file"));
        assert_eq!(found, by_mode(dir.path("open"), 0o777));
        set_mode(&dir.path("open"), 0o755);
        assert_eq!(lead(&dir.path("good/link/file")), None);
        let around = dir.path("good/link/../open/hop/file");
        assert_eq!(lead(&around), None);
        // One that leads nowhere, and one that leads to itself, end the way.
        symlink("none", dir.path("dangling")).unwrap();
        symlink("loop", dir.path("loop")).unwrap();
        assert_eq!(lead(&dir.path("dangling/file")), None);
        assert_eq!(lead(&dir.path("loop/file")), None);
    }

    #[test]
    fn what_belongs_to_somebody_else_is_found() {
        if !geteuid().is_root() {
            return eprintln!("skipped: needs root");
        }
        let dir = Dir::new("owners");
        fs::create_dir_all(dir.path("a/b")).unwrap();
        chown(dir.path("a"), Some(4321), None).unwrap();
        let file = dir.path("a/b/file");
        assert_eq!(
            led_by_others(&file, 0),
            by_owner(dir.path("a"), 4321, false)
        );
        assert_eq!(led_by_others(&file, 4321), None);
        symlink(dir.path("a/b"), dir.path("link")).unwrap();
        lchown(dir.path("link"), Some(1234), None).unwrap();
        let file = dir.path("link/file");
        assert_eq!(
            led_by_others(&file, 4321),
            by_owner(dir.path("link"), 1234, true)
        );
    }
}
