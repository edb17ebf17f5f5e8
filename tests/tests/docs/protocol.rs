//! The protocol's manual has every method and every member of what goes over the wire.

use std::collections::BTreeSet;

use harness::{Value, json};
use serde::Serialize;
use shared::api;
use shared::frame::{Decoder, Frame, FrameError, HEAD_LEN, Size};

use super::{entry, read};

/// The words of a text, from which a name can be told.
fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c)))
        .collect()
}

/// The names of all members in a value, however deep.
fn members(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            out.extend(map.keys().cloned());
            map.values().for_each(|value| members(value, out));
        }
        Value::Array(values) => values.iter().for_each(|value| members(value, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A value of each type of the protocol with all that it can have. They are written out field by field, so that
/// a new field does not compile until it stands here, and does not pass until it stands in the manual.
fn everything() -> Vec<(&'static str, Value)> {
    fn value(value: impl Serialize) -> Value {
        serde_json::to_value(value).expect("the protocol is JSON")
    }
    let names = value(api::Names { names: vec![] });
    let outcome = || api::Outcome {
        name: "n".into(),
        result: api::Verdict::Started,
        before: Some(api::Verdict::Stopped),
        detail: Some("d".into()),
    };
    let outcomes = value(api::Outcomes {
        results: vec![outcome()],
    });
    let signal = api::SignalParams {
        signal: String::new(),
        names: vec![],
    };
    vec![
        ("status", status(outcome())),
        ("start", json!([names])),
        ("stop", json!([names])),
        ("restart", json!([names, outcomes])),
        ("signal", json!([signal, outcomes])),
        ("reload", reload()),
        ("tail", tail()),
        ("clear", json!([names, outcomes])),
        ("pid", json!([names, pids(outcome())])),
        ("avail", available()),
        (
            "version",
            value(api::Version {
                version: String::new(),
                protocol: api::PROTOCOL,
            }),
        ),
        ("shutdown", value(api::ShutdownDone { left: 0 })),
        ("attach", attach()),
        ("send", send()),
        ("screen", screen()),
    ]
}

fn reload() -> Value {
    let params = api::ReloadParams {
        dry_run: false,
        allow_empty: false,
    };
    let key = || api::KeyChange {
        key: String::new(),
        old: String::new(),
        new: String::new(),
        consequence: String::new(),
    };
    let plan = api::Plan {
        programs: vec![api::ProgramChange {
            program: String::new(),
            change: api::Change::Added,
            keys: vec![key()],
            starts: vec![String::new()],
        }],
        settings: vec![key()],
        warnings: vec![String::new()],
    };
    let reloaded = api::Reloaded {
        applied: true,
        plan,
    };
    json!([params, reloaded])
}

fn status(error: api::Outcome) -> Value {
    let params = api::StatusParams {
        names: vec![],
        strays: true,
    };
    let status = api::Status {
        processes: vec![api::ProcessStatus {
            name: String::new(),
            program: String::new(),
            index: 0,
            state: harness::State::Running,
            pid: None,
            uptime_ms: None,
            ended_at: None,
            exit: Some(harness::Exit::Signal {
                number: 15,
                core_dumped: false,
            }),
            reason: None,
            detail: None,
            retry_in_ms: None,
            failures: 0,
            starts: 0,
            attached: vec![viewer()],
            description: Some(String::new()),
        }],
        errors: vec![error],
        strays: vec![api::Stray {
            pid: 1,
            process: None,
            command: String::new(),
        }],
    };
    json!([params, status])
}

fn viewer() -> api::Viewer {
    api::Viewer {
        uid: 0,
        user: Some(String::new()),
        pid: 1,
        rows: 1,
        cols: 1,
        term: String::new(),
        read_only: false,
        leader: true,
        since: 0,
    }
}

fn pids(error: api::Outcome) -> api::Pids {
    api::Pids {
        daemon: 1,
        processes: vec![api::NamedPid {
            name: String::new(),
            pid: 1,
        }],
        errors: vec![error],
    }
}

fn available() -> Value {
    json!(api::Available {
        processes: vec![api::AvailableProcess {
            name: String::new(),
            autostart: true,
            priority: 1,
            description: Some(String::new()),
        }],
    })
}

fn tail() -> Value {
    let stream = api::Stream::Stdout;
    json!([
        api::TailParams {
            name: "a".parse().expect("it is a name"),
            stream,
            bytes: 1,
            follow: false,
        },
        api::Tail {
            name: String::new(),
            stream,
            data: String::new(),
            more: false,
        },
    ])
}

fn attach() -> Value {
    json!([
        api::AttachParams {
            name: "a".parse().expect("it is a name"),
            version: api::ATTACH_VERSION,
            rows: 1,
            cols: 1,
            xpixel: 1,
            ypixel: 1,
            term: String::new(),
            read_only: false,
            steal: false,
            no_replay: false,
            ignore_size: false,
            plain: false,
            piped: false,
            history: 0,
        },
        api::Attached {
            version: api::ATTACH_VERSION,
            name: String::new(),
            tty: api::Tty::Full,
            pid: None,
            state: harness::State::Running,
            exit: None,
            retry_in_ms: None,
            reason: Some(String::new()),
            starts: 1,
            leader: true,
            others: 0,
        },
    ])
}

fn send() -> Value {
    json!([
        api::SendParams {
            name: "a".parse().expect("it is a name"),
            data: String::new(),
        },
        api::Sent { bytes: 1 },
    ])
}

fn screen() -> Value {
    json!([
        api::ScreenParams {
            name: "a".parse().expect("it is a name"),
            ansi: true,
            history: 1,
        },
        api::Screen {
            name: String::new(),
            rows: 1,
            cols: 1,
            cursor_row: 0,
            cursor_col: 0,
            cursor_visible: true,
            alternate: false,
            incomplete: true,
            text: vec![],
            history: vec![String::new()],
            ansi: Some(String::new()),
        },
    ])
}

/// A frame of each type, with all that it can have.
fn frames() -> Vec<Frame> {
    vec![
        Frame::Input(vec![]),
        Frame::Resize(Size::default()),
        Frame::Redraw,
        Frame::Detach,
        Frame::Snapshot(vec![]),
        Frame::Output(vec![]),
        Frame::Stderr(vec![]),
        Frame::Skipped(0),
        Frame::Leader(true),
        Frame::Exited(api::Exited {
            exit: None,
            state: harness::State::Running,
            retry_in_ms: None,
            gone: false,
            reason: Some(String::new()),
            starts: 1,
        }),
        Frame::Restarted(api::Restarted {
            pid: 1,
            tty: api::Tty::Full,
        }),
        Frame::Detached(String::new()),
        Frame::Error(String::new()),
    ]
}

// Who writes a client has the manual and nothing else.
#[test]
fn every_frame_is_in_the_manual_with_its_number() {
    let page = read("man/taskmaster-protocol.7");
    let mut wrong = Vec::new();
    for frame in frames() {
        let (name, bytes) = (frame.name(), frame.to_bytes());
        let head = format!("Ic {name} No {}", bytes[0]);
        let Some(text) = entry(&page, &head) else {
            wrong.push(format!("{head}: no entry"));
            continue;
        };
        if let Ok(payload) = serde_json::from_slice::<Value>(&bytes[HEAD_LEN..]) {
            expect_members(text, name, &payload, &mut wrong);
        }
    }
    let mut kinds: Vec<u8> = frames().iter().map(|frame| frame.to_bytes()[0]).collect();
    let known: Vec<u8> = (0..=u8::MAX).filter(|&kind| is_frame(kind)).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, known, "this test knows other frames");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn is_frame(kind: u8) -> bool {
    let read = Decoder::default().next(&mut &[kind, 0, 0, 0, 0][..]);
    !matches!(read, Err(FrameError::Unknown { .. }))
}

#[test]
fn every_method_and_member_of_the_protocol_is_in_the_manual() {
    let page = read("man/taskmaster-protocol.7");
    let all = everything();
    let methods: Vec<&str> = all.iter().map(|(method, _)| *method).collect();
    assert_eq!(methods, api::METHODS, "this test knows other methods");
    let mut wrong = Vec::new();
    for (method, value) in &all {
        if entry(&page, &format!("Ic {method}")).is_none() {
            wrong.push(format!("{method}: no entry"));
        }
        expect_members(&page, method, value, &mut wrong);
    }
    let output = api::Output {
        name: String::new(),
        stream: api::Stream::Stderr,
        data: String::new(),
        skipped: 1,
    };
    let text = entry(&page, &format!("Ic {}", api::OUTPUT)).expect("the notification has an entry");
    expect_members(text, api::OUTPUT, &json!(output), &mut wrong);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn expect_members(text: &str, method: &str, value: &Value, wrong: &mut Vec<String>) {
    // Only what stands in a line of its own markup counts, not a word that happens to be the same.
    let marked: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("Ic ") || line.starts_with(".Ql {"))
        .collect();
    let marked = marked.join("\n");
    let known = words(&marked);
    let mut names = BTreeSet::new();
    members(value, &mut names);
    let missing = names.iter().filter(|name| !known.contains(name.as_str()));
    wrong.extend(missing.map(|name| format!("{method}: {name} is not told")));
}
