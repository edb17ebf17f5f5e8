//! What the reactor listens to: a token for each descriptor in the poll, and what it stands for.
//!
//! Tokens count up and are never used twice, so an event that is late belongs to nobody and not to a stranger.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use shared::api::Stream;

use crate::child::output::CrStripper;
use crate::core::{Pid, ProcessId};
use crate::sys::Becoming;

/// What a token stands for.
#[derive(Debug)]
pub(super) enum Source {
    /// The signalfd.
    Signals,
    /// The control socket.
    Listener,
    /// A connection; the client is kept under the same token.
    Client,
    /// The child of this pid, until it has become its program.
    ExecStatus { pid: i32, becoming: Becoming },
    /// The output of a process, or of what it left behind.
    Output(Output),
    /// What the helper that reads the configuration has to say.
    Helper { fd: OwnedFd },
}

/// One end of a terminal or pipe that a process writes to.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) id: ProcessId,
    /// The process it was made for.
    pub(super) pid: Pid,
    pub(super) stream: Stream,
    pub(super) fd: OwnedFd,
    /// Takes the terminal's carriage returns off again; pipes have none of their own.
    pub(super) terminal: Option<CrStripper>,
    /// Whether the process it was made for is dead, so that its end is final.
    pub(super) orphaned: bool,
    /// Whether something that was typed waits until it takes more.
    pub(super) wants_room: bool,
}

impl Output {
    /// Whether it is a terminal, and its process not dead as far as is known.
    pub(super) fn is_living_terminal(&self) -> bool {
        self.terminal.is_some() && !self.orphaned
    }
}

/// All that is in the poll.
#[derive(Debug)]
pub(super) struct Sources {
    registry: Registry,
    all: HashMap<Token, Source>,
    next: usize,
}

impl Sources {
    pub(super) fn new(registry: Registry) -> Self {
        Self {
            registry,
            all: HashMap::new(),
            next: 0,
        }
    }

    pub(super) fn next_token(&mut self) -> Token {
        self.next += 1;
        Token(self.next)
    }

    /// Listens to `fd` under a new token.
    pub(super) fn add_fd(
        &mut self,
        fd: &impl AsRawFd,
        source: impl FnOnce() -> Source,
    ) -> io::Result<Token> {
        let token = self.next_token();
        self.registry
            .register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)?;
        self.all.insert(token, source());
        Ok(token)
    }

    /// Listens to a descriptor that the source itself owns.
    pub(super) fn add_owned(
        &mut self,
        fd: OwnedFd,
        source: impl FnOnce(OwnedFd) -> Source,
    ) -> io::Result<Token> {
        let raw = fd.as_raw_fd();
        self.add_fd(&raw, || source(fd))
    }

    /// Listens to one of mio's own sources.
    pub(super) fn add<S: mio::event::Source>(
        &mut self,
        socket: &mut S,
        interest: Interest,
        source: Source,
    ) -> io::Result<Token> {
        let token = self.next_token();
        self.registry.register(socket, token, interest)?;
        self.all.insert(token, source);
        Ok(token)
    }

    /// Whether it is news that a terminal takes more.
    pub(super) fn want_room(&mut self, token: Token, wanted: bool) {
        let Some(Source::Output(output)) = self.all.get_mut(&token) else {
            return;
        };
        if output.wants_room == wanted {
            return;
        }
        output.wants_room = wanted;
        let fd = output.fd.as_raw_fd();
        self.want_room_for(token, &mut SourceFd(&fd), wanted);
    }

    /// The same of a connection. To be told each time somebody has read would wake the reactor for nothing.
    pub(super) fn want_room_for(
        &self,
        token: Token,
        source: &mut impl mio::event::Source,
        wanted: bool,
    ) {
        let interest = match wanted {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        let _ = self.registry.reregister(source, token, interest);
    }

    pub(super) fn get(&self, token: Token) -> Option<&Source> {
        self.all.get(&token)
    }

    pub(super) fn get_mut(&mut self, token: Token) -> Option<&mut Source> {
        self.all.get_mut(&token)
    }

    /// Listens to it no more. A descriptor of its own is deregistered, and closed when the answer is dropped.
    pub(super) fn remove(&mut self, token: Token) -> Option<Source> {
        let source = self.all.remove(&token)?;
        let own = match &source {
            Source::ExecStatus { becoming, .. } => Some(becoming.as_fd()),
            Source::Helper { fd } | Source::Output(Output { fd, .. }) => Some(fd.as_fd()),
            Source::Signals | Source::Listener | Source::Client => None,
        };
        if let Some(fd) = own {
            let _ = self.registry.deregister(&mut SourceFd(&fd.as_raw_fd()));
        }
        Some(source)
    }

    /// Takes one of mio's own sources out.
    pub(super) fn remove_socket<S: mio::event::Source>(&mut self, token: Token, socket: &mut S) {
        let _ = self.registry.deregister(socket);
        self.all.remove(&token);
    }
}
