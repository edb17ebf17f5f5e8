//! What the client says, and does, about the life of the process it is attached to.
//!
//! Pure: what the daemon tells goes in, a line for the user comes out, and whether there is anything to wait for.

use shared::api::{Attached, Exited};
use shared::state::{Exit as Ending, State};
use shared::text::{duration, escape};

use crate::exit::Exit;

/// What is to be done about the end of the process.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Say this, and wait for the process to come back.
    Wait(String),
    /// Say this, and leave with this code.
    Leave(String, Exit),
}

/// What is known of the process.
#[derive(Debug)]
pub(super) struct Life {
    name: String,
    state: State,
    runs: bool,
    once: bool,
    /// How to leave while waiting.
    hint: String,
}

impl Life {
    /// `once`: the end of the process is the end of the attachment. `key` is the one that detaches.
    pub(super) fn new(attached: &Attached, once: bool, key: Option<&str>) -> Self {
        Self {
            name: escape(&attached.name),
            state: attached.state,
            runs: attached.pid.is_some(),
            once,
            hint: key.map_or(String::new(), |key| format!("; {key} detaches")),
        }
    }

    /// What to say at the beginning, where there is nothing to see yet.
    pub(super) fn opening(&self) -> Option<String> {
        let (name, state, hint) = (&self.name, self.state, &self.hint);
        (!self.runs).then(|| format!("[{name} is {state}{hint}]"))
    }

    /// Takes in that it ended, or that an attempt to start it did.
    pub(super) fn exited(&mut self, news: &Exited) -> Next {
        let known = !self.runs && news.state == self.state;
        self.runs = false;
        self.state = news.state;
        let what = format!("{} {}", self.name, ending(news));
        // What was over before we came is no end.
        let over = news.gone || (!known && (self.once || is_final(news)));
        if over {
            let why = match (news.gone, news.exit, news.state) {
                (true, _, _) => " and will not come back",
                (false, Some(_), State::Fatal) => " and is FATAL",
                (false, _, _) => "",
            };
            return Next::Leave(format!("[{what}{why}]"), code(news.exit));
        }
        let then = match news.retry_in_ms {
            Some(0) => ", starting again".into(),
            Some(ms) => format!(", next try in {}", duration(ms)),
            None if known => String::new(),
            None => ", starting again".into(),
        };
        Next::Wait(format!("[{what}{then}{}]", self.hint))
    }

    /// Takes in that it runs again.
    pub(super) fn restarted(&mut self, pid: i32) -> String {
        self.runs = true;
        self.state = State::Starting;
        format!("[{} runs again, pid {pid}]", self.name)
    }
}

fn is_final(news: &Exited) -> bool {
    let down = match news.state {
        State::Exited | State::Fatal | State::Stopped => true,
        State::Starting | State::Running | State::Backoff | State::Stopping | State::Unknown => {
            false
        }
    };
    down && news.retry_in_ms.is_none()
}

fn ending(news: &Exited) -> String {
    match news.exit {
        Some(Ending::Code(code)) => format!("exited with status {code}"),
        Some(Ending::Signal { number, .. }) => {
            format!("was killed by {}", shared::signal::name(number))
        }
        None => format!("is {}", news.state),
    }
}

/// The process's own code, as a shell counts it; without one, that of a process that does not run.
fn code(exit: Option<Ending>) -> Exit {
    exit.map_or(Exit::NOT_RUNNING, Exit::of_process)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::api::Tty;

    fn life(state: State, once: bool) -> Life {
        let runs = matches!(state, State::Running | State::Starting);
        let attached = Attached {
            version: 1,
            name: "worker:0".into(),
            tty: Tty::Full,
            pid: runs.then_some(7),
            state,
            leader: true,
            others: 0,
        };
        Life::new(&attached, once, Some("Ctrl-]"))
    }

    fn news(exit: Option<Ending>, state: State, retry_in_ms: Option<u64>) -> Exited {
        Exited {
            exit,
            state,
            retry_in_ms,
            gone: false,
        }
    }

    fn left(next: Next) -> (String, i32) {
        match next {
            Next::Leave(line, exit) => (line, exit.number()),
            Next::Wait(line) => panic!("waits: {line}"),
        }
    }

    #[test]
    fn a_process_that_comes_back_is_waited_for() {
        let mut life = life(State::Running, false);
        let exit = Some(Ending::Code(1));
        let line = "[worker:0 exited with status 1, next try in 2 s; Ctrl-] detaches]";
        let next = life.exited(&news(exit, State::Backoff, Some(2000)));
        assert_eq!(next, Next::Wait(line.into()));
        assert_eq!(life.restarted(12), "[worker:0 runs again, pid 12]");
        let line = "[worker:0 exited with status 1, starting again; Ctrl-] detaches]";
        let next = life.exited(&news(exit, State::Starting, None));
        assert_eq!(next, Next::Wait(line.into()));
    }

    #[test]
    fn a_process_that_ended_for_good_gives_its_code() {
        let killed = Some(Ending::Signal {
            number: 15,
            core_dumped: false,
        });
        let ends = |exit, state| left(life(State::Running, false).exited(&news(exit, state, None)));
        assert_eq!(
            ends(killed, State::Stopped),
            ("[worker:0 was killed by SIGTERM]".into(), 143)
        );
        assert_eq!(ends(Some(Ending::Code(3)), State::Exited).1, 3);
        assert_eq!(
            ends(Some(Ending::Code(2)), State::Fatal),
            ("[worker:0 exited with status 2 and is FATAL]".into(), 2)
        );
        assert_eq!(ends(None, State::Fatal).1, 7);
    }

    #[test]
    fn once_means_until_the_end_of_the_process() {
        let next = life(State::Running, true).exited(&news(
            Some(Ending::Code(1)),
            State::Backoff,
            Some(2000),
        ));
        assert_eq!(left(next).1, 1);
    }

    #[test]
    fn what_never_ran_is_waited_for() {
        let mut waiting = life(State::Stopped, false);
        let line = "[worker:0 is STOPPED; Ctrl-] detaches]";
        assert_eq!(waiting.opening().as_deref(), Some(line));
        let next = waiting.exited(&news(None, State::Stopped, None));
        assert_eq!(next, Next::Wait(line.into()));
        assert_eq!(life(State::Running, false).opening(), None);
        let mut once = life(State::Stopped, true);
        let next = once.exited(&news(None, State::Stopped, None));
        assert_eq!(next, Next::Wait(line.into()));
        once.restarted(12);
        let ended = once.exited(&news(Some(Ending::Code(4)), State::Backoff, Some(1000)));
        assert_eq!(left(ended).1, 4);
    }
}
