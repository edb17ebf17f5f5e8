//! What comes of a reload: put into force or refused, and told to those who asked.

use serde_json::Value;
use shared::api::{KeyChange, Reloaded};
use shared::event::{Cause, EventKind};
use shared::rpc::{RpcError, code};

use crate::config::change;
use crate::config::model::Config;
use crate::control::methods::to_value;
use crate::core::{Input, Ticket};
use crate::reactor::Reactor;
use crate::reactor::perform::shutting_down;

use super::{Asker, Found};

impl Reactor {
    /// What the helper found good is compared, or put into force, for each who asked and for whom there is time; the
    /// others have their turn in the next.
    pub(super) fn put_into_force(&mut self) {
        let Some(Found { config, askers }) = self.reloads.found.take() else {
            return;
        };
        let left = self.serve_in_time(askers.into_iter(), |reactor, asker, _| {
            reactor.put_into_force_for(asker, &config);
        });
        let askers: Vec<Asker> = left.collect();
        if !askers.is_empty() {
            self.reloads.found = Some(Found { config, askers });
        }
    }

    fn put_into_force_for(&mut self, asker: Asker, config: &Config) {
        let missed = self.missed(config);
        if !missed.is_empty() && !asker.params.allow_empty {
            return self.refuse_reload(vec![asker], &missed);
        }
        if asker.params.dry_run {
            let plan = self.core.plan(config);
            let applied = false;
            let answer = to_value(&Reloaded { applied, plan });
            return self.answer_asker(asker.ticket, answer);
        }
        let Asker { cause, ticket, .. } = asker;
        let settings = change::settings(self.core.config(), config);
        self.inbox.push_back(Input::Reload {
            ticket,
            cause: cause.clone(),
            config: config.clone(),
        });
        self.settle();
        self.tell_waiting(&settings, cause);
        self.warn(config.warnings.clone());
    }

    /// Where something seems to be missing from a configuration: a truncated file must not stop its programs, nor a
    /// directory that was moved away those in it.
    fn missed(&self, config: &Config) -> Vec<String> {
        let blank = config.blank_files.iter().map(|file| {
            format!("{file}: empty, as a truncated file is; delete it, or use reload --allow-empty")
        });
        let before = &self.core.config().directories;
        let gone = config
            .directories
            .iter()
            .filter(|(directory, is_there)| !**is_there && before.get(*directory) == Some(&true));
        let gone = gone.map(|(directory, _)| {
            let shown = directory.display();
            format!("{shown}: missing, and it is to be included from; make it, or use reload --allow-empty")
        });
        let empties = config.programs.is_empty() && !self.core.config().programs.is_empty();
        let nothing = (empties && !config.empty_on_purpose).then(|| {
            format!(
                "{}: no programs; write \"programs: {{}}\" or use reload --allow-empty to stop all of them",
                self.reloads.path.display()
            )
        });
        blank.chain(gone).chain(nothing).collect()
    }

    /// Tells of settings that changed and are not in force; again at each reload, until they are.
    fn tell_waiting(&mut self, settings: &[KeyChange], cause: Cause) {
        if settings.is_empty() {
            return;
        }
        let keys: Vec<&str> = settings.iter().map(|change| &*change.key).collect();
        let text = format!(
            "changed, and waiting for the next start of the daemon: {}",
            keys.join(", ")
        );
        self.tell(EventKind::Notice { text }, cause);
    }

    pub(super) fn refuse_reload(&mut self, askers: Vec<Asker>, problems: &[String]) {
        for asker in askers {
            if !asker.params.dry_run {
                for reason in problems {
                    self.tell(
                        EventKind::ReloadRefused {
                            reason: reason.clone(),
                        },
                        asker.cause.clone(),
                    );
                }
            }
            let data = problems
                .iter()
                .map(|problem| Value::from(problem.as_str()))
                .collect();
            let message = format!(
                "the configuration has problems, nothing changed:\n{}",
                problems.join("\n")
            );
            let error = RpcError {
                code: code::RELOAD_REFUSED,
                message,
                data: Some(Value::Array(data)),
            };
            self.answer_asker(asker.ticket, Err(error));
        }
    }

    /// A shutdown does not wait for a helper, and what that one brings would come too late.
    pub(super) fn refuse_while_leaving(&mut self) {
        if !self.core.is_leaving() {
            return;
        }
        for asker in self.reloads.take_doers() {
            let reason = "the daemon is shutting down".into();
            self.tell(EventKind::ReloadRefused { reason }, asker.cause);
            self.answer_asker(asker.ticket, Err(shutting_down()));
        }
    }

    fn answer_asker(&mut self, ticket: Option<Ticket>, outcome: Result<Value, RpcError>) {
        if let Some(ticket) = ticket {
            self.answer(ticket, outcome);
        }
    }
}
