//! What a reload does, key by key: which processes it touches, and which it leaves alone.

use std::collections::{BTreeMap, BTreeSet};

use shared::api::{Change, KeyChange, Plan, ProgramChange};
use shared::name::{ProcessName, ProgramName};
use shared::text::escape;

use super::keys::{self, Reload};
use super::show::{self, Row};
use crate::config::model::{Config, Launch, Program};

/// Whether the processes of `was` must make way for those of `is`.
///
/// Every key is named here once, so that a new one does not compile until somebody has said on which side it is.
pub fn needs_restart(was: &Program, is: &Program) -> bool {
    let Program {
        name: _,
        launch,
        // Live: a process that runs is not touched by these.
        numprocs: _,
        autostart: _,
        autorestart: _,
        exitcodes: _,
        starttime_ms: _,
        startretries: _,
        stopsignal: _,
        stoptime_ms: _,
        stopasgroup: _,
        sweep: _,
        stdout: _,
        stderr: _,
        priority: _,
        restart_delay_ms: _,
        restart_limit: _,
        fatal_state_report_address: _,
        description: _,
    } = was;
    launch_differs(launch, &is.launch) || was.is_merged() != is.is_merged()
}

fn launch_differs(was: &Launch, is: &Launch) -> bool {
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
    } = was;
    *argv != is.argv
        || *tty != is.tty
        || *env != is.env
        || *inherit_env != is.inherit_env
        || *workingdir != is.workingdir
        || *umask != is.umask
        || *user != is.user
        || *limits != is.limits
        || *nice != is.nice
        || *oom_score_adj != is.oom_score_adj
        || *no_new_privs != is.no_new_privs
}

/// What a reload from `was` to `is` does. It has no programs and settings if, and only if, nothing changed but
/// warnings.
pub fn plan(was: &Config, is: &Config) -> Plan {
    let names: BTreeSet<&ProgramName> = was.programs.keys().chain(is.programs.keys()).collect();
    let programs = names
        .into_iter()
        .filter_map(|name| program_change(name, was.programs.get(name), is.programs.get(name)))
        .collect();
    let settings = settings(was, is);
    let warnings = is.warnings.iter().chain(&is.obstacles).cloned().collect();
    Plan {
        programs,
        settings,
        warnings,
    }
}

/// The keys at the top of the file that changed from `was` to `is`. All of them wait for the next start.
pub fn settings(was: &Config, is: &Config) -> Vec<KeyChange> {
    changed(&show::settings(was), &show::settings(is))
        .map(|(was, is)| key_change(was, is, "at the next start of taskmasterd"))
        .collect()
}

fn program_change(
    name: &ProgramName,
    was: Option<&std::sync::Arc<Program>>,
    is: Option<&std::sync::Arc<Program>>,
) -> Option<ProgramChange> {
    let (change, keys) = match (was, is) {
        (None, None) => return None,
        (None, Some(_)) => (Change::Added, Vec::new()),
        (Some(_), None) => (Change::Removed, Vec::new()),
        (Some(was), Some(is)) if was == is => return None,
        (Some(was), Some(is)) => {
            let keys = key_changes(was, is);
            let restarts = |key: &KeyChange| reload(&key.key, was, is) == Reload::Restart;
            match keys.iter().any(restarts) {
                true => (Change::Restarted, keys),
                false => (Change::Changed, keys),
            }
        }
    };
    let program = name.to_string();
    Some(ProgramChange {
        program,
        change,
        keys,
        // Depends on what became of them.
        starts: Vec::new(),
    })
}

fn key_changes(was: &Program, is: &Program) -> Vec<KeyChange> {
    let (rows_was, rows_is) = (show::rows(was), show::rows(is));
    changed(&rows_was, &rows_is)
        .map(|(row_was, row_is)| {
            let mut change = key_change(row_was, row_is, &consequence(row_is.key, was, is));
            if row_is.key == "env" {
                change.new = env_changes(&was.launch.env, &is.launch.env);
            }
            change
        })
        .collect()
}

fn changed<'a>(was: &'a [Row], is: &'a [Row]) -> impl Iterator<Item = (&'a Row, &'a Row)> {
    was.iter().zip(is).filter(|(was, is)| was.exact != is.exact)
}

fn key_change(was: &Row, is: &Row, consequence: &str) -> KeyChange {
    KeyChange {
        key: is.key.into(),
        old: was.shown.clone(),
        new: is.shown.clone(),
        consequence: consequence.into(),
    }
}

fn consequence(key: &str, was: &Program, is: &Program) -> String {
    match (key, reload(key, was, is)) {
        ("numprocs", _) => numprocs_consequence(was, is),
        ("stdout" | "stderr", Reload::Live) => "live, reopened".into(),
        (_, Reload::Live) => "live".into(),
        (_, Reload::Restart) => "restart".into(),
        (_, Reload::NextStart) => "at the next start of taskmasterd".into(),
    }
}

/// What a changed key needs. A process has the descriptor that its standard error had at its start.
fn reload(key: &str, was: &Program, is: &Program) -> Reload {
    if key == "stderr" && was.is_merged() != is.is_merged() {
        return Reload::Restart;
    }
    keys::reload(key)
}

fn numprocs_consequence(was: &Program, is: &Program) -> String {
    let name = |index| ProcessName::new(is.name.clone(), index).to_string();
    let (verb, names): (&str, Vec<String>) = if is.numprocs > was.numprocs {
        ("adds", (was.numprocs..is.numprocs).map(name).collect())
    } else {
        ("stops", (is.numprocs..was.numprocs).map(name).collect())
    };
    format!("{verb} {}", names.join(" "))
}

/// The names of the variables that differ, and how.
fn env_changes(was: &BTreeMap<String, String>, is: &BTreeMap<String, String>) -> String {
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let texts: Vec<String> = names
        .into_iter()
        .filter_map(|name| {
            let how = match (was.get(name), is.get(name)) {
                (Some(was), Some(is)) if was == is => return None,
                (Some(_), Some(_)) => "changed",
                (None, _) => "added",
                (Some(_), None) => "removed",
            };
            Some(format!("{} ({how})", escape(name)))
        })
        .collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests;
