use std::time::Duration;

use jiff::Timestamp;
use protocol::{ConsoleItem, Stream};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use super::*;

fn push(ring: &mut Ring, text: &str) -> u64 {
    ring.push(Timestamp::UNIX_EPOCH, Stream::Stdout, text, false)
}

/// Formats items as `3 "text"`, or `-5` for five skipped lines.
fn short(items: &[ConsoleItem]) -> Vec<String> {
    items
        .iter()
        .map(|item| match item {
            ConsoleItem::Line(line) => format!("{} {}", line.seq, line.text),
            ConsoleItem::Skipped { skipped } => format!("-{skipped}"),
        })
        .collect()
}

/// Checks the items after line `cursor` and returns the last number; fails if a number is missing.
fn last_of(items: &[ConsoleItem], mut cursor: u64) -> u64 {
    for item in items {
        match item {
            ConsoleItem::Skipped { skipped } => cursor += skipped,
            ConsoleItem::Line(line) => {
                assert_eq!(line.seq, cursor + 1, "a gap that nobody counted");
                cursor = line.seq;
            }
        }
    }
    cursor
}

#[test]
fn numbers_begin_at_one_and_old_lines_go() {
    let mut ring = Ring::new(3, 1 << 20);
    assert_eq!(ring.next_seq(), 1);
    for text in ["a", "b", "c", "d"] {
        push(&mut ring, text);
    }
    assert_eq!(short(&ring.tail(2)), ["3 c", "4 d"]);
    assert_eq!(short(&ring.tail(9)), ["2 b", "3 c", "4 d"]);
    assert_eq!((ring.before_tail(2), ring.before_tail(9)), (2, 1));
    let (items, last) = ring.after(0, 9, 1 << 20);
    assert_eq!((short(&items), last), (vec!["-1".into(), "2 b".into(), "3 c".into(), "4 d".into()], 4));
    assert_eq!(ring.after(4, 9, 1 << 20), (Vec::new(), 4));
}

#[test]
fn skipped_lines_have_numbers_too() {
    let mut ring = Ring::new(10, 1 << 20);
    push(&mut ring, "a");
    ring.skip(0);
    ring.skip(5);
    ring.skip(2);
    assert_eq!(push(&mut ring, "b"), 9);
    assert_eq!(short(&ring.after(0, 9, 1 << 20).0), ["1 a", "-7", "9 b"]);
    assert_eq!(short(&ring.after(3, 9, 1 << 20).0), ["-5", "9 b"], "a reader that had a part of them");
}

#[test]
fn a_batch_is_bounded_and_the_next_one_goes_on() {
    let mut ring = Ring::new(100, 1 << 20);
    for n in 1..=10 {
        push(&mut ring, &n.to_string().repeat(100));
    }
    let (items, last) = ring.after(0, 3, 1 << 20);
    assert_eq!((items.len(), last), (3, 3));
    let (items, last) = ring.after(last, 100, 150);
    assert_eq!((items.len(), last), (2, 5), "the bytes are reached within the second");
}

#[test]
fn bytes_are_bounded_but_the_newest_line_always_stays() {
    let mut ring = Ring::new(1000, 10_000);
    for _ in 0..1000 {
        push(&mut ring, &"x".repeat(1000));
    }
    let kept = ring.tail(1000).len();
    assert!((5..10).contains(&kept), "{kept}");
    push(&mut ring, &"y".repeat(16_000));
    assert_eq!(ring.tail(1000).len(), 1);
}

#[test]
fn whatever_comes_no_number_is_lost() {
    let mut random = SmallRng::seed_from_u64(3);
    for _ in 0..300 {
        let mut ring = Ring::new(random.random_range(1..50), random.random_range(100..4000));
        let mut cursor = 0;
        for _ in 0..200 {
            match random.random_range(0..4) {
                0 => ring.skip(random.random_range(0..4)),
                1 => {
                    let (items, last) =
                        ring.after(cursor, random.random_range(1..20), random.random_range(1..500));
                    assert_eq!(last_of(&items, cursor), last);
                    cursor = last;
                }
                _ => {
                    push(&mut ring, &"z".repeat(random.random_range(0..200)));
                }
            }
        }
        while ring.waiting(cursor) > 0 {
            let (items, last) = ring.after(cursor, 7, 1000);
            assert_eq!(last_of(&items, cursor), last);
            cursor = last;
        }
        assert_eq!(cursor + 1, ring.next_seq());
    }
}

#[test]
fn the_ready_line_by_text_or_pattern() {
    let text = Ready::parse("Done (").unwrap();
    assert!(text.matches("[12:00:00 INFO]: \x1b[32mDone\x1b[0m (3.2s)! For help"));
    assert!(!text.matches("Done"));
    let pattern = Ready::parse(r"regex:Done \(\d+\.\d+s\)!").unwrap();
    assert!(pattern.matches("Done \x1b[1m(3.2s)!"));
    assert!(!pattern.matches("Done (soon)!"));
    assert!(Ready::parse("regex:(").is_err());
    assert!(Ready::parse("regex:(((a{1000}){1000}){1000})").is_err(), "a monster");
}

#[tokio::test]
async fn of_a_flood_the_newest_are_whole_and_the_middle_is_counted() {
    let console = Console::default();
    let mut random = SmallRng::seed_from_u64(5);
    let flood: Vec<u8> = (1..=200_000).flat_map(|n| format!("line {n}\r\n").into_bytes()).collect();
    let mut follower = console.follow(None);
    assert_eq!(follower.next().await.lines.len(), 0);
    let mut rest = flood.as_slice();
    let mut seen = 0;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(random.random_range(1..20_000).min(rest.len()));
        console.feed(chunk, |_| seen += 1);
        rest = after;
    }
    assert_eq!(seen, 200_000, "the ready line may be any of them");
    assert_eq!(console.next_seq(), 200_001, "each line has its number");
    let (tail, _) = console.tail(1_000);
    let newest: Vec<String> = (199_001..=200_000).map(|n| format!("{n} line {n}")).collect();
    assert_eq!(short(&tail), newest);

    let (mut cursor, mut lines, mut skipped) = (0, 0, 0);
    while cursor < 200_000 {
        let batch = follower.next().await;
        cursor = last_of(&batch.lines, cursor);
        for item in &batch.lines {
            match item {
                ConsoleItem::Skipped { skipped: n } => {
                    assert_eq!(lines, 0, "nothing is lost behind what was shown");
                    skipped += n;
                }
                ConsoleItem::Line(_) => lines += 1,
            }
        }
    }
    assert_eq!(lines + skipped, 200_000);
    assert!(lines >= 1_000, "{lines}");
}

#[test]
fn a_flood_leaves_no_memory_behind() {
    let mut ring = Ring::new(16_384, 2 << 20);
    let mut most = 0;
    for n in 0..200_000 {
        push(&mut ring, &format!("line {n} {}", "x".repeat(n % 300)));
        most = most.max(ring.capacity());
    }
    assert!(most < 6 << 20, "{most}");
    ring.set_limits(1_000, 1 << 20);
    assert!(ring.capacity() < 1 << 20, "{}", ring.capacity());
    for n in 0..2_000 {
        push(&mut ring, &n.to_string());
    }
    assert!(ring.capacity() < 256 << 10, "{}", ring.capacity());
    assert_eq!(short(&ring.tail(1)), ["202000 1999"]);
}

#[test]
fn our_own_lines_are_cleaned_and_split() {
    let console = Console::default();
    console.system("could not fetch: \x1b]0;x\x07bad\nimage");
    let (items, _) = console.tail(9);
    assert_eq!(short(&items), ["1 could not fetch: bad", "2 image"]);
    assert!(matches!(&items[0], ConsoleItem::Line(line) if line.stream == Stream::System));
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_line_is_looked_at_after_half_a_second_of_silence() {
    let console = Console::default();
    let quiet = |console: Console| async move {
        tokio::time::timeout(Duration::from_secs(60), console.silence()).await.is_ok()
    };
    assert!(!quiet(console.clone()).await, "nothing is unfinished");
    let started = Instant::now();
    console.feed(b"whole\nPass", |_| {});
    tokio::time::advance(Duration::from_millis(400)).await;
    console.feed(b"word:", |_| {});
    assert!(quiet(console.clone()).await);
    assert_eq!(started.elapsed().as_millis() / 10, 90);
    let mut seen = String::new();
    console.flush(|line| seen = line.to_owned());
    assert_eq!(seen, "Password:");
    assert!(!quiet(console.clone()).await, "it has been looked at");
    let (lines, partial) = console.tail(9);
    assert_eq!(short(&lines), ["1 whole"], "it is no line yet");
    assert_eq!(partial.unwrap().text, "Password:");
    console.feed(b" ****\r\n", |_| {});
    let (lines, partial) = console.tail(1);
    assert_eq!((short(&lines), partial), (vec!["2 Password: ****".to_owned()], None));
}

#[tokio::test(start_paused = true)]
async fn one_provisional_line_is_replaced_in_place_and_not_too_often() {
    let console = Console::default();
    let mut follower = console.follow(None).with_partial(true);
    let mut plain = console.follow(None);
    assert_eq!(follower.next().await, Batch { lines: vec![], reset: false, partial: None });
    plain.next().await;
    let began = Instant::now();
    let drawing = async {
        for percent in 0..=500 {
            console.feed(format!("\rDownloading {percent}").as_bytes(), |_| {});
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        console.feed(b" done\r\n> ", |_| {});
    };
    let reading = async {
        let mut seen = Vec::new();
        loop {
            let batch = follower.next().await;
            let partial = batch.partial.map(|partial| partial.text);
            if !batch.lines.is_empty() {
                break (seen, short(&batch.lines), partial);
            }
            seen.push((began.elapsed(), partial.unwrap()));
        }
    };
    let ((), (seen, lines, partial)) = tokio::join!(drawing, reading);
    assert_eq!(seen[0].0.as_millis(), 10, "the first at once");
    assert!((45..=52).contains(&seen.len()), "{} in 5 s", seen.len());
    assert!(seen.windows(2).all(|two| two[1].0 - two[0].0 >= Duration::from_millis(100)), "{seen:?}");
    assert_eq!(seen.last().unwrap().1.len(), "Downloading 500".len(), "the newest wins");
    assert_eq!((lines, partial.as_deref()), (vec!["1 Downloading 500 done".to_owned()], Some("> ")));
    // A line replaces the prompt, and the prompt is printed again: one message, one line.
    console.feed(b"\r\x1b[Knext\r\n> ", |_| {});
    let batch = follower.next().await;
    assert_eq!(
        (short(&batch.lines), batch.partial.unwrap().text),
        (vec!["2 next".to_owned()], "> ".to_owned())
    );
    // Erased without a replacement.
    console.feed(b"\r\x1b[K", |_| {});
    assert_eq!(follower.next().await, Batch { lines: vec![], reset: false, partial: None });
    // A reader without support for it only gets complete lines.
    let batch = plain.next().await;
    assert_eq!((short(&batch.lines).len(), batch.partial), (2, None));
    assert!(tokio::time::timeout(Duration::from_secs(60), plain.next()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_follower_gets_the_last_lines_then_each_as_it_comes() {
    let console = Console::default();
    let mut early = console.follow(None);
    let nothing = Batch { lines: vec![], reset: false, partial: None };
    assert_eq!(early.next().await, nothing, "answered at once");
    for n in 1..=300 {
        console.feed(format!("l{n}\n").as_bytes(), |_| {});
    }
    let mut follower = console.follow(None);
    let first = follower.next().await;
    assert_eq!((first.lines.len(), first.reset), (200, false));
    assert_eq!(last_of(&first.lines, 100), 300);
    let mut on = console.follow(Some(ConsoleMark { after: 299, last: Vec::new() }));
    assert_eq!(short(&on.next().await.lines), ["300 l300"]);
    let mut strange = console.follow(Some(ConsoleMark { after: 5_000, last: Vec::new() }));
    assert!(strange.next().await.reset, "a number that was never given out");

    // A line after a pause is sent at once.
    tokio::time::advance(Duration::from_secs(1)).await;
    let started = Instant::now();
    let (batch, ()) = tokio::join!(follower.next(), async { console.feed(b"now\n", |_| {}) });
    assert_eq!((short(&batch.lines), started.elapsed()), (vec!["301 now".into()], Duration::ZERO));
    // So are the following ones, up to the limit.
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let started = Instant::now();
        let (batch, ()) = tokio::join!(follower.next(), async { console.feed(b"now\n", |_| {}) });
        assert_eq!((batch.lines.len(), started.elapsed()), (1, Duration::ZERO));
    }
    // Beyond it, they are sent together, a little later.
    let printing = async {
        for _ in 0..2_000 {
            console.feed(b"many\n", |_| {});
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let reading = async {
        let (mut lines, mut batches) = (0, 0);
        while lines < 2_000 {
            lines += follower.next().await.lines.len();
            batches += 1;
        }
        batches
    };
    let ((), batches) = tokio::join!(printing, reading);
    assert!((500..1_100).contains(&batches), "{batches}");
}

#[tokio::test]
async fn a_slow_follower_is_told_what_it_missed_and_a_cancelled_one_misses_nothing() {
    let console = Console::default();
    let mut follower = console.follow(None);
    follower.next().await;
    for n in 0..10_000 {
        console.feed(format!("l{n}\n").as_bytes(), |_| {});
    }
    let mut cursor = 0;
    while cursor < 10_000 {
        // Cancelled at every await point.
        if let Ok(batch) = tokio::time::timeout(Duration::ZERO, follower.next()).await {
            assert!(batch.lines.len() <= 501, "{}", batch.lines.len());
            cursor = last_of(&batch.lines, cursor);
        }
    }
    assert_eq!(cursor, 10_000);
}

#[tokio::test]
async fn fifty_thousand_lines_in_a_burst_reach_a_follower_that_keeps_up() {
    let console = Console::default();
    let mut follower = console.follow(None);
    follower.next().await;
    let feeding = async {
        for chunk in 0..500 {
            let text: String = (0..100).map(|n| format!("chunk {chunk} line {n}\r\n")).collect();
            console.feed(text.as_bytes(), |_| {});
            tokio::task::yield_now().await;
        }
    };
    let reading = async {
        let mut lines = 0;
        while lines < 50_000 {
            let batch = follower.next().await;
            assert!(
                !batch.lines.iter().any(|item| matches!(item, ConsoleItem::Skipped { .. })),
                "after {lines}"
            );
            lines += batch.lines.len();
        }
    };
    let both = async { tokio::join!(feeding, reading) };
    tokio::time::timeout(Duration::from_secs(30), both).await.expect("all of them arrive");
}

#[tokio::test(start_paused = true)]
async fn more_is_kept_while_somebody_looks_and_lags() {
    let console = Console::default();
    let kept = |console: &Console| console.tail(100_000).0.len();
    let feed = || console.feed("line\n".repeat(20_000).as_bytes(), |_| {});
    feed();
    assert_eq!(kept(&console), 1_000);
    let mut follower = console.follow(None);
    feed();
    assert_eq!(kept(&console), 16_384);
    while tokio::time::timeout(Duration::from_secs(5), follower.next()).await.is_ok() {}
    assert_eq!(kept(&console), 1_000, "it has all of them");
    feed();
    assert_eq!(kept(&console), 16_384);
    drop(follower);
    assert_eq!(kept(&console), 1_000);
}

#[test]
fn the_end_of_a_run_ends_its_last_line() {
    let console = Console::default();
    console.feed(b"segfault in \x1b[31", |_| {});
    console.finish();
    console.feed(b"m fresh\n", |_| {});
    assert_eq!(short(&console.tail(9).0), ["1 segfault in ", "2 m fresh"]);
}
