//! Logins at image registries: written, listed without their secrets, removed.

use serde_json::json;

use crate::harness::Panel;

#[tokio::test]
async fn a_login_is_kept_and_its_secret_never_told() {
    let mut panel = Panel::start().await;
    let login = |host: &str, secret: &str| json!({ "host": host, "username": "me", "secret": secret });
    let admin = panel.admin();
    assert_eq!(admin.get("/api/registries").await.expect(200).json, json!([]));
    let kept = admin.post("/api/registries", login("https://GHCR.io/", "t0p-s3cret")).await.expect(201);
    assert!(!kept.text.contains("t0p-s3cret"));
    let id = kept.id();
    let again = admin.post("/api/registries", login("ghcr.io", "n3wer-s3cret")).await.expect(201);
    assert_eq!(again.id(), id);
    panel.kill().await;
    panel.again().await;
    let admin = panel.admin();
    let list = admin.get("/api/registries").await.expect(200);
    assert_eq!(list.json, json!([{ "id": id, "host": "ghcr.io", "username": "me" }]));
    for (body, field) in [
        (login("no host", "s"), "host"),
        (login("", "s"), "host"),
        (login("ghcr.io", ""), "secret"),
        (json!({ "host": "ghcr.io", "username": "a\nb", "secret": "s" }), "username"),
    ] {
        let refused = admin.post("/api/registries", body).await.refused(422, "invalid");
        assert!(!refused.field(field).is_empty(), "{refused:?}");
    }
    admin.delete(&format!("/api/registries/{id}")).await.expect(204);
    admin.delete(&format!("/api/registries/{id}")).await.refused(404, "not_found");
    assert_eq!(admin.get("/api/registries").await.json, json!([]));
    assert!(!panel.log().contains("s3cret"), "the log tells a secret");
}
