//! The sources of the workspace, read for rules about them: without their tests, and with comments and
//! the contents of literals blanked out.

use std::fs;
use std::path::{Path, PathBuf};

use crate::bins::workspace;

/// A source file without its tests.
pub struct Source {
    /// Relative to the workspace.
    pub path: String,
    /// Its lines, comments and the contents of string literals blanked out.
    pub code: Vec<String>,
    /// Its lines as they are.
    pub text: Vec<String>,
}

/// All of them.
pub fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for package in ["shared", "taskmasterd", "taskmasterctl", "tests"] {
        for path in files(&workspace().join(package), "rs") {
            found.push(read(&path));
        }
    }
    assert!(found.len() > 20, "only {} source files found", found.len());
    found
}

/// The files under a directory that have this extension, in order.
pub fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> Source {
    let whole = fs::read_to_string(path).expect("a source can be read");
    let mut text: Vec<String> = whole.lines().map(str::to_owned).collect();
    let mut code: Vec<String> = blank(&whole).lines().map(str::to_owned).collect();
    if let Some(end) = code
        .iter()
        .position(|line| line.starts_with("#[cfg(test)]"))
    {
        let module = code
            .get(end + 1)
            .is_some_and(|line| line.starts_with("mod "));
        if module {
            text.truncate(end);
            code.truncate(end);
        }
    }
    let path = path.strip_prefix(workspace()).expect("it is ours");
    Source {
        path: path.display().to_string(),
        code,
        text,
    }
}

/// The source with comments and the contents of literals as blanks, line for line.
fn blank(whole: &str) -> String {
    let mut out = String::with_capacity(whole.len());
    let mut rest = whole;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |at| at + 2),
            '"' => string_length(rest),
            'r' | 'b' if !out.ends_with(|c: char| c.is_alphanumeric() || c == '_') => {
                raw_length(rest)
            }
            '\'' => char_length(rest),
            _ => 0,
        };
        let taken = if length == 0 { c.len_utf8() } else { length };
        let (piece, after) = rest.split_at(taken);
        if length == 0 {
            out.push_str(piece);
        } else {
            out.extend(piece.chars().map(|c| if c == '\n' { c } else { ' ' }));
        }
        rest = after;
    }
    out
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of `r"..."`, `r#"..."#`, `b"..."` or `br"..."`; 0 if it is none of them.
fn raw_length(text: &str) -> usize {
    if let Some(rest) = text.strip_prefix("b\"") {
        return 1 + string_length(&text[1..1 + rest.len() + 1]);
    }
    let prefix = if text.starts_with("br") { 2 } else { 1 };
    if !text[..prefix].ends_with('r') {
        return 0;
    }
    let hashes = text[prefix..].chars().take_while(|&c| c == '#').count();
    let start = prefix + hashes;
    if !text[start..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    text[start + 1..]
        .find(&end)
        .map_or(text.len(), |at| start + 1 + at + end.len())
}

/// The length of a character literal; 0 for a lifetime.
fn char_length(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            chars.next();
            chars.find(|&(_, c)| c == '\'').map_or(0, |(at, _)| at + 1)
        }
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

/// Whether the word stands in the code, not as a part of a longer name.
pub fn stands_in(code: &str, word: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let starts_with_name = word.starts_with(inner);
        let ends_with_name = word.ends_with(inner);
        !(starts_with_name && before.is_some_and(inner)
            || ends_with_name && after.is_some_and(inner))
    })
}

/// Where functions begin and how many lines they have: to the closing brace at their own indentation.
pub fn functions(source: &Source) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (start, line) in source.code.iter().enumerate() {
        let body = line.trim_start();
        let head = body.split('(').next().unwrap_or_default();
        let qualifiers = ["pub", "const", "unsafe", "extern", "fn"];
        let is_head = head.split_whitespace().any(|word| word == "fn")
            && qualifiers.iter().any(|word| body.starts_with(word));
        if !is_head {
            continue;
        }
        let end = format!("{}}}", &line[..line.len() - body.len()]);
        let length = source.code[start..]
            .iter()
            .position(|line| line.trim_end() == end);
        found.extend(length.map(|length| (start, length + 1)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    // The rules above are worth what the reading of sources is worth.
    #[test]
    fn comments_and_literals_are_no_code() {
        let text = "let a = \"unsafe\"; // todo!\nlet b = 'x'; let c: &'a str = r#\"un\"safe\"#; d";
        let blanked = blank(text);
        assert!(
            !blanked.contains("unsafe") && !blanked.contains("todo"),
            "{blanked}"
        );
        assert!(
            blanked.contains("let b =")
                && blanked.contains("&'a str =")
                && blanked.ends_with("; d")
        );
        assert!(stands_in("use mio::Poll;", "mio") && !stands_in("use amiot;", "mio"));
    }
}
