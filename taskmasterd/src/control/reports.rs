//! What a terminal says of itself, told from what its user types.

/// What was typed, without what terminals say of themselves: answers to questions and news of the focus. Only
/// the terminal whose size counts speaks for all; the others would answer each question once more.
pub fn without_reports(typed: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(typed.len());
    let mut rest = typed;
    while let Some((&first, after)) = rest.split_first() {
        match report_len(rest) {
            Some(len) => rest = &rest[len..],
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

/// The length of the report that `bytes` begin with: CPR, DA, DSR, DECRPM, focus, or an OSC or DCS string.
fn report_len(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0x1b, b'[', b'I' | b'O', ..] => Some(3),
        [0x1b, b'[', rest @ ..] => {
            let end = rest.iter().position(|byte| (0x40..=0x7e).contains(byte))?;
            let (parameters, last) = (&rest[..end], rest[end]);
            let asks = parameters.first().is_some_and(|byte| b"?>".contains(byte));
            let is_report = match last {
                b'R' => parameters.contains(&b';'),
                b'c' | b'n' => true,
                b'y' => parameters.ends_with(b"$"),
                b'u' => asks,
                _ => false,
            };
            is_report.then_some(2 + end + 1)
        }
        [0x1b, b']' | b'P', rest @ ..] => {
            let end = rest.iter().position(|&byte| byte == 0x07 || byte == 0x1b)?;
            let terminator = if rest[end] == 0x07 { 1 } else { 2 };
            Some((2 + end + terminator).min(bytes.len()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_told_from_typing() {
        let strip = |typed: &[u8]| String::from_utf8(without_reports(typed)).unwrap();
        assert_eq!(strip(b"ls\r"), "ls\r");
        assert_eq!(strip(b"\x1b[24;80Ra\x1b[?62;c\x1b[0nb\x1b[I\x1b[O"), "ab");
        assert_eq!(strip(b"\x1b]11;rgb:0/0/0\x07x\x1bP1+r\x1b\\y"), "xy");
        assert_eq!(strip(b"\x1b[A\x1b[1;5C\x1b"), "\x1b[A\x1b[1;5C\x1b");
        assert_eq!(strip(b"\x1b[13;2u\x1b[?5u"), "\x1b[13;2u");
    }
}
