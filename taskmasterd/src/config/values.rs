//! Single values: from the raw text of a node to what it means. What is wrong is said without the subject.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::node::{Node, Plain, Value};
use super::quantity::size;
use super::show::RESOURCES;
use crate::config::model::{Autorestart, Limit, Resource};
use crate::limits::COUNT_MAX;

/// A value, or what is wrong with it.
pub(super) type Parsed<T> = Result<T, String>;

/// Any text, as it was written.
pub(super) fn text(node: &Node) -> Parsed<String> {
    match node.text() {
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("{} is not text", node.shown())),
    }
}

/// Text that is not empty.
pub(super) fn word(node: &Node) -> Parsed<String> {
    match node.text() {
        Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
        Some(_) | None => Err(format!("{} where a word is needed", node.shown())),
    }
}

/// Yes or no.
pub(super) fn boolean(node: &Node) -> Parsed<bool> {
    match node.text().unwrap_or_default().to_lowercase().as_str() {
        "true" | "yes" | "on" => Ok(true),
        "false" | "no" | "off" => Ok(false),
        _ => Err(format!("{} is not true or false", node.shown())),
    }
}

/// A whole number of that range, written without quotes.
pub(super) fn integer(node: &Node, range: RangeInclusive<i64>) -> Parsed<i64> {
    let expected = || {
        let (least, most) = (range.start(), range.end());
        format!(
            "{} is not a whole number from {least} to {most}",
            node.shown()
        )
    };
    let number: Option<i64> = node.text().and_then(|text| text.parse().ok());
    match (number, &node.value) {
        (Some(number), Value::Scalar(_, Plain::Integer)) if range.contains(&number) => Ok(number),
        (Some(number), Value::Scalar(_, Plain::Text)) if range.contains(&number) => {
            Err(format!("{}; write {number}", expected()))
        }
        _ => Err(expected()),
    }
}

/// A count: a whole number from 0 to `most`.
pub(super) fn count(node: &Node, most: u32) -> Parsed<u32> {
    integer(node, 0..=i64::from(most)).map(|number| u32::try_from(number).unwrap_or(most))
}

/// One exit code.
pub(super) fn exitcode(node: &Node) -> Parsed<i32> {
    match integer(node, 0..=255) {
        Ok(code) => Ok(i32::try_from(code).unwrap_or(0)),
        Err(_) if node.text().is_some_and(|text| text.contains(',')) => Err(format!(
            "{} is not a list; write [{}]",
            node.shown(),
            node.text().unwrap_or_default()
        )),
        Err(what) => Err(what),
    }
}

/// A file mode creation mask. Its digits are octal in every spelling, as in every other tool.
pub(super) fn umask(node: &Node) -> Parsed<u32> {
    mode(node).map_err(|()| {
        format!(
            "{} is not a mask; write octal digits from 000 to 777, as 022",
            node.shown()
        )
    })
}

/// Octal digits, with or without `0o`.
pub(super) fn mode(node: &Node) -> Result<u32, ()> {
    let text = node.text().ok_or(())?;
    let digits = text.strip_prefix("0o").unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte)) {
        return Err(());
    }
    match u32::from_str_radix(digits, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        Ok(_) | Err(_) => Err(()),
    }
}

/// `always`, `never`, `unexpected`, `on-failure`, `on-failure:N`, `true`, `false`.
pub(super) fn autorestart(node: &Node) -> Parsed<Autorestart> {
    let wrong = || {
        let shown = node.shown();
        format!("{shown} is not always, never, unexpected or on-failure:N")
    };
    let text = node.text().unwrap_or_default().to_lowercase();
    match text.as_str() {
        "always" | "true" | "yes" | "on" => return Ok(Autorestart::Always),
        "never" | "false" | "no" | "off" => return Ok(Autorestart::Never),
        "unexpected" | "on-failure" => return Ok(Autorestart::Unexpected),
        _ => {}
    }
    // Some write it as manuals print it, brackets and all: on-failure[:5].
    let times = text
        .strip_prefix("on-failure:")
        .or_else(|| text.strip_prefix("on-failure[:")?.strip_suffix(']'));
    let times: Option<u64> = times.and_then(|times| times.parse().ok());
    match times.map(u32::try_from) {
        Some(Ok(times)) if times <= COUNT_MAX => Ok(Autorestart::OnFailure(times)),
        Some(_) => Err(format!("more than {COUNT_MAX} times are too many")),
        None => Err(wrong()),
    }
}

/// A signal that can end a process.
pub(super) fn stopsignal(node: &Node) -> Parsed<i32> {
    let shown = node.shown();
    let text = node.text().unwrap_or_default();
    match shared::signal::parse(text) {
        Some(libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU | libc::SIGCONT) => Err(
            format!("{shown} suspends or continues a process and does not end it"),
        ),
        Some(signal) => Ok(signal),
        None => {
            let short = text.to_uppercase();
            let short = short.strip_prefix("SIG").unwrap_or(&short);
            let hint = shared::name::did_you_mean(short, shared::signal::names())
                .filter(|_| text.parse::<i64>().is_err())
                .map_or_else(
                    || "write a name, as TERM, or a number from 1 to 64".into(),
                    |near| format!("did you mean {near}?"),
                );
            Err(format!("{shown} is not a signal; {hint}"))
        }
    }
}

/// A path, made absolute from the directory `base`, in one spelling: without `.` and without slashes that are too many.
/// `..` stays, as after a symlink it leads elsewhere.
pub(super) fn path(node: &Node, base: &Path) -> Parsed<PathBuf> {
    let path = node.text().unwrap_or_default();
    if path.is_empty() {
        return Err(format!("{} is not a path", node.shown()));
    }
    Ok(base.join(path).components().collect())
}

/// The path of a file; a slash at its end asks for a directory.
pub(super) fn file(node: &Node, base: &Path) -> Parsed<PathBuf> {
    let path = node.text().unwrap_or_default();
    if path.ends_with('/') || path.ends_with("/.") {
        let shown = node.shown();
        return Err(format!("{shown} names a directory; name a file in it"));
    }
    self::path(node, base)
}

/// What is said of a word that stands for a place, where a path is wanted; `advice` is what to write instead.
pub(super) fn no_file(word: &str, advice: &str) -> String {
    format!("\"{word}\" is no file; {advice}, or write ./{word} for a file of that name")
}

/// `host:port`, an IPv6 address in brackets.
pub(super) fn address(node: &Node) -> Parsed<String> {
    let text = node.text().unwrap_or_default();
    let wrong = format!("{} is not host:port", node.shown());
    let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong.clone())?;
    let name = |host: &str| {
        host.chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
    };
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host_is_good = match bracketed {
        Some(host) => host.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && name(host),
    };
    // Whoever reads it later may take a sign or a zero before the number for something else.
    let is_plain = port.starts_with(|first| matches!(first, '1'..='9'));
    match port.parse::<u16>() {
        Ok(_) if is_plain && host_is_good => Ok(text.to_owned()),
        Ok(_) | Err(_) => Err(wrong),
    }
}

/// One resource limit: a number, `unlimited`, or `{soft, hard}` of these.
pub(super) fn limit(resource: Resource, node: &Node) -> Parsed<Limit> {
    let Some(entries) = node.map() else {
        let bound = bound(resource, node)?;
        return Ok(Limit {
            soft: bound,
            hard: bound,
        });
    };
    let mut bounds: BTreeMap<&str, Option<u64>> = BTreeMap::new();
    for entry in entries {
        match entry.key.as_str() {
            key @ ("soft" | "hard") => _ = bounds.insert(key, bound(resource, &entry.node)?),
            other => return Err(format!("{other}: unknown key; write soft and hard")),
        }
    }
    let (Some(&soft), Some(&hard)) = (bounds.get("soft"), bounds.get("hard")) else {
        return Err("soft and hard are both needed".into());
    };
    if soft.unwrap_or(u64::MAX) > hard.unwrap_or(u64::MAX) {
        return Err("soft is more than hard".into());
    }
    Ok(Limit { soft, hard })
}

fn bound(resource: Resource, node: &Node) -> Parsed<Option<u64>> {
    if matches!(node.text(), Some("unlimited" | "infinity")) {
        return Ok(None);
    }
    let in_bytes = RESOURCES
        .iter()
        .any(|&(_, known, in_bytes)| known == resource && in_bytes);
    if in_bytes {
        return size(node)
            .map(Some)
            .map_err(|what| format!("{what}, unlimited"));
    }
    integer(node, 0..=i64::MAX)
        .map(|number| Some(number.unsigned_abs()))
        .map_err(|_| format!("{} is not a whole number or unlimited", node.shown()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        crate::config::file::parse(text, 0).unwrap()
    }

    #[test]
    fn a_umask_is_octal_in_every_spelling() {
        for (text, mask) in [
            ("022", 0o22),
            ("22", 0o22),
            ("0o22", 0o22),
            ("\"022\"", 0o22),
            ("0022", 0o22),
            ("77", 0o77),
            ("077", 0o77),
            ("0", 0),
            ("777", 0o777),
        ] {
            assert_eq!(umask(&node(text)), Ok(mask), "{text}");
        }
        for bad in [
            "888", "1000", "-1", "0x12", "2.2", "+22", "rwx", "[22]", "~", "''",
        ] {
            assert!(umask(&node(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_has_one_spelling() {
        let base = Path::new("/base");
        for (text, meant) in [
            ("/w", "/w"),
            ("//w/.//", "/w"),
            ("./w", "/base/w"),
            (".", "/base"),
            ("/", "/"),
            ("/w/../v/", "/w/../v"),
        ] {
            let found = path(&node(text), base).unwrap();
            assert_eq!(found.as_os_str(), meant, "{text}");
        }
        for directory in ["/w/", "w/."] {
            let shown = node(directory).shown();
            let what = format!("{shown} names a directory; name a file in it");
            assert_eq!(file(&node(directory), base), Err(what));
        }
        assert_eq!(file(&node("./w"), base), Ok("/base/w".into()));
    }

    #[test]
    fn addresses_have_a_host_and_a_port() {
        for good in ["127.0.0.1:8080", "host.example:1", "\"[::1]:80\""] {
            assert!(address(&node(good)).is_ok(), "{good}");
        }
        for bad in [
            "host", ":80", "h:0", "h:65536", "h:x", "h:+80", "h:080", "h:", "a b:80", "'::1:80'",
        ] {
            assert!(address(&node(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn limits_have_two_sides() {
        let nofile = |text: &str| limit(Resource::Nofile, &node(text));
        let both = |soft, hard| Ok(Limit { soft, hard });
        assert_eq!(nofile("1024"), both(Some(1024), Some(1024)));
        assert_eq!(nofile("unlimited"), both(None, None));
        assert_eq!(nofile("{soft: 1, hard: unlimited}"), both(Some(1), None));
        assert!(nofile("{soft: 2, hard: 1}").is_err() && nofile("{soft: 2}").is_err());
        assert!(nofile("1K").is_err());
        assert_eq!(
            limit(Resource::As, &node("1GiB")),
            both(Some(1 << 30), Some(1 << 30))
        );
    }
}
