//! The guardian of the terminal: it mends what a killed client left, and takes the terminal from nobody.

use std::fs::OpenOptions;
use std::process::Command;

use harness::fake::{Fake, Visitor, running};
use harness::{Ctl, SOON, Sandbox, Term, check, eventually, json, proc};
use nix::sys::signal::Signal;
use shared::frame::Frame;

const PROMPT: &str = "shell> ";

/// A shell with jobs at whose terminal a client is attached to a full-screen program.
struct Desk {
    term: Term,
    fake: Fake,
    client: i32,
    guardian: i32,
    /// The modes before the client came, and its own.
    before: String,
    raw: String,
    _visitor: Visitor,
    _sandbox: Sandbox,
}

fn attached() -> Desk {
    let desk = attached_by("$CTL attach w");
    assert_ne!(desk.raw, desk.before);
    desk
}

/// The same with this line for the shell.
fn attached_by(line: &str) -> Desk {
    let sandbox = Sandbox::new();
    let fake = Fake::new(&sandbox);
    let mut command = Command::new("sh");
    command.arg("-i").env("PS1", PROMPT).env_remove("ENV");
    command.env("TERM", "xterm").current_dir(sandbox.dir());
    command.env("CTL", Ctl::new(&sandbox.path("socket")).words());
    let mut term = Term::spawn(&command);
    term.wait_prompt(PROMPT);
    let before = term.modes();
    let visitor = attach(&mut term, &fake, line, "hello");
    let (client, raw) = (visitor.pid, term.modes());
    Desk {
        guardian: proc::children(client)[0].pid,
        term,
        fake,
        client,
        before,
        raw,
        _visitor: visitor,
        _sandbox: sandbox,
    }
}

fn attach(term: &mut Term, fake: &Fake, line: &str, words: &str) -> Visitor {
    term.type_line(PROMPT, line);
    let mut visitor = fake.accept();
    visitor.answer(&json!(running()));
    let picture = format!("\x1b[?1049h\x1b[?1000h\x1b[H\x1b[J{words}");
    visitor.send(&Frame::Snapshot(picture.into_bytes()));
    term.wait_for(words);
    visitor
}

impl Desk {
    /// Stops the client in a way of which it hears nothing. The shell has the terminal then, in modes of its own.
    fn stop_client(&mut self) {
        proc::signal(self.client, Signal::SIGSTOP);
        eventually("the shell", SOON, || {
            let text = String::from_utf8_lossy(self.term.raw()).into_owned();
            check(text.ends_with(PROMPT), || text.clone())
        });
        self.term.cook();
        self.term.send("\r");
        self.term.wait_prompt(PROMPT);
    }

    /// Kills the client, and waits until the guardian has done what it does: what it wrote.
    fn kill_client(&mut self) -> String {
        let mark = self.term.raw().len();
        proc::signal(self.client, Signal::SIGKILL);
        self.wait_guardian(mark)
    }

    /// Kills the client, and lets its guardian hear of that only when this is so.
    fn kill_client_until(
        &mut self,
        what: &str,
        mut holds: impl FnMut(&mut Self) -> Result<(), String>,
    ) {
        let stdin = format!("/proc/{}/fd/0", self.guardian);
        let pipe = OpenOptions::new().write(true).open(stdin);
        let _pipe = pipe.expect("the other end of its pipe");
        proc::signal(self.client, Signal::SIGKILL);
        eventually(what, SOON, || holds(self));
    }

    fn wait_guardian(&mut self, mark: usize) -> String {
        proc::wait_dead(self.guardian);
        String::from_utf8_lossy(&self.term.raw()[mark..]).into_owned()
    }
}

// Who looks through a list of processes finds whose it is.
#[test]
fn it_has_the_name_of_the_program() {
    let desk = attached();
    let line = std::fs::read(format!("/proc/{}/cmdline", desk.guardian));
    let line = String::from_utf8_lossy(&line.expect("a command line")).into_owned();
    assert!(
        line.starts_with("taskmasterctl\0--guard-terminal\0"),
        "{line:?}"
    );
    eventually("a name", SOON, || {
        let name = proc::stat(desk.guardian).map(|stat| stat.command);
        check(name.as_deref() == Some("taskmasterctl"), || {
            format!("{name:?}")
        })
    });
}

#[test]
fn what_a_killed_client_left_is_mended() {
    let mut desk = attached();
    let said = desk.kill_client();
    assert!(said.contains("\x1b[?1049l") && said.contains("\x1b[?1000"));
    assert_eq!(desk.term.modes(), desk.before);
}

// There are no modes to put back where nobody types on it, and yet it is painted on.
#[test]
fn a_terminal_that_is_only_painted_on_is_mended() {
    let mut desk = attached_by("sleep 1000 | $CTL attach w");
    assert_eq!(desk.raw, desk.before);
    let said = desk.kill_client();
    assert!(said.contains("\x1b[?1049l") && said.contains("\x1b[?1000"));
    assert_eq!(desk.term.modes(), desk.before);
}

// Another program has the screen, and its own modes: it would be thrown out of both.
#[test]
fn a_program_that_has_taken_the_terminal_keeps_it() {
    let mut desk = attached();
    desk.stop_client();
    let line = "sh -c 'stty -icanon -echo; echo settled; cat'";
    desk.term.type_line(PROMPT, line);
    desk.term.wait_for("\nsettled");
    let modes = desk.term.modes();
    assert_eq!(desk.kill_client(), "");
    assert_eq!(desk.term.modes(), modes);
}

// Its modes are the very same, and yet they are not those of the one that was killed.
#[test]
fn a_second_client_keeps_its_modes() {
    let mut desk = attached();
    desk.stop_client();
    let _second = attach(&mut desk.term, &desk.fake, "$CTL attach w", "second");
    assert_eq!(desk.term.modes(), desk.raw);
    assert_eq!(desk.kill_client(), "");
    assert_eq!(desk.term.modes(), desk.raw);
}

// A line editor has its own modes at its prompt. The screen it cannot mend.
#[test]
fn a_shell_at_its_prompt_keeps_its_modes() {
    let mut desk = attached();
    desk.stop_client();
    let modes = desk.term.modes();
    assert!(desk.kill_client().contains("\x1b[?1049l"));
    assert_eq!(desk.term.modes(), modes);
}

// The guardian comes second here, as it may happen to: it does not hear of the end of the client before the shell has
// taken its terminal.
#[test]
fn a_shell_that_is_faster_than_the_guardian_keeps_its_modes() {
    let mut desk = attached();
    let mark = desk.term.raw().len();
    let mut modes = String::new();
    desk.kill_client_until("the shell", |desk| {
        let text = String::from_utf8_lossy(desk.term.raw()).into_owned();
        check(text.ends_with(PROMPT), || text)?;
        desk.term.cook();
        modes = desk.term.modes();
        Ok(())
    });
    assert!(desk.wait_guardian(mark).contains("\x1b[?1049l"));
    assert_eq!(desk.term.modes(), modes);
}

// What stands behind the client on the line is in front when the guardian looks, and over before it gives up.
#[test]
fn a_program_that_is_over_at_once_is_waited_for() {
    let mut desk = attached_by("$CTL attach w; cat");
    let (shell, mark) = (desk.term.pid(), desk.term.raw().len());
    let cat = || {
        let children = proc::children(shell);
        children
            .iter()
            .find(|child| child.command == "cat")
            .map(|cat| cat.pid)
    };
    desk.kill_client_until("cat", |_| cat().map(|_| ()).ok_or("none".into()));
    let cat = cat().expect("it reads");
    let before = proc::wakeups(desk.guardian);
    eventually("a look", SOON, || {
        let looks = proc::wakeups(desk.guardian);
        check(looks > before + 1, || format!("{looks} and {before}"))
    });
    proc::signal(cat, Signal::SIGKILL);
    let said = desk.wait_guardian(mark);
    assert!(said.contains("\x1b[?1049l"), "{said:?}");
}
