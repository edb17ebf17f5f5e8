//! Reads the sources and holds the rules of the house: who may use what, and how long things may be.
//!
//! In-source `#[cfg(test)]` modules are exempt: a file ends, for these rules, where its tests begin.

use std::fmt::Write;

use harness::source::{Source, functions, sources, stands_in};

/// The most lines of a file, its tests apart.
const FILE_LINES_MAX: usize = 400;
/// The most lines of a function.
const FUNCTION_LINES_MAX: usize = 70;

/// A file that may be longer, and why.
struct Longer {
    path: &'static str,
    file_lines: usize,
    function_lines: usize,
}

/// The exceptions. Each is a table, one row a line or a few, which would only be harder to read in pieces.
const LONGER: &[Longer] = &[
    Longer {
        path: "shared/src/event.rs", // every kind of event, and the sentence it is told in
        file_lines: 500,
        function_lines: 210,
    },
    Longer {
        path: "shared/src/api.rs", // the dictionary of the protocol
        file_lines: 520,
        function_lines: FUNCTION_LINES_MAX,
    },
];

fn longer(path: &str) -> Option<&'static Longer> {
    LONGER.iter().find(|exception| exception.path == path)
}

/// Fails with all lines that break a rule, as `file:line: why: the line`.
#[derive(Default)]
struct Verdict {
    broken: String,
}

impl Verdict {
    fn complain(&mut self, source: &Source, line: usize, why: &str) {
        let shown = source.text[line].trim();
        writeln!(self.broken, "{}:{}: {why}: {shown}", source.path, line + 1).expect("memory");
    }

    /// Complains of every line of code in which one of the words stands.
    fn forbid(&mut self, source: &Source, words: &[&str], why: &str) {
        for (line, code) in source.code.iter().enumerate() {
            for word in words.iter().filter(|word| stands_in(code, word)) {
                self.complain(source, line, &format!("`{word}` {why}"));
            }
        }
    }

    fn deliver(self) {
        assert!(self.broken.is_empty(), "\n{}", self.broken);
    }
}

/// Holds one row of the table: only files that `allowed` accepts may contain the words.
fn only(scope: &str, allowed: impl Fn(&str) -> bool, words: &[&str], why: &str) {
    let mut verdict = Verdict::default();
    for source in sources() {
        if source.path.starts_with(scope) && !allowed(&source.path) {
            verdict.forbid(&source, words, why);
        }
    }
    verdict.deliver();
}

// The core takes decisions and does nothing: that is what makes it testable with a simulated world.
#[test]
fn the_core_is_pure() {
    let words = [
        "mio",
        "nix",
        "libc",
        "std::fs",
        "std::io",
        "std::net",
        "std::process",
        "std::os",
        "std::thread",
        "std::env",
        "Instant",
        "SystemTime",
        "f32",
        "f64",
        "HashMap",
        "HashSet",
        "crate::child",
        "crate::logs",
        "crate::control",
        "crate::sinks",
        "crate::sys",
        "crate::files",
        "crate::reactor",
        "config::file",
        "config::check",
    ];
    only(
        "taskmasterd/src/core",
        |_| false,
        &words,
        "is not for the core",
    );
}

#[test]
fn what_is_shared_does_no_io_and_has_no_clock() {
    let words = [
        "std::fs",
        "std::io",
        "std::net",
        "std::process",
        "std::os",
        "std::thread",
        "std::env",
        "Instant",
        "SystemTime",
        "mio",
        "nix",
        "libc",
        "println!",
        "eprintln!",
    ];
    only(
        "shared/",
        |_| false,
        &words,
        "is I/O or a clock, and shared/ has neither",
    );
}

#[test]
fn only_the_reactor_and_the_control_socket_know_mio() {
    let allowed = |path: &str| {
        path.starts_with("taskmasterd/src/reactor") || path.starts_with("taskmasterd/src/control")
    };
    only("", allowed, &["mio"], "is for reactor/ and control/");
}

#[test]
fn only_one_file_reads_yaml() {
    let allowed = |path: &str| path == "taskmasterd/src/config/file.rs";
    only("", allowed, &["serde_yaml"], "is for config/file.rs");
}

#[test]
fn only_one_file_knows_the_syslog_crate() {
    let allowed = |path: &str| path == "taskmasterd/src/sinks/syslog.rs";
    only(
        "",
        allowed,
        &["use syslog", "extern crate syslog", "= syslog::"],
        "is for sinks/syslog.rs",
    );
}

#[test]
fn only_the_shell_knows_the_line_editor() {
    let allowed = |path: &str| {
        [
            "taskmasterctl/src/shell.rs",
            "taskmasterctl/src/complete.rs",
        ]
        .contains(&path)
    };
    only(
        "",
        allowed,
        &["rustyline"],
        "is for the client's shell.rs and complete.rs",
    );
}

#[test]
fn unsafe_code_lives_behind_one_door() {
    let doors = [
        "taskmasterd/src/sys.rs",
        "taskmasterd/src/sys/birth.rs",
        "taskmasterd/src/sys/raw.rs",
        "taskmasterd/src/child/spawn.rs",
        "tests/src/sys.rs",
        "tests/src/bin/puppet.rs",
    ];
    only(
        "",
        |path| doors.contains(&path),
        &["unsafe"],
        "is for sys.rs",
    );
}

#[test]
fn only_the_reactor_looks_at_the_clock() {
    let allowed = |path: &str| path == "taskmasterd/src/reactor/mod.rs";
    let words = ["Instant::now", "SystemTime::now", "clock_gettime"];
    only("taskmasterd/src", allowed, &words, "is for reactor/mod.rs");
}

// One thread, one owner: nothing to lock, nothing to race.
#[test]
fn the_daemon_has_no_threads_and_no_shared_state() {
    let words = [
        "thread::spawn",
        "thread::scope",
        "thread::Builder",
        "async",
        ".await",
        "RefCell",
        "Mutex",
        "RwLock",
        "static mut",
        "AtomicBool",
        "AtomicUsize",
        "AtomicU64",
        "AtomicI32",
        "OnceLock",
        "LazyLock",
        "thread_local!",
    ];
    only(
        "taskmasterd/src",
        |_| false,
        &words,
        "is not for the daemon",
    );
}

// Calls go down and values come up: a leaf that knew another leaf, or the reactor, would be a knot.
#[test]
fn imports_run_one_way() {
    let leaves = ["child", "logs", "control", "screen", "sinks"];
    let mut verdict = Verdict::default();
    for source in sources() {
        let own = leaves
            .iter()
            .find(|leaf| source.path.starts_with(&format!("taskmasterd/src/{leaf}")));
        if let Some(own) = own {
            let others = leaves.iter().filter(|leaf| leaf != &own);
            let mut words: Vec<String> = others.map(|leaf| format!("crate::{leaf}")).collect();
            words.push("crate::reactor".into());
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            verdict.forbid(&source, &words, &format!("is above or beside {own}/"));
        }
        if source.path.starts_with("taskmasterd/src/config") {
            let words = [
                "crate::core",
                "crate::reactor",
                "crate::child",
                "crate::control",
            ];
            verdict.forbid(&source, &words, "is above config/");
        }
        if source.path.starts_with("taskmasterctl") || source.path.starts_with("shared") {
            verdict.forbid(&source, &["taskmasterd::"], "is the daemon's own");
        }
    }
    verdict.deliver();
}

#[test]
fn no_file_is_too_long() {
    let mut verdict = Verdict::default();
    for source in sources() {
        let max = match longer(&source.path) {
            Some(exception) => exception.file_lines,
            None => FILE_LINES_MAX,
        };
        if source.text.len() > max {
            let why = format!("{} lines, {max} at most", source.text.len());
            verdict.complain(&source, 0, &why);
        }
    }
    verdict.deliver();
}

#[test]
fn no_function_is_too_long() {
    let mut verdict = Verdict::default();
    for source in sources() {
        let max = match longer(&source.path) {
            Some(exception) => exception.function_lines,
            None => FUNCTION_LINES_MAX,
        };
        for (start, length) in functions(&source) {
            if length > max {
                let why = format!("a function of {length} lines, {max} at most");
                verdict.complain(&source, start, &why);
            }
        }
    }
    verdict.deliver();
}

// An exception that nobody needs any more is a hole.
#[test]
fn every_exception_is_needed() {
    for source in sources() {
        if let Some(exception) = longer(&source.path) {
            let longest = functions(&source)
                .into_iter()
                .map(|(_, length)| length)
                .max();
            let needed = source.text.len() > FILE_LINES_MAX || longest > Some(FUNCTION_LINES_MAX);
            assert!(needed, "{} needs no exception", exception.path);
        }
    }
}

#[test]
fn nothing_is_left_to_be_done() {
    let mut verdict = Verdict::default();
    for source in sources() {
        verdict.forbid(
            &source,
            &["todo!", "unimplemented!", "dbg!"],
            "is not finished work",
        );
    }
    verdict.deliver();
}

// Tests wait for facts, and the reactor, whose turn begins with its own `sleep`, for readiness. The one helper that does so is the only place that may let time pass.
#[test]
fn nobody_sleeps() {
    let allowed = |path: &str| path == "tests/src/wait.rs";
    only(
        "",
        allowed,
        &["thread::sleep", "sleep_ms(", "nanosleep("],
        "is for the harness's one helper",
    );
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    let mut verdict = Verdict::default();
    for source in sources() {
        verdict.forbid(
            &source,
            &["#[allow", "#![allow", "allow("],
            "hides what it allows; use expect",
        );
        for (line, code) in source.code.iter().enumerate() {
            let attribute = code.contains("#[expect") || code.contains("#![expect");
            let following = &source.code[line..source.code.len().min(line + 6)];
            if attribute && !following.iter().any(|line| stands_in(line, "reason")) {
                verdict.complain(&source, line, "an expectation without a reason");
            }
        }
    }
    verdict.deliver();
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut verdict = Verdict::default();
    for source in sources() {
        for (line, code) in source.code.iter().enumerate() {
            let block = code.contains("unsafe {")
                || code.contains("unsafe impl")
                || code.contains("#[unsafe(");
            let before = &source.text[line.saturating_sub(8)..=line];
            if block && !before.iter().any(|text| text.contains("SAFETY:")) {
                verdict.complain(&source, line, "no SAFETY comment before it");
            }
        }
    }
    verdict.deliver();
}

#[test]
fn every_limit_has_its_reason() {
    let mut verdict = Verdict::default();
    for source in sources()
        .iter()
        .filter(|source| source.path.ends_with("/limits.rs"))
    {
        for (line, code) in source.code.iter().enumerate() {
            if code.starts_with("pub const") && !source.text[line - 1].starts_with("///") {
                verdict.complain(source, line, "a limit without its reason");
            }
        }
    }
    verdict.deliver();
}
