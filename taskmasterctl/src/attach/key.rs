//! The key that detaches: how a user writes it, and all the ways in which a terminal may send it.
//!
//! A terminal sends Ctrl-] as the byte 0x1d, unless the process has switched it to the kitty keyboard protocol
//! (`CSI 93;5u`, with lock keys, key release and other layouts in it) or to xterm's modifyOtherKeys (`CSI 27;5;93~`).

use std::fmt;

/// Ctrl and another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The character of the other key, in lower case.
    character: u8,
}

/// What became of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    Pressed,
    /// Still held down.
    Repeated,
    Released,
}

/// Shift, Alt and Ctrl as the protocols count modifiers, less one.
const SHIFT: u32 = 1;
const ALT: u32 = 2;
const CTRL: u32 = 4;
/// Caps lock and num lock, which are nobody's intention.
const LOCKS: u32 = 64 | 128;

impl Key {
    /// Ctrl-], which hardly any program uses.
    pub(super) const USUAL: Self = Self { character: b']' };

    /// Reads `^]`, `ctrl-a` or `C-a`; `none` is no key at all.
    pub(super) fn read(text: &str) -> Result<Option<Self>, String> {
        let lower = text.to_ascii_lowercase();
        if lower == "none" {
            return Ok(None);
        }
        let prefixes = ["^", "ctrl-", "ctrl+", "c-"];
        let rest = prefixes
            .iter()
            .find_map(|prefix| lower.strip_prefix(prefix));
        match rest.map(str::as_bytes) {
            Some(b"i" | b"j" | b"m" | b"[") => Err(format!(
                "{} is what Tab, Enter or Escape sends; choose another key",
                shared::text::escape(text)
            )),
            Some(&[character @ (b'a'..=b'z' | b'\\' | b']' | b'^' | b'_')]) => {
                Ok(Some(Self { character }))
            }
            Some(_) | None => Err(format!(
                "{} is not a key that detaches (^], ^\\, ^^, ^_, or ctrl-a to ctrl-z without i, j and m, or none)",
                shared::text::escape(text)
            )),
        }
    }

    /// The byte that a terminal without a keyboard protocol sends.
    pub(super) const fn byte(self) -> u8 {
        self.character & 0x1f
    }

    /// What the control sequence, from ESC to its last byte, says about this key; `None` if it is about another.
    pub(super) fn touched(self, sequence: &[u8]) -> Option<Touch> {
        let (last, body) = sequence.strip_prefix(b"\x1b[")?.split_last()?;
        let fields: Vec<&str> = std::str::from_utf8(body).ok()?.split(';').collect();
        match (last, &fields[..]) {
            (b'u', [code, mods, ..]) => self.touched_kitty(code, mods),
            (b'~', ["27", mods, code]) if self.is_with(mods) && self.is_code(code) => {
                Some(Touch::Pressed)
            }
            _ => None,
        }
    }

    /// `code[:shifted[:base]]` and `mods[:event]`.
    fn touched_kitty(self, code: &str, mods: &str) -> Option<Touch> {
        let mut codes = code.split(':');
        let [own, shifted, base] = [(); 3].map(|()| codes.next().unwrap_or_default());
        let (mods, event) = mods.split_once(':').unwrap_or((mods, "1"));
        // The base is the key on a US keyboard: whoever writes Cyrillic presses the same one.
        let plain = self.is_code(own) || self.is_code(base);
        let ours = plain || (has_shift(mods) && self.is_shifted(own, shifted, base));
        if !ours || !self.is_with(mods) {
            return None;
        }
        match event {
            "2" => Some(Touch::Repeated),
            "3" => Some(Touch::Released),
            _ => Some(Touch::Pressed),
        }
    }

    /// Whether Shift makes our character of the key. A terminal that does not say what it makes of it is taken to have
    /// a US keyboard.
    fn is_shifted(self, own: &str, shifted: &str, base: &str) -> bool {
        let Some(unshifted) = self.unshifted() else {
            return false;
        };
        let is_below = |code| is(unshifted, code);
        self.is_code(shifted) || is_below(base) || (shifted.is_empty() && is_below(own))
    }

    /// The key that gives this character with Shift on a US keyboard, where it takes Shift.
    fn unshifted(self) -> Option<u8> {
        match self.character {
            b'^' => Some(b'6'),
            b'_' => Some(b'-'),
            _ => None,
        }
    }

    fn is_code(self, code: &str) -> bool {
        is(self.character, code)
    }

    /// Whether what is held is what the byte takes: Ctrl, and Shift where the character may need it. With Alt the byte
    /// is the same, behind an ESC.
    fn is_with(self, mods: &str) -> bool {
        let ignored = match self.unshifted() {
            Some(_) => LOCKS | ALT | SHIFT,
            None => LOCKS | ALT,
        };
        held(mods) & !ignored == CTRL
    }
}

/// Whether a code is that of the character, in either case.
fn is(character: u8, code: &str) -> bool {
    let lower = |code: u8| code.to_ascii_lowercase();
    code.parse().is_ok_and(|code| lower(code) == character)
}

fn held(mods: &str) -> u32 {
    mods.parse::<u32>().unwrap_or(0).saturating_sub(1)
}

fn has_shift(mods: &str) -> bool {
    held(mods) & SHIFT != 0
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Ctrl-{}",
            char::from(self.character.to_ascii_uppercase())
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_people_write_them() {
        let shown = |text| Key::read(text).map(|key| key.map(|key| (key.byte(), key.to_string())));
        assert_eq!(shown("^]"), Ok(Some((0x1d, "Ctrl-]".into()))));
        assert_eq!(shown("ctrl-a"), Ok(Some((1, "Ctrl-A".into()))));
        assert_eq!(shown("C-\\"), Ok(Some((0x1c, "Ctrl-\\".into()))));
        assert_eq!(shown("None"), Ok(None));
        for bad in ["", "a", "^", "^1", "ctrl-m", "^[", "ctrl-ab", "\x1d"] {
            assert!(Key::read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_sequence_is_about_the_key_in_every_encoding() {
        use Touch::{Pressed, Released, Repeated};
        for (sequence, want) in [
            ("\x1b[93;5u", Some(Pressed)),
            ("\x1b[93;69u", Some(Pressed)),
            ("\x1b[93;133u", Some(Pressed)),
            ("\x1b[93;197u", Some(Pressed)),
            ("\x1b[93;5:1u", Some(Pressed)),
            ("\x1b[93;5:2u", Some(Repeated)),
            ("\x1b[93;5:3u", Some(Released)),
            ("\x1b[93:125;5u", Some(Pressed)),
            ("\x1b[93;5;29u", Some(Pressed)),
            ("\x1b[1098::93;5u", Some(Pressed)),
            ("\x1b[27;5;93~", Some(Pressed)),
            ("\x1b[93;7u", Some(Pressed)),
            ("\x1b[93;71:3u", Some(Released)),
            ("\x1b[27;7;93~", Some(Pressed)),
            ("\x1b[93;3u", None),
            ("\x1b[93;13u", None),
            ("\x1b[93u", None),
            ("\x1b[93;6u", None),
            ("\x1b[93;1u", None),
            ("\x1b[97;5u", None),
            ("\x1b[27;5;97~", None),
            ("\x1b[27;3;93~", None),
            ("\x1b[93;5~", None),
            ("\x1b[A", None),
        ] {
            assert_eq!(
                Key::USUAL.touched(sequence.as_bytes()),
                want,
                "{sequence:?}"
            );
        }
    }

    // On a US keyboard both take Shift.
    #[test]
    fn a_key_that_takes_shift_is_found_with_it_and_without() {
        for (key, found, others) in [
            (
                "^^",
                [
                    "94;5u",
                    "94;6u",
                    "54;6u",
                    "54:94;6u",
                    "54:94:54;70:1u",
                    "54:94;8u",
                    "27;5;94~",
                    "27;6;94~",
                    "1078:38:54;6u",
                ],
                ["54;5u", "94;2u", "54:38;6u", "45;6u", "27;6;54~"],
            ),
            (
                "^_",
                [
                    "95;5u",
                    "95;6u",
                    "45;6u",
                    "45:95;6u",
                    "45:95:45;134u",
                    "95;7u",
                    "27;5;95~",
                    "27;6;95~",
                    "41:95:45;6u",
                ],
                ["45;5u", "95;2u", "45:54;6u", "54;6u", "27;6;45~"],
            ),
        ] {
            let key = Key::read(key).unwrap().unwrap();
            let touched = |sequence| key.touched(format!("\x1b[{sequence}").as_bytes());
            for sequence in found {
                assert_eq!(touched(sequence), Some(Touch::Pressed), "{key} {sequence}");
            }
            for sequence in others {
                assert_eq!(touched(sequence), None, "{key} {sequence}");
            }
        }
    }
}
