//! How deep the brackets of a YAML text nest, roughly, before a parser looks at it.
//!
//! Exact enough to tell a configuration from a bomb, and linear in the length of the text.

/// The line in which more than `most` brackets are open.
pub(super) fn too_deep(text: &str, most: usize) -> Option<u32> {
    let mut brackets = Brackets::default();
    (1..)
        .zip(text.lines())
        .find_map(|(number, line)| (brackets.read(line) > most).then_some(number))
}

#[derive(Default)]
struct Brackets {
    depth: usize,
    quote: Option<u8>,
}

impl Brackets {
    /// Takes in a line; gives how deep it went, whatever it closed again.
    fn read(&mut self, line: &str) -> usize {
        let mut deepest = self.depth;
        let (mut mark, mut last) = (b'\n', b' ');
        let mut bytes = line.bytes();
        while let Some(byte) = bytes.next() {
            let begins = mark == b'\n' || (b":-?,[{".contains(&mark) && last == b' ');
            match (self.quote, byte) {
                (Some(b'"'), b'\\') => _ = bytes.next(),
                (Some(quote), _) if byte == quote => self.quote = None,
                (Some(_), _) => {}
                (None, b'#') if last == b' ' => return deepest,
                (None, b'"' | b'\'') if begins => self.quote = Some(byte),
                (None, b'[' | b'{') if begins || self.depth > 0 => self.depth += 1,
                (None, b']' | b'}') => self.depth = self.depth.saturating_sub(1),
                (None, _) => {}
            }
            deepest = deepest.max(self.depth);
            last = byte;
            if byte != b' ' {
                mark = byte;
            }
        }
        deepest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_brackets_that_nest_are_counted() {
        assert_eq!(too_deep("a\n[[[", 2), Some(2));
        assert_eq!(too_deep("a: {b: [c, {d: [", 3), Some(1));
        assert_eq!(too_deep("a: [[[]]]", 2), Some(1), "closed again");
        for flat in [
            "[a]\n[b]\n[c]",
            "a: '[[['\nb: \"[\\\"[[\"",
            "# [[[\na: b # [[[",
            "cmd: test -f x[[[",
            "- 'it''s [[['",
        ] {
            assert_eq!(too_deep(flat, 2), None, "{flat}");
        }
    }
}
