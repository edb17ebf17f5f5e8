//! What the client says, and does, about the life of the process it is attached to.
//!
//! Pure: what the daemon tells goes in, a line for the user comes out, and whether there is anything to wait for.

use shared::api::{Attached, Exited};
use shared::state::{Exit as Ending, State};
use shared::text::{duration, escape};

use crate::exit::Exit;
use crate::print::whole_seconds;

/// What is to be done about the end of the process.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Say this, and wait for the process to come back.
    Wait(String),
    /// Say this in place of what was said on arrival, and wait.
    Amend(String),
    /// All of it was said; wait.
    Silent,
    /// Say this, and leave with this code.
    Leave(String, Exit),
}

/// What is known of the process.
#[derive(Debug)]
pub(super) struct Life {
    name: String,
    state: State,
    /// While it runs.
    pid: Option<i32>,
    starts: u64,
    /// Whether it has run, or somebody tried.
    ran_before: bool,
    once: bool,
    /// How it stood on arrival.
    found: Exited,
    /// What was said then.
    opening: Option<String>,
    /// How to leave while waiting.
    hint: String,
}

impl Life {
    /// `once`: the end of the process is the end of the attachment. `key` is the one that detaches.
    pub(super) fn new(attached: &Attached, once: bool, key: Option<&str>) -> Self {
        Self {
            name: escape(&attached.name),
            state: attached.state,
            pid: attached.pid,
            starts: attached.starts,
            ran_before: attached.starts > 0,
            once,
            found: Exited {
                exit: attached.exit,
                state: attached.state,
                retry_in_ms: attached.retry_in_ms,
                gone: false,
                reason: attached.reason.clone(),
                starts: attached.starts,
            },
            opening: None,
            hint: key.map_or(String::new(), |key| format!("; {key} detaches")),
        }
    }

    /// What to say at the beginning, where there is nothing to see yet.
    pub(super) fn opening(&mut self) -> Option<String> {
        if self.pid.is_none() {
            self.opening = Some(self.standing(&self.found));
        }
        self.opening.clone()
    }

    /// Takes in that it ended, or that an attempt to start it did. What is told of a process that does not run, and in
    /// which nothing has changed, is how it came to that.
    pub(super) fn exited(&mut self, news: &Exited) -> Next {
        let before = std::mem::replace(&mut self.state, news.state);
        let tried = std::mem::replace(&mut self.starts, news.starts) != news.starts;
        let moved = before != news.state || (tried && is_final(news));
        // Of one that ended at once the beginning may not have been told.
        let ran = self.pid.take().is_some() || (moved && has_run(news));
        self.ran_before |= ran;
        let changed = ran || news.gone || moved;
        if !changed {
            let line = self.standing(news);
            return match self.opening.as_ref() == Some(&line) {
                true => Next::Silent,
                false => Next::Amend(line),
            };
        }
        if news.gone || is_final(news) || (self.once && ran) {
            return Next::Leave(self.end(news, ran), code(news));
        }
        if !ran || news.reason.is_some() {
            return Next::Wait(self.standing(news));
        }
        let then = match news.retry_in_ms {
            None | Some(0) => "starting again".into(),
            Some(ms) => format!("next try in {}", duration(ms)),
        };
        let (name, what) = (&self.name, ending(news));
        Next::Wait(format!("[{name} {what}, {then}{}]", self.hint))
    }

    /// How it ended for good.
    fn end(&self, news: &Exited, ran: bool) -> String {
        let name = &self.name;
        if let Some(reason) = news.reason.as_deref().filter(|_| !news.gone) {
            let (reason, state) = (escape(reason), news.state);
            return format!("[cannot start {name}: {reason}; it is {state}]");
        }
        match (news.gone, ran) {
            (true, _) => format!("[{name} {} and will not come back]", ending(news)),
            (false, true) if news.exit.is_some() && news.state == State::Fatal => {
                format!("[{name} {} and is FATAL]", ending(news))
            }
            (false, true) => format!("[{name} {}]", ending(news)),
            (false, false) => format!("[{name} is {}{}]", self.state, self.reason(news)),
        }
    }

    /// What it waits for, if it does not run.
    fn standing(&self, news: &Exited) -> String {
        let then = match (news.retry_in_ms, self.state) {
            (Some(0), _) => "; starting again".into(),
            // The time goes by while it is read.
            (Some(ms), _) => format!("; next try in {}", whole_seconds(ms)),
            (None, State::Stopped | State::Exited | State::Fatal) => "; waiting for a start".into(),
            (None, State::Starting | State::Running | State::Backoff) => String::new(),
            (None, State::Stopping | State::Unknown) => String::new(),
        };
        let (name, state, hint) = (&self.name, self.state, &self.hint);
        match &news.reason {
            Some(reason) if state == State::Backoff => {
                format!("[cannot start {name}: {}{then}{hint}]", escape(reason))
            }
            Some(_) | None => format!("[{name} is {state}{}{then}{hint}]", self.reason(news)),
        }
    }

    /// How it came to that, where it was not told to.
    fn reason(&self, news: &Exited) -> String {
        match (self.state, &news.reason, news.exit) {
            (State::Stopped | State::Stopping, _, _) | (_, None, None) => String::new(),
            (_, Some(reason), _) => format!(": {}", escape(reason)),
            (_, None, Some(exit)) => format!(": {}", shown(exit)),
        }
    }

    /// Takes in that it runs, again or for the first time; who may have missed it is told once more.
    pub(super) fn restarted(&mut self, pid: i32) -> Option<String> {
        let before = self.pid.replace(pid);
        self.state = State::Starting;
        let again = match std::mem::replace(&mut self.ran_before, true) {
            true => " again",
            false => "",
        };
        (before != Some(pid)).then(|| format!("[{} runs{again}, pid {pid}]", self.name))
    }
}

/// Whether it is where only the end of a process leads.
fn has_run(news: &Exited) -> bool {
    let ended = match news.state {
        State::Exited | State::Fatal | State::Backoff => true,
        State::Stopped | State::Starting | State::Running | State::Stopping | State::Unknown => {
            false
        }
    };
    ended && news.exit.is_some() && news.reason.is_none()
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
    news.exit
        .map_or_else(|| format!("is {}", news.state), shown)
}

fn shown(exit: Ending) -> String {
    match exit {
        Ending::Code(code) => format!("exited with status {code}"),
        Ending::Signal { number, .. } => {
            format!("was killed by {}", shared::signal::name(number))
        }
    }
}

/// The process's own code, as a shell counts it; without one, that of a process that does not run. What could not be
/// started has none, even if it had one before.
fn code(news: &Exited) -> Exit {
    let exit = news.exit.filter(|_| news.reason.is_none());
    exit.map_or(Exit::NOT_RUNNING, Exit::of_process)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::api::Tty;

    fn attached(state: State) -> Attached {
        let runs = matches!(state, State::Running | State::Starting);
        Attached {
            version: 1,
            name: "worker:0".into(),
            tty: Tty::Full,
            pid: runs.then_some(7),
            state,
            exit: None,
            retry_in_ms: None,
            reason: None,
            starts: 1,
            leader: true,
            others: 0,
        }
    }

    fn life(state: State, once: bool) -> Life {
        Life::new(&attached(state), once, Some("Ctrl-]"))
    }

    fn news(exit: Option<Ending>, state: State, retry_in_ms: Option<u64>) -> Exited {
        Exited {
            exit,
            state,
            retry_in_ms,
            gone: false,
            reason: None,
            starts: 1,
        }
    }

    fn left(next: Next) -> (String, i32) {
        match next {
            Next::Leave(line, exit) => (line, exit.number()),
            other => panic!("waits: {other:?}"),
        }
    }

    #[test]
    fn a_process_that_comes_back_is_waited_for() {
        let mut life = life(State::Running, false);
        let exit = Some(Ending::Code(1));
        let line = "[worker:0 exited with status 1, next try in 2 s; Ctrl-] detaches]";
        let next = life.exited(&news(exit, State::Backoff, Some(2000)));
        assert_eq!(next, Next::Wait(line.into()));
        let line = "[worker:0 runs again, pid 12]";
        assert_eq!(life.restarted(12).as_deref(), Some(line));
        assert_eq!(life.restarted(12), None);
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

    // Once is once it runs.
    #[test]
    fn once_waits_for_a_process_that_does_not_run() {
        let (zero, one) = (Some(Ending::Code(0)), Some(Ending::Code(1)));
        for state in [State::Exited, State::Stopped, State::Fatal] {
            let mut waiting = life(state, true);
            waiting.opening();
            let next = waiting.exited(&news(zero, state, None));
            assert!(matches!(next, Next::Amend(_) | Next::Silent), "{next:?}");
            waiting.restarted(5);
            let next = waiting.exited(&news(one, State::Backoff, Some(2000)));
            assert_eq!(left(next).1, 1);
        }
    }

    // It began and ended before anybody could be told of the one.
    #[test]
    fn what_ended_at_once_has_run() {
        let one = Some(Ending::Code(1));
        let next = life(State::Stopped, true).exited(&news(one, State::Backoff, Some(2000)));
        assert_eq!(left(next).1, 1);
        let next = life(State::Stopped, false).exited(&news(one, State::Exited, None));
        assert_eq!(left(next), ("[worker:0 exited with status 1]".into(), 1));
        let line = "[worker:0 exited with status 1, next try in 2 s; Ctrl-] detaches]";
        let next = life(State::Stopped, false).exited(&news(one, State::Backoff, Some(2000)));
        assert_eq!(next, Next::Wait(line.into()));
    }

    #[test]
    fn what_does_not_run_is_waited_for() {
        let mut waiting = life(State::Stopped, false);
        let line = "[worker:0 is STOPPED; waiting for a start; Ctrl-] detaches]";
        assert_eq!(waiting.opening().as_deref(), Some(line));
        assert_eq!(
            waiting.exited(&news(None, State::Stopped, None)),
            Next::Silent
        );
        assert_eq!(life(State::Running, false).opening(), None);
    }

    // `autostart: false`, and somebody starts it.
    #[test]
    fn what_never_ran_does_not_run_again() {
        let never = Attached {
            starts: 0,
            ..attached(State::Stopped)
        };
        let mut life = Life::new(&never, false, None);
        let line = "[worker:0 runs, pid 12]";
        assert_eq!(life.restarted(12).as_deref(), Some(line));
        let exit = Some(Ending::Code(1));
        let next = life.exited(&news(exit, State::Backoff, Some(2000)));
        assert!(matches!(next, Next::Wait(_)), "{next:?}");
        let line = "[worker:0 runs again, pid 13]";
        assert_eq!(life.restarted(13).as_deref(), Some(line));
    }

    // How it came to that is no news, whenever it is told.
    #[test]
    fn on_arrival_one_line_says_how_it_stands() {
        let mut waiting = life(State::Fatal, false);
        let line = "[worker:0 is FATAL; waiting for a start; Ctrl-] detaches]";
        assert_eq!(waiting.opening().as_deref(), Some(line));
        let line =
            "[worker:0 is FATAL: exited with status 1; waiting for a start; Ctrl-] detaches]";
        let next = waiting.exited(&news(Some(Ending::Code(1)), State::Fatal, None));
        assert_eq!(next, Next::Amend(line.into()));
        let next = waiting.exited(&news(None, State::Stopped, None));
        assert_eq!(left(next), ("[worker:0 is STOPPED]".into(), 7));
    }

    // As status has it: what is started again by itself does not wait for somebody to do it.
    #[test]
    fn on_arrival_it_is_told_why_it_is_down_and_until_when() {
        let arrived = |state, exit, retry_in_ms, reason: Option<&str>| {
            let attached = Attached {
                state,
                exit,
                retry_in_ms,
                reason: reason.map(String::from),
                ..attached(State::Stopped)
            };
            let mut life = Life::new(&attached, false, None);
            let line = life.opening().unwrap();
            // What is told once more is no news.
            let again = Exited {
                reason: attached.reason,
                ..news(exit, state, retry_in_ms)
            };
            assert_eq!(life.exited(&again), Next::Silent);
            line
        };
        let one = Some(Ending::Code(1));
        for (state, exit, retry_in_ms, reason, line) in [
            (
                State::Exited,
                one,
                Some(1200),
                None,
                "[worker:0 is EXITED: exited with status 1; next try in 2 s]",
            ),
            (
                State::Backoff,
                one,
                Some(3000),
                None,
                "[worker:0 is BACKOFF: exited with status 1; next try in 3 s]",
            ),
            (
                State::Fatal,
                one,
                None,
                None,
                "[worker:0 is FATAL: exited with status 1; waiting for a start]",
            ),
            (
                State::Backoff,
                Some(Ending::Code(127)),
                Some(1000),
                Some("can't find \u{1b}"),
                "[cannot start worker:0: can't find \\x1b; next try in 1 s]",
            ),
            (
                State::Fatal,
                None,
                None,
                Some("can't find it"),
                "[worker:0 is FATAL: can't find it; waiting for a start]",
            ),
            (
                State::Stopped,
                one,
                None,
                None,
                "[worker:0 is STOPPED; waiting for a start]",
            ),
        ] {
            assert_eq!(arrived(state, exit, retry_in_ms, reason), line);
        }
    }

    // A status of 127 would be that of a process, and there was none.
    #[test]
    fn what_could_not_be_started_is_not_told_to_have_ended() {
        let failed = |state, retry_in_ms| Exited {
            reason: Some("can't find it".into()),
            ..news(Some(Ending::Code(127)), state, retry_in_ms)
        };
        let mut life = life(State::Running, false);
        let line = |s| {
            format!("[cannot start worker:0: can't find it; next try in {s} s; Ctrl-] detaches]")
        };
        let next = life.exited(&failed(State::Backoff, Some(1000)));
        assert_eq!(next, Next::Wait(line(1)));
        let next = life.exited(&failed(State::Backoff, Some(2000)));
        assert_eq!(next, Next::Amend(line(2)));
        let next = life.exited(&failed(State::Fatal, None));
        let line = "[cannot start worker:0: can't find it; it is FATAL]";
        assert_eq!(left(next), (line.into(), 7));
    }

    // Somebody started it elsewhere.
    #[test]
    fn what_was_given_up_and_fails_again_is_told_of_again() {
        let failed = |starts| Exited {
            reason: Some("can't find it".into()),
            starts,
            ..news(None, State::Fatal, None)
        };
        let mut waiting = life(State::Fatal, false);
        waiting.opening();
        let next = waiting.exited(&failed(1));
        assert!(matches!(next, Next::Amend(_)), "{next:?}");
        let line = "[cannot start worker:0: can't find it; it is FATAL]";
        assert_eq!(left(waiting.exited(&failed(2))), (line.into(), 7));
        let ended = Exited {
            starts: 2,
            ..news(Some(Ending::Code(3)), State::Fatal, None)
        };
        let line = "[worker:0 exited with status 3 and is FATAL]";
        assert_eq!(
            left(life(State::Fatal, false).exited(&ended)),
            (line.into(), 3)
        );
    }
}
