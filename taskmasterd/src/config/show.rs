//! The values of a configuration as text for people: what `--check` prints and what a reload reports.
//!
//! Values of environment variables may be secrets; only their names are ever shown.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};

use shared::text::{duration, escape};

use super::words;
use crate::config::model::{
    Autorestart, Config, Identity, Launch, Limit, LogFile, Output, Program, Resource, RestartLimit,
    Socket, Syslog, Tty,
};

/// Each resource with its name in the file, and whether it is counted in bytes.
pub(super) const RESOURCES: [(&str, Resource, bool); 16] = [
    ("as", Resource::As, true),
    ("core", Resource::Core, true),
    ("cpu", Resource::Cpu, false),
    ("data", Resource::Data, true),
    ("fsize", Resource::Fsize, true),
    ("locks", Resource::Locks, false),
    ("memlock", Resource::Memlock, true),
    ("msgqueue", Resource::Msgqueue, true),
    ("nice", Resource::Nice, false),
    ("nofile", Resource::Nofile, false),
    ("nproc", Resource::Nproc, false),
    ("rss", Resource::Rss, true),
    ("rtprio", Resource::Rtprio, false),
    ("rttime", Resource::Rttime, false),
    ("sigpending", Resource::Sigpending, false),
    ("stack", Resource::Stack, true),
];

/// What a resource is called in the file.
pub fn resource_name(resource: Resource) -> &'static str {
    let known = RESOURCES.iter().find(|(_, known, _)| *known == resource);
    known.map_or("", |(name, ..)| name)
}

/// The value of one key.
pub(super) struct Row {
    pub(super) key: &'static str,
    /// For people.
    pub(super) shown: String,
    /// Equal where the values are equal, and only there; never shown.
    pub(super) exact: String,
}

fn row<T: Debug + ?Sized>(key: &'static str, value: &T, shown: impl Into<String>) -> Row {
    let exact = format!("{value:?}");
    let shown = shown.into();
    Row { key, shown, exact }
}

/// What `taskmasterd --check` prints of a configuration in which nothing is wrong.
pub fn describe(config: &Config) -> String {
    let mut out = String::new();
    for row in settings(config) {
        line(&mut out, &format!("{}: {}", row.key, row.shown));
    }
    for program in config.programs.values() {
        line(&mut out, &format!("\n{}", program.name));
        for row in rows(program) {
            line(&mut out, &format!("  {:<27} {}", row.key, row.shown));
        }
    }
    out
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("writing to a String does not fail");
}

/// The keys at the top of a configuration.
pub(super) fn settings(config: &Config) -> Vec<Row> {
    let Config {
        programs: _,
        socket,
        log,
        syslog,
        empty_on_purpose: _,
        blank_files: _,
        directories: _,
        warnings: _,
        obstacles: _,
    } = config;
    let log_shown = log
        .as_ref()
        .map_or_else(|| "standard error".into(), |path| path_text(path));
    vec![
        row("socket", socket, socket_text(socket)),
        row("log", log, log_shown),
        row("syslog", syslog, syslog_text(syslog.as_ref())),
    ]
}

fn socket_text(socket: &Socket) -> String {
    let path = socket
        .path
        .as_ref()
        .map_or_else(|| "the default".into(), |path| path_text(path));
    let mut text = format!("{path}, mode {:04o}", socket.mode);
    if let Some(uid) = socket.owner {
        text += &format!(", owner {uid}");
    }
    if let Some(gid) = socket.group {
        text += &format!(", group {gid}");
    }
    text
}

fn syslog_text(syslog: Option<&Syslog>) -> String {
    syslog.map_or_else(
        || "no".into(),
        |syslog| escape(&format!("facility {}, tag {}", syslog.facility, syslog.tag)),
    )
}

/// The keys of a program, in the order of the manual.
pub(super) fn rows(program: &Program) -> Vec<Row> {
    let Program {
        name: _,
        launch,
        numprocs,
        autostart,
        autorestart,
        exitcodes,
        starttime_ms,
        startretries,
        stopsignal,
        stoptime_ms,
        stopasgroup,
        sweep,
        stdout,
        stderr,
        priority,
        restart_delay_ms,
        restart_limit,
        fatal_state_report_address,
        description,
    } = program;
    let mut rows = launch_rows(launch);
    rows.extend([
        row("numprocs", numprocs, numprocs.to_string()),
        row("autostart", autostart, yes_no(*autostart)),
        row("autorestart", autorestart, autorestart_text(*autorestart)),
        row("exitcodes", exitcodes, list(exitcodes)),
        row("starttime", starttime_ms, time(*starttime_ms)),
        row("startretries", startretries, startretries.to_string()),
        row("stopsignal", stopsignal, shared::signal::name(*stopsignal)),
        row("stoptime", stoptime_ms, time(*stoptime_ms)),
        row("stopasgroup", stopasgroup, yes_no(*stopasgroup)),
        row("sweep", sweep, yes_no(*sweep)),
        row("stdout", stdout, output_text(stdout)),
        row("stderr", stderr, stderr_text(stderr, launch.tty)),
        row("priority", priority, priority.to_string()),
        row("restart_delay", restart_delay_ms, time(*restart_delay_ms)),
        row("restart_limit", restart_limit, restart_text(*restart_limit)),
        row(
            "fatal_state_report_address",
            fatal_state_report_address,
            optional(fatal_state_report_address.as_ref(), "none"),
        ),
        row(
            "description",
            description,
            optional(description.as_ref(), "none"),
        ),
    ]);
    rows
}

fn launch_rows(launch: &Launch) -> Vec<Row> {
    let Launch {
        argv,
        tty,
        env,
        inherit_env,
        workingdir,
        umask,
        user,
        limits,
        nice,
        oom_score_adj,
        no_new_privs,
    } = launch;
    let identity = user.as_ref();
    let who = identity.map(|user| (&user.name, user.uid, &user.home, &user.shell));
    let gid = identity.map(|user| user.gid);
    let groups = identity.map(|user| &user.groups);
    let workingdir_shown = workingdir
        .as_ref()
        .map_or_else(|| "the daemon's directory".into(), |path| path_text(path));
    let gid_shown = optional(gid.as_ref(), "the daemon's");
    let groups_shown = groups.map_or_else(|| "the daemon's".into(), |groups| list(groups));
    vec![
        row("cmd", argv, escape(&words::join(argv))),
        row("tty", tty, tty_text(*tty)),
        row("env", env, env_names(env)),
        row("inherit_env", inherit_env, yes_no(*inherit_env)),
        row("workingdir", workingdir, workingdir_shown),
        row("umask", umask, format!("{umask:04o}")),
        row("user", &who, user_text(identity)),
        row("group", &gid, gid_shown),
        row("groups", &groups, groups_shown),
        row("limits", limits, limits_text(limits)),
        row("nice", nice, optional(nice.as_ref(), "inherited")),
        row(
            "oom_score_adj",
            oom_score_adj,
            optional(oom_score_adj.as_ref(), "inherited"),
        ),
        row("no_new_privs", no_new_privs, yes_no(*no_new_privs)),
    ]
}

/// A time to the millisecond, as it can be written; what is measured needs no such care.
fn time(ms: u64) -> String {
    match (ms / 1000, ms % 1000) {
        (0, _) | (_, 0) => duration(ms),
        (seconds, fraction) => {
            let text = format!("{seconds}.{fraction:03}");
            format!("{} s", text.trim_end_matches('0'))
        }
    }
}

fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

fn optional<T: ToString>(value: Option<&T>, missing: &str) -> String {
    value.map_or_else(|| missing.to_owned(), |value| escape(&value.to_string()))
}

fn list<T: ToString>(values: &[T]) -> String {
    let texts: Vec<String> = values.iter().map(T::to_string).collect();
    if texts.is_empty() {
        "none".into()
    } else {
        texts.join(" ")
    }
}

fn path_text(path: &std::path::Path) -> String {
    escape(&path.to_string_lossy())
}

/// The names of the variables.
pub(super) fn env_names(env: &BTreeMap<String, String>) -> String {
    let names: Vec<String> = env.keys().map(|name| escape(name)).collect();
    list(&names)
}

fn user_text(user: Option<&Identity>) -> String {
    user.map_or_else(
        || "the daemon's".into(),
        |user| {
            escape(&format!(
                "{} (uid {}, home {}, shell {})",
                user.name, user.uid, user.home, user.shell
            ))
        },
    )
}

fn tty_text(tty: Tty) -> &'static str {
    match tty {
        Tty::Full => "full",
        Tty::Split => "split",
        Tty::None => "none",
    }
}

fn autorestart_text(autorestart: Autorestart) -> String {
    match autorestart {
        Autorestart::Always => "always".into(),
        Autorestart::Never => "never".into(),
        Autorestart::Unexpected => "unexpected".into(),
        Autorestart::OnFailure(times) => format!("on-failure:{times}"),
    }
}

fn output_text(output: &Output) -> String {
    match output {
        Output::Memory => "memory".into(),
        Output::Discard => "discard".into(),
        Output::Inherit => "inherit".into(),
        Output::Syslog => "syslog".into(),
        Output::Stdout => "where stdout goes".into(),
        Output::File(log) => log_text(log),
    }
}

/// Where standard error goes, which with a whole terminal is not what its key says.
fn stderr_text(stderr: &Output, tty: Tty) -> String {
    match (tty, stderr) {
        (Tty::Full, Output::Memory | Output::Stdout) => output_text(&Output::Stdout),
        (Tty::Full, Output::Discard | Output::Inherit | Output::Syslog | Output::File(_)) => {
            let (real, said) = (output_text(&Output::Stdout), output_text(stderr));
            format!("{real}, not {said}, because tty is full")
        }
        (Tty::Split | Tty::None, _) => output_text(stderr),
    }
}

fn log_text(log: &LogFile) -> String {
    let mut text = path_text(&log.path);
    if let Some(size) = log.max_size {
        text += &format!(", rotated at {size} bytes, {} kept", log.keep);
    }
    if log.timestamps {
        text += ", with timestamps";
    }
    if log.strip_ansi {
        text += ", without escape sequences";
    }
    text
}

fn restart_text(limit: Option<RestartLimit>) -> String {
    limit.map_or_else(
        || "none".into(),
        |limit| format!("{} in {}", limit.burst, time(limit.interval_ms)),
    )
}

fn limits_text(limits: &BTreeMap<Resource, Limit>) -> String {
    let bound = |bound: Option<u64>| bound.map_or_else(|| "unlimited".into(), |n| n.to_string());
    let texts: Vec<String> = RESOURCES
        .iter()
        .filter_map(|(name, resource, _)| Some((name, limits.get(resource)?)))
        .map(|(name, limit)| match limit.soft == limit.hard {
            true => format!("{name}={}", bound(limit.soft)),
            false => format!("{name}={}:{}", bound(limit.soft), bound(limit.hard)),
        })
        .collect();
    if texts.is_empty() {
        "inherited".into()
    } else {
        texts.join(" ")
    }
}
