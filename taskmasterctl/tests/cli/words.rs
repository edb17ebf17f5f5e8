//! The words of the command line: options, names that look like them, and help.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::fake::{self, Fake};

// Names and texts may look like options.
#[test]
fn what_looks_like_an_option_can_be_named_and_sent() {
    let stopped = Fake::outcomes(&[("-x", "stopped")]);
    assert_eq!(
        stopped.run("stop -- -x --json"),
        ("-x: stopped\n".into(), 0)
    );
    let params = json!({"names": ["-x", "--json"]});
    assert_eq!(stopped.asked()[0]["params"], params);
    assert_eq!(stopped.run("stop -x").1, 2);
    let status = Fake::result(json!({"processes": []}));
    status.run("status --strays -- -x --strays");
    let params = json!({"names": ["-x", "--strays"], "strays": true});
    assert_eq!(status.asked()[0]["params"], params);
    for line in ["tail -5 -- -f", "screen --ansi -- -f", "attach -- -f"] {
        let refused = Fake::answering(json!({"error": {"code": 4, "message": "no"}}));
        assert_eq!(refused.run(line).1, 1, "{line}");
        assert_eq!(refused.asked()[0]["params"]["name"], "-f", "{line}");
    }
    for (line, name, data) in [
        ("send a -l", "a", "-l"),
        ("send a --json b", "a", "--json b"),
        ("send --json a --help -- b", "a", "--help -- b"),
        ("send -- -x --help", "-x", "--help"),
    ] {
        let sent = Fake::result(json!({"bytes": 3}));
        assert_eq!(sent.run(line).1, 0, "{line}");
        let data = BASE64_STANDARD.encode(data);
        assert_eq!(
            sent.asked()[0]["params"],
            json!({"name": name, "data": data})
        );
    }
}

#[test]
fn help_lists_every_command() {
    let place = fake::Place::new();
    let (text, code) = fake::run(&place, "--help");
    assert_eq!(code, 0);
    for word in [
        "status",
        "reload, update",
        "help, ?",
        "quit, exit",
        "--json",
    ] {
        assert!(text.contains(word), "{word}");
    }
    assert!(text.ends_with(&fake::run(&place, "help").0));
    assert_eq!(
        fake::run(&place, "help start"),
        fake::run(&place, "start -h")
    );
    // Another word for a command does not explain itself by itself.
    let (quit, exit) = (
        fake::run(&place, "help quit"),
        fake::run(&place, "help exit"),
    );
    assert_eq!(exit.0, quit.0.replacen("quit", "exit", 1));
    assert!(exit.0.ends_with("\nexit is another word for quit.\n"));
    let want = ("*** No help on nosuch\n".into(), 1);
    assert_eq!(fake::run(&place, "help nosuch"), want);
    for word in ["help", "?"] {
        let (text, code) = fake::run(&place, &format!("{word} start stop"));
        let want = format!("Error: {word} accepts one command\n{word} ");
        assert!(text.starts_with(&want) && code == 1, "{text}");
    }
    assert!(fake::run(&place, "-V").0.starts_with("taskmasterctl "));
    assert_eq!(fake::run(&place, "--frob").1, 2);
}
