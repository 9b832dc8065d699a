//! Icons of templates: images are re-encoded or refused, and only PNG is served.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::download_host::{Downloads, Fault};
use crate::harness::{Answer, Client, Panel};

/// A red image of 2 × 2 pixels, with a comment that contains markup.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAIXRFWHRDb21tZW50ADxzY3JpcHQ+YWxlcnQoMSk8L3Njcmlw\
    dD4DACiAAAAAEElEQVR4nGP4z8AARAwQCgAf7gP9i18U1AAAAABJRU5ErkJggg==";
/// Claims to have 60,000 × 60,000 pixels.
const BOMB: &str = "iVBORw0KGgoAAAANSUhEUgAA6mAAAOpgCAIAAAAPsOIVAAAAEUlEQVR4nGNgGAWjYBQMdwAAA+gAAbOm00YAAAAASUVORK5C\
    YII=";

fn bytes(text: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(text).unwrap()
}

async fn put(client: &Client, id: &str, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    let path = format!("/api/templates/{id}/icon");
    client.send(client.request(Method::PUT, &path).header("content-type", kind).body(body)).await
}

/// A template in the native form. Returns its id.
async fn template(admin: &Client, name: &str, icon: Option<&str>) -> String {
    let about = json!({ "name": name, "icon": icon });
    let body = json!({ "template": 1, "about": about, "images": [{ "label": "One", "reference": "a/b:c" }],
        "startup": [{ "name": "Default", "command": "./game" }] });
    admin.post("/api/templates", body).await.expect(201).id()
}

/// The served icon.
async fn shown(client: &Client, id: &str) -> Option<Vec<u8>> {
    let request = client.request(Method::GET, &format!("/api/templates/{id}/icon"));
    let answer = request.send().await.unwrap();
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"));
    if answer.status() != 200 {
        assert_eq!(
            (answer.status().as_u16(), header("content-type").as_deref()),
            (404, Some("application/json"))
        );
        return None;
    }
    assert_eq!(header("content-type").as_deref(), Some("image/png"));
    Some(answer.bytes().await.unwrap().to_vec())
}

async fn has_icon(client: &Client, id: &str) -> bool {
    client.get(&format!("/api/templates/{id}")).await.expect(200).json["icon"].as_bool().unwrap()
}

#[tokio::test]
async fn a_picture_is_uploaded_shown_and_taken_away() {
    let panel = Panel::start().await;
    let (admin, user) = (panel.admin(), panel.user("somebody").await);
    let id = template(&admin, "Pictured", None).await;
    assert!(!has_icon(&user, &id).await && shown(&user, &id).await.is_none());

    put(&user, &id, "image/png", bytes(PNG)).await.refused(403, "forbidden");
    put(&admin, &id, "image/png", bytes(PNG)).await.expect(204);
    assert!(has_icon(&user, &id).await);
    let picture = shown(&user, &id).await.unwrap();
    assert!(picture.starts_with(b"\x89PNG") && picture.len() < 200, "{} bytes", picture.len());
    assert!(!picture.windows(8).any(|part| part == b"<script>"), "the comment went out");
    // The icon is part of the exported file, and is imported again.
    let file = admin.get(&format!("/api/templates/{id}/export")).await.expect(200).text;
    assert!(file.contains("data:image/png;base64,"), "{file}");
    let copy = admin.post(&format!("/api/templates/{id}/duplicate"), json!({})).await.expect(201).id();
    assert_eq!(shown(&user, &copy).await.unwrap(), picture);

    admin.call(Method::DELETE, &format!("/api/templates/{id}/icon"), None).await.expect(204);
    assert!(!has_icon(&user, &id).await && shown(&user, &id).await.is_none());
    let list = admin.get("/api/templates").await.json;
    let builtin = list[0]["id"].as_str().unwrap();
    put(&admin, builtin, "image/png", bytes(PNG)).await.refused(409, "conflict");
    put(&admin, "no-such", "image/png", bytes(PNG)).await.refused(404, "not_found");
}

#[tokio::test]
async fn what_is_no_picture_of_points_is_refused() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let id = template(&admin, "Hostile", None).await;
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    for kind in
        ["image/svg+xml", "text/html", "application/x-php", "application/octet-stream", "image/x-icon"]
    {
        put(&admin, &id, kind, bytes(PNG)).await.refused(415, "unsupported_media_type");
    }
    let php = "<?php system($_GET[1]);";
    for body in [
        svg,
        "<!doctype html><script>alert(1)</script>",
        php,
        "http://169.254.169.254/",
        "",
        "GIF89a<script>",
    ] {
        for kind in ["image/png", "image/gif", "image/webp", "image/jpeg"] {
            put(&admin, &id, kind, body).await.refused(415, "unsupported_media_type");
        }
    }
    put(&admin, &id, "image/png", bytes(BOMB)).await.refused(415, "unsupported_media_type");
    put(&admin, &id, "image/png", vec![0x89; (1 << 20) + 1]).await.refused(413, "too_large");
    assert!(!has_icon(&admin, &id).await && shown(&admin, &id).await.is_none());
}

#[tokio::test]
async fn what_an_egg_brings_is_shown_where_it_is_a_picture() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let data = |kind: &str, bytes: &[u8]| format!("data:{kind};base64,{}", BASE64_STANDARD.encode(bytes));
    let script = b"<script>alert(1)</script>";
    for (at, icon) in [
        data("image/svg+xml", b"<svg><script>alert(1)</script></svg>"),
        data("text/html", script),
        data("image/gif", script),
        data("image/png", &bytes(BOMB)),
        "data:image/png;base64,not base64 at all".to_owned(),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "https://example.org/x.php".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let id = template(&admin, &format!("Egg {at}"), Some(&icon)).await;
        assert!(shown(&admin, &id).await.is_none(), "{icon}");
    }
    // The type is detected from the content, whatever the URL says.
    let id = template(&admin, "Pictured", Some(&data("image/gif", &bytes(PNG)))).await;
    assert!(has_icon(&admin, &id).await);
    assert!(shown(&admin, &id).await.unwrap().starts_with(b"\x89PNG"));
}

#[tokio::test]
async fn an_icon_at_an_address_is_fetched_when_its_egg_is_added() {
    let host = Downloads::start();
    host.put("red.png", bytes(PNG));
    host.put("bomb.png", bytes(BOMB));
    host.put("large.png", [bytes(PNG), vec![0; 1 << 20]].concat());
    host.put("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec());
    let panel = Panel::builder().env("FETCH_ALLOW", "127.0.0.1").start().await;
    let admin = panel.admin();
    let egg = |name: &str, icon: &str| {
        json!({ "meta": { "version": "PLCN_v3" }, "name": name, "icon": icon, "startup_commands": { "Default": "./game" },
            "docker_images": { "One": "busybox:latest" }, "config": { "files": "{}", "startup": "{}", "stop": "^C" },
            "variables": [] })
    };
    let warned = |added: &Value| -> Vec<String> {
        let all = added["warnings"].as_array().unwrap().iter();
        let icons = all.filter(|warning| warning["code"] == "icon_not_shown");
        icons.map(|warning| warning["message"].as_str().unwrap().to_owned()).collect()
    };
    let added =
        admin.post("/api/templates", egg("Red", &format!("{}/red.png", host.base))).await.expect(201).json;
    assert_eq!(warned(&added), [] as [&str; 0]);
    let picture = shown(&admin, "red").await.unwrap();
    assert!(picture.starts_with(b"\x89PNG") && !picture.windows(8).any(|part| part == b"<script>"));
    let file = admin.get("/api/templates/red/export").await.expect(200).text;
    assert!(file.contains("data:image/png;base64,") && !file.contains("red.png"), "{file}");

    // The same by a link. A preview fetches the egg alone.
    host.put("egg.json", egg("Linked", &format!("{}/red.png", host.base)).to_string().into_bytes());
    let link = json!({ "url": format!("{}/egg.json", host.base) });
    let asked = host.asked().len();
    admin.post("/api/templates/import/preview", link.clone()).await.expect(200);
    assert_eq!(host.asked().len() - asked, 1);
    admin.post("/api/templates/import", link).await.expect(201);
    assert_eq!(shown(&admin, "linked").await.unwrap(), picture);

    // Whatever is wrong with a picture, the template is added, and a warning says why it has none.
    host.put("away.png", bytes(PNG));
    host.fault("away.png", Fault::Moved("http://127.0.0.2:9".into()));
    let at = |file: &str| format!("{}/{file}", host.base);
    for (number, (icon, word)) in [
        (at("none.png"), "404"),
        (at("bomb.png"), "2048"),
        (at("large.png"), "larger than"),
        (at("drawing.svg"), "PNG, JPEG, GIF or WebP"),
        (at("away.png"), "127.0.0.2"),
        ("http://169.254.169.254/latest/meta-data".to_owned(), "169.254.169.254"),
        ("http://[::1]:9/red.png".to_owned(), "::1"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("Bad {number}");
        let added = admin.post("/api/templates", egg(&name, &icon)).await.expect(201).json;
        let told = warned(&added);
        assert!(told.len() == 1 && told[0].contains(word), "{icon}: {added}");
        assert!(!has_icon(&admin, added["id"].as_str().unwrap()).await);
    }
}
