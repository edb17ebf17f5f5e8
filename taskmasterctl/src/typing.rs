//! `send` and `screen`: type into a process and look at its screen without sitting down at it.

use std::num::IntErrorKind;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use shared::api::{Call, Screen, ScreenParams, SendParams, Sent};
use shared::name::Selector;
use shared::text::escape;

use crate::exit::Exit;
use crate::job::Job;
use crate::term;
use crate::verbs;

/// How much of a text one request carries, in bytes: in base64 it leaves room for the name.
const PIECE_LEN_MAX: usize = 32 * 1024;

pub(crate) fn send(job: &mut Job<'_>, args: &[&str]) -> Exit {
    let Some((&name, words @ [_, ..])) = args.split_first() else {
        return job.misused("send requires a process name and a text");
    };
    let bytes = match unescape(&words.join(" ")) {
        Ok(bytes) => bytes,
        Err(complaint) => return job.misused(&complaint),
    };
    let name = match name.parse() {
        Ok(selector) => selector,
        Err(why) => return job.nobody(name, why),
    };
    send_bytes(job, &name, &bytes)
}

/// Sends piece by piece, in order. What the daemon has taken is not taken back when it refuses the rest.
fn send_bytes(job: &mut Job<'_>, name: &Selector, bytes: &[u8]) -> Exit {
    let call = |piece| {
        Call::Send(SendParams {
            name: name.clone(),
            data: BASE64_STANDARD.encode(piece),
        })
    };
    let mut sent = 0;
    let answer = loop {
        let end = bytes.len().min(sent + PIECE_LEN_MAX);
        let answer = job.session.daemon.ask(&call(&bytes[sent..end]));
        if answer.is_err() {
            break answer;
        }
        sent = end;
        if sent == bytes.len() {
            break answer.map(|_| json!(Sent { bytes: sent as u64 }));
        }
    };
    let broken_off = answer.is_err() && sent > 0;
    let exit = job.show_answer(&call(b""), answer, |_: &Sent, _| Exit::OK);
    if broken_off {
        job.page.flush();
        term::complain(&format!("only {sent} of {} bytes were typed", bytes.len()));
    }
    exit
}

/// The bytes of a text with the escapes of printf.
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('\\');
    bytes.extend(parts.next().unwrap_or_default().bytes());
    while let Some(part) = parts.next() {
        let rest = match part.chars().next() {
            Some(letter) => escaped(letter, &part[letter.len_utf8()..], &mut bytes)?,
            // Two in a row; what is between the second and the next is text.
            None => {
                let rest = parts.next();
                bytes.push(b'\\');
                rest.ok_or("a backslash at the end of the text; write \\\\")?
            }
        };
        bytes.extend(rest.bytes());
    }
    Ok(bytes)
}

/// Appends what an escape stands for, from its letter; returns what comes behind it.
fn escaped<'a>(letter: char, rest: &'a str, bytes: &mut Vec<u8>) -> Result<&'a str, String> {
    let simple = match letter {
        'a' => 0x07,
        'b' => 0x08,
        'e' => 0x1b,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '"' | '\'' => letter as u8,
        'x' => {
            let (byte, rest) = hex(letter, 2, rest)?;
            bytes.push(u8::try_from(byte).expect("two digits are a byte"));
            return Ok(rest);
        }
        'u' | 'U' => {
            let (code, rest) = hex(letter, if letter == 'u' { 4 } else { 8 }, rest)?;
            let character = char::from_u32(code);
            let character =
                character.ok_or_else(|| format!("\\{letter}{code:04x} is no character"))?;
            bytes.extend(character.to_string().bytes());
            return Ok(rest);
        }
        '0'..='7' => return octal(letter, rest, bytes),
        other => {
            return Err(format!(
                "\\{} is no escape (\\a \\b \\e \\f \\n \\r \\t \\v \\\" \\' \\NNN \\xNN \\uNNNN \\UNNNNNNNN \\\\)",
                escape(&other.to_string())
            ));
        }
    };
    bytes.push(simple);
    Ok(rest)
}

/// One to `max` hexadecimal digits, and what comes behind them.
fn hex(letter: char, max: usize, text: &str) -> Result<(u32, &str), String> {
    let digits = text.bytes().take(max);
    let digits = digits.take_while(u8::is_ascii_hexdigit).count();
    let (digits, rest) = text.split_at(digits);
    let number = u32::from_str_radix(digits, 16);
    let number =
        number.map_err(|_| format!("\\{letter} needs hexadecimal digits, {max} at most"))?;
    Ok((number, rest))
}

/// Up to three octal digits, the first of which is `letter`.
fn octal<'a>(letter: char, rest: &'a str, bytes: &mut Vec<u8>) -> Result<&'a str, String> {
    let more = rest
        .bytes()
        .take(2)
        .take_while(|byte| (b'0'..=b'7').contains(byte));
    let (more, rest) = rest.split_at(more.count());
    let digits = format!("{letter}{more}");
    let byte = u8::from_str_radix(&digits, 8);
    bytes.push(byte.map_err(|_| format!("\\{digits} is no byte (\\377 at most)"))?);
    Ok(rest)
}

pub(crate) fn screen(job: &mut Job<'_>, args: &[&str]) -> Exit {
    let Wish {
        name,
        ansi,
        history,
    } = match wish(args) {
        Ok(wish) => wish,
        Err(complaint) => return job.misused(&complaint),
    };
    let call = match name.parse() {
        Ok(name) => Call::Screen(ScreenParams {
            name,
            ansi,
            history,
        }),
        Err(why) => return job.nobody(name, why),
    };
    job.show(&call, |screen: &Screen, page| {
        if screen.incomplete {
            term::complain(&format!(
                "{}: more was drawn than is followed; this is what the last lines look like",
                escape(&screen.name)
            ));
        }
        let Some(data) = &screen.ansi else {
            let used = screen.text.iter().rposition(|line| !line.is_empty());
            let lines = screen.text.iter().take(used.map_or(0, |last| last + 1));
            let lines = screen.history.iter().chain(lines);
            lines.for_each(|line| page.line(&escape(line)));
            return Exit::OK;
        };
        match BASE64_STANDARD.decode(data) {
            Ok(bytes) => {
                page.bytes(bytes.trim_ascii_end());
                page.line("\x1b[m");
                Exit::OK
            }
            Err(error) => {
                term::complain(&format!("the picture cannot be read: {error}"));
                Exit::FAILED
            }
        }
    })
}

/// What is asked of `screen`.
#[derive(Debug, PartialEq)]
struct Wish<'a> {
    name: &'a str,
    /// Whether colours are wanted.
    ansi: bool,
    /// How many rows above the screen are.
    history: u32,
}

fn wish<'a>(args: &[&'a str]) -> Result<Wish<'a>, String> {
    let (mut ansi, mut history, mut names) = (false, 0, Vec::new());
    let (optional, plain) = verbs::parted(args);
    let mut args = optional.iter().copied();
    while let Some(arg) = args.next() {
        match arg {
            "--ansi" => ansi = true,
            "--history" => history = lines(args.next().ok_or("--history needs a value")?)?,
            _ if arg.starts_with("--history=") => history = lines(&arg["--history=".len()..])?,
            _ if arg.starts_with('-') => return Err(format!("bad argument {}", escape(arg))),
            name => names.push(name),
        }
    }
    names.extend(plain);
    let &[name] = &names[..] else {
        return Err("screen requires one process name".into());
    };
    Ok(Wish {
        name,
        ansi,
        history,
    })
}

/// A number of lines, as `--history` takes it. More than there can be are all there are.
pub(crate) fn lines(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => Ok(u32::MAX),
        lines => lines.map_err(|_| format!("--history: {} is not a number of lines", escape(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_lines_may_be_more_than_there_are() {
        assert_eq!((lines("0"), lines("12")), (Ok(0), Ok(12)));
        assert_eq!(lines("99999999999"), Ok(u32::MAX));
        assert!(lines("-1").is_err() && lines("1.5").is_err() && lines("").is_err());
    }

    #[test]
    fn a_text_has_the_escapes_of_printf() {
        let bytes = |text| unescape(text).unwrap();
        assert_eq!(bytes(r"ls -l\r"), b"ls -l\r");
        assert_eq!(bytes(r"\n\t\e\\\x1d\xFFé"), b"\n\t\x1b\\\x1d\xff\xc3\xa9");
        assert_eq!(bytes(r"\a\b\f\v\0"), b"\x07\x08\x0c\x0b\0");
        assert_eq!(bytes(r"\033[A\1234\08\377"), b"\x1b[A\x534\x008\xff");
        assert_eq!(bytes(r"\u00fc\u20AC!"), "ü€!".as_bytes());
        assert_eq!(bytes(r"\U0001F600\u41g\Ue9"), "😀Agé".as_bytes());
        assert_eq!(bytes(r#"\x1\xa!\"\'"#), b"\x01\x0a!\"'");
        assert_eq!(bytes(r"\\n\\\n\\\\"), b"\\n\\\n\\\\");
        for bad in [
            r"\",
            r"\q",
            r"\x",
            r"\xg0",
            r"a\",
            r"\\\",
            r"\8",
            r"\400",
            r"\u",
            r"\ué",
            r"\ud800",
            r"\U00110000",
            r"\Uffffffff",
            r"\x+1",
            r"\é",
            r"\ ",
        ] {
            assert!(unescape(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_screen_is_of_one_process() {
        for words in [&["--history", "9"][..], &["--history=9"]] {
            let words = [words, &["--ansi", "web:1"]].concat();
            let asked = wish(&words).unwrap();
            assert_eq!((asked.name, asked.ansi, asked.history), ("web:1", true, 9));
        }
        assert!(wish(&["a", "--history"]).is_err() && wish(&["a", "--history", "-1"]).is_err());
        assert!(wish(&[]).is_err() && wish(&["a", "--frob"]).is_err());
        assert!(wish(&["a", "b"]).is_err());
    }
}
