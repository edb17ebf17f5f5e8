//! One connection: bytes become requests, answers become bytes, in the order in which they were asked.
//!
//! A client has one request under way at a time; the next is looked at when the answer to the last is written
//! and mostly read. So a client that pipelines ten thousand requests costs no more than one that asks one, and
//! one that does not read its answers is not listened to any more.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};

use mio::net::UnixStream;
use serde::Serialize;
use serde_json::Value;
use shared::api::{AttachParams, Stream};
use shared::frame::Frame;
use shared::rpc::{self, Incoming, Lines, REQUEST_LEN_MAX, Request, Response, RpcError, code};

use super::attach::Attachment;
use super::hearing::Hearing;
use super::outgoing::Bytes;
use super::peer::Peer;
use crate::core::{Mono, ProcessId};
use crate::limits::{
    BATCH_ANSWERS_LEN_MAX, CLIENT_ERRORS_MAX, CLIENT_FIRST_REQUEST_MS, CLIENT_STALL_MS,
    FOLLOW_QUEUE_LEN_MAX,
};

/// While more than this waits to be read by the client, its next request is left alone.
const ANSWERS_UNREAD_MAX: usize = 64 * 1024;

/// A connected client.
#[derive(Debug)]
pub struct Client {
    /// The connection.
    pub stream: UnixStream,
    /// Who it is.
    pub peer: Peer,
    /// The terminal it is attached to; then it speaks frames, and nothing below is used any more.
    pub attachment: Option<Attachment>,
    /// The output it follows.
    pub follows: Option<Follow>,
    /// Whether its end is in the stream behind what it sent; nothing announces that once more.
    pub is_ending: bool,
    /// Whether nobody is at its other end any more.
    pub has_left: bool,
    /// Whether the poll says when it has read; only needed while something waits for that.
    pub awaits_room: bool,
    lines: Lines,
    requests: VecDeque<Result<Request, Box<Response>>>,
    /// The answers of a batch so far, as they will be sent, while one is under way.
    batch: Option<Vec<u8>>,
    under_way: Option<UnderWay>,
    out: Bytes,
    hearing: Hearing,
    errors: u32,
    /// By when it has to make its first request.
    first_request_by: Option<Mono>,
    /// By when it has to have read some more.
    read_by: Option<Mono>,
}

/// What a client follows, and what it has missed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// The process.
    pub id: ProcessId,
    /// Its stream.
    pub stream: Stream,
    /// Bytes that were not queued since the last that were.
    pub skipped: u64,
}

/// The request whose answer is due, by its id; a notification gets none.
#[derive(Debug)]
struct UnderWay(Option<Value>);

impl Client {
    /// A client that has just connected.
    pub fn new(stream: UnixStream, peer: Peer, now: Mono) -> Self {
        Self {
            stream,
            peer,
            attachment: None,
            follows: None,
            is_ending: false,
            has_left: false,
            awaits_room: false,
            lines: Lines::new(REQUEST_LEN_MAX),
            requests: VecDeque::new(),
            batch: None,
            under_way: None,
            out: Bytes::default(),
            hearing: Hearing::Open,
            errors: 0,
            first_request_by: Some(now.after(CLIENT_FIRST_REQUEST_MS)),
            read_by: None,
        }
    }

    /// From here on it speaks frames; what it sent beyond its request is their beginning.
    pub fn become_attached(
        &mut self,
        id: ProcessId,
        name: String,
        params: &AttachParams,
        since: u64,
    ) {
        let early = self.lines.take_rest();
        self.attachment = Some(Attachment::new(id, name, params, since, early));
        self.first_request_by = None;
    }

    /// When it is cut off unless it gets on: it has not made its first request, or does not read.
    pub fn deadline(&self) -> Option<Mono> {
        self.first_request_by.into_iter().chain(self.read_by).min()
    }

    /// Whether it has said all it will and been told all it asked.
    pub fn is_finished(&self) -> bool {
        if self.attachment.is_some() {
            return false;
        }
        let nothing_open =
            self.requests.is_empty() && self.under_way.is_none() && self.lines.held() == 0;
        match self.hearing {
            Hearing::Open | Hearing::Leaving => false,
            Hearing::Ended => nothing_open && self.follows.is_none() && self.out.len() == 0,
            Hearing::Gone => nothing_open,
            Hearing::Dismissed => self.out.len() == 0,
        }
    }

    /// Nobody is there any more; what was asked, read or still to be read, is carried out, and answered to nobody.
    pub fn hung_up(&mut self) {
        self.has_left = true;
        self.hearing = self.hearing.hung_up();
        self.out = Bytes::default();
        self.under_way = None;
        self.read_by = None;
    }

    /// It is attached no more: behind what is on its way to it come `last_words`, and nothing else. It has some
    /// time to read them, however slowly it does.
    pub fn dismiss(&mut self, last_words: &[Frame], now: Mono) -> Option<Attachment> {
        let mut attachment = self.attachment.take()?;
        self.out.bytes.extend(attachment.take_unsent());
        for frame in last_words {
            frame.encode(&mut self.out.bytes);
        }
        self.hearing = Hearing::Dismissed;
        self.read_by = Some(now.after(CLIENT_STALL_MS));
        Some(attachment)
    }

    /// Whether it was sent away and is only to be told why.
    pub fn is_dismissed(&self) -> bool {
        self.hearing == Hearing::Dismissed
    }

    /// Reads what nobody listens to any more: left unread it would break the connection. Not without an end, it
    /// is for who has typed ahead.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn discard(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        for _ in 0..16 {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether nobody is there to be answered.
    pub fn is_gone(&self) -> bool {
        self.hearing.is_gone()
    }

    /// Reads what is there, up to a request's worth ahead of what is being done. Says whether there may be more.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn read(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 16 * 1024];
        while self.hearing != Hearing::Gone && self.lines.held() <= REQUEST_LEN_MAX {
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    self.hearing = self.hearing.ended();
                    return Ok(false);
                }
                Ok(n) => {
                    self.lines.push(&buffer[..n]);
                    // A short read has taken all there was; what comes after it is announced anew.
                    if n < buffer.len() && !self.is_ending && !self.is_gone() {
                        return Ok(false);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Who has left sends no more, whatever comes instead of the end.
                Err(_) if self.is_gone() => self.hearing = self.hearing.ended(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(self.hearing != Hearing::Gone)
    }

    /// The next request, if it is time for one. Lines that hold none are answered here.
    ///
    /// # Errors
    /// The client is to be cut off, and why: it was told.
    pub fn next_request(&mut self) -> Result<Option<Request>, &'static str> {
        loop {
            if self.under_way.is_some() || self.out.len() > ANSWERS_UNREAD_MAX {
                return Ok(None);
            }
            match self.requests.pop_front() {
                Some(Ok(request)) => {
                    self.errors = 0;
                    self.first_request_by = None;
                    self.under_way = Some(UnderWay(request.id.clone()));
                    if !self.has_full_batch() {
                        return Ok(Some(request));
                    }
                    self.answer(Err(RpcError::new(
                        code::BUSY,
                        "the answers of this batch are too long already; ask in another",
                    )));
                }
                Some(Err(refusal)) => {
                    self.put(*refusal);
                    self.errors += 1;
                    if self.errors >= CLIENT_ERRORS_MAX {
                        return Err("it does not speak the protocol");
                    }
                }
                None if !self.next_line()? => return Ok(None),
                None => {}
            }
        }
    }

    /// Takes the next line apart. Says whether there was one.
    fn next_line(&mut self) -> Result<bool, &'static str> {
        let line = match self.lines.next_line() {
            Ok(Some(line)) => line,
            // Nothing comes behind it that could end it.
            Ok(None) if self.hearing.has_ended() && self.lines.held() > 0 => self.lines.take_rest(),
            Ok(None) => return Ok(false),
            Err(rpc::LineTooLong) => {
                let message = format!("a request has at most {REQUEST_LEN_MAX} bytes");
                self.put(Response::new(
                    Value::Null,
                    Err(RpcError::new(code::INVALID_REQUEST, message)),
                ));
                return Err("its request is too long");
            }
        };
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(true);
        }
        match rpc::parse(&line) {
            Incoming::One(request) => self.requests.push_back(request),
            Incoming::Batch(requests) => {
                self.requests.extend(requests);
                self.batch = Some(Vec::new());
            }
        }
        Ok(true)
    }

    /// Answers the request under way.
    pub fn answer(&mut self, outcome: Result<Value, RpcError>) {
        match self.under_way.take() {
            Some(UnderWay(Some(id))) => self.put(Response::new(id, outcome)),
            Some(UnderWay(None)) | None => self.close_batch(),
        }
    }

    /// Whether the answer that came before the frames is still on its way.
    pub fn owes_answer(&self) -> bool {
        self.out.len() > 0
    }

    /// Whether something waits until the client has read.
    pub fn has_unsent(&self) -> bool {
        let attachment = self.attachment.as_ref();
        self.out.len() > 0 || attachment.is_some_and(|attachment| attachment.queued() > 0)
    }

    /// Whether its next request would be looked at.
    pub fn is_idle(&self) -> bool {
        self.under_way.is_none() && self.out.len() <= ANSWERS_UNREAD_MAX
    }

    /// Whether the request under way is one of a batch.
    pub fn is_in_batch(&self) -> bool {
        self.batch.is_some()
    }

    fn put(&mut self, response: Response) {
        match &mut self.batch {
            Some(batch) => {
                batch.push(if batch.is_empty() { b'[' } else { b',' });
                if serde_json::to_writer(&mut *batch, &response).is_err() {
                    batch.extend_from_slice(b"null");
                }
            }
            None => self.write_line(&response),
        }
        self.close_batch();
    }

    /// Whether what is left of a batch is refused: its answers are kept until the last is there.
    fn has_full_batch(&self) -> bool {
        let answered = self.batch.as_ref().map_or(0, Vec::len);
        answered > BATCH_ANSWERS_LEN_MAX
    }

    /// Sends the answers of a batch when its last request has been answered.
    fn close_batch(&mut self) {
        if self.requests.is_empty()
            && let Some(batch) = self.batch.take_if(|_| self.under_way.is_none())
            && !batch.is_empty()
            && !self.is_gone()
        {
            self.out.bytes.extend_from_slice(&batch);
            self.out.bytes.extend_from_slice(b"]\n");
        }
    }

    fn write_line(&mut self, message: &impl Serialize) {
        if self.is_gone() {
            return;
        }
        if serde_json::to_writer(&mut self.out.bytes, message).is_ok() {
            self.out.bytes.push(b'\n');
        }
    }

    /// Queues followed output of about this length, which is put into words only if there is room for it; says whether
    /// there was.
    pub fn offer<M: Serialize>(&mut self, len: usize, message: impl FnOnce() -> M) -> bool {
        if self.out.len() + len > FOLLOW_QUEUE_LEN_MAX {
            return false;
        }
        self.write_line(&message());
        true
    }

    /// Whether followed output has room again after some was skipped.
    pub fn has_caught_up(&self) -> bool {
        self.out.len() == 0
    }

    /// Writes what can be written, and sets the time by which the rest must have been read.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn flush(&mut self, now: Mono) -> io::Result<()> {
        let before = self.out.len();
        if before > 0 {
            self.flush_answers(before, now)?;
        }
        match &mut self.attachment {
            Some(attachment) if self.out.len() == 0 => attachment.flush(&mut self.stream),
            Some(_) | None => Ok(()),
        }
    }

    fn flush_answers(&mut self, before: usize, now: Mono) -> io::Result<()> {
        self.out.flush(&mut self.stream)?;
        match self.out.len() {
            0 => self.read_by = None,
            _ if self.is_dismissed() => {}
            len if len < before || self.read_by.is_none() => {
                self.read_by = Some(now.after(CLIENT_STALL_MS))
            }
            _ => {}
        }
        Ok(())
    }
}
