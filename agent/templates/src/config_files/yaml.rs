//! YAML, edited in place. Another parser checks the editor's result, because the editor is a young library. If the
//! result is wrong, the whole file is rewritten without comments, as other panels always do.

use std::str::FromStr;

use yaml_edit::{Document, Mapping, Sequence, YamlNode};

use super::path::Step;
use super::tree::{self, Edit};
use crate::model::Setting;
use crate::value::{self, Limits, ParseError, Value};

const LIMITS: Limits = Limits { bytes: super::settings::MAX_BYTES, depth: 64, nodes: 1_000_000 };

/// Largest file that is edited, in bytes. A larger one is rewritten, because the editor's tree needs much memory.
const MAX_EDITED: usize = 1 << 20;

pub(super) fn set(text: &str, settings: &[Setting]) -> Result<String, ParseError> {
    let mut wanted = value::from_yaml(text, &LIMITS)?;
    if wanted == Value::Null {
        wanted = Value::map();
        tree::apply(&mut wanted, settings);
        let comments = text.trim_end();
        let between = if comments.is_empty() { "" } else { "\n" };
        return Ok(format!("{comments}{between}{}", value::to_yaml(&wanted)));
    }
    let edits = tree::apply(&mut wanted, settings);
    if edits.is_empty() {
        return Ok(text.to_owned());
    }
    Ok(Some(text)
        .filter(|text| text.len() <= MAX_EDITED)
        .and_then(|text| edited(text, &edits))
        .filter(|done| value::from_yaml(done, &LIMITS).is_ok_and(|read| read == wanted))
        .unwrap_or_else(|| value::to_yaml(&wanted)))
}

enum Place {
    Map(Mapping),
    List(Sequence),
}

fn edited(text: &str, edits: &[Edit]) -> Option<String> {
    let document = Document::from_str(text).ok()?;
    for edit in edits {
        let (last, parents) = edit.path.split_last()?;
        let mut place = match (document.as_mapping(), document.as_sequence()) {
            (Some(map), _) => Place::Map(map),
            (_, Some(list)) => Place::List(list),
            _ => return None,
        };
        for step in parents {
            place = inside(&place, step)?;
        }
        match (&place, last) {
            (Place::Map(map), Step::Key(key)) => map.set(key.as_str(), node(&edit.value)?),
            (Place::List(list), Step::Index(index)) => {
                list.set(*index, node(&edit.value)?);
            }
            _ => return None,
        }
    }
    Some(document.to_string())
}

fn inside(place: &Place, step: &Step) -> Option<Place> {
    let node = match (place, step) {
        (Place::Map(map), Step::Key(key)) => map.get(key.as_str())?,
        (Place::List(list), Step::Index(index)) => list.get(*index)?,
        _ => return None,
    };
    match node {
        YamlNode::Mapping(map) => Some(Place::Map(map)),
        YamlNode::Sequence(list) => Some(Place::List(list)),
        _ => None,
    }
}

/// Converts a value to a node of the editor, which copies it.
fn node(value: &Value) -> Option<YamlNode> {
    let small = Value::Map(vec![("v".to_owned(), value.clone())]);
    Document::from_str(&value::to_yaml(&small)).ok()?.get("v")
}
