//! The address by which the internet reaches a node, as an administrator sets it.

use std::net::IpAddr;

use protocol::NodeId;
use storage::WriteTx;

use super::Reach;
use crate::auth::Admin;
use crate::error::ApiError;

/// Longest name in the DNS.
const LONGEST: usize = 253;

impl Reach {
    /// Sets a node's public address: a name or an IP address, without a port. `None` forgets it.
    pub(super) async fn set_public_address(
        &self,
        by: &Admin,
        node_id: &NodeId,
        address: Option<&str>,
    ) -> Result<(), ApiError> {
        let address = match address.map(str::trim) {
            None | Some("") => None,
            Some(text) => Some(checked(text).ok_or_else(|| {
                ApiError::field(
                    "address",
                    "must be a name such as play.example.org or an IP address, without a port",
                )
            })?),
        };
        let (id, kept) = (node_id.clone(), address.clone());
        self.store
            .write(move |tx: &WriteTx| storage::nodes::set_public_address(tx, id.as_str(), kept))
            .await?;
        tracing::info!(node = %node_id, address, by = %by, "public address set");
        Ok(())
    }
}

/// A host that players can type, or `None`.
fn checked(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        let address = address.to_canonical();
        return (!address.is_unspecified() && !address.is_loopback() && !address.is_multicast())
            .then(|| address.to_string());
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    // An IPv4 address that did not parse is no name either.
    let number = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    let fits = name.len() <= LONGEST && name.split('.').all(label) && !number && name != "localhost";
    fits.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::checked;

    #[test]
    fn names_and_addresses_are_taken_and_nothing_else() {
        for (text, kept) in [
            ("play.example.org", "play.example.org"),
            ("Play.Example.ORG.", "play.example.org"),
            ("203.0.113.7", "203.0.113.7"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:DB8::1", "2001:db8::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
        ] {
            assert_eq!(checked(text).as_deref(), Some(kept), "{text}");
        }
        for text in [
            "example.org:25565",
            "http://example.org",
            "1.2.3.400",
            "0.0.0.0",
            "127.0.0.1",
            "::1",
            "localhost",
            "a..b",
            "-a.org",
            "a b",
            "<b>",
            &"a".repeat(64),
            &"a.".repeat(200),
        ] {
            assert_eq!(checked(text), None, "{text}");
        }
    }
}
