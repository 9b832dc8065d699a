//! The engine's list of containers: only their labels, and a limited number.

use std::collections::HashMap;
use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Maximum number of containers.
const MOST: usize = 10_000;

/// The labels of each container.
pub(super) struct Containers(pub(super) Vec<HashMap<String, String>>);

#[derive(Deserialize)]
struct Container {
    #[serde(rename = "Labels", default)]
    labels: Option<HashMap<String, String>>,
}

impl<'de> Deserialize<'de> for Containers {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Vec<HashMap<String, String>>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of containers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
                let mut found = Vec::new();
                while found.len() < MOST {
                    match all.next_element::<Container>()? {
                        Some(container) => found.extend(container.labels),
                        None => return Ok(found),
                    }
                }
                while all.next_element::<IgnoredAny>()?.is_some() {}
                Ok(found)
            }
        }
        input.deserialize_seq(Each).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_and_no_more_than_there_can_be() {
        let text = r#"[{"Id":"a","Labels":{"x":"1"},"Mounts":[{}]},{"Labels":null},{}]"#;
        let Containers(found) = serde_json::from_str(text).unwrap();
        assert_eq!(found, [HashMap::from([("x".to_owned(), "1".to_owned())])]);
        let many = format!("[{}]", vec![r#"{"Labels":{}}"#; MOST + 5].join(","));
        assert_eq!(serde_json::from_str::<Containers>(&many).unwrap().0.len(), MOST);
        assert!(serde_json::from_str::<Containers>("{}").is_err());
    }
}
