//! Frames, read within a bound of the memory that they become. A list of a million nothings is small on the wire and
//! large in memory; what is past the bound is read to its end, so that the frame's id is known, and kept nowhere.

use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Number, Value};

use super::encoding::Encoding;

/// How deep lists and objects may lie in each other. JSON's reader has the same bound of its own.
const DEEPEST: usize = 128;
/// What a value takes in a list that grows.
const VALUE: usize = 2 * size_of::<Value>();
/// What a map takes with its first entry, and then each entry.
const MAP: usize = 640;
const ENTRY: usize = 128;
/// Characters of a type that are kept: none is as long.
const KIND: usize = 64;
/// What an id or a time may take.
const SMALL: usize = 1024;

/// What a frame may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes on the wire.
    pub frame: usize,
    /// Bytes of memory, about, while it is taken apart.
    pub memory: usize,
}

/// Most messages.
pub(super) const USUAL: Limits = Limits { frame: 1 << 20, memory: 4 << 20 };
/// The settings of a server, with what its template says.
pub(super) const SETTINGS: Limits = Limits { frame: 4 << 20, memory: 12 << 20 };
/// Everything that an agent has.
pub(super) const EVERYTHING: Limits = Limits { frame: 1 << 20, memory: 8 << 20 };
/// Thousands of files' names.
pub(super) const LISTING: Limits = Limits { frame: 6 << 20, memory: 24 << 20 };
/// A file of 4 MiB, where each byte may be escaped.
pub(super) const FILE: Limits = Limits { frame: 26 << 20, memory: 26 << 20 };

/// What one side takes from the other.
pub trait Inbound: DeserializeOwned {
    /// What a message of this type may be; `None` where the type is not known.
    fn limits(kind: &str) -> Option<Limits>;

    /// Brings a message within its bounds: texts are cleaned and cut, lists end.
    ///
    /// # Errors
    /// What is too much, where cutting it would change what is meant.
    fn bound(&mut self) -> Result<(), String>;
}

/// An envelope whose data is not looked at yet.
pub(super) struct Frame {
    pub(super) kind: String,
    pub(super) data: Value,
    pub(super) message_id: Option<String>,
    pub(super) timestamp: Option<Timestamp>,
    /// Its data was more than it may be, and is not here.
    pub(super) too_large: bool,
}

/// One frame, with as much of its data as a message of its type may have.
pub(super) fn read<M: Inbound>(encoding: Encoding, frame: &[u8]) -> Result<Frame, String> {
    seeded(encoding, frame, Envelope::<M> { frame, encoding, message: PhantomData })
}

/// A whole frame as a tree; `None` where it is none, or more than it may be.
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

/// The type alone, for a frame that has it behind its data.
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

/// Memory that may still be taken.
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
    /// Nothing of the data where the frame is too long already, or nobody knows what it is.
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

/// A type or a key: what is longer than any is cut.
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

/// A value with all that is in it; nothing where that is more than there is memory for.
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
