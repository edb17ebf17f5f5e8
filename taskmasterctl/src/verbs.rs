//! The table of commands: what each is called, how it is used, what it completes, who carries it out.
//!
//! Help, completion and dispatch read this table and nothing else. The lines of help are supervisorctl's.

use serde_json::{Value, json};
use shared::name::did_you_mean;
use shared::rpc::{RpcError, code};
use shared::text::escape;

use crate::call::Daemon;
use crate::deeds;
use crate::exit::Exit;
use crate::job::{self, Job};
use crate::term::{self, Page};
use crate::words::Unclosed;

mod table;

pub(crate) use table::VERBS;

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
    /// Those of the options that take a value, which may stand behind a sign too: `--history=9`.
    pub(crate) valued: &'static [&'static str],
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
    /// One process.
    Process,
    /// A signal, then processes.
    SignalAndProcesses,
    /// A process, then a stream.
    ProcessAndStream,
    /// A process, then a text, of which no word is an option.
    ProcessAndText,
}

impl Verb {
    /// The words that may be options, and those that are none, whatever they look like.
    pub(crate) fn parted<'a, 'b>(&self, args: &'b [&'a str]) -> (&'b [&'a str], &'b [&'a str]) {
        match self.completes {
            Completes::ProcessAndText => {
                let name = args.iter().position(|arg| !arg.starts_with('-'));
                let (before, text) = args.split_at(name.unwrap_or(args.len()));
                if before.contains(&DASHES) {
                    parted(args)
                } else {
                    (before, text)
                }
            }
            Completes::Nothing
            | Completes::Verbs
            | Completes::Processes
            | Completes::Process
            | Completes::SignalAndProcesses
            | Completes::ProcessAndStream => parted(args),
        }
    }

    /// All that help has to say of it, for programs.
    pub(crate) fn as_json(&self) -> Value {
        let usage = self.usage.iter();
        let usage = usage.map(|(line, meaning)| json!({"line": line, "meaning": meaning}));
        let mut all = json!({
            "name": self.name,
            "aliases": self.aliases,
            "meaning": self.meaning,
            "usage": usage.collect::<Value>(),
        });
        if !self.note.is_empty() {
            all["note"] = self.note.trim().into();
        }
        all
    }

    /// How it is used when it is called `word`, line by line.
    pub(crate) fn help(&self, word: &str) -> String {
        let called = |usage: &str| match usage.strip_prefix(self.name) {
            Some(rest) => format!("{word}{rest}"),
            None => usage.to_owned(),
        };
        let usage = self.usage.iter();
        let usage = usage.map(|(usage, meaning)| (called(usage), meaning));
        let usage: Vec<_> = usage.collect();
        let width = usage.iter().map(|(usage, _)| usage.len()).max();
        let width = width.unwrap_or(0).max(26) + 2;
        let mut text = String::new();
        for (usage, meaning) in &usage {
            text.push_str(&format!("{usage:width$}{meaning}\n"));
        }
        if !self.note.is_empty() {
            text.push_str(&format!("{}\n", self.note));
        }
        text
    }
}

/// What ends the options.
const DASHES: &str = "--";

/// The words before `--`, and those behind it.
pub(crate) fn parted<'a, 'b>(args: &'b [&'a str]) -> (&'b [&'a str], &'b [&'a str]) {
    let end = args.iter().position(|&arg| arg == DASHES);
    let (before, behind) = args.split_at(end.unwrap_or(args.len()));
    (before, behind.get(1..).unwrap_or_default())
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

/// A line of words, taken apart. `--json` may stand before the command, and wherever an option may.
pub(crate) struct Line<'a> {
    pub(crate) verb: &'static Verb,
    /// What the command was called.
    word: &'a str,
    /// Whether `--json` stood anywhere.
    json: bool,
    /// The other words that may be options, and those that are none.
    optional: Vec<&'a str>,
    plain: Vec<&'a str>,
}

impl<'a> Line<'a> {
    /// None if no command is called like that.
    pub(crate) fn read(words: &[&'a str]) -> Option<Self> {
        let at = words.iter().position(|&word| word != JSON)?;
        let (word, args) = (words[at], &words[at + 1..]);
        let verb = find(word)?;
        let (optional, plain) = verb.parted(args);
        Some(Self {
            verb,
            word,
            json: at > 0 || optional.contains(&JSON),
            optional: without_json(optional),
            plain: plain.to_vec(),
        })
    }

    /// Whether nothing is said but the command.
    pub(crate) fn is_bare(&self) -> bool {
        self.optional.is_empty() && self.plain.is_empty()
    }
}

/// Carries out one command.
pub(crate) fn dispatch(session: &Session, words: &[&str]) -> Exit {
    let Some(line) = Line::read(words) else {
        let json = session.json || words.contains(&JSON);
        return match &without_json(words)[..] {
            [] => Exit::OK,
            words => unknown(words, json),
        };
    };
    let Line {
        verb,
        word,
        optional,
        plain,
        ..
    } = line;
    let mut job = Job::new(session, verb, word, session.json || line.json);
    let exit = if optional.iter().any(|&arg| arg == "--help" || arg == "-h") {
        deeds::help(&mut job, &[word])
    } else if let Some(complaint) = optional.iter().find_map(|arg| complaint(verb, arg)) {
        job.misused(&complaint);
        Exit::USAGE
    } else if verb.options.is_empty() || plain.is_empty() {
        (verb.run)(&mut job, &[optional, plain].concat())
    } else {
        (verb.run)(&mut job, &[&optional[..], &[DASHES], &plain].concat())
    };
    job.page.flush();
    exit
}

/// The option that every command has.
const JSON: &str = "--json";

fn without_json<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let words = words.iter().copied();
    words.filter(|&word| word != JSON).collect()
}

/// What is wrong with an argument that stands where options do. A number is an option for `tail` and `signal`.
fn complaint(verb: &Verb, arg: &str) -> Option<String> {
    let behind_dash = arg.strip_prefix('-')?;
    let numeric = behind_dash.bytes().all(|byte| byte.is_ascii_digit());
    let (option, value) = match arg.split_once('=') {
        Some((option, value)) => (option, Some(value)),
        None => (arg, None),
    };
    if numeric || verb.name == "tail" {
        None
    } else if !verb.options.contains(&option) {
        Some(format!("unknown option {}", escape(arg)))
    } else if value.is_some() && !verb.valued.contains(&option) {
        Some(format!("{option} takes no value"))
    } else {
        None
    }
}

/// Refuses a line of the shell.
pub(crate) fn refuse(session: &Session, unclosed: &Unclosed<'_>) -> Exit {
    let said = match Line::read(&unclosed.before) {
        Some(line) => line.json,
        None => unclosed.before.contains(&JSON),
    };
    let complaint = format!("a quote is not closed: {}", escape(unclosed.rest));
    let mut page = Page::new();
    if session.json || said {
        job::json_error(&RpcError::new(code::INVALID_PARAMS, complaint), &mut page);
    } else {
        page.line(&format!("Error: {complaint}"));
    }
    page.flush();
    Exit::FAILED
}

fn unknown(line: &[&str], json: bool) -> Exit {
    let shown = escape(&line.join(" "));
    let near = line.first().and_then(|&word| did_you_mean(word, words()));
    let mut page = Page::new();
    if json {
        let near = near.map_or(String::new(), |near| format!("; did you mean \"{near}\"?"));
        let message = format!("no command is called \"{shown}\"{near}");
        job::json_error(&RpcError::new(code::METHOD_NOT_FOUND, message), &mut page);
    } else {
        page.line(&format!("*** Unknown syntax: {shown}"));
    }
    page.flush();
    if let Some(near) = near.filter(|_| !json) {
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
    fn a_sign_stands_behind_options_with_a_value_alone() {
        let strange = |verb, arg| complaint(find(verb).unwrap(), arg).is_some();
        assert!(!strange("attach", "--history=9") && !strange("screen", "--history=9"));
        assert!(!strange("attach", "--history") && !strange("tail", "-100"));
        assert!(strange("attach", "--once=1") && strange("status", "--strays=1"));
        assert!(strange("start", "--frob") && strange("start", "--frob=1"));
        assert!(strange("start", "-ü") && !strange("start", "über") && !strange("start", ""));
    }

    #[test]
    fn behind_two_dashes_and_in_a_text_nothing_is_an_option() {
        let parted = |verb, line: &'static str| {
            let args: Vec<&str> = line.split_whitespace().collect();
            let (optional, plain) = find(verb).unwrap().parted(&args);
            (optional.join(" "), plain.join(" "))
        };
        let want = |optional: &str, plain: &str| (optional.to_owned(), plain.to_owned());
        assert_eq!(parted("stop", "a --x b"), want("a --x b", ""));
        assert_eq!(parted("stop", "a -- -x --"), want("a", "-x --"));
        assert_eq!(parted("stop", "--"), want("", ""));
        assert_eq!(
            parted("send", "--json a -l --json"),
            want("--json", "a -l --json")
        );
        assert_eq!(parted("send", "a -- b"), want("", "a -- b"));
        assert_eq!(parted("send", "-- -x -- b"), want("", "-x -- b"));
        assert_eq!(parted("send", "--"), want("", ""));
        assert_eq!(parted("send", "-h"), want("-h", ""));
    }

    #[test]
    fn every_command_has_help() {
        for verb in VERBS {
            let optional = |valued| verb.options.contains(valued);
            assert!(verb.valued.iter().all(optional));
            assert!(!verb.meaning.is_empty() && verb.help("word").starts_with("word"));
            assert!(overview().contains(verb.meaning));
        }
    }
}
