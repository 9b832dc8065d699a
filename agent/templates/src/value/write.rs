//! Writes a [`Value`] as JSON or YAML.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{Limits, Value, from_yaml};

/// Limits for reading back our own output. They never apply in practice: the input was bounded.
const OWN: Limits = Limits { bytes: 1 << 26, depth: 128, nodes: 1 << 22 };

/// Writes JSON, indented by four spaces, with a trailing newline.
pub fn to_json(value: &Value) -> String {
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut writer = serde_json::Serializer::with_formatter(&mut out, formatter);
    // Cannot fail: it writes to memory, and all keys are strings.
    let _ = value.serialize(&mut writer);
    out.push(b'\n');
    String::from_utf8(out).unwrap_or_default()
}

/// Writes YAML, with multi-line strings as block scalars. If the result does not parse as the same value, writes JSON
/// instead, which is valid YAML.
pub fn to_yaml(value: &Value) -> String {
    let options = serde_saphyr::ser_options! {
        prefer_block_scalars: true,
        min_fold_chars: usize::MAX,
        folded_wrap_chars: usize::MAX,
    };
    serde_saphyr::to_string_with_options(value, options)
        .ok()
        .filter(|text| from_yaml(text, &OWN).is_ok_and(|read| read == *value))
        .unwrap_or_else(|| to_json(value))
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::String(text) => serializer.serialize_str(text),
            Self::List(list) => {
                let mut seq = serializer.serialize_seq(Some(list.len()))?;
                for value in list {
                    seq.serialize_element(value)?;
                }
                seq.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}
