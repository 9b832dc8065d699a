//! Parses a document into the positions of its elements.

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::value::ParseError;

const MAX_DEPTH: usize = 128;
const MAX_ELEMENTS: usize = 500_000;

/// An element, as byte positions in the text.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: String,
    /// The start tag.
    pub(super) open: Range<usize>,
    /// Whether it is an empty-element tag such as `<a/>`.
    pub(super) empty: bool,
    /// End of the text at its beginning.
    pub(super) text_end: usize,
    /// Start of its end tag.
    pub(super) close: usize,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// The text at its beginning.
    pub(super) fn text(&self) -> Range<usize> {
        self.open.end..self.text_end
    }

    /// Collects all elements that match a path relative to this one.
    pub(super) fn find<'a>(&'a self, path: &[&str], found: &mut Vec<&'a Self>) {
        let Some((name, rest)) = path.split_first() else {
            return found.push(self);
        };
        for child in self.children.iter().filter(|child| *name == "*" || child.name == *name) {
            child.find(rest, found);
        }
    }
}

/// Whether a name is valid for an element.
pub(super) fn is_name(name: &str) -> bool {
    let head = name.chars().next().is_some_and(|char| char.is_alphabetic() || matches!(char, '_' | ':'));
    head && name.chars().all(|char| char.is_alphanumeric() || matches!(char, '_' | ':' | '-' | '.'))
}

/// The root element of a document; `None` if the document has none.
pub(super) fn root(text: &str) -> Result<Option<Element>, ParseError> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut count = 0;
    let line = |at: usize| {
        Some(text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1)
    };
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(text.len());
    let wrong = |message: &str, at| ParseError { message: message.into(), line: line(at) };
    loop {
        let start = place(reader.buffer_position());
        let event = reader.read_event().map_err(|error| ParseError {
            message: error.to_string(),
            line: line(place(reader.error_position())),
        })?;
        let end = place(reader.buffer_position());
        if !matches!(event, Event::Text(_) | Event::CData(_) | Event::GeneralRef(_))
            && let Some(parent) = open.last_mut()
            && parent.text_end == usize::MAX
        {
            parent.text_end = start;
        }
        match event {
            Event::Start(ref tag) | Event::Empty(ref tag) => {
                count += 1;
                if open.len() >= MAX_DEPTH || count > MAX_ELEMENTS {
                    return Err(wrong("it has too many elements, or they are nested too deep", start));
                }
                let name = tag.name().as_ref().to_owned();
                let empty = matches!(event, Event::Empty(_));
                let element = Element {
                    name,
                    open: start..end,
                    empty,
                    text_end: usize::MAX,
                    close: end,
                    children: Vec::new(),
                };
                if empty { finish(element, end, end, &mut open, &mut root)? } else { open.push(element) }
            }
            Event::End(_) => {
                let Some(element) = open.pop() else {
                    return Err(wrong("an end without a beginning", start));
                };
                finish(element, start, start, &mut open, &mut root)?;
            }
            Event::Text(_) if open.is_empty() && !text[start..end].trim().is_empty() => {
                return Err(wrong("text outside of the root element", start));
            }
            Event::Eof if open.is_empty() => return Ok(root),
            Event::Eof => return Err(wrong("it ends within an element", start)),
            _ => {}
        }
    }
}

fn finish(
    mut element: Element,
    text_end: usize,
    close: usize,
    open: &mut [Element],
    root: &mut Option<Element>,
) -> Result<(), ParseError> {
    element.text_end = element.text_end.min(text_end);
    element.close = close;
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None if root.is_none() => *root = Some(element),
        None => return Err(ParseError::new("it has two root elements")),
    }
    Ok(())
}
