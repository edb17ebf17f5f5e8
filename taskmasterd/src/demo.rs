//! `--demo`: a configuration to try taskmaster with, in a directory that is gone afterwards.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

const CONFIG: &str = include_str!("demo.yaml");

/// The directory of a demonstration, removed when this is dropped.
pub(crate) struct Demo(PathBuf);

impl Demo {
    /// Writes the configuration to a new directory.
    pub(crate) fn new() -> io::Result<Self> {
        let directory =
            std::env::temp_dir().join(format!("taskmaster-demo-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&directory)?;
        let demo = Self(directory);
        let text = CONFIG.replace("@DIRECTORY@", &demo.0.display().to_string());
        fs::write(demo.config(), text)?;
        Ok(demo)
    }

    /// Says what is about to be seen.
    pub(crate) fn welcome(&self) {
        // Who does not read it misses nothing that he needs.
        let _ = writeln!(
            io::stdout(),
            "Five processes of {} are supervised now, and this is their control shell.\n\
             Try: status, tail -f ticker, restart worker:*, help. Leave with exit, which stops them.\n",
            self.config().display()
        );
    }

    /// Where the configuration is.
    pub(crate) fn config(&self) -> PathBuf {
        self.0.join("demo.yaml")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
