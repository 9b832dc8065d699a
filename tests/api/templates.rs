//! The templates that come with the binary.

use serde_json::json;

use crate::harness::Panel;

#[tokio::test]
async fn the_first_evening_is_there() {
    let panel = Panel::start().await;
    let list = panel.admin().get("/api/templates").await.expect(200).json;
    let list = list.as_array().unwrap();
    let names: Vec<String> = list.iter().map(|one| one["name"].as_str().unwrap().to_lowercase()).collect();
    for game in [
        "paper",
        "vanilla",
        "bedrock",
        "luanti",
        "terraria",
        "factorio",
        "valheim",
        "teeworlds",
        "openttd",
        "openarena",
        "any image",
    ] {
        assert!(names.iter().any(|name| name.contains(game)), "{game} is not in {names:?}");
    }
    for one in list {
        let id = one["id"].as_str().unwrap();
        assert!(!one["architectures"].as_array().unwrap().is_empty() || id.contains("any"), "{one}");
        let whole = panel.admin().get(&format!("/api/templates/{id}")).await.expect(200).json;
        for variable in whole["variables"].as_array().unwrap() {
            assert!(variable["env_variable"].as_str().unwrap().len() > 1, "{variable}");
        }
        assert!(!whole["stop"].is_null(), "{id} has no way to stop");
    }
    panel.admin().get("/api/templates/no-such-thing").await.refused(404, "not_found");
}

#[tokio::test]
async fn minecraft_asks_for_its_eula_first() {
    let panel = Panel::start().await;
    let list = panel.admin().get("/api/templates").await.json;
    let paper =
        list.as_array().unwrap().iter().find(|one| !one["eula"].is_null()).expect("one with an EULA").clone();
    let body = json!({ "name": "Survival", "templateId": paper["id"] });
    let refused = panel.admin().post("/api/servers", body).await.refused(422, "eula_required");
    assert!(!refused.field("acceptEula").is_empty(), "{refused:?}");
    assert_eq!(panel.admin().get("/api/servers").await.json, json!([]));
}
