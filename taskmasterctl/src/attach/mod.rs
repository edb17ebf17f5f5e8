//! `attach`: the terminal of a supervised process, on the user's own, until the key that detaches.
//!
//! [`seat`] is the user's terminal, taken over and given back; [`canvas`] paints on it what [`filter`] lets through,
//! [`keys`] finds the key, [`link`] carries frames, [`life`] knows what to say about the process, [`session`] lets
//! all of it happen at once. What is printed when it is over is printed here, on a terminal that is in order again.

mod backlog;
mod canvas;
mod depth;
mod filter;
mod guardian;
mod hand;
mod held;
mod key;
mod keys;
mod life;
mod link;
mod options;
mod seat;
mod session;
mod signals;
mod speech;
mod stat;
mod tty;

use std::io;

use nix::sys::signal::{Signal, raise};
use serde::Deserialize;
use serde_json::Value;
use shared::api::{AttachParams, Attached, Call, Status, StatusParams, TERM_LEN_MAX};
use shared::frame::Frame;
use shared::name::Selector;
use shared::text::{count, escape};

pub(crate) use guardian::{WORD as GUARDIAN, watch as guard};

use crate::call::Failure;
use crate::exit::Exit;
use crate::job::Job;
use crate::print;
use crate::term;

use filter::Filter;
use keys::Scanner;
use life::Life;
use link::{Link, Lost};
use options::Options;
use seat::Seat;
use session::{End, Session};
use signals::Signals;

/// What the manual has to say beyond the usage.
pub(crate) const NOTE: &str = "
Everything typed goes to the process, Ctrl-C and Ctrl-Z among it. Ctrl-] detaches
and leaves the process running. Ctrl-] twice within a fifth of a second types
one; inside a paste it is text; three within a second detach wherever they stand.
For another key set TASKMASTER_DETACH_KEY; with none only a signal detaches.

The attachment outlives its process: when that ends, a line tells how, and when
it is tried again, and the same attachment goes on with the next one. A process
that is stopped is waited for. When it has ended for good, attach leaves with its
exit status, or 128+n after signal n. After a detach the status is 0, after being
detached by somebody else 1, when the daemon is gone 7.

Where the input is no terminal it is typed as it is, and its end detaches as soon
as the daemon has taken all of it; output that came until then is printed. What is
piped in where nobody reads it is told, and the status is 1 then. To wait
for an answer, or with --once for the end of the process, leave the input open. A
process that does not run is waited for. A terminal that is painted on and not
typed on is asked nothing. Where the output is no terminal it gets the bytes that
come, and nothing of what was on the screen, unless --history asks for it. The
process's terminal then keeps the size it has.

With --filter full-screen programs are right on arrival only: what moves the cursor
to another line does not pass.

fg is another word for attach.";

pub(crate) fn attach(job: &mut Job<'_>, args: &[&str]) -> Exit {
    if job.json {
        let what = "shows is no JSON; see status and screen";
        return job.misused(&format!("what {} {what}", job.word));
    }
    let usual_key = std::env::var_os(options::KEY_VARIABLE);
    let usual_key = usual_key.map(|key| key.to_string_lossy().into_owned());
    let options = match options::read(job.word, args, usual_key.as_deref()) {
        Ok(options) => options,
        Err(complaint) => return job.misused(&complaint),
    };
    let name = match options.name.parse() {
        Ok(name) => name,
        Err(why) => return job.nobody(options.name, why),
    };
    let seat = match Seat::find() {
        Ok(seat) => seat,
        Err(error) => return broken(&error),
    };
    seat.stop_in_background();
    let call = Call::Attach(params(name, &options, &seat));
    match connect(job, &call) {
        Ok(Reached::Other(attached, link)) => stay(&options, &attached, seat, link),
        Ok(Reached::Ourselves(name)) => {
            print::refused(&name, "you are at its terminal already", &mut job.page);
            Exit::FAILED
        }
        Err(failure) => job.fail(&call, &failure),
    }
}

/// Whose terminal it would be.
enum Reached {
    Other(Box<Attached>, Link),
    /// That of the process of this name, at which we sit: whatever it writes would come back to it.
    Ourselves(String),
}

fn params(name: Selector, options: &Options<'_>, seat: &Seat) -> AttachParams {
    let (size, piped) = (seat.size(), !seat.has_keyboard());
    let term = std::env::var("TERM").unwrap_or_default();
    let known = size.unwrap_or_default();
    AttachParams {
        rows: known.rows,
        cols: known.cols,
        xpixel: known.xpixel,
        ypixel: known.ypixel,
        term: if term.len() <= TERM_LEN_MAX {
            term
        } else {
            String::new()
        },
        read_only: options.read_only,
        steal: options.steal,
        // A picture is for a screen; a file gets what comes, unless it was to get what has been.
        no_replay: options.no_replay || (size.is_none() && options.history == 0),
        ignore_size: options.ignore_size || size.is_none(),
        // What the process asks its terminal must be answered by somebody; of who pipes it is known that he does not.
        plain: options.filter || !(seat.answers() || (piped && size.is_some())),
        piped,
        history: options.history,
        ..AttachParams::new(name)
    }
}

fn connect(job: &Job<'_>, call: &Call) -> Result<Reached, Failure> {
    let daemon = &job.session.daemon;
    let mut conversation = match status_first(call) {
        Some(status) => {
            let mut conversation = daemon.open(&status)?;
            if let Some(name) = ours(&conversation.answer()?) {
                return Ok(Reached::Ourselves(name));
            }
            conversation.go_on(call)?;
            conversation
        }
        None => daemon.open(call)?,
    };
    let answer = conversation.answer()?;
    let attached = Attached::deserialize(&answer);
    let attached = attached.map_err(|error| Failure::Unclear(error.to_string()))?;
    // It may have been started since.
    if attached.pid.is_some_and(stat::sits_with_us) {
        return Ok(Reached::Ourselves(attached.name));
    }
    let (stream, early) = conversation.upgrade();
    Ok(Reached::Other(
        Box::new(attached),
        Link::new(stream, early)?,
    ))
}

/// What to ask before, where we sit at a terminal: to attach takes the floor from others, and may throw them out.
fn status_first(call: &Call) -> Option<Call> {
    let Call::Attach(AttachParams { name, .. }) = call else {
        return None;
    };
    stat::has_terminal().then(|| {
        Call::Status(StatusParams {
            names: vec![name.clone()],
            strays: false,
        })
    })
}

/// The one process of that status, if it has the terminal at which we sit.
fn ours(answer: &Value) -> Option<String> {
    let status = Status::deserialize(answer).ok()?;
    let [process] = &status.processes[..] else {
        return None;
    };
    let ours = process.pid.is_some_and(stat::sits_with_us);
    ours.then(|| process.name.clone())
}

/// Stays attached until that ends, and says how it did.
fn stay(options: &Options<'_>, attached: &Attached, mut seat: Seat, mut link: Link) -> Exit {
    let signals = match Signals::hold() {
        Ok(signals) => signals,
        Err(errno) => return broken(&errno.into()),
    };
    if let Some(signal) = seat.come_forward(&signals) {
        drop((link, signals));
        return code(&End::Signalled(signal));
    }
    if let Err(error) = seat.enter() {
        return broken(&error);
    }
    if let Some(size) = seat.canvas.resized() {
        // Before the signals were held, and while others had the terminal, nobody heard of it.
        link.send(&Frame::Resize(size));
    }
    let typed = seat.has_keyboard();
    let mut session = session(options, attached, seat, link, signals);
    let end = session.run();
    let unheard = session.unheard();
    // In this order: the daemon knows at once, the terminal is in order before a signal may end us, and only then
    // a pipe may be waited for.
    let Session {
        mut seat,
        signals,
        link,
        lost,
        ..
    } = session;
    let lost = lost + link.untaken();
    if let (End::Lost(Lost::Closed), Some(daemon)) = (&end, link.daemon()) {
        // It hangs up before anybody hears of its death.
        seat.mourn(daemon);
    }
    drop(link);
    let left = seat.leave();
    drop(signals);
    let end = if matches!(end, End::Signalled(_)) {
        end
    } else {
        match seat.canvas.finish() {
            Ok(()) => end,
            Err(error) => End::of_output(&error),
        }
    };
    // A terminal that did not take all of that takes no goodbye either.
    if lost > 0 && left {
        let why = unheard.unwrap_or("did not read what was typed");
        let name = escape(&attached.name);
        let lost = count(lost as u64, "byte is lost", "bytes are lost");
        tty::complain(&format!("[{name} {why}; at least {lost}]"));
    }
    if let Some(line) = goodbye(&escape(&attached.name), typed, &end).filter(|_| left) {
        tty::complain(&line);
    }
    match (&end, typed) {
        // A script hears of it by the code alone.
        (End::Detached, false) if lost > 0 => Exit::FAILED,
        (_, _) => code(&end),
    }
}

/// The attachment as the options want it.
fn session(
    options: &Options<'_>,
    attached: &Attached,
    seat: Seat,
    link: Link,
    signals: Signals,
) -> Session {
    let key = options.key.filter(|_| seat.has_keyboard());
    let hint = key.map(|key| key.to_string());
    let life = Life::new(attached, options.once, hint.as_deref());
    let scanner = Scanner::new(key);
    let answers = seat.answers();
    let paints = seat.canvas.tty().is_some();
    let mut session = Session::new(seat, link, signals, scanner, life, attached.tty);
    session.read_only = options.read_only;
    session.company = company(attached.others).filter(|_| paints);
    session.awaits_picture = paints && !options.no_replay;
    if options.filter {
        session.filter(Filter::plain);
    } else if paints && !answers {
        session.filter(Filter::mute);
    }
    session
}

/// Who else is there.
fn company(others: u32) -> Option<String> {
    match others {
        0 => None,
        1 => Some("[1 other is attached]".into()),
        _ => Some(format!("[{others} others are attached]")),
    }
}

/// How it ended, where the user cannot know.
fn goodbye(name: &str, typed: bool, end: &End) -> Option<String> {
    let why = match end {
        End::Detached if typed => String::new(),
        End::Dismissed(reason) | End::Failed(reason) => format!(": {}", escape(reason)),
        End::Lost(Lost::Closed) => ": taskmasterd is gone".into(),
        End::Lost(Lost::Garbled(why)) => format!(": taskmasterd sent what is no frame ({why})"),
        End::Detached | End::Ended(_) | End::Unheard | End::HungUp | End::Signalled(_) => {
            return None;
        }
    };
    Some(format!("[detached from {name}{why}]"))
}

fn code(end: &End) -> Exit {
    match *end {
        End::Detached => Exit::OK,
        End::Ended(exit) => exit,
        End::Dismissed(_) | End::Failed(_) | End::Lost(Lost::Garbled(_)) => Exit::FAILED,
        End::Lost(Lost::Closed) => Exit::NOT_RUNNING,
        End::Unheard => Exit::BROKEN_PIPE,
        End::HungUp => Exit::HUNG_UP,
        End::Signalled(signal) => {
            if signal != Signal::SIGINT {
                // Whoever sent it wanted the program to end of it. If it is held back outside, so be it.
                let _ = raise(signal);
            }
            Exit::of_signal(signal as i32)
        }
    }
}

fn broken(error: &io::Error) -> Exit {
    if term::has_hung_up(error) {
        return Exit::HUNG_UP;
    }
    let reason = term::reason(error);
    tty::complain(&format!("taskmasterctl: terminal: {reason}"));
    Exit::FAILED
}
