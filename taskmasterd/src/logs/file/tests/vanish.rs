//! Files and directories that are moved away or deleted under a log.

use super::*;

#[test]
fn a_directory_that_vanishes_is_told_of_and_found_again() {
    let dir = Dir::new("gone");
    fs::create_dir(dir.path("sub")).unwrap();
    let mut log = writer(dir.path("sub/log"));
    assert_eq!(put(&mut log, 0, b"one"), []);
    fs::remove_dir_all(dir.path("sub")).unwrap();
    let reason = "no such file or directory";
    assert_eq!(put(&mut log, 1000, b"two"), trouble(reason, 3));
    assert_eq!(put(&mut log, 1500, b"three"), []);
    assert_eq!(put(&mut log, 61_000, b"four"), trouble(reason, 12));
    fs::create_dir(dir.path("sub")).unwrap();
    assert_eq!(
        put(&mut log, 62_000, b"five"),
        [Report::Recovered { lost: 12 }]
    );
    assert_eq!(fs::read(dir.path("sub/log")).unwrap(), b"five");
    assert_eq!((log.written(), log.lost()), (7, 12));
}

#[test]
fn a_deleted_file_is_begun_anew_and_that_is_told_once_a_minute() {
    let dir = Dir::new("deleted");
    let mut log = writer(dir.path("log"));
    let mut told = Vec::new();
    for second in 0..=61 {
        if !put(&mut log, second * 1000, b"line").is_empty() {
            told.push(second);
        }
        assert_eq!(fs::read(dir.path("log")).unwrap(), b"line");
        fs::remove_file(dir.path("log")).unwrap();
    }
    assert_eq!(told, [1, 61]);
    assert_eq!(put(&mut log, 200_000, b"line"), [Report::Deleted]);
    // Empty is what has a name.
    fs::remove_file(dir.path("log")).unwrap();
    log.clear().unwrap();
    assert_eq!(fs::read(dir.path("log")).unwrap(), b"");
    assert_eq!(log.lost(), 0);
}

// What somebody has moved away he wants to keep; what `tail` shows is what is emptied.
#[test]
fn clearing_spares_a_file_that_was_moved_away() {
    let dir = Dir::new("moved");
    let mut log = writer(dir.path("log"));
    assert_eq!(put(&mut log, 0, b"old"), []);
    fs::rename(dir.path("log"), dir.path("log.1")).unwrap();
    log.clear().unwrap();
    assert_eq!(log.tail(9), Ok((Vec::new(), false)));
    assert_eq!(put(&mut log, 0, b"new"), []);
    fs::rename(dir.path("log"), dir.path("log.2")).unwrap();
    fs::write(dir.path("log"), "made by somebody").unwrap();
    log.clear().unwrap();
    for (file, text) in [("log.1", "old"), ("log.2", "new"), ("log", "")] {
        assert_eq!(fs::read_to_string(dir.path(file)).unwrap(), text, "{file}");
    }
}

#[test]
fn a_directory_that_vanishes_and_comes_back_is_found_by_a_reopening() {
    let dir = Dir::new("vanish");
    fs::create_dir(dir.path("sub")).unwrap();
    let mut log = writer(dir.path("sub/log"));
    assert_eq!(put(&mut log, 0, b"one"), []);
    fs::remove_dir_all(dir.path("sub")).unwrap();
    // Still written, into the file that has no name any more: that is not looked at with each write.
    assert_eq!(put(&mut log, 0, b"two"), []);
    let reason = "no such file or directory";
    assert_eq!(reopen(&mut log, 1), trouble(reason, 0));
    fs::write(dir.path("sub"), "a file now").unwrap();
    assert_eq!(reopen(&mut log, 2), []);
    fs::remove_file(dir.path("sub")).unwrap();
    fs::create_dir(dir.path("sub")).unwrap();
    assert_eq!(reopen(&mut log, 3), []);
    assert_eq!(put(&mut log, 3, b"three"), [Report::Recovered { lost: 0 }]);
    assert_eq!(fs::read(dir.path("sub/log")).unwrap(), b"three");
}
