//! Where a returning reader continues in a console whose numbering may have restarted.
//!
//! An agent that restarted reads the engine's log and numbers the lines from 1, while earlier readers have other
//! numbers for the same lines. They identify their last lines by fingerprints. If those are found, the console
//! continues the reader's numbering: no line is repeated or lost, and no reader has to start over.

use protocol::{Stream, fingerprint};

use super::ring::Ring;

/// Where a reader stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsoleMark {
    /// The number of its last line.
    pub after: u64,
    /// Fingerprints of the last lines of the game that it had, in order.
    pub last: Vec<u32>,
}

/// Where a reader continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResumePoint {
    /// After this line.
    At(u64),
    /// Its lines were not found: it starts over.
    Nowhere,
    /// The lines may still arrive: the log is being read.
    NotYet,
}

/// Finds the position; renumbers the ring if that makes the numbers match. `last_look`: do not wait for more lines.
pub(super) fn find(ring: &mut Ring, place: &ConsoleMark, last_look: bool) -> ResumePoint {
    let lines: Vec<(u64, u32)> = ring
        .lines()
        .filter(|(_, stream, _)| *stream != Stream::System)
        .map(|(seq, _, text)| (seq, fingerprint(text)))
        .collect();
    let before = lines.partition_point(|(seq, _)| *seq <= place.after);
    let counted = place.after < ring.next_seq();
    if counted && (place.last.is_empty() || place.after < ring.first_seq()) {
        // Nothing to compare: no fingerprints were given, or the lines are gone.
        return ResumePoint::At(place.after);
    }
    if counted && before > 0 && alike(&lines[..before], &place.last) == before.min(place.last.len()) {
        return ResumePoint::At(place.after);
    }
    if place.last.is_empty() && !lines.is_empty() {
        return ResumePoint::Nowhere;
    }
    let best = (1..=lines.len()).map(|end| (alike(&lines[..end], &place.last), end)).max();
    match best {
        // All fingerprints match; or, at the last attempt, at least two.
        Some((score, end)) if score > 0 && (score == place.last.len() || (last_look && score >= 2)) => {
            ring.renumber(lines[end - 1].0, place.after);
            ResumePoint::At(place.after)
        }
        _ if !last_look => ResumePoint::NotYet,
        // The console is empty: its next line follows the reader's last one.
        None => {
            ring.renumber(ring.first_seq(), place.after + 1);
            ResumePoint::At(place.after)
        }
        Some(_) => ResumePoint::Nowhere,
    }
}

/// Number of equal lines at the end of both.
fn alike(lines: &[(u64, u32)], last: &[u32]) -> usize {
    lines.iter().rev().zip(last.iter().rev()).take_while(|((_, ours), theirs)| ours == *theirs).count()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn ring(lines: &[&str]) -> Ring {
        let mut ring = Ring::new(1_000, 1 << 20);
        for line in lines {
            let (stream, text) = match line.strip_prefix("sys ") {
                Some(text) => (Stream::System, text),
                None => (Stream::Stdout, *line),
            };
            ring.push(Timestamp::UNIX_EPOCH, stream, text, false);
        }
        ring
    }

    fn place(after: u64, last: &[&str]) -> ConsoleMark {
        ConsoleMark { after, last: last.iter().map(|text| fingerprint(text)).collect() }
    }

    #[test]
    fn who_comes_back_to_the_same_counting_goes_on() {
        let mut same = ring(&["sys Starting", "a", "b", "sys note", "c", "d"]);
        assert_eq!(find(&mut same, &place(5, &["a", "b", "c"]), false), ResumePoint::At(5));
        assert_eq!(find(&mut same, &place(4, &["a", "b"]), false), ResumePoint::At(4));
        assert_eq!(find(&mut same, &place(5, &[]), false), ResumePoint::At(5));
        assert_eq!(same.next_seq(), 7, "nothing was renumbered");
    }

    #[test]
    fn a_new_counting_fits_on_where_the_lines_are_found() {
        // The reader also had `Starting` and `note`, which the engine's log does not contain.
        let mut anew = ring(&["a", "b", "c", "d", "e"]);
        assert_eq!(find(&mut anew, &place(105, &["a", "b", "c"]), false), ResumePoint::At(105));
        assert_eq!(anew.next_seq(), 108);
        let (items, last) = anew.after(105, 100, 1 << 20);
        assert_eq!((items.len(), last), (2, 107));
        // Renumbering to smaller numbers works too.
        let mut anew = ring(&["x", "y", "a", "b", "c"]);
        assert_eq!(find(&mut anew, &place(2, &["a", "b"]), false), ResumePoint::At(2));
        assert_eq!((anew.next_seq(), anew.tail(10).len()), (4, 3));
    }

    #[test]
    fn lines_that_are_still_read_are_waited_for() {
        let place = place(50, &["a", "b", "c"]);
        assert_eq!(find(&mut ring(&[]), &place, false), ResumePoint::NotYet);
        assert_eq!(find(&mut ring(&["a", "b"]), &place, false), ResumePoint::NotYet);
        assert_eq!(find(&mut ring(&["x", "b", "c"]), &place, false), ResumePoint::NotYet);
        assert_eq!(find(&mut ring(&["x", "b", "c"]), &place, true), ResumePoint::At(50));
        assert_eq!(find(&mut ring(&["x", "y", "z"]), &place, true), ResumePoint::Nowhere);
        let mut silent = ring(&["sys it is here again"]);
        assert_eq!(find(&mut silent, &place, true), ResumePoint::At(50));
        assert_eq!(silent.next_seq(), 52);
    }

    #[test]
    fn what_is_gone_is_counted_as_ever() {
        let mut small = Ring::new(3, 1 << 20);
        for n in 0..10 {
            small.push(Timestamp::UNIX_EPOCH, Stream::Stdout, &n.to_string(), false);
        }
        assert_eq!(find(&mut small, &place(4, &["2", "3"]), false), ResumePoint::At(4));
        assert_eq!(small.next_seq(), 11);
    }

    #[test]
    fn lines_that_repeat_are_told_apart_by_those_before() {
        let mut anew = ring(&["one", "tick", "two", "tick", "three", "tick"]);
        assert_eq!(find(&mut anew, &place(20, &["one", "tick", "two", "tick"]), false), ResumePoint::At(20));
        assert_eq!(anew.next_seq(), 23);
    }
}
