//! Compares two templates key by key, for users who decide whether to update.

use std::collections::BTreeMap;

use ::templates::model;
use serde_json::Value;

/// Most differences that are reported.
const MOST: usize = 200;
/// Longest value that is shown, in characters.
const LONGEST: usize = 2_000;
/// Values nested deeper than this are compared as a whole.
const DEPTH: usize = 8;
/// Keys by which list items are matched, regardless of their position.
const NAMES: [&str; 4] = ["name", "label", "file", "purpose"];

/// A key whose values differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The key as a path, such as `variables.SLOTS.default`.
    pub(super) key: String,
    /// The old value; absent if the key is new.
    pub(super) before: Option<String>,
    /// The new value; absent if the key was removed.
    pub(super) after: Option<String>,
}

/// The differences, without origin and time of the files.
pub(super) fn between(old: &model::Template, new: &model::Template) -> Vec<Change> {
    let (before, after) = (flat(old), flat(new));
    let keys = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key)));
    let mut changes: Vec<Change> = keys
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| Change {
            key: key.clone(),
            before: before.get(key).map(|text| cut(text)),
            after: after.get(key).map(|text| cut(text)),
        })
        .collect();
    changes.sort_by(|a, b| a.key.cmp(&b.key));
    changes.truncate(MOST);
    changes
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn flat(template: &model::Template) -> BTreeMap<String, String> {
    let mut template = template.clone();
    template.about.origin.exported_at = None;
    template.about.origin.format = None;
    let mut found = BTreeMap::new();
    if let Ok(value) = serde_json::to_value(&template) {
        walk(String::new(), &value, 0, &mut found);
    }
    found
}

fn walk(key: String, value: &Value, depth: usize, found: &mut BTreeMap<String, String>) {
    let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match value {
        Value::Object(map) if depth < DEPTH && !map.is_empty() => {
            for (name, value) in map {
                walk(below(name), value, depth + 1, found);
            }
        }
        Value::Array(list) if depth < DEPTH && list.iter().any(Value::is_object) => {
            for (place, value) in list.iter().enumerate() {
                let name = NAMES.iter().find_map(|name| value.get(name)?.as_str());
                let mut path = below(name.unwrap_or(&place.to_string()));
                if found
                    .range(path.clone()..)
                    .next()
                    .is_some_and(|(key, _)| key.starts_with(&format!("{path}.")))
                {
                    path = format!("{path}#{place}");
                }
                walk(path, value, depth + 1, found);
            }
        }
        Value::String(text) => drop(found.insert(key, text.clone())),
        other => drop(found.insert(key, other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(egg: &str) -> model::Template {
        ::templates::egg::import(egg.as_bytes()).unwrap().template
    }

    const OLD: &str = r#"{"meta": {"version": "PTDL_v2"}, "exported_at": "2024", "name": "T", "startup": "run", "docker_images": {"One": "a/b:1"},
        "config": {"stop": "stop", "startup": "{}", "files": "{}"},
        "variables": [{"env_variable": "A", "default_value": "1"}, {"env_variable": "B", "default_value": "2"}]}"#;

    #[test]
    fn each_key_is_told_with_both_values() {
        let new = OLD
            .replace("2024", "2025")
            .replace("a/b:1", "a/b:2")
            .replace(r#"{"env_variable": "A", "default_value": "1"}, "#, "")
            .replace(r#""default_value": "2""#, r#""default_value": "3""#);
        let changes = between(&template(OLD), &template(&new));
        let of = |key: &str| changes.iter().find(|change| change.key == key);
        let image = of("images.One.reference").unwrap();
        assert_eq!((image.before.as_deref(), image.after.as_deref()), (Some("a/b:1"), Some("a/b:2")));
        let default = of("variables.B.default").unwrap();
        assert_eq!((default.before.as_deref(), default.after.as_deref()), (Some("2"), Some("3")));
        assert_eq!(of("variables.A.default").unwrap().after, None);
        assert!(changes.iter().all(|change| !change.key.contains("exported_at")), "{changes:?}");
        assert_eq!(between(&template(OLD), &template(OLD)), []);
    }

    #[test]
    fn it_is_bounded() {
        let mut old = template(OLD);
        old.about.notes = "x".repeat(50_000);
        let mut new = old.clone();
        new.about.notes = "y".repeat(50_000);
        new.about.tags = vec!["t".into(); 10];
        for number in 0..500 {
            new.variables.push(model::Variable { name: format!("V{number}"), ..model::Variable::default() });
        }
        let changes = between(&old, &new);
        assert_eq!(changes.len(), MOST);
        assert!(
            changes
                .iter()
                .all(|change| change.after.as_ref().is_none_or(|text| text.chars().count() <= LONGEST + 1))
        );
    }
}
