//! `taskmasterd`: reads its arguments and its configuration, takes its socket, and runs the reactor.

mod daemonize;
mod demo;
mod options;
mod say;
mod shell;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use shared::paths::{SOCKET_VARIABLE, default_socket, socket_named};
use taskmasterd::child::Heritage;
use taskmasterd::child::helper::{HELPER, Verdict};
use taskmasterd::config::model::Config;
use taskmasterd::config::{Problems, Surroundings, describe, load, obstacles};
use taskmasterd::control::listener::Listener;
use taskmasterd::files::reason;
use taskmasterd::reactor::{Equipment, Reactor, signals};
use taskmasterd::sinks::eventlog::{EventLog, own_stderr};
use taskmasterd::sys;

use options::{Mode as RunMode, Options, Order};
use say::complain;

/// The exit code of a configuration or a command line that is wrong, as supervisor has it.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|word| word == HELPER) {
        let mut path = || arguments.next().map(PathBuf::from);
        return help(path().unwrap_or_default(), path(), path());
    }
    match options::parse() {
        Ok(Order::Say(text)) => say::answer(&text),
        Ok(Order::Check { config, socket }) => check(&config, socket),
        Ok(Order::Run(options)) => run(options),
        Err(problem) => {
            complain(format_args!(
                "taskmasterd: {problem}\nFor help, use taskmasterd --help"
            ));
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// What the file at `path` means to a daemon that was started in that directory, or in the current one, and has that
/// event log already.
fn read(
    path: &Path,
    started_in: Option<PathBuf>,
    event_log: Option<PathBuf>,
) -> Result<Config, Problems> {
    refuse_unreadable_again(path).map_err(|problem| Problems(vec![problem]))?;
    let cwd = started_in.map_or_else(std::env::current_dir, Ok);
    let cwd = cwd.map_err(|error| {
        let problem = format!("the current directory: {}", reason(&error));
        Problems(vec![problem])
    })?;
    let surroundings = Surroundings {
        event_log,
        ..Surroundings::within(cwd)
    };
    load(path, &surroundings)
}

/// The helper that reads the file at a reload is given its path as text.
fn refuse_unreadable_again(path: &Path) -> Result<(), String> {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match whole.to_str() {
        Some(_) => Ok(()),
        None => Err(format!(
            "{}: a path that is not UTF-8, and no reload could read it; rename it",
            whole.display()
        )),
    }
}

/// The helper's life: the configuration at `path` as JSON on standard output. The daemon was started in that directory
/// and has that event log, or an empty path for none.
fn help(path: PathBuf, event_log: Option<PathBuf>, started_in: Option<PathBuf>) -> ExitCode {
    let event_log = event_log.filter(|path| !path.as_os_str().is_empty());
    let verdict = match read(&path, started_in, event_log) {
        Ok(mut config) => {
            config.obstacles = obstacles(&config);
            Verdict::Good(Box::new(config))
        }
        Err(Problems(problems)) => Verdict::Problems(problems),
    };
    match serde_json::to_writer(io::stdout().lock(), &verdict) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// `--check`: what each program will run as, or everything that is wrong.
fn check(path: &Path, socket: Option<PathBuf>) -> ExitCode {
    match read(path, None, None) {
        Ok(mut config) => {
            config.socket.path = Some(socket_path(socket, &config));
            for warning in config.warnings.iter().chain(&obstacles(&config)) {
                complain(format_args!("warning: {warning}"));
            }
            say::answer(&describe(&config))
        }
        Err(problems) => {
            complain(problems);
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn run(options: Options) -> ExitCode {
    // Where it is ignored, and that is inherited, nobody hears of a death.
    if let Err(error) = sys::heed(Signal::SIGCHLD) {
        complain(format_args!(
            "taskmasterd: cannot hear of deaths: {}",
            reason(&error)
        ));
        return ExitCode::FAILURE;
    }
    let ran = match options.mode {
        RunMode::Daemonize => return daemonize::launch(),
        RunMode::Daemonized => daemonize::take_name()
            .map_err(cannot("take its name"))
            .and_then(|()| supervise(options)),
        RunMode::Foreground | RunMode::Shell | RunMode::Demo => supervise(options),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, problem)) => {
            complain(format_args!("taskmasterd: {problem}"));
            ExitCode::from(code)
        }
    }
}

/// The code and the words for what the daemon could not do.
fn cannot(what: &'static str) -> impl FnOnce(io::Error) -> (u8, String) {
    move |error| (1, format!("cannot {what}: {}", reason(&error)))
}

/// Sets everything up in the order in which it can fail, and runs until a shutdown is done.
fn supervise(options: Options) -> Result<(), (u8, String)> {
    signals::hold().map_err(cannot("hold back signals"))?;
    let heritage = Heritage::take().map_err(cannot("look at its directory and its limits"))?;
    let demo = match options.mode {
        RunMode::Demo => {
            let demo = demo::Demo::new();
            Some(demo.map_err(|problem| (1, problem))?)
        }
        RunMode::Foreground | RunMode::Daemonize | RunMode::Daemonized | RunMode::Shell => None,
    };
    let config_path = demo.as_ref().map_or(options.config, demo::Demo::config);
    let config = read(&config_path, Some(heritage.directory.clone()), None)
        .map_err(|problems| (EXIT_USAGE, problems.to_string()))?;
    let socket = socket_path(options.socket, &config);
    sys::set_subreaper().map_err(cannot("take in orphans"))?;
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
    // From here on an end must be an orderly one, or the socket would stay.
    let signals = signals::take().map_err(cannot("take in signals"))?;
    let listener = Listener::bind(&socket, &config.socket).map_err(|problem| (1, problem))?;
    let stderr = if options.mode == RunMode::Foreground {
        own_stderr()
    } else {
        None
    };
    let mut log = EventLog::new(config.log.clone(), stderr);
    log.reopen().map_err(|error| (EXIT_USAGE, error))?;
    if options.mode != RunMode::Foreground && config.log.is_none() && config.syslog.is_none() {
        complain("taskmasterd: warning: neither log nor syslog is set; events are told to nobody");
    }
    if let Some(demo) = &demo {
        demo.welcome();
    }
    let with_shell = matches!(options.mode, RunMode::Shell | RunMode::Demo);
    let shell = with_shell
        .then(|| shell::start(&socket))
        .transpose()
        .map_err(|problem| (1, problem))?;
    signals::shut_out().map_err(cannot("shut out signals"))?;
    let equipment = Equipment {
        config,
        config_path,
        listener,
        signals,
        heritage,
        log,
        shell,
    };
    let mut reactor = Reactor::new(equipment).map_err(cannot("begin to listen"))?;
    if options.mode == RunMode::Daemonized {
        daemonize::ready().map_err(cannot("go into the background"))?;
    }
    let ran = reactor.run().map_err(cannot("go on"));
    // With the reactor goes the control shell, which may still look at what the demonstration has.
    drop(reactor);
    drop(demo);
    ran
}

/// `-s`, then the configuration, then the environment, then the usual place.
fn socket_path(option: Option<PathBuf>, config: &Config) -> PathBuf {
    let from_environment = || {
        std::env::var_os(SOCKET_VARIABLE)
            .map(socket_named)
            .filter(|path| !path.as_os_str().is_empty())
    };
    let usual = || {
        let runtime_dir = std::env::var("XDG_RUNTIME_DIR").ok();
        default_socket(nix::unistd::geteuid().as_raw(), runtime_dir.as_deref())
    };
    option
        .or_else(|| config.socket.path.clone())
        .or_else(from_environment)
        .unwrap_or_else(usual)
}
