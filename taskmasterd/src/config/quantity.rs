//! Times and sizes: decimal numbers with units, exact to the millisecond and to the byte.

use super::node::Node;
use super::values::Parsed;
use crate::limits::TIME_MS_MAX;

/// A time in milliseconds: seconds, or numbers with `ms`, `s`, `m`, `h`, `d`.
pub(super) fn time(node: &Node) -> Parsed<u64> {
    let wrong = || {
        let shown = node.shown();
        format!("{shown} is not a time; write seconds, or 500ms, 5s, 2m, 1h, 1m30s")
    };
    let ms = node.text().and_then(milliseconds).ok_or_else(wrong)?;
    if ms > TIME_MS_MAX {
        return Err(format!("{} is longer than a year", node.shown()));
    }
    Ok(ms)
}

fn milliseconds(text: &str) -> Option<u64> {
    if let Some(ms) = decimal(text, 1000) {
        return Some(ms);
    }
    let (mut rest, mut sum, mut least) = (text, 0_u64, u64::MAX);
    while !rest.is_empty() {
        let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number_len);
        let unit_len = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let unit = match &after[..unit_len] {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        // 1m30s, never 30s1m or 1s1s.
        if unit >= least {
            return None;
        }
        (sum, least) = (sum.checked_add(decimal(number, unit)?)?, unit);
        rest = &after[unit_len..];
    }
    (least < u64::MAX).then_some(sum)
}

/// `text`, digits with at most one point among them, times `unit`; exactly, or not at all.
fn decimal(text: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 9 {
        return None;
    }
    let scale = 10_u128.pow(fraction.len() as u32);
    let number: u128 = format!("{whole}{fraction}").parse().ok()?;
    let product = number.checked_mul(u128::from(unit))?;
    (product % scale == 0).then_some(())?;
    u64::try_from(product / scale).ok()
}

/// A size in bytes: a number, or one with a unit; `MB` is a million, `M` and `MiB` are 1048576.
pub(super) fn size(node: &Node) -> Parsed<u64> {
    node.text().and_then(bytes).ok_or_else(|| {
        format!(
            "{} is not a size; write bytes, or 64KiB, 10MB, 1GB",
            node.shown()
        )
    })
}

fn bytes(text: &str) -> Option<u64> {
    let number_len = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(number_len);
    let unit = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return None,
    };
    decimal(number, unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        crate::config::file::parse(text, 0).unwrap()
    }

    #[test]
    fn times_are_exact_and_bounded() {
        for (text, ms) in [
            ("5", 5000),
            ("0.5", 500),
            (".5", 500),
            ("500ms", 500),
            ("5s", 5000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1m30s", 90_000),
            ("1.5m", 90_000),
            ("0", 0),
            ("\"5\"", 5000),
            ("365d", TIME_MS_MAX),
        ] {
            assert_eq!(time(&node(text)), Ok(ms), "{text}");
        }
        for bad in [
            "-1",
            "1e400",
            "1e3",
            ".inf",
            "NaN",
            ".nan",
            "inf",
            "s",
            "5x",
            "30s1m",
            "1s1s",
            "5 s",
            "0.0001",
            "366d",
            "99999999999999999999999",
            ".",
            "1.2.3",
            "~",
            "[5]",
            "0x10",
            "",
        ] {
            assert!(time(&node(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, len) in [
            ("10MB", 10_000_000),
            ("64KiB", 65_536),
            ("1GB", 1_000_000_000),
            ("4096", 4096),
            ("1.5K", 1536),
        ] {
            assert_eq!(size(&node(text)), Ok(len), "{text}");
        }
        for bad in ["-1", "MB", "1TB ", "1e3", "big", "~"] {
            assert!(size(&node(bad)).is_err(), "{bad}");
        }
    }
}
