//! Holds what is written for people against what the programs do: every key, method, command and option has its
//! entry, every example loads, and the README runs the tests as the checks do. That the manual is well-formed is
//! held beside this, in `papers.rs`.

#[path = "docs/protocol.rs"]
mod protocol;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use harness::Sandbox;
use harness::bins::{taskmasterctl, taskmasterd, workspace};
use taskmasterd::config::{KEYS, Place, Reload};

fn read(path: &str) -> String {
    let path = workspace().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn said(program: &std::path::Path, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output();
    let output = output.expect("the programs can be started");
    assert!(output.status.success(), "{words:?}: {}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The entry of a list in a manual page: the lines from `.It` to the next one.
fn entry<'a>(page: &'a str, macro_and_name: &str) -> Option<&'a str> {
    let heads = page.match_indices(".It ").map(|(at, _)| &page[at..]);
    let mut found = heads.filter(|text| {
        let head = text.lines().next().unwrap_or_default();
        let mut items = head[4..].split(" , ");
        items.any(|item| item == macro_and_name || item.starts_with(&format!("{macro_and_name} ")))
    });
    let text = found.next()?;
    let end = text[1..].find("\n.It ").map_or(text.len(), |at| at + 1);
    Some(&text[..end])
}

/// What is between lines that begin and end an example, less its indentation.
fn blocks(text: &str, begins: impl Fn(&str) -> bool, ends: &str) -> Vec<String> {
    let (mut blocks, mut block): (Vec<String>, Option<String>) = (Vec::new(), None);
    for line in text.lines() {
        match &mut block {
            Some(_) if line == ends => blocks.extend(block.take()),
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
            None if begins(line) => block = Some(String::new()),
            None => {}
        }
    }
    blocks
}

// A key whose default or whose reload is told wrongly is worse than one that is not told.
#[test]
fn every_key_is_in_the_manual_with_its_default_and_its_reload() {
    let page = read("man/taskmaster.yaml.5");
    let (top, program) = page
        .split_once("\n.Sh KEYS OF A PROGRAM\n")
        .expect("the page has both sections");
    let mut wrong = Vec::new();
    for key in KEYS {
        let section = match key.place {
            Place::Top => top,
            Place::Program => program,
        };
        let reload = match key.reload {
            Reload::Live => "live",
            Reload::Restart => "restart",
            Reload::NextStart => "next start",
        };
        let told = format!("\nDefault: {}.\nReload: {reload}.\n", key.default);
        match entry(section, &format!("Ic {}", key.name)) {
            None => wrong.push(format!("{}: no entry", key.name)),
            Some(text) if !text.contains(&told) => {
                wrong.push(format!("{}: not{told}but\n{text}", key.name));
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

// A key that the manual has and the program has not would be an error in somebody's file.
#[test]
fn the_manual_has_no_key_that_there_is_not() {
    let page = read("man/taskmaster.yaml.5");
    let heads: Vec<&str> = page
        .lines()
        .collect::<Vec<_>>()
        .windows(2)
        .filter(|pair| pair[1].starts_with("Default: "))
        .map(|pair| pair[0].trim_start_matches(".It Ic "))
        .collect();
    let known: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    let (heads_set, known_set): (BTreeSet<_>, BTreeSet<_>) =
        (heads.iter().collect(), known.iter().collect());
    assert_eq!(heads_set, known_set);
    assert_eq!(heads.len(), known.len(), "a key has two entries");
}

/// The words at the beginning of the lines of a help text that are indented by two.
fn commands_of_help(help: &str) -> Vec<String> {
    let lines = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands"));
    let names = lines.skip(1).filter_map(|line| line.strip_prefix("  "));
    names
        .flat_map(|line| {
            let names = line.split("  ").next().unwrap_or_default();
            names.split(", ").map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

/// Every option that a text names, short and long.
fn options(text: &str) -> BTreeSet<String> {
    text.split(|c: char| c.is_whitespace() || "[]|,;()".contains(c))
        .filter(|word| word.starts_with('-') && word.len() > 1)
        .filter(|word| word[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '-'))
        .map(str::to_owned)
        .filter(|word| !word.trim_matches('-').is_empty())
        .collect()
}

/// The option as mdoc writes it: `-c` is `Fl c`, `--config` is `Fl -config`.
fn flag(option: &str) -> String {
    format!("Fl {}", &option[1..])
}

fn has_flag(text: &str, option: &str) -> bool {
    let flag = flag(option);
    text.match_indices(&flag).any(|(at, _)| {
        let after = text[at + flag.len()..].chars().next();
        after.is_none_or(|c| !(c.is_ascii_alphanumeric() || c == '-'))
    })
}

#[test]
fn every_command_of_the_client_has_its_entry() {
    let page = read("man/taskmasterctl.1");
    let help = said(taskmasterctl(), &["--help"]);
    let commands = commands_of_help(&help);
    assert!(commands.len() > 12, "{commands:?}");
    for command in &commands {
        let head = format!("Ic {}", if command == "?" { "?\\&" } else { command });
        let text = entry(&page, &head).unwrap_or_else(|| panic!("{command}: no entry"));
        let mut goes_on = true;
        let head = text
            .lines()
            .take_while(|line| std::mem::replace(&mut goes_on, line.ends_with('\\')));
        let head: String = head.collect();
        let usage = said(taskmasterctl(), &["help", command]);
        for option in options(&usage) {
            assert!(has_flag(&head, &option), "{command}: {option} is not told");
        }
    }
}

#[test]
fn every_option_has_its_entry() {
    for (program, page) in [
        (taskmasterctl(), "man/taskmasterctl.1"),
        (taskmasterd(), "man/taskmasterd.8"),
    ] {
        let help = said(program, &["--help"]);
        let help = help.split("\nCommands").next().unwrap_or_default();
        let found = options(help);
        assert!(found.len() >= 6, "{found:?}");
        let page = read(page);
        for option in found {
            let entry = entry(&page, &flag(&option));
            assert!(entry.is_some(), "{option}: no entry");
        }
    }
}

/// What `--check` says of a configuration; users that are not here, or that only root may name, are left out, and logs
/// are where whoever runs this may write.
fn check(text: &str) -> Result<(), String> {
    let sandbox = Sandbox::new();
    let names_user = |line: &&str| {
        let line = line.trim_start();
        !(line.starts_with("user:") || line.starts_with("group:") || line.starts_with("groups:"))
    };
    let text: Vec<&str> = text.lines().filter(names_user).collect();
    let logs = format!("{}/", sandbox.dir().display());
    let text = text.join("\n").replace("/var/log/", &logs);
    let path = sandbox.write("tm.yaml", &text);
    let mut command = Command::new(taskmasterd());
    let output = command.arg("--check").arg("-c").arg(path).output();
    let output = output.expect("taskmasterd can be started");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // A warning in our own example would be an example of what not to do.
    if output.status.success() && said.is_empty() {
        Ok(())
    } else {
        Err(format!("{}\n{said}\nof\n{text}", output.status))
    }
}

#[test]
fn every_example_of_a_configuration_loads() {
    let readme = blocks(&read("README.md"), |line| line == "```yaml", "```");
    assert!(!readme.is_empty(), "the README has an example");
    let page = read("man/taskmaster.yaml.5");
    let literal = blocks(&page, |line| line == ".Bd -literal -offset indent", ".Ed");
    assert!(literal.len() >= 4, "the manual has several examples");
    for example in readme.iter().chain(&literal) {
        check(example).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[test]
fn the_configuration_of_the_demo_loads() {
    let text = read("taskmasterd/src/demo.yaml").replace("@DIRECTORY@", "/tmp");
    check(&text).unwrap_or_else(|why| panic!("{why}"));
}

// Whoever does what the README says has run what the checks run.
#[test]
fn the_checks_run_the_test_command_of_the_readme() {
    let readme = read("README.md");
    let lines: Vec<&str> = readme
        .lines()
        .filter(|line| line.starts_with("cargo test"))
        .collect();
    assert_eq!(lines, ["cargo test --workspace"]);
    let shell = blocks(&readme, |line| line == "```sh", "```");
    assert!(shell.contains(&"cargo test --workspace\n".to_owned()));
    let checks = read(".ci/run");
    let extracted = "mapfile -t tests < <(grep -E '^cargo test( |$)' README.md)";
    assert!(checks.contains(extracted) && checks.contains("bash -c \"${tests[0]}\""));
    assert!(
        !checks.contains("cargo test --"),
        "a copy of the command could drift"
    );
}

// The steps of installation name files that exist.
#[test]
fn the_readme_installs_every_manual_page() {
    let readme = read("README.md");
    let pages = fs::read_dir(workspace().join("man")).expect("there are manual pages");
    let pages = pages.flatten().map(|entry| entry.path());
    let is_page = |path: &PathBuf| path.extension().is_none_or(|extension| extension != "svg");
    let pages: Vec<PathBuf> = pages.filter(is_page).collect();
    assert_eq!(pages.len(), 4);
    for page in pages {
        let name = page.file_name().expect("a file has a name");
        let name = format!(" man/{} ", name.to_string_lossy());
        assert!(readme.contains(&name), "{name}");
    }
}
