//! One program: from its entries in the file, and those of `defaults`, to plain data.

use std::collections::BTreeMap;

use shared::name::ProgramName;

use super::check::Surroundings;
use super::node::{Entry, Node, find, find_or};
use super::output;
use super::report::{At, Report};
use super::users::{self, Asked, Users, Wrong};
use super::values::{self, Parsed};
use super::{environment, keys, quantity, words};
use crate::config::model::{Identity, Launch, Limit, Program, Resource, RestartLimit, Tty};
use crate::limits::{COUNT_MAX, NUMPROCS_MAX, RESTARTS_NOTED_MAX};

/// For whom entries are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// A program.
    Program,
    /// Nobody: `defaults` by itself, of which each program takes what it likes. Only what is wrong for all of them is
    /// told.
    Nobody,
}

/// The entries of a program, and what reading them needs.
pub(super) struct Keys<'a> {
    pub(super) reader: Reader,
    pub(super) name: &'a ProgramName,
    /// Where its name stands.
    pub(super) at: At,
    pub(super) own: &'a [Entry],
    pub(super) defaults: &'a [Entry],
    pub(super) env: &'a Surroundings,
    pub(super) users: &'a mut Users,
    pub(super) report: &'a mut Report,
}

impl<'a> Keys<'a> {
    /// The value of a key, its own or that of `defaults`.
    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    fn entry(&self, key: &str) -> Option<&'a Entry> {
        find_or(self.own, self.defaults, key)
    }

    /// Where the key stands, or else the program.
    fn place(&self, key: &str) -> At {
        self.entry(key).map_or(self.at, |entry| entry.at)
    }

    /// What a message calls the key: `web.cmd`, or `defaults.cmd` where it stands there.
    fn subject(&self, key: &str) -> String {
        let first = key.split('.').next().unwrap_or(key);
        let inherited = find(self.own, first).is_none() && find(self.defaults, first).is_some();
        let owner = if inherited {
            "defaults"
        } else {
            self.name.as_str()
        };
        format!("{owner}.{key}")
    }

    /// Reports a problem with `key`, or with something in it: `limits.nofile`.
    pub(super) fn problem(&mut self, at: At, key: &str, what: &str) {
        let line = format!("{}: {what}", self.subject(key));
        self.report.problem(at, line);
    }

    /// Remarks on `key`.
    pub(super) fn warning(&mut self, key: &str, what: &str) {
        if self.reader == Reader::Nobody {
            return;
        }
        let line = format!("{}: {what}", self.subject(key));
        self.report.warning(self.place(key), line);
    }

    /// Reads a value that was found, or reports what is wrong with it.
    pub(super) fn take<T>(
        &mut self,
        key: &str,
        node: &Node,
        parse: impl FnOnce(&Node) -> Parsed<T>,
    ) -> Option<T> {
        if node.is_null() {
            self.problem(node.at, key, "has no value; write one, or remove the key");
            return None;
        }
        match parse(node) {
            Ok(value) => Some(value),
            Err(what) => {
                self.problem(node.at, key, &what);
                None
            }
        }
    }

    /// Reads a key that may be missing.
    pub(super) fn optional<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&Node) -> Parsed<T>,
    ) -> Option<T> {
        let node = self.get(key)?;
        self.take(key, node, parse)
    }

    /// Reads each element of a list, or what is not a list as its only element; each is judged at its own place.
    fn each<T>(
        &mut self,
        key: &str,
        node: &Node,
        parse: impl Fn(&Node) -> Parsed<T>,
    ) -> Option<Vec<T>> {
        // No `collect` into an Option: it would stop at the first problem.
        let values: Vec<Option<T>> = node
            .elements()
            .iter()
            .map(|node| self.take(key, node, &parse))
            .collect();
        values.into_iter().collect()
    }

    /// Reads a key that has a default.
    fn read<T>(&mut self, key: &str, default: T, parse: impl FnOnce(&Node) -> Parsed<T>) -> T {
        self.optional(key, parse).unwrap_or(default)
    }
}

/// The program these entries describe. Where they are wrong it is reported, and the result is of no use.
pub(super) fn read(mut keys: Keys<'_>) -> Program {
    let subject = format!("{}.", keys.name);
    for entry in keys.own {
        keys::judge(keys::Place::Program, &subject, entry, keys.report);
    }
    let stdout = output::read(&mut keys, "stdout");
    let stderr = output::read(&mut keys, "stderr");
    let tty = output::tty(&mut keys, &stderr);
    let count = |node: &Node| values::count(node, COUNT_MAX);
    let usual = Program::new(keys.name.clone(), Vec::new());
    Program {
        name: usual.name,
        numprocs: keys.read("numprocs", usual.numprocs, |node| {
            values::count(node, NUMPROCS_MAX)
        }),
        autostart: keys.read("autostart", usual.autostart, values::boolean),
        autorestart: keys.read("autorestart", usual.autorestart, values::autorestart),
        exitcodes: exitcodes(&mut keys).unwrap_or(usual.exitcodes),
        starttime_ms: keys.read("starttime", usual.starttime_ms, quantity::time),
        startretries: keys.read("startretries", usual.startretries, count),
        stopsignal: stopsignal(&mut keys, usual.stopsignal),
        stoptime_ms: keys.read("stoptime", usual.stoptime_ms, quantity::time),
        stopasgroup: keys.read("stopasgroup", usual.stopasgroup, values::boolean),
        sweep: keys.read("sweep", usual.sweep, values::boolean),
        stdout,
        stderr,
        priority: keys.read("priority", usual.priority, count),
        restart_delay_ms: keys.read("restart_delay", usual.restart_delay_ms, quantity::time),
        restart_limit: restart_limit(&mut keys),
        fatal_state_report_address: keys.optional("fatal_state_report_address", values::address),
        description: keys.optional("description", values::text),
        launch: launch(&mut keys, tty, &usual.launch),
    }
}

fn launch(keys: &mut Keys<'_>, tty: Tty, usual: &Launch) -> Launch {
    let base = &keys.env.cwd;
    let user = identity(keys);
    Launch {
        argv: argv(keys),
        tty,
        env: environment::read(keys, user.as_ref()),
        inherit_env: keys.read("inherit_env", usual.inherit_env, values::boolean),
        workingdir: keys.optional("workingdir", |node| values::path(node, base)),
        umask: keys.read("umask", usual.umask, values::umask),
        user,
        limits: limits(keys),
        nice: keys.optional("nice", |node| small(node, -20, 19)),
        oom_score_adj: keys.optional("oom_score_adj", |node| small(node, -1000, 1000)),
        no_new_privs: keys.read("no_new_privs", usual.no_new_privs, values::boolean),
    }
}

fn small(node: &Node, least: i32, most: i32) -> Parsed<i32> {
    values::integer(node, least.into()..=most.into())
        .map(|number| i32::try_from(number).unwrap_or(least))
}

fn exitcodes(keys: &mut Keys<'_>) -> Option<Vec<i32>> {
    let node = keys.get("exitcodes")?;
    let mut codes = keys.each("exitcodes", node, values::exitcode)?;
    codes.sort_unstable();
    codes.dedup();
    Some(codes)
}

fn argv(keys: &mut Keys<'_>) -> Vec<String> {
    let args = keys.get("args").and_then(|node| list(keys, "args", node));
    let Some(node) = keys.get("cmd") else {
        if keys.reader == Reader::Program {
            keys.problem(keys.at, "cmd", "missing; say what to run");
        }
        return Vec::new();
    };
    let argv = match node.text() {
        Some(text) => split(keys, node.at, text),
        None => list(keys, "cmd", node),
    };
    let Some(mut argv) = argv else {
        return Vec::new();
    };
    if argv.first().is_none_or(|word| word.trim().is_empty()) {
        keys.problem(node.at, "cmd", "empty; say what to run");
    }
    argv.extend(args.unwrap_or_default());
    argv
}

fn split(keys: &mut Keys<'_>, at: At, text: &str) -> Option<Vec<String>> {
    match words::split(text) {
        Ok(words) => {
            if let Some(operator) = words::operator(&words) {
                let what = format!("{operator} is not run by a shell; write sh -c '...'");
                keys.warning("cmd", &what);
            } else if let Some(name) = words::assignment(text) {
                let what =
                    format!("{name}= before a command is for a shell; write {name} under env");
                keys.warning("cmd", &what);
            } else if words::has_lines(text) {
                let what = "each line is no command of its own here; write sh -c '...', or args for more words";
                keys.warning("cmd", what);
            }
            Some(words.into_iter().map(|word| word.text).collect())
        }
        Err(what) => {
            keys.problem(at, "cmd", &what);
            None
        }
    }
}

/// A list of words, each as it was written.
fn list(keys: &mut Keys<'_>, key: &str, node: &Node) -> Option<Vec<String>> {
    if node.is_list() {
        return keys.each(key, node, values::text);
    }
    keys.take(key, node, |node| {
        Err(format!("{} is not a list of words", node.shown()))
    })
}

fn stopsignal(keys: &mut Keys<'_>, usual: i32) -> i32 {
    let signal = keys.read("stopsignal", usual, values::stopsignal);
    match signal {
        libc::SIGKILL => {
            let what = "SIGKILL gives it no chance to clean up; TERM asks first";
            keys.warning("stopsignal", what);
        }
        // signal(7): their default is to be ignored; a program may still end by one, as httpd by WINCH.
        libc::SIGCHLD | libc::SIGURG | libc::SIGWINCH => {
            let name = shared::signal::name(signal);
            let what = format!("{name} is ignored by what does not expect it; TERM is not");
            keys.warning("stopsignal", &what);
        }
        _ => {}
    }
    signal
}

fn restart_limit(keys: &mut Keys<'_>) -> Option<RestartLimit> {
    let node = keys.get("restart_limit")?;
    let Some(entries) = node.map() else {
        let what = format!("{} is not {{burst: N, interval: TIME}}", node.shown());
        keys.problem(node.at, "restart_limit", &what);
        return None;
    };
    let (mut burst, mut interval_ms) = (None, None);
    for entry in entries {
        let key = format!("restart_limit.{}", entry.key);
        match entry.key.as_str() {
            "burst" => burst = keys.take(&key, &entry.node, burst_of),
            "interval" => interval_ms = keys.take(&key, &entry.node, interval_of),
            other => {
                let what = keys::unknown(other, ["burst", "interval"].into_iter());
                keys.problem(entry.at, &key, &what);
            }
        }
    }
    for key in ["burst", "interval"] {
        if find(entries, key).is_none() {
            keys.problem(node.at, "restart_limit", &format!("{key} is missing"));
        }
    }
    Some(RestartLimit {
        burst: burst?,
        interval_ms: interval_ms?,
    })
}

/// How many restarts. None at all is what another key says; elsewhere 0 means that there is no limit.
fn burst_of(node: &Node) -> Parsed<u32> {
    match values::count(node, RESTARTS_NOTED_MAX)? {
        0 => Err(
            "0 allows no restart; write autorestart: never for that, or leave restart_limit out \
                  for no limit"
                .into(),
        ),
        burst => Ok(burst),
    }
}

fn interval_of(node: &Node) -> Parsed<u64> {
    match quantity::time(node)? {
        0 => Err("no restart falls within 0; leave restart_limit out for no limit".into()),
        ms => Ok(ms),
    }
}

fn limits(keys: &mut Keys<'_>) -> BTreeMap<Resource, Limit> {
    let mut limits = BTreeMap::new();
    let Some(node) = keys.get("limits").filter(|node| !node.is_null()) else {
        return limits;
    };
    let Some(entries) = node.map() else {
        let what = format!(
            "{} is not a map of limits, as {{nofile: 1024}}",
            node.shown()
        );
        keys.problem(node.at, "limits", &what);
        return limits;
    };
    for entry in entries {
        let key = format!("limits.{}", entry.key);
        let known = super::show::RESOURCES;
        match known.iter().find(|(name, ..)| *name == entry.key) {
            Some(&(_, resource, _)) => {
                let limit = keys.take(&key, &entry.node, |node| values::limit(resource, node));
                limits.extend(limit.map(|limit| (resource, limit)));
            }
            None => {
                let what = keys::unknown(&entry.key, known.iter().map(|(name, ..)| *name));
                keys.problem(entry.at, &key, &what);
            }
        }
    }
    limits
}

fn identity(keys: &mut Keys<'_>) -> Option<Identity> {
    let asked = Asked {
        user: keys.get("user"),
        group: keys.get("group"),
        groups: keys.get("groups"),
    };
    let found = match keys.reader {
        Reader::Program => keys.users.identity(asked, keys.env),
        Reader::Nobody => Err(users::unknown(asked)),
    };
    match found {
        Ok(identity) => identity,
        Err(wrongs) => {
            for Wrong { key, element, what } in wrongs {
                let element = |node: &'_ Node| node.elements().get(element).unwrap_or(node).at;
                let at = keys.get(key).map_or(keys.at, element);
                keys.problem(at, key, &what);
            }
            None
        }
    }
}
