//! Wishes of the core become deeds, and deeds that can fail are answered.

use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;
use shared::api::Reloaded;
use shared::event::{Cause, EventKind};
use shared::rpc::{RpcError, code};

use crate::child::output::CrStripper;
use crate::child::pty::Window;
use crate::child::{Order, Spawned, Stderr, failure, spawn};
use crate::config::model::Output as Destination;
use crate::control::methods::to_value;
use crate::core::{Aim, Answer, Effect, Failure, Input, Pid, Process, ProcessId, Ticket};
use crate::files::reason;
use shared::api::Stream;

use super::attach::End;
use super::news::{NO_PID, Speaker};
use super::outlets::Outlet;
use super::sources::{Output, Source};
use super::{Incarnation, Reactor};

impl Reactor {
    /// Does what the core wishes; an answer is its next input.
    pub(super) fn perform(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Spawn { id } => return Some(self.spawn(id)),
            Effect::Kill {
                id,
                pid,
                signal,
                aim,
            } => self.kill(id, pid, signal, aim),
            Effect::Signal {
                id,
                pid,
                signal,
                cause,
            } => {
                let refused = self.send_signal(id, pid, signal, Aim::Leader).err();
                return Some(Input::Signalled {
                    id,
                    pid,
                    signal,
                    cause,
                    refused,
                });
            }
            Effect::Redirect { id, stream } => self.redirect(id, stream),
            Effect::Forget { id, shown } => self.forget(id, shown),
            Effect::Event { kind, cause } => self.tell(kind, cause),
            Effect::Reply { ticket, answer } => self.reply(ticket, answer),
            Effect::Leave => self.leave(),
        }
        None
    }

    fn spawn(&mut self, id: ProcessId) -> Input {
        match self.try_spawn(id) {
            Ok(pid) => Input::Spawned { id, pid },
            Err(failure) => Input::SpawnFailed { id, failure },
        }
    }

    fn try_spawn(&mut self, id: ProcessId) -> Result<Pid, Failure> {
        let process = self
            .core
            .process(id)
            .expect("the core spawns what it knows");
        let terminal = self.known_terminal(id);
        let window = terminal.map_or(Window::default(), |terminal| terminal.window);
        let spec = Arc::clone(&process.spec);
        let stderr = if spec.stderr == Destination::Stdout {
            Stderr::WithStdout
        } else {
            Stderr::Own
        };
        let order = Order::new(&spec.launch, &process.name, stderr, window, &self.heritage)?;
        self.outlet(id);
        let spawned =
            spawn(&Rc::new(order)).map_err(|(stage, errno)| failure(stage, errno, &spec.launch))?;
        Ok(self.take_charge(id, spawned))
    }

    /// Where the output of a process goes; made at its first start or the first look at it.
    pub(super) fn outlet(&mut self, id: ProcessId) -> Option<&mut Outlet> {
        let process = self.core.process(id)?;
        let at = self.at();
        let who = Speaker::of(&self.core, id, NO_PID);
        let news = &mut self.news;
        let outlet = self
            .outlets
            .entry(id)
            .or_insert_with(|| Outlet::new(&process.spec, at, news, &who));
        Some(outlet)
    }

    /// Listens to a new child. What cannot be listened to is closed, and the child finds that out by itself.
    fn take_charge(&mut self, id: ProcessId, spawned: Spawned) -> Pid {
        let Spawned {
            child,
            terminal,
            stdout,
            stderr,
            exec_status,
        } = spawned;
        let pid = Pid(child.pid());
        let mut outputs = Vec::new();
        let streams = [
            (terminal, Stream::Stdout, Some(CrStripper::default())),
            (stdout, Stream::Stdout, None),
            (stderr, Stream::Stderr, None),
        ];
        for (fd, stream, terminal) in streams {
            let Some(fd) = fd else { continue };
            let source = |fd| {
                Source::Output(Output {
                    id,
                    pid,
                    stream,
                    fd,
                    terminal,
                    orphaned: false,
                    wants_room: false,
                })
            };
            match self.sources.add_owned(fd, source) {
                Ok(token) => outputs.push(token),
                Err(error) => {
                    let text = format!(
                        "cannot listen to the output of pid {}: {}",
                        pid.0,
                        reason(&error)
                    );
                    self.tell(EventKind::Trouble { text }, Cause::Policy);
                }
            }
        }
        if let Some(outlet) = self.outlets.get_mut(&id)
            && let Some(terminal) = &mut outlet.terminal
        {
            terminal.born();
        }
        let status_fd = exec_status.as_fd().as_raw_fd();
        let source = || Source::ExecStatus {
            pid: pid.0,
            becoming: exec_status,
        };
        let exec_status = self.sources.add_fd(&status_fd, source).ok();
        if exec_status.is_none() {
            // Nothing more will be heard of its exec.
            self.inbox.push_back(Input::Executed { id, pid });
        }
        self.children.insert(
            pid.0,
            Incarnation {
                id,
                child,
                exec_status,
                outputs,
            },
        );
        pid
    }

    /// The one way to signal a supervised process: through a handle that is gone once it is reaped.
    fn kill(&mut self, id: ProcessId, pid: Pid, signal: i32, aim: Aim) {
        if let Err(text) = self.send_signal(id, pid, signal, aim) {
            self.tell(EventKind::Trouble { text }, Cause::Policy);
        }
    }

    fn send_signal(&self, id: ProcessId, pid: Pid, signal: i32, aim: Aim) -> Result<(), String> {
        let children = &self.children;
        let incarnation = children.get(&pid.0).filter(|found| found.id == id);
        let sent = incarnation.map_or(Ok(()), |incarnation| match aim {
            Aim::Leader => incarnation.child.signal(signal),
            Aim::Group => incarnation.child.signal_group(signal),
        });
        sent.map_err(|error| {
            let process = self.core.process(id).map(Process::shown);
            format!(
                "cannot send {} to {} (pid {}): {}",
                shared::signal::name(signal),
                process.unwrap_or_default(),
                pid.0,
                reason(&error)
            )
        })
    }

    fn redirect(&mut self, id: ProcessId, stream: Stream) {
        let at = self.at();
        let (Some(process), Some(outlet)) = (self.core.process(id), self.outlets.get_mut(&id))
        else {
            return;
        };
        let who = Speaker::of(&self.core, id, NO_PID);
        outlet.redirect(stream, &process.spec, at, &mut self.news, &who);
    }

    fn forget(&mut self, id: ProcessId, shown: String) {
        let Some(mut outlet) = self.outlets.remove(&id) else {
            return;
        };
        self.attended.remove(&id);
        if let Some(terminal) = outlet.terminal.take() {
            self.dismiss_viewers(&terminal.viewers, terminal.exit, &End::Removed);
        }
        let (at, pid) = (self.at(), NO_PID);
        let who = Speaker {
            shown,
            pid,
            shares_logs: false,
        };
        for channel in outlet.channels() {
            channel.finish_all(at, &mut self.news, &who);
            for token in std::mem::take(&mut channel.followers) {
                self.end_of_following(token);
            }
        }
    }

    /// The last thing the daemon does.
    fn leave(&mut self) {
        for id in std::mem::take(&mut self.attended) {
            let exit = self.core.process(id).and_then(|process| process.exit);
            if let Ok(terminal) = self.terminal(id) {
                let viewers = terminal.viewers.clone();
                self.dismiss_viewers(&viewers, exit, &End::DaemonStopped);
            }
        }
        let at = self.at();
        for (&id, outlet) in &mut self.outlets {
            let who = Speaker::of(&self.core, id, NO_PID);
            for channel in outlet.channels() {
                channel.finish_all(at, &mut self.news, &who);
            }
        }
        self.leaving = true;
    }

    fn reply(&mut self, ticket: Ticket, answer: Answer) {
        let outcome: Result<Value, RpcError> = match answer {
            Answer::Outcomes(outcomes) => to_value(&outcomes),
            Answer::Reloaded(plan) => to_value(&Reloaded {
                applied: true,
                plan,
            }),
            Answer::Down(done) => to_value(&done),
            Answer::ShuttingDown => Err(shutting_down()),
        };
        self.answer(ticket, outcome);
    }
}

/// The answer to those who come too late.
pub(super) fn shutting_down() -> RpcError {
    RpcError::new(code::SHUTTING_DOWN, "the daemon is shutting down")
}
