//! Reads frames with a limit on the memory that they take when decoded. A list of a million nulls is small on the wire
//! and large in memory. Data beyond the limit is parsed to its end, so that the frame's id is known, but not stored.

use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Number, Value};

use super::encoding::Encoding;

/// Maximum nesting of lists and objects. The JSON parser has the same limit.
const DEEPEST: usize = 128;
/// Assumed bytes of a value in a growing list.
const VALUE: usize = 2 * size_of::<Value>();
/// Assumed bytes of a map with its first entry, and of each further entry.
const MAP: usize = 640;
const ENTRY: usize = 128;
/// Maximum characters kept of a type; no type is as long.
const KIND: usize = 64;
/// Maximum bytes of an id or a time.
const SMALL: usize = 1024;

/// The size limits of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum bytes on the wire.
    pub frame: usize,
    /// Approximate maximum bytes of memory while it is decoded.
    pub memory: usize,
}

/// For most messages.
pub(super) const USUAL: Limits = Limits { frame: 1 << 20, memory: 4 << 20 };
/// For the settings of a server, including its template.
pub(super) const SETTINGS: Limits = Limits { frame: 4 << 20, memory: 12 << 20 };
/// For the list of everything an agent has.
pub(super) const EVERYTHING: Limits = Limits { frame: 1 << 20, memory: 8 << 20 };
/// For thousands of file names.
pub(super) const LISTING: Limits = Limits { frame: 6 << 20, memory: 24 << 20 };
/// For a file of 4 MiB in which each byte may be escaped.
pub(super) const FILE: Limits = Limits { frame: 26 << 20, memory: 26 << 20 };

/// A message received by one side from the other.
pub trait Inbound: DeserializeOwned {
    /// The limits of a message of this type; `None` if the type is unknown.
    fn limits(kind: &str) -> Option<Limits>;

    /// Enforces the limits of a message: texts are cleaned and cut, lists truncated.
    ///
    /// # Errors
    /// What is too large, if cutting it would change its meaning.
    fn bound(&mut self) -> Result<(), String>;
}

/// An envelope whose data is not decoded yet.
pub(super) struct Frame {
    pub(super) kind: String,
    pub(super) data: Value,
    pub(super) message_id: Option<String>,
    pub(super) timestamp: Option<Timestamp>,
    /// Its data exceeded the limits and was dropped.
    pub(super) too_large: bool,
}

/// Reads a frame, with as much of its data as the limits of its type allow.
pub(super) fn read<M: Inbound>(encoding: Encoding, frame: &[u8]) -> Result<Frame, String> {
    seeded(encoding, frame, Envelope::<M> { frame, encoding, message: PhantomData })
}

/// A complete frame as a JSON value; `None` if it is invalid or exceeds the limits.
pub(super) fn tree(frame: &[u8], limits: Limits) -> Option<Value> {
    if frame.len() > limits.frame {
        return None;
    }
    let mut budget = Budget::new(limits.memory);
    let value = seeded(Encoding::Json, frame, Tree(&mut budget)).ok()?;
    (!budget.spent).then_some(value)
}

fn seeded<'f, S: DeserializeSeed<'f>>(
    encoding: Encoding,
    frame: &'f [u8],
    seed: S,
) -> Result<S::Value, String> {
    match encoding {
        Encoding::Json => {
            let mut reader = serde_json::Deserializer::from_slice(frame);
            let value = seed.deserialize(&mut reader).map_err(|error| error.to_string())?;
            reader.end().map_err(|error| error.to_string())?;
            Ok(value)
        }
        Encoding::MessagePack => {
            let mut reader = rmp_serde::Deserializer::from_read_ref(frame);
            reader.set_max_depth(DEEPEST);
            seed.deserialize(&mut reader).map_err(|error| error.to_string())
        }
    }
}

/// Reads only the type, for a frame that has it after its data.
fn kind_of(encoding: Encoding, frame: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Bare {
        #[serde(rename = "type", deserialize_with = "kind")]
        kind: String,
    }
    fn kind<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
        Kind.deserialize(from)
    }
    seeded(encoding, frame, PhantomData::<Bare>).ok().map(|bare| bare.kind)
}

/// The remaining memory.
struct Budget {
    left: usize,
    spent: bool,
}

impl Budget {
    fn new(bytes: usize) -> Self {
        Self { left: bytes, spent: false }
    }

    fn take(&mut self, bytes: usize) -> bool {
        match self.left.checked_sub(bytes) {
            Some(left) if !self.spent => {
                self.left = left;
                true
            }
            _ => {
                self.spent = true;
                false
            }
        }
    }
}

struct Envelope<'f, M> {
    frame: &'f [u8],
    encoding: Encoding,
    message: PhantomData<M>,
}

impl<'de, M: Inbound> DeserializeSeed<'de> for Envelope<'_, M> {
    type Value = Frame;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Frame, D::Error> {
        from.deserialize_map(self)
    }
}

impl<M: Inbound> Envelope<'_, M> {
    /// The budget for the data: zero if the frame is too long or its type unknown.
    fn budget(&self, kind: Option<&str>) -> Budget {
        let limits = match kind {
            Some(kind) => M::limits(kind),
            None => kind_of(self.encoding, self.frame).and_then(|kind| M::limits(&kind)),
        };
        match limits {
            Some(limits) if self.frame.len() <= limits.frame => Budget::new(limits.memory),
            _ => Budget { left: 0, spent: true },
        }
    }
}

impl<'de, M: Inbound> Visitor<'de> for Envelope<'_, M> {
    type Value = Frame;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Frame, A::Error> {
        let (mut kind, mut data) = (None, None);
        let (mut message_id, mut timestamp, mut too_large) = (None, None, false);
        while let Some(key) = entries.next_key_seed(Kind)? {
            match key.as_str() {
                "type" if kind.is_none() => kind = Some(entries.next_value_seed(Kind)?),
                "data" if data.is_none() => {
                    let mut budget = self.budget(kind.as_deref());
                    if budget.spent {
                        entries.next_value::<IgnoredAny>()?;
                        data = Some(Value::Null);
                    } else {
                        data = Some(entries.next_value_seed(Tree(&mut budget))?);
                    }
                    too_large = budget.spent;
                }
                "messageId" if message_id.is_none() => {
                    message_id = Some(entries.next_value_seed(Tree(&mut Budget::new(SMALL)))?);
                }
                "timestamp" if timestamp.is_none() => {
                    timestamp = Some(entries.next_value_seed(Tree(&mut Budget::new(SMALL)))?);
                }
                "type" | "data" | "messageId" | "timestamp" => {
                    return Err(A::Error::custom(format_args!("duplicate field `{key}`")));
                }
                _ => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Frame {
            kind: kind.ok_or_else(|| A::Error::missing_field("type"))?,
            data: data.unwrap_or(Value::Null),
            message_id: match message_id {
                Some(Value::String(text)) if !text.is_empty() && text.len() <= 128 => Some(text),
                _ => None,
            },
            timestamp: match timestamp {
                Some(Value::String(text)) => text.parse().ok(),
                _ => None,
            },
            too_large,
        })
    }
}

/// A type or key, cut if it is longer than any valid one.
struct Kind;

impl<'de> DeserializeSeed<'de> for Kind {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<String, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Kind {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.chars().take(KIND).collect())
    }
}

/// A value including everything in it; nothing if that exceeds the budget.
struct Tree<'b>(&'b mut Budget);

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl Tree<'_> {
    fn one<E>(self, value: impl Into<Value>) -> Result<Value, E> {
        Ok(if self.0.take(VALUE) { value.into() } else { Value::Null })
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        self.one(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(if self.0.take(VALUE + text.len()) { Value::String(text.to_owned()) } else { Value::Null })
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        self.one(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        self.one(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        self.0.take(VALUE);
        while !self.0.spent {
            match items.next_element_seed(Tree(&mut *self.0))? {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
        drop(list);
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        self.0.take(MAP);
        while !self.0.spent {
            let Some(key) = entries.next_key_seed(Key(&mut *self.0))? else { return Ok(Value::Object(map)) };
            let value = entries.next_value_seed(Tree(&mut *self.0))?;
            map.insert(key, value);
        }
        drop(map);
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Null)
    }
}

struct Key<'b>(&'b mut Budget);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<String, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(if self.0.take(ENTRY + text.len()) { text.to_owned() } else { String::new() })
    }
}
