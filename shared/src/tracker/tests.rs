use super::*;

fn tracker(text: &[u8]) -> Tracker {
    let mut tracker = Tracker::default();
    tracker.feed(text, &mut Vec::new());
    tracker
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\x1b', "^")
}

/// What is set is restored, and what is restored sets the same.
#[test]
fn a_restored_terminal_is_in_the_same_state() {
    let cases = [
        ("\x1b[?1h\x1b[?2004h", "^[0m^[?1h^[?2004h"),
        ("\x1b[?25l\x1b[?7l\x1b[?6h", "^[?6h^[?7l^[0m^[?25l"),
        ("\x1b[?1000h\x1b[?1003h\x1b[?1006h", "^[0m^[?1003h^[?1006h"),
        ("\x1b[?1002;1005;1016h\x1b[?1002l", "^[0m^[?1016h"),
        ("\x1b[?1002h\x1b[?1000l", "^[0m"),
        ("\x1b[?1003;1006h\x1b[?9l", "^[0m^[?1006h"),
        ("\x1b[?1003;1006h\x1b[?1015l", "^[0m^[?1003h^[?1006h"),
        ("\x1b[?1004;2031;2048h", "^[0m^[?1004h^[?2031h^[?2048h"),
        ("\x1b[?2026h", "^[0m"),
        ("\x1b[?1003h\x1b[?9h\x1b[?5h", "^[0m^[?5h^[?9h"),
        ("\x1b[?9h\x1b[?1001h\x1b[?69h", "^[0m^[?1001h"),
        (
            "\x1b[>1u\x1b[?1049h\x1b[>5u\x1b[=8;2u",
            "^[>1u^[?1049h^[0m^[>13u",
        ),
        ("\x1b[>1u\x1b[>3u\x1b[<u", "^[0m^[>1u"),
        ("\x1b[=3u", "^[0m^[=3u"),
        ("\x1b[=1u\x1b[<u", "^[0m"),
        ("\x1b[=1u\x1b[>3u\x1b[<u", "^[0m^[=1u"),
        ("\x1b[=1u\x1b[>3u\x1b[<2u", "^[0m"),
        ("\x1b[>4;2m", "^[0m^[>4;2m"),
        ("\x1b=\x1b[4h\x1b[20h", "^[4h^[20h^[0m^="),
        ("\x1b[5 q\x1b[1;31m", "^[0;1;31m^[5 q"),
        ("\x1b[?12h\x1b[1 q\x1b[?12l", "^[0m^[1 q^[?12l"),
        ("\x1b(0\x0e", "^(0^)B\x0e^[0m"),
        ("\x1b)0\x1b7\x1b)B\x0e\x1b8", "^(B^)0\x0f^[0m"),
        ("\x1b(0\x1b[?1049h\x1b(B\x1b[?1049l", "^(0^)B\x0f^[0m"),
        ("\x1b[3;20r", "^[3;20r^[0m"),
        ("\x1b[3r\x1b[r", "^[0m"),
        ("\x1b]0;name\x07", "^[0m^]2;name\x07"),
        ("\x1b]8;id=1;http://x\x1b\\", "^[0m^]8;id=1;http://x^\\"),
        ("\x1b]8;;http://x\x1b\\y\x1b]8;;\x1b\\", "^[0m"),
        ("\x1b[?1047h\x1b[?1047l\x1b[?47h", "^[?1049h^[0m"),
    ];
    for (text, want) in cases {
        let once = tracker(text.as_bytes());
        assert_eq!(shown(&once.restore()), want, "{text:?}");
        assert_eq!(shown(&tracker(&once.restore()).restore()), want, "{text:?}");
    }
}

/// However much longer it gets by what stands for bytes that are no text, and never in the middle of a character.
#[test]
fn a_title_that_is_too_long_is_restored_as_it_was_kept() {
    for title in [
        &b"\xff"[..],
        b"\xffx",
        "größe ".as_bytes(),
        "x日本".as_bytes(),
    ] {
        let bytes = [b"\x1b]2;", title.repeat(TITLE_LEN_MAX).as_slice(), b"\x07"].concat();
        let once = tracker(&bytes);
        assert!((TITLE_LEN_MAX - 3..=TITLE_LEN_MAX).contains(&once.title().len()));
        assert!(
            once.title()
                .chars()
                .all(|c| "\u{fffd}xgröße 日本".contains(c))
        );
        let last = once.title().chars().last();
        assert!(title.starts_with(b"\xff") || last != Some('\u{fffd}'));
        assert_eq!(tracker(&once.restore()).title(), once.title());
    }
}

#[test]
fn a_reset_forgets_what_was_set() {
    let set = "\x1b[?1h\x1b[?1000h\x1b[4h\x1b(0\x1b[31m\x1b[?25l\x1b[2;3r\x1b[?1049h\x1b[>1u";
    let reset = tracker(format!("{set}\x1bc").as_bytes());
    assert_eq!(shown(&reset.restore()), "^[0m");
    let soft = tracker(format!("{set}\x1b[!p").as_bytes());
    assert_eq!(shown(&soft.restore()), "^[?1049h^[0m^[?1000h^[>1u");
}

/// Only lines of text: the last bytes are the screen.
#[test]
fn what_stays_within_its_line_is_told_from_what_does_not() {
    let local = [
        "text\r\n\x08\t",
        "\x1b[1m\x1b[K\x1b[C\x1b[3D\x1b[7G\x1b[@\x1b[P\x1b[X",
        "\x1b[?25l\x1b[?2004h\x1b[?1h\x1b=\x1b[?1000h\x1b[2 q",
        "\x1b]0;t\x07\x1bPdevice\x1b\\\x1b(B\x0f\x1b[c\x1b[5n\x1b[>1u",
    ];
    let addressing = [
        "\x1b[H",
        "\x1b[A",
        "\x1b[B",
        "\x1b[J",
        "\x1b[L",
        "\x1b[M",
        "\x1b[S",
        "\x1b[2;3r",
        "\x1b7",
        "\x1b8",
        "\x1b[s",
        "\x1b[u",
        "\x1bM",
        "\x1bD",
        "\x1b[?1049h",
        "\x1b[?6h",
        "\x1b[?7l",
        "\x1b[4h",
        "\x0e",
        "\x1b(0",
        "\x1bc",
        "\x1b[!p",
        "\x1bH",
        "\x1b[3g",
        "\x1b#8",
        "\x1b[6n",
        "\x1b[5b",
        "\x1b[d",
        "\x1b[Z",
    ];
    for text in local {
        assert!(!tracker(text.as_bytes()).take_addressed(), "{text:?}");
    }
    for text in addressing {
        let mut tracker = tracker(text.as_bytes());
        assert!(tracker.take_addressed(), "{text:?}");
        assert!(!tracker.take_addressed());
    }
}

#[test]
fn questions_are_told_and_a_flood_of_them_is_not() {
    let (mut tracker, mut queries) = (Tracker::default(), Vec::new());
    for byte in b"\x1b[c\x1b[0c\x1b[>c\x1b[5n\x1b[6n\x1b[?6n" {
        tracker.feed(&[*byte], &mut queries);
    }
    let want = [
        Query::Attributes,
        Query::Attributes,
        Query::Status,
        Query::Cursor,
    ];
    assert_eq!(queries, want);
    let flood = b"\x1b[6n\x1b[?1049h\x1b[6n\x1b[?1049l".repeat(1000);
    tracker.feed(&flood, &mut queries);
    assert_eq!(queries.len(), QUERIES_MAX);
}

/// Who left is on the primary screen, once, and no mode is left on.
#[test]
fn leaving_leaves_the_alternate_screen_only_if_it_is_shown() {
    assert!(!shown(&tracker(b"text").leave()).contains("1049"));
    assert!(shown(&tracker(b"\x1b[?47h").leave()).starts_with("^[?1049l^[?7h"));
    let keyboard = tracker(b"\x1b[=1u\x1b[?1049h\x1b[>1u\x1b[>3u").leave();
    assert!(shown(&keyboard).starts_with("^[<2u^[?1049l"));
    assert!(shown(&keyboard).contains("^[=0u"));
    assert!(tracker(b"\x1b]0;half").leave().starts_with(b"\x18"));
    let everything = "\x1b[?1;5;6;9;69;25;1002;1006;1004;2004;2026;2031;2048h\x1b[?7l\x1b=\x1b[4h\x1b[20h\x1b(0\x0e\x1b[5 q\
        \x1b[>1u\x1b[>3u\x1b[>4;2m\x1b[2;5r\x1b[7m\x1b[3g\x1b]8;;x\x07\x1b[?1049h\x1b[>7u";
    let mut left = tracker(everything.as_bytes());
    left.feed(&left.leave(), &mut Vec::new());
    assert!(left.lays_out_as_fresh(24));
    assert_eq!(shown(&left.restore()), "^[0m");
    assert!(left.pending().is_empty());
}

/// Where margins to the left and right may have been set, and only there: that moves the cursor of some terminals.
#[test]
fn leaving_takes_margins_back() {
    let takes = |text: &[u8]| shown(&tracker(text).leave()).contains("^[?69l");
    assert!(takes(b"\x1b[?69h\x1b[3;20s") && !takes(b"\x1b[?69h\x1b[?69l") && !takes(b"x"));
    assert!(!takes(b"\x1b[?69h\x1b[!p") && !takes(b"\x1b[?69h\x1bc"));
    assert!(shown(&Tracker::leave_unknown()).contains("^[?69l"));
    assert!(shown(&Tracker::fresh()).contains("^[?69l"));
}

/// Nobody keeps track of these. What terminals differ in is not among them, nor what clears the screen.
#[test]
fn leaving_unlocks_the_keyboard_ends_echo_and_returns_to_utf_8() {
    let ways = [
        tracker(b"\x1b%@\x1b[2h\x1b[12l").leave(),
        Tracker::leave_unknown(),
        Tracker::fresh(),
    ];
    for way in ways.map(|bytes| shown(&bytes)) {
        for code in ["^%G", "^[2l", "^[12h"] {
            assert!(way.contains(code), "{code} in {way}");
        }
        for code in ["^[?3l", "^[?45l", "^[?67l", "^[?1007l", "^[?2027l"] {
            assert!(!way.contains(code), "{code} in {way}");
        }
    }
}

/// Not those that were only asked for.
#[test]
fn leaving_takes_back_the_colours_that_were_set() {
    let taken = |text: &str| {
        let left = shown(&tracker(text.as_bytes()).leave());
        let resets = left.split("^]1").skip(1);
        let codes: Vec<String> = resets.map(|rest| format!("1{}", &rest[..2])).collect();
        codes.join(" ")
    };
    let cases = [
        (
            "\x1b]4;1;?\x07\x1b]10;?\x07\x1b]11;?;?\x1b\\text\x1b]4\x07",
            "",
        ),
        ("\x1b]4;1;?;2;#00ff00\x07", "104"),
        ("\x1b]11;#ff0000\x07\x1b]12;red\x07", "111 112"),
        ("\x1b]10;red;?;blue\x07", "110 112"),
        ("\x1b]19;red;red\x07\x1b]5;0;red\x07\x1bc", "105 119"),
    ];
    for (text, want) in cases {
        assert_eq!(taken(text), want, "{text:?}");
    }
}

/// Most terminals send the cursor to the top when rows are counted from there or the scroll region is taken back.
#[test]
fn leaving_moves_the_cursor_only_where_rows_were_counted_from_elsewhere() {
    let moves = |text: &[u8]| {
        let left = shown(&tracker(text).leave());
        (
            left.contains("^[?6l"),
            left.contains("^[r"),
            left.contains("^7^[r^8"),
        )
    };
    assert_eq!(moves(b"text\x1b[?2004h"), (false, false, false));
    assert_eq!(moves(b"\x1b[2;5r"), (false, true, true));
    assert_eq!(moves(b"\x1b[2;5r\x1b[?6h"), (true, true, false));
    assert_eq!(
        moves(b"\x1b[2;5r\x1b[?6h\x1b[r\x1b[?6l"),
        (false, false, false)
    );
    assert!(shown(&Tracker::leave_unknown()).contains("^[?6l^[r"));
}

#[test]
fn the_last_row_that_scrolls_is_the_one_the_program_names_last() {
    let cases = [
        ("\x1b[r", Some(0)),
        ("\x1b[0;0r", Some(0)),
        ("\x1b[3;r", Some(0)),
        ("\x1b[2;5r\x1b[!p", Some(0)),
        ("\x1b[2;5r\x1bc", Some(0)),
        ("\x1b[r\x1b[2;5r", Some(5)),
        ("\x1b[1;999r", Some(999)),
        ("\x1b[2;5r\x1b[5;5r\x1b[7;2r", Some(5)),
        ("text\x1b[H\x1b[2J", None),
    ];
    for (text, want) in cases {
        let mut tracker = tracker(text.as_bytes());
        assert_eq!(tracker.take_bottom(), want, "{text:?}");
        assert_eq!(tracker.take_bottom(), None, "{text:?}");
    }
}

/// Terminals leave the region as it is.
#[test]
fn a_region_without_two_rows_is_none() {
    let restored = shown(&tracker(b"\x1b[2;5r\x1b[5;5r\x1b[7;2r").restore());
    assert!(restored.contains("^[2;5r"), "{restored}");
}

/// As many titles are taken back as were put aside.
#[test]
fn leaving_puts_the_title_back_that_was_put_aside() {
    let taken = |text: &[u8]| shown(&tracker(text).leave()).matches("^[23;2t").count();
    assert_eq!(taken(b"\x1b]2;title\x07\x1b[22;1t\x1b[23;2t"), 0);
    assert_eq!(taken(PUT_TITLE), 1);
    assert_eq!(taken(b"\x1b[22;2t\x1b[22;0;0t\x1b[23;1t\x1bc"), 2);
    assert_eq!(taken(b"\x1b[22;2t\x1b[22;2t\x1b[23;2t"), 1);
    assert_eq!(taken(&PUT_TITLE.repeat(1000)), 10);
}

/// No C1 control in one byte, whatever a program did.
#[test]
fn nothing_is_said_with_eight_bits() {
    let mut title = b"\x1b]2;".to_vec();
    title.extend([b'a'; 2 * TITLE_LEN_MAX]);
    title.extend(b"\x07\x1b[31;38;5;200m\x1b[?1049h\x1b[>1u\x1b]8;;http://x\x9by\x07");
    let tracker = tracker(&title);
    assert_eq!(tracker.title().len(), TITLE_LEN_MAX);
    for bytes in [tracker.restore(), tracker.leave(), Tracker::fresh()] {
        assert!(bytes.is_ascii());
    }
}
