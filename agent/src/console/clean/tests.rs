use protocol::TextRule;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::super::line::LINE_MAX;
use super::*;

type Lines = Vec<(String, bool)>;

/// The lines of `bytes`, split into chunks by `cut`, and the unfinished rest.
fn clean_in(bytes: &[u8], mut cut: impl FnMut(usize) -> usize) -> Lines {
    let mut cleaner = Cleaner::new();
    let mut lines = Vec::new();
    let mut take = |text: &str, truncated| lines.push((text.to_owned(), truncated));
    let mut rest = bytes;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(cut(rest.len()).clamp(1, rest.len()));
        cleaner.push(chunk, &mut take);
        rest = after;
    }
    cleaner.finish(&mut take);
    lines
}

fn clean(bytes: impl AsRef<[u8]>) -> Vec<String> {
    let bytes = bytes.as_ref();
    let whole = clean_in(bytes, |all| all);
    let single = clean_in(bytes, |_| 1);
    assert_eq!(whole, single, "cut into single bytes it reads otherwise");
    whole.into_iter().map(|(text, _)| text).collect()
}

/// What must hold for every line, whatever the input.
fn assert_clean(line: &str) {
    assert!(line.len() <= LINE_MAX, "{} bytes", line.len());
    let mut rest = line;
    while let Some(at) = rest.find('\u{1B}') {
        let (parameters, after) = rest[at..]
            .strip_prefix("\u{1B}[")
            .and_then(|sequence| sequence.split_once('m'))
            .unwrap_or_else(|| panic!("not a colour in {line:?}"));
        assert!(parameters.bytes().all(|b| matches!(b, b'0'..=b';')), "{line:?}");
        rest = after;
    }
    for c in line.chars().filter(|&c| c != '\u{1B}') {
        assert!(c == '\t' || !c.is_control(), "{c:?} in {line:?}");
        assert!(!matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'), "{c:?} in {line:?}");
    }
}

#[test]
fn both_line_ends_and_empty_lines() {
    assert_eq!(clean("a\r\nb\nc\r\r\n\n\r\n"), ["a", "b", "c", "", ""]);
}

#[test]
fn the_unfinished_line_comes_with_the_end() {
    assert_eq!(clean("a\nb"), ["a", "b"]);
    assert_eq!(clean("a\n"), ["a"]);
    assert_eq!(clean("10%\r"), ["10%"]);
}

#[test]
fn of_a_progress_bar_the_last_state_stays() {
    assert_eq!(clean("10%\r20%\r100% done\n"), ["100% done"]);
    assert_eq!(clean("loading...\r\x1b[Kdone\r\n"), ["done"]);
    assert_eq!(clean("10%\r\x1b[32m20%\x1b[0m\r\n"), ["\x1b[32m20%\x1b[0m"]);
    assert_eq!(clean("kept\r\x1b[0m\r\n"), ["kept"], "nothing visible replaced it");
    assert_eq!(clean("\rx\n"), ["x"]);
    assert_eq!(clean("100%\r5%\n"), ["5%0%"], "what is not written over stays, as on a terminal");
}

#[test]
fn a_prompt_gives_way_to_the_line_that_takes_its_place() {
    assert_eq!(clean("> \r\x1b[Kone\r\n> \r\x1b[2Ktwo\r\n> "), ["one", "two", "> "]);
    assert_eq!(clean("\x1b[1m> \x1b[0m\r\x1b[K\x1b[33mone\x1b[0m\r\n"), ["\x1b[33mone\x1b[0m"]);
    assert_eq!(clean("> help\x1b[2K\x1b[1Gone\n"), ["one"]);
    assert_eq!(clean("> help\x1b[2Kone\n"), ["      one"], "erasing does not move the cursor");
}

#[test]
fn the_cursor_moves_within_its_line() {
    assert_eq!(clean("abc\x08\x08X\n"), ["aXc"]);
    assert_eq!(clean("abc\x08 \x08\x08 \x08\n"), ["a  "]);
    assert_eq!(clean("abc\x1b[2DX\x1b[KY\n"), ["aXY"]);
    assert_eq!(clean("abc\x1b[2GX\x1b[CY\n"), ["aX Y".replace(' ', "c")]);
    assert_eq!(clean("task\x1b[10G[ OK ]\x1b[1GT\n"), ["Task     [ OK ]"]);
    assert_eq!(clean("abcdef\x1b[3G\x1b[2P\n"), ["abef"]);
    assert_eq!(clean("abef\x1b[3G\x1b[2@cd\n"), ["abcdef"]);
    assert_eq!(clean("abcdef\x1b[3G\x1b[2X\n"), ["ab  ef"]);
    assert_eq!(clean("abcdef\x1b[3G\x1b[1K\n"), ["   def"]);
    assert_eq!(clean("a\tb\rX\tY\n"), ["X       Y"], "a tab moves, and leaves what it passes");
    assert_eq!(clean("abc\r\x1b[31mX\n"), ["\x1b[31mX\x1b[0mbc"], "colours stay where they were written");
    assert_eq!(clean("\x1b[31mabc\x1b[0m\x1b[2GX\n"), ["\x1b[31ma\x1b[0mX\x1b[31mc\x1b[0m"]);
    assert_eq!(clean("日本\x08\x08X\n"), ["日X "], "half of a wide character is none");
    assert_eq!(clean("日本\rab\n"), ["ab本"]);
    assert_eq!(clean("e\u{301}\u{301}x\x08y\n"), ["e\u{301}y"], "one mark a character");
    assert_eq!(clean("a\x1b[99999999999999999999999Cb\n"), ["ab"], "no number");
    assert_eq!(clean("a\x1b[99999Cb\n")[0].len(), 512, "as far as a wide terminal goes");
    assert_eq!(clean("abc\x1b[1;2GX\x1b[?KY\x1b[5AZ\n"), ["abcXYZ"], "other lines are out of reach");
}

#[test]
fn a_line_that_is_redrawn_without_end_takes_one_lines_memory_and_time() {
    let mut cleaner = Cleaner::new();
    let long = "x".repeat(LINE_MAX);
    for piece in
        ["\r0123456789", "\x1b[1@", "\x1b[1P", "\x1b[1K", "\x08x", "\t", "\x1b[99999C", "\r日\u{301}"]
    {
        cleaner.push(format!("{long}\rx").as_bytes(), |_, _| panic!("no line has ended"));
        let chunk = piece.repeat(64 * 1024 / piece.len());
        for _ in 0..20 {
            cleaner.push(chunk.as_bytes(), |_, _| panic!("no line has ended"));
        }
        assert!(cleaner.partial(|text, _| text.len()).unwrap_or(0) <= LINE_MAX, "{piece:?}");
    }
}

#[test]
fn colours_stay_as_they_are() {
    for colour in
        ["", "0", "1;31", "38;5;208", "38;2;1;22;255", "38:2::1:2:3", "1;38;2;255;255;255;48;2;255;255;255"]
    {
        let line = format!("a\x1b[{colour}mb\x1b[0mc");
        assert_eq!(clean(format!("{line}\n")), [line]);
    }
}

#[test]
fn what_only_looks_like_a_colour_goes() {
    let long = "1;".repeat(40);
    assert_eq!(clean(format!("a\x1b[{long}mb\n")), ["ab"], "too long");
    assert_eq!(
        clean("a\x1b[>4;1mb\x1b[?25mc\x1b[1 md\x1b[1!me\n"),
        ["abcde"],
        "private or with intermediates"
    );
    assert_eq!(clean("a\u{9b}31mb\n"), ["ab"], "the one-character form");
}

#[test]
fn cursor_screen_and_query_sequences_go() {
    let all = "a\x1b[2J\x1b[H\x1b[6n\x1b[?1049h\x1b[c\x1b[>c\x1b[5;10r\x1b[10A\x1b[?2004h\x1b[s\x1b[1P\x1b7\x1b8\x1b=\
               \x1b>\x1bc\x1b(B\x1b)0\x1b#8\x1b%G\x1bM\x1b6b";
    assert_eq!(clean(format!("{all}\n")), ["ab"]);
}

#[test]
fn strings_to_the_terminal_go() {
    assert_eq!(clean("a\x1b]52;c;cm0gLXJmIC8=\x07b\n"), ["ab"], "clipboard");
    assert_eq!(clean("a\x1b]8;;http://x/\x1b\\link\x1b]8;;\x1b\\b\n"), ["alinkb"], "link");
    assert_eq!(clean("a\x1b]0;title\x07b\x1b]2;title\u{9c}c\n"), ["abc"], "title");
    assert_eq!(clean("a\x1bP+q544e\x1b\\b\x1bP1$r0m\x1b\\c\n"), ["abc"], "device control");
    assert_eq!(
        clean("a\x1b_Gf=24;AAAA\x1b\\b\x1b^x\x1b\\c\x1bXx\x1b\\d\n"),
        ["abcd"],
        "application, privacy, start"
    );
    assert_eq!(
        clean("a\u{9d}52;c;eA==\u{9c}b\u{90}x\u{9c}c\u{9f}x\u{9c}d\n"),
        ["abcd"],
        "one-character forms"
    );
    assert_eq!(clean("a\x1b]0;✜é\u{1b}\\b\n"), ["ab"], "✜ holds the byte 9C and does not end it");
    assert_eq!(clean("a\x1b]0;t\x1b[31mb\n"), ["a\x1b[31mb"], "an escape that is no end starts anew");
}

#[test]
fn control_characters_go_but_tabs_stay() {
    let all: String =
        ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}').filter(|c| !"\n\r\u{8}\u{1b}".contains(*c)).collect();
    let strings = |c: &char| "\u{90}\u{98}\u{9b}\u{9d}\u{9e}\u{9f}".contains(*c);
    let harmless: String = all.chars().filter(|c| !strings(c)).collect();
    assert_eq!(clean(format!("a{harmless}b\n")), ["a\tb"]);
    assert_eq!(clean("a\x07\x0b\x0cb\u{85}c\u{2028}d\n"), ["abcd"]);
}

#[test]
fn raw_control_bytes_are_bad_utf8_and_nothing_else() {
    assert_eq!(clean(b"a\x9b31mb\n"), ["a\u{FFFD}31mb"]);
    assert_eq!(clean(b"a\x9d0;t\x9cb\n"), ["a\u{FFFD}0;t\u{FFFD}b"]);
}

#[test]
fn bad_utf8_is_shown_as_such() {
    for bad in [
        &b"\xff\xfe"[..],
        b"\xe2\x82",
        b"\xe2\x82x",
        b"\xf0\x9f\x98",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\xe2\x82\xac",
        b"caf\xe9 \xc3\xa9",
    ] {
        let expected = String::from_utf8_lossy(bad).into_owned();
        assert_eq!(clean(bad), [expected], "{bad:x?}");
    }
}

#[test]
fn direction_overrides_go_and_writing_to_the_left_stays() {
    assert_eq!(clean("user\u{202e}nimda\u{202c} \u{2066}x\u{2069} שלום\n"), ["usernimda x שלום"]);
}

#[test]
fn a_line_feed_ends_every_unfinished_sequence() {
    for broken in
        ["\x1b", "\x1b[", "\x1b[31", "\x1b[?", "\x1b]0;title", "\x1b]0;t\x1b", "\x1bP1", "\x1b(", "\u{9d}x"]
    {
        assert_eq!(clean(format!("a{broken}\nb\n")), ["a", "b"], "{broken:?}");
        assert_eq!(clean(format!("a{broken}")), ["a"], "{broken:?} at the end");
    }
    assert_eq!(clean("\x1b[3\u{18}1m\n"), ["1m"], "cancelled");
    assert_eq!(clean("\x1b[3é\n"), ["é"], "no sequence goes on like this");
}

#[test]
fn markup_is_text() {
    let line = "<img src=x onerror=alert(1)> & \"><script>";
    assert_eq!(clean(format!("{line}\n")), [line]);
}

#[test]
fn a_long_line_is_cut_at_a_character() {
    let lines = clean_in(format!("{}\nnext\n", "é".repeat(LINE_MAX)).as_bytes(), |all| all);
    assert_eq!(lines.len(), 2);
    assert_eq!((lines[0].0.len(), lines[0].1), (LINE_MAX, true));
    assert_eq!(lines[1], ("next".into(), false));

    let odd = clean_in(format!("x{}yy\n", "é".repeat(LINE_MAX)).as_bytes(), |all| all);
    assert_eq!((odd[0].0.len(), odd[0].1), (LINE_MAX - 1, true), "and nothing small is squeezed in behind");
    assert!(odd[0].0.ends_with('é'));

    let exact = clean_in(format!("{}\r\n", "x".repeat(LINE_MAX)).as_bytes(), |all| all);
    assert_eq!((exact[0].0.len(), exact[0].1), (LINE_MAX, false), "as long as it may be");

    let again = clean_in(format!("{}\r\x1b[Kshort\n", "x".repeat(LINE_MAX + 1)).as_bytes(), |all| all);
    assert_eq!(again, [("short".to_owned(), false)], "replaced by a short one");
    let over = clean_in(format!("{}\rshort\n", "x".repeat(LINE_MAX + 1)).as_bytes(), |all| all);
    assert_eq!((over[0].0.len(), over[0].1, &over[0].0[..7]), (LINE_MAX, true, "shortxx"));
}

#[test]
fn what_follows_a_long_line_is_as_clean() {
    let long = "x".repeat(LINE_MAX + 1);
    let lines = clean(format!("{long}\r\x1b[K\0\u{202e}\x1b]0;t\x07b\n"));
    assert_eq!(lines, ["b"]);
    let coloured = clean_in(format!("{}\x1b[31mtext\n", "x".repeat(LINE_MAX - 2)).as_bytes(), |all| all);
    assert_eq!((coloured[0].0.len(), coloured[0].1), (LINE_MAX - 2, true), "no half colour");
}

#[test]
fn a_hundred_megabytes_without_a_line_end_take_one_lines_memory() {
    let chunk = vec![b'x'; 64 * 1024];
    let mut cleaner = Cleaner::new();
    for _ in 0..1600 {
        cleaner.push(&chunk, |_, _| panic!("no line has ended"));
        assert!(cleaner.line.capacity() <= 2 * LINE_MAX, "{}", cleaner.line.capacity());
    }
    let mut lines = Vec::new();
    cleaner.push(b"end\nnext\n", |text, truncated| lines.push((text.len(), truncated)));
    assert_eq!(lines, [(LINE_MAX, true), (4, false)]);
    // An endless sequence uses no memory.
    cleaner.push(b"\x1b[", |_, _| {});
    for _ in 0..1600 {
        cleaner.push(&[b'1'; 64 * 1024], |_, _| {});
    }
    assert!(cleaner.parameters.capacity() <= 2 * SGR_MAX);
}

#[test]
fn an_unfinished_line_can_be_looked_at_and_goes_on() {
    let mut cleaner = Cleaner::new();
    let mut lines = Vec::new();
    let mut take = |text: &str, _| lines.push(text.to_owned());
    let look = |cleaner: &Cleaner| cleaner.partial(|text, _| text.to_owned());
    cleaner.push(b"Password: ", &mut take);
    assert_eq!(look(&cleaner).as_deref(), Some("Password: "));
    assert_eq!(look(&cleaner).as_deref(), Some("Password: "));
    cleaner.push(b"\r\nLoading", &mut take);
    cleaner.push(b" 1%\rLoading 2%\x1b", &mut take);
    assert_eq!(look(&cleaner).as_deref(), Some("Loading 2%"));
    cleaner.push(b"[K\r\n\r\n", &mut take);
    assert_eq!(look(&cleaner), None);
    cleaner.push(b"  \x1b[0m", &mut take);
    assert!(cleaner.has_partial());
    assert_eq!(look(&cleaner), None, "nothing to see");
    assert_eq!(lines, ["Password: ", "Loading 2%", ""]);
}

#[test]
fn colours_can_be_taken_off() {
    assert_eq!(plain("\x1b[1;32mDone\x1b[0m (3.2s)! m"), "Done (3.2s)! m");
    assert_eq!(plain("nothing"), "nothing");
}

/// Random output from relevant sequences and noise.
fn random_output(random: &mut SmallRng) -> Vec<u8> {
    const PIECES: [&[u8]; 38] = [
        b"\x08",
        b"\x1b[K",
        b"\x1b[1K",
        b"\x1b[2K",
        b"\x1b[7G",
        b"\x1b[3D",
        b"\x1b[5C",
        b"\x1b[2P",
        b"\x1b[4@",
        b"\xe6\x97\xa5",
        b"\n",
        b"\r\n",
        b"\r",
        b"\x1b",
        b"[",
        b"\x1b[31m",
        b"\x1b[0",
        b";5m",
        b"\x1b]52;c;",
        b"\x07",
        b"\x1b\\",
        b"\x1bP",
        b"\xc2\x9b",
        b"\xc2\x9d",
        b"\xc2\x9c",
        b"\x9b",
        b"\xe2\x80\xae",
        b"\xe2\x82",
        b"\xac",
        b"\xf0\x9f\x98\x80",
        b"\t",
        b"\0",
        b"plain text",
        b"y",
        b"m",
        b"\x18",
        b"\xff",
        b"?25h",
    ];
    let mut bytes = Vec::new();
    for _ in 0..random.random_range(1..60) {
        match random.random_range(0..20) {
            0 => bytes.extend((0..random.random_range(1..40)).map(|_| random.random::<u8>())),
            1 if random.random_range(0..8) == 0 => {
                let piece: &[u8] = if random.random() { b"long " } else { "ü".as_bytes() };
                bytes.extend(piece.repeat(random.random_range(2000..6000)));
            }
            _ => bytes.extend(PIECES[random.random_range(0..PIECES.len())]),
        }
    }
    bytes
}

#[test]
fn however_the_bytes_are_cut_the_lines_are_the_same_and_clean() {
    let mut random = SmallRng::seed_from_u64(7);
    for round in 0..3_000 {
        let bytes = random_output(&mut random);
        let whole = clean_in(&bytes, |all| all);
        for (line, _) in &whole {
            assert_clean(line);
        }
        for _ in 0..3 {
            let cut = clean_in(&bytes, |_| random.random_range(1..30));
            assert_eq!(whole, cut, "round {round}: {:?}", String::from_utf8_lossy(&bytes));
        }
        let ends = bytes.iter().filter(|&&b| b == b'\n').count();
        assert!(
            (ends..=ends + 1).contains(&whole.len()),
            "round {round}: {ends} line ends, {} lines",
            whole.len()
        );
    }
}

/// `cargo test --release -p ctrl-alt-play-agent -- --ignored --nocapture speed`
#[test]
#[ignore = "measures; needs a release build"]
fn speed() {
    let measure = |name: &str, piece: &[u8]| {
        let chunk = piece.repeat(32 * 1024 / piece.len());
        let mut ring = crate::console::Ring::new(1000, 512 * 1024);
        let mut cleaner = Cleaner::new();
        let started = std::time::Instant::now();
        let mut lines = 0u32;
        while started.elapsed().as_millis() < 500 {
            cleaner.push(&chunk, |text, truncated| {
                lines += 1;
                ring.push(jiff::Timestamp::UNIX_EPOCH, protocol::Stream::Stdout, text, truncated);
            });
        }
        println!("{name}: {:.0} lines/s", f64::from(lines) / started.elapsed().as_secs_f64());
    };
    measure("yes", b"y\r\n");
    measure("log", b"[12:00:00 INFO]: \x1b[32mPlayer joined the game with a name\x1b[0m\r\n");
    measure("umlauts", "Größe übertrifft alle Maße, äußerst schön\r\n".as_bytes());
}

/// The panel cleans an agent's lines again, which must not change them.
#[test]
fn what_the_cleaner_made_is_clean() {
    let bits = [
        "\u{1b}[",
        "1;31",
        "m",
        "text ",
        "\u{1b}]0;",
        "\u{7}",
        "\r",
        "\t",
        "ż",
        "\u{9b}",
        "\u{1b}(",
        "B",
        "?",
    ];
    let mut cleaner = Cleaner::new();
    let mut number = 7_u64;
    for _ in 0..5_000 {
        let mut text = String::new();
        for _ in 0..12 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(bits[(number >> 33) as usize % bits.len()]);
        }
        text.push('\n');
        cleaner.push(text.as_bytes(), |line, _| {
            let mut again = line.to_owned();
            assert!(!TextRule::CONSOLE.apply(&mut again));
            assert_eq!(again, line, "{text:?}");
        });
    }
}
