//! How answers are worded: supervisorctl's lines, letter by letter.
//!
//! Pure but for the time zone. Whatever the daemon or the user said is escaped here, on its way to the page.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use shared::api::{
    Available, Change, KeyChange, Outcome, Outcomes, Pids, Plan, ProcessStatus, ProgramChange,
    Status, Stray,
};
use shared::name::{ProcessName, Selector};
use shared::rpc::RpcError;
use shared::state::State;
use shared::text::{duration, escape, uptime};

use crate::term::Page;

/// The least width of the column of names.
const NAME_WIDTH_MIN: usize = 30;

/// The table of `status`, under the names that are nobody's.
pub(crate) fn status(answer: &Status, page: &mut Page) {
    for error in &answer.errors {
        outcome(error, page);
    }
    let names: Vec<String> = answer.processes.iter().map(|p| escape(&p.name)).collect();
    let longest = names.iter().map(|name| name.chars().count()).max();
    let width = longest.unwrap_or(0).max(NAME_WIDTH_MIN) + 3;
    for (name, process) in names.iter().zip(&answer.processes) {
        let state = page.state(process.state);
        page.line(&format!("{name:<width$}{state}{}", description(process)));
    }
}

/// The processes that got away, in columns and by names as those of `status`.
pub(crate) fn strays(answer: &Status, page: &mut Page) {
    for stray in &answer.strays {
        let maker = maker(stray).map_or("-".into(), |maker| escape(shown(&maker, answer)));
        let (pid, command) = (stray.pid, escape(&stray.command));
        page.line(&format!("{maker:<33}{:<10}pid {pid}, {command}", "STRAY"));
    }
}

/// The shown name of a process of which another wrote down the program and the index.
fn shown<'a>(written: &'a str, answer: &'a Status) -> &'a str {
    let is_it = |it: &&ProcessStatus| format!("{}:{}", it.program, it.index) == written;
    let known = answer.processes.iter().find(is_it);
    known.map_or(written, |it| &it.name)
}

/// Who made a stray: what the daemon says, else what its environment does, where we may read it.
fn maker(stray: &Stray) -> Option<String> {
    let read = || {
        let environment = std::fs::read(format!("/proc/{}/environ", stray.pid)).ok()?;
        let mut variables = environment.split(|&byte| byte == 0);
        let value = variables.find_map(|pair| pair.strip_prefix(b"TASKMASTER_PROCESS="))?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    stray.process.clone().or_else(read)
}

/// The third column of `status`.
fn description(process: &ProcessStatus) -> String {
    match process.state {
        State::Running => {
            let pid = process.pid.unwrap_or(0);
            format!(
                "pid {pid}, uptime {}",
                uptime(process.uptime_ms.unwrap_or(0))
            )
        }
        State::Backoff | State::Fatal => match &process.reason {
            Some(reason) => escape(reason),
            None => format!("unknown error (try \"tail {}\")", escape(&process.name)),
        },
        State::Stopped | State::Exited => {
            let ended = process.ended_at;
            let ended = ended.map_or("Not started".into(), local_time);
            match process.retry_in_ms {
                Some(ms) => format!("{ended}, starting again in {}", whole_seconds(ms)),
                None => ended,
            }
        }
        // Its port, perhaps, is not free yet.
        State::Starting => match process.retry_in_ms {
            Some(ms @ 1..) => format!("waits for what was removed, {} at most", whole_seconds(ms)),
            Some(0) | None => String::new(),
        },
        State::Stopping | State::Unknown => String::new(),
    }
}

/// `2 s`: a time that goes by while it is read, rounded up.
pub(crate) fn whole_seconds(ms: u64) -> String {
    duration(ms.div_ceil(1000).saturating_mul(1000))
}

/// `Jun 26 11:42 PM`, in the user's time zone.
fn local_time(unix_ms: u64) -> String {
    let at = i64::try_from(unix_ms).map(Timestamp::from_millisecond);
    match at {
        Ok(Ok(at)) => {
            let at = at.to_zoned(TimeZone::system());
            at.strftime("%b %d %I:%M %p").to_string()
        }
        Ok(Err(_)) | Err(_) => "unknown".into(),
    }
}

/// `web: stopped`, `web: ERROR (not running)`.
fn outcome(outcome: &Outcome, page: &mut Page) {
    let (name, words) = (escape(&outcome.name), outcome.result.words());
    if outcome.result.is_done() {
        page.line(&format!("{name}: {words}"));
    } else {
        page.line(&format!("{name}: ERROR ({words})"));
    }
}

/// One line for each outcome; of a restart all that was stopped stands before all that was started.
pub(crate) fn outcomes(answer: &Outcomes, page: &mut Page) {
    for one in &answer.results {
        if let Some(before) = one.before {
            let stop = Outcome {
                result: before,
                ..one.clone()
            };
            outcome(&stop, page);
        }
    }
    for one in &answer.results {
        outcome(one, page);
    }
}

/// Why what failed did, for people.
pub(crate) fn details(answer: &Outcomes) -> Vec<String> {
    let failed = answer.results.iter().filter(|one| !one.result.is_done());
    failed
        .filter_map(|one| Some((&one.name, one.detail.as_ref()?)))
        .map(|(name, detail)| format!("{}: {}", escape(name), escape(detail)))
        .collect()
}

/// What `update` says it did; nothing where there was nothing to do.
pub(crate) fn reloaded(plan: &Plan, page: &mut Page) {
    for change in [
        Change::Removed,
        Change::Restarted,
        Change::Changed,
        Change::Added,
    ] {
        for program in plan.programs.iter().filter(|p| p.change == change) {
            let name = escape(&program.program);
            if matches!(change, Change::Removed | Change::Restarted) {
                page.line(&format!("{name}: stopped"));
            }
            let deed = match change {
                Change::Removed => "removed process group",
                Change::Restarted => "updated process group",
                Change::Changed => "changed without a restart",
                Change::Added => "added process group",
            };
            page.line(&format!("{name}: {deed}{}", beside(program)));
        }
    }
    settings(&plan.settings, page);
}

/// What a reload does to some of the processes and not to all.
fn beside(program: &ProgramChange) -> String {
    let copies = program.keys.iter().find(|key| key.key == "numprocs");
    let copies = copies.map(|key| escape(&key.consequence));
    let notes: Vec<String> = copies.into_iter().chain(starts(program)).collect();
    match notes.is_empty() {
        true => String::new(),
        false => format!(" ({})", notes.join("; ")),
    }
}

/// Who is started that did not live.
fn starts(program: &ProgramChange) -> Option<String> {
    let names = escape(&program.starts.join(" "));
    (!names.is_empty()).then(|| format!("starts {names}"))
}

/// What `reread` says would be done, key by key.
pub(crate) fn reread(plan: &Plan, page: &mut Page) {
    if plan.programs.is_empty() && plan.settings.is_empty() {
        page.line("No config updates to processes");
    }
    let mut programs: Vec<_> = plan.programs.iter().collect();
    programs.sort_by(|a, b| a.program.cmp(&b.program));
    for program in programs {
        let word = match program.change {
            Change::Added => "available",
            Change::Removed => "disappeared",
            Change::Restarted | Change::Changed => "changed",
        };
        page.line(&format!("{}: {word}", escape(&program.program)));
        keys(&program.keys, page);
        if let Some(starts) = starts(program) {
            page.line(&format!("  {starts}"));
        }
    }
    settings(&plan.settings, page);
}

/// The keys that belong to no program.
fn settings(changes: &[KeyChange], page: &mut Page) {
    if !changes.is_empty() {
        page.line("settings:");
        keys(changes, page);
    }
}

fn keys(changes: &[KeyChange], page: &mut Page) {
    for change in changes {
        let [key, old, new, consequence] =
            [&change.key, &change.old, &change.new, &change.consequence].map(|text| escape(text));
        page.line(&format!("  {key}: {old} -> {new} ({consequence})"));
    }
}

/// The problems for which a configuration was refused.
pub(crate) fn refused_reload(error: &RpcError, page: &mut Page) {
    let listed = error.data.as_ref().and_then(Value::as_array);
    let listed = listed.into_iter().flatten().filter_map(Value::as_str);
    let mut problems: Vec<&str> = listed.collect();
    if problems.is_empty() {
        problems = error.message.lines().collect();
    }
    let problems: Vec<String> = problems.into_iter().map(escape).collect();
    page.line(&format!("ERROR: CANT_REREAD: {}", problems.join("\n")));
}

/// The pids that were asked for, one on each line, where the name stands that means them: whoever gave two names has
/// the first one's pid first.
pub(crate) fn pids(answer: &Pids, typed: &[&str], page: &mut Page) {
    let processes = answer.processes.iter();
    let processes: Vec<_> = processes
        .filter_map(|process| Some((shown_process(&process.name)?, process.pid)))
        .collect();
    for &name in typed {
        let selector = name.parse::<Selector>().ok();
        let label = selector.as_ref().map_or(name, Selector::label);
        if answer.errors.iter().any(|error| error.name == label) {
            page.line(&format!("No such process {}", escape(label)));
        }
        let meant = |process| selector.as_ref().is_some_and(|it| it.matches(process));
        for (_, pid) in processes.iter().filter(|(process, _)| meant(process)) {
            page.line(&pid.to_string());
        }
    }
}

/// The process that is shown as `web`, or as `web:1`.
fn shown_process(shown: &str) -> Option<ProcessName> {
    let (program, index) = shown.split_once(':').unwrap_or((shown, "0"));
    Some(ProcessName::new(program.parse().ok()?, index.parse().ok()?))
}

/// Every process of the configuration. A program has one priority, where supervisor has its group's and its own.
pub(crate) fn available(answer: &Available, page: &mut Page) {
    for process in &answer.processes {
        let start = if process.autostart { "auto" } else { "manual" };
        let (name, priority) = (escape(&process.name), process.priority);
        page.line(&format!(
            "{name:<32} {:<9} {start:<9} {priority}:{priority}",
            "in use"
        ));
    }
}

/// `web: ERROR (no such process)`, where nothing could be done with the one process that was named.
pub(crate) fn refused(name: &str, why: &str, page: &mut Page) {
    page.line(&format!("{}: ERROR ({why})", escape(name)));
}

/// A message of the daemon's, each line of it escaped.
pub(crate) fn error(error: &RpcError, page: &mut Page) {
    let lines: Vec<String> = error.message.lines().map(escape).collect();
    page.line(&format!("ERROR: {}", lines.join("\n")));
}

/// JSON for a person or, on one line, for a program. What a terminal could obey is written as `\uNNNN`.
pub(crate) fn json(value: &Value, pretty: bool, page: &mut Page) {
    let text = if pretty {
        format!("{value:#}")
    } else {
        value.to_string()
    };
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        // All of these stand in strings only, where such an escape is the same character.
        let plain = matches!(c, '\n' | ' '..='~');
        if plain || escape(c.encode_utf8(&mut [0; 4])).chars().eq([c]) {
            safe.push(c);
        } else {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        }
    }
    page.line(&safe);
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::api::Verdict;

    fn process(name: &str, state: State) -> ProcessStatus {
        serde_json::from_value(serde_json::json!({
            "name": name, "program": "p", "index": 0, "state": state, "failures": 0, "starts": 0,
        }))
        .unwrap()
    }

    fn printed(word: impl FnOnce(&mut Page)) -> String {
        let mut page = Page::default();
        word(&mut page);
        page.text()
    }

    #[test]
    fn status_is_laid_out_as_by_supervisorctl() {
        let mut running = process("p:0", State::Running);
        (running.pid, running.uptime_ms) = (Some(1234), Some(93_784_000));
        let mut fatal = process("x", State::Fatal);
        fatal.reason = Some("can't find command '/nonexistent/program'".into());
        let mut answer = Status {
            processes: vec![running, fatal, process("b", State::Backoff)],
            ..Status::default()
        };
        let pad = " ".repeat(30);
        assert_eq!(
            printed(|page| status(&answer, page)),
            format!(
                "p:0{pad}RUNNING   pid 1234, uptime 1 day, 2:03:04\n\
                 x  {pad}FATAL     can't find command '/nonexistent/program'\n\
                 b  {pad}BACKOFF   unknown error (try \"tail b\")\n"
            )
        );
        let long = "n".repeat(40);
        answer.processes = vec![
            process(&long, State::Stopped),
            process("s", State::Starting),
        ];
        assert_eq!(
            printed(|page| status(&answer, page)),
            format!("{long}   STOPPED   Not started\ns{:42}STARTING  \n", "")
        );
    }

    #[test]
    fn an_ended_process_shows_when() {
        let mut process = process("p", State::Exited);
        process.ended_at = Some(1_795_400_453_120);
        let shown = description(&process);
        let shape: String = shown
            .chars()
            .map(|c| if c.is_ascii_digit() { '9' } else { c })
            .collect();
        assert!(
            shape == "Nov 99 99:99 AM" || shape == "Nov 99 99:99 PM",
            "{shown}"
        );
        process.retry_in_ms = Some(1001);
        let waiting = format!("{shown}, starting again in 2 s");
        assert_eq!(description(&process), waiting);
    }

    #[test]
    fn a_new_program_shows_what_it_waits_for() {
        let mut process = process("p", State::Starting);
        for nothing in [None, Some(0)] {
            process.retry_in_ms = nothing;
            assert_eq!(description(&process), "");
        }
        process.retry_in_ms = Some(9001);
        let waiting = "waits for what was removed, 10 s at most";
        assert_eq!(description(&process), waiting);
    }

    #[test]
    fn a_restart_is_a_stop_and_a_start() {
        let outcome = |name: &str, result, before| Outcome {
            name: name.into(),
            result,
            before,
            detail: None,
        };
        let answer = Outcomes {
            results: vec![
                outcome("p:0", Verdict::Started, Some(Verdict::Stopped)),
                outcome("q", Verdict::Started, Some(Verdict::NotRunning)),
                outcome("nope", Verdict::NoSuchGroup, None),
            ],
        };
        assert_eq!(
            printed(|page| outcomes(&answer, page)),
            "p:0: stopped\nq: ERROR (not running)\np:0: started\nq: started\n\
             nope: ERROR (no such group)\n"
        );
    }

    fn plan() -> Plan {
        let change = |program: &str, change, keys| ProgramChange {
            program: program.into(),
            change,
            keys,
            starts: vec![],
        };
        let key = KeyChange {
            key: "cmd".into(),
            old: "a".into(),
            new: "b\x1b[2J".into(),
            consequence: "restart".into(),
        };
        Plan {
            programs: vec![
                change("new", Change::Added, vec![]),
                change("cmd", Change::Restarted, vec![key]),
                change("live", Change::Changed, vec![]),
                change("old", Change::Removed, vec![]),
            ],
            settings: vec![],
            warnings: vec![],
        }
    }

    #[test]
    fn a_reload_tells_what_went_what_changed_and_what_came() {
        assert_eq!(
            printed(|page| reloaded(&plan(), page)),
            "old: stopped\nold: removed process group\ncmd: stopped\ncmd: updated process group\n\
             live: changed without a restart\nnew: added process group\n"
        );
        assert_eq!(printed(|page| reloaded(&Plan::default(), page)), "");
    }

    // Those it says are as supervisorctl's, but for what happens to some of the processes only.
    #[test]
    fn a_reload_tells_of_fewer_and_more_processes_where_the_group_stands() {
        let mut plan = plan();
        let (old, new) = ("3".into(), "5".into());
        let (key, consequence) = ("numprocs".into(), "adds w:3 w:4".into());
        let copies = KeyChange {
            key,
            old,
            new,
            consequence,
        };
        for program in &mut plan.programs[1..3] {
            program.keys.push(copies.clone());
        }
        assert_eq!(
            printed(|page| reloaded(&plan, page)),
            "old: stopped\nold: removed process group\n\
             cmd: stopped\ncmd: updated process group (adds w:3 w:4)\n\
             live: changed without a restart (adds w:3 w:4)\nnew: added process group\n"
        );
    }

    #[test]
    fn what_a_reload_starts_is_told_before_and_after() {
        let mut plan = plan();
        for program in &mut plan.programs[1..3] {
            program.starts = vec!["x:0".into(), "x:2".into()];
        }
        assert_eq!(
            printed(|page| reloaded(&plan, page)),
            "old: stopped\nold: removed process group\n\
             cmd: stopped\ncmd: updated process group (starts x:0 x:2)\n\
             live: changed without a restart (starts x:0 x:2)\nnew: added process group\n"
        );
        assert_eq!(
            printed(|page| reread(&plan, page)),
            "cmd: changed\n  cmd: a -> b\\x1b[2J (restart)\n  starts x:0 x:2\n\
             live: changed\n  starts x:0 x:2\nnew: available\nold: disappeared\n"
        );
    }

    #[test]
    fn reread_tells_each_key() {
        assert_eq!(
            printed(|page| reread(&plan(), page)),
            "cmd: changed\n  cmd: a -> b\\x1b[2J (restart)\nlive: changed\nnew: available\n\
             old: disappeared\n"
        );
        assert_eq!(
            printed(|page| reread(&Plan::default(), page)),
            "No config updates to processes\n"
        );
    }

    // Scripts pair the first line with the first name, as with supervisorctl.
    #[test]
    fn pids_stand_in_the_order_of_the_names() {
        let answer: Pids = serde_json::from_value(serde_json::json!({"daemon": 42,
            "processes": [{"name": "b", "pid": 8}, {"name": "w:0", "pid": 1},
                {"name": "w:1", "pid": 2}, {"name": "a", "pid": 7}],
            "errors": [{"name": "x", "result": "no_such_process"},
                {"name": "y", "result": "no_such_group"}],
        }))
        .unwrap();
        let none = "No such process";
        for (names, want) in [
            ("x b y:* w a", format!("{none} x\n8\n{none} y\n1\n2\n7\n")),
            ("b w:1 x a w:0", format!("8\n2\n{none} x\n7\n1\n")),
            ("b b x", format!("8\n8\n{none} x\n")),
        ] {
            let typed: Vec<&str> = names.split(' ').collect();
            assert_eq!(printed(|page| pids(&answer, &typed, page)), want, "{names}");
        }
    }

    #[test]
    fn problems_of_a_configuration_stand_on_lines_of_their_own() {
        let mut refused = RpcError::new(3, "one\ntwo");
        let want = "ERROR: CANT_REREAD: one\ntwo\n";
        assert_eq!(printed(|page| refused_reload(&refused, page)), want);
        (refused.message, refused.data) = ("2 problems".into(), Some(["one", "two"].into()));
        assert_eq!(printed(|page| refused_reload(&refused, page)), want);
    }

    #[test]
    fn json_stays_json_and_shows_no_controls() {
        let hostile = Value::from("\x1b\x7f\u{9b}\u{202e}ß\n");
        for pretty in [true, false] {
            let text = printed(|page| json(&hostile, pretty, page));
            assert_eq!(text, "\"\\u001b\\u007f\\u009b\\u202eß\\n\"\n");
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), hostile);
        }
    }
}
