//! What the words of a script mean: programs, times, errors; and how effects are written.

use shared::api::{Outcome, Stream};
use shared::event::{Cause, EventKind};
use shared::state::Exit;
use taskmasterd::config::model::{Autorestart, Output, Program, RestartLimit, Tty};
use taskmasterd::core::{Aim, Answer, Failure};

/// The program of a line such as `program web numprocs=2 starttime=500ms cmd=x manual`.
pub(crate) fn program(words: &[&str]) -> Result<Program, String> {
    let (name, keys) = words.split_first().ok_or("which program?")?;
    let mut program = Program::new(name.parse()?, vec![format!("/bin/{name}")]);
    for key in keys {
        let (key, value) = key.split_once('=').unwrap_or((key, ""));
        set(&mut program, key, value).map_err(|problem| format!("{key}: {problem}"))?;
    }
    Ok(program)
}

fn set(program: &mut Program, key: &str, value: &str) -> Result<(), String> {
    match key {
        "cmd" => program.launch.argv = vec![value.into()],
        "manual" => program.autostart = false,
        "numprocs" => program.numprocs = number(value)?,
        "autorestart" => program.autorestart = autorestart(value)?,
        "exitcodes" => {
            program.exitcodes = value.split(',').map(number).collect::<Result<_, _>>()?
        }
        "starttime" => program.starttime_ms = time(value)?,
        "startretries" => program.startretries = number(value)?,
        "stopsignal" => program.stopsignal = signal(value)?,
        "stoptime" => program.stoptime_ms = time(value)?,
        "stopasgroup" => program.stopasgroup = true,
        "sweep" => program.sweep = value != "false",
        "stdout" if value == "discard" => program.stdout = Output::Discard,
        "stderr" if value == "discard" => program.stderr = Output::Discard,
        "tty" if value == "split" => program.launch.tty = Tty::Split,
        "priority" => program.priority = number(value)?,
        "restart_delay" => program.restart_delay_ms = time(value)?,
        "restart_limit" => program.restart_limit = Some(restart_limit(value)?),
        "description" => program.description = Some(value.into()),
        _ => return Err("no such key".into()),
    }
    Ok(())
}

fn autorestart(value: &str) -> Result<Autorestart, String> {
    match (value, value.split_once(':')) {
        ("always", _) => Ok(Autorestart::Always),
        ("never", _) => Ok(Autorestart::Never),
        ("unexpected", _) => Ok(Autorestart::Unexpected),
        (_, Some(("on-failure", most))) => Ok(Autorestart::OnFailure(number(most)?)),
        (_, _) => Err(format!("{value} is no policy")),
    }
}

fn restart_limit(value: &str) -> Result<RestartLimit, String> {
    let (burst, interval) = value.split_once('/').ok_or("burst/interval")?;
    Ok(RestartLimit {
        burst: number(burst)?,
        interval_ms: time(interval)?,
    })
}

pub(crate) fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

/// `250ms`, `1s`, `1.5s`, in milliseconds.
pub(crate) fn time(text: &str) -> Result<u64, String> {
    if let Some(ms) = text.strip_suffix("ms") {
        return number(ms);
    }
    let seconds = text
        .strip_suffix('s')
        .ok_or(format!("{text} is not a time"))?;
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, ""));
    let ms: u64 = number(&format!("{part:0<3}"))?;
    Ok(1000 * number::<u64>(whole)? + ms)
}

pub(crate) fn signal(text: &str) -> Result<i32, String> {
    shared::signal::parse(text).ok_or(format!("{text} is not a signal"))
}

/// `code=1`, `signal=SEGV`, `signal=SEGV,core`.
pub(crate) fn exit(text: &str) -> Result<Exit, String> {
    match text.split_once('=') {
        Some(("code", code)) => Ok(Exit::Code(number(code)?)),
        Some(("signal", name)) => Ok(Exit::Signal {
            number: signal(name.trim_end_matches(",core"))?,
            core_dumped: name.ends_with(",core"),
        }),
        Some(_) | None => Err(format!("{text} is no end of a process")),
    }
}

/// The failure of `stage` with an errno given by name.
pub(crate) fn failure(stage: &str, errno: &str) -> Result<Failure, String> {
    let number = match errno {
        "EPERM" => 1,
        "ENOENT" => 2,
        "EAGAIN" => 11,
        "ENOMEM" => 12,
        "EACCES" => 13,
        "ENOTDIR" => 20,
        "ENFILE" => 23,
        "EMFILE" => 24,
        "ENOSPC" => 28,
        _ => return Err(format!("{errno} is not known here")),
    };
    Ok(Failure {
        stage: stage.into(),
        errno: number,
        reason: format!("{stage} failed"),
        detail: format!("{stage}: {errno}"),
    })
}

pub(crate) fn stream(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    }
}

pub(crate) fn aim(aim: Aim) -> &'static str {
    match aim {
        Aim::Leader => "kill",
        Aim::Group => "kill group",
    }
}

/// The signal without `SIG`, as it is typed.
pub(crate) fn signal_name(number: i32) -> String {
    let name = shared::signal::name(number);
    name.strip_prefix("SIG").unwrap_or(&name).into()
}

/// The event as the log tells it.
pub(crate) fn event(kind: &EventKind, cause: &Cause) -> String {
    let text = kind.to_string();
    match cause {
        Cause::Boot | Cause::Policy => text,
        Cause::Peer { pid, .. } => format!("{text} (client {pid})"),
        Cause::Signal(_) | Cause::Shell => format!("{text} ({cause})"),
    }
}

pub(crate) fn answer(answer: &Answer) -> String {
    match answer {
        Answer::Outcomes(outcomes) if outcomes.results.is_empty() => "nothing to do".into(),
        Answer::Outcomes(outcomes) => {
            let results: Vec<String> = outcomes.results.iter().map(outcome).collect();
            results.join("; ")
        }
        Answer::Reloaded(_) => "reloaded".into(),
        Answer::Down(done) if done.left == 0 => "down".into(),
        Answer::Down(done) => format!("down, {} left", done.left),
        Answer::ShuttingDown => "shutting down".into(),
    }
}

fn outcome(outcome: &Outcome) -> String {
    let before = outcome.before.map(|before| format!("{}, ", before.words()));
    let detail = outcome.detail.as_ref().map(|detail| format!(" ({detail})"));
    format!(
        "{} {}{}{}",
        outcome.name,
        before.unwrap_or_default(),
        outcome.result.words(),
        detail.unwrap_or_default()
    )
}
