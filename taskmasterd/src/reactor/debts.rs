//! What is owed: readiness that was announced once and not used up.
//!
//! mio reports each change once. Whoever stops before WouldBlock, because a budget or a limit stopped him, or a
//! want of descriptors, finds himself here, and while there are debts the reactor does not sleep.

use std::collections::{BTreeMap, BTreeSet};

use mio::Token;

use crate::core::Mono;

/// All debts.
#[derive(Debug, Default)]
pub(super) struct Debts {
    /// Sources of output to read.
    pub(super) outputs: BTreeSet<Token>,
    /// Sources of output that could not be read, and when to try again.
    pub(super) resting: BTreeMap<Token, Mono>,
    /// Clients to read from, write to, or take the next request of.
    pub(super) clients: BTreeSet<Token>,
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
