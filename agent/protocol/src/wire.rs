//! Encodes and decodes envelopes: as JSON text, or as MessagePack if both sides agreed on it. Works on bytes; sockets
//! are elsewhere.

use serde::Serialize;

use super::bounded::{self, Inbound};
use super::encoding::Encoding;
use super::envelope::{DecodeError, Envelope, open};
use super::text::TextRule;

/// A message could not be encoded. Does not happen with ours.
#[derive(Debug, thiserror::Error)]
#[error("a message could not be written: {0}")]
pub struct EncodeError(String);

impl Encoding {
    /// Encodes an envelope.
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

    /// Decodes a frame, as leniently as [`super::decode`], and only as much of it as a message of its type may have.
    ///
    /// # Errors
    /// [`DecodeError`], which is never a reason to close the link.
    pub fn decode<M: Inbound>(self, frame: &[u8]) -> Result<Envelope<M>, DecodeError> {
        let frame = bounded::read::<M>(self, frame).map_err(|mut cause| {
            TextRule::line(256).apply(&mut cause);
            DecodeError::NotAMessage(cause)
        })?;
        open(frame)
    }
}

/// Decodes a JSON frame. Lenient, as the protocol requires: `data`, `messageId` and `timestamp` may be missing, an
/// invalid timestamp is replaced by the time of receipt, and unknown keys are ignored.
///
/// # Errors
/// [`DecodeError`], which is never a reason to close the link.
pub fn decode<M: Inbound>(frame: &[u8]) -> Result<Envelope<M>, DecodeError> {
    Encoding::Json.decode(frame)
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
            // Unused values are skipped without recursion.
            assert_eq!(taken.is_ok(), key != "data", "{taken:?}");
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
        let refused = Encoding::Json.decode::<ToPanel>(json.as_bytes()).unwrap_err();
        assert!(refused.to_string().contains("larger than a message"), "{refused}");
        let mut packed = b"\x82\xa4type\xa3ack\xa4data\xdd\x00\x0f\x42\x40".to_vec();
        packed.extend(std::iter::repeat_n(0, 1_000_000));
        let refused = Encoding::MessagePack.decode::<ToPanel>(&packed).unwrap_err();
        assert!(refused.to_string().contains("larger than a message"), "{refused}");
        // A long text counts as one value.
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
