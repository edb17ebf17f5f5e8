//! Where the output of programs is kept: in files, or the last of it in memory.

pub mod file;
pub mod open;

pub use crate::ring;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    /// A directory for one test, removed with it.
    pub(super) struct Dir(PathBuf);

    impl Dir {
        pub(super) fn new(name: &str) -> Self {
            let unique = format!("taskmaster-logs-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(unique);
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }

        pub(super) fn path(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
