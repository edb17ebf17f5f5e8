//! What of the process's output makes a terminal say something: questions, and modes in which it reports.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use shared::tracker::{Control, Parser, Piece};

/// The private modes in which a terminal speaks without being asked: of the mouse, of focus, colours and size.
const REPORTS: [u16; 8] = [9, 1000, 1001, 1002, 1003, 1004, 2031, 2048];

/// What a terminal may have to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answers {
    #[default]
    None,
    Some,
    /// Among others that all is well (`CSI 0 n`), and soon.
    Well,
}

/// How long a terminal may take to answer, on a line to the other end of the world.
pub(super) const ANSWER_PATIENCE: Duration = Duration::from_secs(1);

/// Listens for what a terminal answers.
#[derive(Debug, Default)]
pub(super) struct Speech {
    parser: Parser,
    last: u8,
    answers: Answers,
    /// Whether there were controls that only some terminals obey.
    ambiguous: bool,
    /// When it was last asked whether all is well.
    asked_at: Option<Instant>,
}

impl Speech {
    /// Takes in what a terminal is told.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let (answers, asked_at) = (&mut self.answers, &mut self.asked_at);
        self.parser.advance(bytes, |piece| {
            let answer = answers_to(&piece);
            *answers = answer.max(*answers);
            if answer == Answers::Well {
                *asked_at = Some(Instant::now());
            }
            ControlFlow::Continue(())
        });
        // Device strings are no pieces; most of them ask.
        let opens = |pair: &[u8; 2]| matches!(pair, [0x1b, b'P' | b'_']);
        let first = [self.last, bytes.first().copied().unwrap_or_default()];
        let opened = opens(&first) || has_pair(bytes, 0x1b, opens);
        let controls = is_control(&first) || has_controls(bytes);
        self.ambiguous |= controls;
        if opened || self.ambiguous {
            *answers = Answers::Some.max(*answers);
        }
        // What it begins is no piece either, and may be that question.
        let begins = |pair: &[u8; 2]| *pair == [0xc2, 0x9b];
        if controls && (begins(&first) || has_pair(bytes, 0xc2, begins)) {
            (*answers, *asked_at) = (Answers::Well, Some(Instant::now()));
        }
        self.last = bytes.last().copied().unwrap_or(self.last);
    }

    /// Whether what it was told switches on different things on different terminals.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// What the terminal may have to say at that time: an answer that is overdue does not come any more.
    pub(super) fn answers(&self, now: Instant) -> Answers {
        let is_awaited = |at| now.saturating_duration_since(at) < ANSWER_PATIENCE;
        match self.answers {
            Answers::Well if !self.asked_at.is_some_and(is_awaited) => Answers::Some,
            answers => answers,
        }
    }
}

/// Appends the piece to `out` without what makes a terminal speak.
pub(super) fn write_mute(piece: &Piece<'_>, out: &mut Vec<u8>) {
    if is_question(piece) && !matches!(piece, Piece::Text(_)) {
        return;
    }
    match piece {
        Piece::Text(bytes) if has_controls(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            let passed = text
                .chars()
                .filter(|c| !matches!(c, '\x05' | '\u{80}'..='\u{9f}'));
            out.extend_from_slice(passed.collect::<String>().as_bytes());
        }
        Piece::Text(bytes) => out.extend(bytes.iter().filter(|&&byte| byte != ENQ)),
        Piece::Char(byte) => out.push(*byte),
        Piece::Escape(0, last) => out.extend_from_slice(&[0x1b, *last]),
        Piece::Escape(intermediate, last) => out.extend_from_slice(&[0x1b, *intermediate, *last]),
        Piece::Command(body) => {
            out.extend_from_slice(b"\x1b]");
            out.extend_from_slice(body);
            out.push(0x07);
        }
        Piece::Control(control) if reports(piece) => write_unreported(control, out),
        Piece::Control(control) => write_control(control, control.params, out),
    }
}

/// A terminal answers with a word of its own (ENQ).
const ENQ: u8 = 0x05;

fn answers_to(piece: &Piece<'_>) -> Answers {
    match piece {
        Piece::Control(control) if asks_for_status(control) => Answers::Well,
        piece if is_question(piece) || reports(piece) => Answers::Some,
        _ => Answers::None,
    }
}

fn asks_for_status(control: &Control<'_>) -> bool {
    control.is_plain() && control.last == b'n' && control.numbers().any(|what| what == 5)
}

/// Whether a terminal answers it.
fn is_question(piece: &Piece<'_>) -> bool {
    match piece {
        Piece::Text(bytes) => bytes.contains(&ENQ),
        Piece::Char(byte) => *byte == ENQ,
        Piece::Escape(intermediate, last) => (*intermediate, *last) == (0, b'Z'),
        Piece::Command(body) => is_answered(body) || has_controls(body),
        Piece::Control(control) => control.is_question(),
    }
}

/// Whether some terminal may answer that command: each has commands of its own, so any that is not known only to set
/// something.
fn is_answered(body: &[u8]) -> bool {
    let code = body.split(|&byte| byte == b';').next();
    let code = std::str::from_utf8(code.unwrap_or_default()).unwrap_or_default();
    match code {
        // Titles, the directory, links, progress, prompts, notes, systemd's contexts, and colours taken back.
        "0" | "1" | "2" | "30" | "7" | "8" | "9" | "133" | "633" | "777" | "3008" => false,
        "104" | "105" | "110" | "111" | "112" | "117" | "119" => false,
        // Colours, the pointer's shape, the font, the clipboard: set or asked for.
        "4" | "5" | "10" | "11" | "12" | "13" | "14" | "15" | "16" | "17" | "18" | "19" | "21"
        | "22" | "50" | "52" => body.contains(&b'?'),
        _ => true,
    }
}

/// A control of eight bits that comes as a character: some terminals obey it, and it may be the beginning of anything.
fn is_control(pair: &[u8; 2]) -> bool {
    matches!(pair, [0xc2, 0x80..=0x9f])
}

fn has_controls(bytes: &[u8]) -> bool {
    has_pair(bytes, 0xc2, is_control)
}

/// Whether there is such a pair, which begins with `lead`. Most of a flood has no such byte, which is found out faster.
fn has_pair(bytes: &[u8], lead: u8, is_meant: impl Fn(&[u8; 2]) -> bool) -> bool {
    bytes.contains(&lead) && bytes.array_windows().any(is_meant)
}

/// Whether a terminal reports something from then on.
fn reports(piece: &Piece<'_>) -> bool {
    let Piece::Control(control) = piece else {
        return false;
    };
    match (control.mark, control.last) {
        (b'?', b'h') => control.numbers().any(|mode| REPORTS.contains(&mode)),
        // The kitty protocol, in which a key is told to have been released.
        (b'>' | b'=', b'u') => control.number(0) & 2 != 0,
        _ => false,
    }
}

/// Modes without those in which it reports.
fn write_unreported(control: &Control<'_>, out: &mut Vec<u8>) {
    let modes = control.numbers().filter(|mode| !REPORTS.contains(mode));
    let modes: Vec<String> = modes.map(|mode| mode.to_string()).collect();
    if control.mark == b'?' && !modes.is_empty() {
        write_control(control, modes.join(";").as_bytes(), out);
    }
}

fn write_control(control: &Control<'_>, params: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x1b[");
    out.extend(Some(control.mark).filter(|&mark| mark != 0));
    out.extend_from_slice(params);
    out.extend(Some(control.intermediate).filter(|&byte| byte != 0));
    out.push(control.last);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(bytes: &[u8], chunk: usize) -> Answers {
        let mut speech = Speech::default();
        bytes.chunks(chunk).for_each(|part| speech.feed(part));
        assert!(speech.answers(Instant::now() + ANSWER_PATIENCE) < Answers::Well);
        speech.answers(Instant::now())
    }

    #[test]
    fn the_answer_to_us_is_told_from_that_to_the_process() {
        for chunk in 1..5 {
            assert_eq!(answers(b"\x1b[05n\x1b[c\x1bc", chunk), Answers::Well);
            assert_eq!(answers(b"\x1b[?5n\x1b[6n", chunk), Answers::Some);
            assert_eq!(answers(b"\x1b]11;?\xc2\x9c", chunk), Answers::Some);
            assert_eq!(answers("\u{9b}5n".as_bytes(), chunk), Answers::Well);
        }
    }

    fn mute(bytes: &str, chunk: usize) -> String {
        let (mut parser, mut out) = (Parser::default(), Vec::new());
        for part in bytes.as_bytes().chunks(chunk) {
            parser.advance(part, |piece| {
                write_mute(&piece, &mut out);
                ControlFlow::Continue(())
            });
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn questions_and_reports_are_heard_and_left_out_wherever_they_are_cut() {
        for text in [
            "\x1b[c",
            "\x1b[>0c",
            "\x1b[=c",
            "\x1b[5n",
            "\x1b[6n",
            "\x1b[?6n",
            "\x1b[14t",
            "\x1b[21t",
            "\x1b[?2026$p",
            "\x1b[>q",
            "\x1b[?u",
            "\x1b[?4m",
            "\x1bZ",
            "\x05",
            "\x1b]11;?\x07",
            "\x1b]4;1;?\x07",
            "\x1b]52;c;?\x07",
            "\x1b]21;foreground=?\x07",
            "\x1b]1337;ReportCellSize\x07",
            "\x1b]60\x07",
            "\x1b]0;\u{9c}\x07",
            "\u{9b}",
            "\u{85}\x05\u{9f}",
            "\x1b[?1000h",
            "\x1b[?1004;1003h",
            "\x1b[>3u",
            "\x1bP+q544e\x07\x18",
            "\x1bP$qm\x18",
            "\x1b_Ga=q\x18",
        ] {
            for chunk in 1..=text.len() {
                let answers = answers(text.as_bytes(), chunk);
                assert_ne!(answers, Answers::None, "{text:?} by {chunk}");
                assert_eq!(mute(text, chunk), "", "{text:?} by {chunk}");
            }
        }
    }

    #[test]
    fn anything_else_passes() {
        for text in [
            "größe\r\n\x1b[1;31mred\x1b[m",
            "\x1b[?1049h\x1b[H\x1b[2J\x1b[3;5H",
            "\x1b(0\x0e\x0f\x1b7\x1b8\x1bM",
            "\x1b]0;title?\x07",
            "\x1b]8;;http://x/?q=1\x07",
            "\x1b]4;1;#123456\x07\x1b]104\x07\x1b]11;red\x07\x1b]52;c;aGk=\x07",
            "\x1b]133;A\x07\x1b]9;4;1;50\x07\x1b]777;notify;a;b\x07",
            "\u{a0}Â©\u{7f}",
            "\x1b[?25l\x1b[?2004h",
            "\x1b[2 q\x1b[!p",
            "\x1b[>1u\x1b[<u",
            "\x1b[22;2t",
        ] {
            for chunk in 1..=text.len() {
                let answers = answers(text.as_bytes(), chunk);
                assert_eq!(answers, Answers::None, "{text:?} by {chunk}");
                assert_eq!(mute(text, chunk), text, "{text:?} by {chunk}");
            }
        }
        assert_eq!(mute("\x1b[?25;1000;7h", 1), "\x1b[?25;7h");
        assert_eq!(mute("ä\u{9b}cö", 9), "äcö");
    }
}
