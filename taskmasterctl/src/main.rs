//! taskmasterctl: the control command of taskmaster, and without a command its shell.
//!
//! Everything it knows it asks the daemon over the control socket; it keeps no state of its own but the
//! shell's history. [`verbs`] is the table of its commands, [`deeds`] carries them out as [`job`]s, [`call`] talks to the
//! daemon, [`mod@print`] words the answers.

mod attach;
mod call;
mod complete;
mod deeds;
mod exit;
mod interrupts;
mod job;
mod print;
mod shell;
mod tail;
mod term;
mod typing;
mod users;
mod verbs;
mod whose;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;
use shared::paths;
use shared::text::escape;

use call::Daemon;
use exit::Exit;
use verbs::Session;

/// What the command line asks for.
#[derive(Debug, PartialEq)]
enum Wish {
    Help,
    Version,
    /// The words of one command; none of them for the shell.
    Command {
        socket: Option<PathBuf>,
        json: bool,
        words: Vec<String>,
    },
}

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == attach::GUARDIAN) {
        return attach::guard(words);
    }
    let code = match wish(std::env::args_os().skip(1)) {
        Ok(Wish::Help) => {
            term::print(verbs::overview().as_bytes());
            Exit::OK
        }
        Ok(Wish::Version) => {
            term::print(concat!("taskmasterctl ", env!("CARGO_PKG_VERSION"), "\n").as_bytes());
            Exit::OK
        }
        Ok(Wish::Command {
            socket,
            json,
            words,
        }) => obey(socket, json, &words),
        Err(problem) => {
            term::complain(&format!(
                "taskmasterctl: {}; try --help",
                escape(&problem.to_string())
            ));
            Exit::USAGE
        }
    };
    code.into()
}

fn obey(socket: Option<PathBuf>, json: bool, words: &[String]) -> Exit {
    let session = Session {
        daemon: daemon(socket),
        json,
    };
    if words.is_empty() {
        shell::run(&session)
    } else {
        verbs::dispatch(&session, &words_of(words))
    }
}

/// The words of a command. supervisorctl reads its arguments as one line, and `"web api"` is two names for it; what is
/// to be typed somewhere, or is a key, is left as it is.
fn words_of(arguments: &[String]) -> Vec<&str> {
    let whole = arguments.iter().map(String::as_str);
    let words: Vec<&str> = whole.clone().flat_map(str::split_whitespace).collect();
    match words.first() {
        None | Some(&("send" | "attach" | "fg")) => whole.collect(),
        Some(_) => words,
    }
}

/// Reads the options that stand before the command; what follows it is the command's own.
fn wish(args: impl IntoIterator<Item = OsString>) -> Result<Wish, lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(args);
    let (mut socket, mut json, mut words) = (None, false, Vec::new());
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Wish::Help),
            Short('V') | Long("version") => return Ok(Wish::Version),
            Short('s') | Long("socket" | "serverurl") => {
                let named = paths::socket_named(parser.value()?);
                if named.as_os_str().is_empty() {
                    return Err("an empty path names nothing".into());
                }
                // As supervisor's may be.
                if named.starts_with("http:") || named.starts_with("https:") {
                    return Err("there is no server on the network; name a socket's path".into());
                }
                socket = Some(named);
            }
            Long("json") => json = true,
            Value(word) => {
                words.push(word.to_string_lossy().into_owned());
                let rest = parser.raw_args()?;
                words.extend(rest.map(|word| word.to_string_lossy().into_owned()));
                break;
            }
            Short(_) | Long(_) => return Err(arg.unexpected()),
        }
    }
    Ok(Wish::Command {
        socket,
        json,
        words,
    })
}

/// The daemon that an option names, or else the environment, or else the usual one.
fn daemon(option: Option<PathBuf>) -> Daemon {
    let variable = || std::env::var_os(paths::SOCKET_VARIABLE).map(paths::socket_named);
    let variable = || variable().filter(|named| !named.as_os_str().is_empty());
    match option.or_else(variable) {
        Some(named) => Daemon::at(named),
        None => {
            let runtime_dir = std::env::var("XDG_RUNTIME_DIR").ok();
            let uid = nix::unistd::geteuid().as_raw();
            Daemon::usual(paths::default_socket(uid, runtime_dir.as_deref()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Wish {
        wish(line.split_whitespace().map(OsString::from)).unwrap()
    }

    fn words(line: &str) -> Vec<String> {
        match read(line) {
            Wish::Command { words, .. } => words,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_stand_before_the_command_and_its_own_after_it() {
        assert_eq!(
            read("-s /a --json tail -f web"),
            Wish::Command {
                socket: Some("/a".into()),
                json: true,
                words: ["tail", "-f", "web"].map(String::from).to_vec(),
            }
        );
        assert_eq!(words("signal -9 web"), ["signal", "-9", "web"]);
        assert_eq!(words("start -s x"), ["start", "-s", "x"]);
        assert_eq!(words(""), [""; 0]);
    }

    #[test]
    fn an_argument_may_be_more_than_one_word() {
        let split = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|&word| word.into()).collect();
            words_of(&arguments).join("|")
        };
        assert_eq!(split(&["restart", "web api:0", ""]), "restart|web|api:0");
        assert_eq!(split(&["status web"]), "status|web");
        assert_eq!(split(&["send", "web", "ls -l\\n"]), "send|web|ls -l\\n");
        assert_eq!(split(&[""]), "");
    }

    #[test]
    fn help_and_version_win_and_unknown_options_are_refused() {
        assert_eq!(read("--json -h"), Wish::Help);
        assert_eq!(read("-V status"), Wish::Version);
        assert!(wish(["--frob".into()]).is_err());
        assert!(wish(["-s".into()]).is_err());
        for url in ["--serverurl=http://localhost:9001", "-shttps://x"] {
            let refused = wish([url.into()]).unwrap_err().to_string();
            assert!(refused.contains("no server on the network"), "{refused}");
        }
        for empty in ["--socket=", "--socket=unix://"] {
            let refused = wish([empty.into()]).unwrap_err().to_string();
            assert_eq!(refused, "an empty path names nothing");
        }
    }
}
