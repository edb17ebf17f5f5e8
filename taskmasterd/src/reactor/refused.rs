//! Refused clients that are to be told of: one at once, those of the minute behind it when it is over, and what is
//! left at the end.
//!
//! Whoever is refused may come again a thousand times a second.

use shared::event::{Cause, EventKind};

use crate::control::peer::Peer;
use crate::core::Mono;
use crate::limits::REFUSED_TOLD_MS;

/// The refused clients that were not told of yet.
#[derive(Debug, Default)]
pub(super) struct Refused {
    untold: u64,
    last: Option<(Peer, &'static str)>,
    told_at: Option<Mono>,
}

impl Refused {
    /// Takes in one more.
    pub(super) fn add(&mut self, peer: Peer, reason: &'static str) {
        self.untold += 1;
        self.last = Some((peer, reason));
    }

    /// When they are to be told of, if there are any.
    pub(super) fn deadline(&self) -> Option<Mono> {
        let told_at = self.told_at.map(|at| at.after(REFUSED_TOLD_MS));
        self.last.map(|_| told_at.unwrap_or_default())
    }

    /// What is to be told by now.
    pub(super) fn take_due(&mut self, now: Mono) -> Option<(EventKind, Cause)> {
        self.deadline().filter(|&at| at <= now)?;
        self.told_at = Some(now);
        self.take()
    }

    /// What is to be told in any case.
    pub(super) fn take(&mut self) -> Option<(EventKind, Cause)> {
        let (peer, reason) = self.last.take()?;
        let mut reason = format!("uid {}, pid {}: {reason}", peer.uid, peer.pid);
        let count = std::mem::take(&mut self.untold);
        if count > 1 {
            reason.push_str(&format!(", the last of {count} since this was last told"));
        }
        Some((EventKind::Refused { reason }, peer.cause()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(told: Option<(EventKind, Cause)>) -> Option<String> {
        match told?.0 {
            EventKind::Refused { reason } => Some(reason),
            other => panic!("{other}"),
        }
    }

    // They were counted, and told of when somebody came behind the minute; after the last of a storm nobody did.
    #[test]
    fn one_is_told_at_once_and_the_others_when_the_minute_is_over() {
        let peer = |pid| Peer { uid: 7, pid };
        let mut refused = Refused::default();
        let (first, later) = (Mono(5), Mono(5 + REFUSED_TOLD_MS));
        assert_eq!(refused.deadline(), None);
        refused.add(peer(1), "no");
        let told = reason(refused.take_due(first));
        assert_eq!(told.as_deref(), Some("uid 7, pid 1: no"));
        assert_eq!(refused.deadline(), None);
        refused.add(peer(2), "no");
        refused.add(peer(3), "never");
        assert_eq!(refused.take_due(Mono(later.0 - 1)), None);
        assert_eq!(refused.deadline(), Some(later));
        let told = reason(refused.take_due(later)).unwrap();
        assert_eq!(
            told,
            "uid 7, pid 3: never, the last of 2 since this was last told"
        );
        assert_eq!((refused.deadline(), refused.take()), (None, None));
        refused.add(peer(4), "no");
        assert!(refused.take_due(later).is_none() && refused.take().is_some());
    }
}
