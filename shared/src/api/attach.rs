//! The methods that have to do with the terminal of a process: `attach`, `send`, `screen`.
//!
//! `attach` turns its connection into one of frames: after the newline of a successful answer both sides speak
//! [`crate::frame`], and JSON no more.

use serde::{Deserialize, Serialize};

use crate::name::Selector;
use crate::state::{Exit, State};

/// The version of the frames. A daemon refuses one that it does not speak.
pub const ATTACH_VERSION: u32 = 1;

/// The longest name of a kind of terminal, in bytes; the longest that terminfo has is half of it.
pub const TERM_LEN_MAX: usize = 64;

/// Parameters of `attach`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachParams {
    /// One process.
    pub name: Selector,
    /// [`ATTACH_VERSION`], as the client knows it.
    pub version: u32,
    /// The rows of the client's terminal; 0 where there is none.
    #[serde(default)]
    pub rows: u16,
    /// Its columns.
    #[serde(default)]
    pub cols: u16,
    /// Its width in pixels; 0 where that is not known.
    #[serde(default)]
    pub xpixel: u16,
    /// Its height in pixels.
    #[serde(default)]
    pub ypixel: u16,
    /// What kind of terminal it is, at most [`TERM_LEN_MAX`] bytes.
    #[serde(default)]
    pub term: String,
    /// Only look: nothing is typed, and the size is not ours to say.
    #[serde(default)]
    pub read_only: bool,
    /// Detach everybody else.
    #[serde(default)]
    pub steal: bool,
    /// Begin with what comes, not with what is on the screen.
    #[serde(default)]
    pub no_replay: bool,
    /// Leave the size of the process's terminal alone.
    #[serde(default)]
    pub ignore_size: bool,
    /// The client shows text and colours only: no snapshot holds anything else, and its terminal answers nothing.
    #[serde(default)]
    pub plain: bool,
    /// What the client sends comes from no terminal, which could say something of itself: all of it was typed.
    #[serde(default)]
    pub piped: bool,
    /// How many lines that scrolled off the screen come before it.
    #[serde(default)]
    pub history: u32,
}

impl AttachParams {
    /// To attach to `name` from nowhere in particular.
    pub fn new(name: Selector) -> Self {
        Self {
            name,
            version: ATTACH_VERSION,
            rows: 0,
            cols: 0,
            xpixel: 0,
            ypixel: 0,
            term: String::new(),
            read_only: false,
            steal: false,
            no_replay: false,
            ignore_size: false,
            plain: false,
            piped: false,
            history: 0,
        }
    }
}

/// What terminal a process has, as its descriptors 0, 1 and 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tty {
    /// One for input, output and errors.
    Full,
    /// One for input and output; errors come apart.
    Split,
    /// None: input is the null device, output and errors are pipes.
    None,
}

/// What `attach` answers, before the frames begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// The version that is spoken.
    pub version: u32,
    /// The process's shown name.
    pub name: String,
    /// Its terminal.
    pub tty: Tty,
    /// Its pid, while it has one.
    pub pid: Option<i32>,
    /// Its state.
    pub state: State,
    /// How it last ended, if it has.
    #[serde(default)]
    pub exit: Option<Exit>,
    /// When it is tried again, in milliseconds, where it is.
    #[serde(default)]
    pub retry_in_ms: Option<u64>,
    /// Why it could not be started, in supervisor's words, where it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often it was started.
    #[serde(default)]
    pub starts: u64,
    /// Whether the size of its terminal is now ours.
    pub leader: bool,
    /// How many others are attached.
    pub others: u32,
}

/// A client that is attached to a process, as `status` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// Its user, by the kernel's word.
    pub uid: u32,
    /// That user's name. The daemon does not look names up; `taskmasterctl` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Its pid when it connected.
    pub pid: i32,
    /// The rows of its terminal; 0 where there is none.
    pub rows: u16,
    /// Its columns.
    pub cols: u16,
    /// What kind of terminal it says that is.
    pub term: String,
    /// Whether it only looks.
    pub read_only: bool,
    /// Whether the size of the process's terminal is that of its own.
    pub leader: bool,
    /// Since when it is attached, in milliseconds since 1970.
    pub since: u64,
}

/// The payload of the frame EXITED.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exited {
    /// How it ended, where it had begun.
    pub exit: Option<Exit>,
    /// Its state now.
    pub state: State,
    /// When it is tried again, in milliseconds, where it is.
    pub retry_in_ms: Option<u64>,
    /// Whether nothing will come of that name any more: it left the configuration, or the daemon stops.
    #[serde(default)]
    pub gone: bool,
    /// Why it could not be started, in supervisor's words, where it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often it was started: what is told twice is no news.
    #[serde(default)]
    pub starts: u64,
}

/// The payload of the frame RESTARTED.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restarted {
    /// The new pid.
    pub pid: i32,
    /// Its terminal, which a reload may have changed.
    pub tty: Tty,
}

/// Parameters of `send`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendParams {
    /// One process.
    pub name: Selector,
    /// The bytes to type, in base64.
    pub data: String,
}

/// What `send` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// How many bytes were taken.
    pub bytes: u64,
}

/// Parameters of `screen`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScreenParams {
    /// One process.
    pub name: Selector,
    /// Whether colours and attributes are wanted too, in [`Screen::ansi`].
    #[serde(default)]
    pub ansi: bool,
    /// How many rows that scrolled off the screen are wanted too, in [`Screen::history`].
    #[serde(default)]
    pub history: u32,
}

/// What `screen` answers: what somebody in front of the terminal would see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Screen {
    /// The process's shown name.
    pub name: String,
    /// How many rows the terminal has.
    pub rows: u16,
    /// How many columns.
    pub cols: u16,
    /// The row of the cursor, from 0.
    pub cursor_row: u16,
    /// Its column, from 0.
    pub cursor_col: u16,
    /// Whether it is shown.
    pub cursor_visible: bool,
    /// Whether this is the alternate screen, as full-screen programs use it.
    pub alternate: bool,
    /// Whether more was drawn than the daemon follows: then this is what the last lines look like.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// The lines, without the blanks at their ends.
    pub text: Vec<String>,
    /// The rows that scrolled off above them, as far as they are kept and were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<String>,
    /// All of them with colours and attributes, in base64, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ansi: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Call;
    use serde_json::json;

    #[test]
    fn all_but_the_name_and_the_version_have_defaults() {
        let params = json!({"name": "web:1", "version": 1});
        let want = Call::Attach(AttachParams::new("web:1".parse().unwrap()));
        assert_eq!(Call::read("attach", params), Ok(want));
        assert!(Call::read("attach", json!({"name": "web:1"})).is_err());
    }

    #[test]
    fn what_the_frames_carry_reads_back() {
        let exited: Exited = serde_json::from_value(
            json!({"exit": {"code": 1}, "state": "BACKOFF", "retry_in_ms": 2000, "gone": false}),
        )
        .unwrap();
        assert_eq!(exited.exit, Some(Exit::Code(1)));
        assert_eq!(
            (exited.state, exited.retry_in_ms),
            (State::Backoff, Some(2000))
        );
        assert_eq!(json!(Tty::Split), json!("split"));
    }
}
