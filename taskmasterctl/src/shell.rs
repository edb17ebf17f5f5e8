//! The shell: commands line by line, edited and remembered at a terminal, or read from a pipe.
//!
//! It holds no connection: each command makes its own, so a daemon that went away and came back is no matter.

use std::fs::{self, DirBuilder};
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use crate::complete::Completion;
use crate::exit::Exit;
use crate::interrupts::Interrupts;
use crate::term;
use crate::verbs::{self, Line, Session};
use crate::words;

const PROMPT: &str = "taskmaster> ";
/// The longest line, in bytes: as much as the daemon reads.
const LINE_LEN_MAX: usize = 64 * 1024;
/// How many lines the history keeps.
const HISTORY_LEN_MAX: usize = 1000;

type Terminal<'a> = Editor<Completion<'a>, FileHistory>;

/// What becomes of the shell after a line.
enum After {
    /// It goes on; this is how the command ended.
    Next(Exit),
    /// It goes on, but not with what was pasted behind the command.
    Dropped,
    Quit,
}

/// Reads and carries out commands until there are no more.
pub(crate) fn run(session: &Session) -> Exit {
    if !io::stdin().is_terminal() {
        return read_commands(session, BufReader::with_capacity(1, Input));
    }
    match edit_commands(session) {
        Ok(()) => Exit::OK,
        Err(error) if has_hung_up(&error) => Exit::HUNG_UP,
        Err(error) => {
            let reason = match error {
                ReadlineError::Io(error) => term::reason(&error),
                ReadlineError::Errno(errno) => term::reason(&errno.into()),
                other => other.to_string(),
            };
            term::complain(&format!("taskmasterctl: terminal: {reason}"));
            Exit::FAILED
        }
    }
}

/// Whether the terminal is gone, so that nobody is there to be told.
fn has_hung_up(error: &ReadlineError) -> bool {
    match error {
        ReadlineError::Io(error) => term::has_hung_up(error),
        ReadlineError::Errno(errno) => term::has_hung_up(&io::Error::from(*errno)),
        _ => false,
    }
}

/// Standard input as it is, without the buffer of the standard library: what stands behind a line is there for the
/// command on it, as in any shell.
struct Input;

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(nix::unistd::read(io::stdin(), buffer)?)
    }
}

/// Commands from a pipe or a file: no prompt, no questions, and the code of the last failure at the end.
fn read_commands(session: &Session, mut input: impl BufRead) -> Exit {
    let mut exit = Exit::OK;
    loop {
        let line = match next_line(&mut input) {
            Ok(Some(line)) => line,
            Ok(None) => return exit,
            Err(error) => {
                let reason = term::reason(&error);
                term::complain(&format!("taskmasterctl: standard input: {reason}"));
                return Exit::FAILED;
            }
        };
        match obey(session, &line, |_| Some(true)) {
            After::Next(Exit::OK) | After::Dropped => {}
            After::Next(failure) => exit = failure,
            After::Quit => return exit,
        }
    }
}

/// The next line, of which no more is kept than shows that it is too long.
fn next_line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let limit = LINE_LEN_MAX as u64 + 2;
    input.by_ref().take(limit).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if !line.ends_with(b"\n") && line.len() as u64 == limit {
        input.skip_until(b'\n')?;
    }
    Ok(Some(String::from_utf8_lossy(&line).trim().into()))
}

/// Commands from a terminal.
fn edit_commands(session: &Session) -> rustyline::Result<()> {
    let interrupts = Interrupts::hold().map_err(io::Error::from)?;
    let mut editor = editor(session)?;
    let history = history_file(absolute("HOME"), absolute("XDG_STATE_HOME"));
    if let Some(file) = &history {
        // None there yet, or none to be read: then nothing is remembered.
        let _ = editor.load_history(file);
    }
    obey(session, "status", |_| Some(true));
    interrupts.forget();
    loop {
        let text = match editor.readline(PROMPT) {
            Ok(text) => text,
            Err(ReadlineError::Interrupted) => {
                term::print(b"^C\n");
                continue;
            }
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(error),
        };
        interrupts.forget();
        // What was pasted may have many.
        for line in text.lines() {
            remember(&mut editor, line, history.as_deref());
            let after = obey(session, line, |question| confirmed(&mut editor, question));
            let interrupted = interrupts.forget();
            match after {
                After::Next(_) if !interrupted => {}
                After::Next(_) | After::Dropped => break,
                After::Quit => return Ok(()),
            }
        }
    }
}

fn editor(session: &Session) -> rustyline::Result<Terminal<'_>> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .max_history_size(HISTORY_LEN_MAX)?
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Completion::new(&session.daemon)));
    Ok(editor)
}

/// Carries out one line; `confirm` is asked before what cannot be taken back, and has no answer after Ctrl-C.
fn obey(session: &Session, line: &str, confirm: impl FnOnce(&str) -> Option<bool>) -> After {
    if line.len() > LINE_LEN_MAX {
        term::complain(&format!(
            "a line of more than {LINE_LEN_MAX} bytes is not read"
        ));
        return After::Next(Exit::USAGE);
    }
    let words = match words::split(line) {
        Ok(words) => words,
        Err(unclosed) => return After::Next(verbs::refuse(session, &unclosed)),
    };
    if let Some(line) = Line::read(&words) {
        // With more words it is misused, or help is wanted.
        let bare = line.is_bare();
        if bare && line.verb.name == "quit" {
            return After::Quit;
        }
        let question = line.verb.confirm.filter(|_| bare);
        match question.map_or(Some(true), confirm) {
            Some(true) => {}
            Some(false) => return After::Next(Exit::OK),
            None => return After::Dropped,
        }
    }
    After::Next(verbs::dispatch(session, &words))
}

/// Whatever is no yes is a no, Ctrl-D too; Ctrl-C is neither.
fn confirmed(editor: &mut Terminal<'_>, question: &str) -> Option<bool> {
    match editor.readline(question) {
        Ok(answer) => Some(answer.trim_start().starts_with(['y', 'Y'])),
        Err(ReadlineError::Interrupted) => None,
        Err(_) => Some(false),
    }
}

/// Takes a line into the history, and at once into its file: a shell may end in many ways.
fn remember(editor: &mut Terminal<'_>, line: &str, file: Option<&Path>) {
    if line.trim().is_empty() || line.len() > LINE_LEN_MAX {
        return;
    }
    let added = editor.add_history_entry(line).unwrap_or(false);
    if let Some(file) = file.filter(|_| added) {
        // A full disk is no reason not to carry out the command.
        let _ = editor.append_history(file);
    }
}

/// Where the history is kept: with the state of the effective user, or nowhere. Under sudo the home may be
/// somebody else's, who could not write our file any more.
fn history_file(home: Option<PathBuf>, state: Option<PathBuf>) -> Option<PathBuf> {
    let home = home.filter(|home| is_ours(home))?;
    let state = state.unwrap_or_else(|| home.join(".local/state"));
    if !state
        .ancestors()
        .find(|dir| dir.exists())
        .is_some_and(is_ours)
    {
        return None;
    }
    let dir = state.join("taskmaster");
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(&dir).ok()?;
    let file = dir.join("history");
    match fs::symlink_metadata(&file) {
        Ok(found) if !found.is_file() => None,
        Ok(_) | Err(_) => Some(file),
    }
}

fn absolute(variable: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os(variable)?);
    path.is_absolute().then_some(path)
}

fn is_ours(path: &Path) -> bool {
    let owner = fs::metadata(path).map(|found| found.uid());
    owner.is_ok_and(|uid| uid == nix::unistd::geteuid().as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_a_newline_or_with_the_input() {
        let mut input: &[u8] = b"one\n\n\xff two\r\nlast";
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut input).unwrap() {
            lines.push(line);
        }
        assert_eq!(lines, ["one", "", "\u{fffd} two", "last"]);
    }

    #[test]
    fn of_a_line_too_long_nothing_is_taken_for_the_next() {
        let text = format!("{}\nnext\n", "x".repeat(3 * LINE_LEN_MAX));
        let mut input = text.as_bytes();
        let mut next = || next_line(&mut input).unwrap();
        assert!(next().is_some_and(|line| line.len() > LINE_LEN_MAX));
        assert_eq!(next().as_deref(), Some("next"));
    }

    #[test]
    fn the_history_is_kept_in_a_home_of_our_own_or_nowhere() {
        let home = std::env::temp_dir().join(format!("ctl-home-{}", std::process::id()));
        fs::create_dir(&home).unwrap();
        let file = history_file(Some(home.clone()), None).unwrap();
        assert_eq!(file, home.join(".local/state/taskmaster/history"));
        let mode = fs::metadata(file.parent().unwrap()).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700);
        let elsewhere = history_file(Some(home.clone()), Some(home.join("state")));
        assert_eq!(elsewhere, Some(home.join("state/taskmaster/history")));
        assert_eq!(history_file(None, Some(home.clone())), None);
        fs::create_dir(&file).unwrap();
        assert_eq!(history_file(Some(home.clone()), None), None);

        // As root everything can be made foreign; otherwise most of the system is.
        let foreign = if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(&home, Some(65_534), None).unwrap();
            home.clone()
        } else {
            PathBuf::from("/")
        };
        assert_eq!(history_file(Some(foreign), None), None);
        fs::remove_dir_all(&home).unwrap();
    }
}
