//! A daemon that does what a test says, frame by frame, to see what the client does.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use serde_json::{Value, json};
use shared::api::{Attached, Tty};
use shared::frame::{Decoder, Frame};
use shared::rpc::{Lines, REQUEST_LEN_MAX};
use shared::state::State;

use crate::Sandbox;
use crate::wait::{SOON, check, eventually};

/// The socket of a daemon that a test plays.
pub struct Fake {
    listener: UnixListener,
}

impl Fake {
    /// Listens at `socket` in the sandbox.
    pub fn new(sandbox: &Sandbox) -> Self {
        let listener = UnixListener::bind(sandbox.path("socket")).expect("a socket can be made");
        listener.set_nonblocking(true).expect("a flag can be set");
        Self { listener }
    }

    /// The next client, when its request is there.
    #[track_caller]
    pub fn accept(&self) -> Visitor {
        let stream = eventually("a client", SOON, || self.listener.accept()).0;
        stream.set_nonblocking(true).expect("a flag can be set");
        let peer = getsockopt(&stream, PeerCredentials).expect("a peer is somebody");
        let mut visitor = Visitor {
            stream,
            pid: peer.pid(),
            request: Value::Null,
            decoder: Decoder::default(),
            frames: Vec::new(),
            gone: false,
        };
        visitor.request = visitor.read_request();
        // Who attaches from a terminal asks first whether it is that of the process.
        if visitor.request["method"] == "status" && visitor.request["params"]["names"] != json!([])
        {
            visitor.answer(&json!({"processes": []}));
            visitor.request = visitor.read_request();
        }
        visitor
    }
}

/// A process that runs on a terminal, as `attach` answers.
pub fn running() -> Attached {
    Attached {
        version: 1,
        name: "w".into(),
        tty: Tty::Full,
        pid: Some(77),
        state: State::Running,
        exit: None,
        retry_in_ms: None,
        reason: None,
        starts: 1,
        leader: true,
        others: 0,
    }
}

/// A client that asked for something.
pub struct Visitor {
    stream: UnixStream,
    /// Its pid.
    pub pid: i32,
    /// What it asked.
    pub request: Value,
    decoder: Decoder,
    frames: Vec<Frame>,
    gone: bool,
}

impl Visitor {
    fn read_request(&mut self) -> Value {
        let mut lines = Lines::new(REQUEST_LEN_MAX);
        let line = eventually("a request", SOON, || {
            let mut byte = [0; 4096];
            if let Ok(count) = self.stream.read(&mut byte) {
                lines.push(&byte[..count]);
            }
            let line = lines.next_line().map_err(|_| "a line too long")?;
            line.ok_or("nothing")
        });
        serde_json::from_slice(&line).expect("a request is JSON")
    }

    /// Answers the request.
    pub fn answer(&mut self, result: &Value) {
        let response = json!({"jsonrpc": "2.0", "id": self.request["id"], "result": result});
        self.write(format!("{response}\n").as_bytes());
    }

    /// Refuses the request.
    pub fn refuse(&mut self, code: i64, message: &str) {
        let error = json!({"code": code, "message": message});
        let response = json!({"jsonrpc": "2.0", "id": self.request["id"], "error": error});
        self.write(format!("{response}\n").as_bytes());
    }

    /// Sends a frame.
    pub fn send(&mut self, frame: &Frame) {
        self.write(&frame.to_bytes());
    }

    /// Sends bytes, which need not be a frame. A client that has gone hears nothing.
    pub fn write(&mut self, mut bytes: &[u8]) {
        eventually("room for bytes", SOON, || {
            match self.stream.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => bytes = b"",
            }
            check(bytes.is_empty(), || format!("{} bytes left", bytes.len()))
        });
    }

    /// Sends as much of `bytes` as the client takes; says how much.
    pub fn offer(&mut self, bytes: &[u8]) -> usize {
        self.stream.write(bytes).unwrap_or(0)
    }

    /// All frames that came.
    pub fn frames(&mut self) -> &[Frame] {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(count @ 1..) => {
                    let mut bytes = &buffer[..count];
                    while let Some(frame) = self.decoder.next(&mut bytes).expect("frames") {
                        self.frames.push(frame);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Ok(_) | Err(_) => {
                    self.gone = true;
                    break;
                }
            }
        }
        &self.frames
    }

    /// All that was typed.
    pub fn input(&mut self) -> Vec<u8> {
        let input = self.frames().iter().filter_map(|frame| match frame {
            Frame::Input(bytes) => Some(&bytes[..]),
            _ => None,
        });
        input.collect::<Vec<_>>().concat()
    }

    /// Waits until this was typed, and nothing else.
    #[track_caller]
    pub fn wait_input(&mut self, want: &[u8]) {
        eventually("input", SOON, || {
            let input = self.input();
            check(input == want, || input.escape_ascii().to_string())
        });
    }

    /// Waits for a frame.
    #[track_caller]
    pub fn wait_frame(&mut self, want: &Frame) {
        eventually("a frame", SOON, || {
            let seen = self.frames();
            check(seen.contains(want), || format!("{seen:?}"))
        });
    }

    /// Forgets the frames that came.
    pub fn forget(&mut self) {
        self.frames();
        self.frames.clear();
    }

    /// Waits until the client has hung up.
    #[track_caller]
    pub fn wait_gone(&mut self) {
        eventually("the end of the connection", SOON, || {
            self.frames();
            check(self.gone, || format!("{:?}", self.frames))
        });
    }
}
