//! Which files an element of `include` means.
//!
//! A pattern is followed here and not by a library, because what cannot be looked at must be told: programs that
//! are not found are programs that a reload stops.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern, PatternError};

use super::node::Node;
use super::report::{At, Report};
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

impl Step {
    fn text(&self) -> &str {
        match self {
            Self::Plain(name) => name,
            Self::Match(pattern) => pattern.as_str(),
            Self::Deeper => "**",
        }
    }
}

/// What an element means.
#[derive(Default)]
pub(super) struct Included {
    pub(super) files: BTreeSet<PathBuf>,
    /// Where a pattern finds them.
    pub(super) reach: Option<Reach>,
}

/// Where a pattern finds files.
pub(super) struct Reach {
    /// The directory that is named before anything has to match.
    pub(super) directory: PathBuf,
    /// Whether it was there when it was looked through.
    pub(super) is_there: bool,
    /// The one true name of the directory.
    real: PathBuf,
    /// The rest of the pattern.
    below: Pattern,
}

impl Reach {
    fn new(start: &Path, steps: &[Step]) -> Result<Self, PatternError> {
        let is_plain = |step: &&Step| matches!(step, Step::Plain(_));
        let (plain, rest) = steps.split_at(steps.iter().take_while(is_plain).count());
        let directory = plain
            .iter()
            .fold(start.to_owned(), |path, step| path.join(step.text()));
        let below: Vec<&str> = rest.iter().map(Step::text).collect();
        let real = or_here(&directory).canonicalize();
        Ok(Self {
            real: real.unwrap_or_else(|_| directory.clone()),
            below: Pattern::new(&below.join("/"))?,
            directory,
            is_there: true,
        })
    }

    /// Whether `file`, whose directory goes by its one true name, is where the pattern looks at all: seldom, and quickly
    /// seen.
    pub(super) fn is_above(&self, file: &Path) -> bool {
        file.starts_with(&self.real)
    }

    /// Whether `file` would be found if it were there; its directory goes by its one true name.
    pub(super) fn holds(&self, file: &Path) -> bool {
        const AS_A_SHELL: MatchOptions = MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: true,
        };
        let below = file.strip_prefix(&self.real);
        below.is_ok_and(|below| self.below.matches_path_with(below, AS_A_SHELL))
    }
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
    let wrong = |error: PatternError| format!("{} is not a pattern: {}", node.shown(), error.msg);
    let steps = steps(&text).map_err(wrong)?;
    let start = if text.starts_with('/') {
        Path::new("/")
    } else {
        base
    };
    included.reach = Some(Reach::new(start, &steps).map_err(wrong)?);
    find(start, &steps, &mut included)?;
    Ok(included)
}

/// What a file is that is included at `at`, for a message.
pub(super) fn included_by(at: At, report: &Report) -> String {
    format!("included, by include at {}", report.place(at))
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
    if let Some(reach) = &mut found.reach
        && reach.directory == directory
    {
        reach.is_there &= entries.is_some();
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
