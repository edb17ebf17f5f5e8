//! The control socket, made again where somebody removed it.

use std::io;

use mio::Interest;
use shared::event::{Cause, EventKind};

use crate::files::reason;

use super::Reactor;
use super::sources::Source;

impl Reactor {
    /// Makes the control socket anew if somebody removed it.
    pub(super) fn restore_socket(&mut self) {
        if self.listener.is_in_place() {
            return;
        }
        let restored = match self.listener.restore() {
            Ok(_) => self.listen_anew().map_err(|error| {
                format!("cannot listen to the control socket: {}", reason(&error))
            }),
            Err(reason) => Err(reason),
        };
        let kind = match restored {
            Ok(()) => EventKind::Notice {
                text: format!("made {} again", self.listener.path().display()),
            },
            Err(text) => EventKind::Trouble { text },
        };
        self.tell(kind, Cause::Policy);
    }

    fn listen_anew(&mut self) -> io::Result<()> {
        self.sources.add(
            &mut self.listener.socket,
            Interest::READABLE,
            Source::Listener,
        )?;
        self.debts.accept = true;
        Ok(())
    }
}
