//! What goes into the terminals of processes: keys, sizes, and answers to what programs ask their terminal.

use std::os::fd::AsFd;

use mio::Token;
use nix::errno::Errno;
use shared::tracker::Query;

use crate::child::pty::{self, Window};
use crate::control::attach::Attachment;
use crate::control::reports::{Cursor, Held};
use crate::core::ProcessId;
use crate::limits::{
    ATTACH_PACE_LEN, ATTACH_PACE_MS, CURSOR_REPORT_MS, REPORT_BEGUN_MS, TYPED_LEN_MAX,
};

use super::Reactor;
use super::sources::Source;
use super::terminal::Terminal;

impl Terminal {
    /// Whether more may be typed.
    pub(super) fn has_room(&self) -> bool {
        self.typed.len() < TYPED_LEN_MAX
    }
}

impl Reactor {
    /// Our end of the terminal that a process has now.
    fn master(&self, id: ProcessId) -> Option<Token> {
        let pid = self.core.process(id)?.pid()?;
        let outputs = &self.children.get(&pid.0)?.outputs;
        let is_terminal = |token: &Token| matches!(self.sources.get(*token), Some(Source::Output(output)) if output.terminal.is_some());
        outputs.iter().copied().find(is_terminal)
    }

    /// Whether something typed would reach anybody.
    pub(super) fn has_terminal(&self, id: ProcessId) -> bool {
        self.master(id).is_some()
    }

    /// Types into the terminal of a process; without one it goes nowhere. Says how much was taken.
    pub(super) fn type_in(&mut self, id: ProcessId, bytes: &[u8]) -> usize {
        if self.master(id).is_none() {
            return 0;
        }
        let Ok(terminal) = self.terminal(id) else {
            return 0;
        };
        // What came while there was room is taken whole.
        let room = (TYPED_LEN_MAX * 2).saturating_sub(terminal.typed.len());
        let taken = bytes.len().min(room);
        terminal.typed.extend(&bytes[..taken]);
        self.flush_typed(id);
        taken
    }

    /// Hands over what the terminal takes at once. What is left is tried again when it takes more.
    pub(super) fn flush_typed(&mut self, id: ProcessId) {
        let Some(token) = self.master(id) else { return };
        let Some(terminal) = self
            .outlets
            .get_mut(&id)
            .and_then(|outlet| outlet.terminal.as_deref_mut())
        else {
            return;
        };
        if terminal.typed.is_empty() {
            return;
        }
        let had_room = terminal.has_room();
        let Some(Source::Output(output)) = self.sources.get(token) else {
            return;
        };
        let mut full = false;
        while !terminal.typed.is_empty() && !full {
            let (front, _) = terminal.typed.as_slices();
            match nix::unistd::write(output.fd.as_fd(), front) {
                Ok(n) => drop(terminal.typed.drain(..n)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => full = true,
                // Nobody has the terminal open: nobody will read it.
                Err(_) => terminal.typed.clear(),
            }
        }
        self.sources.want_room(token, full);
        if !had_room {
            self.readmit(id);
        }
    }

    /// A process is dead: what was typed was for it.
    pub(super) fn forget_typed(&mut self, id: ProcessId) {
        let outlet = self.outlets.get_mut(&id);
        let Some(terminal) = outlet.and_then(|outlet| outlet.terminal.as_deref_mut()) else {
            return;
        };
        let had_room = terminal.has_room();
        terminal.typed.clear();
        if !had_room {
            self.readmit(id);
        }
    }

    /// There may be room again, or somebody who reads: who was held back goes on.
    pub(super) fn readmit(&mut self, id: ProcessId) {
        // Where nobody ever looked there is none, and none is made for those who are not there.
        if let Some(terminal) = self.known_terminal(id)
            && terminal.has_room()
        {
            let viewers = terminal.viewers.clone();
            self.debts.clients.extend(viewers);
        }
    }

    /// Sets the size of a process's terminal; the kernel tells the program.
    pub(super) fn set_window(&mut self, id: ProcessId, window: Window) {
        let Some(token) = self.master(id) else { return };
        if let Some(Source::Output(output)) = self.sources.get(token) {
            // A terminal that nobody has open needs no size.
            let _ = pty::resize(output.fd.as_fd(), window);
        }
    }

    /// What a program asked its terminal is answered by us while nobody is there whose terminal would. One that is
    /// behind does not see the question.
    pub(super) fn answer_queries(&mut self, id: ProcessId, queries: Vec<Query>) {
        let now = self.now;
        if queries.contains(&Query::Cursor)
            && let Ok(terminal) = self.terminal(id)
        {
            terminal.cursor_asked_at = Some(now);
        }
        if queries.is_empty() {
            return;
        }
        let speaker = self.speaker(id);
        if let Some(attachment) = speaker.and_then(|token| self.attachment(token))
            && !attachment.is_behind()
        {
            return attachment.note_asked(&queries);
        }
        self.answer_dropped(id);
        self.answer_all(id, &queries);
    }

    /// Answers what was on its way to a client whose terminal would have answered, and was dropped.
    pub(super) fn answer_dropped(&mut self, id: ProcessId) {
        let Ok(terminal) = self.terminal(id) else {
            return;
        };
        for token in terminal.viewers.clone() {
            let attachment = self.attachment(token);
            let unanswered = attachment.map(Attachment::take_unanswered);
            self.answer_all(id, &unanswered.unwrap_or_default());
        }
    }

    fn answer_all(&mut self, id: ProcessId, queries: &[Query]) {
        if queries.is_empty() {
            return;
        }
        if let Ok(terminal) = self.terminal(id) {
            let answers = terminal.screen.answers(queries);
            self.type_in(id, &answers);
        }
    }

    /// What a client has sent, without what its terminal says of itself unless that one speaks for all. What comes
    /// from no terminal is all typed.
    pub(super) fn without_reports(
        &mut self,
        token: Token,
        id: ProcessId,
        typed: Vec<u8>,
    ) -> Vec<u8> {
        let now = self.now;
        let speaks = self.leads(id, token) || self.speaker(id) == Some(token);
        let asked_at = self
            .terminal(id)
            .ok()
            .and_then(|terminal| terminal.cursor_asked_at);
        let is_due = asked_at.is_some_and(|at| now.since(at) < CURSOR_REPORT_MS);
        let cursor = if is_due {
            Cursor::Asked
        } else {
            Cursor::NotAsked
        };
        let Some(attachment) = self.attachment(token) else {
            return Vec::new();
        };
        if speaks || attachment.piped {
            attachment.held_until = None;
            let mut all = attachment.reports.release();
            all.extend(typed);
            return all;
        }
        let (bytes, held) = attachment.reports.sift(&typed, cursor);
        attachment.held_until = match held {
            Held::Nothing => None,
            Held::Anew => Some(now.after(REPORT_BEGUN_MS)),
            // Who goes on typing does not wait for himself.
            Held::Still => attachment.held_until,
        };
        bytes
    }

    /// What was held back because it might have been a terminal's word was typed, if nothing came after it.
    pub(super) fn release_typed(&mut self, token: Token, id: ProcessId) {
        let now = self.now;
        let Some(attachment) = self.attachment(token) else {
            return;
        };
        if attachment.held_until.is_none_or(|at| at > now) {
            return;
        }
        attachment.held_until = None;
        let bytes = attachment.reports.release();
        self.take_the_floor(id, token);
        self.type_in(id, &bytes);
    }

    /// Whether the reading of `output` waits a moment for a client that reads but cannot keep up. The moment is
    /// short, and whoever uses it up falls behind: the process waits for nobody who does not read.
    pub(super) fn is_paced(&mut self, output: Token) -> bool {
        if self.paced.contains_key(&output) {
            return true;
        }
        let Some(Source::Output(super::sources::Output { id, .. })) = self.sources.get(output)
        else {
            return false;
        };
        let Some(terminal) = self.known_terminal(*id) else {
            return false;
        };
        let slow = terminal.viewers.iter().copied().find(|token| {
            let attachment = self
                .clients
                .get(token)
                .and_then(|client| client.attachment.as_ref());
            attachment.is_some_and(Attachment::is_slow)
        });
        let Some(viewer) = slow else { return false };
        self.paced
            .insert(output, (viewer, self.now.after(ATTACH_PACE_MS)));
        true
    }

    /// A client has read: the outputs that waited for it go on.
    pub(super) fn unpace(&mut self, viewer: Token) {
        let attachment = self.attachment(viewer);
        let still = |attachment: &mut Attachment| {
            !attachment.is_behind() && attachment.queued() > ATTACH_PACE_LEN / 2
        };
        if attachment.is_some_and(still) {
            return;
        }
        let waited: Vec<Token> = self
            .paced
            .iter()
            .filter(|(_, (who, _))| *who == viewer)
            .map(|(&output, _)| output)
            .collect();
        for output in waited {
            self.paced.remove(&output);
            self.debts.outputs.insert(output);
        }
    }

    /// Clients that have used up the moment that was waited for them.
    pub(super) fn end_pacing(&mut self) {
        let now = self.now;
        let late: Vec<(Token, Token)> = self
            .paced
            .iter()
            .filter(|(_, (_, at))| *at <= now)
            .map(|(&output, &(viewer, _))| (output, viewer))
            .collect();
        for (output, viewer) in late {
            self.paced.remove(&output);
            self.debts.outputs.insert(output);
            // What it has read while we were not looking counts.
            if let Some(client) = self.clients.get_mut(&viewer) {
                let _ = client.flush(now);
            }
            if let Some(attachment) = self.attachment(viewer)
                && attachment.is_slow()
            {
                attachment.fall_behind(now, 0);
            }
        }
    }
}
