//! The one table of all keys: what is unknown is judged by it, and the manual must agree with it.

use shared::name::did_you_mean;

use super::node::Entry;
use super::report::Report;

/// Where a key may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the top of the file.
    Top,
    /// In a program, or in `defaults`.
    Program,
}

/// What a changed value needs at a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// Nothing: it holds from then on.
    Live,
    /// New processes.
    Restart,
    /// A new daemon.
    NextStart,
}

/// A key of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// Where it may stand.
    pub place: Place,
    /// What holds where it is not written.
    pub default: &'static str,
    /// What a change needs.
    pub reload: Reload,
    /// What it is, in one line.
    pub about: &'static str,
}

macro_rules! keys {
    ($($place:ident $reload:ident $name:literal, $default:literal, $about:literal;)+) => {
        /// Every key, in the order of the manual.
        pub const KEYS: &[Key] = &[$(Key {
            name: $name,
            place: Place::$place,
            default: $default,
            reload: Reload::$reload,
            about: $about,
        }),+];
    };
}

keys! {
    Top Live "programs", "none", "the programs, by name; `processes` is the same";
    Top Live "include", "none", "files, or patterns of files, with more programs";
    Top Live "defaults", "none", "keys of a program, for every program that does not set them";
    Top NextStart "socket", "by the daemon's user", "the control socket: a path, or path, mode, owner, group";
    Top NextStart "log", "standard error", "the file of the event log";
    Top NextStart "syslog", "false", "whether events go to syslog too: true, or facility, tag";
    Program Restart "cmd", "required", "the command, split into words as a shell does, or a list of words";
    Program Restart "args", "none", "a list of words behind those of cmd";
    Program Live "numprocs", "1", "how many processes";
    Program Live "autostart", "true", "whether they start with the daemon";
    Program Live "autorestart", "unexpected", "whether they start again: always, never, unexpected, on-failure:N";
    Program Live "exitcodes", "0", "the exit codes that are expected";
    Program Live "starttime", "1", "how long a process must stay up to count as started";
    Program Live "startretries", "3", "how many failed starts in a row are tried again";
    Program Live "stopsignal", "TERM", "the signal that asks it to end";
    Program Live "stoptime", "10", "how long it is then given before it is killed";
    Program Live "stopasgroup", "false", "whether the stop signal goes to its process group";
    Program Live "sweep", "true", "whether the rest of its process group is killed when it is dead";
    Program Live "stdout", "the last 64 KiB in memory", "where its output goes: a path, discard, inherit, syslog";
    Program Live "stderr", "the last 64 KiB in memory", "where its errors go: as stdout, or stdout for the same place";
    Program Restart "tty", "full, or split where stderr has a place of its own", "what it has for a terminal: full, split, none";
    Program Restart "env", "none", "environment variables";
    Program Restart "env_file", "none", "a file of NAME=VALUE lines, before env";
    Program Restart "inherit_env", "true", "whether the daemon's environment is the base";
    Program Restart "workingdir", "the daemon's directory", "the directory it starts in";
    Program Restart "umask", "022", "its file mode creation mask, in octal digits";
    Program Restart "user", "the daemon's user", "whom it runs as";
    Program Restart "group", "the user's group", "its primary group";
    Program Restart "groups", "the user's groups", "its other groups";
    Program Restart "limits", "inherited", "its resource limits, by the names of setrlimit(2)";
    Program Restart "nice", "inherited", "its nice value";
    Program Restart "oom_score_adj", "inherited", "how willingly the kernel kills it when memory runs out";
    Program Restart "no_new_privs", "false", "whether it can never gain privileges";
    Program Live "priority", "999", "lower starts first and stops last";
    Program Live "restart_delay", "0", "the wait before it is started again after it was running";
    Program Live "restart_limit", "none", "burst restarts within interval; one more is fatal";
    Program Live "fatal_state_report_address", "none", "host:port to tell when it is fatal";
    Program Live "description", "none", "your own words about it";
}

/// Keys that will mean something one day, and must not be passed over in silence before.
const NOT_YET: [(Place, &str); 4] = [
    (Place::Top, "alerts"),
    (Place::Top, "access"),
    (Place::Program, "depends_on"),
    (Place::Program, "healthcheck"),
];

/// What a key of a program elsewhere is here: those of supervisor, then of systemd, pm2 and Compose, in any case. Most
/// are too unlike ours to be found by their letters, or would be taken for another.
const ELSEWHERE: [(&str, &str); 47] = [
    ("command", "cmd"),
    ("directory", "workingdir"),
    ("environment", "env"),
    ("startsecs", "starttime"),
    ("stopwaitsecs", "stoptime"),
    ("killasgroup", "sweep"),
    ("redirect_stderr", "stderr: stdout"),
    ("stdout_logfile", "stdout"),
    ("stdout_logfile_maxbytes", "stdout.max_size"),
    ("stdout_logfile_backups", "stdout.keep"),
    ("stdout_syslog", "stdout: syslog"),
    ("stderr_logfile", "stderr"),
    ("stderr_logfile_maxbytes", "stderr.max_size"),
    ("stderr_logfile_backups", "stderr.keep"),
    ("stderr_syslog", "stderr: syslog"),
    ("ExecStart", "cmd"),
    ("WorkingDirectory", "workingdir"),
    ("EnvironmentFile", "env_file"),
    ("StandardOutput", "stdout"),
    ("StandardError", "stderr"),
    ("Restart", "autorestart"),
    ("RestartSec", "restart_delay"),
    ("StartLimitBurst", "restart_limit.burst"),
    ("StartLimitIntervalSec", "restart_limit.interval"),
    ("SuccessExitStatus", "exitcodes"),
    ("KillSignal", "stopsignal"),
    ("TimeoutStopSec", "stoptime"),
    ("SupplementaryGroups", "groups"),
    ("OOMScoreAdjust", "oom_score_adj"),
    ("NoNewPrivileges", "no_new_privs"),
    ("LimitNOFILE", "limits.nofile"),
    ("LimitNPROC", "limits.nproc"),
    ("LimitCORE", "limits.core"),
    ("script", "cmd"),
    ("cwd", "workingdir"),
    ("instances", "numprocs"),
    ("out_file", "stdout"),
    ("error_file", "stderr"),
    ("min_uptime", "starttime"),
    ("max_restarts", "startretries"),
    ("kill_timeout", "stoptime"),
    ("stop_exit_codes", "exitcodes"),
    ("uid", "user"),
    ("gid", "group"),
    ("working_dir", "workingdir"),
    ("stop_grace_period", "stoptime"),
    ("replicas", "numprocs"),
];

/// What is said of a key of a program that is known elsewhere.
fn elsewhere(name: &str) -> Option<String> {
    if ["name", "process_name"].contains(&name) {
        return Some("unknown key; a program's name is the key above it".into());
    }
    let mut known = ELSEWHERE.iter();
    let (_, here) = known.find(|(there, _)| there.eq_ignore_ascii_case(name))?;
    Some(format!("unknown key; it is {here} here"))
}

/// The names of the keys that may stand there.
pub(super) fn names(place: Place) -> impl Iterator<Item = &'static str> {
    KEYS.iter()
        .filter(move |key| key.place == place)
        .map(|key| key.name)
}

/// Whether a key of that name belongs there, now or one day.
pub(super) fn is_known(place: Place, name: &str) -> bool {
    names(place).any(|known| known == name)
        || NOT_YET.contains(&(place, name))
        || (place == Place::Top && name == "processes")
}

/// What a changed value of that key of a program needs.
pub(super) fn reload(name: &str) -> Reload {
    KEYS.iter()
        .find(|key| key.place == Place::Program && key.name == name)
        .map_or(Reload::Restart, |key| key.reload)
}

/// Reports the entry if there is no key of that name there.
pub(super) fn judge(place: Place, subject: &str, entry: &Entry, report: &mut Report) {
    let name = entry.key.as_str();
    let what = if NOT_YET.contains(&(place, name)) {
        "not supported yet; remove it".to_owned()
    } else if is_known(place, name) {
        return;
    } else {
        let known = Some(name).filter(|_| place == Place::Program);
        let known = known.and_then(elsewhere);
        known.unwrap_or_else(|| unknown(name, names(place)))
    };
    report.problem(entry.at, format!("{subject}{name}: {what}"));
}

/// Reports the entry at the top of a file that another includes, if it may not stand there.
pub(super) fn judge_included(entry: &Entry, report: &mut Report) {
    let name = entry.key.as_str();
    let what = match name {
        "programs" | "processes" => return,
        _ if is_known(Place::Top, name) => "belongs into the file that includes this one".into(),
        _ => unknown(name, ["programs"].into_iter()),
    };
    report.problem(entry.at, format!("{name}: {what}"));
}

/// The most keys that a message lists: those of `limits`.
const KEYS_LISTED_MAX: usize = 16;

/// What is said of an unknown key.
pub(super) fn unknown(name: &str, known: impl Iterator<Item = &'static str>) -> String {
    let known: Vec<&str> = known.collect();
    match did_you_mean(name, known.iter().copied()) {
        Some(near) => format!("unknown key; did you mean {near}?"),
        None if known.len() > KEYS_LISTED_MAX => {
            "unknown key; taskmaster.yaml(5) has them all".into()
        }
        None => format!("unknown key; it can be {}", alternatives(&known)),
    }
}

/// `path, mode or owner`.
fn alternatives(words: &[&str]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        [..] => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Surroundings, load};

    // A key with no value is not that to the end, but it is not unknown either.
    #[test]
    fn what_a_key_elsewhere_is_here_is_a_key() {
        let path = std::env::temp_dir().join(format!("keys-{}.yaml", std::process::id()));
        // Not root, who would not trust the file of another.
        let somebody = Surroundings {
            euid: 54321,
            ..Surroundings::default()
        };
        for (there, here) in ELSEWHERE {
            assert!(!is_known(Place::Program, there), "{there} is ours");
            let (key, value) = here.split_once(": ").unwrap_or((here, "~"));
            let written = match key.split_once('.') {
                Some((key, inner)) => format!("{key}: {{{inner}: {value}}}"),
                None => format!("{key}: {value}"),
            };
            std::fs::write(&path, format!("programs: {{p: {{{written}}}}}\n"))
                .expect("a temporary file can be written");
            let found = load(&path, &somebody).expect_err("cmd is missing");
            assert!(
                !found.to_string().contains("unknown key"),
                "{there}: {found}"
            );
        }
        std::fs::remove_file(path).expect("it was made");
    }
}
