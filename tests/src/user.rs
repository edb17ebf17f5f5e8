//! Users and groups for the tests that need some.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::unistd::Uid;

/// A uid that no user has; for what needs no name.
pub const NOBODYS_UID: u32 = 54_321;

/// Whether the test runs as root.
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

/// Ends a test early, saying so, unless it runs as root.
#[macro_export]
macro_rules! skip_unless_root {
    () => {
        if !$crate::user::is_root() {
            eprintln!("skipped: needs root");
            return;
        }
    };
}

/// Ends a test early, saying why.
#[macro_export]
macro_rules! skip {
    ($($why:tt)*) => {{
        eprintln!("skipped: {}", format_args!($($why)*));
        return;
    }};
}

/// A user with a group of its own and one more group, removed at the end.
pub struct User {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub more: u32,
}

impl User {
    /// Makes one. Only root can.
    #[track_caller]
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tm{}x{number}", std::process::id());
        let more = format!("{name}g");
        run("groupadd", &[&more]);
        let words = ["--no-create-home", "--user-group", "--groups", &more];
        let shell = ["--shell", "/bin/sh", &name];
        run("useradd", &[&words[..], &shell[..]].concat());
        let user = nix::unistd::User::from_name(&name).expect("users can be looked up");
        let user = user.expect("a user that was made is there");
        let group = nix::unistd::Group::from_name(&more).expect("groups can be looked up");
        let group = group.expect("a group that was made is there");
        Self {
            name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            more: group.gid.as_raw(),
        }
    }
}

impl Default for User {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for User {
    fn drop(&mut self) {
        for (program, name) in [
            ("userdel", self.name.clone()),
            ("groupdel", format!("{}g", self.name)),
        ] {
            let mut command = Command::new(program);
            command
                .arg(&name)
                .stderr(Stdio::null())
                .stdout(Stdio::null());
            command.status().ok();
        }
    }
}

#[track_caller]
fn run(program: &str, words: &[&str]) {
    // The files of users and groups have one lock; whoever finds it taken tries again.
    crate::eventually(program, crate::SOON, || {
        let output = Command::new(program).args(words).output();
        let output = output.map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        crate::check(output.status.success(), || said)
    });
}
