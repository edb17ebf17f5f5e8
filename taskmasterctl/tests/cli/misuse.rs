//! Commands that are none, and how that is said.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::fake;

// Who asked for JSON reads nothing else, whatever he did wrong.
#[test]
fn misuse_is_told_in_json_where_that_is_wanted() {
    let place = fake::Place::new();
    for (line, number, code) in [
        ("--json frob", -32601, 1),
        ("strat web --json", -32601, 1),
        ("--json start", -32602, 2),
        ("--json start --frob web", -32602, 2),
        ("--json stop", -32602, 1),
        ("--json update web", -32602, 1),
        ("--json help nosuch", -32602, 1),
        ("--json attach web", -32602, 1),
        ("--json tail web x", -32602, 1),
        ("--json tail web:x", 4, 1),
    ] {
        let output = fake::ctl(&place).args(line.split(' ')).output().unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["error"]["code"], number, "{line}: {answer}");
        assert!(answer["error"]["message"].is_string(), "{line}: {answer}");
        assert_eq!(output.status.code(), Some(code), "{line}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
    }
}

#[test]
fn an_unknown_command_is_told_with_a_near_one_if_there_is_one() {
    let place = fake::Place::new();
    let said = |word: &str| {
        let output = fake::ctl(&place).arg(word).output().unwrap();
        let [out, err] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (out, err)
    };
    let want = (
        "*** Unknown syntax: strat\n".into(),
        "did you mean \"start\"?\n".into(),
    );
    assert_eq!(said("strat"), want);
    for word in ["", "#", "frobnicate"] {
        let want = (format!("*** Unknown syntax: {word}\n"), String::new());
        assert_eq!(said(word), want);
    }
}

// Whoever set a key meant one; with the usual one he would not know how to leave.
#[test]
fn a_key_of_the_environment_that_is_none_is_told() {
    let place = fake::Place::new();
    for (key, shown) in [(&b"=foo"[..], "=foo"), (b"\xff", "\u{fffd}")] {
        let mut command = fake::ctl(&place);
        command.env("TASKMASTER_DETACH_KEY", OsStr::from_bytes(key));
        let output = command.args(["attach", "p"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let want = format!("Error: TASKMASTER_DETACH_KEY: {shown} is not a key that detaches");
        assert!(said.starts_with(&want), "{said}");
        assert_eq!(output.status.code(), Some(1));
    }
}
