//! What is owed: readiness that was announced once and not used up.
//!
//! mio reports each change once. Whoever stops before WouldBlock, because a budget or a limit stopped him, or a
//! want of descriptors, finds himself here, and while there are debts the reactor does not sleep.

use std::collections::{BTreeMap, BTreeSet};

use mio::Token;

use crate::core::Mono;
use crate::limits::TURN_SHARE_MS;

use super::Reactor;

/// Sources that are owed something, each in its turn: where there is no time for all, those left out come first in
/// the next.
#[derive(Debug)]
pub(super) struct Owed {
    tokens: BTreeSet<Token>,
    first: Token,
}

impl Default for Owed {
    fn default() -> Self {
        Self {
            tokens: BTreeSet::new(),
            first: Token(0),
        }
    }
}

impl Owed {
    pub(super) fn insert(&mut self, token: Token) {
        self.tokens.insert(token);
    }

    pub(super) fn extend(&mut self, tokens: impl IntoIterator<Item = Token>) {
        self.tokens.extend(tokens);
    }

    pub(super) fn remove(&mut self, token: Token) {
        self.tokens.remove(&token);
    }

    pub(super) fn has(&self, token: Token) -> bool {
        self.tokens.contains(&token)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// All of them, in order.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Token> + use<> {
        let mut later = std::mem::take(&mut self.tokens);
        let sooner = later.split_off(&self.first);
        sooner.into_iter().chain(later)
    }

    /// There is no time for these, which were taken.
    pub(super) fn put_off(&mut self, rest: impl Iterator<Item = Token>) {
        let mut rest = rest.peekable();
        if let Some(&first) = rest.peek() {
            self.first = first;
        }
        self.tokens.extend(rest);
    }
}

/// All debts.
#[derive(Debug, Default)]
pub(super) struct Debts {
    /// Sources of output to read.
    pub(super) outputs: Owed,
    /// Sources of output that could not be read, and when to try again.
    pub(super) resting: BTreeMap<Token, Mono>,
    /// Clients to read from, write to, or take the next request of.
    pub(super) clients: Owed,
    /// Pipes that tell how an exec went.
    pub(super) exec_status: BTreeSet<Token>,
    /// Signals to take in.
    pub(super) signals: bool,
    /// Dead children to look for.
    pub(super) deaths: bool,
    /// Connections to accept.
    pub(super) accept: bool,
    /// When to try that again, after descriptors ran out: nothing announces them.
    pub(super) accept_at: Option<Mono>,
    /// When it may be told again that they ran out.
    pub(super) tell_accept_at: Mono,
    /// The helper's answer to read.
    pub(super) helper: Option<Token>,
}

impl Debts {
    /// What could not be read and has rested is to be read again.
    pub(super) fn wake_outputs(&mut self, now: Mono) {
        self.resting.retain(|&token, until| {
            let rests = *until > now;
            if !rests {
                self.outputs.insert(token);
            }
            rests
        });
    }

    /// When there is something to do though nothing is announced.
    pub(super) fn deadline(&self) -> Option<Mono> {
        let resting = self.resting.values().copied();
        resting.chain(self.accept_at).min()
    }

    /// Whether there is anything to do at once.
    pub(super) fn are_due(&self) -> bool {
        self.signals
            || self.deaths
            || self.accept
            || self.helper.is_some()
            || !self.outputs.is_empty()
            || !self.clients.is_empty()
            || !self.exec_status.is_empty()
    }
}

impl Reactor {
    /// Serves one after the other as long as this part of the turn has time, and tells each how long that is. Gives
    /// those left over.
    pub(super) fn serve_in_time<I: Iterator>(
        &mut self,
        mut those: I,
        mut serve: impl FnMut(&mut Self, I::Item, Mono),
    ) -> I {
        let until = self.mono().after(TURN_SHARE_MS);
        for one in those.by_ref() {
            serve(self, one, until);
            if self.is_up(until) {
                break;
            }
        }
        those
    }

    pub(super) fn is_up(&self, until: Mono) -> bool {
        self.mono() >= until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever asks for more every time does not keep the others waiting.
    #[test]
    fn who_was_put_off_comes_first() {
        let mut owed = Owed::default();
        owed.extend((1..=4).map(Token));
        let mut served = Vec::new();
        for _ in 0..4 {
            let mut round = owed.take();
            for token in round.by_ref().take(2) {
                served.push(token.0);
                owed.insert(token);
            }
            owed.put_off(round);
        }
        assert_eq!(served, [1, 2, 3, 4, 1, 2, 3, 4]);
        owed.remove(Token(2));
        assert_eq!(
            owed.take().map(|token| token.0).collect::<Vec<_>>(),
            [1, 3, 4]
        );
        assert!(owed.is_empty());
    }
}
