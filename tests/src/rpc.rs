//! The control protocol, spoken directly.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::api::{
    Call, Names, Nothing, Outcome, Outcomes, ProcessStatus, ReloadParams, Reloaded, SignalParams,
    Status, StatusParams, Stream, Tail, TailParams, Verdict,
};
use shared::rpc::{Response, RpcError};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(60);

/// One connection.
pub struct Rpc {
    stream: UnixStream,
    held: Vec<u8>,
    next_id: u64,
}

impl Rpc {
    /// Connects.
    pub fn connect(socket: &Path) -> std::io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        Ok(Self {
            stream,
            held: Vec::new(),
            next_id: 1,
        })
    }

    /// The connection and what was read of it beyond the last line: for one that speaks JSON no more.
    pub fn into_parts(self) -> (UnixStream, Vec<u8>) {
        (self.stream, self.held)
    }

    /// The connection itself, to misuse it.
    pub fn stream(&mut self) -> &mut UnixStream {
        &mut self.stream
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next line, `None` at the end of the connection.
    ///
    /// # Errors
    /// What was wrong, or that nothing came in time.
    pub fn line(&mut self, limit: Duration) -> Result<Option<String>, String> {
        let until = Instant::now() + limit;
        loop {
            if let Some(end) = self.held.iter().position(|&byte| byte == b'\n') {
                let rest = self.held.split_off(end + 1);
                let line = std::mem::replace(&mut self.held, rest);
                return Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("no line within {limit:?}"));
            }
            self.stream.set_read_timeout(Some(left)).ok();
            let mut chunk = vec![0; 64 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(count) => self.held.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// Asks without waiting for the answer; gives the request's id.
    pub fn ask(&mut self, call: &Call) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let request =
            json!({"jsonrpc": "2.0", "id": id, "method": call.method(), "params": call.params()});
        self.send(format!("{request}\n").as_bytes())
            .expect("the daemon takes a request");
        id
    }

    /// The answer to a request; notifications before it are passed over.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn answer(&mut self, id: u64) -> Result<Value, RpcError> {
        loop {
            let line = self.line(ANSWER).expect("an answer comes");
            let line = line.expect("the daemon answers before it hangs up");
            let value: Value = serde_json::from_str(&line).expect("an answer is JSON");
            if value.get("method").is_some() {
                continue;
            }
            let response: Response = serde_json::from_value(value).expect("an answer is an answer");
            assert_eq!(response.id, json!(id), "an answer to another request");
            return match response.error {
                Some(error) => Err(error),
                None => Ok(response.result.unwrap_or(Value::Null)),
            };
        }
    }

    /// Asks and waits.
    #[track_caller]
    pub fn call(&mut self, call: &Call) -> Result<Value, RpcError> {
        let id = self.ask(call);
        self.answer(id)
    }

    #[track_caller]
    fn get<T: DeserializeOwned>(&mut self, call: &Call) -> T {
        let value = self.call(call);
        let value = value.unwrap_or_else(|error| panic!("{}: {}", call.method(), error.message));
        serde_json::from_value(value).expect("an answer has its form")
    }

    /// The state of everything.
    #[track_caller]
    pub fn status(&mut self) -> Status {
        self.get(&Call::Status(StatusParams::default()))
    }

    /// The state of everything, and the strays.
    #[track_caller]
    pub fn status_with_strays(&mut self) -> Status {
        let strays = true;
        let names = Vec::new();
        self.get(&Call::Status(StatusParams { names, strays }))
    }

    /// The state of one process.
    #[track_caller]
    pub fn process(&mut self, name: &str) -> Option<ProcessStatus> {
        let status: Status = self.get(&Call::Status(StatusParams {
            names: names(&[name]).names,
            strays: false,
        }));
        status.processes.into_iter().next()
    }

    /// Starts, and tells what became of each.
    #[track_caller]
    pub fn start(&mut self, which: &[&str]) -> Vec<Outcome> {
        self.get::<Outcomes>(&Call::Start(names(which))).results
    }

    /// Stops, and tells what became of each.
    #[track_caller]
    pub fn stop(&mut self, which: &[&str]) -> Vec<Outcome> {
        self.get::<Outcomes>(&Call::Stop(names(which))).results
    }

    /// Restarts, and tells what became of each.
    #[track_caller]
    pub fn restart(&mut self, which: &[&str]) -> Vec<Outcome> {
        self.get::<Outcomes>(&Call::Restart(names(which))).results
    }

    /// Sends a signal by command.
    #[track_caller]
    pub fn signal(&mut self, signal: &str, which: &[&str]) -> Vec<Outcome> {
        let signal = signal.to_owned();
        let names = names(which).names;
        self.get::<Outcomes>(&Call::Signal(SignalParams { signal, names }))
            .results
    }

    /// Reads the configuration again.
    #[track_caller]
    pub fn reload(&mut self) -> Result<Reloaded, RpcError> {
        let value = self.call(&Call::Reload(ReloadParams::default()))?;
        Ok(serde_json::from_value(value).expect("an answer has its form"))
    }

    /// The last output of a process.
    #[track_caller]
    pub fn tail(&mut self, name: &str, stream: Stream, bytes: u64) -> Vec<u8> {
        use base64::Engine;
        let name = name.parse().expect("a name");
        let params = TailParams {
            name,
            stream,
            bytes,
            follow: false,
        };
        let tail: Tail = self.get(&Call::Tail(params));
        let engine = base64::engine::general_purpose::STANDARD;
        engine.decode(tail.data).expect("output comes in base64")
    }

    /// Asks the daemon to leave.
    #[track_caller]
    pub fn shutdown(&mut self) -> Result<Value, RpcError> {
        self.call(&Call::Shutdown(Nothing {}))
    }
}

/// Names as parameters.
pub fn names(which: &[&str]) -> Names {
    let parse = |name: &&str| name.parse().expect("a name of a process");
    Names {
        names: which.iter().map(parse).collect(),
    }
}

/// What became of the one process that was named.
#[track_caller]
pub fn only(outcomes: &[Outcome]) -> Verdict {
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    outcomes[0].result
}
