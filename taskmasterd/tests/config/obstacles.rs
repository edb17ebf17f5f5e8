//! What a text cannot tell: whether logs can be written, and whether what is to start is there.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use taskmasterd::config::obstacles;

use super::{Files, good};

const NOT_EXPANDED: &str = "write the whole path, as neither ~ nor $ is expanded";

// A text can be right and its logs impossible; that is seen by a look, and nothing is made by looking.
#[test]
fn logs_that_cannot_be_written_are_warned_of() {
    let files = Files::new();
    let dir = files.0.display().to_string();
    fs::create_dir(files.0.join("dir")).expect("a directory can be made");
    std::os::unix::fs::symlink("file", files.0.join("link")).expect("a link can be made");
    nix::unistd::mkfifo(&files.0.join("fifo"), nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    files.write("file", "");
    let said = |path: &str| {
        let text = format!("programs: {{web: {{cmd: sh, tty: none, stderr: {path}}}}}");
        obstacles(&good(&text))
    };
    for (name, what) in [
        ("dir", "a directory, not a regular file; name another path"),
        ("link", "a symlink, not a regular file; name another path"),
        ("fifo", "a FIFO, not a regular file; name another path"),
        (
            "none/x",
            &format!("the directory {dir}/none is missing; make it"),
        ),
        (
            "~/x",
            &format!("the directory {dir}/~ is missing; {NOT_EXPANDED}"),
        ),
        ("file/x", "what it is in is no directory; name another path"),
    ] {
        let path = format!("{dir}/{name}");
        assert_eq!(said(&path), [format!("web.stderr: {path}: {what}")]);
    }
    for fine in ["file", "not-yet"] {
        assert_eq!(said(&format!("{dir}/{fine}")), [""; 0]);
    }
    assert_eq!(said("/dev/null"), [""; 0]);
    assert!(!files.0.join("not-yet").exists());
    let log = good(&format!("log: {dir}/dir\n"));
    let wanted = format!(
        "log: {dir}/dir: a directory, not a regular file; name another path; the daemon would not start"
    );
    assert_eq!(obstacles(&log), [wanted]);
    let unused = format!("programs: {{web: {{cmd: sh, tty: full, stderr: {dir}/dir}}}}");
    assert_eq!(obstacles(&good(&unused)), [""; 0]);

    let own = good("programs: {web: {cmd: sh, stdout: /dev/stdout}}");
    let want = "web.stdout: /dev/stdout is a symlink, and no log is written to one; write inherit";
    assert!(own.warnings[0].ends_with(want), "{:?}", own.warnings);
    assert_eq!(obstacles(&own), [""; 0]);
}

// It is entered only at the start, which then fails; a look says so before.
#[test]
fn a_directory_to_start_in_that_is_none_is_warned_of() {
    let files = Files::new();
    let dir = files.0.display().to_string();
    files.write("file", "");
    fs::create_dir(files.0.join("there")).expect("a directory can be made");
    std::os::unix::fs::symlink("there", files.0.join("link")).expect("a link can be made");
    let said = |path: &str| {
        let text = format!("programs: {{web: {{cmd: sh, workingdir: '{path}'}}}}");
        obstacles(&good(&text))
    };
    for (name, what) in [
        ("none", "the directory {} is missing; make it"),
        ("a~b", "the directory {} is missing; make it"),
        (
            "~joe/$X",
            &format!("the directory {{}} is missing; {NOT_EXPANDED}"),
        ),
        (
            "${HOME}/x",
            &format!("the directory {{}} is missing; {NOT_EXPANDED}"),
        ),
        ("file", "{} is no directory; name another"),
        ("file/x", "{} is no directory; name another"),
    ] {
        let path = format!("{dir}/{name}");
        let what = what.replace("{}", &path);
        assert_eq!(said(&path), [format!("web.workingdir: {what}")]);
    }
    for fine in ["there", "link", "."] {
        assert_eq!(said(&format!("{dir}/{fine}")), [""; 0]);
    }
    assert!(!files.0.join("none").exists());
}

// It is found out at the start only, which then fails; a look says so before.
#[test]
fn a_command_that_cannot_be_executed_is_warned_of() {
    let files = Files::new();
    let dir = files.0.display().to_string();
    for (name, mode) in [("runs", 0o755), ("text", 0o644)] {
        files.write(name, "#!/bin/sh\n");
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(files.0.join(name), mode).expect("it was made");
    }
    fs::create_dir(files.0.join("dir")).expect("a directory can be made");
    let said = |command: &str, more: &str| {
        let text = format!("programs: {{web: {{cmd: ['{command}'], {more}}}}}");
        obstacles(&good(&text))
    };
    let here = format!("workingdir: '{dir}'");
    let path = format!("env: {{PATH: '/nowhere:{dir}'}}");
    let (missing, text) = (
        "missing; write where it is",
        "not executable; chmod +x makes it so",
    );
    let none = "no directory of PATH has such a program; install it or write its whole path";
    for (command, more, what) in [
        (&*format!("{dir}/none"), "", missing),
        (&*format!("{dir}/text"), "", text),
        (
            &*format!("{dir}/text/x"),
            "",
            "what it is in is no directory; write where it is",
        ),
        (&*dir, "", "a directory; name a program"),
        ("./text", &here, text),
        ("./none", &here, missing),
        ("text", &path, none),
        ("dir", &path, none),
        ("runs", &here, none),
        ("runs", "inherit_env: false", none),
    ] {
        assert_eq!(said(command, more), [format!("web.cmd: {command}: {what}")]);
    }
    for (command, more) in [
        (&*format!("{dir}/runs"), ""),
        ("./runs", &here),
        ("runs", &path),
        ("sh", ""),
        ("sh", "inherit_env: false"),
    ] {
        assert_eq!(said(command, more), [""; 0], "{command} {more}");
    }
}
