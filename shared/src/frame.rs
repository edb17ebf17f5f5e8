//! The frames of an attached connection: a type, a length, a payload. Both sides encode and decode them here.
//!
//! What is decoded is bounded: a length above [`FRAME_LEN_MAX`] is refused before a byte is set aside for it, and
//! the decoder never holds more than the frame that is on its way.

use crate::api::{Exited, Restarted};

/// The longest payload, in bytes: a terminal's worth of output, and little enough to keep for each client.
pub const FRAME_LEN_MAX: usize = 64 * 1024;
/// The type and the length, in bytes.
pub const HEAD_LEN: usize = 5;

/// The size of a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Lines of text.
    pub rows: u16,
    /// Characters of a line.
    pub cols: u16,
    /// Width in pixels; 0 where that is not known.
    pub xpixel: u16,
    /// Height in pixels.
    pub ypixel: u16,
}

/// One message of an attached connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Client: this was typed.
    Input(Vec<u8>),
    /// Client: my terminal has this size now.
    Resize(Size),
    /// Client: paint the whole screen again.
    Redraw,
    /// Client: I am leaving.
    Detach,
    /// Daemon: this already happened; paint it, and take it for no news. A picture of [`FRAME_LEN_MAX`] bytes or more
    /// takes several frames: one that is full is continued by the next, which may be empty.
    Snapshot(Vec<u8>),
    /// Daemon: the process wrote this.
    Output(Vec<u8>),
    /// Daemon: the process wrote this to its standard error, where that is apart.
    Stderr(Vec<u8>),
    /// Daemon: so many bytes were lost, because the client was slow; a snapshot follows.
    Skipped(u64),
    /// Daemon: whether the size of the process's terminal is now this client's.
    Leader(bool),
    /// Daemon: the process ended, or another try to start it did.
    Exited(Exited),
    /// Daemon: it runs again, on the same attachment.
    Restarted(Restarted),
    /// Daemon: this client is no longer attached, and why.
    Detached(String),
    /// Daemon: something is wrong with what the client sent.
    Error(String),
}

/// The types, as they stand on the wire.
mod kind {
    pub(super) const INPUT: u8 = 1;
    pub(super) const RESIZE: u8 = 2;
    pub(super) const REDRAW: u8 = 3;
    pub(super) const DETACH: u8 = 4;
    pub(super) const SNAPSHOT: u8 = 17;
    pub(super) const OUTPUT: u8 = 18;
    pub(super) const STDERR: u8 = 19;
    pub(super) const SKIPPED: u8 = 20;
    pub(super) const LEADER: u8 = 21;
    pub(super) const EXITED: u8 = 22;
    pub(super) const RESTARTED: u8 = 23;
    pub(super) const DETACHED: u8 = 24;
    pub(super) const ERROR: u8 = 25;
}

/// What is wrong with a frame. A stream in which one frame is wrong cannot be trusted any further, but for
/// [`FrameError::Unknown`], which has been passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Its payload would be longer than [`FRAME_LEN_MAX`].
    TooLong {
        /// Its type.
        kind: u8,
        /// The length that it claims.
        len: u32,
    },
    /// Nobody knows the type.
    Unknown {
        /// Its type.
        kind: u8,
    },
    /// The payload does not fit the type.
    Malformed {
        /// Its type.
        kind: u8,
    },
}

impl std::fmt::Display for FrameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLong { kind, len } => write!(
                f,
                "a frame of type {kind} with {len} bytes is too long ({FRAME_LEN_MAX} at most)"
            ),
            Self::Unknown { kind } => write!(f, "{kind} is not a type of frame"),
            Self::Malformed { kind } => {
                write!(f, "the payload of a frame of type {kind} does not fit it")
            }
        }
    }
}

impl Frame {
    /// Appends the frame as it goes over the wire. Bytes that are too many for one frame become several; text
    /// is cut short.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Input(bytes) => put_bytes(kind::INPUT, bytes, out),
            Self::Resize(size) => put(kind::RESIZE, &size_payload(*size), out),
            Self::Redraw => put(kind::REDRAW, &[], out),
            Self::Detach => put(kind::DETACH, &[], out),
            Self::Snapshot(bytes) => put_snapshot(bytes, out),
            Self::Output(bytes) => put_bytes(kind::OUTPUT, bytes, out),
            Self::Stderr(bytes) => put_bytes(kind::STDERR, bytes, out),
            Self::Skipped(count) => put(kind::SKIPPED, &count.to_be_bytes(), out),
            Self::Leader(leads) => put(kind::LEADER, &[u8::from(*leads)], out),
            Self::Exited(exited) => put(kind::EXITED, &json(exited), out),
            Self::Restarted(restarted) => put(kind::RESTARTED, &json(restarted), out),
            Self::Detached(reason) => put(kind::DETACHED, reason.as_bytes(), out),
            Self::Error(what) => put(kind::ERROR, what.as_bytes(), out),
        }
    }

    /// What OUTPUT of these bytes is on the wire.
    pub fn output_to_bytes(bytes: &[u8]) -> Vec<u8> {
        bytes_to_wire(kind::OUTPUT, bytes)
    }

    /// What STDERR of them is.
    pub fn stderr_to_bytes(bytes: &[u8]) -> Vec<u8> {
        bytes_to_wire(kind::STDERR, bytes)
    }

    /// What the protocol calls it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Input(_) => "INPUT",
            Self::Resize(_) => "RESIZE",
            Self::Redraw => "REDRAW",
            Self::Detach => "DETACH",
            Self::Snapshot(_) => "SNAPSHOT",
            Self::Output(_) => "OUTPUT",
            Self::Stderr(_) => "STDERR",
            Self::Skipped(_) => "SKIPPED",
            Self::Leader(_) => "LEADER",
            Self::Exited(_) => "EXITED",
            Self::Restarted(_) => "RESTARTED",
            Self::Detached(_) => "DETACHED",
            Self::Error(_) => "ERROR",
        }
    }

    /// The frame by itself.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }

    fn read(kind: u8, payload: &[u8]) -> Result<Self, FrameError> {
        let malformed = FrameError::Malformed { kind };
        let text = || String::from_utf8_lossy(payload).into_owned();
        let frame = match kind {
            kind::INPUT => Some(Self::Input(payload.into())),
            kind::RESIZE => read_size(payload).map(Self::Resize),
            kind::REDRAW => payload.is_empty().then_some(Self::Redraw),
            kind::DETACH => payload.is_empty().then_some(Self::Detach),
            kind::SNAPSHOT => Some(Self::Snapshot(payload.into())),
            kind::OUTPUT => Some(Self::Output(payload.into())),
            kind::STDERR => Some(Self::Stderr(payload.into())),
            kind::SKIPPED => payload
                .try_into()
                .ok()
                .map(u64::from_be_bytes)
                .map(Self::Skipped),
            kind::LEADER => match payload {
                [0] => Some(Self::Leader(false)),
                [1] => Some(Self::Leader(true)),
                _ => None,
            },
            kind::EXITED => serde_json::from_slice(payload).ok().map(Self::Exited),
            kind::RESTARTED => serde_json::from_slice(payload).ok().map(Self::Restarted),
            kind::DETACHED => Some(Self::Detached(text())),
            kind::ERROR => Some(Self::Error(text())),
            kind => return Err(FrameError::Unknown { kind }),
        };
        frame.ok_or(malformed)
    }
}

fn put_bytes(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    if bytes.is_empty() {
        return put(kind, bytes, out);
    }
    for piece in bytes.chunks(FRAME_LEN_MAX) {
        put(kind, piece, out);
    }
}

fn bytes_to_wire(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let frames = bytes.len().div_ceil(FRAME_LEN_MAX).max(1);
    let mut out = Vec::with_capacity(bytes.len() + frames * HEAD_LEN);
    put_bytes(kind, bytes, &mut out);
    out
}

fn put_snapshot(bytes: &[u8], out: &mut Vec<u8>) {
    put_bytes(kind::SNAPSHOT, bytes, out);
    if !bytes.is_empty() && bytes.len().is_multiple_of(FRAME_LEN_MAX) {
        put(kind::SNAPSHOT, &[], out);
    }
}

fn put(kind: u8, payload: &[u8], out: &mut Vec<u8>) {
    let payload = &payload[..payload.len().min(FRAME_LEN_MAX)];
    let len = u32::try_from(payload.len()).expect("a payload is at most FRAME_LEN_MAX");
    out.push(kind);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(payload);
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("the protocol's types hold nothing that JSON cannot")
}

fn size_payload(size: Size) -> [u8; 8] {
    let mut payload = [0; 8];
    let numbers = [size.rows, size.cols, size.xpixel, size.ypixel];
    for (place, number) in payload.chunks_exact_mut(2).zip(numbers) {
        place.copy_from_slice(&number.to_be_bytes());
    }
    payload
}

fn read_size(payload: &[u8]) -> Option<Size> {
    let &[a, b, c, d, e, f, g, h] = payload else {
        return None;
    };
    Some(Size {
        rows: u16::from_be_bytes([a, b]),
        cols: u16::from_be_bytes([c, d]),
        xpixel: u16::from_be_bytes([e, f]),
        ypixel: u16::from_be_bytes([g, h]),
    })
}

/// Puts frames together from bytes, however they were cut.
///
/// It is given a piece of what was read and takes frame after frame out of it; what of the piece belongs to a
/// frame that is not whole yet is kept.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The frame that is on its way: its head, then its payload.
    held: Vec<u8>,
}

impl Decoder {
    /// The next frame of `bytes`, which is advanced past what was looked at. `None` when all of it was.
    ///
    /// # Errors
    /// A frame nobody can read. After [`FrameError::Unknown`] the next one may be asked for.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Frame>, FrameError> {
        if !self.fill(HEAD_LEN, bytes) {
            return Ok(None);
        }
        let (kind, len) = self.head();
        let payload_len = usize::try_from(len).unwrap_or(usize::MAX);
        if payload_len > FRAME_LEN_MAX {
            return Err(FrameError::TooLong { kind, len });
        }
        if !self.fill(HEAD_LEN + payload_len, bytes) {
            return Ok(None);
        }
        let frame = Frame::read(kind, &self.held[HEAD_LEN..]);
        self.held.clear();
        frame.map(Some)
    }

    /// How many bytes are held of a frame that is not whole.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes from `bytes` until `len` are held, if that many are there.
    fn fill(&mut self, len: usize, bytes: &mut &[u8]) -> bool {
        let missing = len.saturating_sub(self.held.len());
        let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
        self.held.extend_from_slice(taken);
        *bytes = rest;
        self.held.len() >= len
    }

    fn head(&self) -> (u8, u32) {
        let length = [self.held[1], self.held[2], self.held[3], self.held[4]];
        (self.held[0], u32::from_be_bytes(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Tty;
    use crate::state::{Exit, State};

    fn all() -> Vec<Frame> {
        vec![
            Frame::Input(b"ls\r".to_vec()),
            Frame::Input(Vec::new()),
            Frame::Resize(Size {
                rows: 24,
                cols: 80,
                xpixel: 640,
                ypixel: 65_535,
            }),
            Frame::Redraw,
            Frame::Detach,
            Frame::Snapshot(b"\x1b[H$ ".to_vec()),
            Frame::Output((0..=255).collect()),
            Frame::Stderr(b"oh\n".to_vec()),
            Frame::Skipped(u64::MAX - 1),
            Frame::Leader(true),
            Frame::Leader(false),
            Frame::Exited(Exited {
                exit: Some(Exit::Signal {
                    number: 9,
                    core_dumped: false,
                }),
                state: State::Backoff,
                retry_in_ms: Some(2000),
                gone: false,
                reason: Some("couldn't exec cat: EACCES".into()),
                starts: 1,
            }),
            Frame::Restarted(Restarted {
                pid: 4711,
                tty: Tty::Split,
            }),
            Frame::Detached("stolen by uid 0".into()),
            Frame::Error("größer".into()),
        ]
    }

    fn encoded(frames: &[Frame]) -> Vec<u8> {
        let mut out = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut out));
        out
    }

    /// What the decoder makes of the pieces.
    fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Frame> {
        let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
        for mut piece in pieces {
            while let Some(frame) = decoder.next(&mut piece).unwrap() {
                frames.push(frame);
            }
        }
        assert_eq!(decoder.held(), 0);
        frames
    }

    #[test]
    fn frames_come_out_as_they_went_in() {
        let bytes = encoded(&all());
        assert_eq!(decoded([&bytes[..]]), all());
    }

    #[test]
    fn frames_come_out_whole_wherever_they_were_cut() {
        let bytes = encoded(&all());
        for at in 0..=bytes.len() {
            assert_eq!(decoded([&bytes[..at], &bytes[at..]]), all(), "cut at {at}");
        }
        assert_eq!(decoded(bytes.chunks(1)), all());
    }

    #[test]
    fn the_wire_is_what_the_manual_says() {
        let size = Size {
            rows: 0x0102,
            cols: 0x0304,
            xpixel: 5,
            ypixel: 6,
        };
        let resize = b"\x02\0\0\0\x08\x01\x02\x03\x04\0\x05\0\x06";
        assert_eq!(Frame::Resize(size).to_bytes(), resize);
        assert_eq!(Frame::Detach.to_bytes(), b"\x04\0\0\0\0");
        assert_eq!(Frame::output_to_bytes(b"x"), b"\x12\0\0\0\x01x");
        assert_eq!(Frame::stderr_to_bytes(b"x"), b"\x13\0\0\0\x01x");
        let exited = Frame::Exited(Exited {
            exit: Some(Exit::Code(3)),
            state: State::Exited,
            retry_in_ms: None,
            gone: true,
            reason: None,
            starts: 1,
        });
        let text =
            br#"{"exit":{"code":3},"state":"EXITED","retry_in_ms":null,"gone":true,"starts":1}"#;
        assert_eq!(&exited.to_bytes()[HEAD_LEN..], text);
    }

    #[test]
    fn many_bytes_become_several_frames() {
        let bytes = vec![7; FRAME_LEN_MAX + 1];
        let wire = Frame::Output(bytes).to_bytes();
        let lengths: Vec<usize> = decoded([&wire[..]])
            .iter()
            .map(|frame| match frame {
                Frame::Output(bytes) => bytes.len(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(lengths, [FRAME_LEN_MAX, 1]);
    }

    #[test]
    fn a_snapshot_ends_with_a_frame_that_is_not_full() {
        for (len, frames) in [(0, 1), (1, 1), (FRAME_LEN_MAX, 2), (FRAME_LEN_MAX + 1, 2)] {
            let wire = Frame::Snapshot(vec![b' '; len]).to_bytes();
            assert_eq!(decoded([&wire[..]]).len(), frames, "{len} bytes");
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_it_is_waited_for() {
        let mut decoder = Decoder::default();
        let mut head = &b"\x01\xff\xff\xff\xff"[..];
        let refused = decoder.next(&mut head).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "a frame of type 1 with 4294967295 bytes is too long (65536 at most)"
        );
        assert!(decoder.held.capacity() < 100);
    }

    #[test]
    fn an_unknown_type_is_told_and_passed_over() {
        let mut wire = b"\x63\0\0\0\x02xy".to_vec();
        Frame::Redraw.encode(&mut wire);
        let (mut decoder, mut bytes) = (Decoder::default(), &wire[..]);
        let unknown = Err(FrameError::Unknown { kind: 0x63 });
        assert_eq!(decoder.next(&mut bytes), unknown);
        assert_eq!(decoder.next(&mut bytes), Ok(Some(Frame::Redraw)));
    }

    #[test]
    fn payloads_that_do_not_fit_are_refused() {
        for wire in [
            &b"\x02\0\0\0\x07\0\0\0\0\0\0\0"[..],
            b"\x04\0\0\0\x01x",
            b"\x14\0\0\0\x01x",
            b"\x15\0\0\0\x01\x02",
            b"\x16\0\0\0\x02{}",
            b"\x17\0\0\0\x04null",
        ] {
            let refused = Decoder::default().next(&mut &wire[..]);
            assert_eq!(refused, Err(FrameError::Malformed { kind: wire[0] }));
        }
    }

    /// splitmix64.
    fn roll(seed: &mut u64) -> usize {
        *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap()
    }

    // A million frames with a few bytes changed, cut anywhere: no panic, and never more held than one frame has.
    #[test]
    fn no_bytes_upset_the_decoder() {
        let given = std::env::var("TASKMASTER_SEED").ok();
        let mut seed: u64 = given.and_then(|text| text.parse().ok()).unwrap_or(1);
        println!("TASKMASTER_SEED={seed}");
        let originals: Vec<Vec<u8>> = all().iter().map(Frame::to_bytes).collect();
        let (mut decoder, mut wire) = (Decoder::default(), Vec::new());
        for _ in 0..1_000_000 {
            wire.clear();
            wire.extend_from_slice(&originals[roll(&mut seed) % originals.len()]);
            for _ in 0..roll(&mut seed) % 4 {
                let at = roll(&mut seed) % wire.len();
                wire[at] = roll(&mut seed).to_le_bytes()[0];
            }
            let cut = roll(&mut seed) % (wire.len() + 1);
            for mut piece in [&wire[..cut], &wire[cut..]] {
                loop {
                    match decoder.next(&mut piece) {
                        Ok(Some(_)) | Err(FrameError::Unknown { .. }) => {}
                        Ok(None) => break,
                        Err(FrameError::TooLong { .. } | FrameError::Malformed { .. }) => {
                            decoder = Decoder::default();
                            break;
                        }
                    }
                }
                assert!(decoder.held() <= HEAD_LEN + FRAME_LEN_MAX);
            }
        }
    }
}
