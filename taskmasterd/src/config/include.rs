//! Which files an element of `include` means.
//!
//! A pattern is followed here and not by a library, because what cannot be looked at must be told: programs that
//! are not found are programs that a reload stops.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use glob::{Pattern, PatternError};

use super::node::Node;
use super::values::{self, Parsed};
use crate::files::reason;
use crate::limits::INCLUDES_MAX;

/// One step of a pattern, from a directory into the next.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Plain(String),
    Match(Pattern),
    /// `**`: into any directory below, or none.
    Deeper,
}

/// What an element means.
#[derive(Default)]
pub(super) struct Included {
    pub(super) files: BTreeSet<PathBuf>,
    /// The directory that stands before the pattern, and whether it was there when it was looked through.
    pub(super) directory: Option<(PathBuf, bool)>,
}

/// The files that `node` means; relative paths begin in `base`. A plain path is meant whether it is there or not, so
/// that it is missed when it is not; a pattern means what it finds, and misses only its directory.
pub(super) fn included(base: &Path, node: &Node) -> Parsed<Included> {
    let text = values::word(node)?;
    let mut included = Included::default();
    if !is_pattern(&text) {
        included.files.insert(base.join(text));
        return Ok(included);
    }
    let steps = steps(&text)
        .map_err(|error| format!("{} is not a pattern: {}", node.shown(), error.msg))?;
    let start = if text.starts_with('/') {
        Path::new("/")
    } else {
        base
    };
    included.directory = Some((named(start, &steps), true));
    find(start, &steps, &mut included)?;
    Ok(included)
}

/// The directory that is named before anything in a pattern has to match.
fn named(start: &Path, steps: &[Step]) -> PathBuf {
    let plain = steps.iter().map_while(|step| match step {
        Step::Plain(name) => Some(name),
        Step::Match(_) | Step::Deeper => None,
    });
    plain.fold(start.to_owned(), |directory, name| directory.join(name))
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn steps(text: &str) -> Result<Vec<Step>, PatternError> {
    let components = Path::new(text)
        .components()
        .filter_map(|component| match component {
            Component::Normal(_) | Component::ParentDir => component.as_os_str().to_str(),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
        });
    let mut steps: Vec<Step> = components
        .map(|text| match text {
            "**" => Ok(Step::Deeper),
            text if is_pattern(text) => Pattern::new(text).map(Step::Match),
            text => Ok(Step::Plain(text.to_owned())),
        })
        .collect::<Result<_, _>>()?;
    // Twice any number of directories is any number.
    steps.dedup_by(|a, b| *a == Step::Deeper && a == b);
    Ok(steps)
}

/// Adds what is found in `place` by the rest of a pattern.
fn find(place: &Path, steps: &[Step], found: &mut Included) -> Parsed<()> {
    let Some((step, rest)) = steps.split_first() else {
        return add(place, &mut found.files);
    };
    match step {
        Step::Plain(name) => find(&place.join(name), rest, found),
        Step::Match(pattern) => {
            for entry in entries(place, found)? {
                let name = entry.file_name();
                let text = name.to_string_lossy();
                let is_meant = !is_hidden(&text) || is_hidden(pattern.as_str());
                if is_meant && pattern.matches(&text) {
                    find(&place.join(&name), rest, found)?;
                }
            }
            Ok(())
        }
        Step::Deeper => {
            find(place, rest, found)?;
            for entry in entries(place, found)? {
                let name = entry.file_name();
                // A link may lead back up.
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_directory && !is_hidden(&name.to_string_lossy()) {
                    find(&place.join(name), steps, found)?;
                }
            }
            Ok(())
        }
    }
}

/// Whether a name begins with a dot, as those of editors' own files do. Only a pattern that does so too finds it.
fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

fn add(path: &Path, found: &mut BTreeSet<PathBuf>) -> Parsed<()> {
    if looked_at(path, path.symlink_metadata())?.is_some() {
        found.insert(path.to_owned());
    }
    if found.len() > INCLUDES_MAX {
        return Err(format!("matches more than {INCLUDES_MAX} files"));
    }
    Ok(())
}

/// The directory of an empty path is the one we are in.
fn or_here(directory: &Path) -> &Path {
    match directory.as_os_str() {
        empty if empty.is_empty() => Path::new("."),
        _ => directory,
    }
}

/// What is in a directory; nothing if there is none, which is noted of the one before the pattern. Another look at that
/// one could find it back in its place.
fn entries(directory: &Path, found: &mut Included) -> Parsed<Vec<DirEntry>> {
    let path = or_here(directory);
    let entries = fs::read_dir(path).and_then(Iterator::collect);
    let entries = looked_at(path, entries)?;
    if let Some((named, is_there)) = &mut found.directory
        && named == directory
    {
        *is_there &= entries.is_some();
    }
    Ok(entries.unwrap_or_default())
}

/// What a look at `path` showed; `None` if nothing is there.
fn looked_at<T>(path: &Path, seen: io::Result<T>) -> Parsed<Option<T>> {
    match seen {
        Ok(seen) => Ok(Some(seen)),
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(None),
            _ => Err(format!(
                "{} cannot be read: {}; make it readable, or do not include it",
                path.display(),
                reason(&error)
            )),
        },
    }
}
