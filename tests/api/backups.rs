//! Backup targets and servers' policies, as far as no engine is needed. What nodes do with them is in `tests/docker/backup_*.rs`.

use serde_json::{Value, json};

use crate::harness::Panel;

fn rest(url: &str, password: Option<&str>) -> Value {
    let mut location = json!({ "kind": "rest", "url": url, "user": "me" });
    if let Some(password) = password {
        location["password"] = json!(password);
    }
    location
}

#[tokio::test]
async fn targets_are_kept_and_their_secrets_told_in_the_kit_alone() {
    let mut panel = Panel::start().await;
    let admin = panel.admin();
    assert_eq!(admin.get("/api/backup-targets").await.expect(200).json, json!([]));
    let body = json!({ "name": " NAS ", "location": rest("https://nas:8000/", Some("t0p-s3cret")) });
    let made = admin.post("/api/backup-targets", body).await.expect(201);
    let id = made.id();
    assert!(!made.text.contains("s3cret"));
    let address = json!({ "kind": "rest", "url": "https://nas:8000", "user": "me" });
    assert_eq!((&made.json["name"], &made.json["location"]), (&json!("NAS"), &address));
    assert_eq!(made.json["kitSaved"], false);

    panel.kill().await;
    panel.again().await;
    let admin = panel.admin();
    let one = format!("/api/backup-targets/{id}");
    assert_eq!(admin.get("/api/backup-targets").await.expect(200).json[0]["id"], id);
    // The address is another: whoever is there is not told the old password.
    let moved = json!({ "location": rest("https://evil", None) });
    admin.patch(&one, moved).await.refused(422, "invalid").field("location.password");
    let change = json!({ "name": "Attic", "location": rest("https://nas:8000", None), "kitSaved": true });
    let changed = admin.patch(&one, change).await.expect(200);
    assert_eq!((&changed.json["name"], &changed.json["kitSaved"]), (&json!("Attic"), &json!(true)));

    let kit = admin.get(&format!("{one}/kit")).await.expect(200);
    assert!(kit.header("content-disposition").contains("attachment"), "{kit:?}");
    assert!(kit.text.contains("export RESTIC_REST_PASSWORD='t0p-s3cret'"), "{}", kit.text);
    assert!(kit.text.contains("restic restore"), "{}", kit.text);
    let again = admin.get(&format!("{one}/kit")).await.expect(200);
    assert_eq!(kit.text, again.text, "the password is made once");
    let own = admin.get("/api/nodes/local/backup-kit").await.expect(200);
    assert!(own.text.contains("export RESTIC_PASSWORD="), "{}", own.text);
    admin.get("/api/nodes/none/backup-kit").await.refused(404, "not_found");

    admin.delete(&one).await.expect(204);
    admin.delete(&one).await.refused(404, "not_found");
    admin.get(&format!("{one}/kit")).await.refused(404, "not_found");
    assert!(!panel.log().contains("s3cret"), "the log tells a secret");
}

#[tokio::test]
async fn what_is_no_target_is_refused_field_by_field() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    for (body, field) in [
        (json!({ "name": "", "location": { "kind": "folder", "path": "/mnt" } }), "name"),
        (json!({ "name": "x", "location": { "kind": "folder", "path": "mnt" } }), "location.path"),
        (json!({ "name": "x", "location": { "kind": "folder", "path": "/mnt/../etc" } }), "location.path"),
        (json!({ "name": "x", "location": rest("nas", Some("p")) }), "location.url"),
        (json!({ "name": "x", "location": rest("https://nas", None) }), "location.password"),
        (
            json!({ "name": "x", "location": { "kind": "sftp", "host": "-oX=y", "user": "u", "path": "p", "password": "p" } }),
            "location.host",
        ),
    ] {
        let refused = admin.post("/api/backup-targets", body.clone()).await.refused(422, "invalid");
        assert!(!refused.field(field).is_empty(), "{body}: {refused:?}");
    }
    let unknown = json!({ "name": "x", "location": { "kind": "folder", "path": "/mnt", "url": "x" } });
    admin.post("/api/backup-targets", unknown).await.refused(422, "invalid");
    admin.post("/api/backup-targets/test", json!({})).await.refused(422, "invalid");
    admin.post("/api/backup-targets/test", json!({ "id": "none" })).await.refused(404, "not_found");
}
