//! The names of programs and processes, and the selectors with which a user points at several of them.
//!
//! A program is a stanza of the configuration; a process is one of its `numprocs` copies, written
//! `program:index`. Where a program has one process, `program` alone means it.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest name a program may have, in bytes.
pub const NAME_LEN_MAX: usize = 64;

/// A program's name: 1 to 64 of `A-Z a-z 0-9 _ . -`, and not `all`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProgramName(Arc<str>);

impl ProgramName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProgramName {
    /// What is wrong with it, less the text itself.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if text.is_empty() {
            return Err("a program needs a name".into());
        }
        if text.len() > NAME_LEN_MAX {
            return Err(format!(
                "a name of {} bytes is too long ({NAME_LEN_MAX} at most)",
                text.len()
            ));
        }
        if let Some(c) = text.chars().find(|&c| !allowed(c)) {
            let c = crate::text::escape(&c.to_string());
            return Err(format!(
                "\"{c}\" cannot be part of a name; use letters, digits, _ . and -"
            ));
        }
        if text == "all" {
            return Err("means every program; choose another name".into());
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for ProgramName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ProgramName> for String {
    fn from(name: ProgramName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl Borrow<str> for ProgramName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProgramName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The name of one process: its program and its index among the program's `numprocs`, from 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessName {
    /// The program it is a copy of.
    pub program: ProgramName,
    /// Which copy, from 0.
    pub index: u32,
}

impl ProcessName {
    /// The process `program:index`.
    pub fn new(program: ProgramName, index: u32) -> Self {
        Self { program, index }
    }

    /// How the process is shown: `program` where the program has one process, else `program:index`.
    pub fn shown(&self, numprocs: u32) -> String {
        if numprocs == 1 && self.index == 0 {
            self.program.to_string()
        } else {
            self.to_string()
        }
    }
}

impl fmt::Display for ProcessName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}:{}", self.program, self.index))
    }
}

/// What a user typed to point at processes: `web`, `web:1`, `web:*`, `w*`, `w*:0` or `all`.
///
/// A `*` stands for any text and a `?` for one character of a program's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Selector {
    text: String,
    program: Pattern,
    copies: Copies,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    All,
    Exactly(String),
    Glob(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copies {
    /// `web`: whatever processes the program has.
    Unsaid,
    /// `web:*` or `web:`: the group, as supervisor calls it.
    Every,
    /// `web:1`.
    One(u32),
}

/// The longest selector that is looked at, in bytes: a name, a colon and an index.
pub const SELECTOR_LEN_MAX: usize = NAME_LEN_MAX + 12;

impl Selector {
    /// Whether the process `name` is among those meant.
    pub fn matches(&self, name: &ProcessName) -> bool {
        let program = match &self.program {
            Pattern::All => true,
            Pattern::Exactly(text) => text == name.program.as_str(),
            Pattern::Glob(glob) => glob_matches(glob.as_bytes(), name.program.as_str().as_bytes()),
        };
        program
            && match self.copies {
                Copies::Unsaid | Copies::Every => true,
                Copies::One(index) => index == name.index,
            }
    }

    /// The one program meant, where the selector names it without a pattern.
    pub fn program(&self) -> Option<&str> {
        match &self.program {
            Pattern::Exactly(text) => Some(text),
            Pattern::All | Pattern::Glob(_) => None,
        }
    }

    /// The one process meant, where the selector is `program:index`.
    pub fn index(&self) -> Option<u32> {
        match self.copies {
            Copies::One(index) => Some(index),
            Copies::Unsaid | Copies::Every => None,
        }
    }

    /// Whether it stands for a group: `all`, `web:*` or a pattern. What is already as wanted in a group
    /// is passed over in silence, as supervisor does; what was named is reported.
    pub fn is_group(&self) -> bool {
        self.copies == Copies::Every || self.program().is_none()
    }

    /// What an answer calls the selector that matched nothing: supervisor says `web` of `web:*`.
    pub fn label(&self) -> &str {
        match self.copies {
            Copies::Every => self.text.split(':').next().unwrap_or(&self.text),
            Copies::Unsaid | Copies::One(_) => &self.text,
        }
    }

    /// The text as it was typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shown = crate::text::escape(text);
        if text.is_empty() || text.len() > SELECTOR_LEN_MAX {
            return Err(format!(
                "\"{shown}\" is not the name of a process (1 to {SELECTOR_LEN_MAX} bytes)"
            ));
        }
        let (program, copies) = match text.split_once(':') {
            None => (text, Copies::Unsaid),
            Some((program, "" | "*")) => (program, Copies::Every),
            Some((program, index)) => match parse_index(index) {
                Some(index) => (program, Copies::One(index)),
                None => {
                    return Err(format!(
                        "\"{shown}\": what follows the colon is 0, 1, 2 and so on, or *"
                    ));
                }
            },
        };
        let program = match program {
            "all" => Pattern::All,
            _ if program.contains(['*', '?']) => Pattern::Glob(program.into()),
            _ => Pattern::Exactly(program.into()),
        };
        Ok(Self {
            text: text.into(),
            program,
            copies,
        })
    }
}

impl TryFrom<String> for Selector {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        selector.text
    }
}

/// An index as it is shown: a process has one name, and `+1` or `01` would be others.
fn parse_index(text: &str) -> Option<u32> {
    let index: u32 = text.parse().ok()?;
    (index.to_string() == text).then_some(index)
}

/// Whether `text` fits `glob`. Iterative, so that no pattern costs more than the product of the lengths.
fn glob_matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t) = (0, 0);
    let mut retry = None;
    while t < text.len() {
        match glob.get(g) {
            Some(b'*') => {
                retry = Some((g + 1, t));
                g += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => {
                g += 1;
                t += 1;
            }
            Some(_) | None => match retry {
                Some((star, taken)) => {
                    retry = Some((star, taken + 1));
                    g = star;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    glob[g..].iter().all(|&c| c == b'*')
}

/// The candidate most like `wrong`, for "did you mean". One letter may differ and one more for every four, in the
/// longer of the two, but not all.
pub fn did_you_mean<'a>(
    wrong: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wrong = &wrong[..wrong.floor_char_boundary(NAME_LEN_MAX)];
    let length = wrong.chars().count();
    candidates
        .into_iter()
        .map(|candidate| (edits(wrong, candidate), candidate))
        .filter(|&(edits, candidate)| {
            let longest = candidate.chars().count().max(length);
            edits < longest && edits <= 1 + longest / 4
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, a transposition counting as one.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let mut best = (rows[i - 1][j] + 1)
                .min(row[j - 1] + 1)
                .min(rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]));
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(program: &str, index: u32) -> ProcessName {
        ProcessName::new(program.parse().unwrap(), index)
    }

    fn selects(selector: &str, program: &str, index: u32) -> bool {
        selector
            .parse::<Selector>()
            .unwrap()
            .matches(&process(program, index))
    }

    #[test]
    fn names_have_a_small_alphabet() {
        for good in ["web", "a.b-c_9", &"x".repeat(64)] {
            assert!(good.parse::<ProgramName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "a b",
            "a:b",
            "all",
            "*",
            "é",
            "../x",
            "\x1b[31m",
            &"x".repeat(65),
        ] {
            let error = bad.parse::<ProgramName>().unwrap_err();
            assert!(!error.contains('\x1b'), "{error:?}");
        }
    }

    #[test]
    fn a_lone_process_is_shown_by_its_program() {
        assert_eq!(process("web", 0).shown(1), "web");
        assert_eq!(process("web", 0).shown(2), "web:0");
        assert_eq!(process("web", 3).shown(1), "web:3");
    }

    #[test]
    fn selectors_match_as_the_manual_says() {
        assert!(selects("web", "web", 3) && selects("web:*", "web", 3) && selects("all", "web", 3));
        assert!(
            selects("web:3", "web", 3) && !selects("web:3", "web", 2) && !selects("web", "webs", 0)
        );
        assert!(selects("w*", "web", 0) && selects("*b:1", "web", 1) && selects("w?b", "web", 0));
        assert!(!selects("w*x", "web", 0) && !selects("w?", "web", 0));
    }

    #[test]
    fn groups_are_told_from_names() {
        let group = |text: &str| text.parse::<Selector>().unwrap().is_group();
        assert!(group("all") && group("web:*") && group("w*") && !group("web") && !group("web:0"));
        assert_eq!("web:*".parse::<Selector>().unwrap().label(), "web");
        assert_eq!("web:1".parse::<Selector>().unwrap().label(), "web:1");
    }

    #[test]
    fn what_is_no_name_selects_nothing() {
        let long = "x".repeat(SELECTOR_LEN_MAX + 1);
        for bad in [
            "",
            &long,
            "web:x",
            "web:+1",
            "web:01",
            "web:00",
            "web:-0",
            "web: 1",
            "web:1:1",
            "web:4294967296",
        ] {
            assert!(bad.parse::<Selector>().is_err(), "{bad:?}");
        }
        assert!(selects("web:0", "web", 0) && selects("web:4294967295", "web", u32::MAX));
    }

    #[test]
    fn a_pattern_of_stars_ends_quickly() {
        assert!(!selects(&"*a".repeat(30), &"b".repeat(64), 0));
    }

    #[test]
    fn near_misses_are_suggested() {
        assert_eq!(
            did_you_mean("autorestrat", ["autorestart", "autostart"]),
            Some("autorestart")
        );
        assert_eq!(did_you_mean("wbe", ["web", "db"]), Some("web"));
        assert_eq!(did_you_mean("zebra", ["web", "db"]), None);
        // Everything is near to what is very short; and what is very long is cut where a character ends.
        assert_eq!(did_you_mean("", ["?"]), None);
        assert_eq!(did_you_mean("#", ["?", "fg"]), None);
        assert_eq!(did_you_mean("ü", ["?", "fg"]), None);
        assert_eq!(did_you_mean(&"ü".repeat(5000), ["web"]), None);
    }
}
