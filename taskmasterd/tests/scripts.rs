//! The policy of the core, as scripts: what is ordered, and what comes out.
//!
//! Each file of `scripts/` begins with one sentence, which is also its name, and goes on with blocks: orders,
//! `---`, what came out, an empty line. The language is that of [`player`]. `UPDATE_SCRIPTS=1` writes down what
//! comes out now; read the difference before you commit it.

#[path = "scripts/player.rs"]
mod player;
#[path = "scripts/words.rs"]
mod words;

use std::fs;
use std::path::{Path, PathBuf};

/// Every script does what it says. One that does not is printed with the lines that differ.
#[test]
fn every_script_comes_out_as_written() {
    let update = std::env::var_os("UPDATE_SCRIPTS").is_some();
    let mut wrong = Vec::new();
    for path in scripts() {
        let written = fs::read_to_string(&path).expect("a script can be read");
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let played = match play(&written) {
            Ok(played) => played,
            Err(problem) => {
                wrong.push(format!("{name}: {problem}"));
                continue;
            }
        };
        if played == written {
            continue;
        }
        if update {
            fs::write(&path, &played).expect("a script can be written");
        } else {
            wrong.push(format!("{name}:\n{}", difference(&written, &played)));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} scripts came out otherwise:\n\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// A script is found by the behaviour it is about.
#[test]
fn every_script_is_named_after_its_sentence() {
    for path in scripts() {
        let text = fs::read_to_string(&path).expect("a script can be read");
        let sentence = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# "))
            .unwrap_or_default();
        let snake: Vec<String> = sentence
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_ascii_lowercase)
            .collect();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        assert_eq!(snake.join("_"), name, "the first line of {name}.txt");
    }
}

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let entries = fs::read_dir(folder).expect("the scripts are there");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "txt"))
        .collect();
    paths.sort();
    assert!(paths.len() > 40, "only {} scripts were found", paths.len());
    paths
}

/// The script with what comes out of its orders now.
fn play(written: &str) -> Result<String, String> {
    let mut player = player::Player::new();
    let mut played = String::new();
    let mut old_output = false;
    for (number, line) in (1..).zip(written.lines()) {
        match line {
            "---" => {
                old_output = true;
                played.push_str("---\n");
                for line in player.take_output() {
                    played.push_str(&line);
                    played.push('\n');
                }
            }
            "" => {
                old_output = false;
                played.push('\n');
            }
            _ if old_output => {}
            _ => {
                if !line.starts_with('#') {
                    player
                        .obey(line)
                        .map_err(|problem| format!("line {number}: {line}: {problem}"))?;
                }
                played.push_str(line);
                played.push('\n');
            }
        }
    }
    Ok(played)
}

/// The lines that differ, `-` as written and `+` as played, with what stands around them.
fn difference(written: &str, played: &str) -> String {
    let (was, is): (Vec<&str>, Vec<&str>) = (written.lines().collect(), played.lines().collect());
    // The longest common subsequence, by the book: scripts are short.
    let mut common = vec![vec![0; is.len() + 1]; was.len() + 1];
    for i in (0..was.len()).rev() {
        for j in (0..is.len()).rev() {
            common[i][j] = if was[i] == is[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < was.len() || j < is.len() {
        if i < was.len() && j < is.len() && was[i] == is[j] {
            lines.push(format!("    {}", was[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == is.len() || (i < was.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(format!("  - {}", was[i]));
            i += 1;
        } else {
            lines.push(format!("  + {}", is[j]));
            j += 1;
        }
    }
    lines.join("\n") + "\n"
}
