//! Completion of commands, their options, and the names of processes as the daemon knows them right now.
//!
//! It runs while the line is being edited, so it prints nothing, waits a third of a second at most, and has
//! nothing to offer rather than an error.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use serde::Deserialize;
use shared::api::{Call, ProcessStatus, Status, StatusParams};
use shared::name::ProgramName;

use crate::call::Daemon;
use crate::verbs::{self, Completes, Verb};

/// How long the daemon may take to tell the names.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long the names are good for: some strokes of the tab key.
const FRESH: Duration = Duration::from_secs(1);
/// Signals one sends by hand.
const SIGNALS: &[&str] = &[
    "HUP", "INT", "QUIT", "TERM", "KILL", "USR1", "USR2", "STOP", "CONT",
];

/// What the line editor asks.
pub(crate) struct Completion<'a> {
    daemon: &'a Daemon,
    names: RefCell<Option<(Instant, Vec<String>)>>,
}

impl<'a> Completion<'a> {
    pub(crate) fn new(daemon: &'a Daemon) -> Self {
        Self {
            daemon,
            names: RefCell::new(None),
        }
    }

    /// The names, asked for again once they are no longer fresh.
    fn names(&self) -> Vec<String> {
        let mut cache = self.names.borrow_mut();
        match &*cache {
            Some((at, names)) if at.elapsed() < FRESH => names.clone(),
            Some(_) | None => {
                let names = ask(self.daemon);
                *cache = Some((Instant::now(), names.clone()));
                names
            }
        }
    }
}

/// Every name a process can be pointed at with.
fn ask(daemon: &Daemon) -> Vec<String> {
    let answer = daemon.ask_within(&Call::Status(StatusParams::default()), PATIENCE);
    let status = answer
        .ok()
        .and_then(|answer| Status::deserialize(&answer).ok());
    selectors(&status.unwrap_or_default().processes)
}

fn selectors(processes: &[ProcessStatus]) -> Vec<String> {
    // A name that could not stand in a configuration does not come onto the line either.
    let sound = |process: &&ProcessStatus| {
        process.program.parse::<ProgramName>().is_ok()
            && process.name.chars().all(|c| c.is_ascii_graphic())
    };
    let mut names: Vec<String> = vec!["all".into()];
    for process in processes.iter().filter(sound) {
        if process.name != process.program {
            names.push(format!("{}:*", process.program));
        }
        names.push(process.name.clone());
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// The words before the one that is being typed, and that one. Only blanks part words: names hold `:`, `*` and `-`.
fn at_cursor(typed: &str) -> (Vec<&str>, &str) {
    let word = typed.rsplit(char::is_whitespace).next().unwrap_or_default();
    let before = typed.strip_suffix(word).unwrap_or_default();
    (before.split_whitespace().collect(), word)
}

/// What can stand where `word` begins, after the words `before`.
fn candidates(before: &[&str], word: &str, names: impl FnOnce() -> Vec<String>) -> Vec<String> {
    let all: Vec<String> = match before.split_first() {
        None => verbs::words().map(String::from).collect(),
        Some((&verb, args)) => match verbs::find(verb) {
            None => Vec::new(),
            Some(verb)
                if word.starts_with('-') && verb.parted(&[args, &[word]].concat()).1.is_empty() =>
            {
                owned(&[verb.options, &["--json"]].concat())
            }
            Some(verb) => match positional(verb, args) {
                Some(place) => fitting(verb.completes, place, names),
                None => Vec::new(),
            },
        },
    };
    all.into_iter()
        .filter(|one| one.starts_with(word))
        .collect()
}

/// What can stand behind `place` words that are no options.
fn fitting(completes: Completes, place: usize, names: impl FnOnce() -> Vec<String>) -> Vec<String> {
    match (completes, place) {
        (Completes::Processes, _) | (Completes::SignalAndProcesses, 1..) => names(),
        (Completes::Process | Completes::ProcessAndStream | Completes::ProcessAndText, 0) => {
            let means_one = |name: &String| name != "all" && !name.ends_with(":*");
            names().into_iter().filter(means_one).collect()
        }
        (Completes::SignalAndProcesses, 0) => owned(SIGNALS),
        (Completes::ProcessAndStream, 1) => owned(&["stdout", "stderr"]),
        (Completes::Verbs, 0) => verbs::words().map(String::from).collect(),
        (Completes::Verbs | Completes::ProcessAndStream | Completes::Process, _)
        | (Completes::ProcessAndText | Completes::Nothing, _) => Vec::new(),
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// How many of `args` are neither options nor what these take; none if that is what comes next.
fn positional(verb: &Verb, args: &[&str]) -> Option<usize> {
    let (optional, plain) = verb.parted(args);
    let (mut count, mut optional) = (plain.len(), optional.iter());
    while let Some(arg) = optional.next() {
        if verb.valued.contains(arg) {
            optional.next()?;
        } else if !arg.starts_with('-') {
            count += 1;
        }
    }
    Some(count)
}

impl Completer for Completion<'_> {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line.get(..pos).unwrap_or_default();
        let (before, word) = at_cursor(typed);
        let mut found = candidates(&before, word, || self.names());
        if let [only] = &mut found[..] {
            only.push(' ');
        }
        Ok((typed.len() - word.len(), found))
    }
}

impl Hinter for Completion<'_> {
    type Hint = String;
}

impl Highlighter for Completion<'_> {}

impl Validator for Completion<'_> {}

impl Helper for Completion<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<String> {
        let names = || {
            ["all", "web:*", "web:0", "web:1"]
                .map(String::from)
                .to_vec()
        };
        let (before, word) = at_cursor(line);
        candidates(&before, word, names)
    }

    #[test]
    fn words_are_completed_by_their_place() {
        assert_eq!(found("sta"), ["status", "start"]);
        assert_eq!(found("stop web:"), ["web:*", "web:0", "web:1"]);
        assert_eq!(found("signal HU"), ["HUP"]);
        assert_eq!(found("signal HUP a"), ["all"]);
        assert_eq!(found("tail -f web:0 std"), ["stdout", "stderr"]);
        assert_eq!(found("reload --d"), ["--dry-run"]);
        assert_eq!(found("fg --i"), ["--ignore-size"]);
        assert_eq!(found("attach --history 3 w"), ["web:0", "web:1"]);
        assert_eq!(found("attach --detach-key "), [""; 0]);
        assert_eq!(found("screen web:0 "), [""; 0]);
        assert_eq!(found("help re"), ["restart", "reload", "reread"]);
        assert_eq!(found("version "), [""; 0]);
        assert_eq!(found("frobnicate w"), [""; 0]);
    }

    // Blanks of more than one byte come with pasted text; completion once cut them in two, and that was the end.
    #[test]
    fn every_blank_parts_words() {
        for blank in ["\u{a0}", "\u{3000}", "\u{85}", "\t"] {
            let line = format!("stop{blank}web:");
            assert_eq!(found(&line), ["web:*", "web:0", "web:1"], "{blank:?}");
            assert_eq!(at_cursor(&format!("stop{blank}")), (vec!["stop"], ""));
        }
        assert_eq!(found("stop ü"), [""; 0]);
        assert_eq!(at_cursor(""), (vec![], ""));
    }

    #[test]
    fn what_is_no_name_is_not_offered() {
        let process = |name: &str, program: &str| -> ProcessStatus {
            serde_json::from_value(serde_json::json!({
                "name": name, "program": program, "index": 0, "state": "RUNNING",
                "failures": 0, "starts": 0,
            }))
            .unwrap()
        };
        let processes = [
            process("web:0", "web"),
            process("db", "db"),
            process("\x1b[2J", "x"),
        ];
        assert_eq!(selectors(&processes), ["all", "db", "web:*", "web:0"]);
    }
}
