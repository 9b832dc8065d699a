use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::*;

async fn boot(folder: &Path) -> Running {
    run(Config::for_tests(folder)).await.unwrap()
}

/// Creates the first account; returns the answer and the session cookie as a browser sends it.
async fn claim(running: &Running, folder: &Path) -> (Value, String) {
    let token = std::fs::read_to_string(folder.join("setup-token")).unwrap();
    let body = json!({ "setupToken": token.trim(), "username": "mira", "password": "a long password" });
    let answer = Client::new().post(running.url() + "/api/setup").json(&body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let cookies = answer.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    let mut cookies = cookies.filter(|cookie| cookie.starts_with("session="));
    let cookie = cookies.next().and_then(|cookie| cookie.split(';').next()).unwrap().to_owned();
    (answer.json().await.unwrap(), cookie)
}

async fn stop(running: Running) {
    assert_eq!(running.stop(Duration::from_secs(10)).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panel_boots_answers_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let running = boot(folder.path()).await;
    let mut said = Vec::new();
    running.announce(&mut said).await.unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with(&format!("Listening on {}\n", running.url())), "{said}");
    assert!(said.contains("/setup#token="), "{said}");
    let health: Value = reqwest::get(running.url() + "/health").await.unwrap().json().await.unwrap();
    assert_eq!(health, json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }));
    let head = Client::new().head(running.url()).send().await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);
    assert!(head.headers().contains_key("content-security-policy"));
    stop(running).await;
    assert!(!folder.path().join("admin.sock").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_left_behind_by_a_kill_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("setup-token");
    let running = boot(folder.path()).await;
    let token = std::fs::read(&file).unwrap();
    claim(&running, folder.path()).await;
    stop(running).await;
    // As if the process had ended between creating the account and removing the file.
    std::fs::write(&file, token).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let running = boot(folder.path()).await;
    assert!(!file.exists());
    assert_eq!(running.setup_link().await, None);
    let state: Value = reqwest::get(running.url() + "/api/setup").await.unwrap().json().await.unwrap();
    assert_eq!(state, json!({ "needed": false }));
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_others_can_read_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    stop(boot(folder.path()).await).await;
    let secret = folder.path().join("secrets/jwt");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = run(Config::for_tests(folder.path())).await.err().unwrap();
    assert!(error.to_string().contains("secrets/jwt"), "{error}");
    assert_eq!(error.exit_code(), 77);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_with_its_key_opens_what_the_token_opens_but_not_for_other_sites() {
    let folder = tempfile::tempdir().unwrap();
    let running = boot(folder.path()).await;
    let (answer, cookie) = claim(&running, folder.path()).await;
    let key = answer["sessionKey"].as_str().unwrap().to_owned();
    let call = async |method: Method, path: &str, headers: &[(&str, &str)]| {
        let mut request = Client::new().request(method, running.url() + path);
        request = request.header("cookie", format!("other=1; {cookie}")).header("x-session-key", &key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(call(Method::GET, "/api/me", &[("origin", "http://evil.test")]).await, 200);
    assert_eq!(call(Method::HEAD, "/api/me", &[]).await, 200);
    assert_eq!(call(Method::DELETE, "/api/session", &[("origin", "http://evil.test")]).await, 403);
    assert_eq!(call(Method::DELETE, "/api/session", &[("sec-fetch-site", "cross-site")]).await, 403);
    let ours = running.url();
    assert_eq!(call(Method::DELETE, "/api/session", &[("origin", ours.as_str())]).await, 204);
    assert_eq!(call(Method::GET, "/api/me", &[]).await, 401);
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_refers_to_nothing_that_is_not_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let running = boot(folder.path()).await;
    let document: Value =
        reqwest::get(running.url() + "/api/openapi.json").await.unwrap().json().await.unwrap();
    let mut ids = std::collections::HashSet::new();
    for operation in
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values())
    {
        assert!(
            ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
            "{operation} has another's id"
        );
    }
    let mut waiting = vec![&document];
    let mut references = 0;
    while let Some(value) = waiting.pop() {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            references += 1;
            assert!(
                document.pointer(reference.trim_start_matches('#')).is_some(),
                "{reference} leads nowhere"
            );
        }
        match value {
            Value::Array(items) => waiting.extend(items),
            Value::Object(map) => waiting.extend(map.values()),
            _ => {}
        }
    }
    assert!(references > 20);
    stop(running).await;
}
