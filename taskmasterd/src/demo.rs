//! `--demo`: a configuration to try taskmaster with, in a directory that is gone afterwards.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::unistd::mkdtemp;
use shared::text::escape;
use taskmasterd::files::reason;

const CONFIG: &str = include_str!("demo.yaml");

/// The directory of a demonstration, removed when this is dropped.
pub(crate) struct Demo(PathBuf);

impl Demo {
    /// Writes the configuration to a new directory.
    pub(crate) fn new() -> Result<Self, String> {
        let parent = std::env::var_os("TMPDIR").filter(|parent| !parent.is_empty());
        let parent = parent.map_or("/tmp".into(), PathBuf::from);
        let directory = parent.join("taskmaster-demo-XXXXXX");
        // Of any name that is not there yet: what a process of the same number left behind is not ours.
        let made = mkdtemp(&directory).map_err(io::Error::from);
        let demo = Self(made.map_err(cannot("make", &directory))?);
        let text = CONFIG.replace("@DIRECTORY@", &quotable(&demo.0.display().to_string()));
        fs::write(demo.config(), text).map_err(cannot("write", &demo.config()))?;
        Ok(demo)
    }

    /// Says what is about to be seen.
    pub(crate) fn welcome(&self) {
        // Who does not read it misses nothing that he needs.
        let _ = writeln!(
            io::stdout(),
            "Five processes of {} are supervised now, and this is their control shell.\n\
             Try: status, tail -f ticker, restart worker:*, help. Leave with exit, which stops them.\n",
            escape(&self.config().display().to_string())
        );
    }

    /// Where the configuration is.
    pub(crate) fn config(&self) -> PathBuf {
        self.0.join("demo.yaml")
    }
}

/// The text as it stands between double quotes in YAML, where all can be told but not everything can be written.
fn quotable(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
    let mut quotable = String::new();
    for c in text.chars() {
        if plain(c) {
            quotable.push(c);
        } else {
            quotable.push_str(&format!("\\U{:08x}", u32::from(c)));
        }
    }
    quotable
}

fn cannot(what: &str, path: &Path) -> impl FnOnce(io::Error) -> String {
    move |error| format!("cannot {what} {}: {}", path.display(), reason(&error))
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
