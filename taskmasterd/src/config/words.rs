//! Splitting a command into words as a shell splits it, and writing words so that a shell reads them back.
//!
//! Quotes and backslashes mean what POSIX says; nothing else does: no variables, no patterns, no pipes.

/// A word of a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// Whether no part of it was quoted, so that a shell might have taken it for an operator.
    pub(super) bare: bool,
}

/// The words of `text`.
pub(super) fn split(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if matches!(c, ' ' | '\t' | '\n') {
            words.extend(word.take());
            continue;
        }
        let begun = word.get_or_insert(Word {
            text: String::new(),
            bare: true,
        });
        begun.bare &= !matches!(c, '\'' | '"' | '\\');
        match c {
            '\'' => single_quoted(&mut chars, &mut begun.text)?,
            '"' => double_quoted(&mut chars, &mut begun.text)?,
            '\\' => match chars.next() {
                Some('\n') => {}
                Some(c) => begun.text.push(c),
                None => return Err("ends with a backslash; write \\\\ for one".into()),
            },
            _ => begun.text.push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn single_quoted(chars: &mut std::str::Chars<'_>, out: &mut String) -> Result<(), String> {
    loop {
        match chars.next() {
            Some('\'') => return Ok(()),
            Some(c) => out.push(c),
            None => return Err("a ' is not closed".into()),
        }
    }
}

fn double_quoted(chars: &mut std::str::Chars<'_>, out: &mut String) -> Result<(), String> {
    loop {
        match chars.next() {
            Some('"') => return Ok(()),
            Some('\\') => match chars.next() {
                Some('\n') => {}
                Some(c @ ('$' | '`' | '"' | '\\')) => out.push(c),
                Some(c) => out.extend(['\\', c]),
                None => return Err("a \" is not closed".into()),
            },
            Some(c) => out.push(c),
            None => return Err("a \" is not closed".into()),
        }
    }
}

/// The first word that means something to a shell only.
pub(super) fn operator(words: &[Word]) -> Option<&str> {
    const OPERATORS: [&str; 14] = [
        "|", "||", "|&", "&", "&&", ";", "<", "<<", ">", ">>", "2>", "2>>", "2>&1", "&>",
    ];
    let bare = words.iter().filter(|word| word.bare);
    bare.map(|word| word.text.as_str()).find_map(|text| {
        let is_all = OPERATORS.contains(&text)
            || text.contains("$(")
            || text.contains('`')
            || has_variable(text)
            || is_in_home(text);
        match text {
            _ if is_all => Some(text),
            _ if text.starts_with('#') => Some("#"),
            _ if text.ends_with(';') => Some(";"),
            _ => None,
        }
    })
}

/// Whether what a shell would take for the next command follows in a line of its own: one that begins with a dash goes
/// on with the arguments.
pub(super) fn has_lines(text: &str) -> bool {
    let mut lines = text.trim().split('\n').peekable();
    while let Some(line) = lines.next() {
        let Some(next) = lines.peek() else { break };
        let is_open = split(line).is_err();
        if is_open {
            // Within quotes, or behind a backslash.
            return false;
        }
        if !next.trim_start().starts_with('-') && !next.trim().is_empty() {
            return true;
        }
    }
    false
}

/// The variable that a shell would set for the command behind it: `NAME` of `NAME=VALUE ls`. A quoted name is none.
pub(super) fn assignment(text: &str) -> Option<&str> {
    let (name, _) = text.trim_start().split_once('=')?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = name.chars().all(is_part) && !name.starts_with(|c: char| c.is_ascii_digit());
    (is_name && !name.is_empty()).then_some(name)
}

/// Whether a shell would put the value of a variable in.
fn has_variable(text: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '{');
    text.split('$')
        .skip(1)
        .any(|rest| rest.starts_with(is_name))
}

/// Whether a shell would put a home directory in.
fn is_in_home(text: &str) -> bool {
    text == "~" || text.starts_with("~/")
}

/// `text` as one word of a shell; plain where that is safe.
pub(super) fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The words as one line for a shell.
pub(super) fn join(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        let words = split(text).unwrap();
        words.into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn words_are_split_as_a_shell_does() {
        assert_eq!(texts(" a  b\tc\n"), ["a", "b", "c"]);
        assert_eq!(
            texts(r#"a 'b c' "d \"e\" \n" f\ g"#),
            ["a", "b c", r#"d "e" \n"#, "f g"]
        );
        assert_eq!(texts(r#"x'y'"z" '' """#), ["xyz", "", ""]);
        assert_eq!(texts("$HOME *.c ~ #x"), ["$HOME", "*.c", "~", "#x"]);
        assert!(texts("  ").is_empty());
    }

    #[test]
    fn open_quotes_are_refused() {
        for bad in ["'a", "\"a", "\"a\\", "a\\"] {
            assert!(split(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_bare_operators_are_remarked() {
        let found = |text: &str| operator(&split(text).unwrap()).map(str::to_owned);
        assert_eq!(found("a | b").as_deref(), Some("|"));
        assert_eq!(found("echo $(date)").as_deref(), Some("$(date)"));
        assert_eq!(found("cd /x; ls").as_deref(), Some(";"));
        assert_eq!(found("ls # all").as_deref(), Some("#"));
        assert_eq!(found("$HOME/x -v").as_deref(), Some("$HOME/x"));
        assert_eq!(found("x --port=${PORT}").as_deref(), Some("--port=${PORT}"));
        assert_eq!(found("~/bin/x -v").as_deref(), Some("~/bin/x"));
        assert_eq!(found("ls ~").as_deref(), Some("~"));
        assert_eq!(found(r#"'~/x' \~ a~/b x~ ~5 --to=~/x"#), None);
        assert_eq!(found(r#"sh -c "a $HOME" '$b' \$c $ a$ $5 $$"#), None);
        assert_eq!(found("sh -c 'a | b'"), None);
        assert_eq!(found("get http://x/?a=1&b=2#c '#' \\#"), None);
    }

    #[test]
    fn a_second_line_is_a_second_command() {
        for lines in ["echo one\necho two\n", "a\n\n  b", "a -x\n  --y\nb"] {
            assert!(has_lines(lines), "{lines:?}");
        }
        for line in ["a\n", "a \\\n  b", "sh -c 'a\nb'", "a\n  -b\n  --c\n", "a"] {
            assert!(!has_lines(line), "{line:?}");
        }
    }

    #[test]
    fn an_assignment_stands_before_the_command() {
        assert_eq!(assignment(" _A1=b ls"), Some("_A1"));
        assert_eq!(assignment("A='b c' B=d ls"), Some("A"));
        assert_eq!(assignment("A="), Some("A"));
        for none in [
            "ls A=b",
            "env A=b ls",
            "=b",
            "1A=b",
            "./a=b",
            "a-b=c",
            "'A=b'",
            "ls",
        ] {
            assert_eq!(assignment(none), None, "{none}");
        }
    }

    #[test]
    fn what_is_quoted_reads_back() {
        for text in ["", "plain", "a b", "it's", "\"\\$`", "\n", "ü|&;"] {
            assert_eq!(texts(&quote(text)), [text], "{text:?}");
        }
    }
}
