//! How an envelope looks on the wire: JSON text as given, or MessagePack where both sides agreed on it. Bytes in, bytes
//! out: sockets are elsewhere.

use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::envelope::{DecodeError, Envelope, Frame, open};

/// How deep lists and objects may lie in each other. JSON's reader has the same bound of its own.
const DEEPEST: usize = 128;
/// A frame past this size is counted before it is taken apart …
const LARGE: usize = 256 * 1024;
/// … and may hold so many values: a list of a million nothings is small on the wire and large in memory.
const MOST_VALUES: usize = 500_000;

/// A way to write envelopes, chosen when the connection is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// JSON in text frames.
    #[default]
    Json,
    /// The same with names, in binary frames.
    MessagePack,
}

/// A message that cannot be written. None of ours is like that.
#[derive(Debug, thiserror::Error)]
#[error("a message could not be written: {0}")]
pub struct EncodeError(String);

impl Encoding {
    /// What an agent offers, best for the oldest panels first.
    pub const OFFER: &str = "ctrl-alt-play.json, ctrl-alt-play.msgpack";

    /// The subprotocol that stands for it.
    #[must_use]
    pub fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "ctrl-alt-play.json",
            Self::MessagePack => "ctrl-alt-play.msgpack",
        }
    }

    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::MessagePack => "msgpack",
        }
    }

    /// What a subprotocol stands for.
    #[must_use]
    pub fn of_subprotocol(name: &str) -> Option<Self> {
        [Self::Json, Self::MessagePack].into_iter().find(|encoding| encoding.subprotocol() == name.trim())
    }

    /// The panel's choice: MessagePack where it is offered.
    #[must_use]
    pub fn choose(offered: &[String]) -> Option<Self> {
        let known = offered.iter().filter_map(|name| Self::of_subprotocol(name));
        known.max_by_key(|encoding| *encoding == Self::MessagePack)
    }

    /// One envelope.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn encode<M: Serialize>(self, envelope: &Envelope<M>) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::Json => serde_json::to_vec(envelope).map_err(|error| EncodeError(error.to_string())),
            Self::MessagePack => {
                rmp_serde::to_vec_named(envelope).map_err(|error| EncodeError(error.to_string()))
            }
        }
    }

    /// One frame, as leniently as [`super::decode`].
    ///
    /// # Errors
    /// [`DecodeError`], none of which is a reason to close the link.
    pub fn decode<M: DeserializeOwned>(self, frame: &[u8]) -> Result<Envelope<M>, DecodeError> {
        let broken = |error: String| DecodeError::NotAMessage(error.chars().take(256).collect());
        if frame.len() > LARGE {
            self.weigh(frame).map_err(broken)?;
        }
        let frame = match self {
            Self::Json => serde_json::from_slice(frame).map_err(|error| error.to_string()),
            Self::MessagePack => {
                let mut reader = rmp_serde::Deserializer::from_read_ref(frame);
                reader.set_max_depth(DEEPEST);
                Frame::deserialize(&mut reader).map_err(|error| error.to_string())
            }
        };
        open(frame.map_err(broken)?)
    }

    fn weigh(self, frame: &[u8]) -> Result<(), String> {
        let mut left = MOST_VALUES;
        match self {
            Self::Json => {
                let mut reader = serde_json::Deserializer::from_slice(frame);
                Weigh(&mut left).deserialize(&mut reader).map_err(|error| error.to_string())
            }
            Self::MessagePack => {
                let mut reader = rmp_serde::Deserializer::from_read_ref(frame);
                reader.set_max_depth(DEEPEST);
                Weigh(&mut left).deserialize(&mut reader).map_err(|error| error.to_string())
            }
        }
    }
}

/// Counts values and keeps none.
struct Weigh<'l>(&'l mut usize);

impl<'de> DeserializeSeed<'de> for Weigh<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        *self.0 =
            self.0.checked_sub(1).ok_or_else(|| D::Error::custom("more values than a message may have"))?;
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Weigh<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Weigh(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_key_seed(Weigh(&mut *self.0))?.is_some() {
            entries.next_value_seed(Weigh(&mut *self.0))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        Ack, ConsoleItem, ConsoleLine, ConsoleLines, ConsolePartial, ServerStatus, Status, Stream,
        SystemInfo, ToAgent, ToPanel,
    };
    use super::*;

    const BOTH: [Encoding; 2] = [Encoding::Json, Encoding::MessagePack];

    #[test]
    fn both_carry_the_same_envelope() {
        let line = ConsoleLine {
            seq: 7,
            time: jiff::Timestamp::now(),
            stream: Stream::Stdout,
            text: "hällo \u{1b}[1m".into(),
            truncated: false,
        };
        let (time, stream) = (line.time, line.stream);
        let partial = ConsolePartial { time, stream, text: "> ".into(), truncated: true };
        let lines = ConsoleLines {
            server_id: "a".into(),
            lines: vec![ConsoleItem::Line(line)],
            reset: true,
            partial: Some(partial),
        };
        let messages = [
            ToPanel::ConsoleLines(lines),
            ToPanel::Ack(Ack::default()),
            ToPanel::ServerStatus(Box::new(ServerStatus::new("a", Status::Other("odd".into())))),
            ToPanel::SystemInfo(Box::new(SystemInfo { memory: u64::MAX, ..SystemInfo::default() })),
        ];
        for encoding in BOTH {
            for message in &messages {
                let envelope = Envelope::with_id(message.clone(), "id-1");
                let bytes = encoding.encode(&envelope).unwrap();
                assert_eq!(encoding.decode::<ToPanel>(&bytes).unwrap(), envelope, "{encoding:?}");
            }
            let bare = encoding.encode(&Envelope::new(ToAgent::SystemInfoRequest)).unwrap();
            assert_eq!(encoding.decode::<ToAgent>(&bare).unwrap().message, ToAgent::SystemInfoRequest);
        }
        let bytes = Encoding::MessagePack.encode(&Envelope::new(ToPanel::Ack(Ack::default()))).unwrap();
        assert!(bytes.windows(4).any(|part| part == b"type"), "with names");
    }

    #[test]
    fn msgpack_is_read_as_leniently_as_json() {
        let frame = |value: serde_json::Value| rmp_serde::to_vec_named(&value).unwrap();
        let taken = Encoding::MessagePack
            .decode::<ToPanel>(&frame(serde_json::json!({
                "type": "ack", "later": [1, {"x": null}], "timestamp": 5, "messageId": 7
            })))
            .unwrap();
        assert_eq!((taken.message, taken.message_id), (ToPanel::Ack(Ack::default()), None));
        let unknown = Encoding::MessagePack
            .decode::<ToPanel>(&frame(serde_json::json!({ "type": "tea", "messageId": "7" })));
        assert!(matches!(unknown, Err(DecodeError::UnknownType { message_id: Some(_), .. })), "{unknown:?}");
        for garbage in
            [&b""[..], b"\xc1", b"\x93\x01\x02", b"{}", b"\xdf\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff\x01"]
        {
            let refused = Encoding::MessagePack.decode::<ToPanel>(garbage);
            assert!(matches!(refused, Err(DecodeError::NotAMessage(_))), "{garbage:?}: {refused:?}");
        }
    }

    #[test]
    fn depth_ends_no_stack() {
        const LEVELS: usize = 100_000;
        for key in ["data", "other", "messageId", "timestamp"] {
            let json = format!(r#"{{"type":"ack","{key}":{}1{}}}"#, "[".repeat(LEVELS), "]".repeat(LEVELS));
            let taken = Encoding::Json.decode::<ToPanel>(json.as_bytes());
            // What nobody reads is skipped without going down into it.
            assert_eq!(taken.is_ok(), key == "other", "{taken:?}");
            let mut packed = b"\x82\xa4type\xa3ack".to_vec();
            packed.push(0xa0 | u8::try_from(key.len()).unwrap());
            packed.extend(key.as_bytes());
            packed.extend(std::iter::repeat_n(0x91, LEVELS));
            packed.push(1);
            assert!(matches!(
                Encoding::MessagePack.decode::<ToPanel>(&packed),
                Err(DecodeError::NotAMessage(_))
            ));
        }
    }

    #[test]
    fn a_small_frame_of_a_million_values_is_refused_before_it_takes_memory() {
        let json = format!(r#"{{"type":"ack","data":[0{}]}}"#, ",0".repeat(1_000_000));
        assert!(matches!(
            Encoding::Json.decode::<ToPanel>(json.as_bytes()),
            Err(DecodeError::NotAMessage(_))
        ));
        let mut packed = b"\x82\xa4type\xa3ack\xa4data\xdd\x00\x0f\x42\x40".to_vec();
        packed.extend(std::iter::repeat_n(0, 1_000_000));
        let refused = Encoding::MessagePack.decode::<ToPanel>(&packed).unwrap_err();
        assert!(refused.to_string().contains("more values"), "{refused}");
        // A long text is one value.
        let long = format!(
            r#"{{"type":"file_content","data":{{"serverId":"a","path":"x","content":"{}"}}}}"#,
            "x".repeat(4 << 20)
        );
        Encoding::Json.decode::<ToPanel>(long.as_bytes()).unwrap();
    }

    #[test]
    fn the_panel_takes_msgpack_where_it_is_offered() {
        let offer = |text: &str| text.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>();
        assert_eq!(Encoding::choose(&offer(Encoding::OFFER)), Some(Encoding::MessagePack));
        assert_eq!(Encoding::choose(&offer("x, ctrl-alt-play.json")), Some(Encoding::Json));
        assert_eq!(Encoding::choose(&offer("chat")), None);
        assert_eq!(Encoding::choose(&[]), None);
    }
}
