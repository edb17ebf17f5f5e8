//! Configuration files as users write them, good and bad.

mod bounds;
mod files;
mod includes;
mod meaning;
mod obstacles;
mod values;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use taskmasterd::config::model::{Config, Program};
use taskmasterd::config::{Surroundings, load};

/// A directory of the test's own, removed when it ends.
struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("taskmaster-config-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a temporary directory can be made");
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).expect("a temporary file can be written");
        path
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

/// A daemon that is not root; what only root may ask for is refused, and who owns the files does not matter.
fn somebody() -> Surroundings {
    Surroundings {
        euid: 54321,
        egid: 54321,
        cwd: "/home/somebody".into(),
        terminals_max: Some(4096),
        terminals_reserve: 1024,
        event_log: None,
    }
}

/// The configuration in `text`, or its problems, with `tm.yaml` for the file's name.
fn read(text: impl AsRef<[u8]>) -> Result<Config, Vec<String>> {
    let files = Files::new();
    let path = files.write("tm.yaml", text);
    load(&path, &somebody()).map_err(|problems| {
        let prefix = format!("{}/", files.0.display());
        problems
            .0
            .iter()
            .map(|line| line.replace(&prefix, ""))
            .collect()
    })
}

fn good(text: &str) -> Config {
    read(text).unwrap_or_else(|problems| panic!("{text}\n{}", problems.join("\n")))
}

fn problems(text: impl AsRef<[u8]>) -> Vec<String> {
    read(text).expect_err("the file is bad")
}

/// The program `web` with these lines in it.
fn web(lines: &str) -> String {
    format!("programs:\n  web:\n    cmd: x\n    {lines}\n")
}

fn fixture(name: &str, env: &Surroundings) -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/config")
        .join(name);
    load(&path, env).unwrap_or_else(|problems| panic!("{problems}"))
}

fn program<'a>(config: &'a Config, name: &str) -> &'a Program {
    &config.programs[name]
}
