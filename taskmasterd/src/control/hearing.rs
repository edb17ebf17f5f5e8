//! How far a connection can still be read, and whether anybody is there to be answered.

/// How far it can still be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hearing {
    Open,
    /// It sends no more, but may read.
    Ended,
    /// Nobody is there any more; what it sent before is still to be read.
    Leaving,
    /// Nobody is there any more, and all was read.
    Gone,
    /// It is not listened to any more, but may read why.
    Dismissed,
}

impl Hearing {
    /// All that it sent was read.
    pub(super) fn ended(self) -> Self {
        match self {
            Self::Open | Self::Ended => Self::Ended,
            Self::Leaving | Self::Gone => Self::Gone,
            Self::Dismissed => Self::Dismissed,
        }
    }

    /// Nobody is there any more.
    pub(super) fn hung_up(self) -> Self {
        match self {
            Self::Open | Self::Ended | Self::Leaving => Self::Leaving,
            Self::Gone | Self::Dismissed => Self::Gone,
        }
    }

    /// Whether all that it sent was read.
    pub(super) fn has_ended(self) -> bool {
        match self {
            Self::Ended | Self::Gone => true,
            Self::Open | Self::Leaving | Self::Dismissed => false,
        }
    }

    /// Whether nobody is there to be answered.
    pub(super) fn is_gone(self) -> bool {
        match self {
            Self::Leaving | Self::Gone => true,
            Self::Open | Self::Ended | Self::Dismissed => false,
        }
    }
}
