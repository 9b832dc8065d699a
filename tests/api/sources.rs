//! Sources of templates: added, refreshed, searched, and templates imported from them.

use serde_json::{Value, json};

use crate::harness::download_host::{Downloads, Fault};
use crate::harness::zip::zip;
use crate::harness::{Client, Panel};

fn egg(name: &str, uuid: u8, description: &str) -> String {
    json!({
        "meta": { "version": "PTDL_v2" }, "uuid": format!("0f4b0c1e-0000-4000-8000-0000000000{uuid:02}"),
        "name": name, "description": description, "docker_images": { "One": "busybox:latest" }, "startup": "./game",
        "config": { "files": "{}", "startup": "{\"done\": \"ready\"}", "stop": "^C" }, "variables": [],
    })
    .to_string()
}

fn index(host: &Downloads, games: &[(&str, &str)]) -> Vec<u8> {
    let eggs: Vec<Value> = games
        .iter()
        .map(|(name, file)| {
            json!({ "egg": { "name": name, "meta": { "version": "PTDL_v2" }, "description": format!("Runs {name}.") },
                "download_url": format!("{}/{file}", host.base), "readme": "" })
        })
        .collect();
    json!({ "panel_type": "Pelican", "nests": [{ "nest_type": "Games", "Eggs": eggs }] })
        .to_string()
        .into_bytes()
}

async fn panel() -> Panel {
    Panel::builder().env("FETCH_ALLOW", "127.0.0.1").start().await
}

async fn search(admin: &Client, query: &str) -> Vec<Value> {
    let found = admin.get(&format!("/api/templates/sources/entries?query={query}")).await.expect(200).json;
    found["entries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_index_is_searched_without_its_host_and_gives_templates() {
    let host = Downloads::start();
    host.put(
        "index.json",
        index(&host, &[("Wobblers", "egg-wobblers.json"), ("Palworld", "egg-palworld.json")]),
    );
    host.put("egg-wobblers.json", egg("Wobblers", 1, "Vikings.").into_bytes());
    let mut panel = panel().await;
    let admin = panel.admin();
    let list = admin.get("/api/templates/sources").await.expect(200).json;
    assert_eq!(list["sources"], json!([]));
    assert!(list["suggestions"][0]["url"].as_str().unwrap().ends_with("/pelican.json"), "{list}");
    let link = json!({ "url": format!("{}/index.json", host.base) });
    let source = admin.post("/api/templates/sources", link.clone()).await.expect(201).json;
    assert_eq!((&source["kind"], &source["entries"]), (&json!("index"), &json!(2)));
    admin.post("/api/templates/sources", link).await.refused(422, "invalid");

    let asked = host.asked().len();
    panel.kill().await;
    panel.again().await;
    let admin = panel.admin();
    let found = search(&admin, "wobb").await;
    assert_eq!((found.len(), found[0]["name"].as_str()), (1, Some("Wobblers")));
    assert_eq!(search(&admin, "").await.len(), 2);
    assert_eq!(search(&admin, "runs+pal").await[0]["group"], "Games");
    assert!(search(&admin, "nothing").await.is_empty());
    assert_eq!(host.asked().len(), asked, "a search asked the host");

    let id = source["id"].as_str().unwrap();
    let add = |number: &Value| format!("/api/templates/sources/{id}/entries/{number}/add");
    let added = admin.post(&add(&found[0]["number"]), Value::Null).await.expect(201).json;
    assert_eq!(added["id"], "wobblers");
    assert_eq!(search(&admin, "wobblers").await[0]["templateId"], "wobblers");
    admin.delete("/api/templates/wobblers").await.expect(204);
    assert_eq!(search(&admin, "wobblers").await[0]["templateId"], Value::Null);
    // The file of the other entry does not exist.
    let refused = admin.post(&add(&search(&admin, "palworld").await[0]["number"]), Value::Null).await;
    assert!(refused.refused(422, "invalid").field("url").contains("404"));
    admin.post(&add(&json!(99)), Value::Null).await.refused(404, "not_found");
    admin.delete(&format!("/api/templates/sources/{id}")).await.expect(204);
    assert!(search(&admin, "").await.is_empty());
}

#[tokio::test]
async fn a_source_that_fails_keeps_what_it_had_and_says_why() {
    let host = Downloads::start();
    host.put("index.json", index(&host, &[("Wobblers", "egg-wobblers.json")]));
    let panel = panel().await;
    let admin = panel.admin();
    let link = |file: &str| json!({ "url": format!("{}/{file}", host.base) });
    let id = admin.post("/api/templates/sources", link("index.json")).await.expect(201).id();
    let refresh = format!("/api/templates/sources/{id}/refresh");
    host.put("index.json", index(&host, &[("Wobblers", "a.json"), ("Rust", "b.json")]));
    assert_eq!(admin.post(&refresh, Value::Null).await.expect(200).json["entries"], 2);
    host.fault("index.json", Fault::Moved("http://127.0.0.2:9".into()));
    let refused = admin.post(&refresh, Value::Null).await.refused(422, "invalid");
    assert!(refused.field("url").contains("127.0.0.2"), "{refused:?}");
    let source = admin.get("/api/templates/sources").await.json["sources"][0].clone();
    assert!(source["problem"].as_str().unwrap().contains("127.0.0.2"), "{source}");
    assert_eq!(search(&admin, "").await.len(), 2);
    host.heal();
    assert_eq!(admin.post(&refresh, Value::Null).await.expect(200).json["problem"], Value::Null);

    // An invalid source is not stored.
    host.put("many.txt", "https://example.org/egg.json\n".repeat(100_000).into_bytes());
    host.put("page.html", b"<html>hello</html>".to_vec());
    for (file, word) in [("many.txt", "5000"), ("page.html", "no templates"), ("none.json", "404")] {
        let refused = admin.post("/api/templates/sources", link(file)).await.refused(422, "invalid");
        assert!(refused.field("url").contains(word), "{file}: {refused:?}");
    }
    assert_eq!(admin.get("/api/templates/sources").await.json["sources"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_archive_says_what_is_newer_than_what_is_here() {
    let host = Downloads::start();
    let archive = |description: &str| {
        zip(&[
            ("eggs-main/games/egg-wobblers.json", &egg("Wobblers", 1, description)),
            ("eggs-main/games/egg-rust.json", &egg("Rust", 2, "Survive.")),
            ("eggs-main/package.json", "{}"),
        ])
    };
    host.put("main.zip", archive("Vikings."));
    let panel = panel().await;
    let admin = panel.admin();
    let link = json!({ "url": format!("{}/main.zip", host.base) });
    let source = admin.post("/api/templates/sources", link).await.expect(201).json;
    assert_eq!((&source["kind"], &source["entries"]), (&json!("archive"), &json!(2)));
    let id = source["id"].as_str().unwrap();
    let asked = host.asked().len();
    let entry = search(&admin, "wobblers").await.remove(0);
    assert_eq!((&entry["group"], &entry["templateId"]), (&json!("games"), &Value::Null));
    let add = format!("/api/templates/sources/{id}/entries/{}/add", entry["number"]);
    assert_eq!(admin.post(&add, Value::Null).await.expect(201).id(), "wobblers");
    assert_eq!(host.asked().len(), asked, "the archive was kept whole");
    let entry = search(&admin, "wobblers").await.remove(0);
    assert_eq!((&entry["templateId"], &entry["newer"]), (&json!("wobblers"), &json!(false)));

    host.put("main.zip", archive("Vikings, and more of them."));
    admin.post(&format!("/api/templates/sources/{id}/refresh"), Value::Null).await.expect(200);
    assert_eq!(search(&admin, "wobblers").await[0]["newer"], true);
    admin.post(&add, Value::Null).await.expect(201);
    assert_eq!(search(&admin, "wobblers").await[0]["newer"], false);
    assert_eq!(admin.get("/api/templates/wobblers").await.json["description"], "Vikings, and more of them.");
}

/// What is only linked is looked at when the source is fetched: an index, and a plain list of links, of eggs without a
/// uuid too.
#[tokio::test]
async fn a_list_of_links_says_what_is_newer_than_what_is_here() {
    let host = Downloads::start();
    let nameless = |description: &str| {
        let mut egg: Value = serde_json::from_str(&egg("Nameless", 2, description)).unwrap();
        egg.as_object_mut().unwrap().remove("uuid");
        egg.to_string().into_bytes()
    };
    host.put("egg-wobblers.json", egg("Wobblers", 1, "Vikings.").into_bytes());
    host.put("egg-nameless.json", nameless("Before."));
    host.put("egg-other.json", egg("Other", 3, "Never added.").into_bytes());
    let files = ["egg-wobblers.json", "egg-nameless.json", "egg-other.json"];
    let links: Vec<String> = files.iter().map(|file| format!("{}/{file}", host.base)).collect();
    host.put("links.txt", links.join("\n").into_bytes());
    host.put("index.json", index(&host, &files.map(|file| (file, file))));
    let mut panel = panel().await;
    for list in ["links.txt", "index.json"] {
        let admin = panel.admin();
        let link = json!({ "url": format!("{}/{list}", host.base) });
        let id = admin.post("/api/templates/sources", link).await.expect(201).id();
        let refresh = format!("/api/templates/sources/{id}/refresh");
        for number in [0, 1] {
            let add = format!("/api/templates/sources/{id}/entries/{number}/add");
            admin.post(&add, Value::Null).await.expect(201);
        }
        let newer = async |admin: &Client| -> Vec<bool> {
            let mut found = search(admin, "").await;
            found.sort_by_key(|entry| entry["number"].as_u64());
            found.iter().map(|entry| entry["newer"].as_bool().unwrap()).collect()
        };
        assert_eq!(newer(&admin).await, [false, false, false], "{list}");
        admin.post(&refresh, Value::Null).await.expect(200);
        assert_eq!(newer(&admin).await, [false, false, false], "{list}: nothing changed");

        host.put("egg-wobblers.json", egg("Wobblers", 1, &format!("More of them in {list}.")).into_bytes());
        host.put("egg-nameless.json", nameless(&format!("After {list}.")));
        assert_eq!(newer(&admin).await, [false, false, false], "{list}: nothing is fetched for a search");
        let asked = host.asked().len();
        admin.post(&refresh, Value::Null).await.expect(200);
        assert_eq!(host.asked().len() - asked, 3, "the list, and what is here");
        panel.kill().await;
        panel.again().await;
        let admin = panel.admin();
        assert_eq!(newer(&admin).await, [true, true, false], "{list}");
        // Where one cannot be had just now, what was known stays.
        host.fault("egg-wobblers.json", Fault::Moved("http://127.0.0.2:9".into()));
        admin.post(&refresh, Value::Null).await.expect(200);
        host.heal();
        assert_eq!(newer(&admin).await, [true, true, false], "{list}: one is out of reach");
        let before = admin.get("/api/templates").await.json.as_array().unwrap().len();
        for number in [0, 1] {
            let add = format!("/api/templates/sources/{id}/entries/{number}/add");
            admin.post(&add, Value::Null).await.expect(201);
        }
        assert_eq!(newer(&admin).await, [false, false, false], "{list}: updated");
        assert_eq!(admin.get("/api/templates").await.json.as_array().unwrap().len(), before, "in place");
        let told = admin.get("/api/templates/nameless").await.json["description"].clone();
        assert_eq!(told, format!("After {list}."));
        admin.delete(&format!("/api/templates/sources/{id}")).await.expect(204);
        for template in ["wobblers", "nameless"] {
            admin.delete(&format!("/api/templates/{template}")).await.expect(204);
        }
    }
}
