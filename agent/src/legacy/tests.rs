use protocol::*;

use super::Interpreter;
use crate::link::{AgentSide, local};

fn lines(server: &str, texts: &[(u64, &str, Stream)]) -> Envelope<ToPanel> {
    let line = |(seq, text, stream): &(u64, &str, Stream)| {
        ConsoleItem::Line(ConsoleLine {
            seq: *seq,
            time: jiff::Timestamp::now(),
            stream: *stream,
            text: (*text).into(),
            truncated: false,
        })
    };
    let mut lines: Vec<ConsoleItem> = texts.iter().map(line).collect();
    lines.push(ConsoleItem::Skipped { skipped: 3 });
    Envelope::new(ToPanel::ConsoleLines(ConsoleLines {
        server_id: server.into(),
        lines,
        ..ConsoleLines::default()
    }))
}

async fn asked(agent: &mut AgentSide) -> ToAgent {
    agent.from_panel.recv().await.unwrap().message
}

fn frames(legacy: &mut Interpreter) -> Vec<serde_json::Value> {
    std::iter::from_fn(|| legacy.frame()).map(|text| serde_json::from_str(&text).unwrap()).collect()
}

#[tokio::test]
async fn lines_flow_to_a_panel_that_never_asks_and_stop_when_it_shows_more() {
    let (panel, mut agent) = local(8);
    let mut legacy = Interpreter::default();
    legacy.connected(Encoding::Json);
    let sync = Sync { servers: vec![ServerStatus::new("a", Status::Running)] };
    assert!(legacy.said(Envelope::new(ToPanel::Sync(sync)), &panel.to_agent).is_none());
    legacy.tick(&panel.to_agent);
    let ToAgent::ConsoleSubscribe(wish) = asked(&mut agent).await else { panic!() };
    assert_eq!((wish.server_id.as_str(), wish.after), ("a", None));
    assert!(matches!(asked(&mut agent).await, ToAgent::StatsHistory(_)));

    let texts = [(1, "one", Stream::Stdout), (2, "two", Stream::System), (3, "bad", Stream::Stderr)];
    assert!(legacy.said(lines("a", &texts), &panel.to_agent).is_none());
    let said = frames(&mut legacy);
    let told: Vec<_> =
        said.iter().map(|f| (f["data"]["output"].as_str(), f["data"]["stream"].as_str())).collect();
    assert_eq!(
        told,
        [
            (Some("one\ntwo"), Some("stdout")),
            (Some("bad"), Some("stderr")),
            (Some("[3 lines skipped]"), Some("stdout"))
        ]
    );
    assert!(said.iter().all(|frame| frame["type"] == "server_output"));

    // The next connection continues after the last line.
    legacy.ended(&panel.to_agent);
    assert!(matches!(asked(&mut agent).await, ToAgent::ConsoleUnsubscribe(_)));
    legacy.connected(Encoding::Json);
    legacy.tick(&panel.to_agent);
    let ToAgent::ConsoleSubscribe(wish) = asked(&mut agent).await else { panic!() };
    assert_eq!(wish.after, Some(3));
    assert!(matches!(asked(&mut agent).await, ToAgent::StatsHistory(_)));

    // A message id identifies a current panel: nothing is added any more.
    legacy.heard(&Envelope::with_id(ToAgent::SystemInfoRequest, "1"), &panel.to_agent);
    assert!(matches!(asked(&mut agent).await, ToAgent::ConsoleUnsubscribe(_)));
    assert!(legacy.said(lines("a", &texts), &panel.to_agent).is_some());
    assert!(frames(&mut legacy).is_empty());
}

#[tokio::test]
async fn a_refusal_is_told_as_a_status_too() {
    let (panel, _agent) = local(8);
    let mut legacy = Interpreter::default();
    legacy.connected(Encoding::Json);
    legacy.said(
        Envelope::new(ToPanel::ServerStatus(Box::new(ServerStatus::new("a", Status::Running)))),
        &panel.to_agent,
    );
    let report = ErrorReport {
        code: ErrorCode::AlreadyRunning,
        message: "It runs.".into(),
        server_id: Some("a".into()),
        ..ErrorReport::default()
    };
    assert!(legacy.said(Envelope::new(ToPanel::Error(report)), &panel.to_agent).is_some());
    let said = frames(&mut legacy);
    assert_eq!(said[0]["data"]["status"], "running");
    assert_eq!(said[0]["data"]["error"], "It runs.");
}

#[tokio::test]
async fn a_message_of_the_second_part_shows_it_as_well() {
    let (panel, mut agent) = local(8);
    for shows in [
        Envelope::new(ToAgent::StatsSubscribe(StatsSubscribe::default())),
        Envelope::with_id(ToAgent::ServerStart(ServerRef { server_id: "a".into() }), "7"),
    ] {
        let mut legacy = Interpreter::default();
        legacy.connected(Encoding::Json);
        let status = ServerStatus::new("a", Status::Running);
        legacy.said(Envelope::new(ToPanel::ServerStatus(Box::new(status))), &panel.to_agent);
        legacy.tick(&panel.to_agent);
        legacy.heard(&shows, &panel.to_agent);
        let mut ends = false;
        for _ in 0..4 {
            ends |= matches!(asked(&mut agent).await, ToAgent::ConsoleUnsubscribe(_));
        }
        assert!(ends);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_line_is_told_once_when_it_stands_still() {
    let (panel, _agent) = local(8);
    let mut legacy = Interpreter::default();
    legacy.connected(Encoding::Json);
    let sync = Sync { servers: vec![ServerStatus::new("a", Status::Stopped)] };
    legacy.said(Envelope::new(ToPanel::Sync(sync)), &panel.to_agent);
    legacy.tick(&panel.to_agent);
    let say = |legacy: &mut Interpreter, text: &str| {
        let (time, stream, text) = (jiff::Timestamp::now(), Stream::Stdout, text.to_owned());
        let partial = Some(ConsolePartial { time, stream, text, truncated: false });
        let lines = ConsoleLines { server_id: "a".into(), partial, ..ConsoleLines::default() };
        assert!(legacy.said(Envelope::new(ToPanel::ConsoleLines(lines)), &panel.to_agent).is_none());
    };
    for percent in 0..20 {
        say(&mut legacy, &format!("{percent}%"));
        let soon = tokio::time::timeout(std::time::Duration::from_millis(400), legacy.due()).await;
        assert!(soon.is_err(), "it changes");
    }
    for _ in 0..3 {
        say(&mut legacy, "> ");
        legacy.due().await;
        legacy.tick(&panel.to_agent);
    }
    let said = frames(&mut legacy);
    let told: Vec<_> = said.iter().filter_map(|frame| frame["data"]["output"].as_str()).collect();
    assert_eq!(told, ["> "], "{said:?}");
}

/// Passes messages and returns the types of those the panel gets, and the servers of its statuses.
fn told(
    legacy: &mut Interpreter,
    said: Vec<ToPanel>,
    to_agent: &crate::link::Outbox<ToAgent>,
) -> Vec<String> {
    let mut told = Vec::new();
    for message in said {
        if let Some(envelope) = legacy.said(Envelope::new(message), to_agent) {
            let json = serde_json::to_value(envelope).unwrap();
            told.push(json["type"].as_str().unwrap().to_owned());
        }
        told.extend(frames(legacy).iter().map(|frame| {
            let data = &frame["data"];
            format!("{} {} {}", frame["type"], data["serverId"], data["status"]).replace('"', "")
        }));
    }
    told
}

#[tokio::test]
async fn all_servers_are_told_one_by_one_until_a_panel_shows_that_it_knows_more() {
    let (panel, mut agent) = local(32);
    let mut legacy = Interpreter::default();
    legacy.connected(Encoding::Json);
    let sync = |all: &[(&str, Status)]| {
        let servers = all.iter().map(|(id, status)| ServerStatus::new(*id, status.clone())).collect();
        ToPanel::Sync(Sync { servers })
    };
    let status = |id: &str, status| ToPanel::ServerStatus(Box::new(ServerStatus::new(id, status)));
    let info = || ToPanel::SystemInfo(Box::default());
    // Leftovers are not sent.
    let old = vec![sync(&[("a", Status::Running)]), status("a", Status::Stopped)];
    assert_eq!(told(&mut legacy, old, &panel.to_agent), ["server_status"]);
    let both = [("a", Status::Stopped), ("b", Status::Running)];
    assert_eq!(
        told(&mut legacy, vec![info(), sync(&both)], &panel.to_agent),
        ["system_info", "server_status a stopped", "server_status b running"]
    );
    assert_eq!(told(&mut legacy, vec![info(), sync(&both)], &panel.to_agent), ["system_info"]);
    let later = vec![status("a", Status::Starting), sync(&[("a", Status::Starting), ("b", Status::Crashed)])];
    assert_eq!(told(&mut legacy, later, &panel.to_agent), ["server_status", "server_status b crashed"]);
    for unknown in [ToPanel::Ack(Ack::default()), ToPanel::HostReport(HostReport::default())] {
        assert_eq!(told(&mut legacy, vec![unknown], &panel.to_agent), [""; 0]);
    }
    // It turns out to be a current panel: the withheld messages are sent.
    legacy.heard(&Envelope::new(ToAgent::StatsSubscribe(StatsSubscribe::default())), &panel.to_agent);
    assert!(matches!(asked(&mut agent).await, ToAgent::SystemInfoRequest));
    assert_eq!(told(&mut legacy, vec![sync(&both)], &panel.to_agent), ["sync"]);
}
