//! The keys at the top of the file that are about the daemon itself: its socket, its log, syslog.

use std::path::{Path, PathBuf};

use super::node::{Entry, Node};
use super::output::is_inherited;
use super::report::{At, Report};
use super::{keys, users, values};
use crate::config::model::{Config, Socket, Syslog};

/// Reads the settings among `entries` into `config`.
pub(super) fn read(entries: &[Entry], cwd: &Path, config: &mut Config, report: &mut Report) {
    let mut settings = Settings {
        cwd,
        config,
        report,
    };
    for entry in entries {
        match entry.key.as_str() {
            "socket" => settings.socket(&entry.node),
            "log" => settings.log(&entry.node),
            "syslog" => settings.syslog(&entry.node),
            _ => {}
        }
    }
}

struct Settings<'a> {
    cwd: &'a Path,
    config: &'a mut Config,
    report: &'a mut Report,
}

impl Settings<'_> {
    fn socket(&mut self, node: &Node) {
        let mut socket = Socket::default();
        let Some(entries) = node.map() else {
            socket.path = self.setting("socket", node, |node| values::file(node, self.cwd));
            self.config.socket = socket;
            return;
        };
        for entry in entries {
            let (key, node) = (format!("socket.{}", entry.key), &entry.node);
            match entry.key.as_str() {
                "path" => {
                    socket.path = self.setting(&key, node, |node| values::file(node, self.cwd));
                }
                "mode" => {
                    let mode = self.setting(&key, node, |node| {
                        values::mode(node).map_err(|()| {
                            format!(
                                "{} is not a mode; write octal digits, as 0660",
                                node.shown()
                            )
                        })
                    });
                    socket.mode = mode.unwrap_or(socket.mode);
                }
                "owner" => socket.owner = self.setting(&key, node, users::uid),
                "group" => socket.group = self.setting(&key, node, users::find_group),
                other => self.unknown(entry.at, &key, other, &["path", "mode", "owner", "group"]),
            }
        }
        self.config.socket = socket;
    }

    fn log(&mut self, node: &Node) {
        let Some(entries) = node.map() else {
            self.config.log = self.setting("log", node, |node| event_log(node, self.cwd));
            return;
        };
        for entry in entries {
            let key = format!("log.{}", entry.key);
            match entry.key.as_str() {
                "path" => {
                    self.config.log =
                        self.setting(&key, &entry.node, |node| event_log(node, self.cwd));
                }
                "format" | "max_size" | "keep" | "level" => {
                    let what = format!("{key}: not supported yet; remove it");
                    self.report.problem(entry.at, what);
                }
                other => self.unknown(entry.at, &key, other, &["path"]),
            }
        }
    }

    fn syslog(&mut self, node: &Node) {
        let mut syslog = Syslog {
            facility: "daemon".into(),
            tag: "taskmasterd".into(),
        };
        let Some(entries) = node.map() else {
            let wanted = self.setting("syslog", node, values::boolean);
            self.config.syslog = wanted.unwrap_or(false).then_some(syslog);
            return;
        };
        for entry in entries {
            let key = format!("syslog.{}", entry.key);
            match entry.key.as_str() {
                "facility" => {
                    let facility = self.setting(&key, &entry.node, facility);
                    syslog.facility = facility.unwrap_or_default();
                }
                "tag" => {
                    let tag = self.setting(&key, &entry.node, values::word);
                    syslog.tag = tag.unwrap_or_default();
                }
                other => self.unknown(entry.at, &key, other, &["facility", "tag"]),
            }
        }
        self.config.syslog = Some(syslog);
    }

    fn setting<T>(
        &mut self,
        key: &str,
        node: &Node,
        parse: impl FnOnce(&Node) -> values::Parsed<T>,
    ) -> Option<T> {
        parse(node)
            .map_err(|what| self.report.problem(node.at, format!("{key}: {what}")))
            .ok()
    }

    fn unknown(&mut self, at: At, key: &str, name: &str, known: &[&'static str]) {
        let what = keys::unknown(name, known.iter().copied());
        self.report.problem(at, format!("{key}: {what}"));
    }
}

/// The file of the event log, not a word that means a place elsewhere.
fn event_log(node: &Node, cwd: &Path) -> values::Parsed<PathBuf> {
    const FOR_STDERR: &str = "leave log out for standard error in the foreground";
    let text = node.text().unwrap_or_default();
    let advice = match text.to_lowercase().as_str() {
        "stdout" | "stderr" | "inherit" => FOR_STDERR,
        "none" | "null" | "discard" | "auto" => "write log: /dev/null to keep nothing",
        "syslog" => "write syslog: true for syslog",
        _ => {
            let path = values::file(node, cwd)?;
            return match is_inherited(&path) {
                true => Err(format!("{} is no file; {FOR_STDERR}", path.display())),
                false => Ok(path),
            };
        }
    };
    Err(values::no_file(text, advice))
}

fn facility(node: &Node) -> values::Parsed<String> {
    // Without kern, which is the kernel's.
    const KNOWN: [&str; 19] = [
        "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
        "ftp", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
    ];
    let text = node.text().unwrap_or_default().to_lowercase();
    if KNOWN.contains(&text.as_str()) {
        return Ok(text);
    }
    Err(format!(
        "{} is not a facility for a daemon; write one of {}",
        node.shown(),
        KNOWN.join(", ")
    ))
}
