//! The command line of `taskmasterd`.

use std::ffi::OsString;
use std::path::PathBuf;

use shared::paths::socket_named;
use taskmasterd::files::reason;

/// What `--help` prints.
const HELP: &str = "\
taskmasterd - start programs, keep them alive, know whether they live

usage: taskmasterd [-c FILE] [-s SOCKET] [--check | --daemonize | --shell | --demo]

  -c, --config FILE   the configuration (default: /etc/taskmaster/taskmaster.yaml for
                      root, ~/.config/taskmaster/taskmaster.yaml for others)
  -s, --socket PATH   the control socket, whatever the configuration says
      --check         print what each program will run as, or what is wrong, and exit
                      with 0 or 2
      --daemonize     go into the background once everything is set up
      --shell         run the control shell in this terminal; leaving it stops everything
      --demo          try it: a few programs and the control shell, without a file
  -h, --help          print this
  -V, --version       print the version

Without an option it stays in the foreground and writes its events to standard error.
Signals: HUP reloads the configuration, TERM, INT and QUIT shut down (a second INT kills
what is left), USR2 reopens the log files.
See taskmasterd(8), taskmaster.yaml(5), taskmasterctl(1).
";

/// How the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// In the foreground, events on standard error.
    Foreground,
    /// Asked to go into the background.
    Daemonize,
    /// In the background.
    Daemonized,
    /// With the control shell in the same terminal.
    Shell,
    /// As `Shell`, with a configuration of its own.
    Demo,
}

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Order {
    /// Print this.
    Say(String),
    /// Check the configuration.
    Check {
        config: PathBuf,
        socket: Option<PathBuf>,
    },
    /// Supervise.
    Run(Options),
}

/// How to supervise.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    pub(crate) config: PathBuf,
    pub(crate) socket: Option<PathBuf>,
}

/// The option with which the daemon runs itself in the background; no option a user would write. It stands before
/// his, of which `--` may be the last.
pub(crate) const DAEMONIZED: &str = "internal-daemonized";

/// Reads the command line.
pub(crate) fn parse() -> Result<Order, String> {
    parse_from(lexopt::Parser::from_env())
}

fn parse_from(mut parser: lexopt::Parser) -> Result<Order, String> {
    use lexopt::Arg::{Long, Short, Value};
    let (mut config, mut socket, mut modes, mut check) = (None, None, Vec::new(), None);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Short('c') | Long("config") => {
                once(&mut config, "--config", path(value(&mut parser)?)?)?
            }
            Short('s') | Long("socket") => {
                let named = path(socket_named(value(&mut parser)?))?;
                once(&mut socket, "--socket", named)?;
            }
            Long("check") => once(&mut check, "--check", ())?,
            Long("daemonize") => modes.push(("--daemonize", Mode::Daemonize)),
            Long(DAEMONIZED) => modes.push(("", Mode::Daemonized)),
            Long("shell") => modes.push(("--shell", Mode::Shell)),
            Long("demo") => modes.push(("--demo", Mode::Demo)),
            Short('h') | Long("help") => return Ok(Order::Say(HELP.into())),
            Short('V') | Long("version") => {
                return Ok(Order::Say(
                    concat!("taskmasterd ", env!("CARGO_PKG_VERSION"), "\n").into(),
                ));
            }
            Short(_) | Long(_) | Value(_) => return Err(argument.unexpected().to_string()),
        }
    }
    if let (Some(()), Some((mode, _))) = (check, modes.first()) {
        return Err(format!("--check and {mode} do not go together"));
    }
    let mode = match modes[..] {
        [] => Mode::Foreground,
        [(_, mode)] => mode,
        [(_, Mode::Daemonized), (_, Mode::Daemonize)] => Mode::Daemonized,
        [(one, _), (other, _), ..] if one == other => return Err(only_once(one)),
        [(one, _), (other, _), ..] => return Err(format!("{one} and {other} do not go together")),
    };
    if mode == Mode::Demo && config.is_some() {
        return Err("--demo has a configuration of its own".into());
    }
    let config = config.map_or_else(usual_config, Ok);
    match mode {
        _ if check.is_some() => config.map(|config| Order::Check { config, socket }),
        Mode::Demo => Ok(Order::Run(Options {
            mode,
            config: PathBuf::new(),
            socket,
        })),
        Mode::Foreground | Mode::Daemonize | Mode::Daemonized | Mode::Shell => {
            Ok(Order::Run(Options {
                mode,
                config: absolute(config?)?,
                socket,
            }))
        }
    }
}

fn value(parser: &mut lexopt::Parser) -> Result<OsString, String> {
    parser.value().map_err(|error| error.to_string())
}

fn path(value: impl Into<PathBuf>) -> Result<PathBuf, String> {
    let path = value.into();
    if path.as_os_str().is_empty() {
        return Err("an empty path names nothing".into());
    }
    Ok(path)
}

/// Takes what an option says. Whoever says two things means one of them, and we do not know which.
fn once<T>(taken: &mut Option<T>, option: &str, said: T) -> Result<(), String> {
    match taken.replace(said) {
        None => Ok(()),
        Some(_) => Err(only_once(option)),
    }
}

fn only_once(option: &str) -> String {
    format!("{option} can be given only once")
}

/// A reload must find the same file, wherever the daemon is by then.
fn absolute(path: PathBuf) -> Result<PathBuf, String> {
    std::path::absolute(&path).map_err(|error| format!("{}: {}", path.display(), reason(&error)))
}

fn usual_config() -> Result<PathBuf, String> {
    if nix::unistd::geteuid().is_root() {
        return Ok("/etc/taskmaster/taskmaster.yaml".into());
    }
    let from = |variable: &str| {
        std::env::var_os(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let directory =
        from("XDG_CONFIG_HOME").or_else(|| from("HOME").map(|home| home.join(".config")));
    let directory = directory.ok_or("no configuration: use -c FILE")?;
    Ok(directory.join("taskmaster/taskmaster.yaml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Order, String> {
        parse_from(lexopt::Parser::from_args(arguments))
    }

    #[test]
    fn options_are_read_as_the_help_says() {
        let Ok(Order::Run(options)) = parsed(&["-c", "/x.yaml", "--shell", "-s/y.sock"]) else {
            panic!()
        };
        assert_eq!(options.mode, Mode::Shell);
        assert_eq!(options.config, PathBuf::from("/x.yaml"));
        assert_eq!(options.socket, Some("/y.sock".into()));
        assert!(matches!(
            parsed(&["--check", "-c", "x"]),
            Ok(Order::Check { .. })
        ));
        assert!(matches!(parsed(&["--help"]), Ok(Order::Say(_))));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(
            parsed(&["--shell", "--demo"])
                .unwrap_err()
                .contains("--shell and --demo")
        );
        for mode in ["--daemonize", "--shell", "--demo"] {
            let want = format!("--check and {mode} do not go together");
            assert_eq!(parsed(&["--check", mode]).unwrap_err(), want);
            assert_eq!(parsed(&[mode, "--check"]).unwrap_err(), want);
        }
        assert!(
            parsed(&["--frobnicate"])
                .unwrap_err()
                .contains("frobnicate")
        );
        assert!(parsed(&["file.yaml"]).unwrap_err().contains("file.yaml"));
        for empty in [["-c", ""], ["-s", ""], ["-s", "unix://"]] {
            assert!(parsed(&empty).is_err(), "{empty:?}");
        }
    }

    #[test]
    fn what_is_given_twice_is_refused() {
        for (words, option) in [
            (&["-c", "a", "-c", "b"][..], "--config"),
            (&["-ca", "--config=a", "--check"], "--config"),
            (&["-s", "a", "--shell", "--socket", "b"], "--socket"),
            (&["--check", "--check"], "--check"),
            (&["--shell", "--shell"], "--shell"),
        ] {
            let want = format!("{option} can be given only once");
            assert_eq!(parsed(words).unwrap_err(), want, "{words:?}");
        }
    }
}
