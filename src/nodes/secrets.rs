//! A node's secret: generated, stored as a hash, renewed and revoked.
//!
//! After a renewal the old secret stays valid until the agent uses the new one, but at most ten minutes. This gives the
//! administrator time to configure the agent.

use std::time::Duration;

use sha2::{Digest, Sha256};
use storage::Millis;
use storage::nodes::{Node, OldSecret};

/// Shortest interval at which the last use is written, in milliseconds, to limit the wear of SD cards.
const WORTH_NOTING: Millis = 60_000;

/// SHA-256 of a secret. Only hashes are stored and compared, so the time of a comparison reveals nothing about the
/// secret.
pub(super) type Hash = [u8; 32];

/// Result of checking a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecretMatch {
    /// The node's own secret, or the shared secret if the node has none.
    Right,
    /// The node's previous secret, and when it expires, in milliseconds since 1970.
    Old(Millis),
    /// The secret matches none of the node's.
    Wrong,
}

/// Generates a secret: 256 random bits as hex digits.
pub(super) fn make() -> String {
    hex(&rand::random::<Hash>())
}

pub(super) fn hash(secret: &str) -> Hash {
    Sha256::digest(secret.as_bytes()).into()
}

/// Checks a secret. The shared secret is valid only for a node without its own.
pub(super) fn verify(node: Option<&Node>, shared: Option<&Hash>, given: &Hash, now: Millis) -> SecretMatch {
    let own = node.and_then(|node| node.secret_hash.as_deref());
    let right = own.map_or(shared == Some(given), |own| own == given);
    if right {
        return SecretMatch::Right;
    }
    let old = node.and_then(|node| node.old_secret.as_ref());
    match old.filter(|old| old.until > now && old.hash == given) {
        Some(old) => SecretMatch::Old(old.until),
        None => SecretMatch::Wrong,
    }
}

/// Gives a node a new secret. The one that its agent uses now stays valid for `lasts`.
pub(super) fn renew(node: &mut Node, new: &Hash, shared: Option<&Hash>, now: Millis, lasts: Duration) {
    let until = now.saturating_add(Millis::try_from(lasts.as_millis()).unwrap_or(Millis::MAX));
    // If renewed twice before the agent used the first new secret, the agent still has the one before both.
    let pending = node.old_secret.take().filter(|old| old.until > now && !node.revoked);
    let current = node.secret_hash.take().or_else(|| shared.map(|hash| hash.to_vec()));
    let has = pending.map(|old| old.hash).or(current).filter(|_| !node.revoked);
    node.old_secret = has.map(|hash| OldSecret { hash, until });
    node.secret_hash = Some(new.to_vec());
    node.revoked = false;
}

/// Revokes a node's secret and the previous one. The stored hash becomes a random one that no secret has.
pub(super) fn revoke(node: &mut Node) {
    node.secret_hash = Some(rand::random::<Hash>().to_vec());
    node.old_secret = None;
    node.revoked = true;
}

/// Notes the use of a secret in `node`. Returns whether the change is worth a write.
pub(super) fn used(node: &mut Node, judged: SecretMatch, now: Millis) -> bool {
    let settled = judged == SecretMatch::Right && node.old_secret.take().is_some();
    let news = node.secret_used_at.is_none_or(|at| (now - at).abs() > WORTH_NOTING);
    node.secret_used_at = Some(now);
    settled || news
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn node(own: Option<&str>) -> Node {
        let mut node = Node::new("n", "n", 1);
        node.secret_hash = own.map(|secret| hash(secret).to_vec());
        node
    }

    fn judged(node: &Node, given: &str, now: Millis) -> SecretMatch {
        verify(Some(node), Some(&hash("shared")), &hash(given), now)
    }

    #[test]
    fn secrets_have_256_bits_and_are_kept_as_a_hash() {
        let (one, other) = (make(), make());
        assert_eq!(one.len(), 64);
        assert_ne!(one, other);
        assert_eq!(
            hex(&hash("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "FIPS 180-2, appendix B.1"
        );
    }

    #[test]
    fn a_node_with_its_own_secret_takes_no_other() {
        assert_eq!(judged(&node(Some("own")), "own", 1), SecretMatch::Right);
        assert_eq!(judged(&node(Some("own")), "shared", 1), SecretMatch::Wrong);
        assert_eq!(judged(&node(None), "shared", 1), SecretMatch::Right);
        assert_eq!(judged(&node(None), "own", 1), SecretMatch::Wrong);
        assert_eq!(verify(None, None, &hash(""), 1), SecretMatch::Wrong);
    }

    #[test]
    fn both_open_until_the_agent_came_with_the_new_one_or_the_time_is_over() {
        let mut node = node(Some("one"));
        renew(&mut node, &hash("two"), None, 1_000, HOUR);
        assert_eq!(judged(&node, "one", 2_000), SecretMatch::Old(3_601_000));
        assert_eq!(judged(&node, "one", 3_601_000), SecretMatch::Wrong);
        assert_eq!(judged(&node, "two", 9_000_000), SecretMatch::Right);
        // Renewed again: the agent still has the first secret, the second was never used.
        renew(&mut node, &hash("three"), None, 2_000, HOUR);
        assert_eq!(judged(&node, "one", 3_000), SecretMatch::Old(3_602_000));
        assert_eq!(judged(&node, "two", 3_000), SecretMatch::Wrong);
        assert!(!{
            let mut same = node.clone();
            same.secret_used_at = Some(3_000);
            used(&mut same, SecretMatch::Old(0), 3_500)
        });
        assert!(used(&mut node, SecretMatch::Right, 4_000));
        assert_eq!(judged(&node, "one", 4_001), SecretMatch::Wrong);
        assert!(!used(&mut node, SecretMatch::Right, 5_000), "nothing new within a minute");
    }

    #[test]
    fn who_came_with_the_shared_secret_may_do_so_for_a_while() {
        let mut node = node(None);
        renew(&mut node, &hash("own"), Some(&hash("shared")), 0, HOUR);
        assert!(matches!(judged(&node, "shared", 1), SecretMatch::Old(_)));
        assert_eq!(judged(&node, "own", 1), SecretMatch::Right);
    }

    #[test]
    fn a_revoked_secret_opens_nothing_and_neither_does_what_was_before_it() {
        let mut node = node(Some("one"));
        renew(&mut node, &hash("two"), None, 0, HOUR);
        revoke(&mut node);
        for secret in ["one", "two", "shared", ""] {
            assert_eq!(judged(&node, secret, 1), SecretMatch::Wrong, "{secret}");
        }
        renew(&mut node, &hash("three"), Some(&hash("shared")), 2, HOUR);
        assert_eq!(judged(&node, "three", 3), SecretMatch::Right);
        assert_eq!(node.old_secret, None);
    }
}
