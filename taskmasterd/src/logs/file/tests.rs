//! A log file under everything that happens to log files. Time is an argument, so nothing waits.

use std::cell::Cell;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::rc::Rc;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::*;
use crate::files::OwnFiles;
use crate::files::tests::{Dir, Tmpfs};

mod untold;
mod vanish;

fn settings(path: PathBuf, max_size: Option<u64>, keep: u32) -> LogFile {
    LogFile {
        path,
        max_size,
        keep,
        timestamps: false,
        strip_ansi: false,
    }
}

fn writer(path: PathBuf) -> LogWriter {
    LogWriter::new(&settings(path, None, 0), Box::new(OwnFiles))
}

/// Writes one batch and gives the reports.
fn put(log: &mut LogWriter, ms: u64, bytes: &[u8]) -> Vec<Report> {
    let mut out = Vec::new();
    log.write(Mono(ms), bytes, &mut out);
    out
}

fn reopen(log: &mut LogWriter, ms: u64) -> Vec<Report> {
    let mut out = Vec::new();
    log.reopen(Mono(ms), &mut out);
    out
}

fn trouble(reason: &str, lost: u64) -> Vec<Report> {
    let reason = reason.to_owned();
    vec![Report::Trouble { reason, lost }]
}

#[test]
fn output_is_appended_as_it_is() {
    let dir = Dir::new("append");
    fs::write(dir.path("log"), "before\n").unwrap();
    let mut log = writer(dir.path("log"));
    assert_eq!(put(&mut log, 0, b"\0\xff\r\n"), []);
    assert_eq!(put(&mut log, 0, b""), []);
    assert_eq!(put(&mut log, 0, b"no end"), []);
    let want = b"before\n\0\xff\r\nno end";
    assert_eq!(fs::read(dir.path("log")).unwrap(), want);
    assert_eq!(log.tail(6), Ok((b"no end".to_vec(), true)));
    log.clear().unwrap();
    put(&mut log, 0, b"after");
    assert_eq!(log.tail(99), Ok((b"after".to_vec(), false)));
    assert_eq!((log.written(), log.lost()), (15, 0));
}

#[test]
fn a_missing_directory_costs_bytes_and_one_report_a_minute() {
    let dir = Dir::new("missing");
    let mut log = writer(dir.path("sub/log"));
    let reason = "no such file or directory";
    assert_eq!(reopen(&mut log, 0), trouble(reason, 0));
    assert_eq!(put(&mut log, 10, b"12345"), []);
    assert_eq!(put(&mut log, 2000, b"12345"), []);
    assert_eq!(put(&mut log, 60_000, b"1"), trouble(reason, 11));
    fs::create_dir(dir.path("sub")).unwrap();
    assert_eq!(put(&mut log, 60_500, b"not tried yet"), []);
    assert_eq!(
        put(&mut log, 61_000, b"here"),
        [Report::Recovered { lost: 24 }]
    );
    assert_eq!(fs::read(dir.path("sub/log")).unwrap(), b"here");
    assert_eq!((log.written(), log.lost()), (4, 24));
}

#[test]
fn a_rename_and_a_reopening_lose_nothing() {
    let dir = Dir::new("logrotate");
    let mut log = writer(dir.path("log"));
    put(&mut log, 0, b"one ");
    fs::rename(dir.path("log"), dir.path("log.1")).unwrap();
    put(&mut log, 0, b"two ");
    assert_eq!(reopen(&mut log, 0), []);
    put(&mut log, 0, b"three");
    assert_eq!(fs::read(dir.path("log.1")).unwrap(), b"one two ");
    assert_eq!(fs::read(dir.path("log")).unwrap(), b"three");
}

/// Gives descriptors that cannot be written while `broken`, so that each write fails with EBADF.
struct Flaky {
    broken: Rc<Cell<bool>>,
}

impl Files for Flaky {
    fn uid(&self) -> u32 {
        OwnFiles.uid()
    }
    fn open(&self, path: &Path, flags: OFlag, mode: Mode) -> io::Result<OwnedFd> {
        let flags = match self.broken.get() {
            true => flags.difference(OFlag::O_ACCMODE) | OFlag::O_RDONLY,
            false => flags,
        };
        OwnFiles.open(path, flags, mode)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        match self.broken.get() {
            true => Err(Errno::EIO.into()),
            false => OwnFiles.rename(from, to),
        }
    }
}

#[test]
fn a_file_that_fails_every_other_second_is_complained_of_once_a_minute() {
    let dir = Dir::new("flaky");
    let broken = Rc::new(Cell::new(false));
    let files = Flaky {
        broken: broken.clone(),
    };
    let mut log = LogWriter::new(&settings(dir.path("log"), None, 0), Box::new(files));
    let (mut troubles, mut told) = (0, 0);
    for second in 0..=600 {
        broken.set(second % 2 == 1);
        // The path leads elsewhere whenever it is tried anew.
        reopen(&mut log, second * 1000);
        for report in put(&mut log, second * 1000, b"0123456789") {
            match report {
                Report::Trouble { .. } => troubles += 1,
                Report::Recovered { lost } => told += lost,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!((log.written(), log.lost()), (3010, 3000));
    assert_eq!(fs::read(dir.path("log")).unwrap().len(), 3010);
    assert!((5..=11).contains(&troubles), "{troubles}");
    assert_eq!(told + log.missing, 3000);
    assert!(log.missing < 600, "{}", log.missing);
}

#[test]
fn rotation_loses_and_doubles_nothing() {
    let dir = Dir::new("rotate");
    let mut log = LogWriter::new(
        &settings(dir.path("log"), Some(100), 50),
        Box::new(OwnFiles),
    );
    let mut all = Vec::new();
    for n in 0..400 {
        let line = format!("line {n}\n");
        assert_eq!(put(&mut log, n, line.as_bytes()), []);
        all.extend_from_slice(line.as_bytes());
    }
    let mut found = Vec::new();
    for n in (1..=50).rev() {
        let part = fs::read(numbered(&dir.path("log"), n)).unwrap_or_default();
        assert!(part.is_empty() || (100..110).contains(&part.len()));
        found.extend(part);
    }
    found.extend(fs::read(dir.path("log")).unwrap());
    assert_eq!(String::from_utf8(found), String::from_utf8(all));
}

#[test]
fn no_more_files_are_kept_than_asked_for() {
    let dir = Dir::new("keep");
    for keep in [0, 1, 3] {
        let path = dir.path(&format!("log{keep}"));
        let mut log = LogWriter::new(&settings(path.clone(), Some(4), keep), Box::new(OwnFiles));
        for n in 1000..1010 {
            put(&mut log, 0, n.to_string().as_bytes());
        }
        let kept = (1..10).filter(|&n| numbered(&path, n).exists()).count();
        assert_eq!(kept, keep as usize);
        let last: &[u8] = if keep == 0 { b"1009" } else { b"" };
        assert_eq!(fs::read(&path).unwrap(), last);
        if keep > 0 {
            assert_eq!(
                fs::read(numbered(&path, keep)).unwrap(),
                (1010 - keep).to_string().as_bytes()
            );
        }
    }
}

/// What is reported where the file `path` is in the way of a rotation.
fn unrotated(path: &Path, why: &str) -> Vec<Report> {
    let reason = format!("cannot rotate: {}{why}", path.display());
    vec![Report::Hindered { reason }]
}

#[test]
fn a_rotation_that_fails_costs_no_bytes_and_is_tried_again() {
    let dir = Dir::new("norotate");
    let path = dir.path("log");
    let mut log = LogWriter::new(&settings(path.clone(), Some(4), 1), Box::new(OwnFiles));
    fs::create_dir(dir.path("log.1")).unwrap();
    assert_eq!(
        put(&mut log, 0, b"1234"),
        unrotated(
            &dir.path("log.1"),
            ": a directory, not a regular file; name another path"
        )
    );
    assert_eq!(put(&mut log, 1, b"5678"), []);
    assert_eq!(put(&mut log, 2000, b"90"), []);
    assert_eq!(fs::read(&path).unwrap(), b"1234567890");
    fs::remove_dir(dir.path("log.1")).unwrap();
    assert_eq!(put(&mut log, 4000, b"12"), []);
    assert_eq!(fs::read(dir.path("log.1")).unwrap(), b"123456789012");
    assert_eq!((log.written(), log.lost()), (12, 0));
}

// Whatever it is and wherever among the rotated files it stands; they all stay where they are.
#[test]
fn what_is_no_file_is_neither_moved_nor_replaced_and_is_named() {
    let dir = Dir::new("nofile");
    let path = dir.path("log");
    for n in 1..=3 {
        for m in 1..=3 {
            fs::write(numbered(&path, m), m.to_string()).unwrap();
        }
        let there = numbered(&path, n);
        fs::remove_file(&there).unwrap();
        symlink("elsewhere", &there).unwrap();
        let mut log = LogWriter::new(&settings(path.clone(), Some(4), 3), Box::new(OwnFiles));
        let why = ": a symlink, not a regular file; name another path";
        assert_eq!(put(&mut log, 0, b"1234"), unrotated(&there, why));
        assert_eq!(fs::read_link(&there).unwrap(), Path::new("elsewhere"));
        for m in (1..=3).filter(|&m| m != n) {
            let kept = fs::read_to_string(numbered(&path, m)).unwrap();
            assert_eq!(kept, m.to_string());
        }
        fs::remove_file(&there).unwrap();
    }
}

// Which file could not be moved, and where to: either may be why.
#[test]
fn a_rotation_that_fails_names_both_files() {
    let dir = Dir::new("bothnames");
    let path = dir.path(&"x".repeat(254));
    let mut log = LogWriter::new(&settings(path.clone(), Some(4), 1), Box::new(OwnFiles));
    let to = numbered(&path, 1);
    let why = format!(" cannot become {}: file name too long", to.display());
    assert_eq!(put(&mut log, 0, b"1234"), unrotated(&path, &why));
}

#[test]
fn two_streams_with_one_path_rotate_it_once() {
    let dir = Dir::new("shared");
    let make = || {
        LogWriter::new(
            &settings(dir.path("log"), Some(10), 100),
            Box::new(OwnFiles),
        )
    };
    let (mut out, mut err) = (make(), make());
    for _ in 0..50 {
        put(&mut out, 0, b"out\n");
        put(&mut err, 0, b"err\n");
    }
    let parts = (1..=100).map(|n| numbered(&dir.path("log"), n));
    let parts: Vec<_> = parts.chain([dir.path("log")]).collect();
    let bytes: Vec<u8> = parts
        .iter()
        .flat_map(|path| fs::read(path).unwrap_or_default())
        .collect();
    assert_eq!(bytes.len(), 400);
    assert_eq!(
        bytes.chunks(4).filter(|line| line == b"out\n").count(),
        200 / 4
    );
}

// The write that filled it was gone with the rest, and an error message at the end was nowhere.
#[test]
fn a_file_that_is_emptied_keeps_the_last_that_was_written() {
    let dir = Dir::new("emptied");
    let settings = settings(dir.path("log"), Some(10), 0);
    let mut log = LogWriter::new(&settings, Box::new(OwnFiles));
    for (bytes, want) in [
        ("12345", "12345"),
        ("6789 and more", "123456789 and more"),
        ("next", "next"),
        (" and last", "next and last"),
        ("again", "again"),
    ] {
        assert_eq!(put(&mut log, 0, bytes.as_bytes()), []);
        assert_eq!(fs::read_to_string(dir.path("log")).unwrap(), want);
    }
    assert!(!dir.path("log.1").exists());
}

#[test]
fn a_full_disk_costs_exactly_what_is_reported() {
    let Some(disk) = Tmpfs::new() else {
        return eprintln!("skipped: needs root and mount");
    };
    let path = disk.path("log");
    let mut log = writer(path.clone());
    let batch = [b'x'; 10_000];
    for n in 0..6 {
        assert_eq!(put(&mut log, n, &batch), []);
    }
    assert_eq!(
        put(&mut log, 10, &batch),
        trouble("no space left on device", 4464)
    );
    for ms in 11..3000 {
        assert_eq!(put(&mut log, ms, &batch), []);
    }
    assert_eq!(log.written(), fs::metadata(&path).unwrap().len());
    assert_eq!(log.written() + log.lost(), (6 + 2990) * 10_000);

    // Room again, and more by clearing than by deleting: an open file keeps its blocks.
    log.clear().unwrap();
    let lost = log.lost();
    assert_eq!(put(&mut log, 4000, b"again"), [Report::Recovered { lost }]);
    assert_eq!(fs::read(&path).unwrap(), b"again");
    drop(log);
}

#[test]
fn a_deleted_file_on_a_full_disk_is_let_go_of() {
    let Some(disk) = Tmpfs::new() else {
        return eprintln!("skipped: needs root and mount");
    };
    let path = disk.path("log");
    let mut log = writer(path.clone());
    put(&mut log, 0, &[b'x'; 100_000]);
    fs::remove_file(&path).unwrap();
    let lost = log.lost();
    assert_eq!(put(&mut log, 1000, b"again"), [Report::Recovered { lost }]);
    assert_eq!(fs::read(&path).unwrap(), b"again");
}

#[test]
fn the_null_device_takes_everything() {
    let mut log = LogWriter::new(
        &settings("/dev/null".into(), Some(1), 3),
        Box::new(OwnFiles),
    );
    assert_eq!(put(&mut log, 0, b"gone"), []);
    assert_eq!(log.clear(), Ok(()));
    assert_eq!(log.tail(10), Ok((vec![], false)));
    assert_eq!((log.written(), log.lost()), (4, 0));
}

#[test]
fn a_tail_says_whether_there_is_more() {
    let dir = Dir::new("tail");
    let path = dir.path("log");
    fs::write(&path, "0123456789").unwrap();
    let last = |n| tail(&OwnFiles, &path, n).unwrap();
    assert_eq!(last(3), (b"789".to_vec(), true));
    assert_eq!(last(10), (b"0123456789".to_vec(), false));
    assert_eq!(last(usize::MAX), (b"0123456789".to_vec(), false));
    assert_eq!(last(0), (vec![], true));
    fs::write(&path, vec![b'x'; TAIL_LEN_MAX + 1]).unwrap();
    assert_eq!(last(usize::MAX).0.len(), TAIL_LEN_MAX);
    assert!(tail(&OwnFiles, &dir.path("none"), 1).is_err());
    let null = tail(&OwnFiles, Path::new("/dev/null"), 9);
    assert_eq!(null, Ok((vec![], false)));
}
