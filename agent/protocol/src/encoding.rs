//! The encodings of envelopes, and their negotiation.

/// An encoding of envelopes, chosen when the connection is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// JSON in text frames.
    #[default]
    Json,
    /// MessagePack with field names, in binary frames.
    MessagePack,
}

impl Encoding {
    /// The subprotocols offered by an agent, in the order best for the oldest panels.
    pub const OFFER: &str = "ctrl-alt-play.json, ctrl-alt-play.msgpack";

    /// The name of its subprotocol.
    #[must_use]
    pub fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "ctrl-alt-play.json",
            Self::MessagePack => "ctrl-alt-play.msgpack",
        }
    }

    /// Display name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::MessagePack => "msgpack",
        }
    }

    /// The encoding of a subprotocol.
    #[must_use]
    pub fn of_subprotocol(name: &str) -> Option<Self> {
        [Self::Json, Self::MessagePack].into_iter().find(|encoding| encoding.subprotocol() == name.trim())
    }

    /// The panel's choice: MessagePack if it is offered.
    #[must_use]
    pub fn choose(offered: &[String]) -> Option<Self> {
        let known = offered.iter().filter_map(|name| Self::of_subprotocol(name));
        known.max_by_key(|encoding| *encoding == Self::MessagePack)
    }
}
