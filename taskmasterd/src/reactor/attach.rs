//! Clients at the terminals of processes: what is typed goes in, what is written comes out, and when the process
//! ends they stay for the next one.

use mio::Token;
use serde_json::Value;
use shared::api::{ATTACH_VERSION, AttachParams, Attached, Exited, TERM_LEN_MAX};
use shared::event::{Arrival, Cause, Departure, EventKind, Parting};
use shared::frame::Frame;
use shared::rpc::{RpcError, code};
use shared::state::{Exit, State};

use crate::control::attach::{Attachment, ReadEnd, Role};
use crate::control::methods::to_value;
use crate::control::peer::Peer;
use crate::control::told::Told;
use crate::core::{Process, ProcessId};
use crate::limits::{REQUESTS_PER_TURN, VIEWERS_MAX};

use super::Reactor;
use super::terminal::Terminal;

/// Why a client is attached no more.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// It left, or is not there any more.
    Left,
    /// This one wanted the terminal for itself.
    TakenOver(Peer),
    /// The process left the configuration.
    Removed,
    /// The daemon stops.
    DaemonStopped,
    /// This is wrong with what it sent.
    Broken(String),
}

impl End {
    /// As the client is told.
    fn reason(&self) -> String {
        match self {
            Self::Left => "it left".into(),
            Self::TakenOver(by) => format!("uid {} took over", by.uid),
            Self::Removed => "it is not in the configuration any more".into(),
            Self::DaemonStopped => "the daemon has stopped".into(),
            Self::Broken(text) => text.clone(),
        }
    }

    /// As the log is.
    fn parting(&self) -> Parting {
        match self {
            Self::Left => Parting::Left,
            Self::TakenOver(_) => Parting::TakenOver,
            Self::Removed => Parting::Removed,
            Self::DaemonStopped => Parting::DaemonStopped,
            Self::Broken(_) => Parting::Broken,
        }
    }
}

impl Reactor {
    /// Attaches a client; the answer is for the reactor to send before anything else.
    pub(super) fn attach(
        &mut self,
        token: Token,
        id: ProcessId,
        params: &AttachParams,
    ) -> Result<Value, RpcError> {
        check(params)?;
        let client = self.clients.get(&token);
        let client =
            client.ok_or_else(|| RpcError::new(code::INTERNAL_ERROR, "the client has gone"))?;
        // What it follows would come between the frames.
        if client.follows.is_some() {
            let message = "this connection follows a stream; attach on another";
            return Err(RpcError::new(code::BUSY, message));
        }
        let peer = client.peer;
        if params.steal {
            for other in self.terminal(id)?.viewers.clone() {
                self.dismiss(other, &[], &End::TakenOver(peer));
            }
        }
        let others = self.terminal(id)?.viewers.len();
        if others >= VIEWERS_MAX {
            let message = format!("{VIEWERS_MAX} clients are attached already");
            return Err(RpcError::new(code::BUSY, message));
        }
        self.sit_down(token, id, params);
        let process = self.core.process(id).ok_or_else(no_such_process)?;
        to_value(&Attached {
            version: ATTACH_VERSION,
            name: process.shown(),
            tty: process.spec.launch.tty,
            pid: process.pid().map(|pid| pid.0),
            state: process.shown_state(),
            exit: process.exit,
            retry_in_ms: process.next_start().map(|at| at.since(self.now)),
            reason: start_failure(process),
            starts: process.starts,
            leader: self.leads(id, token),
            others: u32::try_from(others).unwrap_or(u32::MAX),
        })
    }

    /// From here on the client is one of those at the terminal.
    fn sit_down(&mut self, token: Token, id: ProcessId, params: &AttachParams) {
        let since = self.unix_ms;
        let (Some(process), Some(client)) = (self.core.process(id), self.clients.get_mut(&token))
        else {
            return;
        };
        let (name, exit) = (process.shown(), process.exit);
        client.become_attached(id, name, params, since);
        // The others are shown the screen in its size; itself it is when it is welcome, if it wants to.
        self.take_the_floor(id, token);
        if let Ok(terminal) = self.terminal(id) {
            terminal.viewers.push(token);
            terminal.exit = exit;
        }
        self.attended.insert(id);
        self.announce_attachment(token);
    }

    fn announce_attachment(&mut self, token: Token) {
        let Some(client) = self.clients.get(&token) else {
            return;
        };
        let Some(attachment) = &client.attachment else {
            return;
        };
        let kind = EventKind::Attached(Arrival {
            process: attachment.name.clone(),
            read_only: attachment.role == Role::Watcher,
            rows: attachment.size.rows,
            cols: attachment.size.cols,
            term: attachment.term.clone(),
        });
        let cause = client.peer.cause();
        self.tell(kind, cause);
    }

    /// What an attached client is shown first, after the answer.
    pub(super) fn welcome(&mut self, token: Token, replay: bool) {
        let Some(attachment) = self.attachment(token) else {
            return;
        };
        let id = attachment.id;
        if replay {
            self.show_screen(token);
        }
        let told = self.core.process(id).map(told);
        let leads = self.leads(id, token);
        if let Some(attachment) = self.attachment(token) {
            // The answer said it already.
            attachment.knowledge.told = told;
            // It comes with the first screen, and later ones find it there.
            attachment.history = 0;
            attachment.leads_told = Some(leads);
        }
        self.dirty.insert(token);
    }

    /// A few frames of an attached client.
    pub(super) fn serve_attached(&mut self, token: Token) {
        let now = self.now;
        let Some(client) = self.clients.get_mut(&token) else {
            return;
        };
        let broken = client.flush(now).is_err();
        self.dirty.insert(token);
        // Frames are not looked at before the answer is out.
        if client.owes_answer() && !broken && !client.has_left {
            return;
        }
        self.unpace(token);
        // What was typed before the end still counts.
        let Some(end) = self.hear(token) else {
            return;
        };
        let end = if broken { ReadEnd::Closed } else { end };
        for _ in 0..REQUESTS_PER_TURN {
            let Some(attachment) = self.attachment(token) else {
                return;
            };
            let id = attachment.id;
            match attachment.next_frame() {
                Ok(Some(Frame::Detach)) => return self.see_off(token),
                Ok(Some(Frame::Input(bytes))) if self.must_wait(token, id) => {
                    return self.hold_back(token, bytes);
                }
                Ok(Some(frame)) => self.take_frame(token, id, frame),
                Ok(None) => match end {
                    ReadEnd::Empty => return,
                    ReadEnd::Enough => break,
                    ReadEnd::Closed => return self.see_off(token),
                },
                Err(error) => return self.refuse_frames(token, error.to_string()),
            }
        }
        self.debts.clients.insert(token);
    }

    fn hear(&mut self, token: Token) -> Option<ReadEnd> {
        let client = self.clients.get_mut(&token)?;
        let attachment = client.attachment.as_mut()?;
        let end = attachment.read(&mut client.stream, client.is_ending);
        Some(end.unwrap_or(ReadEnd::Closed))
    }

    /// Whether what a client types has nowhere to go for now. Who sits at a keyboard sees that nobody is there to read
    /// it; what is piped in waits for the next start.
    fn must_wait(&mut self, token: Token, id: ProcessId) -> bool {
        let Some(attachment) = self.attachment(token) else {
            return false;
        };
        let piped = attachment.piped;
        attachment.role == Role::Typist
            && ((piped && self.awaits_its_program(id))
                || !self.terminal(id).is_ok_and(|terminal| terminal.has_room()))
    }

    /// Whoever types waits, with all that he sends behind it; who has left does not wait.
    fn hold_back(&mut self, token: Token, typed: Vec<u8>) {
        if let Some(attachment) = self.attachment(token) {
            attachment.hold_back(typed);
        }
        if self
            .clients
            .get(&token)
            .is_some_and(|client| client.has_left)
        {
            self.see_off(token);
        }
    }

    fn take_frame(&mut self, token: Token, id: ProcessId, frame: Frame) {
        let now = self.now;
        let Some(attachment) = self.attachment(token) else {
            return;
        };
        match frame {
            Frame::Input(_) if attachment.role == Role::Watcher => attachment.refuse_input(now),
            Frame::Input(bytes) => self.type_as(token, id, bytes),
            Frame::Resize(size) => {
                attachment.size = size;
                self.resized(id, token);
            }
            Frame::Redraw => attachment.want_screen(),
            // The rest is the daemon's to say.
            frame @ (Frame::Detach
            | Frame::Snapshot(_)
            | Frame::Output(_)
            | Frame::Stderr(_)
            | Frame::Skipped(_)
            | Frame::Leader(_)
            | Frame::Exited(_)
            | Frame::Restarted(_)
            | Frame::Detached(_)
            | Frame::Error(_)) => {
                let text = format!("{} is not for a client to send", frame.name());
                self.refuse_frames(token, text);
            }
        }
    }

    /// What a client sends is not what clients send.
    fn refuse_frames(&mut self, token: Token, why: String) {
        let error = Frame::Error(why.clone());
        self.dismiss(token, &[error], &End::Broken(why));
    }

    /// Types for a client. If its terminal is not the one that answers, that one's words about itself are left out;
    /// what remains was typed by somebody, who has the floor then.
    fn type_as(&mut self, token: Token, id: ProcessId, mut bytes: Vec<u8>) {
        bytes = self.without_reports(token, id, bytes);
        if !bytes.is_empty() && !self.leads(id, token) {
            self.take_the_floor(id, token);
        }
        self.type_in(id, &bytes);
    }

    /// Ends an attachment. The client is told why, behind what is on its way to it, and has some time to read it.
    pub(super) fn dismiss(&mut self, token: Token, before: &[Frame], end: &End) {
        let now = self.now;
        let Some(client) = self.clients.get_mut(&token) else {
            return;
        };
        let detached = Frame::Detached(end.reason());
        let last_words = [before, &[detached]].concat();
        let Some(attachment) = client.dismiss(&last_words, now) else {
            return;
        };
        let peer = client.peer;
        // What is unread would break the connection before the client has read.
        self.debts.clients.insert(token);
        self.dirty.insert(token);
        self.part(token, &attachment, peer, end);
    }

    /// A client is not attached any more.
    pub(super) fn part(&mut self, token: Token, attachment: &Attachment, peer: Peer, end: &End) {
        self.leave_terminal(token, attachment.id);
        let process = self.core.process(attachment.id).map(Process::shown);
        let departure = Departure {
            process: process.unwrap_or_else(|| attachment.name.clone()),
            uid: peer.uid,
            pid: peer.pid,
            reason: end.parting(),
        };
        let cause = match end {
            End::Left | End::Broken(_) => peer.cause(),
            End::TakenOver(by) => by.cause(),
            End::Removed | End::DaemonStopped => Cause::Policy,
        };
        self.tell(EventKind::Detached(departure), cause);
    }

    /// The process is no more: so are its attachments.
    pub(super) fn dismiss_viewers(&mut self, viewers: &[Token], exit: Option<Exit>, end: &End) {
        for &token in viewers {
            let attachment = self.attached(token);
            let told = attachment.and_then(|attachment| attachment.knowledge.told);
            let gone = Frame::Exited(Exited {
                exit,
                state: State::Stopped,
                retry_in_ms: None,
                gone: true,
                reason: None,
                starts: told.map_or(0, |told| told.starts),
            });
            self.dismiss(token, &[gone], end);
        }
    }

    pub(super) fn attachment(&mut self, token: Token) -> Option<&mut Attachment> {
        self.clients.get_mut(&token)?.attachment.as_mut()
    }

    /// The terminal of a process, made if nobody has looked at it yet.
    pub(super) fn terminal(&mut self, id: ProcessId) -> Result<&mut Terminal, RpcError> {
        let outlet = self.outlet(id).ok_or_else(no_such_process)?;
        Ok(outlet.terminal())
    }
}

/// Whether a client may ask for this.
fn check(params: &AttachParams) -> Result<(), RpcError> {
    if params.version != ATTACH_VERSION {
        let message = format!(
            "attach: version {} of the frames is not spoken here, {ATTACH_VERSION} is; \
             use the taskmasterctl of this daemon",
            params.version
        );
        return Err(RpcError::new(code::ATTACH_VERSION, message));
    }
    let wrong = if params.term.len() > TERM_LEN_MAX {
        format!("term: more than {TERM_LEN_MAX} bytes")
    } else if params.read_only && params.steal {
        "steal: who only looks detaches nobody; leave out read_only or steal".into()
    } else {
        return Ok(());
    };
    let message = format!("attach: {wrong}");
    Err(RpcError::new(code::INVALID_PARAMS, message))
}

pub(super) fn no_such_process() -> RpcError {
    RpcError::new(code::NO_SUCH_PROCESS, "no such process")
}

pub(super) fn told(process: &Process) -> Told {
    Told {
        pid: process.pid().map(|pid| pid.0),
        state: process.shown_state(),
        starts: process.starts,
        next_start: process.next_start(),
    }
}

/// Why a process could not be started, if that is why it does not run: the kernel has a number for it. What began and
/// ended has its exit for a reason.
pub(super) fn start_failure(process: &Process) -> Option<String> {
    match process.shown_state() {
        State::Backoff | State::Fatal => {
            let failure = process.failure.as_ref();
            let failure = failure.filter(|failure| failure.errno != 0);
            failure.map(|failure| failure.reason.clone())
        }
        State::Stopped
        | State::Starting
        | State::Running
        | State::Stopping
        | State::Exited
        | State::Unknown => None,
    }
}
