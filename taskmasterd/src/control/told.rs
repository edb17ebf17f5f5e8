//! What an attached client knows of the life of its process, and what it has missed of it.

use shared::api::{Exited, Restarted, Tty};
use shared::frame::Frame;
use shared::state::State;

use super::outgoing::Wire;
use crate::core::Mono;

/// The state of a process, as a client is told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its pid, if it has one.
    pub pid: Option<i32>,
    /// Its state.
    pub state: State,
    /// How often it was started: it may fail twice in the same way.
    pub starts: u64,
    /// When it is started again, if it is: a reload may think otherwise.
    pub next_start: Option<Mono>,
}

/// How it stands with a process.
#[derive(Debug)]
pub struct StateNews {
    /// The state; without the pid of what is not its program yet.
    pub told: Told,
    /// Whether it is on its way up: what comes of that is told next.
    pub rises: bool,
    /// Its terminal.
    pub tty: Tty,
    /// How it ended, if it has.
    pub ended: Exited,
    /// When that was.
    pub ended_at: Option<Mono>,
}

/// The end of a process: when it was, and the frame that tells of it.
pub(super) type End = (Mono, Wire);

/// What a client is to be told.
#[derive(Debug)]
pub(super) enum Word {
    /// It ended.
    End(End),
    /// It runs again.
    Beginning(Frame),
}

/// What a client knows.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// What it was told last.
    pub told: Option<Told>,
    /// Whether that may have been lost on the way.
    in_vain: bool,
    /// The first end that was lost.
    missed: Option<End>,
}

impl Knowledge {
    /// Whether there is nothing to tell a client that is behind, or is not.
    pub(super) fn is(&self, told: Told, behind: bool) -> bool {
        self.told == Some(told) && (behind || !self.in_vain)
    }

    /// Words were dropped on the way to it, with this end among them.
    pub(super) fn lose(&mut self, end: Option<End>) {
        self.in_vain = true;
        self.missed = self.missed.take().or(end);
    }

    /// Takes in how it stands: what is to be told. Of the ends that a client misses while it is behind it gets the
    /// first, which may be the one it waits for, and how it stands when it has caught up.
    pub(super) fn take_in(&mut self, news: StateNews, behind: bool, now: Mono) -> Vec<Word> {
        let was = self.told.replace(news.told).and_then(|was| was.pid);
        let frame = Frame::Exited(news.ended);
        let end = (news.ended_at.unwrap_or(now), Wire::new(frame.to_bytes()));
        if behind {
            // That the same process runs on is no news.
            if was != news.told.pid || was.is_none() {
                self.lose(was.is_some().then_some(end));
            }
            return Vec::new();
        }
        let is_again = std::mem::take(&mut self.in_vain);
        let missed = self.missed.take();
        let had_pid = was.is_some() && !is_again;
        let Some(pid) = news.told.pid else {
            let missed_this = missed.as_ref().is_some_and(|(at, _)| *at == end.0);
            let earlier = missed.filter(|_| !missed_this);
            let this = (had_pid || missed_this || !news.rises).then_some(end);
            return earlier.into_iter().chain(this).map(Word::End).collect();
        };
        if had_pid && was == Some(pid) {
            return Vec::new();
        }
        let tty = news.tty;
        let end = missed.or(had_pid.then_some(end)).map(Word::End);
        let beginning = Word::Beginning(Frame::Restarted(Restarted { pid, tty }));
        end.into_iter().chain([beginning]).collect()
    }
}
