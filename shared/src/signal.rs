//! The names of Linux signals: `TERM`, `SIGTERM`, `sigterm` and `15` are one.

/// The first real-time signal a program may use; glibc keeps 32 and 33 for itself.
const RTMIN: i32 = 34;
/// The last real-time signal.
const RTMAX: i32 = 64;

/// The signals 1 to 31 of Linux on x86 and ARM, by number.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// The number of a signal written as a name with or without `SIG`, in any case, as `RTMIN+n`, or as a number.
pub fn parse(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return (1..=RTMAX).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(rest) = name.strip_prefix("RTMIN") {
        let offset = if rest.is_empty() {
            0
        } else {
            rest.strip_prefix('+')?.parse::<i32>().ok()?
        };
        return (0..=RTMAX - RTMIN)
            .contains(&offset)
            .then_some(RTMIN + offset);
    }
    let name = match name {
        "IOT" => "ABRT",
        "CLD" => "CHLD",
        "POLL" => "IO",
        other => other,
    };
    NAMES
        .iter()
        .zip(1..)
        .find(|(known, _)| **known == name)
        .map(|(_, number)| number)
}

/// The name of a signal with `SIG` before it: `SIGTERM`, `SIGRTMIN+2`; a number nobody names is `signal 77`.
pub fn name(number: i32) -> String {
    match number {
        1..=31 => format!("SIG{}", NAMES[number as usize - 1]),
        RTMIN => "SIGRTMIN".into(),
        _ if (RTMIN..=RTMAX).contains(&number) => format!("SIGRTMIN+{}", number - RTMIN),
        _ => format!("signal {number}"),
    }
}

/// The short names of the ordinary signals, for completion and suggestions.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_means_the_same() {
        for text in ["TERM", "SIGTERM", "sigterm", "term", "15"] {
            assert_eq!(parse(text), Some(15), "{text}");
        }
        assert_eq!(parse("RTMIN+1"), Some(35));
        for bad in ["", "0", "-9", "65", "FOO", "SIG", "RTMIN+31", "RTMIN-1"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_read_back() {
        for number in (1..=31).chain(34..=64) {
            assert_eq!(parse(&name(number)), Some(number));
        }
    }
}
