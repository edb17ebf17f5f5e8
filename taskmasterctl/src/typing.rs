//! `send` and `screen`: type into a process and look at its screen without sitting down at it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use shared::api::{Call, Screen, ScreenParams, SendParams, Sent};
use shared::text::escape;

use crate::exit::Exit;
use crate::job::Job;
use crate::term;

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
    let data = BASE64_STANDARD.encode(bytes);
    let call = Call::Send(SendParams { name, data });
    job.show(&call, |_: &Sent, _| Exit::OK)
}

/// The bytes of a text with the escapes of printf.
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let taken = match (byte, after) {
            (b'\\', [b'x', high, low, ..]) => {
                bytes.push(hex(*high)? << 4 | hex(*low)?);
                4
            }
            (b'\\', [letter, ..]) => {
                bytes.push(escaped(*letter)?);
                2
            }
            (b'\\', []) => return Err("a backslash at the end of the text; write \\\\".into()),
            (byte, _) => {
                bytes.push(byte);
                1
            }
        };
        rest = &rest[taken..];
    }
    Ok(bytes)
}

fn escaped(letter: u8) -> Result<u8, String> {
    match letter {
        b'n' => Ok(b'\n'),
        b'r' => Ok(b'\r'),
        b't' => Ok(b'\t'),
        b'e' => Ok(0x1b),
        b'\\' => Ok(b'\\'),
        other => Err(format!(
            "\\{} is no escape (\\n \\r \\t \\e \\xNN \\\\)",
            other.escape_ascii()
        )),
    }
}

fn hex(digit: u8) -> Result<u8, String> {
    let value = char::from(digit).to_digit(16);
    let value = value.and_then(|value| u8::try_from(value).ok());
    value.ok_or_else(|| "\\x needs two hexadecimal digits".into())
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
    let mut args = args.iter().copied();
    while let Some(arg) = args.next() {
        match arg {
            "--ansi" => ansi = true,
            "--history" => history = lines(args.next().ok_or("--history needs a value")?)?,
            _ if arg.starts_with("--history=") => history = lines(&arg["--history=".len()..])?,
            _ if arg.starts_with('-') => return Err(format!("bad argument {}", escape(arg))),
            name => names.push(name),
        }
    }
    let &[name] = &names[..] else {
        return Err("screen requires one process name".into());
    };
    Ok(Wish {
        name,
        ansi,
        history,
    })
}

/// A number of lines, as `--history` takes it.
pub(crate) fn lines(text: &str) -> Result<u32, String> {
    text.parse()
        .map_err(|_| format!("--history: {} is not a number of lines", escape(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_the_escapes_of_printf() {
        let bytes = |text| unescape(text).unwrap();
        assert_eq!(bytes(r"ls -l\r"), b"ls -l\r");
        assert_eq!(bytes(r"\n\t\e\\\x1d\xFFé"), b"\n\t\x1b\\\x1d\xff\xc3\xa9");
        for bad in [r"\", r"\q", r"\x1", r"\xg0", r"a\"] {
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
