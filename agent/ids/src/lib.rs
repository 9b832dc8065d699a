//! Ids of servers and nodes as separate types, so that they cannot be confused.
//!
//! Both are plain text in the database, on the wire and in the API. An id from outside gets its type before it is
//! validated: `is_valid` is called where it becomes a folder, a container's name or a record.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Cow<'static, str>);

        impl $name {
            /// An id known at compile time.
            #[must_use]
            pub const fn fixed(text: &'static str) -> Self {
                Self(Cow::Borrowed(text))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text, to be limited in length when it is received.
            pub fn text_mut(&mut self) -> &mut String {
                self.0.to_mut()
            }

            /// Converts it into text without copying.
            #[must_use]
            pub fn into_string(self) -> String {
                self.0.into_owned()
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        // Allows lookups in maps by plain text.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        // Formats like the text, so that logs do not depend on the type.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Cow::Owned(text))
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(Cow::Owned(text.to_owned()))
            }
        }

        impl From<&$name> for $name {
            fn from(id: &$name) -> Self {
                id.clone()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.into_string()
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&$name> for $name {
            fn eq(&self, other: &&$name) -> bool {
                self.0 == other.0
            }
        }

        impl PartialEq<$name> for &$name {
            fn eq(&self, other: &$name) -> bool {
                self.0 == other.0
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }
    };
}

id! {
    /// The id of a server: `^[a-z0-9][a-z0-9-]{0,63}$`. It names the server's container and its folder.
    ServerId
}

id! {
    /// The id of a node: `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`.
    NodeId
}

impl ServerId {
    /// Whether it is valid, and so can name a container and a folder.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let bytes = self.0.as_bytes();
        let word = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        bytes.len() <= 64 && bytes.first().is_some_and(word) && bytes.iter().all(|b| word(b) || *b == b'-')
    }
}

impl NodeId {
    /// Whether it is valid.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let bytes = self.0.as_bytes();
        bytes.len() <= 64
            && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    }
}
