//! Losses that the minute between two reports keeps back.

use super::*;

fn finish(log: &mut LogWriter) -> Vec<Report> {
    let mut out = Vec::new();
    log.finish(&mut out);
    out
}

// It was told where it began; the minute was not over, and the writer was dropped with the rest.
#[test]
fn what_the_minute_has_kept_back_is_told_at_the_end() {
    let dir = Dir::new("untold");
    let mut log = writer(dir.path("sub/log"));
    let reason = "no such file or directory";
    assert_eq!(put(&mut log, 0, b"12345"), trouble(reason, 5));
    assert_eq!(finish(&mut log), [], "all of it is told");
    assert_eq!(put(&mut log, 1, b"67"), []);
    assert_eq!(put(&mut log, 2000, b"8"), []);
    assert_eq!(finish(&mut log), trouble(reason, 8));
    assert_eq!(finish(&mut log), []);
}

// A recovery is told at once; what began again within the minute was not, and the last that was told was untrue.
#[test]
fn what_is_lost_after_a_recovery_is_told_when_the_minute_is_over_or_at_the_end() {
    let dir = Dir::new("again");
    let broken = Rc::new(Cell::new(true));
    let make = || {
        broken.set(true);
        let files = Box::new(Flaky {
            broken: broken.clone(),
        });
        let mut log = LogWriter::new(&settings(dir.path("log"), None, 0), files);
        fs::write(dir.path("log"), "").unwrap();
        let reason = put(&mut log, 0, b"123");
        assert!(matches!(reason[..], [Report::Trouble { lost: 3, .. }]));
        broken.set(false);
        assert_eq!(put(&mut log, 1000, b"ok"), [Report::Recovered { lost: 3 }]);
        broken.set(true);
        assert_eq!(reopen(&mut log, 2000), []);
        assert_eq!(put(&mut log, 2000, b"4567"), []);
        log
    };
    let mut lasting = make();
    let told = put(&mut lasting, 60_000, b"8");
    assert!(matches!(told[..], [Report::Trouble { lost: 5, .. }]));
    assert_eq!(finish(&mut lasting), []);

    let mut ended = make();
    let told = finish(&mut ended);
    assert!(matches!(told[..], [Report::Trouble { lost: 4, .. }]));

    let mut mended = make();
    broken.set(false);
    assert_eq!(put(&mut mended, 3000, b"ok"), []);
    assert_eq!(finish(&mut mended), [Report::Recovered { lost: 4 }]);
}
