//! Asking the daemon: one connection, one request line, one answer line.
//!
//! Blocking, with a limit on everything that is waited for and everything that is read. Ctrl-C ends the
//! waiting, never what the daemon was asked to do. What answers without being a taskmaster is told apart.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr, sockopt};
use nix::sys::time::TimeVal;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::api::Call;
use shared::rpc::{self, Lines, RpcError};
use shared::text::escape;

use crate::interrupts::Interrupts;
use crate::whose::Whose;

/// How long a daemon may take to accept, or to answer what it knows by heart.
const QUICK: Duration = Duration::from_secs(20);
/// How much is read at once, in bytes.
const READ_LEN: usize = 64 * 1024;
/// The id of every request: there is one at a time.
const ID: u64 = 1;

/// The daemon behind a socket.
#[derive(Debug)]
pub(crate) struct Daemon {
    socket: PathBuf,
    whose: Whose,
}

/// Why there is no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody answers at the socket, or no taskmaster does.
    Unreachable(Reason),
    /// The daemon answered with an error.
    Refused(RpcError),
    /// The daemon answered what we do not understand.
    Unclear(String),
    /// The request is longer than the daemon reads.
    TooLong,
    /// Ctrl-C.
    Interrupted,
    /// Nobody reads our output any more.
    Unheard,
    /// The terminal is gone.
    HungUp,
}

/// Why the daemon cannot be reached.
#[derive(Debug)]
pub(crate) enum Reason {
    NoSuchFile,
    Refused,
    PermissionDenied,
    NotTaskmaster,
    /// Nobody named the socket, and another user listens there.
    Stranger(u32),
    Closed,
    Silent,
    Other(Errno),
}

impl Reason {
    /// The reason, to stand behind the socket's URL.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::NoSuchFile => "no such file".into(),
            Self::Refused => "refused connection".into(),
            Self::PermissionDenied => "permission denied".into(),
            Self::NotTaskmaster => "is not a taskmaster".into(),
            Self::Stranger(uid) => format!(
                "is that of uid {uid}, who is neither root nor you; give the path with -s if it is meant"
            ),
            Self::Closed => "closed the connection".into(),
            Self::Silent => "does not answer".into(),
            Self::Other(errno) => errno.desc().to_lowercase(),
        }
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Unreachable(match errno {
            Errno::ENOENT | Errno::ENOTDIR => Reason::NoSuchFile,
            Errno::ECONNREFUSED | Errno::ENOTSOCK => Reason::Refused,
            Errno::EACCES | Errno::EPERM => Reason::PermissionDenied,
            Errno::ECONNRESET | Errno::EPIPE => Reason::Closed,
            Errno::EAGAIN => Reason::Silent,
            Errno::EPROTOTYPE => Reason::NotTaskmaster,
            other => Reason::Other(other),
        })
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        error
            .raw_os_error()
            .map_or(Errno::EIO, Errno::from_raw)
            .into()
    }
}

impl Daemon {
    /// The daemon at `socket`, which the user named.
    pub(crate) fn at(socket: PathBuf) -> Self {
        let whose = Whose::Anybodys;
        Self { socket, whose }
    }

    /// The daemon at `socket`, where it is when nobody names one.
    pub(crate) fn usual(socket: PathBuf) -> Self {
        let whose = Whose::RootsOrOurs;
        Self { socket, whose }
    }

    /// The socket as messages show it.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", escape(&self.socket.to_string_lossy()))
    }

    /// Asks, and waits for the answer as long as such an answer may take.
    pub(crate) fn ask(&self, call: &Call) -> Result<Value, Failure> {
        let mut conversation = self.open(call)?;
        let answer = conversation.answer()?;
        if let Call::Shutdown(_) = call {
            conversation.see_off();
        }
        Ok(answer)
    }

    /// Asks something that is only worth knowing at once.
    pub(crate) fn ask_within(&self, call: &Call, limit: Duration) -> Result<Value, Failure> {
        let mut conversation = self.connect(limit)?;
        conversation.patience = Some(limit);
        conversation.send(call)?;
        conversation.answer()
    }

    /// Asks, and leaves the answer, and what comes after it, to be read.
    pub(crate) fn open(&self, call: &Call) -> Result<Conversation, Failure> {
        let mut conversation = self.connect(QUICK)?;
        conversation.patience = patience(call);
        conversation.send(call)?;
        Ok(conversation)
    }

    /// Connects by hand, because only a socket whose time limit is set before does not wait for ever at a daemon
    /// that does not accept.
    fn connect(&self, limit: Duration) -> Result<Conversation, Failure> {
        let address = UnixAddr::new(&self.socket)?;
        let fd = socket::socket(
            AddressFamily::Unix,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            None,
        )?;
        let limit = TimeVal::new(limit.as_secs().cast_signed(), limit.subsec_micros().into());
        socket::setsockopt(&fd, sockopt::SendTimeout, &limit)?;
        socket::connect(fd.as_raw_fd(), &address)?;
        self.whose.check(fd.as_fd())?;
        Ok(Conversation {
            stream: fd.into(),
            lines: Lines::new(rpc::ANSWER_LEN_MAX),
            interrupts: Interrupts::hold()?,
            patience: None,
            started: false,
            following: false,
            early: VecDeque::new(),
        })
    }
}

/// How long an answer may take: what waits for processes waits as long as they do.
fn patience(call: &Call) -> Option<Duration> {
    match call {
        Call::Start(_) | Call::Stop(_) | Call::Restart(_) | Call::Reload(_) | Call::Shutdown(_) => {
            None
        }
        Call::Status(_)
        | Call::Signal(_)
        | Call::Tail(_)
        | Call::Clear(_)
        | Call::Pid(_)
        | Call::Avail(_)
        | Call::Version(_)
        | Call::Attach(_)
        | Call::Send(_)
        | Call::Screen(_) => Some(QUICK),
    }
}

/// Whether the daemon goes on with it when nobody waits for the answer any more.
pub(crate) fn goes_on(call: &Call) -> bool {
    patience(call).is_none()
}

/// A connection over which a request was sent.
#[derive(Debug)]
pub(crate) struct Conversation {
    stream: UnixStream,
    lines: Lines,
    interrupts: Interrupts,
    patience: Option<Duration>,
    /// Whether a byte has come.
    started: bool,
    /// Whether only notifications are waited for, and so nothing is, once nobody reads our output.
    following: bool,
    /// Notifications that came before the answer.
    early: VecDeque<Notification>,
}

/// What the daemon says unasked.
#[derive(Debug)]
pub(crate) struct Notification {
    pub(crate) method: String,
    pub(crate) params: Value,
}

/// What wakes us.
enum Woken {
    Bytes,
    Interrupt,
    /// Nobody reads our output any more.
    Unheard,
    /// The terminal is gone.
    HungUp,
    Nothing,
}

/// A line of the daemon's, whichever kind it is.
#[derive(Deserialize)]
struct Wire {
    jsonrpc: String,
    #[serde(default)]
    id: Value,
    method: Option<String>,
    #[serde(default)]
    params: Value,
    #[serde(default)]
    result: Value,
    error: Option<RpcError>,
}

impl Conversation {
    fn send(&mut self, call: &Call) -> Result<(), Failure> {
        let request = json!({
            "jsonrpc": rpc::JSONRPC, "id": ID, "method": call.method(), "params": call.params(),
        });
        let line = format!("{request}\n");
        if line.len() > rpc::REQUEST_LEN_MAX {
            return Err(Failure::TooLong);
        }
        match self.stream.write_all(line.as_bytes()) {
            // A daemon that would not hear us may have said why before it hung up.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(Failure::from),
        }
    }

    /// Asks something more, after the answer.
    pub(crate) fn go_on(&mut self, call: &Call) -> Result<(), Failure> {
        self.patience = patience(call);
        self.send(call)
    }

    /// The answer to the request.
    pub(crate) fn answer(&mut self) -> Result<Value, Failure> {
        loop {
            let wire = self.next()?;
            match (wire.method, wire.error) {
                (Some(method), _) => self.early.push_back(Notification {
                    method,
                    params: wire.params,
                }),
                (None, Some(error)) if wire.id.is_null() || wire.id == ID => {
                    return Err(Failure::Refused(error));
                }
                (None, None) if wire.id == ID => return Ok(wire.result),
                (None, _) => return Err(Failure::Unreachable(Reason::NotTaskmaster)),
            }
        }
    }

    /// Waits until the daemon has hung up, but not for long: then its socket and its lock are gone, too, and another
    /// one can start.
    fn see_off(&mut self) {
        self.patience = Some(QUICK);
        while self.next().is_ok() {}
    }

    /// The connection itself, after an answer that changed what is spoken over it, and what came behind that answer.
    pub(crate) fn upgrade(self) -> (UnixStream, Vec<u8>) {
        (self.stream, self.lines.into_rest())
    }

    /// The next notification, however long that takes.
    pub(crate) fn notification(&mut self) -> Result<Notification, Failure> {
        if let Some(early) = self.early.pop_front() {
            return Ok(early);
        }
        self.patience = None;
        self.following = true;
        loop {
            let wire = self.next()?;
            if let Some(method) = wire.method {
                return Ok(Notification {
                    method,
                    params: wire.params,
                });
            }
        }
    }

    fn next(&mut self) -> Result<Wire, Failure> {
        let stranger = || Failure::Unreachable(Reason::NotTaskmaster);
        loop {
            if let Some(line) = self.lines.next_line().map_err(|_| stranger())? {
                let wire: Wire = serde_json::from_slice(&line).map_err(|_| stranger())?;
                return if wire.jsonrpc == rpc::JSONRPC {
                    Ok(wire)
                } else {
                    Err(stranger())
                };
            }
            match self.wait()? {
                Woken::Bytes => self.read()?,
                Woken::Interrupt => return Err(Failure::Interrupted),
                Woken::Unheard => return Err(Failure::Unheard),
                Woken::HungUp => return Err(Failure::HungUp),
                Woken::Nothing => return Err(Failure::Unreachable(Reason::Silent)),
            }
        }
    }

    fn read(&mut self) -> Result<(), Failure> {
        let mut buffer = vec![0; READ_LEN];
        let count = self.stream.read(&mut buffer)?;
        let bytes = &buffer[..count];
        match bytes.first() {
            None => return Err(Failure::Unreachable(Reason::Closed)),
            // Every line of the protocol is an object; whoever says anything else need not be heard out.
            Some(&first) if !self.started && first != b'{' => {
                return Err(Failure::Unreachable(Reason::NotTaskmaster));
            }
            Some(_) => self.started = true,
        }
        self.lines.push(bytes);
        Ok(())
    }

    fn wait(&self) -> Result<Woken, Failure> {
        let stdout = io::stdout();
        let mut fds = [
            PollFd::new(self.stream.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.interrupts.as_fd(), PollFlags::POLLIN),
            // Asked for nothing, a pipe still tells that its reader has gone, and a terminal that it has.
            PollFd::new(stdout.as_fd(), PollFlags::empty()),
        ];
        let watched = if self.following { 3 } else { 2 };
        let limit = match self.patience {
            Some(limit) => PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX),
            None => PollTimeout::NONE,
        };
        loop {
            match poll(&mut fds[..watched], limit) {
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(0) => return Ok(Woken::Nothing),
                Ok(_) => break,
            }
        }
        let hangup = fds[2].revents().unwrap_or(PollFlags::empty());
        let [stream, interrupt, stdout] = fds.map(|fd| fd.any().unwrap_or(false));
        Ok(match (interrupt, stream, stdout) {
            (true, _, _) => Woken::Interrupt,
            (_, true, _) => Woken::Bytes,
            (_, _, true) if hangup.contains(PollFlags::POLLHUP) => Woken::HungUp,
            (_, _, true) => Woken::Unheard,
            (false, false, false) => Woken::Nothing,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::api::{Names, Nothing};
    use std::os::unix::net::UnixListener;

    /// A listener that accepts nobody still lets clients connect, as a daemon that hangs does.
    fn silent(name: &str) -> (UnixListener, Daemon) {
        let socket = std::env::temp_dir().join(format!("ctl-{name}-{}", std::process::id()));
        let listener = UnixListener::bind(&socket).unwrap();
        (listener, Daemon::at(socket))
    }

    #[test]
    fn a_daemon_that_hangs_is_not_waited_for_longer_than_said() {
        let (_listener, daemon) = silent("hangs");
        let limit = Duration::from_millis(10);
        let answer = daemon.ask_within(&Call::Version(Nothing {}), limit);
        assert!(matches!(answer, Err(Failure::Unreachable(Reason::Silent))));
        std::fs::remove_file(&daemon.socket).unwrap();
    }

    #[test]
    fn a_full_queue_of_connections_is_not_waited_for_either() {
        let (listener, daemon) = silent("full");
        socket::listen(&listener, socket::Backlog::new(0).unwrap()).unwrap();
        let limit = Duration::from_millis(10);
        let ask = || daemon.connect(limit);
        let waiting: Vec<_> = (0..8).map(|_| ask()).collect();
        let refused = waiting.iter().filter(|one| one.is_err()).count();
        assert!(refused > 0, "the queue has no end");
        assert!(matches!(ask(), Err(Failure::Unreachable(Reason::Silent))));
        std::fs::remove_file(&daemon.socket).unwrap();
    }

    #[test]
    fn only_what_waits_for_processes_is_waited_for_without_limit() {
        let names = Names::default;
        assert!(goes_on(&Call::Stop(names())) && goes_on(&Call::Shutdown(Nothing {})));
        assert!(!goes_on(&Call::Pid(names())) && !goes_on(&Call::Clear(names())));
    }
}
