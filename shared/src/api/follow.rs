//! What comes of a stream that a client follows.

use serde::{Deserialize, Serialize};

use super::Stream;

/// Parameters of the notification `output`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The process's shown name.
    pub name: String,
    /// The stream.
    pub stream: Stream,
    /// The bytes, in base64.
    pub data: String,
    /// Bytes that were skipped just before these because the client did not read fast enough.
    #[serde(default)]
    pub skipped: u64,
}

/// The name of the notification with which followed output comes.
pub const OUTPUT: &str = "output";

/// Parameters of the notification `cleared`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleared {
    /// The process's shown name.
    pub name: String,
    /// The stream.
    pub stream: Stream,
}

/// The name of the notification that what was kept of followed output so far was emptied.
pub const CLEARED: &str = "cleared";
