//! An attached client: frames come in, frames go out, and a slow client is not waited for.
//!
//! What a client has not read is queued up to a limit. Beyond it the queue is dropped and the client is *behind*:
//! nothing more is queued until it has read what is on its way, then it is shown the screen as it is by then. So
//! the process never waits for a client that does not read, and no client costs more than its queue. Whatever it
//! sends meanwhile is read, Ctrl-C must get through, and so nothing a client sends is answered without a limit:
//! what it asks for often it gets once.

use std::io::{self, ErrorKind, Read};

use mio::net::UnixStream;
use shared::api::AttachParams;
use shared::frame::{Decoder, Frame, FrameError, Size};
use shared::tracker::Query;

use super::outgoing::{Kind, Outgoing, Wire};
use super::reports::Reports;
use super::told::{End, Knowledge, StateNews, Told, Word};
use crate::core::{Mono, ProcessId};
use crate::limits::{
    ATTACH_PACE_LEN, ATTACH_QUEUE_LEN_MAX, READ_ONLY_TOLD_MS, RESYNC_INTERVAL_MS,
    SCREEN_QUEUE_LEN_MAX, TYPED_LEN_MAX,
};

/// What a client may do at the terminal of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Look on.
    Watcher,
    /// Look on and type.
    Typist,
}

/// One attached client.
#[derive(Debug)]
pub struct Attachment {
    /// The process.
    pub id: ProcessId,
    /// Its shown name when the client came, for when the process is no more.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The size of its terminal; zero where it has none.
    pub size: Size,
    /// Whether that size is not to count.
    pub ignore_size: bool,
    /// Whether its terminal is shown text and colours alone, and so answers nothing.
    pub plain: bool,
    /// Whether what it sends comes from no terminal.
    pub piped: bool,
    /// What kind of terminal it says it has.
    pub term: String,
    /// How many lines that have scrolled away it wants to see, with the first screen.
    pub history: u32,
    /// Since when it is attached, in milliseconds since 1970.
    pub since: u64,
    /// What it knows of the process.
    pub knowledge: Knowledge,
    /// Whether it knows that it leads.
    pub leads_told: Option<bool>,
    decoder: Decoder,
    /// Read from the client; the first `taken` bytes of it are frames already.
    incoming: Vec<u8>,
    taken: usize,
    /// Typed when there was no room for it; nothing that came behind it is looked at before.
    held_back: Option<Vec<u8>>,
    outgoing: Outgoing,
    behind: Option<Behind>,
    /// What was asked in what it will never see.
    unanswered: Vec<Query>,
    /// Whether it asked for the screen and has not got it yet.
    wants_screen: bool,
    /// When it last got one that it had asked for.
    painted_at: Option<Mono>,
    /// Takes out what its terminal says of itself, where that does not count.
    pub reports: Reports,
    /// Until when the beginning of something is held back there.
    pub held_until: Option<Mono>,
    /// When it was last told that it may not type.
    refused_at: Option<Mono>,
}

/// Why reading from a client stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadEnd {
    /// There is no more for now; what comes is announced.
    Empty,
    /// Enough was read, and nothing announces the rest.
    Enough,
    /// The client has closed its end.
    Closed,
}

/// A client that was too slow.
#[derive(Debug)]
struct Behind {
    skipped: u64,
    /// Screens are not sent one after the other to somebody who cannot read them.
    not_before: Mono,
}

impl Attachment {
    /// A new one, with what the client sent before it knew that it is attached.
    pub fn new(
        id: ProcessId,
        name: String,
        params: &AttachParams,
        since: u64,
        early: Vec<u8>,
    ) -> Self {
        let role = match params.read_only {
            true => Role::Watcher,
            false => Role::Typist,
        };
        Self {
            id,
            name,
            role,
            size: Size {
                rows: params.rows,
                cols: params.cols,
                xpixel: params.xpixel,
                ypixel: params.ypixel,
            },
            ignore_size: params.ignore_size,
            plain: params.plain,
            piped: params.piped,
            term: params.term.clone(),
            history: params.history,
            since,
            knowledge: Knowledge::default(),
            leads_told: None,
            decoder: Decoder::default(),
            incoming: early,
            taken: 0,
            held_back: None,
            outgoing: Outgoing::default(),
            behind: None,
            unanswered: Vec::new(),
            wants_screen: false,
            painted_at: None,
            reports: Reports::default(),
            held_until: None,
            refused_at: None,
        }
    }

    /// The size that the terminal of the process gets when this client leads, if it may.
    pub fn offered_size(&self) -> Option<Size> {
        let counts = self.role == Role::Typist && !self.ignore_size;
        (self.has_terminal() && counts).then_some(self.size)
    }

    /// Whether it has one of its own: that has a size.
    pub fn has_terminal(&self) -> bool {
        self.size.rows > 0 && self.size.cols > 0
    }

    /// Whether that terminal would answer what it is asked, and be heard.
    pub fn answers(&self) -> bool {
        self.has_terminal() && !self.plain && !self.piped
    }

    /// Reads what is there, up to a limit; if the client is ending, its end is looked for.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn read(&mut self, stream: &mut UnixStream, is_ending: bool) -> io::Result<ReadEnd> {
        let mut buffer = [0; 4 * 1024];
        if self.taken > self.incoming.len() / 2 {
            self.incoming.drain(..self.taken);
            self.taken = 0;
        }
        while self.incoming.len() - self.taken < TYPED_LEN_MAX {
            match stream.read(&mut buffer) {
                Ok(0) => return Ok(ReadEnd::Closed),
                Ok(n) => {
                    self.incoming.extend_from_slice(&buffer[..n]);
                    // A short read has taken all there was; what comes after it is announced anew.
                    if n < buffer.len() && !is_ending {
                        return Ok(ReadEnd::Empty);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(ReadEnd::Empty),
                Err(error) => return Err(error),
            }
        }
        Ok(ReadEnd::Enough)
    }

    /// The next frame of the client, if one is whole.
    ///
    /// # Errors
    /// What the client sends is not what clients send.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if let Some(typed) = self.held_back.take() {
            return Ok(Some(Frame::Input(typed)));
        }
        let mut rest = &self.incoming[self.taken..];
        let frame = self.decoder.next(&mut rest);
        self.taken = self.incoming.len() - rest.len();
        if self.taken == self.incoming.len() {
            // Whoever has pasted a lot once is not remembered for it.
            (self.incoming, self.taken) = (Vec::new(), 0);
        }
        frame
    }

    /// There was no room for what was typed: it is the next frame once more.
    pub fn hold_back(&mut self, typed: Vec<u8>) {
        self.held_back = Some(typed);
    }

    /// Queues what the process wrote, `len` bytes in a frame, or counts it if the client is behind.
    pub fn show(&mut self, wire: &Wire, len: usize, now: Mono) {
        if let Some(behind) = &mut self.behind {
            behind.skipped += len as u64;
        } else if self.outgoing.weight() + len > ATTACH_QUEUE_LEN_MAX {
            self.fall_behind(now, len);
        } else {
            self.outgoing
                .put(Wire::clone(wire), Kind::Shown(len as u64));
        }
    }

    /// Drops what is queued: the client will be shown the screen when it reads again.
    pub fn fall_behind(&mut self, now: Mono, len: usize) {
        let dropped = self.outgoing.drop_queue();
        self.unanswered.extend(dropped.asked);
        if dropped.words {
            self.knowledge.lose(dropped.end);
            self.leads_told = None;
        }
        let not_before = now.after(RESYNC_INTERVAL_MS);
        let behind = self.behind.get_or_insert(Behind {
            skipped: 0,
            not_before,
        });
        behind.skipped += dropped.output + len as u64;
    }

    /// The output that was queued last asks this, and this client is the one to answer.
    pub fn note_asked(&mut self, queries: &[Query]) {
        self.outgoing.note_asked(queries);
    }

    /// What it was to answer and will not, because it was dropped on the way.
    pub fn take_unanswered(&mut self) -> Vec<Query> {
        std::mem::take(&mut self.unanswered)
    }

    /// Queues a word of the daemon's own; one that is behind is told the state of things later.
    pub fn tell(&mut self, frame: &Frame, now: Mono) {
        if self.has_room(now) {
            self.outgoing.put(Wire::new(frame.to_bytes()), Kind::Word);
        }
    }

    /// Whether a word may be queued; if too much is, the client falls behind.
    fn has_room(&mut self, now: Mono) -> bool {
        if !self.is_behind() && self.outgoing.weight() > ATTACH_QUEUE_LEN_MAX {
            self.fall_behind(now, 0);
        }
        !self.is_behind()
    }

    /// Whether it needs not be told that this is the state.
    pub fn knows(&self, told: Told) -> bool {
        self.knowledge.is(told, self.is_behind())
    }

    /// Tells how it stands with the process.
    pub fn tell_state(&mut self, news: StateNews, now: Mono) {
        for word in self.knowledge.take_in(news, self.is_behind(), now) {
            match word {
                Word::End(end) => self.tell_end(end, now),
                Word::Beginning(frame) => self.tell(&frame, now),
            }
        }
    }

    fn tell_end(&mut self, (at, wire): End, now: Mono) {
        if self.has_room(now) {
            self.outgoing.put(wire, Kind::End(at));
        } else {
            self.knowledge.lose(Some((at, wire)));
        }
    }

    /// Queues what paints the screen, all of it: it has a limit of its own, and was waited for until there was room.
    pub fn paint(&mut self, picture: Vec<u8>) {
        let frames = Frame::Snapshot(picture).to_bytes();
        self.outgoing.put(Wire::new(frames), Kind::Shown(0));
    }

    /// Tells a watcher that it may not type; who goes on trying is not told each time.
    pub fn refuse_input(&mut self, now: Mono) {
        let told = self.refused_at;
        if told.is_none_or(|at| now.since(at) >= READ_ONLY_TOLD_MS) {
            self.refused_at = Some(now);
            self.tell(&Frame::Error("this attachment is read-only".into()), now);
        }
    }

    /// Whether its process is to wait a moment for it: it has much to read, and was not given up. Who is behind has
    /// had that moment, however much of a screen is still on its way to it. Who only looks on has no such moment.
    pub fn is_slow(&self) -> bool {
        let is_waited_for = self.role == Role::Typist && self.behind.is_none();
        is_waited_for && self.outgoing.len() > ATTACH_PACE_LEN
    }

    /// Whether the client is behind.
    pub fn is_behind(&self) -> bool {
        self.behind.is_some()
    }

    /// The client wants to be shown the whole screen; who asks again before it was is shown it once.
    pub fn want_screen(&mut self) {
        self.wants_screen = true;
    }

    /// When the client is to be shown the screen, if it is: it wants to be, or was behind, and has read.
    pub fn screen_due_at(&self) -> Option<Mono> {
        let queued = self.outgoing.len();
        match &self.behind {
            Some(behind) => (queued == 0).then_some(behind.not_before),
            None if self.wants_screen && queued <= SCREEN_QUEUE_LEN_MAX => {
                let last = self.painted_at;
                Some(last.map_or(Mono(0), |at| at.after(RESYNC_INTERVAL_MS)))
            }
            None => None,
        }
    }

    /// It is shown the screen now. If it was behind it is told first how much of the output it has missed.
    pub fn catch_up(&mut self, now: Mono) {
        self.wants_screen = false;
        self.painted_at = Some(now);
        if let Some(Behind { skipped, .. }) = self.behind.take() {
            let word = Wire::new(Frame::Skipped(skipped).to_bytes());
            self.outgoing.put(word, Kind::Shown(skipped));
        }
    }

    /// How much is queued, in bytes.
    pub fn queued(&self) -> usize {
        self.outgoing.len()
    }

    /// What is queued, as bytes: the client is attached no more.
    pub fn take_unsent(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.outgoing).into_unsent()
    }

    /// Writes what the connection takes.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn flush(&mut self, stream: &mut UnixStream) -> io::Result<()> {
        self.outgoing.flush(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::api::{Exited, Tty};
    use shared::state::{Exit, State};

    fn attachment() -> Attachment {
        let params = AttachParams::new("p".parse().unwrap());
        Attachment::new(ProcessId(1), "p".into(), &params, 0, Vec::new())
    }

    fn queued(client: &mut Attachment) -> Vec<Frame> {
        let bytes = client.take_unsent();
        let (mut rest, mut decoder) = (&bytes[..], Decoder::default());
        let frames = std::iter::from_fn(|| decoder.next(&mut rest).unwrap());
        frames.collect()
    }

    fn output(len: usize) -> Wire {
        Wire::new(Frame::Output(vec![b'x'; len]).to_bytes())
    }

    #[test]
    fn a_client_that_does_not_read_costs_its_queue_and_no_more() {
        let mut client = attachment();
        for _ in 0..1000 {
            client.show(&output(60_000), 60_000, Mono(0));
            assert!(client.queued() <= ATTACH_QUEUE_LEN_MAX + 64 * 1024);
        }
        assert!(client.is_behind());
        client.catch_up(Mono(0));
        assert!(!client.is_behind());
        assert_eq!(queued(&mut client), [Frame::Skipped(60_000 * 1000)]);
    }

    // The word that so much was left out may itself not get through, nor the picture behind it.
    #[test]
    fn who_falls_behind_twice_is_told_of_all_that_is_missing() {
        let mut client = attachment();
        for _ in 0..3 {
            client.show(&output(1000), 1000, Mono(0));
            client.fall_behind(Mono(0), 500);
            client.show(&output(50), 50, Mono(0));
            client.catch_up(Mono(0));
            client.paint(vec![b'x'; 5000]);
            client.tell(&Frame::Leader(true), Mono(0));
        }
        let [skipped, ..] = &queued(&mut client)[..] else {
            panic!("nothing is queued")
        };
        assert_eq!(*skipped, Frame::Skipped(3 * 1550));
    }

    #[test]
    fn who_misses_output_alone_is_told_of_no_beginning() {
        let mut client = attachment();
        tell(&mut client, 1, Ok(11));
        client.leads_told = Some(true);
        assert_eq!(heard(&mut client), [Ok(11)]);
        for _ in 0..2 {
            client.fall_behind(Mono(0), 1000);
            tell(&mut client, 1, Ok(11));
            client.catch_up(Mono(0));
        }
        assert!(client.knows(client.knowledge.told.unwrap()));
        assert_eq!(client.leads_told, Some(true));
        assert_eq!(queued(&mut client), [Frame::Skipped(2000)]);
    }

    // A frame of one byte costs more than that.
    #[test]
    fn many_words_are_limited_as_much_output_is() {
        let mut client = attachment();
        client.leads_told = Some(true);
        for _ in 0..100_000 {
            client.tell(&Frame::Leader(true), Mono(0));
            client.show(&output(1), 1, Mono(0));
            assert!(client.queued() <= ATTACH_QUEUE_LEN_MAX / 8);
        }
        assert!(client.is_behind());
        assert_eq!(client.leads_told, None, "it has to be said again");
    }

    #[test]
    fn who_asks_for_the_screen_often_is_shown_it_at_intervals() {
        let mut client = attachment();
        assert_eq!(client.screen_due_at(), None);
        client.want_screen();
        client.want_screen();
        assert_eq!(client.screen_due_at(), Some(Mono(0)));
        client.catch_up(Mono(7));
        assert_eq!(client.queued(), 0, "it has missed nothing");
        client.paint(vec![b'x'; SCREEN_QUEUE_LEN_MAX + 1]);
        assert_eq!(client.screen_due_at(), None);
        client.want_screen();
        assert_eq!(client.screen_due_at(), None, "it has not read the last one");
        client.outgoing.drop_queue();
        let next = Mono(7).after(RESYNC_INTERVAL_MS);
        assert_eq!(client.screen_due_at(), Some(next));
    }

    // What has begun of a screen stays in the queue; the process must not wait for that for ever.
    #[test]
    fn who_is_behind_is_not_waited_for() {
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut ours = UnixStream::from_std(ours);
        let mut client = attachment();
        client.paint(vec![b'x'; 1024 * 1024]);
        client.flush(&mut ours).unwrap();
        assert!(client.is_slow());
        client.fall_behind(Mono(0), 0);
        assert!(client.queued() > ATTACH_PACE_LEN, "it is on its way");
        assert!(!client.is_slow());
    }

    /// Tells that it runs with that pid, or has ended with that status.
    fn tell(client: &mut Attachment, starts: u64, news: Result<i32, i32>) {
        let state = match news {
            Ok(_) => State::Running,
            Err(_) => State::Exited,
        };
        let news = StateNews {
            told: Told {
                pid: news.ok(),
                state,
                starts,
                next_start: None,
            },
            rises: false,
            tty: Tty::Full,
            ended: Exited {
                exit: news.err().map(Exit::Code),
                state,
                retry_in_ms: None,
                gone: false,
                reason: None,
                starts,
            },
            ended_at: Some(Mono(starts)),
        };
        client.tell_state(news, Mono(0));
    }

    /// What it is told: of a beginning the pid, of an end the status.
    fn heard(client: &mut Attachment) -> Vec<Result<i32, i32>> {
        let frames = queued(client).into_iter();
        let heard = frames.filter_map(|frame| match frame {
            Frame::Restarted(restarted) => Some(Ok(restarted.pid)),
            Frame::Exited(Exited {
                exit: Some(Exit::Code(code)),
                ..
            }) => Some(Err(code)),
            _ => None,
        });
        heard.collect()
    }

    #[test]
    fn who_has_missed_an_end_is_told_of_the_first_and_of_how_it_stands() {
        // Dropped on the way, or never queued.
        for early in [true, false] {
            let mut client = attachment();
            tell(&mut client, 1, Ok(11));
            assert_eq!(heard(&mut client), [Ok(11)]);
            if early {
                tell(&mut client, 1, Err(1));
            }
            client.fall_behind(Mono(0), 0);
            for (starts, news) in [(1, Err(1)), (2, Ok(12)), (2, Err(2))] {
                tell(&mut client, starts, news);
            }
            client.catch_up(Mono(0));
            tell(&mut client, 2, Err(2));
            assert_eq!(heard(&mut client), [Err(1), Err(2)]);
        }
    }

    #[test]
    fn who_has_missed_an_end_and_a_beginning_is_told_of_both() {
        let mut client = attachment();
        tell(&mut client, 1, Ok(11));
        client.fall_behind(Mono(0), 0);
        tell(&mut client, 1, Err(1));
        tell(&mut client, 2, Ok(12));
        client.catch_up(Mono(0));
        tell(&mut client, 2, Ok(12));
        // It falls behind again before it has read that.
        client.fall_behind(Mono(0), 0);
        client.catch_up(Mono(0));
        tell(&mut client, 2, Ok(12));
        assert_eq!(heard(&mut client), [Err(1), Ok(12)]);
    }

    #[test]
    fn who_has_missed_the_last_end_is_told_of_it_once() {
        let mut client = attachment();
        tell(&mut client, 1, Ok(11));
        client.fall_behind(Mono(0), 0);
        tell(&mut client, 1, Err(1));
        client.catch_up(Mono(0));
        tell(&mut client, 1, Err(1));
        assert_eq!(heard(&mut client), [Err(1)]);
    }

    #[test]
    fn a_frame_that_has_begun_is_finished() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut ours = UnixStream::from_std(ours);
        let mut client = attachment();
        // More than a socket holds, so that a frame is cut.
        for _ in 0..8 {
            client.show(&output(32_000), 32_000, Mono(0));
            client.flush(&mut ours).unwrap();
        }
        client.fall_behind(Mono(0), 0);
        client.catch_up(Mono(0));
        client.tell(&Frame::Leader(true), Mono(0));
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            (&theirs).read_to_end(&mut all).unwrap();
            all
        });
        while client.queued() > 0 {
            client.flush(&mut ours).unwrap();
            std::thread::yield_now();
        }
        drop(ours);
        let all = reader.join().unwrap();
        let (mut rest, mut decoder) = (&all[..], Decoder::default());
        let mut last = None;
        while let Some(frame) = decoder.next(&mut rest).unwrap() {
            last = Some(frame);
        }
        assert_eq!(last, Some(Frame::Leader(true)));
        assert_eq!(decoder.held(), 0);
    }
}
