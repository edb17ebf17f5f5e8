//! Files that are wrong as a whole, and files that are allowed but odd.

use std::fs;

use super::{Files, good, load, problems, program, somebody, web};
use taskmasterd::config::Surroundings;
use taskmasterd::config::model::Tty;

/// Files, and what is said of them.
const BAD_FILES: &[(&str, &str)] = &[
    (
        "programs:\n  web:\n\tcmd: a\n",
        "3:1: tab in indentation; use spaces",
    ),
    (
        "programs:\n  web:\n    cmd: a\n   umask: 022\n",
        "4:4: not YAML: did not find expected key, while parsing a block mapping at line 2 column 3",
    ),
    (
        "programs:\n  web:\n    cmd: \"a\n    umask: 022\n",
        "5:1: not YAML: found unexpected end of stream, while scanning a quoted scalar at line 3 column 10",
    ),
    (
        "programs: {a: {cmd: \"a\\0b\"}}",
        "1:21: a NUL character; no value can have one",
    ),
    (
        "programs: !foo\n  web: {cmd: a}\n",
        "1:11: a YAML tag (!word) means nothing here; quote text that begins with !",
    ),
    (
        "programs:\n  web: {cmd: !x a}\n",
        "2:14: a YAML tag (!word) means nothing here; quote text that begins with !",
    ),
    (
        "programs:\n  web: {cmd: a}\n---\nprograms: {}\n",
        "4:1: a second document begins; put it in a file of its own, and include that",
    ),
    (
        "# web\n\n[program:web]\ncommand=a\n",
        "4:1: what follows a [section]: this is to be YAML, see taskmaster.yaml(5), and no INI file",
    ),
    (
        "programs: &a [*a]\n",
        "1:11: nested too deeply; 32 levels are the most",
    ),
    ("programs: *b\n", "1:11: not YAML: unknown anchor"),
    (
        "- a\n",
        "1:3: a list where a map of keys is needed, as programs:",
    ),
    (
        "hello\n",
        "1:1: \"hello\" where a map of keys is needed, as programs:",
    ),
    (
        "programs: 5\n",
        "1:11: programs: 5 is not a map of names and programs",
    ),
    (
        "programs: {web: 5}\n",
        "1:17: web: 5 is not a map of keys, as cmd:",
    ),
    (
        "program:\n  web: {cmd: a}\n",
        "1:1: program: unknown key; did you mean programs?",
    ),
    (
        "programs: {}\nalerts: {}\n",
        "2:1: alerts: not supported yet; remove it",
    ),
    (
        "programs: {}\naccess: []\n",
        "2:1: access: not supported yet; remove it",
    ),
    (
        "socket: {mode: 999}\n",
        "1:16: socket.mode: 999 is not a mode; write octal digits, as 0660",
    ),
    (
        "socket: {pth: x}\n",
        "1:10: socket.pth: unknown key; did you mean path?",
    ),
    (
        "log: {path: /x, format: json}\n",
        "1:17: log.format: not supported yet; remove it",
    ),
    (
        "log: stderr\n",
        "1:6: log: \"stderr\" is no file; leave log out for standard error in the foreground, or write ./stderr for a \
         file of that name",
    ),
    (
        "log: /dev/stderr\n",
        "1:6: log: /dev/stderr is no file; leave log out for standard error in the foreground",
    ),
    (
        "log: {path: //dev/stdout}\n",
        "1:13: log.path: /dev/stdout is no file; leave log out for standard error in the foreground",
    ),
    (
        "log: {path: None}\n",
        "1:13: log.path: \"None\" is no file; write log: /dev/null to keep nothing, or write ./None for a file of that \
         name",
    ),
    (
        "log: syslog\n",
        "1:6: log: \"syslog\" is no file; write syslog: true for syslog, or write ./syslog for a file of that name",
    ),
    (
        "syslog: {facility: nope}\n",
        "1:20: syslog.facility: \"nope\" is not a facility for a daemon; write one of user, mail, daemon, auth, syslog, lpr, news, uucp, cron, authpriv, ftp, local0, local1, local2, local3, local4, local5, local6, local7",
    ),
    (
        "programs: {web: {cmd: a}}\nprocesses: {web: {cmd: b}}\n",
        "2:13: web: written twice; the first is at line 1 column 12",
    ),
    (
        "include: ['a***b']\n",
        "1:11: include: \"a***b\" is not a pattern: wildcards are either regular `*` or recursive `**`",
    ),
];

/// Files that are wrong as a whole.
#[test]
fn every_bad_file_is_told_with_its_place() {
    for (text, expected) in BAD_FILES {
        assert_eq!(problems(text), [format!("tm.yaml:{expected}")], "{text}");
    }
    assert_eq!(
        problems("a: b\nc: \u{1}"),
        ["tm.yaml:2:4: a control character; write \"\\x01\" in double quotes"]
    );
}

#[test]
fn what_is_not_text_is_refused_by_name() {
    let only = |bytes: &[u8]| problems(bytes).remove(0);
    assert_eq!(
        only(b"\xff\xfea\0"),
        "tm.yaml: is UTF-16; write it in UTF-8"
    );
    assert_eq!(
        only(b"a: b\n\0"),
        "tm.yaml: has a NUL byte in line 2; is it text?"
    );
    assert_eq!(
        only(b"a: \xff"),
        "tm.yaml: is not UTF-8 in line 1; write it in UTF-8"
    );
    assert_eq!(good("\u{feff}programs: {web: {cmd: x}}").programs.len(), 1);
}

/// Bad names, all told at once, each after its name as other problems are, with nothing in them that a terminal would
/// obey.
#[test]
fn all_problems_are_told_at_once() {
    let long = "x".repeat(300);
    let found = problems(format!(
        "programs:\n  ../x: {{cmd: a}}\n  a b: {{cmd: a}}\n  a:b: {{cmd: a}}\n  all: {{cmd: a}}\n  \
         \"*\": {{cmd: a}}\n  é: {{cmd: a}}\n  \"\\e[31m\": {{cmd: a}}\n  {long}: {{cmd: a}}\n  \"\": {{cmd: a}}\n"
    ));
    let letters = "use letters, digits, _ . and -";
    let said = [
        format!("../x: \"/\" cannot be part of a name; {letters}"),
        format!("a b: \" \" cannot be part of a name; {letters}"),
        format!("a:b: \":\" cannot be part of a name; {letters}"),
        "all: means every program; choose another name".into(),
        format!("*: \"*\" cannot be part of a name; {letters}"),
        format!("é: \"é\" cannot be part of a name; {letters}"),
        format!("\\x1b[31m: \"\\x1b\" cannot be part of a name; {letters}"),
        format!("{long}: a name of 300 bytes is too long (64 at most)"),
        "\"\": a program needs a name".into(),
    ];
    let lines: Vec<String> = (2..)
        .zip(said)
        .map(|(line, said)| format!("tm.yaml:{line}:3: {said}"))
        .collect();
    assert_eq!(found, lines);
    let many: String = (0..500).map(|n| format!("  p{n}: 5\n")).collect();
    let found = problems(format!("programs:\n{many}"));
    assert_eq!(
        (found.len(), found[100].as_str()),
        (101, "and 400 more problems")
    );
}

/// A problem in `defaults` is one problem, however many programs it is for.
#[test]
fn defaults_apply_below_each_program() {
    let config =
        good("defaults: {umask: 077, tty: none}\nprograms: {a: {cmd: x}, b: {cmd: x, umask: 002}}");
    assert_eq!(program(&config, "a").launch.umask, 0o77);
    assert_eq!(program(&config, "b").launch.umask, 0o2);
    assert_eq!(program(&config, "b").launch.tty, Tty::None);
    assert_eq!(
        problems("defaults: {umask: 999, foo: 1}\nprograms: {a: {cmd: x}, b: {cmd: y}}\n"),
        [
            "tm.yaml:1:19: defaults.umask: 999 is not a mask; write octal digits from 000 to 777, as 022",
            "tm.yaml:1:24: defaults.foo: unknown key; taskmaster.yaml(5) has them all",
        ]
    );
}

#[test]
fn a_file_without_programs_loads_with_a_warning() {
    for text in [
        "",
        "# nothing\n",
        "programs:\n",
        "programs: {}\n",
        "---\n...\n",
    ] {
        let config = good(text);
        assert!(config.programs.is_empty());
        assert!(
            config.warnings[0].ends_with("tm.yaml: no programs"),
            "{text:?}"
        );
    }
}

#[test]
fn what_is_allowed_but_odd_is_a_warning() {
    for (text, warning) in [
        (
            web("stopsignal: KILL"),
            ":4:5: web.stopsignal: SIGKILL gives it no chance to clean up; TERM asks first",
        ),
        (
            web("stopsignal: WINCH"),
            ":4:5: web.stopsignal: SIGWINCH is ignored by what does not expect it; TERM is not",
        ),
        (
            web("stopsignal: cld"),
            ":4:5: web.stopsignal: SIGCHLD is ignored by what does not expect it; TERM is not",
        ),
        (
            web("stopsignal: 23"),
            ":4:5: web.stopsignal: SIGURG is ignored by what does not expect it; TERM is not",
        ),
        (
            web("tty: full\n    stderr: /x"),
            ":4:5: web.tty: full makes standard error go where stdout goes; write split to keep them apart",
        ),
        (
            "programs: {a: {cmd: 'a | b > c'}}".to_owned(),
            ":1:16: a.cmd: | is not run by a shell; write sh -c '...'",
        ),
        (
            "programs: {a: {cmd: '$HOME/x ${Y}'}}".to_owned(),
            ":1:16: a.cmd: $HOME/x is not run by a shell; write sh -c '...'",
        ),
        (
            "programs: {a: {cmd: ~/bin/x}}".to_owned(),
            ":1:16: a.cmd: ~/bin/x is not run by a shell; write sh -c '...'",
        ),
        (
            "programs: {a: {cmd: FOO=bar ls}}".to_owned(),
            ":1:16: a.cmd: FOO= before a command is for a shell; write FOO under env",
        ),
        (
            "programs: {a: {cmd: FOO=bar ls | x}}".to_owned(),
            ":1:16: a.cmd: | is not run by a shell; write sh -c '...'",
        ),
        (
            "programs: {a: {cmd: 'sleep 1; ls'}}".to_owned(),
            ":1:16: a.cmd: ; is not run by a shell; write sh -c '...'",
        ),
        (
            "programs:\n  a:\n    cmd: |\n      echo one\n      echo two\n".to_owned(),
            ":3:5: a.cmd: each line is no command of its own here; write sh -c '...', or args for more words",
        ),
    ] {
        let warnings = good(&text).warnings;
        assert!(
            warnings.len() == 1 && warnings[0].ends_with(warning),
            "{warnings:?}"
        );
    }
    assert!(
        good("programs: {a: {cmd: [a, '|', $b]}}")
            .warnings
            .is_empty()
    );
}

#[test]
fn root_is_not_led_astray_by_the_loader() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: the file must belong to root");
        return;
    }
    let files = Files::new();
    let root = Surroundings {
        euid: 0,
        egid: 0,
        ..somebody()
    };
    let path = files.write("tm.yaml", web("env: {LD_PRELOAD: /x.so}"));
    let found = load(&path, &root).unwrap_err().to_string();
    assert!(
        found.ends_with("web.env.LD_PRELOAD: would change what a program of root loads; remove it")
    );
    fs::write(
        &path,
        web("env: {LD_PRELOAD: /x.so}\n    user: 5\n    group: 5"),
    )
    .unwrap();
    assert!(load(&path, &root).is_ok());
}
