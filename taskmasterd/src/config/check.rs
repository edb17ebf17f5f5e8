//! What a configuration file means: the programs and settings in it, or all that is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::{getegid, geteuid};
use shared::name::ProgramName;

use super::include::{self, Included, Reach};
use super::keys::{self, Place, judge, judge_included};
use super::logs::Logs;
use super::node::{Entry, Node, find, find_or, is_program_list, written_twice};
use super::open::{self, Trust};
use super::program::{self, Reader};
use super::report::{At, Fault, Problems, Report};
use super::users::Users;
use super::{file, settings, terminals, values};
use crate::config::model::{Config, Program, Socket};
use crate::limits::{PROBLEMS_MAX, PROGRAMS_MAX};

/// What the meaning of a file depends on besides its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The daemon's user.
    pub euid: u32,
    /// The daemon's group.
    pub egid: u32,
    /// The directory the daemon was started in, where relative paths begin; it may be gone by now.
    pub cwd: PathBuf,
    /// How many terminals the kernel gives out; `None` where it does not tell.
    pub terminals_max: Option<u64>,
    /// How many of these it may keep back from us.
    pub terminals_reserve: u64,
    /// The event log of the daemon that reloads: whatever the file says now, it is in force until the next start.
    pub event_log: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process, for a daemon that was started in the directory `cwd`.
    pub fn within(cwd: PathBuf) -> Self {
        let number = |name: &str| {
            let text = std::fs::read_to_string(format!("/proc/sys/kernel/pty/{name}")).ok()?;
            text.trim().parse().ok()
        };
        Self {
            euid: geteuid().as_raw(),
            egid: getegid().as_raw(),
            cwd,
            terminals_max: number("max"),
            terminals_reserve: number("reserve").unwrap_or(0),
            event_log: None,
        }
    }
}

/// Reads the configuration in `path` and the files it includes.
///
/// # Errors
/// Everything that is wrong, each with its place and what to do.
pub fn load(path: &Path, env: &Surroundings) -> Result<Config, Problems> {
    let mut loader = Loader {
        env,
        report: Report::default(),
        users: Users::default(),
        seen: BTreeSet::new(),
        places: BTreeMap::new(),
        logs: Logs::default(),
        config: Config::default(),
    };
    loader.is_new(path);
    if let Some((file, root)) = loader.open(path, None) {
        loader.main_file(path, file, &root);
    }
    let Loader {
        report, mut config, ..
    } = loader;
    config.warnings = report.finish()?;
    Ok(config)
}

struct Loader<'a> {
    env: &'a Surroundings,
    report: Report,
    users: Users,
    /// The files that were read, by the names they have without links.
    seen: BTreeSet<PathBuf>,
    /// Where each program's name stands.
    places: BTreeMap<ProgramName, At>,
    logs: Logs,
    config: Config,
}

impl Loader<'_> {
    /// Whether a file is met for the first time, however it is called; of hard links each is a file of its own.
    fn is_new(&mut self, path: &Path) -> bool {
        let name = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        self.seen.insert(name)
    }

    /// The number and the tree of a file, which is included at `included`; what is wrong with it is reported.
    fn open(&mut self, path: &Path, included: Option<At>) -> Option<(u32, Node)> {
        let file = self.report.add_file(path.display().to_string());
        let what = match included {
            Some(at) => include::included_by(at, &self.report),
            None => "the configuration file".into(),
        };
        self.logs.reserve(self.env.cwd.join(path), what);
        let opened = open::open(path).map_err(|what| match included {
            Some(at) => {
                let what = format!("include: {} {what}", path.display());
                self.report.problem(at, what);
            }
            None => self.report.problem(At::file(file), what),
        });
        let opened = opened.ok()?;
        let trust = match self.env.euid {
            0 => Trust::RootOnly,
            _ => Trust::Anyone,
        };
        let text = open::read(&opened, path, trust)
            .map_err(|what| self.report.problem(At::file(file), what))
            .ok()?;
        if included.is_some() && text.trim().is_empty() {
            self.note_blank(file);
            return None;
        }
        let mut faults = Vec::new();
        let root = match file::parse(&text, file) {
            Ok(mut root) => {
                root.settle("", &mut faults);
                Some((file, root))
            }
            Err(fault) => {
                faults.push(fault);
                None
            }
        };
        for Fault { at, what } in faults {
            self.report.problem(at, what);
        }
        root
    }

    fn note_blank(&mut self, file: u32) {
        let at = At::file(file);
        self.report
            .warning(at, "empty, as a truncated file is; delete it");
        if self.config.blank_files.len() < PROBLEMS_MAX {
            self.config.blank_files.push(self.report.place(at));
        }
    }

    fn note_reach(&mut self, reach: Reach, at: At) {
        let (directory, is_there) = (reach.directory.clone(), reach.is_there);
        if !is_there {
            let shown = directory.display();
            let what = format!("include: the directory {shown} is missing; make it");
            self.report.warning(at, what);
        }
        *self.config.directories.entry(directory).or_insert(true) &= is_there;
        let what = include::included_by(at, &self.report);
        self.logs.reserve_reach(reach, what);
    }

    fn main_file(&mut self, path: &Path, file: u32, root: &Node) {
        let Some(entries) = self.top(root) else {
            return;
        };
        let defaults = self.defaults(entries);
        settings::read(entries, &self.env.cwd, &mut self.config, &mut self.report);
        self.programs(entries, defaults, |entry, report| {
            judge(Place::Top, "", entry, report)
        });
        if let Some(entry) = find(entries, "include") {
            for node in entry.node.elements() {
                self.include(path, node, defaults);
            }
        }
        self.note_settings(entries);
        self.logs
            .judge(self.env.event_log.as_deref(), &mut self.report);
        self.judge_numbers(file);
    }

    /// The entries at the top of a file; none in an empty one.
    fn top<'n>(&mut self, root: &'n Node) -> Option<&'n [Entry]> {
        if root.is_null() {
            return Some(&[]);
        }
        if root.map().is_none() {
            let what = format!(
                "{} where a map of keys is needed, as programs:",
                root.shown()
            );
            self.report.problem(root.at, what);
        }
        root.map()
    }

    fn defaults<'n>(&mut self, entries: &'n [Entry]) -> &'n [Entry] {
        let Some(entry) = find(entries, "defaults").filter(|entry| !entry.node.is_null()) else {
            return &[];
        };
        let Some(defaults) = entry.node.map() else {
            let what = format!("defaults: {} is not a map of keys", entry.node.shown());
            self.report.problem(entry.node.at, what);
            return &[];
        };
        self.judge_defaults(entry.at, defaults);
        defaults
    }

    /// A mistake in `defaults` is one though no program takes it over.
    fn judge_defaults(&mut self, at: At, defaults: &[Entry]) {
        let name = "defaults".parse().expect("a plain word is a name");
        program::read(program::Keys {
            reader: Reader::Nobody,
            name: &name,
            at,
            own: defaults,
            defaults: &[],
            env: self.env,
            users: &mut self.users,
            report: &mut self.report,
        });
    }

    /// Reads the programs of a file: below `programs` or `processes`, or straight at its top. What else stands there is
    /// judged.
    fn programs(&mut self, entries: &[Entry], defaults: &[Entry], judge: fn(&Entry, &mut Report)) {
        let is_flat = !entries.iter().any(|entry| is_program_list(&entry.key))
            && entries.iter().any(is_program);
        for entry in entries {
            if is_program_list(&entry.key) {
                self.program_map(entry, defaults);
            } else if is_flat && (is_program(entry) || is_stranger(entry)) {
                self.program(entry, defaults);
            } else if !entry.key.starts_with("x-") {
                judge(entry, &mut self.report);
            }
        }
    }

    fn program_map(&mut self, entry: &Entry, defaults: &[Entry]) {
        if entry.node.is_null() {
            return;
        }
        let programs = entry.node.map();
        self.config.empty_on_purpose |= programs.is_some_and(<[Entry]>::is_empty);
        let Some(programs) = programs else {
            let (key, shown) = (&entry.key, entry.node.shown());
            let what = format!("{key}: {shown} is not a map of names and programs");
            self.report.problem(entry.node.at, what);
            return;
        };
        for entry in programs {
            self.program(entry, defaults);
        }
    }

    fn program(&mut self, entry: &Entry, defaults: &[Entry]) {
        let name: ProgramName = match entry.key.parse() {
            Ok(name) => name,
            Err(what) => {
                let name = if entry.key.is_empty() {
                    "\"\""
                } else {
                    &entry.key
                };
                return self.report.problem(entry.at, format!("{name}: {what}"));
            }
        };
        let Some(own) = entry.node.map() else {
            let what = format!(
                "{name}: {} is not a map of keys, as cmd:",
                entry.node.shown()
            );
            return self.report.problem(entry.node.at, what);
        };
        if let Some(&first) = self.places.get(&name) {
            let what = if first.file == entry.at.file {
                written_twice(name.as_str(), first)
            } else {
                let place = self.report.place(first);
                format!("{name}: written twice; the first is at {place}")
            };
            self.report.problem(entry.at, what);
            return;
        }
        self.places.insert(name.clone(), entry.at);
        let program = program::read(program::Keys {
            reader: Reader::Program,
            name: &name,
            at: entry.at,
            own,
            defaults,
            env: self.env,
            users: &mut self.users,
            report: &mut self.report,
        });
        self.logs.program(&program, own, defaults, entry.at);
        self.note_env_file(&program, find_or(own, defaults, "env_file"));
        self.config.programs.insert(name, Arc::new(program));
    }

    fn include(&mut self, main: &Path, node: &Node, defaults: &[Entry]) {
        let base = main.parent().unwrap_or(Path::new(""));
        match include::included(base, node) {
            Ok(Included { files, reach }) => {
                for path in &files {
                    self.included_file(path, node.at, defaults);
                }
                if let Some(reach) = reach {
                    self.note_reach(reach, node.at);
                }
            }
            Err(what) => self.report.problem(node.at, format!("include: {what}")),
        }
    }

    fn included_file(&mut self, path: &Path, at: At, defaults: &[Entry]) {
        if !self.is_new(path) {
            return;
        }
        let Some((_, root)) = self.open(path, Some(at)) else {
            return;
        };
        let Some(entries) = self.top(&root) else {
            return;
        };
        self.programs(entries, defaults, judge_included);
    }

    fn note_env_file(&mut self, program: &Program, entry: Option<&Entry>) {
        let Some(entry) = entry else { return };
        if let Ok(path) = values::path(&entry.node, &self.env.cwd) {
            let (name, place) = (&program.name, self.report.place(entry.at));
            let what = format!("an environment file, by {name}.env_file at {place}");
            self.logs.reserve(path, what);
        }
    }

    /// Notes the files that the keys at the top name.
    fn note_settings(&mut self, entries: &[Entry]) {
        if let (Some(entry), Some(path)) = (find(entries, "log"), &self.config.log) {
            self.logs.events(entry.at, path);
        }
        if let (Some(entry), Some(path)) = (find(entries, "socket"), &self.config.socket.path) {
            let by = format!("by socket at {}", self.report.place(entry.at));
            let lock = format!("the lock of the control socket, {by}");
            self.logs.reserve(Socket::lock_path(path), lock);
            self.logs
                .reserve(path.clone(), format!("the control socket, {by}"));
        }
    }

    fn judge_numbers(&mut self, file: u32) {
        let at = At::file(file);
        let programs = self.config.programs.len();
        if self.places.is_empty() {
            self.report.warning(at, "no programs");
        }
        if programs > PROGRAMS_MAX {
            let what = format!("{programs} programs are too many; {PROGRAMS_MAX} are the most");
            self.report.problem(at, what);
        }
        terminals::judge(&self.config, self.env, at, &mut self.report);
    }
}

/// Whether an entry at the top of a file looks like a program that is meant to stand there.
fn is_program(entry: &Entry) -> bool {
    let entries = entry.node.map().unwrap_or_default();
    let runs = ["cmd", "command"]
        .iter()
        .any(|key| find(entries, key).is_some());
    !entry.key.starts_with("x-") && runs && entry.key != "defaults"
}

/// Whether an entry beside programs at the top of a file can only be one of them, though it has no `cmd`.
fn is_stranger(entry: &Entry) -> bool {
    let is_known = keys::is_known(Place::Top, &entry.key);
    entry.node.map().is_some() && !is_known && !entry.key.starts_with("x-")
}
