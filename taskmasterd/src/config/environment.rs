//! What a program finds in its environment: the lines of `env_file`, then the map `env`.

use std::collections::BTreeMap;
use std::path::Path;

use super::node::Node;
use super::open::{self, Trust};
use super::program::{Keys, Reader};
use super::report::At;
use super::values;
use crate::config::model::Identity;

/// The variables of a program; `user` is whom it runs as. Which files and variables are trusted depends on him: for
/// nobody the file is not read.
pub(super) fn read(keys: &mut Keys<'_>, user: Option<&Identity>) -> BTreeMap<String, String> {
    let other = user.filter(|user| keys.env.euid == 0 && user.uid != 0);
    let is_program = keys.reader == Reader::Program;
    let trust = if keys.env.euid == 0 && other.is_none() && is_program {
        Trust::RootOnly
    } else {
        Trust::Anyone
    };
    let mut variables = BTreeMap::new();
    let base = &keys.env.cwd;
    if let Some(node) = keys.get("env_file")
        && let Some(path) = keys.take("env_file", node, |node| values::file(node, base))
        && is_program
    {
        let opened = match other {
            Some(user) => open::open_for(user, &path),
            None => open::open(&path),
        };
        let read = opened.and_then(|file| open::read(&file, &path, trust));
        match read {
            Ok(text) => read_lines(keys, &text, &path, trust, &mut variables),
            Err(what) => {
                let what = format!("{} {what}", path.display());
                keys.problem(node.at, "env_file", &what);
            }
        }
    }
    if let Some(node) = keys.get("env").filter(|node| !node.is_null()) {
        read_map(keys, node, trust, &mut variables);
    }
    variables
}

fn read_map(
    keys: &mut Keys<'_>,
    node: &Node,
    trust: Trust,
    variables: &mut BTreeMap<String, String>,
) {
    let Some(entries) = node.map() else {
        let what = format!("{} is not a map of names and values", node.shown());
        keys.problem(node.at, "env", &what);
        return;
    };
    for entry in entries {
        let shown = Some(entry.key.as_str()).filter(|name| !name.is_empty());
        let key = format!("env.{}", shown.unwrap_or("\"\""));
        if let Err(what) = judge_name(&entry.key, trust) {
            keys.problem(entry.at, &key, &what);
        } else if entry.node.is_null() {
            variables.insert(entry.key.clone(), String::new());
        } else if let Some(value) = keys.take(&key, &entry.node, values::text) {
            variables.insert(entry.key.clone(), value);
        }
    }
}

fn judge_name(name: &str, trust: Trust) -> Result<(), String> {
    if name.is_empty() {
        return Err("a variable needs a name".into());
    }
    if name.contains('=') {
        return Err("a variable's name cannot have =".into());
    }
    if trust == Trust::RootOnly && name.starts_with("LD_") {
        return Err("would change what a program of root loads; remove it".into());
    }
    Ok(())
}

fn read_lines(
    keys: &mut Keys<'_>,
    text: &str,
    path: &Path,
    trust: Trust,
    variables: &mut BTreeMap<String, String>,
) {
    let file = keys.report.add_file(path.display().to_string());
    for (line, content) in (1..).zip(text.lines()) {
        let at = At {
            file,
            line,
            column: 1,
        };
        match variable(content, trust) {
            Ok(found) => variables.extend(found),
            Err(what) => keys.problem(at, "env_file", &what),
        }
    }
}

/// The variable a line sets; comments and empty lines set none.
fn variable(line: &str, trust: Trust) -> Result<Option<(String, String)>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    // What stands in the file may be a secret, so the message does not quote it.
    let (name, value) = line.split_once('=').ok_or("a line without NAME=VALUE")?;
    let name = name.trim();
    judge_name(name, trust)?;
    Ok(Some((name.into(), unquoted(value.trim())?.into())))
}

/// A value without its quotes, behind which only a comment may stand; what does not begin with one is as it is.
fn unquoted(value: &str) -> Result<&str, &'static str> {
    let Some(inside) = value.strip_prefix(['"', '\'']) else {
        return Ok(value);
    };
    let (inside, rest) = inside
        .split_once(&value[..1])
        .ok_or("a value that begins with a quote and has no closing one")?;
    let is_comment = rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#');
    if !rest.is_empty() && !is_comment {
        return Err(
            "a value with text behind its closing quote; one that has this quote in it stands in the other kind, or in none",
        );
    }
    Ok(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_file_set_variables() {
        let set = |line: &str| variable(line, Trust::RootOnly).unwrap();
        let pair = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        assert_eq!(set("A=1"), pair("A", "1"));
        assert_eq!(set("export A = 'b c' "), pair("A", "b c"));
        assert_eq!(set("A=\"x=y\""), pair("A", "x=y"));
        assert_eq!(set("A="), pair("A", ""));
        assert_eq!(set("A=\"b\"  # c \"d\""), pair("A", "b"));
        assert_eq!(set("A='#'\t#"), pair("A", "#"));
        assert_eq!(set("A=it's # so"), pair("A", "it's # so"));
        assert_eq!((set("  # A=1"), set("")), (None, None));
        let error = variable("hunter2", Trust::RootOnly).unwrap_err();
        assert!(!error.contains("hunter2"));
        assert!(
            variable("=x", Trust::RootOnly).is_err()
                && variable("LD_PRELOAD=x", Trust::RootOnly).is_err()
        );
        assert!(variable("LD_PRELOAD=x", Trust::Anyone).is_ok());
    }

    /// They would reach the program with the quotes, or as less than was meant.
    #[test]
    fn quotes_that_are_not_around_the_value_are_refused() {
        for value in [
            "'",
            "\"hunter2",
            "'hunter2\"",
            "\"a\"hunter2",
            "'a' hunter2",
            "'a'#hunter2",
        ] {
            let error = variable(&format!("A={value}"), Trust::Anyone).unwrap_err();
            assert!(
                error.contains("quote") && !error.contains("hunter2"),
                "{error}"
            );
        }
    }
}
