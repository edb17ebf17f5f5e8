//! Files that ask for too much, and those that only look so.

use std::fs;

use super::{Files, good, load, problems, somebody};

/// Each in well under a second even without optimisation, and with a bound on what it may cost in memory.
#[test]
fn bombs_do_not_go_off() {
    let laughs: String = (1..30)
        .map(|n| format!("x-{n}: &a{n} [{}]\n", format!("*a{},", n - 1).repeat(9)))
        .collect();
    let text = format!(
        "x-0: &a0 {}\nx-1: [{}]\n",
        "y".repeat(1 << 20),
        "*a0,".repeat(1000)
    );
    let tree = format!(
        "x-0: &a0 [{}]\nx-1: [{}]\n",
        "y,".repeat(100_000),
        "*a0,".repeat(1000)
    );
    for bomb in [
        format!("x-0: &a0 y\n{laughs}"),
        text,
        tree,
        "[".repeat(10_000),
        format!("a: {}{}", "[".repeat(100_000), "]".repeat(100_000)),
        "{a: ".repeat(10_000),
        "- ".repeat(10_000),
        format!("a: {}", "[\n".repeat(1_000_000)),
    ] {
        let found = problems(&bomb);
        assert!(
            found[0].contains("nested too deeply") || found[0].contains("aliases repeat"),
            "{found:?}"
        );
    }
}

#[test]
fn brackets_inside_quotes_are_no_depth() {
    let programs: String = (0..200)
        .map(|n| format!("  p{n}: {{cmd: \"x '[[[' - [\"}}\n"))
        .collect();
    assert_eq!(good(&format!("programs:\n{programs}")).programs.len(), 200);
}

#[test]
fn a_file_of_several_writers_is_not_rotated() {
    // There is no way to give each process its own file.
    let copies = "a: {cmd: x, numprocs: 2, stdout: {path: /a, max_size: 1MB}}";
    let wanted = "tm.yaml:1:37: a.stdout: /a is written by the 2 processes of numprocs and cannot be rotated; leave out \
                  max_size, and rotate it with logrotate and SIGUSR2, or make each a program of its own";
    assert_eq!(problems(format!("programs: {{{copies}}}")), [wanted]);
    let with_another = format!("programs: {{{copies}, b: {{cmd: x, stdout: /a}}}}");
    assert_eq!(problems(with_another), [wanted]);
    let found = problems(
        "programs: {a: {cmd: x, stdout: /a}, b: {cmd: x, stdout: {path: /a, max_size: 1MB}}}",
    );
    assert!(
        found[0].contains("is written by 2 streams and cannot be rotated"),
        "{found:?}"
    );
    let found =
        problems("programs: {a: {cmd: x, stdout: {path: /a, max_size: 1MB}, stderr: /./a}}");
    let wanted = "tm.yaml:1:24: a.stdout: /a is written by 2 streams and cannot be rotated: a.stderr at \
                  tm.yaml:1:59 writes it too; give each its own file, or leave out max_size";
    assert_eq!(found, [wanted]);
    good("programs: {a: {cmd: x, stdout: /a}, b: {cmd: x, stdout: /a, stderr: /b}}");
    good("programs: {a: {cmd: x, stdout: {path: /a, max_size: 1MB}, stderr: stdout}}");
}

// It could write events that never were, and to clear its log would be to clear them.
#[test]
fn the_event_log_is_no_programs_to_write() {
    for (stdout, path) in [
        ("/var/ev.log", "/var/ev.log"),
        ("/var/./ev.log", "/var/ev.log"),
        ("{path: /var/ev.log, max_size: 500}", "/var/ev.log"),
    ] {
        let text = format!(
            "log: {{path: /var/ev.log}}\nprograms:\n  a: {{cmd: x, numprocs: 2, stdout: {stdout}}}\n"
        );
        let wanted = format!(
            "tm.yaml:3:28: a.stdout: {path} is the event log, by log at tm.yaml:1:1, and a program could forge events \
             there; name another path"
        );
        assert_eq!(problems(&text), [wanted]);
    }
    let found = problems("log: /ev.log\ndefaults: {stderr: /ev.log}\nprograms: {a: {cmd: x}}\n");
    assert!(found[0].starts_with("tm.yaml:2:12: a.stderr: /ev.log is the event log"));
    good("log: /dev/null\nprograms: {a: {cmd: x, stdout: {path: /dev/null, max_size: 500}}}");
}

#[test]
fn a_name_that_a_rotation_gives_is_no_log() {
    let text = |log: &str, keep: &str| {
        format!(
            "log: /{log}\nprograms:\n  a: {{cmd: x, stdout: {{path: /w.log, max_size: 300{keep}}}}}\n  \
             b: {{cmd: x, stdout: /w.log.3}}\n"
        )
    };
    let wanted = |place: &str, keep: u32| {
        let names =
            format!("a.stdout at tm.yaml:3:15 keeps its rotated files under, /w.log.1 to .{keep}");
        format!("tm.yaml:{place} is among the names that {names}; name another path")
    };
    let found = problems(text("ev.log", ", keep: 3"));
    assert_eq!(found, [wanted("4:15: b.stdout: /w.log.3", 3)]);
    let found = problems(text("w.log.10", ""));
    assert_eq!(
        found,
        [
            wanted("1:1: log: /w.log.10", 10),
            wanted("4:15: b.stdout: /w.log.3", 10)
        ]
    );
    for (log, keep) in [
        ("w.log.0", 2),
        ("w.log.03", 2),
        ("w.log.4", 0),
        ("w.log.+1", 1),
    ] {
        good(&text(log, &format!(", keep: {keep}")));
    }
}

#[test]
fn a_symlink_to_its_directory_makes_no_other_file() {
    let files = Files::new();
    fs::create_dir(files.0.join("there")).expect("a directory can be made");
    std::os::unix::fs::symlink("there", files.0.join("link")).expect("a link can be made");
    let dir = files.0.display();
    let found = |log: &str| {
        problems(format!(
            "log: {dir}/there/{log}\n\
             programs: {{a: {{cmd: x, stdout: {{path: {dir}/link/w.log, max_size: 300, keep: 1}}}}}}\n"
        ))
    };
    let shared = found("w.log");
    assert!(
        shared[0].contains("link/w.log is the event log, by log at"),
        "{shared:?}"
    );
    let taken = found("w.log.1");
    assert!(
        taken[0].contains("log: ") && taken[0].contains("there/w.log.1 is among the names"),
        "{taken:?}"
    );
}

// A program of any user could write itself a program of root, and to clear its log would be to clear the file.
#[test]
fn what_the_daemon_reads_or_listens_at_is_no_log() {
    let files = Files::new();
    let dir = files.0.display();
    files.write("i.1", "i: {cmd: x}\n");
    files.write("v.env", "A=1\n");
    std::os::unix::fs::symlink("tm.yaml", files.0.join("link.yaml")).expect("a link can be made");
    let found = |keys: &str| {
        let text = format!(
            "include: i.*\nsocket: {dir}/s\nlog: {dir}/ev\nprograms:\n  a: {{cmd: x, env_file: {dir}/v.env}}\n  \
             b: {{cmd: x, {keys}}}\n"
        );
        files.write("tm.yaml", text);
        let loaded =
            load(&files.0.join("link.yaml"), &somebody()).expect_err("a log is out of place");
        loaded.to_string().replace(&format!("{dir}/"), "")
    };
    for (log, what) in [
        ("tm.yaml", "the configuration file"),
        ("link.yaml", "the configuration file"),
        ("i.1", "included, by include at link.yaml:1:10"),
        (
            "v.env",
            "an environment file, by a.env_file at link.yaml:5:15",
        ),
        ("s", "the control socket, by socket at link.yaml:2:1"),
        (
            "s.lock",
            "the lock of the control socket, by socket at link.yaml:2:1",
        ),
    ] {
        let wanted = format!(
            "link.yaml:6:15: b.stdout: {log} is {what}, which no log may be; name another path"
        );
        assert_eq!(found(&format!("stdout: {dir}/{log}")), wanted);
    }
    let wanted = "link.yaml:6:15: b.stdout: its rotated files, i.1 to .2, would replace i.1, which is included, by \
                  include at link.yaml:1:10; name another path";
    let keys = format!("stdout: {{path: {dir}/i, max_size: 300, keep: 2}}");
    assert_eq!(found(&keys), wanted);
}

// The file says where events go after the next start; until then they go where they went.
#[test]
fn the_event_log_in_force_is_no_programs_to_write() {
    let files = Files::new();
    fs::create_dir(files.0.join("there")).expect("a directory can be made");
    std::os::unix::fs::symlink("there", files.0.join("link")).expect("a link can be made");
    let dir = files.0.display();
    let env = taskmasterd::config::Surroundings {
        event_log: Some(files.0.join("there/ev.1")),
        ..somebody()
    };
    let found = |log: &str, stdout: &str| {
        let text = format!("log: {dir}/{log}\nprograms: {{a: {{cmd: x, stdout: {stdout}}}}}\n");
        let loaded = load(&files.write("tm.yaml", text), &env);
        let problems = loaded.err()?.to_string();
        Some(problems.replace(&format!("{dir}/"), ""))
    };
    let what = "the event log until the next start of taskmasterd";
    let wanted = format!(
        "tm.yaml:2:24: a.stdout: link/ev.1 is {what}, which no log may be; name another path"
    );
    assert_eq!(found("new", &format!("{dir}/link/ev.1")), Some(wanted));
    let wanted = format!(
        "tm.yaml:2:24: a.stdout: its rotated files, there/ev.1 to .2, would replace there/ev.1, which is {what}; name \
         another path"
    );
    let rotated = format!("{{path: {dir}/there/ev, max_size: 300, keep: 2}}");
    assert_eq!(found("new", &rotated), Some(wanted));
    // However it is called, what stays the event log is told of once, and is not in its own way.
    let twice = found("link/ev.1", &format!("{dir}/there/ev.1")).expect("a problem");
    assert!(
        twice.contains("by log at") && !twice.contains(what),
        "{twice}"
    );
    assert_eq!(found("link/ev.1", &format!("{dir}/a.log")), None);
}

// A log that is not there yet would be read once it is: no reload would go through, and no start.
#[test]
fn what_an_include_would_find_is_no_log() {
    let files = Files::new();
    let dir = files.0.display();
    fs::create_dir(files.0.join("conf.d")).expect("a directory can be made");
    std::os::unix::fs::symlink("conf.d", files.0.join("link")).expect("a link can be made");
    let found = |pattern: &str, log: &str| {
        let keys = format!("stdout: {{path: {dir}/{log}, max_size: 300, keep: 12}}");
        let text = format!("include: '{pattern}'\nprograms: {{a: {{cmd: x, {keys}}}}}\n");
        let path = files.write("tm.yaml", text);
        let found = load(&path, &somebody()).err()?.to_string();
        Some(found.replace(&format!("{dir}/"), ""))
    };
    for (pattern, log) in [
        ("conf.d/*", "conf.d/a.log"),
        ("link/*", "conf.d/a.log"),
        ("conf.d/*", "link/a.log"),
        ("./conf.d/../conf.d/**/[a-c].*", "conf.d/a.log"),
        ("conf.d/**/*.log", "conf.d/web/a.log"),
        ("conf.d/.a*", "conf.d/.a.log"),
        ("none/*", "none/a.log"),
    ] {
        let wanted = format!(
            "tm.yaml:2:24: a.stdout: {log} is included, by include at tm.yaml:1:10, which no log may be; name another \
             path"
        );
        assert_eq!(found(pattern, log), Some(wanted), "{pattern} {log}");
    }
    let wanted = "tm.yaml:2:24: a.stdout: its rotated files, conf.d/a.1 to .12, would replace conf.d/a.10, which is \
                  included, by include at tm.yaml:1:10; name another path";
    assert_eq!(found("conf.d/*.?0", "conf.d/a").as_deref(), Some(wanted));
    for (pattern, log) in [
        ("conf.d/*.yaml", "conf.d/a.log"),
        ("conf.d/*", "conf.d/.a.log"),
        ("conf.d/*", "conf.d/web/a.log"),
        ("conf.d/**/*.log", "conf.d/.web/a.log"),
        ("conf.d/*", "a.log"),
    ] {
        assert_eq!(found(pattern, log), None, "{pattern} {log}");
    }
}

#[test]
fn the_configuration_is_no_event_log() {
    let files = Files::new();
    let path = files.0.join("tm.yaml");
    let shown = path.display();
    files.write("tm.yaml", format!("programs: {{}}\nlog: {shown}\n"));
    let found = load(&path, &somebody()).expect_err("it is not to be written");
    let wanted = format!(
        "{shown}:2:1: log: {shown} is the configuration file, which no log may be; name another path"
    );
    assert_eq!(found.0, [wanted]);
}

#[test]
fn there_are_only_so_many_terminals() {
    let programs = |count: u32, rest: &str| -> String {
        (0..count)
            .map(|n| format!("  p{n}: {{cmd: x, numprocs: 1000{rest}}}\n"))
            .collect()
    };
    let found = problems(format!("programs:\n{}", programs(5, "")));
    assert_eq!(
        found,
        [
            "tm.yaml: 5000 processes with autostart want a terminal and the kernel has 4096; set tty: none for \
          some, or raise kernel.pty.max"
        ]
    );
    let at_rest = good(&format!("programs:\n{}", programs(5, ", autostart: no")));
    let [warning] = &at_rest.warnings[..] else {
        panic!("{:?}", at_rest.warnings);
    };
    let numbers =
        "5000 processes want a terminal and the kernel has 4096, of which it reserves 1024;";
    assert!(warning.contains(numbers), "{warning}");
    assert_eq!(
        good(&format!("programs:\n{}", programs(4, "")))
            .warnings
            .len(),
        1
    );
    assert!(
        good(&format!("programs:\n{}", programs(5, ", tty: none")))
            .warnings
            .is_empty()
    );
}

/// As many programs as are allowed load, and one more is told from them.
#[test]
fn many_programs_load() {
    let programs: String = (0..10_000)
        .map(|n| {
            format!(
                "  p{n}:\n    cmd: /usr/bin/worker --number {n}\n    numprocs: 1\n    umask: 022\n    \
                 tty: none\n    exitcodes: [0, 2]\n    stdout: /tmp/p{n}.log\n    env: {{A: 1, B: 2}}\n"
            )
        })
        .collect();
    let config = good(&format!("programs:\n{programs}"));
    assert_eq!(config.programs.len(), 10_000);
    let one_more = problems(format!(
        "programs:\n{programs}  more: {{cmd: x, tty: none}}\n"
    ));
    assert_eq!(
        one_more,
        ["tm.yaml: 10001 programs are too many; 10000 are the most"]
    );
}

/// Files with a few bytes replaced: whatever they say, they are judged, and nothing panics.
#[test]
fn no_text_brings_the_loader_down() {
    const PIECES: [&str; 16] = [
        "*a", "&a ", "<<: ", "[", "]", "{", "}", ": ", "\n", "- ", "\"", "'", "!x ", "---\n", "#",
        "? ",
    ];
    let text = concat!(
        include_str!("every_key.yaml"),
        "x-a: &a {b: [1, ~], <<: {c: d}}\n",
    );
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let files = Files::new();
    for _ in 0..1000 {
        let mut mutant = text.to_owned();
        for _ in 0..3 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let at = (random >> 8) as usize % mutant.len();
            let piece = PIECES[random as usize % PIECES.len()];
            mutant.replace_range(at..=at, piece);
        }
        let path = files.write("tm.yaml", &mutant);
        _ = load(&path, &somebody());
    }
}
