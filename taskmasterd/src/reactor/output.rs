//! The output of processes: always read, whoever is slow to take it.

use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mio::Token;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{OutputFlags, Termios, tcgetattr};
use serde_json::json;
use shared::api::{self, Stream};
use shared::rpc::JSONRPC;

use crate::core::{Pid, ProcessId};
use crate::limits::{
    DRAWN_READ_BUDGET, FOLLOWED_CHUNK_LEN, LAST_WORDS_LEN_MAX, READ_BUDGET, READ_RETRY_MS,
};

use super::Reactor;
use super::news::Speaker;
use super::sources::{Output, Source};

/// A terminal that gives less than this at once, in bytes, has given all it had; what comes later is announced.
/// To ask once more would put the kernel's worker between a key and its echo.
const SHORT_READ_LEN: usize = 1024;

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// What was announced.
    News,
    /// All that a dead process has left, of which nothing more is announced.
    LastWords,
}

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// There is no more for now.
    Empty,
    /// There is no more, ever.
    End,
    /// There may be more, but others want their turn.
    Budget,
    /// It cannot be read for now, and nothing will say when it can.
    Trouble,
}

impl Reactor {
    /// A budget's worth from each source that has something, as long as there is time.
    pub(super) fn take_in_output(&mut self) {
        self.debts.wake_outputs(self.now);
        let owed = self.debts.outputs.take();
        let left = self.serve_in_time(owed, |reactor, token, _| reactor.take_in_one(token));
        self.debts.outputs.put_off(left);
    }

    fn take_in_one(&mut self, token: Token) {
        if self.debts.resting.contains_key(&token) {
            return;
        }
        if let Some(Source::Output(Output {
            id,
            terminal: Some(_),
            ..
        })) = self.sources.get(token)
        {
            self.flush_typed(*id);
        }
        if self.is_paced(token) {
            return;
        }
        self.hear_beginning(token);
        match self.read_output(token, Reading::News) {
            Stop::Empty => {}
            Stop::End => self.close_output(token),
            Stop::Budget => self.debts.outputs.insert(token),
            Stop::Trouble => self.let_rest(token),
        }
    }

    /// Nothing is read of it for a moment.
    fn let_rest(&mut self, token: Token) {
        let until = self.now.after(READ_RETRY_MS);
        self.debts.resting.insert(token, until);
    }

    /// Reads all that a dead process has written, before its death is told. What it left behind may go on
    /// writing, and is not waited for.
    pub(super) fn last_words(&mut self, token: Token) {
        let stop = self.read_output(token, Reading::LastWords);
        if let Some(Source::Output(output)) = self.sources.get_mut(token) {
            output.orphaned = true;
        }
        match stop {
            Stop::End => self.close_output(token),
            Stop::Empty | Stop::Budget => {
                self.debts.outputs.insert(token);
            }
            Stop::Trouble => self.let_rest(token),
        }
    }

    fn read_output(&mut self, token: Token, reading: Reading) -> Stop {
        let mut left = self.read_budget(token, reading);
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(READ_BUDGET, 0);
        let stop = loop {
            let Some(Source::Output(output)) = self.sources.get_mut(token) else {
                break Stop::Empty;
            };
            let room = &mut buffer[..left.min(READ_BUDGET)];
            let (filled, stop) = fill(output, reading, room);
            let raw = &buffer[..filled];
            let mut plain = Vec::new();
            let is_terminal = output.terminal.is_some();
            if is_terminal {
                strip(output, raw, stop, &mut plain);
            }
            let (id, pid, stream) = (output.id, output.pid, output.stream);
            let is_drawn = output.is_living_terminal();
            // Who looks on waits for nothing else.
            if !is_terminal || !self.has_new_terminal(id, pid) {
                self.show(id, stream, raw);
            }
            if is_drawn {
                self.draw(id, raw);
            }
            self.deliver(id, pid, stream, if is_terminal { &plain } else { raw });
            left -= filled;
            match stop {
                Some(stop) => break stop,
                None if left == 0 => break Stop::Budget,
                None => {}
            }
        };
        self.buffer = buffer;
        stop
    }

    /// How much to read at once, in bytes. Only of what is drawn along is it little: errors on a pipe of their own are
    /// not, nor is what the dead have left.
    fn read_budget(&self, token: Token, reading: Reading) -> usize {
        let terminal = match self.sources.get(token) {
            Some(Source::Output(output)) if output.is_living_terminal() => {
                self.known_terminal(output.id)
            }
            _ => None,
        };
        match reading {
            Reading::News if terminal.is_some_and(|terminal| terminal.screen.is_drawn()) => {
                DRAWN_READ_BUDGET
            }
            Reading::News => READ_BUDGET,
            Reading::LastWords => LAST_WORDS_LEN_MAX,
        }
    }

    /// Whether a process is at another terminal than the one that `pid` had: what is written to the old one would be
    /// painted over what the new one shows.
    fn has_new_terminal(&self, id: ProcessId, pid: Pid) -> bool {
        let process = self.core.process(id);
        let now = process.and_then(|process| process.pid());
        now.is_some_and(|now| now != pid)
    }

    /// What the terminal of a process shows changes, whether or not somebody looks.
    fn draw(&mut self, id: ProcessId, raw: &[u8]) {
        let mut queries = Vec::new();
        if let Some(outlet) = self.outlets.get_mut(&id).filter(|_| !raw.is_empty()) {
            let screen = &mut outlet.terminal().screen;
            screen.feed(raw, &mut queries);
            if screen.take_unbound() {
                self.show_anew_to_taller(id);
            }
        }
        self.answer_queries(id, queries);
    }

    fn deliver(&mut self, id: ProcessId, pid: Pid, stream: Stream, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let at = self.at();
        let Some(outlet) = self.outlets.get_mut(&id) else {
            return;
        };
        let who = Speaker::of(&self.core, id, pid);
        let channel = outlet.channel(stream);
        channel.write(bytes, at, &mut self.news, &who);
        if channel.followers.is_empty() {
            return;
        }
        for token in channel.followers.clone() {
            self.pass_on(token, &who.shown, stream, bytes);
        }
    }

    /// Queues output for a client that follows it, or counts it as skipped.
    fn pass_on(&mut self, token: Token, shown: &str, stream: Stream, bytes: &[u8]) {
        let Some(client) = self.clients.get_mut(&token) else {
            return;
        };
        for chunk in bytes.chunks(FOLLOWED_CHUNK_LEN) {
            let skipped = client.follows.as_ref().map_or(0, |follow| follow.skipped);
            let behind = skipped > 0 && !client.has_caught_up();
            let message = || {
                let params = api::Output {
                    name: shown.to_owned(),
                    stream,
                    data: STANDARD.encode(chunk),
                    skipped,
                };
                json!({"jsonrpc": JSONRPC, "method": api::OUTPUT, "params": params})
            };
            let queued = !behind && client.offer(chunk.len() * 2, message);
            if let Some(follow) = &mut client.follows {
                follow.skipped = if queued {
                    0
                } else {
                    skipped + chunk.len() as u64
                };
            }
        }
        self.dirty.insert(token);
    }

    /// Nobody can write to it any more, or nobody is to be heard who does.
    pub(super) fn close_output(&mut self, token: Token) {
        let Some(Source::Output(output)) = self.sources.remove(token) else {
            return;
        };
        self.debts.outputs.remove(token);
        self.paced.remove(&token);
        self.debts.resting.remove(&token);
        let at = self.at();
        if let Some(outlet) = self.outlets.get_mut(&output.id) {
            let who = Speaker::of(&self.core, output.id, output.pid);
            outlet
                .channel(output.stream)
                .finish(at, &mut self.news, &who);
        }
    }
}

/// Takes off the carriage returns that the terminal has put on; one that puts none on is left as it is.
fn strip(output: &mut Output, bytes: &[u8], stop: Option<Stop>, plain: &mut Vec<u8>) {
    let Some(stripper) = &mut output.terminal else {
        return;
    };
    // What has no carriage return has none to lose; that spares most output the question.
    let plain_text = memchr::memchr(b'\r', bytes).is_none() && !stripper.holds_back();
    let puts_on = |terminal: Termios| {
        terminal
            .output_flags
            .contains(OutputFlags::OPOST | OutputFlags::ONLCR)
    };
    if plain_text {
        plain.extend_from_slice(bytes);
    } else if tcgetattr(&output.fd).map_or(true, puts_on) {
        stripper.strip(bytes, plain);
    } else {
        stripper.finish(plain);
        plain.extend_from_slice(bytes);
    }
    if stop == Some(Stop::End) {
        stripper.finish(plain);
    }
}

/// Reads until the buffer is full or there is no more. A terminal that nobody has open at the moment is not at
/// its end while its process lives: the process may open it again.
fn fill(output: &Output, reading: Reading, buffer: &mut [u8]) -> (usize, Option<Stop>) {
    // At a terminal that nobody has open the program may sit down again, as long as there is one.
    let end = match reading {
        Reading::News if output.is_living_terminal() => Stop::Empty,
        Reading::News | Reading::LastWords => Stop::End,
    };
    let mut filled = 0;
    while filled < buffer.len() {
        match nix::unistd::read(&output.fd, &mut buffer[filled..]) {
            Ok(0) => return (filled, Some(end)),
            // The kernel looks first for output and then for somebody who may write some; between the two the last
            // one may write and go. Now that all have gone, another look finds everything.
            Err(Errno::EIO) if is_hung_up(output.fd.as_fd()) => {
                match nix::unistd::read(&output.fd, &mut buffer[filled..]) {
                    Ok(n @ 1..) => filled += n,
                    Ok(0) | Err(_) => return (filled, Some(end)),
                }
            }
            Ok(n) => {
                filled += n;
                if output.is_living_terminal() && reading == Reading::News && n < SHORT_READ_LEN {
                    return (filled, Some(Stop::Empty));
                }
            }
            Err(Errno::EINTR) => {}
            Err(errno) if std::io::Error::from(errno).kind() == ErrorKind::WouldBlock => {
                return (filled, Some(Stop::Empty));
            }
            // Want of memory, say. To close it now would hang up a process that did nothing wrong.
            Err(_) => return (filled, Some(Stop::Trouble)),
        }
    }
    (filled, None)
}

/// Whether nobody has the other end open: what EIO means when a terminal says it, and nothing else does.
fn is_hung_up(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::empty())];
    let looked = poll(&mut fds, PollTimeout::ZERO).is_ok();
    looked
        && fds[0]
            .revents()
            .is_some_and(|found| found.contains(PollFlags::POLLHUP))
}
