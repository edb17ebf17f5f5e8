//! Files that bring in others.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use super::{Files, load, program, somebody};

/// The names of the programs in `tm.yaml` with this text, or its problems without the directory.
fn names(files: &Files, text: &str) -> Result<Vec<String>, String> {
    let main = files.write("tm.yaml", text);
    match load(&main, &somebody()) {
        Ok(config) => Ok(config.programs.keys().map(ToString::to_string).collect()),
        Err(problems) => {
            let prefix = format!("{}/", files.0.display());
            Err(problems.to_string().replace(&prefix, ""))
        }
    }
}

#[test]
fn included_files_bring_programs() {
    let files = Files::new();
    fs::create_dir(files.0.join("conf.d")).unwrap();
    files.write("conf.d/b.yaml", "programs: {b: {cmd: x}}\n");
    files.write("conf.d/c.yaml", "c: {cmd: x}\n");
    let main = files.write(
        "tm.yaml",
        "include: [conf.d/*.yaml, none/*.yaml]\ndefaults: {umask: 077}\nprograms: {a: {cmd: x}}\n",
    );
    let config = load(&main, &somebody()).unwrap();
    let names: Vec<&str> = config.programs.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(program(&config, "c").launch.umask, 0o77);

    files.write(
        "conf.d/d.yaml",
        "programs:\n  a: {cmd: y}\nlog: /x\ninclde: y\nprogram: z\n",
    );
    fs::write(
        &main,
        "include: [conf.d/*.yaml, missing.yaml]\nprograms: {a: {cmd: x}}\n",
    )
    .unwrap();
    let found = load(&main, &somebody()).unwrap_err().to_string();
    let dir = files.0.display();
    assert_eq!(
        found.lines().collect::<Vec<_>>(),
        [
            format!(
                "{dir}/tm.yaml:1:26: include: {dir}/missing.yaml cannot be opened: no such file or directory"
            ),
            format!(
                "{dir}/conf.d/d.yaml:2:3: a: written twice; the first is at {dir}/tm.yaml:2:12"
            ),
            format!("{dir}/conf.d/d.yaml:3:1: log: belongs into the file that includes this one"),
            format!("{dir}/conf.d/d.yaml:4:1: inclde: unknown key; it can be programs"),
            format!("{dir}/conf.d/d.yaml:5:1: program: unknown key; did you mean programs?"),
        ]
    );
}

/// A file with the program `name`, in directories that are made.
fn add(files: &Files, path: &str, name: &str) {
    let whole = files.0.join(path);
    let directory = whole.parent().expect("it is in the directory of the test");
    fs::create_dir_all(directory).expect("a directory can be made");
    files.write(path, format!("{name}: {{cmd: x}}\n"));
}

#[test]
fn a_pattern_finds_what_it_finds_in_a_shell() {
    let files = Files::new();
    for (path, name) in [
        ("a/x.yaml", "ax"),
        ("a/y.yml", "ay"),
        ("b/x.yaml", "bx"),
        ("b/c/x.yaml", "bcx"),
        ("a/.yaml", "yaml"),
        ("a/.h.yaml", "ah"),
        ("b/.c/x.yaml", "bhx"),
    ] {
        add(&files, path, name);
    }
    symlink("..", files.0.join("b/up")).expect("a link can be made");
    // Emacs marks so what somebody is writing.
    symlink("me@here.1", files.0.join("a/.#x.yaml")).expect("a link can be made");
    let whole = format!("{}/?/x.yaml", files.0.display());
    for (pattern, wanted) in [
        ("a/*", &["ax", "ay"][..]),
        ("a/*.yaml", &["ax"]),
        ("a/.[a-z]*", &["ah", "yaml"]),
        ("a/.h.y*ml", &["ah"]),
        ("b/*/x.yaml", &["bcx"]),
        ("b/.*/x.yaml", &["bhx"]),
        ("./a//*.y*ml", &["ax", "ay"]),
        ("b/../[!b]/*.yaml", &["ax"]),
        ("*/x.yaml", &["ax", "bx"]),
        (&whole, &["ax", "bx"]),
        ("**/x.yaml", &["ax", "bcx", "bx"]),
        ("b/**/**/x.yaml", &["bcx", "bx"]),
        ("none/*", &[]),
        ("a/x.yaml/*", &[]),
    ] {
        let found = names(&files, &format!("include: \"{pattern}\"\n"));
        let wanted = wanted.iter().map(ToString::to_string).collect();
        assert_eq!(found, Ok(wanted), "{pattern}");
    }
}

// Not "written twice" of itself: patterns overlap, and one of the main file's directory finds the main file.
#[test]
fn a_file_is_read_once_however_often_it_is_named() {
    let files = Files::new();
    add(&files, "conf.d/x.yaml", "x");
    symlink("x.yaml", files.0.join("conf.d/y.yaml")).expect("a link can be made");
    symlink("conf.d", files.0.join("also")).expect("a link can be made");
    for patterns in [
        "conf.d/x.yaml, conf.d/x.yaml",
        "conf.d/*.yaml, conf.d/x*, ./conf.d/../conf.d/x.yaml",
        "also/x.yaml, '**/*.yaml'",
        "'*.yaml', conf.d/y.yaml",
        "tm.yaml, conf.d/x.yaml",
    ] {
        let text = format!("include: [{patterns}]\nprograms: {{main: {{cmd: x}}}}\n");
        let wanted = ["main", "x"].map(String::from).to_vec();
        assert_eq!(names(&files, &text), Ok(wanted), "{patterns}");
    }
    add(&files, "conf.d/z.yaml", "x");
    let twice = names(&files, "include: conf.d/*\n");
    let said = "conf.d/z.yaml:1:1: x: written twice; the first is at conf.d/x.yaml:1:1";
    assert_eq!(twice, Err(said.into()));
}

// A start must not fail for them, and a reload must not stop what they held: it is told of them.
#[test]
fn an_included_file_in_which_nothing_stands_is_noted() {
    let files = Files::new();
    for (name, text) in [
        ("a.yaml", ""),
        ("b.yaml", " \n\t\n"),
        ("c.yaml", "# nothing now\n"),
        ("d.yaml", "programs: {}\n"),
        ("e.yaml", "\u{feff}"),
    ] {
        files.write(name, text);
    }
    let main = files.write("tm.yaml", "include: '?.yaml'\nprograms: {x: {cmd: x}}\n");
    let config = load(&main, &somebody()).expect("it is allowed");
    let blank: Vec<String> = ["a", "b", "e"]
        .map(|name| format!("{}/{name}.yaml", files.0.display()))
        .to_vec();
    let warnings: Vec<String> = blank
        .iter()
        .map(|file| format!("{file}: empty, as a truncated file is; delete it"))
        .collect();
    assert_eq!((config.blank_files, config.warnings), (blank, warnings));
}

// As above: the programs that stood in them would stop.
#[test]
fn a_directory_that_is_missing_is_noted() {
    let files = Files::new();
    add(&files, "conf.d/x.yaml", "x");
    let path = |name: &str| files.0.join(name);
    symlink("nowhere", path("dangling")).expect("a link can be made");
    for (pattern, missing) in [
        ("*.none", None),
        ("conf.d/*.none", None),
        ("conf.d/*/none/*", None),
        ("./conf.d/../none/**/*.yaml", Some("conf.d/../none")),
        ("none/conf.d/*.yaml", Some("none/conf.d")),
        ("conf.d/x.yaml/*", Some("conf.d/x.yaml")),
        ("dangling/?", Some("dangling")),
    ] {
        let text = format!("include: '{pattern}'\nprograms: {{p: {{cmd: x}}}}\n");
        let main = files.write("tm.yaml", text);
        let config = load(&main, &somebody()).expect("it is allowed");
        let missing: Vec<_> = missing.into_iter().map(path).collect();
        let directories = config.directories.into_iter();
        let noted = directories.filter(|(_, is_there)| !is_there);
        let noted: Vec<_> = noted.map(|(directory, _)| directory).collect();
        let warnings: Vec<String> = missing
            .iter()
            .map(|directory| {
                let (main, directory) = (main.display(), directory.display());
                format!("{main}:1:10: include: the directory {directory} is missing; make it")
            })
            .collect();
        assert_eq!((noted, config.warnings), (missing, warnings), "{pattern}");
    }
}

// Programs that are not found are programs that a reload stops.
#[test]
fn a_directory_that_cannot_be_read_is_a_problem() {
    let files = Files::new();
    let said = |pattern: &str, place: &str, why: &str| {
        let said = format!(
            "tm.yaml:1:10: include: {place} cannot be read: {why}; make it readable, or do not include it"
        );
        let found = names(&files, &format!("include: {pattern}\n"));
        assert_eq!(found, Err(said), "{pattern}");
    };
    symlink("loop", files.0.join("loop")).expect("a link can be made");
    let why = "too many symbolic links encountered";
    said("loop/*.yaml", "loop", why);
    said("l*/x.yaml", "loop/x.yaml", why);
    if nix::unistd::geteuid().is_root() {
        eprintln!("skipped in part: root reads every directory");
        return;
    }
    add(&files, "conf.d/x.yaml", "x");
    let conf_d = files.0.join("conf.d");
    let set_mode = |mode| fs::set_permissions(&conf_d, Permissions::from_mode(mode));
    set_mode(0o000).expect("a mode can be set");
    said("conf.d/*.yaml", "conf.d", "permission denied");
    said("c*/x.yaml", "conf.d/x.yaml", "permission denied");
    set_mode(0o700).expect("a mode can be set");
}
