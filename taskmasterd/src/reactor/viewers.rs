//! What attached clients are shown: the screen, what is written to it, ends and beginnings of the process. And who
//! they are, for those who ask.

use mio::Token;
use shared::api::{Exited, Status, Stream, Viewer};
use shared::frame::Frame;
use shared::state::State;

use crate::child::pty;
use crate::config::model::Tty;
use crate::control::attach::{Attachment, Role};
use crate::control::outgoing::Wire;
use crate::control::told::{StateNews, Told};
use crate::core::{Mono, Process, ProcessId};
use crate::limits::{REDRAW_INTERVAL_MS, SCREENS_PER_TURN, TAIL_LEN_MAX};
use crate::screen::harmless;

use super::Reactor;
use super::attach::{start_failure, told};
use super::outlets::{Channel, Outlet};
use super::sources::{Output, Source};

/// How much of a process without a terminal a client is shown on arrival, in bytes: a screenful and some.
const SHOWN_OF_PIPE: usize = 4096;

/// The last lines of both streams of a process without a terminal, errors first: what comes next goes on where its
/// output ends. `history` more lines of each come before them.
fn last_lines(outlet: &Outlet, history: usize) -> Vec<u8> {
    let mut shown = last_lines_of(&outlet.stderr, history);
    if !shown.is_empty() {
        let begun = !shown.ends_with(b"\n");
        shown.extend_from_slice(if begun { b"\x1b[m\n" } else { b"\x1b[m" });
    }
    shown.append(&mut last_lines_of(&outlet.stdout, history));
    shown
}

/// The last lines of output that went through a pipe, without what would make a terminal do more than show them.
fn last_lines_of(channel: &Channel, history: usize) -> Vec<u8> {
    let len = if history > 0 {
        TAIL_LEN_MAX
    } else {
        SHOWN_OF_PIPE
    };
    let (bytes, more) = channel.tail(len).unwrap_or_default();
    let start = memchr::memchr(b'\n', &bytes).filter(|_| more);
    let bytes = &bytes[start.map_or(0, |end| end + 1)..];
    let above = bytes.len().saturating_sub(SHOWN_OF_PIPE);
    let above = memchr::memchr(b'\n', &bytes[above..]).map_or(0, |end| match above {
        0 => 0,
        above => above + end + 1,
    });
    let start = memchr::memrchr_iter(b'\n', &bytes[..above]).nth(history);
    harmless(&bytes[start.map_or(0, |end| end + 1)..])
}

impl Reactor {
    /// Says who is attached to the processes of an answer, which are sorted.
    pub(super) fn add_viewers(&self, status: &mut Status) {
        for &id in &self.attended {
            let Some(process) = self.core.process(id) else {
                continue;
            };
            let place = (process.name.program.as_str(), process.name.index);
            let rows = &mut status.processes;
            let row = rows.binary_search_by_key(&place, |row| (&row.program, row.index));
            if let Ok(row) = row {
                rows[row].attached = self.viewers_of(id);
            }
        }
    }

    fn viewers_of(&self, id: ProcessId) -> Vec<Viewer> {
        let terminal = self.known_terminal(id);
        let tokens = terminal.map_or(&[][..], |terminal| &terminal.viewers);
        let viewers = tokens.iter().map(|token| self.viewer(*token));
        viewers.flatten().collect()
    }

    fn viewer(&self, token: Token) -> Option<Viewer> {
        let client = self.clients.get(&token)?;
        let attachment = client.attachment.as_ref()?;
        Some(Viewer {
            uid: client.peer.uid,
            user: None,
            pid: client.peer.pid,
            rows: attachment.size.rows,
            cols: attachment.size.cols,
            term: attachment.term.clone(),
            read_only: attachment.role == Role::Watcher,
            leader: self.leads(attachment.id, token),
            since: attachment.since,
        })
    }

    /// Paints the whole screen for one client.
    pub(super) fn show_screen(&mut self, token: Token) {
        let Some(attachment) = self.attachment(token) else {
            return;
        };
        let id = attachment.id;
        let history = std::mem::take(&mut attachment.history) as usize;
        let (plain, rows) = (attachment.plain, attachment.size.rows);
        let Some(process) = self.core.process(id) else {
            return;
        };
        let Some(outlet) = self.outlets.get_mut(&id) else {
            return;
        };
        let (bytes, incomplete) = if process.spec.launch.tty == Tty::None {
            (last_lines(outlet, history), false)
        } else {
            let screen = &mut outlet.terminal().screen;
            let snapshot = match plain {
                true => screen.bounded_plain_snapshot(history),
                false => screen.bounded_snapshot(history, rows),
            };
            (snapshot.bytes, snapshot.incomplete)
        };
        if let Some(attachment) = self.attachment(token) {
            attachment.paint(bytes);
        }
        if incomplete {
            self.ask_to_redraw(id);
        }
        self.dirty.insert(token);
    }

    /// Programs redraw when their terminal changes its size, if they still find it changed when they look. What they
    /// draw from now on is the screen.
    fn ask_to_redraw(&mut self, id: ProcessId) {
        if !self.has_pid(id) || self.redrawing.contains_key(&id) {
            return;
        }
        let Ok(terminal) = self.terminal(id) else {
            return;
        };
        let window = terminal.window;
        terminal.screen.resize(window.rows, window.cols);
        let smaller = pty::Window {
            rows: window.rows.saturating_sub(1).max(1),
            ..window
        };
        self.set_window(id, smaller);
        self.redrawing
            .insert(id, self.now.after(REDRAW_INTERVAL_MS));
    }

    /// Gives those their size back who have had the time to look.
    fn end_redrawing(&mut self) {
        let now = self.now;
        for (id, _) in self
            .redrawing
            .extract_if(.., |_, until| *until <= now)
            .collect::<Vec<_>>()
        {
            if let Ok(terminal) = self.terminal(id) {
                let window = terminal.window;
                self.set_window(id, window);
            }
        }
    }

    /// What a process wrote, for all who are in front of it; `raw` is as its terminal has it.
    pub(super) fn show(&mut self, id: ProcessId, stream: Stream, raw: &[u8]) {
        let now = self.now;
        let Some(outlet) = self.outlets.get(&id) else {
            return;
        };
        let Some(terminal) = outlet.terminal.as_deref().filter(|_| !raw.is_empty()) else {
            return;
        };
        if terminal.viewers.is_empty() {
            return;
        }
        let wire = Wire::new(match stream {
            Stream::Stdout => Frame::output_to_bytes(raw),
            Stream::Stderr => Frame::stderr_to_bytes(raw),
        });
        for token in terminal.viewers.clone() {
            self.tell_state(token, id);
            let Some(client) = self.clients.get_mut(&token) else {
                continue;
            };
            let Some(attachment) = &mut client.attachment else {
                continue;
            };
            attachment.show(&wire, raw.len(), now);
            // At once: the next read of a flood must not find the queue of this one.
            if client.flush(now).is_err() {
                self.see_off(token);
            } else if client.has_unsent() {
                self.dirty.insert(token);
            }
        }
    }

    /// When a client is to be shown the screen, what it typed is not to be held back any longer, or a terminal is to
    /// have its size back.
    pub(super) fn viewers_deadline(&self) -> Option<Mono> {
        let tokens = self
            .attended
            .iter()
            .filter_map(|&id| self.known_terminal(id));
        let tokens = tokens.flat_map(|terminal| &terminal.viewers);
        let attachments = tokens.filter_map(|token| self.clients.get(token)?.attachment.as_ref());
        let due = |attachment: &Attachment| {
            let screen = attachment.screen_due_at();
            screen.into_iter().chain(attachment.held_until).min()
        };
        let redrawn = self.redrawing.values().copied();
        attachments.filter_map(due).chain(redrawn).min()
    }

    /// Tells attached clients of ends and beginnings and who leads, and shows the screen to those that were behind
    /// or asked for it, to a few in a turn: those who have waited longest. The others stay due.
    pub(super) fn tell_attached(&mut self) {
        self.end_redrawing();
        let mut due = Vec::new();
        for id in self.attended.clone() {
            let Ok(terminal) = self.terminal(id) else {
                continue;
            };
            for token in terminal.viewers.clone() {
                self.release_typed(token, id);
                if let Some(since) = self.screen_due_since(token) {
                    due.push((since, token, id));
                } else {
                    self.tell_state(token, id);
                    self.tell_leader(token, id);
                }
            }
        }
        due.sort_unstable();
        for (_, token, id) in due.into_iter().take(SCREENS_PER_TURN) {
            self.catch_up(token, id);
        }
        for id in self.attended.clone() {
            self.answer_dropped(id);
        }
    }

    /// Since when a client is to be shown the screen, if it is now.
    fn screen_due_since(&mut self, token: Token) -> Option<Mono> {
        let now = self.now;
        let attachment = self.attachment(token)?;
        attachment.screen_due_at().filter(|&at| at <= now)
    }

    /// Shows a client the screen and how things stand; if it has missed something it is told how much.
    fn catch_up(&mut self, token: Token, id: ProcessId) {
        let now = self.now;
        let Some(attachment) = self.attachment(token) else {
            return;
        };
        attachment.catch_up(now);
        let runs = self.has_pid(id);
        // What the dead have left is seen before their end is told, what the living show after their birth is.
        if !runs {
            self.show_screen(token);
        }
        self.tell_state(token, id);
        self.tell_leader(token, id);
        if runs {
            self.show_screen(token);
        }
    }

    fn has_pid(&self, id: ProcessId) -> bool {
        let process = self.core.process(id);
        process.is_some_and(|process| process.pid().is_some())
    }

    fn tell_leader(&mut self, token: Token, id: ProcessId) {
        let (now, leads) = (self.now, self.leads(id, token));
        let Some(attachment) = self.attachment(token) else {
            return;
        };
        if attachment.leads_told == Some(leads) || attachment.is_behind() {
            return;
        }
        attachment.leads_told = Some(leads);
        attachment.tell(&Frame::Leader(leads), now);
        self.dirty.insert(token);
    }

    /// Whether what a process has started is its program by now, as far as we have heard.
    fn is_its_program(&self, process: &Process) -> bool {
        let incarnation = process.pid().and_then(|pid| self.children.get(&pid.0));
        let becomes = incarnation.is_some_and(|incarnation| incarnation.exec_status.is_some());
        !becomes && !process.never_ran()
    }

    /// Whether nobody sits at the terminal of a process that has one when it runs.
    pub(super) fn awaits_its_program(&self, id: ProcessId) -> bool {
        self.core.process(id).is_some_and(|process| {
            let runs = process.pid().is_some() && self.is_its_program(process);
            !runs && process.spec.launch.tty != Tty::None
        })
    }

    /// Looks whether the process that has written to `output` has become its program: that comes before what the
    /// program wrote, and is to be told before it.
    pub(super) fn hear_beginning(&mut self, output: Token) {
        let Some(Source::Output(Output { pid, .. })) = self.sources.get(output) else {
            return;
        };
        let incarnation = self.children.get(&pid.0);
        if let Some(exec_status) = incarnation.and_then(|incarnation| incarnation.exec_status) {
            self.debts.exec_status.insert(exec_status);
            self.take_in_exec_status();
            self.settle();
        }
    }

    /// Tells attached clients how it stands with a process. One that began and ended in one turn had begun.
    pub(super) fn tell_state_to_all(&mut self, id: ProcessId) {
        let terminal = self.known_terminal(id);
        let viewers = terminal.map_or(Vec::new(), |terminal| terminal.viewers.clone());
        for token in viewers {
            self.tell_state(token, id);
        }
    }

    fn tell_state(&mut self, token: Token, id: ProcessId) {
        let Some(process) = self.core.process(id) else {
            return;
        };
        let Some(attachment) = self.attached(token) else {
            return;
        };
        let (now, is) = (self.now, told(process));
        // What may yet fail to become its program has not begun.
        let is_known = attachment
            .knowledge
            .told
            .is_some_and(|was| was.pid == is.pid);
        let began = is_known || self.is_its_program(process);
        let told = Told {
            pid: is.pid.filter(|_| began),
            ..is
        };
        // So it is with nearly all output.
        if attachment.knows(told) {
            return;
        }
        let news = StateNews {
            told,
            rises: is.state == State::Starting || is.pid.is_some(),
            tty: process.spec.launch.tty,
            ended: Exited {
                exit: process.exit,
                state: is.state,
                retry_in_ms: process.next_start().map(|at| at.since(now)),
                gone: false,
                reason: start_failure(process),
                starts: process.starts,
            },
            ended_at: process.ended,
        };
        if let Some(attachment) = self.attachment(token) {
            attachment.tell_state(news, now);
            self.dirty.insert(token);
        }
    }
}
