//! The ways to write envelopes, and how the two sides agree on one.

/// A way to write envelopes, chosen when the connection is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// JSON in text frames.
    #[default]
    Json,
    /// The same with names, in binary frames.
    MessagePack,
}

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
}
