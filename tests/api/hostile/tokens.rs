//! Each kind of secret is only valid for its own purpose.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::{endpoints, filled, is_open};
use crate::harness::{Client, PASSWORD, Panel};

const JWT_SECRET: &str = "known to the test, and long enough for it";
const AGENT_SECRET: &str = "the agents' shared secret of this test";

#[tokio::test]
async fn no_other_secret_is_a_session() {
    let panel =
        Panel::builder().env("JWT_SECRET", JWT_SECRET).env("AGENT_SECRET", AGENT_SECRET).fresh().await;
    let setup = panel.setup_token();
    let body = json!({ "setupToken": setup, "username": "admin", "password": PASSWORD });
    let made = panel.anonymous().post("/api/setup", body).await.expect(201);
    let admin = Client::new(&panel.address, made.json["token"].as_str().map(Into::into));
    let node = admin.post("/api/nodes", json!({ "id": "attic" })).await.expect(201);
    let session = admin.get("/api/me/sessions").await.expect(200).json[0]["id"].as_str().unwrap().to_owned();
    let user = admin.get("/api/me").await.id();
    let secrets = [
        ("the setup token", setup),
        ("the shared agent secret", AGENT_SECRET.to_owned()),
        ("a node's secret", node.json["secret"].as_str().unwrap().to_owned()),
        ("the signing secret", JWT_SECRET.to_owned()),
        ("a session's id", session),
        ("a user's id", user),
        ("a password", PASSWORD.to_owned()),
    ];
    let routes = endpoints(&panel).await;
    let mut wrong = Vec::new();
    for (what, secret) in &secrets {
        let bearer = Client::new(&panel.address, Some(secret.clone()));
        for (method, path) in routes.iter().filter(|(method, path)| !is_open(method, path)) {
            let status = bearer.call(method.clone(), &filled(path, "local"), None).await.status;
            if status != 401 {
                wrong.push(format!("{method} {path} with {what} as Bearer: {status}"));
            }
        }
        let cookie = panel.anonymous();
        let request =
            cookie.request(reqwest::Method::GET, "/api/me").header("cookie", format!("session={secret}"));
        let status = cookie.send(request).await.status;
        if status != 401 {
            wrong.push(format!("/api/me with {what} as cookie: {status}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // The other way round: neither sessions nor agents' secrets are valid as a setup token.
    for (_, secret) in &secrets[1..] {
        let body = json!({ "setupToken": secret, "username": "eve", "password": PASSWORD });
        panel.anonymous().post("/api/setup", body).await.refused(409, "already_set_up");
    }
    // With an account there is no way to have another panel restored here, not even with the token that was right.
    for (_, secret) in &secrets {
        let place = json!({ "kind": "folder", "path": "/tmp" });
        let look = json!({ "setupToken": secret, "location": place, "password": "x" });
        let mut start = look.clone();
        start["servers"] = json!(true);
        for (path, body) in [("/look", look), ("", start), ("/progress", json!({ "setupToken": secret }))] {
            let path = format!("/api/setup/restore{path}");
            panel.anonymous().post(&path, body).await.refused(409, "already_set_up");
        }
    }
}

/// The claims of a real session, so that a test can change one at a time.
async fn claims(admin: &Client) -> Value {
    let session = admin.get("/api/me/sessions").await.expect(200).json[0].clone();
    let now =
        i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs())
            .unwrap();
    json!({
        "sub": admin.get("/api/me").await.id(), "sid": session["id"], "scope": "session",
        "iat": now, "exp": now + 600,
    })
}

fn signed(header: &Header, claims: &Value, key: &[u8]) -> String {
    jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(key)).unwrap()
}

#[tokio::test]
async fn only_one_algorithm_and_only_our_key() {
    let panel = Panel::builder().env("JWT_SECRET", JWT_SECRET).start().await;
    let claims = claims(&panel.admin()).await;
    let open = async |token: String| Client::new(&panel.address, Some(token)).get("/api/me").await.status;
    let key = JWT_SECRET.as_bytes();
    let hs256 = Header::new(Algorithm::HS256);
    assert_eq!(open(signed(&hs256, &claims, key)).await, 200, "the test signs as the panel does");

    let with_kid = |kid: &str| Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::HS256) };
    for (what, token) in [
        ("HS384", signed(&Header::new(Algorithm::HS384), &claims, key)),
        ("HS512", signed(&Header::new(Algorithm::HS512), &claims, key)),
        ("no key", signed(&hs256, &claims, b"")),
        ("an empty file by kid", signed(&with_kid("../../../../dev/null"), &claims, b"")),
        ("a word by kid", signed(&with_kid("x' UNION SELECT 'key"), &claims, b"key")),
        ("a key of its own", signed(&Header { jwk: None, ..with_kid("0") }, &claims, b"mine")),
    ] {
        assert_eq!(open(token).await, 401, "{what}");
    }
    // The signature is valid for the claims, but the header names another algorithm.
    let token = signed(&hs256, &claims, key);
    let (_, rest) = token.split_once('.').unwrap();
    for header in [
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9", // RS256
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0",  // none
        "eyJhbGciOiJOb05lIn0",                  // NoNe
        "eyJhbGciOiIifQ",                       // empty
        "e30",                                  // {}
    ] {
        assert_eq!(open(format!("{header}.{rest}")).await, 401, "{header}");
    }
    // Signed with the panel's key, but with a missing or wrong claim.
    for (key_name, value) in [
        ("scope", json!("ws")),
        ("scope", json!("download")),
        ("scope", json!("node")),
        ("scope", json!("setup")),
        ("scope", json!(["session"])),
        ("scope", json!("")),
        ("exp", json!("2999-01-01")),
        ("exp", json!(-1)),
        ("exp", json!(1.0e300)),
        ("sid", json!({ "$ne": "" })),
        ("sid", json!("")),
        ("sub", json!("")),
        ("sub", json!(null)),
    ] {
        let mut bent = claims.clone();
        bent[key_name] = value;
        assert_eq!(open(signed(&hs256, &bent, key)).await, 401, "{bent}");
    }
}
