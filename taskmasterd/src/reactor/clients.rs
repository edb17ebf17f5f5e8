//! Clients: let in, listened to, answered, and seen off.

use std::io::{self, Write};
use std::os::fd::OwnedFd;

use mio::net::UnixStream;
use mio::{Interest, Token};
use nix::errno::Errno;
use serde_json::Value;
use shared::api::{Call, Outcomes};
use shared::event::{Cause, EventKind};
use shared::rpc::{Request, Response, RpcError, code};

use crate::control::client::Client;
use crate::control::methods::{Deed, Present, Strays, carry_out, to_value};
use crate::control::peer::Peer;
use crate::core::{Input, Mono, Ticket};
use crate::files::reason;
use crate::limits::{
    ACCEPT_RETRY_MS, ACCEPTS_PER_TURN, CLIENTS_MAX, CLIENTS_PER_UID_MAX, CLIENTS_RESERVED,
    REFUSED_TOLD_MS, REQUESTS_PER_TURN,
};

use super::Reactor;
use super::attach::End;
use super::perform::shutting_down;
use super::reload::Asker;
use super::sources::Source;

impl Reactor {
    pub(super) fn take_in_clients(&mut self) {
        if self.debts.accept_at.is_some_and(|at| at <= self.now) {
            self.debts.accept_at = None;
            self.debts.accept = true;
        }
        if std::mem::take(&mut self.debts.accept) {
            self.accept();
        }
        let owed = self.debts.clients.take();
        let left = self.serve_in_time(owed, Self::serve);
        self.debts.clients.put_off(left);
        let late = |client: &Client| client.deadline().is_some_and(|at| at <= self.now);
        let late: Vec<Token> = self
            .clients
            .iter()
            .filter(|(_, client)| late(client))
            .map(|(&token, _)| token)
            .collect();
        for token in late {
            self.see_off(token);
        }
    }

    fn accept(&mut self) {
        self.debts.accept = true;
        if self.is_somebody_leaving() && (self.latecomer.is_some() || self.is_full()) {
            return;
        }
        // Whoever hung up before this one came has been heard of by now.
        if let Some((stream, peer)) = self.latecomer.take() {
            self.let_in(stream, peer);
        }
        for _ in 0..ACCEPTS_PER_TURN {
            match self.listener.socket.accept() {
                Ok((stream, _)) => {
                    let Ok(peer) = Peer::of(&stream) else {
                        continue;
                    };
                    if matches!(self.admits(peer), Err((code::BUSY, _))) {
                        self.latecomer = Some((stream, peer));
                        return;
                    }
                    self.let_in(stream, peer);
                }
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    Some(Errno::EAGAIN) => {
                        self.debts.accept = false;
                        return;
                    }
                    Some(Errno::EINTR | Errno::ECONNABORTED) => {}
                    // Nothing announces free descriptors. The spare one lets one more client in meanwhile.
                    Some(_) | None if self.spare.take().is_some() => {}
                    Some(_) | None => {
                        self.debts.accept = false;
                        self.debts.accept_at = Some(self.now.after(ACCEPT_RETRY_MS));
                        return self.tell_none_accepted(&error);
                    }
                },
            }
        }
    }

    fn is_full(&self) -> bool {
        self.clients.len() >= CLIENTS_MAX
    }

    /// Whether somebody has hung up and is about to be seen off: who comes next finds a place.
    fn is_somebody_leaving(&self) -> bool {
        let mut clients = self.clients.iter();
        clients.any(|(&token, client)| client.has_left && self.debts.clients.has(token))
    }

    /// Told of once a minute: it is tried ten times a second.
    fn tell_none_accepted(&mut self, error: &io::Error) {
        if self.debts.tell_accept_at <= self.now {
            self.debts.tell_accept_at = self.now.after(REFUSED_TOLD_MS);
            let text = format!("cannot accept clients: {}", reason(error));
            self.tell(EventKind::Trouble { text }, Cause::Policy);
        }
    }

    fn let_in(&mut self, mut stream: UnixStream, peer: Peer) {
        if let Err((code, reason)) = self.admits(peer) {
            let error = RpcError::new(code, reason);
            let refusal = Response::new(Value::Null, Err(error));
            // If the socket does not take it, the end of the connection says it too.
            let _ = serde_json::to_writer(&mut stream, &refusal).map(|()| stream.write(b"\n"));
            return self.news.refuse(peer, reason);
        }
        let interest = Interest::READABLE;
        match self.sources.add(&mut stream, interest, Source::Client) {
            Ok(token) => {
                self.clients
                    .insert(token, Client::new(stream, peer, self.now));
                self.debts.clients.insert(token);
            }
            Err(error) => {
                let text = format!("cannot listen to a client: {}", reason(&error));
                self.tell(EventKind::Trouble { text }, Cause::Policy);
            }
        }
    }

    fn admits(&self, peer: Peer) -> Result<(), (i64, &'static str)> {
        if !peer.may_speak(self.listener.mode) {
            return Err((code::NOT_ALLOWED, "not allowed"));
        }
        let same_user = self
            .clients
            .values()
            .filter(|client| client.peer.uid == peer.uid)
            .count();
        let is_full = match peer.is_master() {
            true => self.is_full(),
            false => {
                same_user >= CLIENTS_PER_UID_MAX
                    || self.clients.len() + CLIENTS_RESERVED >= CLIENTS_MAX
            }
        };
        match is_full {
            true => Err((code::BUSY, "too many connections")),
            false => Ok(()),
        }
    }

    pub(super) fn client_ready(&mut self, token: Token, gone: bool, ended: bool) {
        if ended && let Some(client) = self.clients.get_mut(&token) {
            client.is_ending = true;
        }
        if gone && let Some(client) = self.clients.get_mut(&token) {
            client.has_left = true;
            if client.attachment.is_none() {
                self.hang_up(token);
            }
        }
        self.debts.clients.insert(token);
    }

    /// Nobody is there any more: who waits for an answer is forgotten, what was asked besides is carried out.
    fn hang_up(&mut self, token: Token) {
        let Some(client) = self.clients.get_mut(&token) else {
            return;
        };
        if client.is_gone() {
            return;
        }
        client.hung_up();
        let ticket = Ticket(token.0 as u64);
        self.inbox.push_back(Input::ClientGone { ticket });
        self.reloads.forget(ticket);
        self.debts.clients.insert(token);
    }

    /// A few requests of one client, as long as there is time, and as many answers as it takes.
    fn serve(&mut self, token: Token, until: Mono) {
        let Some(client) = self.clients.get_mut(&token) else {
            return;
        };
        if client.attachment.is_some() {
            return self.serve_attached(token);
        }
        if client.is_dismissed() {
            if client
                .flush(self.now)
                .and_then(|()| client.discard())
                .is_err()
            {
                return self.see_off(token);
            }
            self.dirty.insert(token);
            return;
        }
        let Ok(has_more) = client.flush(self.now).and_then(|()| client.read()) else {
            return self.hang_up(token);
        };
        for _ in 0..REQUESTS_PER_TURN {
            let Some(client) = self.clients.get_mut(&token) else {
                return;
            };
            match client.next_request() {
                Ok(Some(request)) => {
                    self.carry_out(token, request);
                    self.settle();
                    if self.is_up(until) {
                        break;
                    }
                }
                Ok(None) => {
                    // What stopped the reading was a limit; nothing announces the rest.
                    if has_more && client.is_idle() {
                        self.debts.clients.insert(token);
                    }
                    self.dirty.insert(token);
                    return;
                }
                Err(reason) => {
                    let cause = client.peer.cause();
                    let _ = client.flush(self.now);
                    self.tell(
                        EventKind::Refused {
                            reason: reason.into(),
                        },
                        cause,
                    );
                    return self.see_off(token);
                }
            }
        }
        self.debts.clients.insert(token);
    }

    fn carry_out(&mut self, token: Token, request: Request) {
        let Some(client) = self.clients.get(&token) else {
            return;
        };
        let (peer, ticket) = (client.peer, Ticket(token.0 as u64));
        let present = Present {
            now: self.now,
            unix_ms: self.unix_ms,
        };
        let deed = match Call::read(&request.method, request.params) {
            Ok(call) => carry_out(call, &self.core, present, peer, ticket),
            Err(error) => Deed::Answer(Err(error)),
        };
        match deed {
            Deed::Answer(outcome) => self.answer(ticket, outcome),
            Deed::Status(mut status, strays) => {
                if strays == Strays::Wanted {
                    status.strays = self.strays();
                }
                self.add_viewers(&mut status);
                self.answer(ticket, to_value(&status));
            }
            Deed::Tell(input) => self.inbox.push_back(input),
            Deed::Reload(params) => {
                self.ask_for_reload(Asker::client(peer.cause(), ticket, params));
            }
            Deed::Tail(id, params) => {
                let outcome = self.tail(token, id, &params);
                self.answer(ticket, outcome);
            }
            Deed::Attach(id, params) => {
                let in_batch = self.clients.get(&token).is_some_and(Client::is_in_batch);
                let outcome = match in_batch {
                    true => Err(RpcError::new(
                        code::INVALID_REQUEST,
                        "attach: not in a batch; its answer is the last JSON of a connection",
                    )),
                    false => self.attach(token, id, &params),
                };
                let attached = outcome.is_ok();
                self.answer(ticket, outcome);
                if attached {
                    self.welcome(token, !params.no_replay);
                }
            }
            Deed::Send(..) | Deed::Clear(_) if self.core.is_leaving() => {
                self.answer(ticket, Err(shutting_down()));
            }
            Deed::Send(id, params) => {
                let outcome = self.send(id, &params, peer.cause());
                self.answer(ticket, outcome);
            }
            Deed::Screen(id, params) => {
                let outcome = self.screen(id, &params);
                self.answer(ticket, outcome);
            }
            Deed::Clear(items) => {
                self.note_clear(&items, peer.cause());
                let outcomes = Outcomes {
                    results: items.into_iter().map(|item| self.clear(item)).collect(),
                };
                self.answer(ticket, to_value(&outcomes));
            }
        }
    }

    /// Answers the request under way of a client, if it is still there.
    pub(super) fn answer(&mut self, ticket: Ticket, outcome: Result<Value, RpcError>) {
        let token = Token(usize::try_from(ticket.0).unwrap_or(usize::MAX));
        if let Some(client) = self.clients.get_mut(&token) {
            client.answer(outcome);
            self.dirty.insert(token);
            // Its next request may have been waiting for this.
            self.debts.clients.insert(token);
        }
    }

    /// At the end of a turn: what was answered leaves.
    pub(super) fn send_to_clients(&mut self) {
        for token in std::mem::take(&mut self.dirty) {
            let Some(client) = self.clients.get_mut(&token) else {
                continue;
            };
            let owed = client.owes_answer();
            let broken = !client.is_gone() && client.flush(self.now).is_err();
            if owed && !client.owes_answer() && client.attachment.is_some() {
                // Its frames have waited for that.
                self.debts.clients.insert(token);
            }
            let has_requests = client.attachment.is_none() && !client.is_dismissed();
            if broken && has_requests {
                self.hang_up(token);
            } else if broken || client.is_finished() {
                self.see_off(token);
            } else if client.awaits_room != client.has_unsent() {
                client.awaits_room = client.has_unsent();
                let (stream, wanted) = (&mut client.stream, client.awaits_room);
                self.sources.want_room_for(token, stream, wanted);
            }
        }
    }

    pub(super) fn see_off(&mut self, token: Token) {
        let Some(mut client) = self.clients.remove(&token) else {
            return;
        };
        self.sources.remove_socket(token, &mut client.stream);
        self.debts.clients.remove(token);
        if let Some(outlet) = client
            .follows
            .as_ref()
            .and_then(|follow| self.outlets.get_mut(&follow.id))
        {
            for channel in outlet.channels() {
                channel.followers.retain(|&other| other != token);
            }
        }
        if let Some(attachment) = client.attachment.take() {
            self.part(token, &attachment, client.peer, &End::Left);
        }
        self.inbox.push_back(Input::ClientGone {
            ticket: Ticket(token.0 as u64),
        });
        self.reloads.forget(Ticket(token.0 as u64));
        drop(client);
        self.spare = self.spare.take().or_else(spare);
        self.debts.accept = true;
    }

    /// The process that is followed is no more.
    pub(super) fn end_of_following(&mut self, token: Token) {
        if let Some(client) = self.clients.get_mut(&token) {
            client.follows = None;
            self.see_off(token);
        }
    }
}

/// A descriptor to let go of when there are no others.
pub(super) fn spare() -> Option<OwnedFd> {
    std::fs::File::open("/dev/null").map(OwnedFd::from).ok()
}
