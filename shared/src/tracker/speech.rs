//! What a terminal is asked, and what it says: one table for whoever has to tell reports from typing.

use super::parser::Control;

impl Control<'_> {
    /// Whether a terminal answers it.
    pub fn is_question(&self) -> bool {
        match (self.mark, self.intermediate, self.last) {
            (_, 0, b'c') | (0 | b'?', 0, b'n') | (0, 0, b'x') => true,
            (0, 0, b't') => (11..=21).contains(&self.number(0)),
            (b'>', 0, b'q') | (b'?', 0, b'u' | b'm' | b'S') => true,
            (_, b'$', b'p' | b'w') | (_, b'*', b'y') | (_, b'"', b'v') => true,
            (_, b'&', b'u') | (_, b'#', b'R' | b'|') | (_, b'\'', b'|') => true,
            _ => false,
        }
    }

    /// Whether a terminal says this of itself, where it came from one: an answer, or news of its focus, size or
    /// colours. The mouse is moved by somebody, and no report in this sense. The keys Shift-F3 to Ctrl-Alt-Shift-F3
    /// look the same as where the cursor is, and count as that.
    pub fn is_report(&self) -> bool {
        match (self.mark, self.intermediate, self.last) {
            (0, 0, b'I' | b'O') => self.params.is_empty(),
            (0 | b'?', 0, b'R') => self.params.contains(&b';'),
            // Without a mark they are keys: Shift-Right here and there, F4.
            (b'?' | b'>' | b'=', 0, b'c') | (b'?', 0, b'S' | b'u') => true,
            (0 | b'?', 0, b'n' | b't') | (0, 0, b'x') => true,
            (0 | b'>', 0, b'm') => true,
            (_, b'$', b'y') | (_, b'"', b'w') | (_, b'#', b'Q') | (_, b'&', b'w') => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(text: &str) -> Control<'_> {
        let (last, body) = text.as_bytes().split_last().unwrap();
        Control::new(body, *last).unwrap()
    }

    /// The answers are those that are no strings.
    #[test]
    fn what_answers_a_question_is_a_report() {
        let known = [
            ("c", "?62;22c"),
            (">c", ">0;276;0c"),
            ("5n", "0n"),
            ("6n", "24;80R"),
            ("?6n", "?24;80;1R"),
            ("?996n", "?997;1n"),
            ("?15n", "?10n"),
            ("1x", "3;1;1;128;128;1;0x"),
            ("14t", "4;600;800t"),
            ("18t", "8;24;80t"),
            ("11t", "1t"),
            ("?u", "?5u"),
            ("?4m", ">4;2m"),
            ("?1;1S", "?1;0;256S"),
            ("?2026$p", "?2026;2$y"),
            ("4$p", "4;2$y"),
            ("\"v", "24;80;1;1;1\"w"),
            ("#R", "?0;1#Q"),
            ("1;1;2;2#|", "0;1m"),
            ("1'|", "1;0;3;4;1&w"),
        ];
        for (question, answer) in known {
            assert!(control(question).is_question(), "{question}");
            assert!(control(answer).is_report(), "{answer}");
        }
        for report in ["I", "O", "48;24;80;0;0t"] {
            assert!(control(report).is_report(), "{report}");
        }
    }

    #[test]
    fn keys_and_the_mouse_are_no_reports() {
        for typed in [
            "A", "1;2P", "1;2Q", "1;2S", "S", "R", "c", "3~", "97u", "97;5:3u", "27;5;93~", "Z",
            "<0;3;4M", "<0;3;4m", "M", "200~", "1I",
        ] {
            assert!(!control(typed).is_report(), "{typed}");
        }
    }

    #[test]
    fn what_sets_something_asks_nothing() {
        for told in [
            "1m", "22;2t", "?1000h", "2 q", ">1u", "=1u", "!p", "3S", "?5W", "8;24;80t",
        ] {
            assert!(!control(told).is_question(), "{told}");
        }
    }
}
