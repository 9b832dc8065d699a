use jiff::Timestamp;
use protocol::ConsoleLine;
use serde_json::Value;

use super::ring::RING_BYTES;
use super::*;

fn line(seq: u64, text: &str) -> ConsoleItem {
    ConsoleItem::Line(ConsoleLine {
        seq,
        time: Timestamp::UNIX_EPOCH,
        stream: Stream::Stdout,
        text: text.to_owned(),
        truncated: false,
    })
}

fn lines(range: std::ops::Range<u64>) -> Vec<ConsoleItem> {
    range.map(|seq| line(seq, "x")).collect()
}

fn partial(text: &str) -> Option<ConsolePartial> {
    let (time, stream) = (Timestamp::UNIX_EPOCH, Stream::Stdout);
    Some(ConsolePartial { time, stream, text: text.to_owned(), truncated: false })
}

/// Adds a reader.
fn reader(feed: &ConsoleFeed) -> ReaderId {
    feed.add_reader(Arc::default())
}

/// The line numbers of the next message, with the count of lost lines as a negative number, and whether numbering
/// started over.
fn take(feed: &ConsoleFeed, id: ReaderId) -> Option<(Vec<i64>, bool)> {
    let Next::Lines(lines) = feed.next(id) else { return None };
    let items: Vec<Value> = serde_json::from_str(&format!("[{}]", lines.items)).unwrap();
    let number = |item: &Value| item["seq"].as_i64().unwrap_or_else(|| -item["skipped"].as_i64().unwrap());
    Some((items.iter().map(number).collect(), lines.reset))
}

fn unfinished(feed: &ConsoleFeed, id: ReaderId) -> Option<Option<String>> {
    let Next::Lines(lines) = feed.next(id) else { return None };
    let text =
        |json: Arc<str>| serde_json::from_str::<Value>(&json).unwrap()["text"].as_str().unwrap().to_owned();
    Some(lines.partial.map(text))
}

#[test]
fn a_reader_begins_with_the_last_lines_and_goes_on_without_gap() {
    let feed = ConsoleFeed::new(&Arc::default());
    let early = reader(&feed);
    assert!(take(&feed, early).is_none(), "nothing came yet");
    for from in (0..500).step_by(7) {
        feed.push(lines(from..(from + 7).min(500)), false, None);
    }
    let id = reader(&feed);
    assert_eq!(take(&feed, id), Some(((300..500).collect(), false)));
    assert_eq!(take(&feed, early), Some(((300..500).collect(), false)));
    assert!(take(&feed, id).is_none());
    feed.push(lines(500..502), false, None);
    feed.push(lines(502..503), false, None);
    assert_eq!(take(&feed, id), Some((vec![500, 501, 502], false)), "together, for one that was not ready");
    assert!(take(&feed, id).is_none());
    feed.push(lines(503..504), false, None);
    assert_eq!(take(&feed, early), Some((vec![500, 501, 502, 503], false)));
}

#[test]
fn lines_that_come_again_are_passed_over() {
    let feed = ConsoleFeed::new(&Arc::default());
    feed.push(lines(0..10), false, None);
    let id = reader(&feed);
    take(&feed, id).unwrap();
    feed.push(lines(5..10), false, None);
    assert!(take(&feed, id).is_none());
    feed.push(vec![ConsoleItem::Skipped { skipped: 4 }, line(12, "y")], false, None);
    assert_eq!(take(&feed, id), Some((vec![-2, 12], false)));
    assert_eq!(feed.after(), Some(12));
    assert_eq!(feed.fingerprints(), [fingerprint("y")], "nothing before the gap");
}

#[test]
fn the_ring_is_bounded_and_what_a_slow_reader_loses_is_the_middle() {
    let feed = ConsoleFeed::new(&Arc::default());
    feed.push(lines(0..1), false, None);
    let slow = reader(&feed);
    take(&feed, slow).unwrap();
    let text = "x".repeat(1 << 10);
    for seq in 1..20_000 {
        feed.push(vec![line(seq, &text)], false, None);
    }
    assert!(feed.lock().ring.bytes() <= RING_BYTES);
    let mut numbers = Vec::new();
    while let Some((some, reset)) = take(&feed, slow) {
        assert!(!reset);
        numbers.extend(some);
    }
    let (lost, kept) = (-numbers[0], &numbers[1..]);
    assert_eq!(kept, (lost + 1..20_000).collect::<Vec<_>>(), "every line is either shown or counted");
    assert!(kept.len() >= 1_000, "{}", kept.len());
    assert_eq!(feed.lock().ring.bytes(), 0, "what all have is not kept");
}

#[test]
fn what_nobody_waits_for_is_not_kept() {
    let feed = ConsoleFeed::new(&Arc::default());
    let (slow, late) = (reader(&feed), reader(&feed));
    feed.push(lines(0..1), false, None);
    take(&feed, slow).unwrap();
    feed.push(lines(1..100), false, None);
    assert!(feed.lock().ring.bytes() > 0);
    take(&feed, late).unwrap();
    assert!(!feed.remove_reader(slow));
    assert_eq!(feed.lock().ring.bytes(), 0);
    assert!(feed.remove_reader(late));
}

#[test]
fn counting_anew_voids_what_was_before() {
    let feed = ConsoleFeed::new(&Arc::default());
    feed.push(lines(100..110), false, None);
    let id = reader(&feed);
    take(&feed, id).unwrap();
    feed.push(lines(110..112), false, None);
    feed.push(lines(0..3), true, None);
    assert_eq!(take(&feed, id), Some((vec![110, 111], false)));
    assert_eq!(take(&feed, id), Some((vec![0, 1, 2], true)));
    let slow = reader(&feed);
    assert_eq!(take(&feed, slow), Some((vec![0, 1, 2], false)));

    feed.push(lines(0..5), true, None);
    let text = "x".repeat(16 << 10);
    for seq in 5..1000 {
        feed.push(vec![line(seq, &text)], false, None);
    }
    let (numbers, reset) = take(&feed, slow).unwrap();
    assert!(reset && numbers[0] < 0, "{numbers:?}");
    assert_eq!(numbers[1], -numbers[0], "counted from the new beginning");
}

#[test]
fn the_unfinished_line_is_the_newest_and_stands_at_the_end() {
    let feed = ConsoleFeed::new(&Arc::default());
    feed.push(lines(0..1), false, partial("> "));
    let id = reader(&feed);
    assert_eq!(unfinished(&feed, id), Some(Some("> ".into())));
    assert_eq!(unfinished(&feed, id), None, "nothing new");
    feed.push(Vec::new(), false, partial("> "));
    assert_eq!(unfinished(&feed, id), None, "the same");
    feed.push(Vec::new(), false, partial("> h"));
    feed.push(Vec::new(), false, partial("> he"));
    assert_eq!(unfinished(&feed, id), Some(Some("> he".into())), "the newest wins");
    feed.push(lines(1..2), false, partial("> "));
    assert_eq!(unfinished(&feed, id), Some(Some("> ".into())));
    feed.push(lines(2..3), false, partial("> "));
    assert_eq!(unfinished(&feed, id), Some(Some("> ".into())), "each message says what stands after it");
    feed.push(Vec::new(), false, None);
    assert_eq!(unfinished(&feed, id), Some(None), "it is gone");
    // The unfinished line is left out while more lines follow.
    let text = "x".repeat(60 << 10);
    feed.push((3..7).map(|seq| line(seq, &text)).collect(), false, None);
    feed.push(vec![line(7, &text)], false, partial("end"));
    let mut said = Vec::new();
    while let Some(text) = unfinished(&feed, id) {
        said.push(text);
    }
    assert_eq!(said.pop(), Some(Some("end".into())));
    assert!(!said.is_empty() && said.iter().all(Option::is_none), "{said:?}");
}

#[test]
fn a_gone_server_says_so() {
    let feed = ConsoleFeed::new(&Arc::default());
    feed.set_ready();
    let id = reader(&feed);
    assert_eq!(take(&feed, id), Some((vec![], false)));
    feed.set_gone();
    assert!(matches!(feed.next(id), Next::Gone));
}

#[test]
fn a_hundred_consoles_share_what_there_is() {
    let rings = Arc::<Rings>::default();
    let feeds: Vec<_> = (0..100).map(|_| ConsoleFeed::new(&rings)).collect();
    for feed in &feeds {
        let slow = reader(feed);
        feed.push(lines(0..1), false, None);
        assert!(take(feed, slow).is_some());
    }
    let text = "x".repeat(16 << 10);
    for seq in 1..40 {
        for feed in &feeds {
            feed.push(vec![line(seq, &text)], false, None);
        }
    }
    let held = |feeds: &[Arc<ConsoleFeed>]| feeds.iter().map(|feed| feed.lock().ring.bytes()).sum::<usize>();
    assert!(held(&feeds) <= (16 << 20) + 100 * (64 << 10), "{}", held(&feeds));
    // No console is starved by larger ones.
    assert!(feeds.iter().all(|feed| feed.lock().ring.bytes() > 0));
    drop(feeds);
    let alone = ConsoleFeed::new(&rings);
    let slow = reader(&alone);
    alone.push(lines(0..1), false, None);
    assert!(take(&alone, slow).is_some());
    for seq in 1..100 {
        alone.push(vec![line(seq, &text)], false, None);
    }
    assert!(alone.lock().ring.bytes() > 2 << 20, "what the others held is given back");
}

#[test]
fn a_large_batch_is_cut() {
    let feed = ConsoleFeed::new(&Arc::default());
    let id = reader(&feed);
    feed.push(lines(0..1), false, None);
    assert!(take(&feed, id).is_some());
    feed.push(lines(0..5_000), true, None);
    let (mut seen, mut resets) = (Vec::new(), 0);
    while let Some((numbers, reset)) = take(&feed, id) {
        resets += usize::from(reset);
        seen.extend(numbers);
    }
    assert_eq!((seen, resets), ((0..5_000).collect(), 1));
}
