//! Reads what is written for people: no path of the author's machine anywhere, manual pages without mistakes.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use harness::bins::workspace;
use harness::source::files;

// A path of the machine it was written on is of no use to anybody else.
#[test]
fn nothing_points_at_the_machine_it_was_written_on() {
    // Put together here, so that this file does not find itself.
    let forbidden = [
        ["/wo", "rk"].concat(),
        ["/fa", "rm"].concat(),
        ["/ro", "ot/"].concat(),
    ];
    let mut broken = String::new();
    let mut all = Vec::new();
    for extension in ["rs", "toml", "md", "yaml", "yml", "sh", "1", "5", "7", "8"] {
        all.extend(files(&workspace(), extension));
    }
    for path in all {
        let text = fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = forbidden.iter().find(|word| names_path(line, word)) {
                writeln!(broken, "{}:{}: {word}: {line}", path.display(), number + 1)
                    .expect("memory");
            }
        }
    }
    assert!(broken.is_empty(), "\n{broken}");
}

/// Whether the path stands in the line by itself: `/dir/x`, and neither `/directory` nor `a/dir`.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + path.len()..].chars().next();
        let apart = |c: char| !(c.is_alphanumeric() || "._-".contains(c));
        before.is_none_or(apart) && (path.ends_with('/') || after.is_none_or(apart))
    })
}

#[test]
fn the_manual_pages_are_well_formed() {
    let pages: Vec<PathBuf> = ["1", "5", "7", "8"]
        .iter()
        .flat_map(|section| files(&workspace().join("man"), section))
        .collect();
    if pages.is_empty() {
        harness::skip!("there are no manual pages yet");
    }
    let mut command = Command::new("mandoc");
    command.args(["-T", "lint", "-W", "all"]).args(&pages);
    let Ok(output) = command.output() else {
        harness::skip!("mandoc is not installed");
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let problems: Vec<&str> = said
        .lines()
        .filter(|line| !line.contains("STYLE: referenced manual not found"))
        .collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

// A word of the text that is a macro's name is taken for one, and is not printed.
#[test]
fn no_word_of_a_quotation_is_taken_for_a_macro() {
    let pages = ["1", "5", "7", "8"].map(|section| files(&workspace().join("man"), section));
    for page in pages.into_iter().flatten() {
        let text = fs::read_to_string(&page).expect("a page is text");
        for line in text.lines().filter(|line| line.starts_with(".Ql ")) {
            let taken = line.split(' ').any(|word| word == "No");
            assert!(!taken, "{}: {line}", page.display());
        }
    }
}
