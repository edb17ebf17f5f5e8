//! The dead: seen once, with their last words and their right status, then handed back to the kernel.

use std::io::ErrorKind;

use mio::Token;
use shared::event::{Cause, EventKind};
use shared::state::Exit;

use crate::child::{failure, read_exec_status};
use crate::core::{Input, Pid, ProcessId};
use crate::files::reason;
use crate::limits::{DEATHS_PER_TURN, LEFTOVERS_MAX};
use crate::sys;

use super::Reactor;
use super::sources::Source;

impl Reactor {
    /// Looks for dead children. A signal says that there is at least one, never how many.
    pub(super) fn take_in_deaths(&mut self) {
        if !std::mem::take(&mut self.debts.deaths) {
            return;
        }
        for _ in 0..DEATHS_PER_TURN {
            match sys::peek_dead() {
                Ok(Some((pid, exit))) => self.bury(pid, exit),
                Ok(None) => return,
                Err(error) => {
                    let text = format!("cannot look for dead children: {}", reason(&error));
                    return self.tell(EventKind::Trouble { text }, Cause::Policy);
                }
            }
        }
        self.debts.deaths = true;
    }

    /// One dead child. It is reaped only when the core has drawn its conclusions: until then its number, and
    /// that of its group, is nobody else's.
    fn bury(&mut self, pid: i32, exit: Exit) {
        let Some(incarnation) = self.children.get(&pid) else {
            return self.bury_other(pid);
        };
        let (id, outputs, exec_status) = (
            incarnation.id,
            incarnation.outputs.clone(),
            incarnation.exec_status,
        );
        if let Some(token) = exec_status {
            self.read_exec_status(token);
        }
        self.settle();
        self.tell_state_to_all(id);
        for &token in &outputs {
            self.last_words(token);
        }
        if let Some(terminal) = self
            .outlets
            .get_mut(&id)
            .and_then(|outlet| outlet.terminal.as_deref_mut())
        {
            terminal.exit = Some(exit);
        }
        self.forget_typed(id);
        self.inbox.push_back(Input::Exited {
            id,
            pid: Pid(pid),
            exit,
        });
        self.settle();
        if let Some(incarnation) = self.children.remove(&pid)
            && let Err(child) = incarnation.child.reap()
        {
            // It was dead a moment ago, so this is a bug; without the handle at least the number is freed.
            let text = format!(
                "bug: pid {} was seen dead and cannot be reaped",
                child.pid()
            );
            self.tell(EventKind::Trouble { text }, Cause::Policy);
        }
        self.keep_leftovers(id, &outputs);
    }

    /// A child that is not supervised: the shell, the helper, or an orphan that became ours.
    fn bury_other(&mut self, pid: i32) {
        if let Some(shell) = self.shell.take_if(|shell| shell.pid == pid) {
            (shell.ended)();
            let cause = Cause::Shell;
            self.inbox.push_back(Input::Shutdown {
                ticket: None,
                cause,
            });
        } else if !self.helper_died(pid) && sys::reap(pid).is_err() {
            let text = format!("cannot reap pid {pid}");
            self.tell(EventKind::Trouble { text }, Cause::Policy);
        }
    }

    pub(super) fn is_shell(&self, pid: i32) -> bool {
        let shell = self.shell.as_ref();
        shell.is_some_and(|shell| shell.pid == pid)
    }

    /// Where a grandchild keeps the terminals and pipes of the dead open, only the last few are listened to.
    fn keep_leftovers(&mut self, id: ProcessId, outputs: &[Token]) {
        let leftovers = self.leftovers.entry(id).or_default();
        leftovers.extend(outputs);
        leftovers.retain(|&token| self.sources.get(token).is_some());
        let too_many = leftovers.len().saturating_sub(LEFTOVERS_MAX);
        let dropped: Vec<Token> = leftovers.drain(..too_many).collect();
        if leftovers.is_empty() {
            self.leftovers.remove(&id);
        }
        for token in dropped {
            self.close_output(token);
        }
    }

    /// Children that have said how their exec went.
    pub(super) fn take_in_exec_status(&mut self) {
        for token in std::mem::take(&mut self.debts.exec_status) {
            self.read_exec_status(token);
        }
    }

    /// Five bytes are the step that failed and why. Until the pipe has ended the child may still be at work with
    /// what it was lent, whatever it said.
    fn read_exec_status(&mut self, token: Token) {
        let mut bytes = [0; 16];
        loop {
            let Some(Source::ExecStatus { pid, becoming }) = self.sources.get_mut(token) else {
                return;
            };
            let pid = *pid;
            match becoming.read(&mut bytes) {
                Ok(len @ 1..) => self.not_executed(pid, &bytes[..len]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Ok(0) | Err(_) => {
                    self.sources.remove(token);
                    if let Some(incarnation) = self.children.get_mut(&pid) {
                        incarnation.exec_status = None;
                        let id = incarnation.id;
                        self.inbox.push_back(Input::Executed { id, pid: Pid(pid) });
                        self.readmit(id);
                    }
                }
            }
        }
    }

    /// A child has said why it is not its program.
    fn not_executed(&mut self, pid: i32, said: &[u8]) {
        let Some(incarnation) = self.children.get(&pid) else {
            return;
        };
        let id = incarnation.id;
        if let (Some((stage, errno)), Some(process)) =
            (read_exec_status(said), self.core.process(id))
        {
            let failure = failure(stage, errno, &process.spec.launch);
            self.inbox.push_back(Input::ExecFailed {
                id,
                pid: Pid(pid),
                failure,
            });
        }
    }
}
