//! Where the output of a program goes, and what it has for a terminal.

use std::path::{Path, PathBuf};

use super::keys::unknown;
use super::node::Node;
use super::program::Keys;
use super::{quantity, values};
use crate::config::model::{LogFile, Output, Tty};
use crate::limits::LOGS_KEPT_MAX;

/// How many rotated files are kept where it is not said; supervisor keeps as many.
const KEEP: u32 = 10;

/// Paths by which a program elsewhere says that it means its own streams.
const INHERITED: [&str; 4] = [
    "/dev/stdout",
    "/dev/stderr",
    "/proc/self/fd/1",
    "/proc/self/fd/2",
];

/// Whether that is such a path.
pub(super) fn is_inherited(path: &Path) -> bool {
    INHERITED
        .iter()
        .any(|inherited| path == Path::new(inherited))
}

/// The destination of `stdout` or `stderr`.
pub(super) fn read(keys: &mut Keys<'_>, key: &str) -> Output {
    let Some(node) = keys.get(key) else {
        return Output::Memory;
    };
    if node.map().is_some() {
        return read_map(keys, key, node);
    }
    match node.text().unwrap_or_default() {
        "discard" | "/dev/null" => Output::Discard,
        "inherit" => Output::Inherit,
        "syslog" => Output::Syslog,
        "stdout" if key == "stderr" => Output::Stdout,
        _ => read_path(keys, key, node).map_or(Output::Memory, |path| {
            Output::File(LogFile {
                path,
                max_size: None,
                keep: KEEP,
                timestamps: false,
                strip_ansi: false,
            })
        }),
    }
}

fn read_path(keys: &mut Keys<'_>, key: &str, node: &Node) -> Option<PathBuf> {
    let base = &keys.env.cwd;
    let stream = key.split('.').next().unwrap_or(key);
    let path = keys.take(key, node, |node| {
        refuse_word(node.text().unwrap_or_default(), stream)?;
        values::file(node, base)
    })?;
    if is_inherited(&path) {
        let path = path.display();
        let what = format!("{path} is a symlink, and no log is written to one; write inherit");
        keys.warning(key, &what);
    }
    Some(path)
}

/// Refuses a word by which hardly anybody means a file: one of ours, of supervisor or of other programs, out of place.
fn refuse_word(text: &str, stream: &str) -> values::Parsed<()> {
    let advice = match text.to_lowercase().as_str() {
        "discard" | "none" | "null" => format!("write {stream}: discard to keep nothing"),
        "syslog" => format!("write {stream}: syslog for syslog"),
        "auto" | "memory" => format!("leave {stream} out to keep its end in memory"),
        word if word == "inherit" || word == stream => {
            format!("write {stream}: inherit for the daemon's own")
        }
        "stdout" | "stderr" => "write stderr: stdout to have both in one place".into(),
        _ => return Ok(()),
    };
    Err(values::no_file(text, &advice))
}

fn read_map(keys: &mut Keys<'_>, key: &str, node: &Node) -> Output {
    let mut path = None;
    let mut log = LogFile {
        path: PathBuf::new(),
        max_size: None,
        keep: KEEP,
        timestamps: false,
        strip_ansi: false,
    };
    for entry in node.map().unwrap_or_default() {
        let (at, node) = (entry.at, &entry.node);
        let key = format!("{key}.{}", entry.key);
        match entry.key.as_str() {
            "path" => path = read_path(keys, &key, node),
            "max_size" => log.max_size = keys.take(&key, node, max_size),
            "keep" => {
                let keep = keys.take(&key, node, |node| values::count(node, LOGS_KEPT_MAX));
                log.keep = keep.unwrap_or(KEEP);
            }
            "timestamps" => {
                log.timestamps = keys.take(&key, node, values::boolean).unwrap_or(false);
            }
            "strip_ansi" => {
                log.strip_ansi = keys.take(&key, node, values::boolean).unwrap_or(false);
            }
            other => {
                let known = ["path", "max_size", "keep", "timestamps", "strip_ansi"];
                keys.problem(at, &key, &unknown(other, known.into_iter()));
            }
        }
    }
    match path {
        Some(path) => Output::File(LogFile { path, ..log }),
        None => {
            if super::node::find(node.map().unwrap_or_default(), "path").is_none() {
                keys.problem(node.at, key, "path is missing");
            }
            Output::Memory
        }
    }
}

fn max_size(node: &Node) -> values::Parsed<u64> {
    match quantity::size(node)? {
        0 => Err("0 would rotate at every byte; leave it out to rotate never".into()),
        size => Ok(size),
    }
}

/// What descriptors 0, 1 and 2 are, given where standard error goes.
pub(super) fn tty(keys: &mut Keys<'_>, stderr: &Output) -> Tty {
    let apart = match stderr {
        Output::Memory | Output::Stdout => false,
        Output::Discard | Output::Inherit | Output::Syslog | Output::File(_) => true,
    };
    let by_rule = if apart { Tty::Split } else { Tty::Full };
    let tty = keys.optional("tty", |node| {
        let text = node.text().unwrap_or_default().to_lowercase();
        match text.as_str() {
            "full" => Ok(Tty::Full),
            "split" => Ok(Tty::Split),
            "none" | "false" | "no" | "off" => Ok(Tty::None),
            "true" | "yes" | "on" => Ok(by_rule),
            _ => Err(format!("{} is not full, split or none", node.shown())),
        }
    });
    if tty == Some(Tty::Full) && apart {
        let what = "full makes standard error go where stdout goes; write split to keep them apart";
        keys.warning("tty", what);
    }
    tty.unwrap_or(by_rule)
}
