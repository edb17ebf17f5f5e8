//! One command on its way: asking, showing the answer or why there is none, complaining about misuse.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::api::{AttachParams, Call, Outcome, ScreenParams, SendParams, TailParams, Verdict};
use shared::name::Selector;
use shared::rpc::{RpcError, code};
use shared::text::escape;

use crate::call::{self, Failure, Reason};
use crate::exit::{self, Exit};
use crate::print;
use crate::term::{self, Page};
use crate::verbs::{Session, Verb};

/// How many lines of help may stand below a complaint.
const HELP_LINES_MAX: usize = 10;

/// One command on its way.
pub(crate) struct Job<'a> {
    pub(crate) session: &'a Session,
    /// The command that was typed.
    pub(crate) verb: &'static Verb,
    /// And how it was called.
    pub(crate) word: &'a str,
    /// Whether the answer is wanted as JSON.
    pub(crate) json: bool,
    /// What it prints.
    pub(crate) page: Page,
}

/// The names of a command: those to ask for, and those no process could have.
pub(crate) struct Named {
    pub(crate) names: Vec<Selector>,
    strange: Vec<Outcome>,
}

impl Named {
    /// Sorts out what was typed.
    pub(crate) fn read(typed: &[&str]) -> Self {
        let (mut names, mut strange) = (Vec::new(), Vec::new());
        for &name in typed {
            match name.parse() {
                Ok(selector) => names.push(selector),
                Err(detail) => strange.push(Outcome {
                    name: name.into(),
                    result: Verdict::NoSuchProcess,
                    before: None,
                    detail: Some(detail),
                }),
            }
        }
        Self { names, strange }
    }

    /// Adds what needs not be asked to the list `key` of an answer.
    fn complete(&self, mut answer: Value, key: &str) -> Value {
        if self.strange.is_empty() {
            return answer;
        }
        if let Some(fields) = answer.as_object_mut()
            && let Some(list) = fields
                .entry(key)
                .or_insert_with(|| json!([]))
                .as_array_mut()
        {
            list.extend(self.strange.iter().map(|one| json!(one)));
        }
        answer
    }
}

impl<'a> Job<'a> {
    pub(crate) fn new(
        session: &'a Session,
        verb: &'static Verb,
        word: &'a str,
        json: bool,
    ) -> Self {
        Self {
            session,
            verb,
            word,
            json,
            page: Page::new(),
        }
    }

    /// Asks, and shows the answer as it is or as `word` words it, who also knows the exit code.
    pub(crate) fn show<T: DeserializeOwned>(
        &mut self,
        call: &Call,
        word: impl FnOnce(&T, &mut Page) -> Exit,
    ) -> Exit {
        let answer = self.session.daemon.ask(call);
        self.show_answer(call, answer, word)
    }

    /// [`Job::show`] for a method that takes names and lists in `key` those that are nobody's.
    pub(crate) fn show_named<T: DeserializeOwned + Serialize + Default>(
        &mut self,
        call: &Call,
        named: &Named,
        key: &str,
        word: impl FnOnce(&T, &mut Page) -> Exit,
    ) -> Exit {
        let answer = self.ask_named::<T>(call, named, key);
        self.show_answer(call, answer, word)
    }

    /// Asks such a method; the names that no process could have are in the answer as well.
    pub(crate) fn ask_named<T: Serialize + Default>(
        &self,
        call: &Call,
        named: &Named,
        key: &str,
    ) -> Result<Value, Failure> {
        // Without names the daemon would take all processes to be meant.
        let answer = if named.names.is_empty() && !named.strange.is_empty() {
            Ok(json!(T::default()))
        } else {
            self.session.daemon.ask(call)
        };
        answer.map(|answer| named.complete(answer, key))
    }

    /// Shows an answer as it is or as `word` words it, who also knows the exit code.
    pub(crate) fn show_answer<T: DeserializeOwned>(
        &mut self,
        call: &Call,
        answer: Result<Value, Failure>,
        word: impl FnOnce(&T, &mut Page) -> Exit,
    ) -> Exit {
        let read = answer.and_then(|answer| match T::deserialize(&answer) {
            Ok(result) => Ok((answer, result)),
            Err(error) => Err(Failure::Unclear(error.to_string())),
        });
        match read {
            Ok((answer, result)) if self.json => {
                print::json(&answer, term::is_terminal(), &mut self.page);
                word(&result, &mut Page::default())
            }
            Ok((_, result)) => word(&result, &mut self.page),
            Err(failure) => self.fail(call, &failure),
        }
    }

    /// Says why there is no result.
    pub(crate) fn fail(&mut self, call: &Call, failure: &Failure) -> Exit {
        match failure {
            Failure::Interrupted if call::goes_on(call) => {
                term::complain_below(&format!("{} goes on in the daemon", call.method()));
            }
            Failure::Interrupted | Failure::Unheard | Failure::HungUp => {}
            _ if self.json => {
                let error = self.as_rpc_error(failure);
                json_error(&error, &mut self.page);
            }
            Failure::Refused(error) => refused(call, error, &mut self.page),
            Failure::Unreachable(reason) => {
                let line = unreachable(call, &self.session.daemon.url(), reason);
                self.page.line(&line);
            }
            Failure::Unclear(_) | Failure::TooLong => {
                print::error(&self.as_rpc_error(failure), &mut self.page);
            }
        }
        exit::of_failure(call.method(), failure)
    }

    /// The failure in the form in which a daemon tells its own.
    fn as_rpc_error(&self, failure: &Failure) -> RpcError {
        let url = self.session.daemon.url();
        match failure {
            Failure::Refused(error) => error.clone(),
            Failure::Unreachable(reason) => {
                RpcError::new(code::NO_ANSWER, format!("{url} {}", reason.words()))
            }
            Failure::Unclear(what) => RpcError::new(
                code::NO_ANSWER,
                format!(
                    "{url} answers what this taskmasterctl does not understand ({what}); compare their versions"
                ),
            ),
            Failure::TooLong => {
                RpcError::new(code::INVALID_REQUEST, "too many names for one command")
            }
            Failure::Interrupted | Failure::Unheard | Failure::HungUp => {
                RpcError::new(code::NO_ANSWER, "interrupted")
            }
        }
    }

    /// Says that no process can be called that.
    pub(crate) fn nobody(&mut self, name: &str, why: String) -> Exit {
        if self.json {
            let error = RpcError::new(code::NO_SUCH_PROCESS, why);
            json_error(&error, &mut self.page);
        } else {
            print::refused(name, Verdict::NoSuchProcess.words(), &mut self.page);
        }
        Exit::FAILED
    }

    /// Refuses the command as it was typed, and shows how it is used, unless that fills a screen and would hide the
    /// reason.
    pub(crate) fn misused(&mut self, complaint: &str) -> Exit {
        if self.json {
            let error = RpcError::new(code::INVALID_PARAMS, complaint);
            json_error(&error, &mut self.page);
        } else {
            let help = self.verb.help(self.word);
            let text = if help.lines().count() > HELP_LINES_MAX {
                format!("Error: {complaint}; see help {}\n", self.word)
            } else {
                format!("Error: {complaint}\n{help}")
            };
            self.page.bytes(text.as_bytes());
        }
        Exit::FAILED
    }

    /// Refuses arguments where none are wanted.
    pub(crate) fn bare(&mut self, args: &[&str]) -> Result<(), Exit> {
        if args.is_empty() {
            return Ok(());
        }
        Err(self.misused(&format!("{} accepts no arguments", self.word)))
    }
}

/// An error as the daemon would have answered it.
pub(crate) fn json_error(error: &RpcError, page: &mut Page) {
    print::json(&json!({ "error": error }), term::is_terminal(), page);
}

fn unreachable(call: &Call, url: &str, reason: &Reason) -> String {
    let line = format!("{url} {}", reason.words());
    match (call, reason) {
        (Call::Shutdown(_), Reason::NoSuchFile | Reason::Refused) => {
            format!("ERROR: {line} (already shut down?)")
        }
        _ => line,
    }
}

fn refused(call: &Call, error: &RpcError, page: &mut Page) {
    match (one(call), error.code) {
        (_, code::RELOAD_REFUSED) => print::refused_reload(error, page),
        (Some(name), code::NO_SUCH_PROCESS) => {
            print::refused(name, Verdict::NoSuchProcess.words(), page);
        }
        (Some(name), code::NOT_RUNNING) => {
            print::refused(name, Verdict::NotRunning.words(), page);
        }
        (Some(name), code::NO_TERMINAL) => {
            print::refused(name, "no terminal", page);
            page.remark(escape(&error.message));
        }
        (None, code::SHUTTING_DOWN) if matches!(call, Call::Shutdown(_)) => {
            page.line("ERROR: already shutting down");
        }
        _ => print::error(error, page),
    }
}

/// The one process that a call is about.
fn one(call: &Call) -> Option<&str> {
    match call {
        Call::Attach(AttachParams { name, .. })
        | Call::Send(SendParams { name, .. })
        | Call::Screen(ScreenParams { name, .. })
        | Call::Tail(TailParams { name, .. }) => Some(name.as_str()),
        Call::Status(_)
        | Call::Start(_)
        | Call::Stop(_)
        | Call::Restart(_)
        | Call::Signal(_)
        | Call::Reload(_)
        | Call::Clear(_)
        | Call::Pid(_)
        | Call::Avail(_)
        | Call::Version(_)
        | Call::Shutdown(_) => None,
    }
}
