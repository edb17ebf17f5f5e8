//! Where things are found when nobody says: the control socket.

use std::ffi::OsString;
use std::path::PathBuf;

/// The environment variable that names the control socket.
pub const SOCKET_VARIABLE: &str = "TASKMASTER_SOCKET";

/// The control socket when neither `-s`, nor the configuration, nor the environment names one: root's
/// `/run/taskmaster/control.sock`, else one under `runtime_dir` (`XDG_RUNTIME_DIR`), else one in a
/// directory of the user's own under `/tmp`.
pub fn default_socket(uid: u32, runtime_dir: Option<&str>) -> PathBuf {
    match (uid, runtime_dir) {
        (0, _) => "/run/taskmaster/control.sock".into(),
        (_, Some(dir)) if dir.starts_with('/') => {
            PathBuf::from(dir).join("taskmaster/control.sock")
        }
        (_, _) => format!("/tmp/taskmaster-{uid}/control.sock").into(),
    }
}

/// A socket as people write it after `-s` and in [`SOCKET_VARIABLE`]: a path, or the URL that messages show.
pub fn socket_named(written: OsString) -> PathBuf {
    match written
        .to_str()
        .and_then(|text| text.strip_prefix("unix://"))
    {
        Some(path) => path.into(),
        None => written.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_a_path_or_a_url() {
        let path = |written: &str| socket_named(written.into());
        assert_eq!(path("unix:///a/b"), PathBuf::from("/a/b"));
        assert_eq!(path("unix://a"), PathBuf::from("a"));
        assert_eq!(path("unix:/a"), PathBuf::from("unix:/a"));
        assert_eq!(path("/a/b"), PathBuf::from("/a/b"));
    }

    #[test]
    fn everybody_has_a_socket_of_his_own() {
        assert_eq!(
            default_socket(0, Some("/run/user/0")).to_str(),
            Some("/run/taskmaster/control.sock")
        );
        assert_eq!(
            default_socket(7, Some("/run/user/7")).to_str(),
            Some("/run/user/7/taskmaster/control.sock")
        );
        assert_eq!(default_socket(7, Some("relative")), default_socket(7, None));
        assert_eq!(
            default_socket(7, None).to_str(),
            Some("/tmp/taskmaster-7/control.sock")
        );
    }
}
