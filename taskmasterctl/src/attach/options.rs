//! What `attach` is asked for.

use shared::text::escape;

use crate::typing::lines;
use crate::verbs;

use super::key::Key;

/// The environment variable that names another key.
pub(super) const KEY_VARIABLE: &str = "TASKMASTER_DETACH_KEY";

/// The options of `attach`, and its process.
#[derive(Debug, PartialEq)]
pub(super) struct Options<'a> {
    pub(super) name: &'a str,
    pub(super) key: Option<Key>,
    pub(super) history: u32,
    pub(super) read_only: bool,
    pub(super) steal: bool,
    pub(super) once: bool,
    pub(super) no_replay: bool,
    pub(super) ignore_size: bool,
    pub(super) filter: bool,
}

/// Reads the words after `attach`, which was typed as `word`; `usual_key` is what the environment says.
pub(super) fn read<'a>(
    word: &str,
    args: &[&'a str],
    usual_key: Option<&'a str>,
) -> Result<Options<'a>, String> {
    let mut key = None;
    let (mut history, mut names) = (0, Vec::new());
    let (mut read_only, mut steal, mut once) = (false, false, false);
    let (mut no_replay, mut ignore_size, mut filter) = (false, false, false);
    let (optional, plain) = verbs::parted(args);
    let mut args = optional.iter().copied();
    while let Some(arg) = args.next() {
        let (option, mut attached) = match arg.split_once('=') {
            Some((option, value)) if arg.starts_with("--") => (option, Some(value)),
            Some(_) | None => (arg, None),
        };
        let mut value = || {
            let value = attached.take().or_else(|| args.next());
            value.ok_or_else(|| format!("{option} needs a value"))
        };
        match option {
            "--read-only" => read_only = true,
            "--steal" => steal = true,
            "--once" => once = true,
            "--no-replay" => no_replay = true,
            "--ignore-size" => ignore_size = true,
            "--filter" => filter = true,
            "--history" => history = lines(value()?)?,
            "--detach-key" => key = Some(value()?),
            _ if option.starts_with('-') => return Err(format!("bad argument {}", escape(arg))),
            name => names.push(name),
        }
    }
    names.extend(plain);
    let &[name] = &names[..] else {
        return Err(format!("{word} requires one process name"));
    };
    if read_only && steal {
        return Err(
            "who only looks detaches nobody; --read-only and --steal exclude each other".into(),
        );
    }
    Ok(Options {
        name,
        key: wanted_key(key, usual_key)?,
        history,
        read_only,
        steal,
        once,
        no_replay,
        ignore_size,
        filter,
    })
}

/// The key of the line, or of the environment.
fn wanted_key(key: Option<&str>, usual_key: Option<&str>) -> Result<Option<Key>, String> {
    match (key, usual_key.filter(|key| !key.is_empty())) {
        (Some(key), _) => Key::read(key),
        (None, Some(key)) => Key::read(key).map_err(|why| format!("{KEY_VARIABLE}: {why}")),
        (None, None) => Ok(Some(Key::USUAL)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_anywhere_and_take_their_value_either_way() {
        let args = ["--steal", "web:1", "--history", "20", "--detach-key=ctrl-a"];
        let options = read("attach", &args, None).unwrap();
        assert_eq!((options.name, options.history), ("web:1", 20));
        assert_eq!(options.key.map(Key::byte), Some(1));
        assert!(options.steal && !options.once);
        assert_eq!(
            read("attach", &["--", "--steal"], None).unwrap().name,
            "--steal"
        );
    }

    #[test]
    fn the_key_comes_from_the_line_then_the_environment() {
        let key = |args: &[&str], usual| read("attach", args, usual).unwrap().key;
        assert_eq!(key(&["w"], None), Some(Key::USUAL));
        assert_eq!(key(&["w"], Some("")), Some(Key::USUAL));
        assert_eq!(key(&["w"], Some("none")), None);
        let complaint = read("attach", &["w"], Some("x")).unwrap_err();
        assert!(
            complaint.starts_with("TASKMASTER_DETACH_KEY: x is not a key"),
            "{complaint}"
        );
        assert_eq!(
            key(&["w", "--detach-key", "^a"], Some("none")).map(Key::byte),
            Some(1)
        );
    }

    #[test]
    fn misuse_is_told() {
        for args in [
            &[][..],
            &["a", "b"],
            &["--frob", "a"],
            &["a", "--history"],
            &["a", "--history", "many"],
            &["--read-only", "--steal", "a"],
            &["a", "--detach-key", "x"],
        ] {
            assert!(read("attach", args, None).is_err(), "{args:?}");
        }
    }
}
