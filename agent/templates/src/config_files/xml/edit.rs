//! Edits the text of a document.

use super::read::Element;

/// Replaces a part of the text.
fn splice(text: &str, from: usize, to: usize, new: &str) -> String {
    [&text[..from], new, &text[to..]].concat()
}

fn escape(text: &str) -> String {
    let kept = text.chars().filter(|char| matches!(char, '\t' | '\n' | '\r') || !char.is_control());
    let mut out = String::with_capacity(text.len());
    for char in kept {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML parsers normalize a literal carriage return.
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
    out
}

/// The text of an element, with entities and CDATA sections resolved.
pub(super) fn unescape(raw: &str) -> String {
    let mut out = String::new();
    let mut rest = raw;
    while let Some(at) = rest.find("<![CDATA[") {
        out.push_str(&plain(&rest[..at]));
        let inside = &rest[at + 9..];
        let end = inside.find("]]>").unwrap_or(inside.len());
        out.push_str(&inside[..end]);
        rest = inside.get(end + 3..).unwrap_or_default();
    }
    out.push_str(&plain(rest));
    out
}

fn plain(raw: &str) -> String {
    quick_xml::escape::unescape(raw).map_or_else(|_| raw.to_owned(), std::borrow::Cow::into_owned)
}

/// Replaces the text at the beginning of an element.
pub(super) fn set_text(text: &str, element: &Element, value: &str) -> String {
    let value = escape(value);
    if element.empty {
        let tag = text[element.open.clone()].trim_end_matches('>').trim_end_matches('/').trim_end();
        return splice(
            text,
            element.open.start,
            element.open.end,
            &format!("{tag}>{value}</{}>", element.name),
        );
    }
    let range = element.text();
    splice(text, range.start, range.end, &value)
}

/// Sets an attribute of an element.
pub(super) fn set_attribute(text: &str, element: &Element, name: &str, value: &str) -> String {
    let tag = &text[element.open.clone()];
    let value = escape(value);
    let start = element.open.start;
    if let Some((from, to)) = attribute(tag, name) {
        return splice(text, start + from, start + to, &value.replace('\'', "&apos;"));
    }
    let end = tag.trim_end_matches('>').trim_end_matches('/').trim_end().len();
    splice(text, start + end, start + end, &format!(" {name}=\"{value}\""))
}

/// Position of an attribute's value in a start tag, without the quotes.
fn attribute(tag: &str, wanted: &str) -> Option<(usize, usize)> {
    let bytes = tag.as_bytes();
    let mut at = tag.find(|char: char| char.is_ascii_whitespace())?;
    loop {
        at += tag[at..].len() - tag[at..].trim_start().len();
        let equals = at + tag[at..].find('=')?;
        let name = tag[at..equals].trim_end();
        let quote = equals + 1 + (tag[equals + 1..].len() - tag[equals + 1..].trim_start().len());
        let mark = *bytes.get(quote).filter(|byte| matches!(byte, b'"' | b'\''))?;
        let end = quote + 1 + tag[quote + 1..].find(char::from(mark))?;
        if name == wanted {
            return Some((quote + 1, end));
        }
        at = end + 1;
    }
}

/// Nested elements, indented by two spaces per level.
pub(super) fn nested(names: &[&str], depth: usize) -> String {
    match names {
        [] => String::new(),
        [name] => format!("<{name}/>"),
        [name, rest @ ..] => {
            let (inner, outer) = ("  ".repeat(depth + 1), "  ".repeat(depth));
            format!("<{name}>\n{inner}{}\n{outer}</{name}>", nested(rest, depth + 1))
        }
    }
}

/// Appends elements to an element that is `depth - 1` levels below the root.
pub(super) fn append(text: &str, parent: &Element, made: &str, depth: usize) -> String {
    let (inner, outer) = ("  ".repeat(depth), "  ".repeat(depth - 1));
    if parent.empty {
        let tag = text[parent.open.clone()].trim_end_matches('>').trim_end_matches('/').trim_end();
        let whole = format!("{tag}>\n{inner}{made}\n{outer}</{}>", parent.name);
        return splice(text, parent.open.start, parent.open.end, &whole);
    }
    let content = &text[parent.open.end..parent.close];
    let end = parent.open.end + content.trim_end().len();
    let blank = &text[end..parent.close];
    if blank.contains('\n') {
        // Keeps the indentation of the end tag.
        return splice(text, end, end, &format!("\n{inner}{made}"));
    }
    splice(text, end, parent.close, &format!("\n{inner}{made}\n{outer}"))
}
