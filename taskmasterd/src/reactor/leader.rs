//! Who of several clients at a terminal counts: whose size it has, and whose terminal answers for it.
//!
//! Both go by who typed or changed its size last. When that one leaves it is the one before, as if it had never been
//! there.

use mio::Token;

use crate::config::model::Tty;
use crate::control::attach::{Attachment, Role};
use crate::core::ProcessId;

use super::Reactor;
use super::terminal::Terminal;

impl Reactor {
    /// Whether the size of this client's terminal is that of the process's.
    pub(super) fn leads(&self, id: ProcessId, token: Token) -> bool {
        let terminal = self.known_terminal(id);
        terminal.is_some_and(|terminal| terminal.leader == Some(token))
    }

    /// The client whose terminal answers what the program asks; without one the daemon does. It is the leader's
    /// unless that is none that answers. Who leaves the size alone may speak for want of a leader.
    pub(super) fn speaker(&self, id: ProcessId) -> Option<Token> {
        let terminal = self.known_terminal(id)?;
        let speaks = |token: &Token| {
            let attachment = self.attached(*token);
            attachment.is_some_and(Attachment::answers)
        };
        let last = terminal.typists.iter().rev().copied();
        terminal.leader.into_iter().chain(last).find(speaks)
    }

    /// A client came, typed or changed its size: it leads, if it may.
    pub(super) fn take_the_floor(&mut self, id: ProcessId, token: Token) {
        let types = |attachment: &Attachment| attachment.role == Role::Typist;
        if !self.attached(token).is_some_and(types) {
            return;
        }
        let Ok(terminal) = self.terminal(id) else {
            return;
        };
        terminal.typists.retain(|&other| other != token);
        terminal.typists.push(token);
        self.elect(id);
    }

    /// Takes a client that has gone from the terminal it was at.
    pub(super) fn leave_terminal(&mut self, token: Token, id: ProcessId) {
        self.unpace(token);
        let outlet = self.outlets.get_mut(&id);
        let Some(terminal) = outlet.and_then(|outlet| outlet.terminal.as_deref_mut()) else {
            return;
        };
        terminal.viewers.retain(|&other| other != token);
        terminal.typists.retain(|&other| other != token);
        if terminal.viewers.is_empty() {
            self.attended.remove(&id);
        }
        self.elect(id);
    }

    /// The last of those with a size to offer leads, and the terminal has that size.
    fn elect(&mut self, id: ProcessId) {
        let offer = |token: &Token| Some((*token, self.attached(*token)?.offered_size()?));
        let terminal = self.known_terminal(id);
        let leader = terminal.and_then(|terminal| terminal.typists.iter().rev().find_map(offer));
        let Ok(terminal) = self.terminal(id) else {
            return;
        };
        let before = std::mem::replace(&mut terminal.leader, leader.map(|(token, _)| token));
        let cells = terminal.cells();
        if let Some((token, size)) = leader
            && let Some(window) = terminal.fit(size)
        {
            let moves = terminal.cells() != cells;
            self.set_window(id, window);
            if moves {
                let resized = before.filter(|&led| led == token);
                self.show_anew(id, |other, _| Some(other) != resized);
            }
        }
    }

    /// Terminals with more rows than the screen scroll these alone from now on.
    pub(super) fn show_anew_to_taller(&mut self, id: ProcessId) {
        let rows = self.known_terminal(id).map(|terminal| terminal.window.rows);
        self.show_anew(id, |_, viewer| {
            !viewer.plain && Some(viewer.size.rows) > rows
        });
    }

    /// A client's terminal has another size, and what it shows may have moved, or was never right. Where it has led, the
    /// program changed with it.
    pub(super) fn resized(&mut self, id: ProcessId, token: Token) {
        let led = self.leads(id, token);
        self.take_the_floor(id, token);
        if !led {
            self.show_anew(id, |other, _| other == token);
        }
    }

    /// Shows the screen to those of the clients whose terminals are not like it any more: what comes would stand in
    /// wrong places, and not every program draws anew. What the dead have left stays as it was seen.
    fn show_anew(&mut self, id: ProcessId, to: impl Fn(Token, &Attachment) -> bool) {
        if !self.draws(id) {
            return;
        }
        let terminal = self.known_terminal(id);
        let viewers = terminal.map_or(Vec::new(), |terminal| terminal.viewers.clone());
        for token in viewers {
            if let Some(attachment) = self.attachment(token)
                && attachment.has_terminal()
                && to(token, attachment)
            {
                attachment.want_screen();
            }
        }
    }

    /// Whether the process runs, at a terminal.
    fn draws(&self, id: ProcessId) -> bool {
        let process = self.core.process(id);
        process
            .is_some_and(|process| process.pid().is_some() && process.spec.launch.tty != Tty::None)
    }

    pub(super) fn known_terminal(&self, id: ProcessId) -> Option<&Terminal> {
        self.outlets.get(&id)?.terminal.as_deref()
    }

    pub(super) fn attached(&self, token: Token) -> Option<&Attachment> {
        self.clients.get(&token)?.attachment.as_ref()
    }
}
