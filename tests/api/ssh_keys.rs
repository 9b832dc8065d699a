//! Public SSH keys under *Account*.

use serde_json::json;

use crate::harness::Panel;

const KEYS: &str = "/api/account/ssh-keys";
const ED25519: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti user@example.com";
const ED25519_PRINT: &str = "SHA256:UCUiLr7Pjs9wFFJMDByLgc3NrtdU344OgUM45wZPcIQ";

#[tokio::test]
async fn each_account_has_its_own_keys() {
    let panel = Panel::start().await;
    let (admin, ann) = (panel.admin(), panel.user("ann").await);
    assert_eq!(ann.get(KEYS).await.expect(200).json, json!([]));
    let made = ann.post(KEYS, json!({ "key": format!("{ED25519}\n") })).await.expect(201).json;
    assert_eq!(made["name"], "user@example.com", "the comment is its name");
    assert_eq!((&made["algorithm"], &made["fingerprint"]), (&json!("ssh-ed25519"), &json!(ED25519_PRINT)));
    assert!(made.get("lastUsed").is_none() && made.get("key").is_none(), "{made}");
    ann.post(KEYS, json!({ "key": ED25519, "name": "again" })).await.refused(409, "conflict");
    let named = admin.post(KEYS, json!({ "key": ED25519, "name": " laptop " })).await.expect(201).json;
    assert_eq!(named["name"], "laptop");
    let id = made["id"].as_str().unwrap();
    admin.delete(&format!("{KEYS}/{id}")).await.refused(404, "not_found");
    ann.delete(&format!("{KEYS}/{id}")).await.expect(204);
    ann.delete(&format!("{KEYS}/{id}")).await.refused(404, "not_found");
    assert_eq!(ann.get(KEYS).await.expect(200).json, json!([]));
    assert_eq!(admin.get(KEYS).await.expect(200).json.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_public_key_is_refused_with_a_sentence() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    for (key, words) in [
        ("", "public key on one line"),
        ("ssh-ed25519 AAAA", "public key on one line"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nabc", "private half"),
        ("PuTTY-User-Key-File-3: ssh-ed25519", "private half"),
        ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ== me", "ssh-keygen -t ed25519"),
        (&"x".repeat(10_000), "public key on one line"),
    ] {
        let refused = admin.post(KEYS, json!({ "key": key })).await.refused(422, "invalid");
        assert!(refused.text.contains(words), "{key}: {}", refused.text);
    }
    for name in ["x".repeat(65), "a\nb".to_owned()] {
        admin.post(KEYS, json!({ "key": ED25519, "name": name })).await.refused(422, "invalid");
    }
    admin.post(KEYS, json!({ "key": ED25519, "more": 1 })).await.refused(422, "invalid");
}
