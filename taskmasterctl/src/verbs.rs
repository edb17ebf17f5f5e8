//! The table of commands: what each is called, how it is used, what it completes, who carries it out.
//!
//! Help, completion and dispatch read this table and nothing else. The lines of help are supervisorctl's.

use shared::name::did_you_mean;
use shared::text::escape;

use crate::call::Daemon;
use crate::deeds;
use crate::exit::Exit;
use crate::job::Job;
use crate::tail;
use crate::term;

/// What all commands of one run share.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) daemon: Daemon,
    /// Whether `--json` stood before the command.
    pub(crate) json: bool,
}

/// One command.
pub(crate) struct Verb {
    pub(crate) name: &'static str,
    /// Other words for it.
    pub(crate) aliases: &'static [&'static str],
    /// What it does, in a line.
    pub(crate) meaning: &'static str,
    /// How it is used, and what that does.
    usage: &'static [(&'static str, &'static str)],
    /// What else there is to know.
    note: &'static str,
    pub(crate) options: &'static [&'static str],
    pub(crate) completes: Completes,
    /// What the shell asks before it does it.
    pub(crate) confirm: Option<&'static str>,
    run: fn(&mut Job<'_>, &[&str]) -> Exit,
}

/// What the words after a command are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completes {
    Nothing,
    Verbs,
    /// Processes, groups and `all`.
    Processes,
    /// A signal, then processes.
    SignalAndProcesses,
    /// A process, then a stream.
    ProcessAndStream,
}

/// A command without aliases, options, notes and questions: most are.
const PLAIN: Verb = Verb {
    name: "",
    aliases: &[],
    meaning: "",
    usage: &[],
    note: "",
    options: &[],
    completes: Completes::Nothing,
    confirm: None,
    run: deeds::nothing,
};

/// Every command, in the order of the manual.
pub(crate) static VERBS: &[Verb] = &[
    Verb {
        name: "status",
        meaning: "the state of processes",
        usage: &[
            ("status <name>", "Get status for a single process"),
            (
                "status <gname>:*",
                "Get status for all processes in a group",
            ),
            (
                "status <name> <name>",
                "Get status for multiple named processes",
            ),
            ("status", "Get all process status info"),
            (
                "status --strays",
                "Show processes that outlived their supervised parent too",
            ),
        ],
        options: &["--strays"],
        completes: Completes::Processes,
        run: deeds::status,
        ..PLAIN
    },
    Verb {
        name: "start",
        meaning: "start processes",
        usage: &[
            ("start <name>", "Start a process"),
            ("start <gname>:*", "Start all processes in a group"),
            ("start <name> <name>", "Start multiple processes or groups"),
            ("start all", "Start all processes"),
        ],
        completes: Completes::Processes,
        run: deeds::start,
        ..PLAIN
    },
    Verb {
        name: "stop",
        meaning: "stop processes",
        usage: &[
            ("stop <name>", "Stop a process"),
            ("stop <gname>:*", "Stop all processes in a group"),
            ("stop <name> <name>", "Stop multiple processes or groups"),
            ("stop all", "Stop all processes"),
        ],
        completes: Completes::Processes,
        run: deeds::stop,
        ..PLAIN
    },
    Verb {
        name: "restart",
        meaning: "stop what runs, then start",
        usage: &[
            ("restart <name>", "Restart a process"),
            ("restart <gname>:*", "Restart all processes in a group"),
            (
                "restart <name> <name>",
                "Restart multiple processes or groups",
            ),
            ("restart all", "Restart all processes"),
        ],
        note: "Note: restart does not reread config files. For that, see reread and update.",
        completes: Completes::Processes,
        run: deeds::restart,
        ..PLAIN
    },
    Verb {
        name: "signal",
        meaning: "send a signal to processes that run",
        usage: &[
            ("signal <signal name> <name>", "Signal a process"),
            (
                "signal <signal name> <gname>:*",
                "Signal all processes in a group",
            ),
            (
                "signal <signal name> <name> <name>",
                "Signal multiple processes or groups",
            ),
            ("signal <signal name> all", "Signal all processes"),
        ],
        completes: Completes::SignalAndProcesses,
        run: deeds::signal,
        ..PLAIN
    },
    Verb {
        name: "reload",
        aliases: &["update"],
        meaning: "read the configuration again and apply it",
        usage: &[
            (
                "reload",
                "Apply the configuration; only what changed is touched",
            ),
            (
                "reload --dry-run",
                "Only say what would change, as reread does",
            ),
            (
                "reload --allow-empty",
                "Apply it even if it has no programs",
            ),
        ],
        note: "update is another word for reload.",
        options: &["--dry-run", "--allow-empty"],
        run: deeds::reload,
        ..PLAIN
    },
    Verb {
        name: "reread",
        meaning: "say what reload would change",
        usage: &[("reread", "Read the configuration and change nothing")],
        options: &["--allow-empty"],
        run: deeds::reread,
        ..PLAIN
    },
    Verb {
        name: "tail",
        meaning: "the last output of a process",
        usage: &[
            (
                "tail [-f] <name> [stdout|stderr]",
                "The last 1600 bytes (default stdout)",
            ),
            ("tail -100 <name>", "The last 100 bytes"),
            ("tail -f <name>", "Go on with what comes, until Ctrl-C"),
            (
                "tail --raw <name>",
                "Leave escape sequences in, on a terminal too",
            ),
        ],
        options: &["-f", "--raw"],
        completes: Completes::ProcessAndStream,
        run: tail::tail,
        ..PLAIN
    },
    Verb {
        name: "clear",
        meaning: "empty the kept output of processes",
        usage: &[
            ("clear <name>", "Clear a process' log files"),
            ("clear <name> <name>", "Clear multiple process' log files"),
            ("clear all", "Clear all process' log files"),
        ],
        completes: Completes::Processes,
        run: deeds::clear,
        ..PLAIN
    },
    Verb {
        name: "pid",
        meaning: "the pid of the daemon, or of processes",
        usage: &[
            ("pid", "Get the PID of taskmasterd"),
            (
                "pid <name>",
                "Get the PID of a single child process by name",
            ),
            (
                "pid all",
                "Get the PID of every child process, one per line",
            ),
        ],
        completes: Completes::Processes,
        run: deeds::pid,
        ..PLAIN
    },
    Verb {
        name: "avail",
        meaning: "all processes of the configuration",
        usage: &[("avail", "Display all configured processes")],
        run: deeds::avail,
        ..PLAIN
    },
    Verb {
        name: "version",
        meaning: "the version of the daemon",
        usage: &[(
            "version",
            "Show the version of the remote taskmasterd process",
        )],
        run: deeds::version,
        ..PLAIN
    },
    Verb {
        name: "shutdown",
        meaning: "stop everything, then the daemon",
        usage: &[("shutdown", "Shut the remote taskmasterd down")],
        confirm: Some("Really shut the remote taskmasterd process down y/N? "),
        run: deeds::shutdown,
        ..PLAIN
    },
    Verb {
        name: "help",
        aliases: &["?"],
        meaning: "this list, or more about a command",
        usage: &[
            ("help", "Print a list of available actions"),
            ("help <action>", "Print help for <action>"),
        ],
        completes: Completes::Verbs,
        run: deeds::help,
        ..PLAIN
    },
    Verb {
        name: "quit",
        aliases: &["exit"],
        meaning: "leave the shell",
        usage: &[("quit", "Exit the taskmaster shell; so do exit and Ctrl-D")],
        ..PLAIN
    },
];

impl Verb {
    /// How it is used, line by line.
    pub(crate) fn help(&self) -> String {
        let width = self.usage.iter().map(|(usage, _)| usage.len()).max();
        let width = width.unwrap_or(0).max(26) + 2;
        let mut text = String::new();
        for (usage, meaning) in self.usage {
            text.push_str(&format!("{usage:width$}{meaning}\n"));
        }
        if !self.note.is_empty() {
            text.push_str(&format!("{}\n", self.note));
        }
        text
    }
}

/// The command called `word`.
pub(crate) fn find(word: &str) -> Option<&'static Verb> {
    VERBS
        .iter()
        .find(|verb| verb.name == word || verb.aliases.contains(&word))
}

/// Every word that is a command.
pub(crate) fn words() -> impl Iterator<Item = &'static str> {
    VERBS
        .iter()
        .flat_map(|verb| std::iter::once(verb.name).chain(verb.aliases.iter().copied()))
}

/// What `--help` prints.
pub(crate) fn overview() -> String {
    let mut text = String::from(
        "Usage: taskmasterctl [-s SOCKET] [--json] [COMMAND [ARG...]]\n\
         \n\
         Controls the processes of taskmasterd. Without a command it is a shell.\n\
         \n\
         Options:\n  \
           -s, --socket SOCKET  the control socket; else $TASKMASTER_SOCKET, else the usual one\n  \
           --json               print answers as JSON\n  \
           -h, --help           print this\n  \
           -V, --version        print the version of taskmasterctl\n\
         \n",
    );
    text.push_str(&commands());
    text
}

/// What `help` prints.
pub(crate) fn commands() -> String {
    let mut text = String::from("Commands (help <command> tells more):\n");
    for verb in VERBS {
        let name = [&[verb.name], verb.aliases].concat().join(", ");
        text.push_str(&format!("  {name:<16} {}\n", verb.meaning));
    }
    text
}

/// Carries out one command. `--json` may stand anywhere in it.
pub(crate) fn dispatch(session: &Session, words: &[&str]) -> Exit {
    let json = session.json || words.contains(&"--json");
    let words: Vec<&str> = words
        .iter()
        .copied()
        .filter(|&word| word != "--json")
        .collect();
    let Some((&name, args)) = words.split_first() else {
        return Exit::OK;
    };
    let Some(verb) = find(name) else {
        return unknown(&words);
    };
    let mut job = Job::new(session, verb, json);
    let exit = if args.iter().any(|&arg| arg == "--help" || arg == "-h") {
        deeds::help(&mut job, &[name])
    } else if let Some(option) = args.iter().find(|arg| is_strange(verb, arg)) {
        job.misused(&format!("unknown option {}", escape(option)));
        Exit::USAGE
    } else {
        (verb.run)(&mut job, args)
    };
    job.page.flush();
    exit
}

/// Whether `arg` looks like an option that the command does not have. A number is one for `tail`.
fn is_strange(verb: &Verb, arg: &str) -> bool {
    let numeric = arg[1.min(arg.len())..]
        .bytes()
        .all(|byte| byte.is_ascii_digit());
    arg.starts_with('-') && !numeric && !verb.options.contains(&arg) && verb.name != "tail"
}

fn unknown(line: &[&str]) -> Exit {
    let shown = escape(&line.join(" "));
    term::print(format!("*** Unknown syntax: {shown}\n").as_bytes());
    if let Some(near) = line.first().and_then(|&word| did_you_mean(word, words())) {
        term::complain(&format!("did you mean \"{near}\"?"));
    }
    Exit::FAILED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_means_one_command() {
        let mut seen: Vec<&str> = words().collect();
        seen.sort_unstable();
        let count = seen.len();
        seen.dedup();
        assert_eq!(seen.len(), count);
        assert_eq!(find("update").map(|verb| verb.name), Some("reload"));
        assert!(find("frobnicate").is_none());
    }

    #[test]
    fn every_command_has_help() {
        for verb in VERBS {
            assert!(!verb.meaning.is_empty() && verb.help().starts_with(verb.name));
            assert!(overview().contains(verb.meaning));
        }
    }
}
