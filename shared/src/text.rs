//! Text for people: escaping what came from outside, times, durations.

use std::fmt::Write;

/// `text` with everything a terminal or a log reader could obey made visible: C0 and C1 controls, DEL,
/// line and paragraph separators, and the characters that turn the direction of text.
///
/// The one function through which foreign text passes on its way to a terminal, a log line or syslog.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x1f' | '\x7f' => write_to(&mut out, format_args!("\\x{:02x}", c as u32)),
            '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                write_to(&mut out, format_args!("\\u{{{:x}}}", c as u32))
            }
            '\u{200e}'
            | '\u{200f}'
            | '\u{061c}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                write_to(&mut out, format_args!("\\u{{{:x}}}", c as u32));
            }
            _ => out.push(c),
        }
    }
    out
}

/// [`escape`] for bytes that need not be UTF-8; what is not is shown as `\xNN`.
pub fn escape_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(&escape(chunk.valid()));
        for byte in chunk.invalid() {
            write_to(&mut out, format_args!("\\x{byte:02x}"));
        }
    }
    out
}

fn write_to(out: &mut String, args: std::fmt::Arguments<'_>) {
    out.write_fmt(args)
        .expect("writing to a String does not fail");
}

/// Milliseconds since 1970 as RFC 3339 in UTC: `2026-11-21T02:20:53.123Z`.
pub fn timestamp(unix_ms: u64) -> String {
    let (days, ms) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
        ms % 1000
    )
}

/// The date of the day `days` after 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (
        yoe + era * 400 + u64::from(month <= 2),
        month,
        doy - (153 * mp + 2) / 5 + 1,
    )
}

/// An uptime as supervisor writes it: `0:00:07`, `1 day, 2:03:04`, `2 days, 0:00:01`.
pub fn uptime(ms: u64) -> String {
    let seconds = ms / 1000;
    let (days, hours, minutes, seconds) = (
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    );
    let clock = format!("{hours}:{minutes:02}:{seconds:02}");
    match days {
        0 => clock,
        1 => format!("1 day, {clock}"),
        _ => format!("{days} days, {clock}"),
    }
}

/// A duration as one would say it: `250 ms`, `2 s`, `2.5 s`, `90 s`, `5 min`, `2 h`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        _ if ms.is_multiple_of(3_600_000) => format!("{} h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) && ms > 120_000 => format!("{} min", ms / 60_000),
        _ if ms.is_multiple_of(1000) => format!("{} s", ms / 1000),
        _ if ms < 10_000 => {
            let text = format!("{}.{:03}", ms / 1000, ms % 1000);
            format!("{} s", text.trim_end_matches('0'))
        }
        _ => format!("{} s", ms / 1000),
    }
}

/// So many of something, in the form that the number wants: `1 process`, `2 processes`.
pub fn count(number: u64, one: &str, more: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {more}"),
    }
}

/// Names that one line tells of at most; the rest is a number.
const NAMES_TOLD_MAX: usize = 20;

/// The first few names, and how many more there are. One that is not a word, as no name is, stands in quotes: what
/// follows the names cannot be a part of one. All is ASCII, as the names of programs are: other characters look like
/// a space or a quote.
pub fn list(names: &[String]) -> String {
    let told = names.len().min(NAMES_TOLD_MAX);
    let may_stand = |c: char| c.is_ascii_graphic() && c != '"';
    let is_word = |name: &str| !name.is_empty() && name.chars().all(may_stand);
    let shown = names[..told].iter().map(|name| match is_word(name) {
        true => name.clone(),
        false => format!("\"{}\"", name.escape_default()),
    });
    let text = shown.collect::<Vec<_>>().join(" ");
    match names.len() - told {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_passes() {
        let hostile: String = ('\0'..='\u{a0}')
            .chain(['\u{202e}', '\u{2066}', '\u{2028}'])
            .collect();
        let shown = escape(&hostile);
        assert!(
            shown
                .chars()
                .all(|c| !c.is_control() && !('\u{2028}'..='\u{2069}').contains(&c)),
            "{shown:?}"
        );
        assert_eq!(escape("a\nb\x1b[31m"), "a\\nb\\x1b[31m");
        assert_eq!(escape_bytes(b"ok\xff\x9b"), "ok\\xff\\x9b");
        assert_eq!(escape("größer"), "größer");
    }

    #[test]
    fn times_are_written_as_in_the_standard() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(951_827_696_789), "2000-02-29T12:34:56.789Z");
        assert_eq!(timestamp(1_795_400_453_120), "2026-11-23T02:20:53.120Z");
    }

    #[test]
    fn uptimes_look_like_supervisors() {
        assert_eq!(uptime(7_999), "0:00:07");
        assert_eq!(uptime(93_784_000), "1 day, 2:03:04");
        assert_eq!(uptime(172_801_000), "2 days, 0:00:01");
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(duration(250), "250 ms");
        assert_eq!(duration(2500), "2.5 s");
        assert_eq!(duration(3000), "3 s");
        assert_eq!(duration(300_000), "5 min");
    }
}
