//! Where the programs under test are.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The daemon.
pub fn taskmasterd() -> &'static Path {
    &programs().0
}

/// The client.
pub fn taskmasterctl() -> &'static Path {
    &programs().1
}

/// The child that does as it is told.
pub fn puppet() -> PathBuf {
    // Cargo builds it for every test of this package.
    profile().join("puppet")
}

/// The directory of the workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("tests/ has a parent").to_owned()
}

/// `target/debug` or `target/release`: where this very test was built, which is one above `deps`.
fn profile() -> PathBuf {
    let exe = env::current_exe().expect("a test knows where it is");
    let up = exe.ancestors().find(|dir| dir.ends_with("deps"));
    let up = up.and_then(Path::parent).or(exe.parent());
    up.expect("a program is in a directory").to_owned()
}

/// Cargo builds the programs of a package before the tests of that package only, so that
/// `cargo test -p taskmaster-tests` would find no daemon here, or worse, last week's. They are
/// built when they are missing or older than their sources, once; cargo's own lock lets several test
/// programs do so at a time.
fn programs() -> &'static (PathBuf, PathBuf) {
    static PROGRAMS: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let dir = profile();
        let programs = (dir.join("taskmasterd"), dir.join("taskmasterctl"));
        let sources = newest_source();
        let fresh = |path: &Path| modified(path).is_some_and(|time| time >= sources);
        if !fresh(&programs.0) || !fresh(&programs.1) {
            build(&dir);
        }
        programs
    })
}

fn build(dir: &Path) {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "build",
        "--quiet",
        "-p",
        "taskmasterd",
        "-p",
        "taskmasterctl",
    ]);
    command.arg("--target-dir");
    command.arg(dir.parent().expect("a profile is in a target directory"));
    if dir.ends_with("release") {
        command.arg("--release");
    }
    let status = command.current_dir(workspace()).status();
    let status = status.expect("cargo can be started");
    assert!(status.success(), "the programs under test cannot be built");
    // A file that cargo found to be up to date keeps its old time; say that it was looked at.
    for name in ["taskmasterd", "taskmasterctl"] {
        if let Ok(file) = fs::File::open(dir.join(name)) {
            file.set_modified(SystemTime::now()).ok();
        }
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

fn newest_source() -> SystemTime {
    let parts = ["shared", "taskmasterd", "taskmasterctl", "Cargo.toml"];
    let parts = parts.map(|part| workspace().join(part));
    let mut todo = Vec::from(parts);
    let mut newest = SystemTime::UNIX_EPOCH;
    while let Some(path) = todo.pop() {
        match fs::read_dir(&path) {
            Ok(entries) => todo.extend(entries.flatten().map(|entry| entry.path())),
            Err(_) => newest = newest.max(modified(&path).unwrap_or(newest)),
        }
    }
    newest
}
