//! JSON-RPC 2.0 as the control socket speaks it: one request, or one batch of them, a line.
//!
//! Nothing is read that has no limit: a line has [`REQUEST_LEN_MAX`] bytes, a batch [`BATCH_LEN_MAX`] requests.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::strict;

/// The longest request line, in bytes: room for hundreds of names, little enough to keep for each client.
pub const REQUEST_LEN_MAX: usize = 64 * 1024;
/// The longest answer a client needs to expect, in bytes: `status` of ten thousand processes.
pub const ANSWER_LEN_MAX: usize = 64 * 1024 * 1024;
/// The most requests in one batch; with [`REQUEST_LEN_MAX`] nobody needs more.
pub const BATCH_LEN_MAX: usize = 256;

/// The version that every message carries.
pub const JSONRPC: &str = "2.0";

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What the answer carries back; `None` for a notification, which gets no answer.
    pub id: Option<Value>,
    /// The method's name.
    pub method: String,
    /// Its parameters; `Null` where there were none.
    pub params: Value,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// Always "2.0".
    pub jsonrpc: String,
    /// The request's id, or null where it could not be read.
    pub id: Value,
    /// What the method answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RpcError>,
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RpcError {
    /// One of [`code`].
    pub code: i64,
    /// What, where, why and what to do, for people.
    pub message: String,
    /// More of it, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// The codes of [`RpcError`]: those below -32000 are JSON-RPC's own, the others ours.
pub mod code {
    /// The line is not JSON.
    pub const PARSE_ERROR: i64 = -32700;
    /// It is JSON, but no request.
    pub const INVALID_REQUEST: i64 = -32600;
    /// No such method.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// The parameters do not fit the method.
    pub const INVALID_PARAMS: i64 = -32602;
    /// A bug of ours.
    pub const INTERNAL_ERROR: i64 = -32603;
    /// The peer may not do this.
    pub const NOT_ALLOWED: i64 = 1;
    /// The daemon is shutting down.
    pub const SHUTTING_DOWN: i64 = 2;
    /// The configuration has problems; nothing changed. `data` lists them.
    pub const RELOAD_REFUSED: i64 = 3;
    /// No process of that name.
    pub const NO_SUCH_PROCESS: i64 = 4;
    /// There is nothing to read: the output is kept nowhere.
    pub const NO_LOG: i64 = 5;
    /// Too much at once; try again.
    pub const BUSY: i64 = 6;
    /// The client speaks frames of a version that we do not.
    pub const ATTACH_VERSION: i64 = 7;
    /// There is no terminal to type at or to look at.
    pub const NO_TERMINAL: i64 = 8;
    /// The process does not run.
    pub const NOT_RUNNING: i64 = 9;
    /// There is no daemon, or no answer that is understood: said by a client to its user, and by no daemon.
    pub const NO_ANSWER: i64 = 10;
}

impl RpcError {
    /// An error without data.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }
}

impl Response {
    /// The answer to the request `id`.
    pub fn new(id: Value, outcome: Result<Value, RpcError>) -> Self {
        let (result, error) = match outcome {
            Ok(result) => (Some(result), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            jsonrpc: JSONRPC.into(),
            id,
            result,
            error,
        }
    }
}

/// What a line held: each request, or the answer that says why it is none.
#[derive(Debug, PartialEq)]
pub enum Incoming {
    /// A single request.
    One(Result<Request, Box<Response>>),
    /// A batch, whose answers go back as one array.
    Batch(Vec<Result<Request, Box<Response>>>),
}

/// The request as it stands on the wire. An absent id is a notification, `null` is not.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    jsonrpc: String,
    #[serde(default, deserialize_with = "present")]
    id: Option<Value>,
    method: String,
    #[serde(default)]
    params: Value,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Reads one line.
pub fn parse(line: &[u8]) -> Incoming {
    let refuse = |code, message: String| {
        Incoming::One(Err(Box::new(Response::new(
            Value::Null,
            Err(RpcError::new(code, message)),
        ))))
    };
    let value = match strict::parse(line) {
        Ok(value) => value,
        Err(error) if error.is_data() => {
            return refuse(code::INVALID_REQUEST, format!("not a request: {error}"));
        }
        Err(error) => {
            return refuse(
                code::PARSE_ERROR,
                format!("not JSON: {error}; one request a line"),
            );
        }
    };
    match value {
        Value::Array(items) if items.is_empty() => {
            refuse(code::INVALID_REQUEST, "an empty batch".into())
        }
        Value::Array(items) if items.len() > BATCH_LEN_MAX => refuse(
            code::INVALID_REQUEST,
            format!(
                "a batch of {} is too large ({BATCH_LEN_MAX} at most)",
                items.len()
            ),
        ),
        Value::Array(items) => Incoming::Batch(items.into_iter().map(read).collect()),
        value @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Object(_)) => Incoming::One(read(value)),
    }
}

fn read(value: Value) -> Result<Request, Box<Response>> {
    let id = value.get("id").filter(|id| is_id(id)).cloned();
    let refuse = |message: String| {
        let error = RpcError::new(code::INVALID_REQUEST, message);
        Box::new(Response::new(id.clone().unwrap_or(Value::Null), Err(error)))
    };
    if !value.is_object() {
        return Err(refuse("a request is an object".into()));
    }
    let wire: Wire =
        serde_json::from_value(value).map_err(|error| refuse(format!("not a request: {error}")))?;
    if wire.jsonrpc != JSONRPC {
        return Err(refuse("jsonrpc must be \"2.0\"".into()));
    }
    if !wire.id.as_ref().is_none_or(is_id) {
        return Err(refuse(
            "an id is a string, a whole number of 64 bits or null".into(),
        ));
    }
    Ok(Request {
        id: wire.id,
        method: wire.method,
        params: wire.params,
    })
}

/// Other numbers would go back rounded, and be the id of another request.
fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64() || id.is_u64() || id.is_null()
}

/// Cuts a stream of bytes into lines of at most `len_max` bytes.
#[derive(Debug)]
pub struct Lines {
    buffer: Vec<u8>,
    searched: usize,
    len_max: usize,
}

/// A line was longer than it may be. What follows it cannot be told apart, so the stream is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineTooLong;

impl Lines {
    /// Lines of at most `len_max` bytes.
    pub fn new(len_max: usize) -> Self {
        Self {
            buffer: Vec::new(),
            searched: 0,
            len_max,
        }
    }

    /// Takes in what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes out what no line has been made of: the rest is for somebody else.
    pub fn take_rest(&mut self) -> Vec<u8> {
        self.searched = 0;
        std::mem::take(&mut self.buffer)
    }

    /// How many bytes are held that no line has been made of yet.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// What came after the last line, for a connection that goes on in another way.
    pub fn into_rest(self) -> Vec<u8> {
        self.buffer
    }

    /// The next whole line, without its newline, if there is one.
    pub fn next_line(&mut self) -> Result<Option<Vec<u8>>, LineTooLong> {
        let found = self.buffer[self.searched..]
            .iter()
            .position(|&byte| byte == b'\n');
        match found.map(|at| at + self.searched) {
            Some(end) if end > self.len_max => Err(LineTooLong),
            Some(end) => {
                let rest = self.buffer.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.pop();
                self.searched = 0;
                Ok(Some(line))
            }
            None if self.buffer.len() > self.len_max => Err(LineTooLong),
            None => {
                self.searched = self.buffer.len();
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> RpcError {
        match parse(line.as_bytes()) {
            Incoming::One(Err(response)) => response.error.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_missing_id_is_a_notification_and_null_is_not() {
        let id = |line: &str| match parse(line.as_bytes()) {
            Incoming::One(Ok(request)) => request.id,
            other => panic!("{other:?}"),
        };
        assert_eq!(id(r#"{"jsonrpc":"2.0","method":"m"}"#), None);
        assert_eq!(
            id(r#"{"jsonrpc":"2.0","method":"m","id":null}"#),
            Some(Value::Null)
        );
        assert_eq!(
            id(r#"{"jsonrpc":"2.0","method":"m","id":"a"}"#),
            Some("a".into())
        );
    }

    #[test]
    fn an_id_comes_back_as_it_was_or_is_refused() {
        for id in [
            "0",
            "-9223372036854775808",
            "18446744073709551615",
            r#""1.5""#,
        ] {
            let line = format!(r#"{{"jsonrpc":"2.0","method":"m","id":{id}}}"#);
            match parse(line.as_bytes()) {
                Incoming::One(Ok(request)) => assert_eq!(request.id.unwrap().to_string(), id),
                other => panic!("{other:?}"),
            }
        }
        for id in [
            "18446744073709551616",
            "-9223372036854775809",
            "1.5",
            "1.0",
            "1e2",
            "-0",
        ] {
            let line = format!(r#"{{"jsonrpc":"2.0","method":"m","id":{id}}}"#);
            let Incoming::One(Err(response)) = parse(line.as_bytes()) else {
                panic!("{id} is taken");
            };
            let wanted = "an id is a string, a whole number of 64 bits or null";
            assert_eq!(response.id, Value::Null);
            assert_eq!(
                response.error,
                Some(RpcError::new(code::INVALID_REQUEST, wanted))
            );
        }
    }

    #[test]
    fn what_is_no_request_is_refused_with_a_code() {
        assert_eq!(refused("{").code, code::PARSE_ERROR);
        assert_eq!(refused("\u{0}").code, code::PARSE_ERROR);
        for line in [
            "[]",
            "7",
            r#"{"jsonrpc":"1.0","method":"m"}"#,
            r#"{"jsonrpc":"2.0","method":"m","id":{}}"#,
            r#"{"jsonrpc":"2.0","method":"m","extra":1}"#,
            r#"{"jsonrpc":"2.0","method":7}"#,
            r#"{"jsonrpc":"2.0","method":"m","id":1,"id":2}"#,
            r#"[{"jsonrpc":"2.0","method":"m","params":{"names":[],"names":[]}}]"#,
        ] {
            assert_eq!(refused(line).code, code::INVALID_REQUEST, "{line}");
        }
        assert_eq!(refused(&"[".repeat(1000)).code, code::PARSE_ERROR);
        assert_eq!(
            refused(&format!("[{}1]", "1,".repeat(300))).code,
            code::INVALID_REQUEST
        );
    }

    #[test]
    fn an_array_is_a_batch_and_never_a_request() {
        match parse(br#"[["2.0",1,"m",null],{"jsonrpc":"2.0","method":"m","id":1}]"#) {
            Incoming::Batch(items) => assert!(items[0].is_err() && items[1].is_ok()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_come_out_whole_however_they_came_in() {
        let text = b"one\ntwo\n\nthree";
        for step in 1..text.len() {
            let mut lines = Lines::new(10);
            let mut seen = Vec::new();
            for chunk in text.chunks(step) {
                lines.push(chunk);
                while let Some(line) = lines.next_line().unwrap() {
                    seen.push(String::from_utf8(line).unwrap());
                }
            }
            assert_eq!(seen, ["one", "two", ""]);
            assert_eq!(lines.held(), 5);
        }
    }

    #[test]
    fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
        let mut lines = Lines::new(4);
        lines.push(b"1234\n12345");
        assert_eq!(lines.next_line(), Ok(Some(b"1234".to_vec())));
        assert_eq!(lines.next_line(), Err(LineTooLong));
    }
}
