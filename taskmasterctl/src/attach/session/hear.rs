//! What the daemon says to an attachment: pictures, output, ends and beginnings of the process.

use shared::api::{Exited, Tty};
use shared::frame::{FRAME_LEN_MAX, Frame};
use shared::text::count;

use super::super::canvas::Lines;
use super::super::filter::Filter;
use super::super::life::Next;
use super::super::link::Lost;
use super::{End, Session};

impl Session {
    /// Takes in what the daemon says.
    pub(super) fn hear(&mut self) -> Result<(), End> {
        match self.link.receive() {
            Ok(frames) => {
                let heard = frames.into_iter().try_for_each(|frame| self.heard(frame));
                // What comes with the picture may say more.
                self.open();
                heard
            }
            Err(Lost::Closed) if self.finishing => Err(End::Detached),
            Err(lost) => Err(End::Lost(lost)),
        }
    }

    fn heard(&mut self, frame: Frame) -> Result<(), End> {
        let continues = std::mem::take(&mut self.in_snapshot);
        match frame {
            Frame::Snapshot(bytes) => self.snapshot(&bytes, continues),
            Frame::Output(bytes) => self.output(&bytes),
            Frame::Stderr(bytes) => self.stderr(&bytes),
            Frame::Exited(news) => return self.ended(&news),
            Frame::Restarted(news) => {
                self.opening = None;
                self.tty = news.tty;
                self.filters.iter_mut().for_each(Filter::restart);
                if let Some(line) = self.life.restarted(news.pid) {
                    self.seat.canvas.remark(&line);
                }
            }
            Frame::Detached(_) if self.finishing => return Err(End::Detached),
            Frame::Detached(reason) => return Err(End::Dismissed(reason)),
            Frame::Error(what) => {
                let what = shared::text::escape(&what);
                self.seat.canvas.remark(&format!("[taskmasterd: {what}]"));
            }
            Frame::Skipped(count) if self.seat.canvas.tty().is_none() => self.say_skipped(count),
            Frame::Skipped(count) => self.skipped = self.skipped.saturating_add(count),
            Frame::Leader(_) => {}
            // These are ours to send.
            Frame::Input(_) | Frame::Resize(_) | Frame::Redraw | Frame::Detach => {}
        }
        Ok(())
    }

    fn ended(&mut self, news: &Exited) -> Result<(), End> {
        let canvas = &mut self.seat.canvas;
        match self.life.exited(news) {
            Next::Silent => {}
            Next::Amend(line) => match &mut self.opening {
                Some(opening) => *opening = line,
                None => canvas.amend(&line),
            },
            Next::Wait(line) => {
                self.opening = None;
                canvas.remark(&line);
            }
            Next::Leave(line, exit) => {
                self.opening = None;
                canvas.remark(&line);
                return Err(End::Ended(exit));
            }
        }
        Ok(())
    }

    fn snapshot(&mut self, bytes: &[u8], continues: bool) {
        if !continues {
            match (std::mem::take(&mut self.skipped), self.tty) {
                // Lines that were read stay; what follows them is not the next.
                (skipped @ 1.., Tty::None) => self.say_skipped(skipped),
                // For what was lost of a screen the picture makes up.
                (_, Tty::None | Tty::Full | Tty::Split) => self.seat.canvas.clear(),
            }
            self.filters[0].restart();
        }
        self.output(bytes);
        self.in_snapshot = bytes.len() == FRAME_LEN_MAX;
        self.awaits_picture = self.in_snapshot;
    }

    fn say_skipped(&mut self, skipped: u64) {
        let skipped = count(skipped, "byte was skipped", "bytes were skipped");
        let line = format!("[{skipped}]");
        self.seat.canvas.remark(&line);
    }

    fn output(&mut self, bytes: &[u8]) {
        let lines = self.lines_of_output();
        let passed = self.filters[0].pass(bytes);
        self.seat.canvas.output(&passed, lines);
    }

    fn lines_of_output(&self) -> Lines {
        match self.tty {
            Tty::Full | Tty::Split => Lines::Finished,
            Tty::None => Lines::Bare,
        }
    }

    fn stderr(&mut self, bytes: &[u8]) {
        let passed = self.filters[1].pass(bytes);
        self.seat.canvas.error_output(&passed);
    }
}
