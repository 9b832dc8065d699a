//! What a joining machine fetches: the script, and the program, which needs the node's secret.

use std::process::Command;

use serde_json::json;

use crate::harness::{Panel, program};

#[tokio::test]
async fn the_line_leads_to_a_script_that_is_whole() {
    let panel = Panel::start().await;
    let made = panel.admin().post("/api/nodes", json!({ "id": "attic" })).await.expect(201).json;
    let (line, secret) = (made["joinCommand"].as_str().unwrap(), made["secret"].as_str().unwrap());
    assert!(
        line.starts_with("curl -fsS")
            && line.contains(&format!("{}/install.sh | sh -s -- --agent ", panel.address)),
        "{line}"
    );
    assert!(line.contains(" --node attic ") && line.contains(&format!(" --secret {secret}")), "{line}");
    assert!(line.contains(&panel.agents_address()), "{line}");
    let script = panel.anonymous().get("/install.sh").await.expect(200);
    assert!(script.header("content-type").starts_with("text/x-shellscript"));
    assert!(script.text.ends_with("main \"$@\"\n") && script.text.contains("--agent"));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &script.text).unwrap();
    assert!(Command::new("sh").arg("-n").arg(file.path()).status().unwrap().success());
    // A truncated script does nothing.
    std::fs::write(file.path(), &script.text[..script.text.len() - 10]).unwrap();
    let half = Command::new("sh").arg(file.path()).arg("--help").output().unwrap();
    assert_eq!((half.stdout.len(), half.stderr.len()), (0, 0), "{half:?}");
    panel.anonymous().post("/install.sh", json!({})).await.expect(405);
}

#[tokio::test]
async fn the_program_is_for_those_with_the_nodes_secret() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let secret = |id: &'static str| {
        let admin = admin.clone();
        async move {
            admin.post("/api/nodes", json!({ "id": id })).await.expect(201).json["secret"]
                .as_str()
                .unwrap()
                .to_owned()
        }
    };
    let (attic, cellar) = (secret("attic").await, secret("cellar").await);
    let path = format!("/api/nodes/attic/program?arch={}", std::env::consts::ARCH);
    let as_node = |secret: &str| {
        let mut client = panel.anonymous();
        client.token = Some(secret.to_owned());
        client
    };
    panel.anonymous().get(&path).await.refused(401, "unauthenticated");
    admin.get(&path).await.refused(401, "unauthenticated");
    as_node(&cellar).get(&path).await.refused(401, "unauthenticated");
    as_node(&attic).get(&path.replace("attic", "nobody")).await.refused(401, "unauthenticated");
    as_node(&attic).get("/api/nodes/attic/program?arch=..%2Fx").await.refused(404, "not_found");
    as_node(&attic).get("/api/nodes/attic/program").await.refused(422, "invalid");
    let answer = reqwest::Client::new()
        .get(format!("http://{}{path}", panel.address))
        .bearer_auth(&attic)
        .send()
        .await
        .unwrap();
    let whole = std::fs::read(program()).unwrap();
    assert_eq!(answer.content_length(), Some(whole.len() as u64));
    assert!(answer.bytes().await.unwrap() == whole, "the program, byte by byte");
    // The operator has added the program for another architecture.
    let folder = panel.folder().join("agents");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("ctrl-alt-play-riscv64"), "other").unwrap();
    assert_eq!(as_node(&attic).get("/api/nodes/attic/program?arch=riscv64").await.expect(200).text, "other");
    assert!(!panel.log().contains(&attic));
}
