//! Reading a file without ever waiting for it, and whether what it says may be trusted.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};

use crate::config::model::Identity;
use crate::files::reason;
use crate::files::way::{Lead, Why, chosen_by_others, judge, led_by_others};
use crate::limits::CONFIG_LEN_MAX;
use crate::sys::as_filesystem_user;

/// Whether it matters who else could have written a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Whatever it says, it can do no more than its reader.
    Anyone,
    /// It decides what root does: only root may write or replace it.
    RootOnly,
}

/// A file to be read; where there is none, that is a matter of who named it.
pub(super) fn open(path: &Path) -> Result<File, String> {
    open_as_daemon(path).map_err(|error| format!("cannot be opened: {}", reason(&error)))
}

/// Without O_NONBLOCK the open of a FIFO would wait for somebody to write into it.
const OPEN_FLAGS: i32 = libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;

fn open_as_daemon(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(OPEN_FLAGS)
        .open(path)
}

/// A file to be read for a program of `user` by a daemon of root, who could read more than he: root's rights serve
/// only where nobody but root chose the file, and elsewhere it is opened with the user's.
pub(super) fn open_for(user: &Identity, path: &Path) -> Result<File, String> {
    let cannot = |who: &str, what: &str| format!("cannot be opened as {who}: {what}");
    let Some(Lead { step, why }) = chosen_by_others(path) else {
        return open_as_daemon(path).map_err(|error| cannot("root", &reason(&error)));
    };
    as_filesystem_user(user, || open_what_is_named(path)).map_err(|error| {
        let mut what = reason(&error);
        if error.kind() == ErrorKind::PermissionDenied {
            let chosen = match why {
                Why::Owner { uid, .. } => format!("{} belongs to uid {uid}", quoted(&step)),
                Why::Mode(mode) => format!("others can write {} (mode {mode:04o})", quoted(&step)),
            };
            what.push_str(", and root does not read it for him, because ");
            what.push_str(&chosen);
        }
        cannot(&user.name, &what)
    })
}

/// Without the links in `/proc` that lead where a path could not: the daemon's own are open to this thread, whoever
/// it is to the file system.
fn open_what_is_named(path: &Path) -> io::Result<File> {
    let how = OpenHow::new()
        .flags(OFlag::from_bits_retain(libc::O_RDONLY | OPEN_FLAGS))
        .resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS);
    Ok(openat2(AT_FDCWD, path, how)?.into())
}

/// The text of the file that was opened at `path`.
pub(super) fn read(file: &File, path: &Path, trust: Trust) -> Result<String, String> {
    let about = file
        .metadata()
        .map_err(|error| format!("cannot be examined: {}", reason(&error)))?;
    if !about.is_file() {
        return Err(format!("is {}, not a file", kind(&about)));
    }
    if path.extension().is_some_and(|ending| ending == "toml") {
        return Err("is TOML, which is not read yet; write it in YAML".into());
    }
    if trust == Trust::RootOnly {
        distrust(path, &about)?;
    }
    decode(contents(file)?)
}

fn kind(about: &Metadata) -> &'static str {
    match about.mode() & libc::S_IFMT {
        libc::S_IFDIR => "a directory",
        libc::S_IFIFO => "a named pipe",
        libc::S_IFCHR | libc::S_IFBLK => "a device",
        libc::S_IFSOCK => "a socket",
        _ => "something special",
    }
}

fn contents(file: &File) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    file.take(CONFIG_LEN_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read: {}", reason(&error)))?;
    if bytes.len() as u64 > CONFIG_LEN_MAX {
        let limit = CONFIG_LEN_MAX / 1024 / 1024;
        return Err(format!("longer than {limit} MiB, the most that is read"));
    }
    Ok(bytes)
}

fn decode(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("is UTF-16; write it in UTF-8".into());
    }
    if let Some(index) = bytes.iter().position(|&byte| byte == 0) {
        let line = line_of(&bytes, index);
        return Err(format!("has a NUL byte in line {line}; is it text?"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
        format!("is not UTF-8 in line {line}; write it in UTF-8")
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

fn line_of(bytes: &[u8], index: usize) -> usize {
    1 + bytes[..index].iter().filter(|&&byte| byte == b'\n').count()
}

/// Refuses a file that others than root could write or replace, and says which part of its path lets them. The
/// file itself is judged as it was opened.
fn distrust(path: &Path, about: &Metadata) -> Result<(), String> {
    let given = std::path::absolute(path)
        .map_err(|error| format!("has no absolute path: {}", reason(&error)))?;
    let root = 0;
    let lead = judge(&given, about, root).or_else(|| led_by_others(&given, root));
    let Some(Lead { step, why }) = lead else {
        return Ok(());
    };
    let shown = quoted(&step);
    Err(match why {
        Why::Owner { uid, link } => {
            let option = if link { "-h " } else { "" };
            format!(
                "{shown} belongs to uid {uid}, who so commands root; run: chown {option}root {shown}"
            )
        }
        Why::Mode(mode) => format!(
            "others can write {shown} (mode {mode:04o}) and so command root; run: chmod go-w {shown}"
        ),
    })
}

fn quoted(path: &Path) -> String {
    super::words::quote(&PathBuf::from(path).to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    /// A fresh directory of the test's own.
    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("open-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn read_at(path: &Path, trust: Trust) -> Result<String, String> {
        read(&open(path)?, path, trust)
    }

    fn refusal(path: &Path) -> String {
        read_at(path, Trust::Anyone).unwrap_err()
    }

    #[test]
    fn only_text_files_are_read_and_nothing_waits() {
        let dir = directory("kinds");
        let fifo = dir.join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(refusal(&fifo), "is a named pipe, not a file");
        assert_eq!(refusal(Path::new("/dev/zero")), "is a device, not a file");
        assert_eq!(refusal(&dir), "is a directory, not a file");
        let missing = "cannot be opened: no such file or directory";
        assert_eq!(refusal(&dir.join("none")), missing);
        let toml = dir.join("tm.toml");
        fs::write(&toml, "[programs.web]\ncmd = \"x\"\n").unwrap();
        assert!(refusal(&toml).starts_with("is TOML, which is not read yet"));
        let long = dir.join("long");
        File::create(&long).unwrap().set_len(5 << 30).unwrap();
        assert!(refusal(&long).starts_with("longer than 4 MiB"));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_is_no_text_is_called_by_its_name() {
        assert!(
            decode(b"a\n\0".to_vec())
                .unwrap_err()
                .contains("NUL byte in line 2")
        );
        assert!(
            decode(b"\xff\xfea\0".to_vec())
                .unwrap_err()
                .contains("UTF-16")
        );
        assert!(
            decode(b"a\nb\n\xff".to_vec())
                .unwrap_err()
                .contains("UTF-8 in line 3")
        );
        assert_eq!(decode(b"\xef\xbb\xbfa".to_vec()).unwrap(), "a");
    }

    /// Owner and mode of the file, of its directory and of a link to it, as root reads them.
    #[test]
    fn what_others_can_replace_does_not_command_root() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: only root can give files away");
            return;
        }
        let dir = directory("trust");
        let file = dir.join("tm.yaml");
        fs::write(&file, "programs:\n").unwrap();
        let judge = |path: &Path| read_at(path, Trust::RootOnly);
        fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert!(judge(&file).is_ok());

        fs::set_permissions(&file, Permissions::from_mode(0o664)).unwrap();
        let error = judge(&file).unwrap_err();
        assert!(
            error.ends_with(&format!("run: chmod go-w {}", file.display())),
            "{error}"
        );
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        chown(&file, Some(1234), None).unwrap();
        let error = judge(&file).unwrap_err();
        assert!(
            error.ends_with(&format!("run: chown root {}", file.display())),
            "{error}"
        );
        chown(&file, Some(0), None).unwrap();

        fs::set_permissions(&dir, Permissions::from_mode(0o775)).unwrap();
        assert!(
            judge(&file)
                .unwrap_err()
                .contains(&format!("chmod go-w {}", dir.display()))
        );
        fs::set_permissions(&dir, Permissions::from_mode(0o1777)).unwrap();
        assert!(judge(&file).is_ok(), "a sticky directory is fine");
        chown(&dir, Some(1234), None).unwrap();
        assert!(judge(&file).is_err());
        chown(&dir, Some(0), None).unwrap();

        let link = dir.join("link");
        symlink(&file, &link).unwrap();
        assert!(judge(&link).is_ok());
        std::os::unix::fs::lchown(&link, Some(1234), None).unwrap();
        assert!(judge(&link).unwrap_err().contains("chown -h root"));
        fs::remove_dir_all(dir).unwrap();
    }
}
