//! A daemon of cardboard: it answers each connection as it was told, and remembers what it was asked.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A directory of the test's own, removed with it.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("ctl-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.0.join("s")
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.0.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The daemon, answering on a thread that ends with the test.
pub(crate) struct Fake {
    pub(crate) place: Place,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Fake {
    /// `speak` gets the request and the connection it came over.
    pub(crate) fn speaking(speak: impl Fn(&Value, &mut UnixStream) + Send + 'static) -> Self {
        let place = Place::new();
        let listener = UnixListener::bind(place.socket()).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                let Ok(request) = serde_json::from_str::<Value>(&line) else {
                    continue;
                };
                heard.lock().unwrap().push(request.clone());
                speak(&request, &mut stream);
            }
        });
        Self { place, asked }
    }

    /// Answers every request with `{"result": …}` or `{"error": …}`.
    pub(crate) fn answering(answer: Value) -> Self {
        Self::speaking(move |request, stream| {
            let mut answer = answer.clone();
            answer["jsonrpc"] = json!("2.0");
            answer["id"] = request["id"].clone();
            let _ = writeln!(stream, "{answer}");
        })
    }

    /// Answers every request with this result.
    pub(crate) fn result(result: Value) -> Self {
        Self::answering(json!({ "result": result }))
    }

    /// Answers a request with outcomes of `(name, verdict)`.
    pub(crate) fn outcomes(outcomes: &[(&str, &str)]) -> Self {
        let results: Vec<Value> = outcomes
            .iter()
            .map(|(name, result)| json!({"name": name, "result": result}))
            .collect();
        Self::result(json!({ "results": results }))
    }

    /// Writes these bytes, whatever was asked, and hangs up.
    pub(crate) fn saying(bytes: &'static [u8]) -> Self {
        Self::speaking(move |_, stream| {
            let _ = stream.write_all(bytes);
        })
    }

    pub(crate) fn run(&self, line: &str) -> (String, i32) {
        run(&self.place, line)
    }

    pub(crate) fn asked(&self) -> Vec<Value> {
        self.asked.lock().unwrap().clone()
    }
}

/// The real program, with the socket of `place` and nothing of the tester's surroundings.
pub(crate) fn ctl(place: &Place) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskmasterctl"));
    command
        .env_clear()
        .env("HOME", place.dir())
        .env("TZ", "UTC")
        .env("TASKMASTER_SOCKET", place.socket())
        .stdin(Stdio::null());
    command
}

/// What `taskmasterctl LINE` prints, and its exit code.
pub(crate) fn run(place: &Place, line: &str) -> (String, i32) {
    let output = ctl(place).args(line.split_whitespace()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let shown = text.replace(&place.socket().display().to_string(), "SOCK");
    (shown, output.status.code().unwrap())
}

pub(crate) fn process(name: &str, state: &str) -> Value {
    json!({
        "name": name, "program": name.split(':').next(), "index": 0, "state": state, "pid": 1234,
        "uptime_ms": 7000, "failures": 0, "starts": 0,
    })
}
