//! The commands themselves: one entry each, and nothing about them anywhere else.

use crate::attach;
use crate::deeds;
use crate::tail;
use crate::typing;

use super::{Completes, Verb};

/// A command without aliases, options, notes and questions: most are.
const PLAIN: Verb = Verb {
    name: "",
    aliases: &[],
    meaning: "",
    usage: &[],
    note: "",
    options: &[],
    valued: &[],
    completes: Completes::Nothing,
    confirm: None,
    run: deeds::quit,
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
                "Apply it even if it has no programs, or an empty file",
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
        usage: &[
            ("reread", "Read the configuration and change nothing"),
            (
                "reread --allow-empty",
                "Read it even if it has no programs, or an empty file",
            ),
        ],
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
        name: "attach",
        aliases: &["fg"],
        meaning: "the terminal of a process, until Ctrl-]",
        usage: &[
            (
                "attach <name>",
                "Type into the process and see it; Ctrl-] detaches",
            ),
            ("attach --read-only <name>", "Only look"),
            ("attach --steal <name>", "Detach everybody else"),
            (
                "attach --ignore-size <name>",
                "Leave the size of the process's terminal alone",
            ),
            ("attach --filter <name>", "See text and colours only"),
            (
                "attach --history N <name>",
                "Begin with N lines that scrolled off the screen",
            ),
            (
                "attach --no-replay <name>",
                "Begin with what comes, not with what is there",
            ),
            (
                "attach --once <name>",
                "Leave when the process ends, with its exit status",
            ),
            (
                "attach --detach-key KEY <name>",
                "Another key: ^], ctrl-a to ctrl-z, none",
            ),
        ],
        note: attach::NOTE,
        options: &[
            "--read-only",
            "--steal",
            "--ignore-size",
            "--filter",
            "--history",
            "--no-replay",
            "--once",
            "--detach-key",
        ],
        valued: &["--history", "--detach-key"],
        completes: Completes::Process,
        run: attach::attach,
        ..PLAIN
    },
    Verb {
        name: "send",
        meaning: "type into a process",
        usage: &[(
            "send <name> <text>",
            "Type a text, with the escapes of printf: \\n \\r \\t \\e \\xNN ...",
        )],
        note: "Nothing is added to the text: to press Enter at a terminal, end it with \\r.\n\
               Quotes around it keep its blanks: send <name> 'a  b\\r'",
        completes: Completes::ProcessAndText,
        run: typing::send,
        ..PLAIN
    },
    Verb {
        name: "screen",
        meaning: "what is on the screen of a process",
        usage: &[
            ("screen <name>", "Print it as text"),
            ("screen --ansi <name>", "With colours and attributes"),
            (
                "screen --history N <name>",
                "With N lines that scrolled off it",
            ),
        ],
        options: &["--ansi", "--history"],
        valued: &["--history"],
        completes: Completes::Process,
        run: typing::screen,
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
        usage: &[("quit", "Exit the taskmaster shell, as Ctrl-D does")],
        note: "exit is another word for quit.",
        run: deeds::quit,
        ..PLAIN
    },
];
