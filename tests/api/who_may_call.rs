//! The who-may-call table: one row per endpoint, written by hand. The first test compares the rows with what the
//! endpoints declare (`x-access` in the OpenAPI document is generated from the declaration); the second calls each
//! endpoint anonymously, as a user without permissions, with every single permission, and as an administrator.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::json;

use crate::harness::download_host::Downloads;
use crate::harness::{Client, Live, Panel, docker, seconds};

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Everyone, signed in or not.
    Everyone,
    /// Any account.
    SignedIn,
    /// Administrators.
    Admin,
    /// Administrators; others only learn whether they may see the server.
    ServerAdmin,
    /// Administrators, and accounts with this permission on the server.
    Server(&'static str),
    /// Clients with the node's secret; no account.
    Node,
}

use Who::{Admin, Everyone, Node, Server, ServerAdmin, SignedIn};

#[rustfmt::skip]
pub(super) const TABLE: &[(&str, &str, Who)] = &[
    ("GET",    "/health",                          Everyone),
    ("GET",    "/api/setup",                       Everyone),
    ("POST",   "/api/setup",                       Everyone),
    ("POST",   "/api/setup/restore",               Everyone),
    ("POST",   "/api/setup/restore/look",          Everyone),
    ("POST",   "/api/setup/restore/progress",      Everyone),
    ("POST",   "/api/session",                     Everyone),
    ("GET",    "/api/shared/{token}",              Everyone),
    ("POST",   "/api/shared/{token}/wake",         Everyone),
    ("GET",    "/api/servers/{id}/share",          Server("configure")),
    ("PUT",    "/api/servers/{id}/share",          Server("configure")),
    ("DELETE", "/api/servers/{id}/share",          Server("configure")),
    ("GET",    "/api/servers/{id}/reach",          Server("view")),
    ("PUT",    "/api/servers/{id}/router",         Server("configure")),
    ("PUT",    "/api/nodes/{id}/public-address",   Admin),
    ("GET",    "/api/openapi.json",                Everyone),
    ("GET",    "/api/docs",                        Everyone),
    ("DELETE", "/api/session",                     SignedIn),
    ("GET",    "/api/me",                          SignedIn),
    ("PUT",    "/api/me/password",                 SignedIn),
    ("GET",    "/api/me/sessions",                 SignedIn),
    ("DELETE", "/api/me/sessions/{id}",            SignedIn),
    ("GET",    "/api/account/ssh-keys",            SignedIn),
    ("POST",   "/api/account/ssh-keys",            SignedIn),
    ("DELETE", "/api/account/ssh-keys/{id}",       SignedIn),
    ("GET",    "/api/status",                      SignedIn),
    ("GET",    "/api/live",                        SignedIn),
    ("GET",    "/api/users",                       Admin),
    ("POST",   "/api/users",                       Admin),
    ("PATCH",  "/api/users/{id}",                  Admin),
    ("DELETE", "/api/users/{id}",                  Admin),
    ("GET",    "/api/nodes",                       SignedIn),
    ("POST",   "/api/nodes",                       Admin),
    ("GET",    "/api/nodes/{id}",                  SignedIn),
    ("PATCH",  "/api/nodes/{id}",                  Admin),
    ("DELETE", "/api/nodes/{id}",                  Admin),
    ("POST",   "/api/nodes/{id}/secret",           Admin),
    ("DELETE", "/api/nodes/{id}/secret",           Admin),
    ("POST",   "/api/nodes/{id}/differences/{server}", Admin),
    ("GET",    "/api/nodes/{id}/program",          Node),
    ("GET",    "/api/upgrade",                     Admin),
    ("POST",   "/api/upgrade",                     Admin),
    ("POST",   "/api/upgrade/check",               Admin),
    ("POST",   "/api/upgrade/nodes",               Admin),
    ("DELETE", "/api/upgrade/nodes",               Admin),
    ("GET",    "/api/doctor",                      Admin),
    ("POST",   "/api/doctor",                      Admin),
    ("GET",    "/api/registries",                  Admin),
    ("POST",   "/api/registries",                  Admin),
    ("DELETE", "/api/registries/{id}",             Admin),
    ("GET",    "/api/backup-targets",              Admin),
    ("POST",   "/api/backup-targets",              Admin),
    ("POST",   "/api/backup-targets/test",         Admin),
    ("GET",    "/api/backup-targets/{id}",         Admin),
    ("PATCH",  "/api/backup-targets/{id}",         Admin),
    ("DELETE", "/api/backup-targets/{id}",         Admin),
    ("GET",    "/api/backup-targets/{id}/kit",     Admin),
    ("POST",   "/api/backup-targets/{id}/check",   Admin),
    ("GET",    "/api/nodes/{id}/backup-repository", Admin),
    ("POST",   "/api/nodes/{id}/backup-repository/check", Admin),
    ("GET",    "/api/deleted-servers",             Admin),
    ("PATCH",  "/api/deleted-servers/{id}",        Admin),
    ("DELETE", "/api/deleted-servers/{id}",        Admin),
    ("POST",   "/api/deleted-servers/{id}/give",   Admin),
    ("GET",    "/api/deleted-servers/{id}/backups", Admin),
    ("PATCH",  "/api/deleted-servers/{id}/backups/{backup}", Admin),
    ("DELETE", "/api/deleted-servers/{id}/backups/{backup}", Admin),
    ("POST",   "/api/deleted-servers/{id}/backups/{backup}/restore-as", Admin),
    ("POST",   "/api/deleted-servers/{id}/backups/{backup}/cancel", Admin),
    ("GET",    "/api/nodes/{id}/backup-kit",       Admin),
    ("GET",    "/api/panel-backups",               Admin),
    ("POST",   "/api/panel-backups",               Admin),
    ("GET",    "/api/panel-backups/policy",        Admin),
    ("PUT",    "/api/panel-backups/policy",        Admin),
    ("POST",   "/api/panel-backups/{id}/cancel",   Admin),
    ("DELETE", "/api/panel-backups/{id}",          Admin),
    ("GET",    "/api/servers/{id}/image",          Server("configure")),
    ("GET",    "/api/templates",                   SignedIn),
    ("POST",   "/api/templates",                   Admin),
    ("POST",   "/api/templates/import",            Admin),
    ("POST",   "/api/templates/import/preview",    Admin),
    ("POST",   "/api/templates/archive",           Admin),
    ("GET",    "/api/templates/sources",           Admin),
    ("POST",   "/api/templates/sources",           Admin),
    ("GET",    "/api/templates/sources/entries",   Admin),
    ("DELETE", "/api/templates/sources/{id}",      Admin),
    ("POST",   "/api/templates/sources/{id}/refresh", Admin),
    ("POST",   "/api/templates/sources/{id}/entries/{number}/add", Admin),
    ("POST",   "/api/templates/preview",           Admin),
    ("PUT",    "/api/templates/{id}",              Admin),
    ("POST",   "/api/templates/{id}/duplicate",    Admin),
    ("GET",    "/api/templates/{id}",              SignedIn),
    ("DELETE", "/api/templates/{id}",              Admin),
    ("GET",    "/api/templates/{id}/icon",         SignedIn),
    ("PUT",    "/api/templates/{id}/icon",         Admin),
    ("DELETE", "/api/templates/{id}/icon",         Admin),
    ("GET",    "/api/templates/{id}/export",       Admin),
    ("GET",    "/api/servers",                     SignedIn),
    ("POST",   "/api/servers",                     Admin),
    ("POST",   "/api/servers/preview",             Admin),
    ("GET",    "/api/servers/trends",              SignedIn),
    ("GET",    "/api/servers/{id}",                Server("view")),
    ("PATCH",  "/api/servers/{id}",                Server("startup")),
    ("DELETE", "/api/servers/{id}",                ServerAdmin),
    ("POST",   "/api/servers/{id}/power",          Server("power")),
    ("POST",   "/api/servers/{id}/command",        Server("console")),
    ("GET",    "/api/servers/{id}/players",        Server("view")),
    ("POST",   "/api/servers/{id}/players/actions", Server("players")),
    ("GET",    "/api/servers/{id}/schedules",      Server("schedules")),
    ("POST",   "/api/servers/{id}/schedules",      Server("schedules")),
    ("PUT",    "/api/servers/{id}/schedules/{schedule}", Server("schedules")),
    ("DELETE", "/api/servers/{id}/schedules/{schedule}", Server("schedules")),
    ("POST",   "/api/servers/{id}/schedules/{schedule}/run", Server("schedules")),
    ("GET",    "/api/servers/{id}/schedule-runs",  Server("schedules")),
    ("POST",   "/api/servers/{id}/schedule-preview", Server("schedules")),
    ("GET",    "/api/servers/{id}/console",        Server("console")),
    ("GET",    "/api/servers/{id}/stats",          Server("view")),
    ("POST",   "/api/servers/{id}/install",        Server("configure")),
    ("DELETE", "/api/servers/{id}/install",        Server("configure")),
    ("POST",   "/api/servers/{id}/reinstall",      Server("configure")),
    ("POST",   "/api/servers/{id}/eula",           Server("configure")),
    ("GET",    "/api/servers/{id}/install-log",    Server("console")),
    ("GET",    "/api/servers/{id}/template",       Server("configure")),
    ("POST",   "/api/servers/{id}/template",       Server("configure")),
    ("POST",   "/api/servers/{id}/move",           ServerAdmin),
    ("GET",    "/api/servers/{id}/move",           ServerAdmin),
    ("DELETE", "/api/servers/{id}/move",           ServerAdmin),
    ("GET",    "/api/servers/{id}/files",             Server("files_read")),
    ("GET",    "/api/servers/{id}/files/content",     Server("files_read")),
    ("PUT",    "/api/servers/{id}/files/content",     Server("files")),
    ("GET",    "/api/servers/{id}/files/versions",    Server("files_read")),
    ("GET",    "/api/servers/{id}/files/versions/{version}", Server("files_read")),
    ("POST",   "/api/servers/{id}/files/search",      Server("files_read")),
    ("GET",    "/api/servers/{id}/files/usage",       Server("files_read")),
    ("GET",    "/api/servers/{id}/sftp",              Server("files_read")),
    ("GET",    "/api/servers/{id}/files/jobs",        Server("files_read")),
    ("DELETE", "/api/servers/{id}/files/jobs/{job}",  Server("files")),
    ("POST",   "/api/servers/{id}/files/mkdir",       Server("files")),
    ("POST",   "/api/servers/{id}/files/rename",      Server("files")),
    ("POST",   "/api/servers/{id}/files/chmod",       Server("files")),
    ("POST",   "/api/servers/{id}/files/copy",        Server("files")),
    ("POST",   "/api/servers/{id}/files/delete",      Server("files")),
    ("POST",   "/api/servers/{id}/files/archive",     Server("files")),
    ("POST",   "/api/servers/{id}/files/extract",     Server("files")),
    ("POST",   "/api/servers/{id}/files/pull",        Server("files")),
    ("GET",    "/api/servers/{id}/files/trash",       Server("files_read")),
    ("POST",   "/api/servers/{id}/files/trash/restore", Server("files")),
    ("POST",   "/api/servers/{id}/files/trash/empty", Server("files")),
    ("POST",   "/api/servers/{id}/files/downloads",   Server("files_read")),
    ("OPTIONS","/api/servers/{id}/files/uploads",     Server("files")),
    ("POST",   "/api/servers/{id}/files/uploads",     Server("files")),
    ("HEAD",   "/api/servers/{id}/files/uploads/{upload}", Server("files")),
    ("PATCH",  "/api/servers/{id}/files/uploads/{upload}", Server("files")),
    ("DELETE", "/api/servers/{id}/files/uploads/{upload}", Server("files")),
    ("GET",    "/api/downloads/{ticket}",          Everyone),
    ("GET",    "/api/servers/{id}/backups",        Server("backups")),
    ("POST",   "/api/servers/{id}/backups",        Server("backups")),
    ("PATCH",  "/api/servers/{id}/backups/{backup}", Server("backups")),
    ("DELETE", "/api/servers/{id}/backups/{backup}", Server("backups")),
    ("POST",   "/api/servers/{id}/backups/{backup}/restore", Server("backups")),
    ("POST",   "/api/servers/{id}/backups/{backup}/cancel", Server("backups")),
    ("GET",    "/api/servers/{id}/backup-policy",  Server("backups")),
    ("PUT",    "/api/servers/{id}/backup-policy",  Server("backups")),
    ("POST",   "/api/servers/{id}/backup-policy/preview", Server("backups")),
    ("GET",    "/api/servers/{id}/backups/{backup}/files", Server("backups")),
    ("POST",   "/api/servers/{id}/backups/{backup}/downloads", Server("backups")),
    ("POST",   "/api/servers/{id}/backups/{backup}/test", Server("backups")),
    ("POST",   "/api/servers/{id}/backups/{backup}/restore-as", ServerAdmin),
    ("GET",    "/api/servers/{id}/users",          ServerAdmin),
    ("PUT",    "/api/servers/{id}/users/{user}",   ServerAdmin),
    ("DELETE", "/api/servers/{id}/users/{user}",   ServerAdmin),
];

/// Who may subscribe to which topics of `GET /api/live`.
const TOPICS: &[(&str, Who)] = &[
    ("servers", SignedIn),
    ("stats:{server}", Server("view")),
    ("console:{server}", Server("console")),
    ("files:{server}", Server("files_read")),
    ("backups:{server}", Server("backups")),
    ("panel-backups", Admin),
    ("nodes", SignedIn),
    ("status", SignedIn),
    ("upgrade", Admin),
];

/// Permissions that can be granted.
pub(super) const PERMISSIONS: [&str; 10] = [
    "view",
    "console",
    "power",
    "players",
    "files_read",
    "files",
    "backups",
    "schedules",
    "startup",
    "configure",
];

/// Whether this permission on the server is sufficient.
pub(super) fn opens(permission: &str, who: Who) -> bool {
    match who {
        // Any permission makes the server visible.
        Server("view") => true,
        Server("startup") => matches!(permission, "startup" | "configure"),
        Server("files_read") => matches!(permission, "files_read" | "files"),
        Server(need) => permission == need,
        Everyone | SignedIn | Admin | ServerAdmin | Node => false,
    }
}

/// As in the OpenAPI document.
fn declared(who: Who) -> String {
    match who {
        Everyone => "everyone".to_owned(),
        SignedIn => "signed-in".to_owned(),
        Admin => "admin".to_owned(),
        ServerAdmin => "server-admin".to_owned(),
        Server(permission) => format!("server:{permission}"),
        Node => "node".to_owned(),
    }
}

/// The declared access as `METHOD path: access`. The OpenAPI document and the checks are generated from the same
/// declarations.
async fn endpoints(panel: &Panel) -> BTreeSet<String> {
    let document = panel.anonymous().get("/api/openapi.json").await.expect(200).json;
    let mut all = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let access = operation["x-access"].as_str().unwrap_or("nothing");
            all.insert(format!("{} {path}: {access}", method.to_uppercase()));
        }
    }
    all
}

#[tokio::test]
async fn every_endpoint_has_its_row() {
    let panel = Panel::start().await;
    let endpoints = endpoints(&panel).await;
    let rows: BTreeSet<_> =
        TABLE.iter().map(|(method, path, who)| format!("{method} {path}: {}", declared(*who))).collect();
    let without: Vec<_> = endpoints.difference(&rows).collect();
    let stale: Vec<_> = rows.difference(&endpoints).collect();
    assert!(without.is_empty(), "endpoints without such a row in tests/api/who_may_call.rs: {without:?}");
    assert!(stale.is_empty(), "rows without such an endpoint: {stale:?}");
    let open: Vec<_> = TABLE.iter().filter(|row| row.2 == Everyone).collect();
    // Those below /api/setup ask for the setup token, as long as there is no account; those below /api/shared for the
    // secret of a server's public link.
    assert!(open.len() <= 12, "open to everyone: {open:?}");
}

#[tokio::test]
async fn every_topic_has_its_row() {
    let panel = Panel::start().await;
    let document = panel.anonymous().get("/api/openapi.json").await.expect(200).json;
    let rows: serde_json::Map<_, _> =
        TOPICS.iter().map(|(topic, who)| ((*topic).to_owned(), json!(declared(*who)))).collect();
    assert_eq!(document["paths"]["/api/live"]["get"]["x-topics"], json!(rows));
}

/// Whether the access check let the call pass, whatever its result (the body is invalid on purpose, so that nothing
/// happens).
pub(super) async fn gets_in(client: &Client, method: &str, path: &str) -> (bool, u16) {
    let method: Method = method.parse().unwrap();
    let body =
        matches!(method, Method::POST | Method::PUT | Method::PATCH).then(|| json!({ "noSuchKey": 1 }));
    let answer = client.call(method, path, body).await;
    // "This server has never moved" and "was never installed by a script" mean that the access check has passed.
    let absent = [
        ("/move", "no such move"),
        ("/install-log", "no such install log"),
        ("/template", "no such template"),
        ("/icon", "no such icon"),
    ];
    let behind = absent.iter().any(|(end, text)| path.ends_with(end) && answer.text.contains(text));
    // So does an error about a missing job or link.
    let behind = behind
        || [
            "no such job",
            "no such backup",
            "no such deleted server",
            "This download link",
            "This link is not valid",
        ]
        .iter()
        .any(|text| answer.text.contains(text));
    (behind || !matches!(answer.status, 401 | 403 | 404), answer.status)
}

/// Creates a server, and for every permission an account that has it on this server.
async fn friends(panel: &Panel) -> (String, BTreeMap<&'static str, Client>) {
    let admin = panel.admin();
    let body = json!({ "name": "World", "image": docker::BUSYBOX, "startup": "game" });
    let server = admin.post("/api/servers", body).await.expect(201).id();
    let mut friends = BTreeMap::new();
    for permission in PERMISSIONS {
        let friend = panel.user(&format!("with-{permission}")).await;
        let id = friend.get("/api/me").await.id();
        let grant = format!("/api/servers/{server}/users/{id}");
        admin.put(&grant, json!({ "permissions": [permission] })).await.expect(204);
        friends.insert(permission, friend);
    }
    (server, friends)
}

#[tokio::test]
async fn every_row_of_a_topic_is_true() {
    docker::image().await;
    let panel = Panel::start().await;
    let (server, friends) = friends(&panel).await;
    let mut callers = vec![("a stranger", panel.user("stranger").await), ("an admin", panel.admin())];
    callers.extend(friends);
    let mut wrong = Vec::new();
    for (name, client) in callers {
        let mut live = Live::open(&client).await;
        for (topic, who) in TOPICS {
            let granted = PERMISSIONS.contains(&name) && opens(name, *who);
            let may = granted || *who == SignedIn || name == "an admin";
            let topic = topic.replace("{server}", &server);
            live.subscribe(&[topic.as_str()]).await;
            let about =
                |message: &serde_json::Value| (message["topic"] == topic.as_str()).then(|| message.clone());
            let answer = live.wait(seconds(5), about).await;
            if answer["error"].is_null() != may {
                wrong.push(format!("{topic} as {name}: {answer}, but {who:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    panel.admin().delete(&format!("/api/servers/{server}")).await.expect(204);
}

#[tokio::test]
async fn every_row_is_true() {
    docker::image().await;
    let panel = Panel::builder().env("FETCH_ALLOW", "127.0.0.1").start().await;
    let admin = panel.admin();
    let (server, friends) = friends(&panel).await;
    let host = Downloads::start();
    host.put("links.txt", format!("{}/egg.json", host.base).into_bytes());
    let link = json!({ "url": format!("{}/links.txt", host.base) });
    let source = admin.post("/api/templates/sources", link).await.expect(201).id();
    let stranger = panel.user("stranger").await;
    let stranger_id = stranger.get("/api/me").await.id();
    let mut wrong = Vec::new();
    for (method, path, who) in TABLE {
        let id = if path.contains("/users/{id}") {
            stranger_id.as_str()
        } else if path.contains("/nodes/") {
            "local"
        } else if path.contains("/templates/sources/") {
            source.as_str()
        } else if path.contains("/templates/") {
            "any-image"
        } else if path.contains("/me/sessions/") {
            continue;
        } else {
            server.as_str()
        };
        let path = path.replace("{id}", id).replace("{user}", &stranger_id).replace("{number}", "0");
        let path = ["{job}", "{version}", "{upload}", "{ticket}", "{backup}", "{token}"]
            .iter()
            .fold(path, |path, name| path.replace(name, "none"));
        let path = if *who == Node { path + "?arch=none" } else { path };
        let mut expect = vec![(panel.anonymous(), "nobody", *who == Everyone)];
        let ends_own_session = *method == "DELETE" && path == "/api/session";
        if !ends_own_session {
            expect.push((stranger.clone(), "a stranger", matches!(who, Everyone | SignedIn)));
            for (permission, friend) in &friends {
                let may = matches!(who, Everyone | SignedIn) || opens(permission, *who);
                expect.push((friend.clone(), permission, may));
            }
            if *method != "DELETE" {
                expect.push((admin.clone(), "an admin", *who != Node));
            }
        }
        for (client, name, may) in expect {
            // Other tests cover an allowed DELETE; here it only has to be refused for the others.
            if may && *method == "DELETE" {
                continue;
            }
            let (got_in, status) = gets_in(&client, method, &path).await;
            if got_in != may {
                wrong.push(format!("{method} {path} as {name}: {status}, but {who:?}"));
            }
            if name == "nobody" && !may && status != 401 {
                wrong.push(format!("{method} {path} as nobody: {status}, not 401"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    admin.delete(&format!("/api/servers/{server}")).await.expect(204);
}
