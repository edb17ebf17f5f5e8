//! The kept output of processes: its end, and an end to it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mio::Token;
use serde_json::{Value, json};
use shared::api::{CLEARED, Cleared, Outcome, Stream, TAIL_LEN_MAX, Tail, TailParams, Verdict};
use shared::event::{Cause, EventKind};
use shared::rpc::{JSONRPC, RpcError, code};

use crate::control::client::Follow;
use crate::control::methods::to_value;
use crate::core::{Process, ProcessId};

use super::Reactor;
use super::attach::no_such_process;

impl Reactor {
    pub(super) fn tail(
        &mut self,
        token: Token,
        id: ProcessId,
        params: &TailParams,
    ) -> Result<Value, RpcError> {
        let process = self.core.process(id).ok_or_else(no_such_process)?;
        let name = process.shown();
        check_stream(process, params)?;
        let stream = params.stream;
        let bytes = usize::try_from(params.bytes.min(TAIL_LEN_MAX)).unwrap_or(usize::MAX);
        let outlet = self.outlet(id).ok_or_else(no_such_process)?;
        let (data, more) = outlet
            .channel(stream)
            .tail(bytes)
            .map_err(|why| RpcError::new(code::NO_LOG, format!("{name}: {why}")))?;
        if params.follow {
            self.follow(token, id, stream)?;
        }
        to_value(&Tail {
            name,
            stream,
            data: STANDARD.encode(data),
            more,
        })
    }

    fn follow(&mut self, token: Token, id: ProcessId, stream: Stream) -> Result<(), RpcError> {
        let (Some(client), Some(outlet)) =
            (self.clients.get_mut(&token), self.outlets.get_mut(&id))
        else {
            return Ok(());
        };
        if client.follows.is_some() {
            return Err(RpcError::new(
                code::BUSY,
                "this connection follows a stream already; use another",
            ));
        }
        client.follows = Some(Follow {
            id,
            stream,
            skipped: 0,
        });
        outlet.channel(stream).followers.push(token);
        Ok(())
    }

    /// What destroys something leaves a trace.
    pub(super) fn note_clear(&mut self, items: &[Result<ProcessId, Outcome>], cause: Cause) {
        let processes = items
            .iter()
            .flatten()
            .filter_map(|&id| self.core.process(id));
        let names = processes.map(Process::shown).collect();
        let verb = "clear".into();
        self.tell(EventKind::Command { verb, names }, cause);
    }

    pub(super) fn clear(&mut self, item: Result<ProcessId, Outcome>) -> Outcome {
        let id = match item {
            Ok(id) => id,
            Err(outcome) => return outcome,
        };
        let name = self
            .core
            .process(id)
            .map(Process::shown)
            .unwrap_or_default();
        let mut failed = None;
        for stream in [Stream::Stdout, Stream::Stderr] {
            let Some(outlet) = self.outlet(id) else { break };
            match outlet.channel(stream).clear() {
                Ok(()) => self.tell_cleared(id, &name, stream),
                Err(why) => failed = failed.or(Some(why)),
            }
        }
        let result = if failed.is_some() {
            Verdict::Failed
        } else {
            Verdict::Cleared
        };
        Outcome {
            name,
            result,
            before: None,
            detail: failed,
        }
    }

    /// Whoever is so far behind that output is skipped for him is spared this too.
    fn tell_cleared(&mut self, id: ProcessId, name: &str, stream: Stream) {
        let Some(outlet) = self.outlets.get_mut(&id) else {
            return;
        };
        let params = Cleared {
            name: name.to_owned(),
            stream,
        };
        let message = json!({"jsonrpc": JSONRPC, "method": CLEARED, "params": params});
        for &token in &outlet.channel(stream).followers {
            if let Some(client) = self.clients.get_mut(&token) {
                client.offer(message.to_string().len(), || &message);
                self.dirty.insert(token);
            }
        }
    }
}

/// Whether the stream is one of its own.
fn check_stream(process: &Process, params: &TailParams) -> Result<(), RpcError> {
    if params.stream == Stream::Stderr && process.spec.is_merged() {
        let message = format!(
            "{}: its standard error is part of its standard output",
            process.shown()
        );
        return Err(RpcError::new(code::NO_LOG, message));
    }
    Ok(())
}
