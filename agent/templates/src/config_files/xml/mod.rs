//! XML, edited in place. A key is a path of elements from the root, with `*` for any element. A value such as
//! `[name='value']` sets an attribute, any other value the text. Missing elements are created, unless the path has a
//! `*`.

mod edit;
mod read;

use std::sync::LazyLock;

use regex_lite::Regex;

use super::settings::becomes;
use crate::model::Setting;
use crate::value::ParseError;
use read::Element;

/// A value that sets an attribute, as in wings (`xmlValueMatchRegex`).
static ATTRIBUTE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\[(\w+)='(.*)'\]$").ok());

pub(super) fn set(text: &str, settings: &[Setting]) -> Result<String, ParseError> {
    let mut text = text.to_owned();
    let mut root = read::root(&text)?;
    for setting in settings {
        let path: Vec<&str> = setting.key.split('.').filter(|part| !part.is_empty()).collect();
        let Some((first, below)) = path.split_first() else { continue };
        if root.is_none() && setting.when.is_none() && !path.contains(&"*") && read::is_name(first) {
            text = format!("{}<{first}></{first}>\n", with_line_end(&text));
            root = read::root(&text)?;
        }
        let Some(element) = &root else { continue };
        if *first != "*" && *first != element.name {
            continue;
        }
        let fresh = create(text, element, below, setting)?;
        let Some(element) = read::root(&fresh)? else { return Ok(fresh) };
        text = change(fresh, &element, below, setting);
        root = read::root(&text)?;
    }
    Ok(text)
}

fn with_line_end(text: &str) -> String {
    if text.trim().is_empty() { String::new() } else { format!("{}\n", text.trim_end()) }
}

/// Creates the missing elements of a path.
fn create(text: String, root: &Element, below: &[&str], setting: &Setting) -> Result<String, ParseError> {
    if setting.when.is_some() || below.contains(&"*") || !below.iter().all(|name| read::is_name(name)) {
        return Ok(text);
    }
    let mut place = root;
    for (depth, name) in below.iter().enumerate() {
        match place.children.iter().find(|child| child.name == *name) {
            Some(child) => place = child,
            None => {
                let made = edit::nested(&below[depth..], depth + 1);
                return Ok(edit::append(&text, place, &made, depth + 1));
            }
        }
    }
    Ok(text)
}

/// Changes every element that matches the path, from the last to the first, so that earlier positions stay valid.
fn change(mut text: String, root: &Element, below: &[&str], setting: &Setting) -> String {
    let mut found = Vec::new();
    root.find(below, &mut found);
    found.sort_by_key(|element| std::cmp::Reverse(element.open.start));
    for element in found {
        let present = edit::unescape(&text[element.text()]);
        let Some(value) = becomes(setting, Some(&present)) else { continue };
        let attribute = ATTRIBUTE.as_ref().and_then(|pattern| pattern.captures(&value));
        text = match attribute {
            Some(parts) => edit::set_attribute(&text, element, &parts[1], &parts[2]),
            None if present == value => text,
            None => edit::set_text(&text, element, &value),
        };
    }
    text
}
