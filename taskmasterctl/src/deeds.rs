//! What the commands do: ask the daemon, have the answer worded, and choose the exit code.

use shared::api::{
    Available, Call, Names, Nothing, Outcomes, PROTOCOL, Pids, ReloadParams, Reloaded,
    ShutdownDone, SignalParams, Status, StatusParams, Version,
};
use shared::text::{count, escape};

use crate::exit::{self, Deed, Exit};
use crate::job::{Job, Named};
use crate::print;
use crate::term;
use crate::users;
use crate::verbs::{self, VERBS, Verb};

pub(crate) fn status(job: &mut Job<'_>, args: &[&str]) -> Exit {
    let (optional, plain) = verbs::parted(args);
    let strays = optional.contains(&"--strays");
    let typed = optional.iter().copied().filter(|&arg| arg != "--strays");
    let typed: Vec<&str> = typed.chain(plain.iter().copied()).collect();
    let named = Named::read(&typed);
    let call = Call::Status(StatusParams {
        names: named.names.clone(),
        strays,
    });
    let mut answer = job.ask_named::<Status>(&call, &named, "errors");
    if let (Ok(status), true) = (&mut answer, job.json) {
        users::name(status);
    }
    job.show_answer(&call, answer, |answer: &Status, page| {
        print::status(answer, page);
        if strays {
            print::strays(answer, page);
        }
        match () {
            () if answer.processes.iter().any(|p| p.state.is_down()) => Exit::DOWN,
            () if !answer.errors.is_empty() => Exit::UNKNOWN,
            () => Exit::OK,
        }
    })
}

pub(crate) fn start(job: &mut Job<'_>, args: &[&str]) -> Exit {
    match on_processes(job, args, Deed::Start, Call::Start) {
        Exit::FAILED if args.is_empty() => Exit::USAGE,
        exit => exit,
    }
}

pub(crate) fn stop(job: &mut Job<'_>, args: &[&str]) -> Exit {
    on_processes(job, args, Deed::Stop, Call::Stop)
}

pub(crate) fn restart(job: &mut Job<'_>, args: &[&str]) -> Exit {
    on_processes(job, args, Deed::Start, Call::Restart)
}

pub(crate) fn clear(job: &mut Job<'_>, args: &[&str]) -> Exit {
    on_processes(job, args, Deed::Clear, Call::Clear)
}

/// A deed for which at least one process must be named.
fn on_processes(job: &mut Job<'_>, args: &[&str], deed: Deed, call: fn(Names) -> Call) -> Exit {
    if args.is_empty() {
        return job.misused(&format!("{} requires a process name", job.word));
    }
    let named = Named::read(args);
    let call = call(Names {
        names: named.names.clone(),
    });
    outcomes(job, &call, &named, deed)
}

pub(crate) fn signal(job: &mut Job<'_>, args: &[&str]) -> Exit {
    let (Some(&signal), Some(typed @ [_, ..])) = (args.first(), args.get(1..)) else {
        return job.misused("signal requires a signal name and a process name");
    };
    let named = Named::read(typed);
    let call = Call::Signal(SignalParams {
        signal: signal.into(),
        names: named.names.clone(),
    });
    outcomes(job, &call, &named, Deed::Signal)
}

fn outcomes(job: &mut Job<'_>, call: &Call, named: &Named, deed: Deed) -> Exit {
    job.show_named(call, named, "results", |answer: &Outcomes, page| {
        print::outcomes(answer, page);
        for detail in print::details(answer) {
            page.remark(detail);
        }
        exit::of_outcomes(&answer.results, deed)
    })
}

pub(crate) fn reload(job: &mut Job<'_>, args: &[&str]) -> Exit {
    let (optional, plain) = verbs::parted(args);
    let (mut params, mut names) = (ReloadParams::default(), plain.to_vec());
    for &arg in optional {
        match arg {
            "--dry-run" => params.dry_run = true,
            "--allow-empty" => params.allow_empty = true,
            name => names.push(name),
        }
    }
    // supervisorctl's `update all`.
    if let Some(name) = names.iter().find(|&&name| name != "all") {
        let (verb, name) = (job.word, escape(name));
        return job.misused(&format!(
            "{verb} takes no names, but \"{name}\" was given; without one it is about all that changed"
        ));
    }
    let json = job.json;
    job.show(&Call::Reload(params), |answer: &Reloaded, page| {
        if answer.applied {
            print::reloaded(&answer.plan, page);
        } else {
            print::reread(&answer.plan, page);
        }
        if !json {
            for warning in &answer.plan.warnings {
                term::complain(&format!("warning: {}", escape(warning)));
            }
        }
        Exit::OK
    })
}

pub(crate) fn reread(job: &mut Job<'_>, args: &[&str]) -> Exit {
    reload(job, &[&["--dry-run"], args].concat())
}

pub(crate) fn pid(job: &mut Job<'_>, args: &[&str]) -> Exit {
    let named = Named::read(args);
    let call = Call::Pid(Names {
        names: named.names.clone(),
    });
    job.show_named(&call, &named, "errors", |answer: &Pids, page| {
        if args.is_empty() {
            page.line(&answer.daemon.to_string());
            return Exit::OK;
        }
        print::pids(answer, args, page);
        match () {
            () if !answer.errors.is_empty() => Exit::FAILED,
            () if answer.processes.iter().any(|p| p.pid == 0) => Exit::NOT_RUNNING,
            () => Exit::OK,
        }
    })
}

pub(crate) fn avail(job: &mut Job<'_>, args: &[&str]) -> Exit {
    if let Err(exit) = job.bare(args) {
        return exit;
    }
    job.show(&Call::Avail(Nothing {}), |answer: &Available, page| {
        print::available(answer, page);
        Exit::OK
    })
}

pub(crate) fn version(job: &mut Job<'_>, args: &[&str]) -> Exit {
    if let Err(exit) = job.bare(args) {
        return exit;
    }
    job.show(&Call::Version(Nothing {}), |answer: &Version, page| {
        page.line(&escape(&answer.version));
        if answer.protocol != PROTOCOL {
            let (its, ours) = (answer.protocol, PROTOCOL);
            term::complain(&format!(
                "taskmasterd speaks protocol {its}, taskmasterctl {ours}"
            ));
        }
        Exit::OK
    })
}

pub(crate) fn shutdown(job: &mut Job<'_>, args: &[&str]) -> Exit {
    if let Err(exit) = job.bare(args) {
        return exit;
    }
    job.show(
        &Call::Shutdown(Nothing {}),
        |answer: &ShutdownDone, page| {
            page.line("Shut down");
            if answer.left == 0 {
                return Exit::OK;
            }
            term::complain(&format!(
                "{} could not be got rid of",
                count(answer.left as u64, "process", "processes")
            ));
            Exit::FAILED
        },
    )
}

pub(crate) fn help(job: &mut Job<'_>, args: &[&str]) -> Exit {
    let topic = match *args {
        [] => return help_on_all(job),
        [topic] => topic,
        [_, _, ..] => return job.misused(&format!("{} accepts one command", job.word)),
    };
    match verbs::find(topic) {
        Some(verb) if job.json => {
            print::json(&verb.as_json(), term::is_terminal(), &mut job.page);
            Exit::OK
        }
        Some(verb) => {
            job.page.bytes(verb.help(topic).as_bytes());
            Exit::OK
        }
        None if job.json => job.misused(&format!("no command is called \"{}\"", escape(topic))),
        None => {
            job.page.line(&format!("*** No help on {}", escape(topic)));
            Exit::FAILED
        }
    }
}

fn help_on_all(job: &mut Job<'_>) -> Exit {
    if job.json {
        let all = VERBS.iter().map(Verb::as_json).collect();
        print::json(&all, term::is_terminal(), &mut job.page);
    } else {
        job.page.bytes(verbs::commands().as_bytes());
    }
    Exit::OK
}

/// What `quit` does where there is no shell to leave.
pub(crate) fn quit(job: &mut Job<'_>, args: &[&str]) -> Exit {
    match job.bare(args) {
        Ok(()) => Exit::OK,
        Err(exit) => exit,
    }
}
