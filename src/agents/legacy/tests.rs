//! Tests for what has no endpoint yet: files of a legacy agent.

use std::time::Duration;

use protocol::{
    Envelope, ErrorCode, ErrorReport, FileContent, FileRead, FileWrite, SystemInfo, ToAgent, ToPanel, decode,
};

use crate::agents::RequestError;
use crate::agents::tests::{FakeAgent, World};

const SOON: Duration = Duration::from_secs(30);

/// A node with a legacy agent.
async fn old_agent(world: &World) -> FakeAgent {
    world.agents.add_node(&"old".into(), "old");
    let agent = world.connect_legacy(&"old".into());
    let info = SystemInfo { capabilities: vec!["docker".into()], ..SystemInfo::default() };
    agent.say(ToPanel::SystemInfo(Box::new(info)));
    while !world.agents.node(&"old".into()).limited {
        tokio::task::yield_now().await;
    }
    agent
}

fn read() -> ToAgent {
    ToAgent::FileRead(FileRead { server_id: "a".into(), path: "x".into() })
}

fn write() -> ToAgent {
    ToAgent::FileWrite(FileWrite { server_id: "a".into(), path: "x".into(), content: "y".into() })
}

fn from_json(json: &str) -> ToPanel {
    decode::<ToPanel>(json.as_bytes()).unwrap().message
}

#[tokio::test]
async fn answers_without_a_server_are_those_of_the_one_in_hand() {
    let world = World::new().await;
    let mut agent = old_agent(&world).await;
    let ask = async |asked: ToAgent, answer: &str, agent: &mut FakeAgent| {
        let answered = async {
            let heard: Envelope<ToAgent> = agent.hear().await;
            assert!(matches!(heard.message, ToAgent::FileRead(_) | ToAgent::FileWrite(_)));
            agent.say(from_json(answer));
        };
        let old = "old".into();
        tokio::join!(world.agents.ask(&old, asked, SOON), answered).0
    };
    let content =
        ask(read(), r#"{"type":"file_content","data":{"path":"x","content":"y"}}"#, &mut agent).await;
    let Ok(ToPanel::FileContent(FileContent { content: Some(content), .. })) = content else {
        panic!("{content:?}")
    };
    assert_eq!(content, "y");
    let good = r#"{"type":"file_content","data":{"path":"x","success":true,"message":"File written"}}"#;
    ask(write(), good, &mut agent).await.unwrap();
    let bad = r#"{"type":"file_content","data":{"path":"x","success":false,"message":"EACCES"}}"#;
    let Err(RequestError::Refused(report)) = ask(write(), bad, &mut agent).await else { panic!() };
    assert!(report.message.ends_with("could not do it: EACCES"), "{}", report.message);
    let other = r#"{"type":"error","data":{"code":"HANDLER_ERROR","message":"no such file"}}"#;
    let Err(RequestError::Refused(report)) = ask(read(), other, &mut agent).await else { panic!() };
    assert_eq!(report.code, ErrorCode::AgentFailed);
    assert!(report.message.ends_with("could not do it: no such file"), "{}", report.message);
}

#[tokio::test]
async fn one_that_says_nothing_is_marked_as_having_no_files() {
    let world = World::new().await;
    let mut agent = old_agent(&world).await;
    let told = |word: &str| world.agents.node(&"old".into()).problems[0].message.contains(word);
    assert!(!told("does not serve files"));
    tokio::time::pause();
    let refused = |outcome| {
        let Err(RequestError::Refused(report)) = outcome else { panic!("{outcome:?}") };
        let ErrorReport { code, message, .. } = *report;
        assert_eq!(code, ErrorCode::NotSupported);
        assert!(message.contains("serve files"), "{message}");
    };
    refused(world.agents.ask(&"old".into(), read(), SOON).await);
    assert!(matches!(agent.hear().await.message, ToAgent::FileRead(_)));
    assert!(told("does not serve files"));
    // It is not asked for files again, and everything else still works.
    refused(world.agents.ask(&"old".into(), write(), SOON).await);
    let info = async {
        assert_eq!(agent.hear().await.message, ToAgent::SystemInfoRequest);
        agent.say(ToPanel::SystemInfo(Box::default()));
    };
    let old = "old".into();
    let (answer, ()) = tokio::join!(world.agents.ask(&old, ToAgent::SystemInfoRequest, SOON), info);
    assert!(matches!(answer, Ok(ToPanel::SystemInfo(_))), "{answer:?}");
}
