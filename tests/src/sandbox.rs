//! A directory for one test, and the ledgers in it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::bins;
use crate::wait::eventually;

/// A directory that everybody may enter, removed at the end; kept, and its path printed, if the test failed.
pub struct Sandbox {
    dir: PathBuf,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// A new one under the directory for temporary files. Its path is short, for the sake of sockets.
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        // A test that failed leaves its directory behind, and process ids come again.
        let dir = loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("tm-{}-{number}", std::process::id());
            let dir = std::env::temp_dir().join(name);
            match fs::create_dir(&dir) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => break made.map(|()| dir).expect("a directory can be made"),
            }
        };
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&dir, mode).expect("a mode can be set");
        Self { dir }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A path in it, as text.
    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Writes a file in place.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, contents).expect("a file can be written");
        path
    }

    /// The bytes of a file, none if it is not there.
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_default()
    }

    /// A directory in it that every user may write to.
    pub fn open_dir(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).expect("a directory can be made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("a mode can be set");
        path
    }

    /// The ledger of that name, which every user may write to.
    pub fn ledger(&self, name: &str) -> Ledger {
        let path = self.path(&format!("{name}.ledger"));
        let file = fs::OpenOptions::new().append(true).create(true).open(&path);
        file.expect("a ledger can be made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("a mode can be set");
        Ledger { path }
    }

    /// The `cmd` of a puppet that reports to the ledger of that name.
    pub fn puppet(&self, ledger: &str, orders: &[&str]) -> Value {
        let mut words = vec![
            bins::puppet().display().to_string(),
            "--ledger".to_owned(),
            self.ledger(ledger).path.display().to_string(),
        ];
        words.extend(orders.iter().map(|word| (*word).to_owned()));
        json!(words)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kept: {}", self.dir.display());
        } else {
            fs::remove_dir_all(&self.dir).ok();
        }
    }
}

/// What puppets reported.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub path: PathBuf,
}

impl Ledger {
    /// All of it, in order. A line that has no end yet is being written: one longer than a page can be read in part.
    pub fn facts(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines().map(serde_json::from_str);
        lines
            .collect::<Result<_, _>>()
            .unwrap_or_else(|error| panic!("{}: {error}", self.path.display()))
    }

    /// The reports of one kind.
    pub fn all(&self, what: &str) -> Vec<Value> {
        let mut facts = self.facts();
        facts.retain(|fact| fact["ev"] == what);
        facts
    }

    /// The reports of one kind, when there are that many.
    #[track_caller]
    pub fn wait(&self, what: &str, count: usize, deadline: Duration) -> Vec<Value> {
        let sought = format!("{count} reports of \"{what}\"");
        eventually(&sought, deadline, || {
            let found = self.all(what);
            if found.len() >= count {
                return Ok(found);
            }
            let said: Vec<String> = self
                .facts()
                .iter()
                .map(|fact| fact["ev"].to_string())
                .collect();
            Err(said.join(" "))
        })
    }

    /// The pids of one kind of report.
    pub fn pids(&self, what: &str) -> Vec<i32> {
        let facts = self.all(what);
        facts
            .iter()
            .map(|fact| fact["pid"].as_i64().unwrap_or(0) as i32)
            .collect()
    }

    /// Milliseconds from each report of one kind to the next.
    pub fn gaps_ms(&self, what: &str) -> Vec<f64> {
        let facts = self.all(what);
        let times: Vec<f64> = facts.iter().map(time_ms).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

/// When a report was made, in milliseconds of the monotonic clock.
pub fn time_ms(fact: &Value) -> f64 {
    fact["t_ns"].as_f64().expect("a report has a time") / 1e6
}
