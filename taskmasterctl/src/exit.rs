//! With which code the program ends: supervisorctl's, so that scripts written for it go on working.

use std::process::ExitCode;

use shared::api::{Outcome, Verdict};
use shared::rpc::code;
use shared::state;

use crate::call::{Failure, Reason};

/// A code to exit with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit(u8);

impl Exit {
    /// All was done.
    pub(crate) const OK: Self = Self(0);
    /// Something was not.
    pub(crate) const FAILED: Self = Self(1);
    /// The command line cannot be understood.
    pub(crate) const USAGE: Self = Self(2);
    /// `status`: something that was shown is down.
    pub(crate) const DOWN: Self = Self(3);
    /// `status`: it cannot be told.
    pub(crate) const UNKNOWN: Self = Self(4);
    /// The peer may not do this.
    pub(crate) const NOT_ALLOWED: Self = Self(4);
    /// A process, or the daemon, does not run.
    pub(crate) const NOT_RUNNING: Self = Self(7);
    /// The terminal is gone, as a shell counts SIGHUP.
    pub(crate) const HUNG_UP: Self = Self(129);
    /// Ctrl-C, as a shell counts it.
    pub(crate) const INTERRUPTED: Self = Self(130);
    /// Nobody reads our output any more, as a shell counts SIGPIPE.
    pub(crate) const BROKEN_PIPE: Self = Self(141);

    /// What a shell would make of the end of a process.
    pub(crate) fn of_process(exit: state::Exit) -> Self {
        match exit {
            state::Exit::Code(code) => Self(u8::try_from(code).unwrap_or(u8::MAX)),
            state::Exit::Signal { number, .. } => Self::of_signal(number),
        }
    }

    /// What a shell would make of a death of this signal.
    pub(crate) fn of_signal(number: i32) -> Self {
        Self(u8::try_from(number + 128).unwrap_or(u8::MAX))
    }

    /// The code as a number.
    pub(crate) fn number(self) -> i32 {
        self.0.into()
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.0.into()
    }
}

/// What was to be done with processes; the same verdict weighs differently with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Start,
    Stop,
    Signal,
    Clear,
}

/// The code for a list of outcomes: the last that failed decides, as with supervisorctl.
pub(crate) fn of_outcomes(outcomes: &[Outcome], deed: Deed) -> Exit {
    outcomes
        .iter()
        .filter_map(|outcome| of_verdict(outcome.result, deed))
        .next_back()
        .unwrap_or(Exit::OK)
}

fn of_verdict(verdict: Verdict, deed: Deed) -> Option<Exit> {
    match verdict {
        Verdict::Started
        | Verdict::Stopped
        | Verdict::Signalled
        | Verdict::Cleared
        | Verdict::AlreadyStarted => None,
        Verdict::NotRunning if deed == Deed::Stop => None,
        Verdict::NotRunning | Verdict::SpawnError | Verdict::AbnormalTermination => {
            Some(Exit::NOT_RUNNING)
        }
        Verdict::NoSuchGroup if deed == Deed::Start => Some(Exit::USAGE),
        Verdict::NoSuchGroup
        | Verdict::NoSuchProcess
        | Verdict::NoSuchFile
        | Verdict::NotExecutable
        | Verdict::Superseded
        | Verdict::BadSignal
        | Verdict::Failed => Some(Exit::FAILED),
    }
}

/// The code when `method` got no result.
pub(crate) fn of_failure(method: &str, failure: &Failure) -> Exit {
    match failure {
        Failure::Interrupted => Exit::INTERRUPTED,
        Failure::Unheard => Exit::BROKEN_PIPE,
        Failure::HungUp => Exit::HUNG_UP,
        Failure::Unreachable(Reason::PermissionDenied) => Exit::NOT_ALLOWED,
        Failure::Unreachable(_) => match method {
            "status" => Exit::UNKNOWN,
            "shutdown" => Exit::FAILED,
            _ => Exit::NOT_RUNNING,
        },
        Failure::Refused(error) if error.code == code::NOT_ALLOWED => Exit::NOT_ALLOWED,
        Failure::Refused(error) if error.code == code::NOT_RUNNING => Exit::NOT_RUNNING,
        Failure::Refused(_) | Failure::Unclear(_) | Failure::TooLong => match method {
            "status" => Exit::UNKNOWN,
            _ => Exit::FAILED,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(verdicts: &[Verdict], deed: Deed) -> i32 {
        let outcome = |&result| Outcome {
            name: "p:0".into(),
            result,
            before: None,
            detail: None,
        };
        let outcomes: Vec<Outcome> = verdicts.iter().map(outcome).collect();
        of_outcomes(&outcomes, deed).number()
    }

    #[test]
    fn codes_are_supervisorctls() {
        assert_eq!(exit(&[Verdict::AlreadyStarted], Deed::Start), 0);
        assert_eq!(exit(&[Verdict::NotRunning], Deed::Stop), 0);
        assert_eq!(exit(&[Verdict::NotRunning], Deed::Signal), 7);
        assert_eq!(exit(&[Verdict::SpawnError], Deed::Start), 7);
        assert_eq!(exit(&[Verdict::AbnormalTermination], Deed::Start), 7);
        assert_eq!(exit(&[Verdict::NoSuchGroup], Deed::Start), 2);
        assert_eq!(exit(&[Verdict::NoSuchGroup], Deed::Stop), 1);
        assert_eq!(exit(&[Verdict::NoSuchFile], Deed::Start), 1);
        assert_eq!(exit(&[Verdict::Superseded], Deed::Stop), 1);
        assert_eq!(exit(&[], Deed::Clear), 0);
    }

    #[test]
    fn the_last_failure_decides() {
        use Verdict::{NoSuchGroup, NoSuchProcess, SpawnError, Started};
        assert_eq!(exit(&[SpawnError, NoSuchProcess, Started], Deed::Start), 1);
        assert_eq!(exit(&[NoSuchProcess, NoSuchGroup], Deed::Start), 2);
    }

    #[test]
    fn without_a_daemon_the_code_tells_which_command_it_was() {
        let gone = Failure::Unreachable(Reason::NoSuchFile);
        let code = |method| of_failure(method, &gone).number();
        assert_eq!((code("status"), code("start"), code("shutdown")), (4, 7, 1));
        let denied = Failure::Unreachable(Reason::PermissionDenied);
        assert_eq!(of_failure("stop", &denied).number(), 4);
    }
}
