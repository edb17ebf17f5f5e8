//! The words of a line of the shell: blanks part them, and quotes keep blanks.
//!
//! A backslash is a character like any other: the escapes of a text to `send` are `send`'s own.

/// What is left of a line from a quote on that nothing closes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unclosed<'a> {
    /// The words before it.
    pub(crate) before: Vec<&'a str>,
    pub(crate) rest: &'a str,
}

/// Parts a line. A quote opens only where a word begins, and closes only where one may end, so that `it's` is a word.
pub(crate) fn split(line: &str) -> Result<Vec<&str>, Unclosed<'_>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let parted = match first {
            '\'' | '"' => quoted(first, &rest[1..]),
            _ => Some(rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()))),
        };
        let Some((word, behind)) = parted else {
            let before = words;
            return Err(Unclosed { before, rest });
        };
        words.push(word);
        rest = behind.trim_start();
    }
    Ok(words)
}

/// What stands before the quote that closes, and what behind it.
fn quoted(quote: char, text: &str) -> Option<(&str, &str)> {
    let parted = |(at, _)| (&text[..at], &text[at + 1..]);
    let mut quotes = text.match_indices(quote).map(parted);
    quotes.find(|(_, behind)| behind.is_empty() || behind.starts_with(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is(line: &str, words: &[&str]) {
        assert_eq!(split(line).as_deref(), Ok(words), "{line}");
    }

    #[test]
    fn blanks_part_words() {
        is("", &[]);
        is(" \t", &[]);
        is("start web:* db", &["start", "web:*", "db"]);
        is("  tail\t-f \u{3000}web\u{a0}", &["tail", "-f", "web"]);
    }

    #[test]
    fn quotes_keep_blanks_and_leave_backslashes_alone() {
        is(r"send sh 'echo x\r'", &["send", "sh", r"echo x\r"]);
        is(r#"send sh "a  b\r" "#, &["send", "sh", r"a  b\r"]);
        is(r"send sh echo\r", &["send", "sh", r"echo\r"]);
        is(r"'a\' b", &[r"a\", "b"]);
        is(r#"'"' "'" '' "#, &["\"", "'", ""]);
        is(" ' ü '\u{a0}\"b\"", &[" ü ", "b"]);
    }

    #[test]
    fn a_quote_within_a_word_is_text() {
        is("it's don't", &["it's", "don't"]);
        is("'it's so' a\"b\"", &["it's so", "a\"b\""]);
        is("'a'b c' d", &["a'b c", "d"]);
        is(r#""say 'hi' now""#, &["say 'hi' now"]);
    }

    #[test]
    fn what_nothing_closes_is_refused() {
        for rest in ["'", "\"", "'echo x", "\"it's'", "'a'b", "'ü"] {
            let line = format!("send  sh {rest}");
            let before = vec!["send", "sh"];
            assert_eq!(split(&line), Err(Unclosed { before, rest }), "{line}");
        }
    }
}
