//! Terminals for those who are not attached: a look at the screen, a word typed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use shared::api::{self, ScreenParams, SendParams, Sent};
use shared::event::{Cause, EventKind, Typed};
use shared::rpc::{RpcError, code};

use crate::config::model::Tty;
use crate::control::methods::to_value;
use crate::core::ProcessId;
use crate::limits::TYPED_LEN_MAX;

use super::Reactor;
use super::attach::no_such_process;

impl Reactor {
    /// Types for a client that is not attached. What reaches a process leaves a trace.
    pub(super) fn send(
        &mut self,
        id: ProcessId,
        params: &SendParams,
        cause: Cause,
    ) -> Result<Value, RpcError> {
        let data = STANDARD.decode(&params.data);
        let data = data
            .map_err(|error| RpcError::new(code::INVALID_PARAMS, format!("send: data: {error}")))?;
        let process = self.core.process(id).ok_or_else(no_such_process)?;
        let name = process.shown();
        if process.pid().is_none() {
            let message = format!("{name} does not run");
            return Err(RpcError::new(code::NOT_RUNNING, message));
        }
        if !self.has_terminal(id) {
            let message = format!("{name} has no terminal to type at (tty: none)");
            return Err(RpcError::new(code::NO_TERMINAL, message));
        }
        if self.terminal(id)?.typed.len() + data.len() > TYPED_LEN_MAX {
            let message = format!("{name} does not read what is typed; try again");
            return Err(RpcError::new(code::BUSY, message));
        }
        let bytes = self.type_in(id, &data) as u64;
        let process = name;
        self.tell(EventKind::Typed(Typed { process, bytes }), cause);
        to_value(&Sent { bytes })
    }

    /// What somebody in front of the terminal of a process would see.
    pub(super) fn screen(
        &mut self,
        id: ProcessId,
        params: &ScreenParams,
    ) -> Result<Value, RpcError> {
        let process = self.core.process(id).ok_or_else(no_such_process)?;
        if process.spec.launch.tty == Tty::None {
            let message = format!("{} has no terminal (tty: none); use tail", process.shown());
            return Err(RpcError::new(code::NO_TERMINAL, message));
        }
        let name = process.shown();
        let screen = &mut self.terminal(id)?.screen;
        let number = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        let (rows, cols) = screen.size();
        let (text, styled, (cursor_row, cursor_col)) = screen.look(|model| {
            let ansi = if params.ansi {
                model.ansi()
            } else {
                Vec::new()
            };
            (model.text(), ansi, model.cursor())
        });
        let lines = params.history as usize;
        let ansi = params.ansi.then(|| {
            let rows = [screen.ansi_above(lines), styled].concat();
            STANDARD.encode(rows.join("\n"))
        });
        to_value(&api::Screen {
            name,
            rows: number(rows),
            cols: number(cols),
            cursor_row: number(cursor_row),
            cursor_col: number(cursor_col),
            cursor_visible: screen.is_cursor_visible(),
            alternate: screen.is_alternate(),
            incomplete: screen.is_lost(),
            text,
            history: screen.text_above(lines),
            ansi,
        })
    }
}
