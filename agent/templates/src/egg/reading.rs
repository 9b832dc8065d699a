//! State while an egg is read.

use super::warning::{Code, Warnings};
use crate::text;
use crate::value::Value;

/// The egg that is read, and the warnings and extras collected so far.
pub(super) struct Reading<'a> {
    pub(super) egg: &'a Value,
    pub(super) version: Version,
    pub(super) warnings: Warnings,
    pub(super) extras: Value,
}

/// Versions of the egg format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Ptdl1,
    Ptdl2,
    Plcn1,
    Plcn2,
    Plcn3,
}

impl std::fmt::Display for Version {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Ptdl1 => "PTDL_v1",
            Self::Ptdl2 => "PTDL_v2",
            Self::Plcn1 => "PLCN_v1",
            Self::Plcn2 => "PLCN_v2",
            Self::Plcn3 => "PLCN_v3",
        })
    }
}

impl Reading<'_> {
    /// The text of a key. Other scalars are converted; an absent value is an empty string. A list or map is kept in the
    /// extras, with a warning.
    pub(super) fn text(&mut self, value: Option<&Value>, key: &str) -> String {
        let Some(value) = value else { return String::new() };
        value.scalar().unwrap_or_else(|| {
            if !value.is_empty() {
                self.warnings.add(
                    Code::WrongKind,
                    key,
                    format!("text was expected, and it is {}", value.kind()),
                );
                self.keep(key, value.clone());
            }
            String::new()
        })
    }

    /// The text of a map's entry, whose name is arbitrary and may contain dots. If it is not a scalar, returns `None`
    /// and keeps it in the extras, with a warning.
    pub(super) fn entry(&mut self, map: &str, name: &str, value: &Value) -> Option<String> {
        let text = value.scalar();
        if text.is_none() {
            let said = format!("text was expected, and it is {}", value.kind());
            self.warnings.add(Code::WrongKind, format!("{map}.{name}"), said);
            self.keep_at(&[map, name], value.clone());
        }
        text
    }

    /// A list of texts. Accepts a list, a single text, `null`, or a map, since YAML exports write an empty list as an
    /// empty map.
    pub(super) fn texts(&mut self, value: Option<&Value>, key: &str) -> Vec<String> {
        match value {
            Some(Value::List(list)) => {
                list.iter().filter_map(Value::scalar).filter(|text| !text.is_empty()).collect()
            }
            Some(Value::String(text)) if !text.is_empty() => vec![text.clone()],
            None | Some(Value::Null | Value::String(_)) => Vec::new(),
            Some(Value::Map(entries)) => entries.iter().filter_map(|(_, value)| value.scalar()).collect(),
            Some(other) => {
                self.warnings.add(
                    Code::WrongKind,
                    key,
                    format!("a list was expected, and it is {}", other.kind()),
                );
                self.keep(key, other.clone());
                Vec::new()
            }
        }
    }

    /// Keeps a value in the extras, at a path of keys separated by dots.
    pub(super) fn keep(&mut self, path: &str, value: Value) {
        let parts: Vec<&str> = path.split('.').collect();
        self.keep_at(&parts, value);
    }

    /// Keeps a value in the extras, at a path of keys.
    pub(super) fn keep_at(&mut self, path: &[&str], value: Value) {
        let mut place = &mut self.extras;
        let Some((last, parents)) = path.split_last() else { return };
        for part in parents {
            if place.get(part).is_none_or(|known| !matches!(known, Value::Map(_))) {
                place.set(part, Value::map());
            }
            let Value::Map(entries) = place else { return };
            let Some((_, next)) = entries.iter_mut().rev().find(|(key, _)| key == part) else { return };
            place = next;
        }
        place.set(last, value);
    }

    /// Cleans a single line of text. Adds a warning if that changes it.
    pub(super) fn line(&mut self, raw: &str, key: &str, most: usize) -> String {
        let clean = text::line(raw, most);
        if clean != raw.split_whitespace().collect::<Vec<_>>().join(" ") {
            self.warnings.add(Code::Cleaned, key, "control characters were taken out, or it was too long");
        }
        clean
    }
}
