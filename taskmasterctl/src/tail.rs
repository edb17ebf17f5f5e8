//! `tail`: the last output of a process, and with `-f` what comes after it.
//!
//! A file or a pipe gets the bytes as they are. A terminal gets text: escape sequences are left out and other
//! controls made visible, because what a program printed must not drive the terminal of who looks at it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::api::{CLEARED, Call, OUTPUT, Output, Status, StatusParams, Stream, Tail, TailParams};
use shared::name::Selector;
use shared::rpc::{RpcError, code};
use shared::text::{escape, escape_bytes};

use crate::call::{Conversation, Failure, Reason};
use crate::exit::Exit;
use crate::job::{self, Job};
use crate::print;
use crate::term;
use crate::verbs;

/// How many bytes are shown, as supervisorctl does.
const BYTES: u64 = 1600;
/// How many bytes `-f` begins with.
const BYTES_BEFORE_FOLLOWING: u64 = 1024;

/// What was asked for.
#[derive(Debug, PartialEq)]
struct Wish<'a> {
    name: &'a str,
    stream: Stream,
    bytes: u64,
    follow: bool,
    raw: bool,
}

pub(crate) fn tail(job: &mut Job<'_>, args: &[&str]) -> Exit {
    let wish = match read(args) {
        Ok(wish) => wish,
        Err(complaint) => return job.misused(&complaint),
    };
    let name = match wish.name.parse::<Selector>() {
        Ok(name) => name,
        Err(why) if job.json => return job.nobody(wish.name, why),
        Err(_) => {
            print::refused(wish.name, "no such process name", &mut job.page);
            return Exit::FAILED;
        }
    };
    let call = Call::Tail(TailParams {
        name,
        stream: wish.stream,
        bytes: wish.bytes,
        follow: wish.follow,
    });
    let shown = match wish.raw || !term::is_terminal() {
        true => None,
        false => Some(Visible::default()),
    };
    match show(job, &call, &wish, shown) {
        Ok(()) => Exit::OK,
        Err(failure) => fail(job, &call, &wish, &failure),
    }
}

fn read<'a>(args: &[&'a str]) -> Result<Wish<'a>, String> {
    let (mut words, mut bytes, mut follow, mut raw) = (Vec::new(), None, false, false);
    let (optional, plain) = verbs::parted(args);
    for &arg in optional {
        match arg.strip_prefix('-') {
            Some("f") => follow = true,
            Some("-raw") => raw = true,
            Some(count) => match count.parse() {
                Ok(count) => bytes = Some(count),
                Err(_) => return Err(format!("bad argument {}", escape(arg))),
            },
            None => words.push(arg),
        }
    }
    words.extend(plain);
    let (name, stream) = match words[..] {
        [] => return Err("too few arguments".into()),
        [name] | [name, "stdout"] => (name, Stream::Stdout),
        [name, "stderr"] => (name, Stream::Stderr),
        [_, other] => return Err(format!("bad channel '{}'", escape(other))),
        [..] => return Err("too many arguments".into()),
    };
    let usual = if follow {
        BYTES_BEFORE_FOLLOWING
    } else {
        BYTES
    };
    Ok(Wish {
        name,
        stream,
        bytes: bytes.unwrap_or(usual),
        follow,
        raw,
    })
}

fn show(
    job: &mut Job<'_>,
    call: &Call,
    wish: &Wish<'_>,
    mut shown: Option<Visible>,
) -> Result<(), Failure> {
    let mut conversation = job.session.daemon.open(call)?;
    let answer = conversation.answer()?;
    let tail: Tail = fit(&answer)?;
    if wish.follow && !job.json {
        job.page.line("==> Press Ctrl-C to exit <==");
    }
    if job.json {
        print::json(&answer, term::is_terminal() && !wish.follow, &mut job.page);
    } else {
        add(job, &mut shown, &tail.data)?;
    }
    if wish.follow {
        return follow(job, &mut conversation, &mut shown);
    }
    Ok(())
}

/// Shows what comes, until nobody wants it any more.
fn follow(
    job: &mut Job<'_>,
    conversation: &mut Conversation,
    shown: &mut Option<Visible>,
) -> Result<(), Failure> {
    loop {
        job.page.flush();
        let news = conversation.notification()?;
        if ![OUTPUT, CLEARED].contains(&news.method.as_str()) {
            continue;
        }
        if job.json {
            let shown = json!({news.method: news.params});
            print::json(&shown, false, &mut job.page);
            continue;
        }
        if news.method == CLEARED {
            job.page.line("\n==> File truncated <==");
            continue;
        }
        let output: Output = fit(&news.params)?;
        if output.skipped > 0 {
            job.page
                .line(&format!("\n==> {} bytes skipped <==", output.skipped));
        }
        add(job, shown, &output.data)?;
    }
}

fn add(job: &mut Job<'_>, shown: &mut Option<Visible>, data: &str) -> Result<(), Failure> {
    let bytes = BASE64_STANDARD
        .decode(data)
        .map_err(|error| Failure::Unclear(error.to_string()))?;
    match shown {
        Some(shown) => job.page.bytes(shown.text(&bytes).as_bytes()),
        None => job.page.bytes(&bytes),
    }
    Ok(())
}

fn fit<T: DeserializeOwned>(value: &Value) -> Result<T, Failure> {
    T::deserialize(value).map_err(|error| Failure::Unclear(error.to_string()))
}

fn fail(job: &mut Job<'_>, call: &Call, wish: &Wish<'_>, failure: &Failure) -> Exit {
    if let Failure::Unreachable(_) | Failure::Unclear(_) = failure {
        // What the process wrote last may be a prompt.
        job.page.end_line();
    }
    let why = match failure {
        // The only way to end it that is no failure.
        Failure::Interrupted if wish.follow => return Exit::OK,
        Failure::Unreachable(Reason::Closed) if wish.follow => {
            return match why_over(job, call) {
                Some((error, exit)) => over(job, &error, exit),
                None => job.fail(call, failure),
            };
        }
        Failure::Refused(error) if !job.json => match error.code {
            code::NO_SUCH_PROCESS => "no such process name",
            code::NO_LOG => {
                job.page.remark(escape(&error.message));
                "no log file"
            }
            _ => return job.fail(call, failure),
        },
        _ => return job.fail(call, failure),
    };
    print::refused(wish.name, why, &mut job.page);
    Exit::FAILED
}

/// Why there is no more to follow, as far as can be found out afterwards.
fn why_over(job: &Job<'_>, call: &Call) -> Option<(RpcError, Exit)> {
    let Call::Tail(TailParams { name, .. }) = call else {
        return None;
    };
    let names = vec![name.clone()];
    let strays = false;
    match job
        .session
        .daemon
        .ask(&Call::Status(StatusParams { names, strays }))
    {
        Ok(answer) if fit::<Status>(&answer).is_ok_and(|status| !status.errors.is_empty()) => {
            let message = format!("{} is no longer in the configuration", name.as_str());
            Some((RpcError::new(code::NO_SUCH_PROCESS, message), Exit::FAILED))
        }
        Err(Failure::Unreachable(_)) => {
            let error = RpcError::new(code::NO_ANSWER, "the daemon has stopped");
            Some((error, Exit::NOT_RUNNING))
        }
        Ok(_) | Err(_) => None,
    }
}

fn over(job: &mut Job<'_>, error: &RpcError, exit: Exit) -> Exit {
    if job.json {
        job::json_error(error, &mut job.page);
    } else {
        job.page.line(&escape(&error.message));
    }
    exit
}

/// Makes text of bytes that come piece by piece, wherever the pieces were cut.
#[derive(Debug, Default)]
struct Visible {
    place: Place,
    /// The beginning of a character whose end has not come yet.
    cut: Vec<u8>,
}

/// Where in an escape sequence we are (ECMA-48, 5.3 to 5.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// After ESC [, until a final byte.
    Control,
    /// In a title, a hyperlink, a palette: until BEL, ESC \, or the end of the line.
    Words,
}

impl Visible {
    fn text(&mut self, bytes: &[u8]) -> String {
        let mut plain = std::mem::take(&mut self.cut);
        plain.extend(bytes.iter().copied().filter(|&byte| self.keeps(byte)));
        self.cut = plain.split_off(plain.len() - cut_len(&plain));
        let lines = plain.split(|&byte| byte == b'\n');
        let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let cells = |line: &[u8]| {
            let cells: Vec<String> = line
                .split(|&byte| byte == b'\t')
                .map(escape_bytes)
                .collect();
            cells.join("\t")
        };
        lines.map(cells).collect::<Vec<String>>().join("\n")
    }

    /// Whether `byte` is text, and no part of an escape sequence.
    fn keeps(&mut self, byte: u8) -> bool {
        let (place, keeps) = match (self.place, byte) {
            (_, 0x1b) => (Place::Escape, false),
            (Place::Text, _) | (_, b'\n') => (Place::Text, true),
            (Place::Escape, b'[') => (Place::Control, false),
            (Place::Escape, b']' | b'P' | b'X' | b'^' | b'_') => (Place::Words, false),
            (Place::Escape, 0x20..=0x2f) => (Place::Escape, false),
            (Place::Escape, 0x30..=0x7e) => (Place::Text, false),
            (Place::Control, 0x20..=0x3f) => (Place::Control, false),
            (Place::Control, 0x40..=0x7e) => (Place::Text, false),
            (Place::Escape | Place::Control, _) => (Place::Text, true),
            (Place::Words, 0x07) => (Place::Text, false),
            (Place::Words, _) => (Place::Words, false),
        };
        self.place = place;
        keeps
    }
}

/// How many of the last bytes only what comes next can explain: a part of a character, or a carriage return.
fn cut_len(bytes: &[u8]) -> usize {
    if bytes.ends_with(b"\r") {
        return 1;
    }
    let near_end = bytes.len().saturating_sub(3)..bytes.len();
    let Some(start) = near_end.rev().find(|&at| bytes[at] >= 0xc0) else {
        return 0;
    };
    match std::str::from_utf8(&bytes[start..]) {
        Err(error) if error.error_len().is_none() => bytes.len() - start,
        Ok(_) | Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_supervisorctls() {
        let wish = read(&["-f", "web", "stderr"]).unwrap();
        assert_eq!(
            (wish.name, wish.stream, wish.bytes),
            ("web", Stream::Stderr, 1024)
        );
        assert_eq!(read(&["-100", "web"]).unwrap().bytes, 100);
        assert_eq!(read(&["web"]).unwrap().bytes, 1600);
        let refused = |args: &[&str]| read(args).unwrap_err();
        assert_eq!(refused(&[]), "too few arguments");
        assert_eq!(refused(&["a", "stdout", "c"]), "too many arguments");
        assert_eq!(refused(&["a", "x"]), "bad channel 'x'");
        assert_eq!(refused(&["-z", "a"]), "bad argument -z");
    }

    #[test]
    fn a_terminal_sees_text_wherever_the_pieces_were_cut() {
        let bytes =
            "a\tb\r\n\x1b[1;31mrot\x1b[0m\x1b]0;title\x07 größer\x1b(B \x08\u{9b}2J\n".as_bytes();
        let want = "a\tb\nrot größer \\x08\\u{9b}2J\n";
        assert_eq!(Visible::default().text(bytes), want);
        for at in 0..bytes.len() {
            let mut visible = Visible::default();
            let text = visible.text(&bytes[..at]) + &visible.text(&bytes[at..]);
            assert_eq!(text, want, "cut at {at}");
        }
    }

    #[test]
    fn an_endless_title_swallows_one_line_at_most() {
        assert_eq!(Visible::default().text(b"\x1b]0;never\nseen"), "\nseen");
        assert_eq!(Visible::default().text(b"\xff\xfe"), "\\xff\\xfe");
    }
}
