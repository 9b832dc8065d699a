use super::*;
use ids::ServerId;

use jiff::Timestamp;

fn round<M>(json: &str) -> M
where
    M: Inbound + serde::Serialize + PartialEq + std::fmt::Debug + Clone,
{
    let envelope: Envelope<M> = decode(json.as_bytes()).unwrap();
    let again = serde_json::to_vec(&envelope).unwrap();
    let envelope2: Envelope<M> = decode(&again).unwrap();
    assert_eq!(envelope.message, envelope2.message);
    envelope.message
}

#[test]
fn a_request_without_data_or_timestamp_is_taken() {
    assert_eq!(round::<ToAgent>(r#"{"type":"system_info_request"}"#), ToAgent::SystemInfoRequest);
    assert_eq!(round::<ToAgent>(r#"{"type":"system_info_request","data":{}}"#), ToAgent::SystemInfoRequest);
}

#[test]
fn unknown_types_and_bad_data_are_told_apart() {
    let unknown = decode::<ToAgent>(br#"{"type":"make_coffee","messageId":"7"}"#).unwrap_err();
    assert!(
        matches!(unknown, DecodeError::UnknownType { kind, message_id } if kind == "make_coffee" && message_id.as_deref() == Some("7"))
    );
    let bad = decode::<ToAgent>(br#"{"type":"server_start","data":{"serverId":5}}"#).unwrap_err();
    assert!(matches!(bad, DecodeError::BadData { kind, .. } if kind == "server_start"));
    assert!(matches!(decode::<ToAgent>(b"[]").unwrap_err(), DecodeError::NotAMessage(_)));
}

#[test]
fn a_bad_timestamp_is_replaced_by_now() {
    for stamp in ["5", "\"yesterday\"", "null"] {
        let json = format!(r#"{{"type":"heartbeat","data":{{"nodeId":"n"}},"timestamp":{stamp}}}"#);
        let envelope: Envelope<ToPanel> = decode(json.as_bytes()).unwrap();
        assert!((Timestamp::now() - envelope.timestamp).as_secs().abs() < 5);
    }
}

#[test]
fn any_word_is_a_status() {
    let message: ToPanel =
        round(r#"{"type":"server_status","data":{"serverId":"a","status":"frobnicating"}}"#);
    let ToPanel::ServerStatus(status) = message else { panic!("{message:?}") };
    assert_eq!(status.status, Status::Other("frobnicating".into()));
}

#[test]
fn server_ids_are_folder_names() {
    for good in ["a", "0", "k3v9-x2", &"a".repeat(64)] {
        assert!(ServerId::from(good).is_valid(), "{good}");
    }
    for bad in ["", ".", "-a", "A", "a/b", "../../etc", "a b", "a\n", &"a".repeat(65)] {
        assert!(!ServerId::from(bad).is_valid(), "{bad:?}");
    }
}

#[test]
fn a_server_is_described_as_it_was_asked_for() {
    let asked: ToAgent = round(r#"{"type":"server_describe","data":{"serverId":"a"},"messageId":"1"}"#);
    assert_eq!(asked, ToAgent::ServerDescribe(ServerRef { server_id: "a".into() }));
    let told: ToPanel = round(
        r#"{"type":"server_description","data":{"spec":{"serverId":"a","name":"World","image":"busybox",
            "startup":"game","ports":[{"internal":1,"external":2,"protocol":"udp"}]},"suspended":true}}"#,
    );
    let ToPanel::ServerDescription(told) = told else { panic!("{told:?}") };
    assert_eq!((told.spec.server_id.as_str(), told.spec.ports.len(), told.suspended), ("a", 1, true));
}

/// One sample of each message: decoded and encoded again, it must be unchanged.
const GOLDEN: &str = include_str!("../golden/messages.jsonl");

#[test]
fn the_golden_samples() {
    use super::commands::CommandName;
    use serde_json::Value;
    let mut seen = std::collections::BTreeSet::new();
    for line in GOLDEN.lines() {
        let sample: Value = serde_json::from_str(line).unwrap();
        let (to, frame) = (sample["to"].as_str().unwrap(), &sample["frame"]);
        let bytes = frame.to_string();
        let written = match (to, sample["command"] == true) {
            (_, true) => {
                let again = match CommandName::read(bytes.as_bytes()).expect(line) {
                    CommandName::Command(command) => command.json(),
                    CommandName::Response(response) => response.json(),
                    CommandName::Event(event) => event.json(),
                };
                stamped(&again)
            }
            ("agent", _) => written::<ToAgent>(&bytes),
            _ => written::<ToPanel>(&bytes),
        };
        assert_eq!(written, stamped(frame), "{line}");
        seen.insert(format!("{to} {}", frame["type"].as_str().unwrap()));
    }
    // Other errors have codes of their own in the decoder.
    for (to, error) in [
        ("agent", serde_json::from_str::<ToAgent>(r#"{"type":"?"}"#).unwrap_err().to_string()),
        ("panel", serde_json::from_str::<ToPanel>(r#"{"type":"?"}"#).unwrap_err().to_string()),
    ] {
        let (_, words) = error.split_once("expected one of ").unwrap();
        for word in words.split('`').skip(1).step_by(2) {
            assert!(seen.contains(&format!("{to} {word}")), "no golden sample of {word}, to the {to}");
        }
    }

    fn written<M: Inbound + serde::Serialize>(bytes: &str) -> Value {
        let envelope: Envelope<M> = decode(bytes.as_bytes()).unwrap_or_else(|e| panic!("{bytes}: {e}"));
        serde_json::to_value(envelope).unwrap()
    }

    /// The command form gets its timestamp when it is encoded.
    fn stamped(value: &Value) -> Value {
        let mut value = value.clone();
        if value.get("data").is_some() && value.get("type").is_some_and(|kind| kind == "command") {
            value["data"]["timestamp"] = Value::Null;
        }
        if ["command", "response", "event"].iter().any(|kind| value["type"] == *kind) {
            value["timestamp"] = Value::Null;
        }
        value
    }
}

#[test]
fn what_other_makes_send_is_taken() {
    let limits = r#"{"type":"server_create","data":{"serverId":"a","image":"i","environment":{"N":5,"B":true},
        "limits":{"memory":536870912.0,"cpu":"150","swap":null},"ports":[{"internal":1,"external":2,"protocol":"TCP"}]}}"#;
    let ToAgent::ServerCreate(spec) = round::<ToAgent>(limits) else { panic!() };
    assert_eq!((spec.limits.memory, spec.limits.cpu, spec.limits.swap), (536_870_912, 150, 0));
    assert_eq!((spec.environment["N"].as_str(), spec.environment["B"].as_str()), ("5", "true"));
    let status = r#"{"type":"server_status","data":{"serverId":"a","status":"running","stats":{"cpu":"1.5"},
        "error":{"code":1}}}"#;
    let ToPanel::ServerStatus(status) = round::<ToPanel>(status) else { panic!() };
    assert_eq!((status.stats.unwrap().cpu, status.error.as_deref()), (1.5, Some(r#"{"code":1}"#)));
    let output =
        r#"{"type":"server_output","data":{"serverId":"a","output":"x","stream":"log","timestamp":5}}"#;
    assert!(matches!(round::<ToPanel>(output), ToPanel::ServerOutput(o) if o.stream == Stream::Stdout));
    let info = r#"{"type":"system_info","data":{"memory":1e9,"networks":null}}"#;
    assert!(matches!(round::<ToPanel>(info), ToPanel::SystemInfo(i) if i.memory == 1_000_000_000));
    assert!(matches!(round::<ToPanel>(r#"{"type":"heartbeat"}"#), ToPanel::Heartbeat(_)));
}

/// Exactly the known types have limits.
#[test]
fn the_types_with_limits_are_the_types() {
    for (kinds, error) in [
        (to_agent::KINDS, serde_json::from_str::<ToAgent>(r#"{"type":"?"}"#).unwrap_err().to_string()),
        (&to_panel::KINDS[..], serde_json::from_str::<ToPanel>(r#"{"type":"?"}"#).unwrap_err().to_string()),
    ] {
        let (_, words) = error.split_once("expected one of ").unwrap();
        let words: Vec<&str> = words.split('`').skip(1).step_by(2).collect();
        let limited: Vec<&str> = kinds.iter().map(|(name, _)| *name).collect();
        assert_eq!(limited, words);
    }
}

fn panel(json: &str) -> ToPanel {
    decode::<ToPanel>(json.as_bytes()).unwrap().message
}

fn refused(json: &str) -> String {
    decode::<ToAgent>(json.as_bytes()).unwrap_err().to_string()
}

#[test]
fn an_agents_words_are_cleaned_and_cut() {
    let long = "\\u001b]0;title\\u0007\\n".to_owned() + &"x".repeat(50_000);
    let ToPanel::ServerStatus(status) = panel(&format!(
        r#"{{"type":"server_status","data":{{"serverId":"a","status":"{long}","error":"{long}","dataDir":"{long}",
        "containerId":"{long}","progress":{{"percent":-1e9,"text":"{long}"}},
        "stats":{{"players":{{"{long}":["{long}",{{"a":"{long}"}}]}}}}}}}}"#
    )) else {
        panic!()
    };
    let size = serde_json::to_string(&status).unwrap().len();
    assert!(size < 4096, "{size}");
    let error = status.error.unwrap();
    assert!(error.starts_with("xxx") && error.ends_with("x…"), "{}", &error[..20]);
    assert_eq!(status.progress.unwrap().percent, Some(0.0));
    let names = (0..500).map(|n| format!(r#""{long}{n}":"{long}""#)).take(4).collect::<Vec<_>>().join(",");
    let many = format!("[{}]", vec![r#""word\n""#; 1_000].join(","));
    let ToPanel::SystemInfo(info) = panel(&format!(
        r#"{{"type":"system_info","data":{{"os":"{long}","capabilities":{many},"networks":{{{names}}}}}}}"#
    )) else {
        panic!()
    };
    assert_eq!((info.capabilities.len(), info.capabilities[0].as_str()), (64, "word"));
    assert!(serde_json::to_string(&info).unwrap().len() < 4096);
    let ToPanel::ConsoleLines(lines) = panel(
        r#"{"type":"console_lines","data":{"serverId":"a","lines":[{"seq":18446744073709551615,
        "time":"2026-01-01T00:00:00Z","stream":"stdout","text":"one\ntwo\u001b[2J\u001b[31mred"},{"skipped":18446744073709551615}]}}"#,
    ) else {
        panic!()
    };
    assert!(
        matches!(&lines.lines[0], ConsoleItem::Line(line) if line.text == "one two\u{1b}[31mred" && line.seq == 1 << 53)
    );
    let ToPanel::Error(report) = panel(&format!(
        r#"{{"type":"error","data":{{"code":"{long}","message":"{long}","details":{many},"serverId":"{long}"}}}}"#
    )) else {
        panic!()
    };
    assert!(serde_json::to_string(&report).unwrap().len() < 4096);
    assert_eq!(report.server_id.as_deref(), Some(""), "cut, it would be another server's");
}

#[test]
fn a_panels_words_are_refused_where_cutting_would_change_them() {
    let ports = vec![r#"{"internal":1,"external":1,"protocol":"tcp"}"#; 2_000].join(",");
    let create = |more: &str| {
        format!(r#"{{"type":"server_create","messageId":"7","data":{{"serverId":"a","image":"i",{more}}}}}"#)
    };
    let big = format!(r#""environment":{{"A":"{}"}}"#, "x".repeat(300_000));
    let huge = format!(r#""environment":{{"A":"{}"}}"#, "x".repeat(5_000_000));
    let variables = (0..2_000).map(|n| format!(r#""V{n}":"""#)).collect::<Vec<_>>().join(",");
    for (json, why) in [
        (create(&format!(r#""ports":[{ports}]"#)), "ports has more than 512"),
        (create(&big), "a variable has more than"),
        (create(&huge), "larger than a message of this type"),
        (create(&format!(r#""environment":{{{variables}}}"#)), "environment has more than 1000"),
        (create(r#""startup":"a\u0000b""#), "startup holds a NUL"),
        (
            format!(
                r#"{{"messageId":"7","data":{{"serverId":"a","command":"{}"}},"type":"server_command"}}"#,
                "x".repeat(99_999)
            ),
            "command has more than",
        ),
    ] {
        let said = refused(&json);
        assert!(said.contains(why), "{said}");
        let error = decode::<ToAgent>(json.as_bytes()).unwrap_err();
        assert_eq!((error.message_id(), error.code()), (Some("7"), ErrorCode::BadMessage));
    }
}

/// Small frames that become large when decoded, in both encodings and with the type in any position.
#[test]
fn what_would_become_large_is_passed_over() {
    let maps = vec![r#"{"a":0}"#; 20_000].join(",");
    let keys = (0..60_000).map(|n| format!(r#""{n}":0"#)).collect::<Vec<_>>().join(",");
    let lists = vec!["[]"; 200_000].join(",");
    for data in [format!("[{maps}]"), format!("{{{keys}}}"), format!(r#"{{"servers":[{lists}]}}"#)] {
        for kind in ["server_status", "sync", "error", "console_lines", "system_info", "no_such_type"] {
            for json in [
                format!(r#"{{"type":"{kind}","messageId":"7","data":{data}}}"#),
                format!(r#"{{"data":{data},"messageId":"7","type":"{kind}"}}"#),
            ] {
                let value: serde_json::Value = serde_json::from_str(&json).unwrap();
                let packed = rmp_serde::to_vec_named(&value).unwrap();
                for error in [
                    Encoding::Json.decode::<ToPanel>(json.as_bytes()).unwrap_err(),
                    Encoding::MessagePack.decode::<ToPanel>(&packed).unwrap_err(),
                ] {
                    assert_eq!(error.message_id(), Some("7"), "{error}");
                    assert_eq!(error.kind(), kind);
                }
            }
        }
        assert!(
            commands::CommandName::read(format!(r#"{{"type":"event","data":{data}}}"#).as_bytes()).is_none()
        );
    }
}

#[test]
fn names_of_files_are_refused_and_never_changed() {
    let page = |name: &str| {
        let entry = serde_json::json!({"name": name, "kind": "file", "size": 1, "mode": 0o644,
            "modified": "2026-01-01T00:00:00Z"});
        serde_json::json!({"type": "file_entries", "data": {"path": "/", "total": 1, "entries": [entry]}})
            .to_string()
    };
    let odd = "a\n\u{1b}[31m\u{202e}<b>\u{EFFF}";
    let ToPanel::FileEntries(entries) = panel(&page(odd)) else { panic!() };
    assert_eq!(entries.entries[0].name, odd);
    for bad in ["a/b", "a\0", &"x".repeat(256)] {
        assert!(decode::<ToPanel>(page(bad).as_bytes()).is_err(), "{bad:?}");
    }
    let list =
        serde_json::json!({"type": "file_list", "data": {"serverId": "a", "path": "/", "limit": 4_000_000}});
    let message = decode::<ToAgent>(list.to_string().as_bytes()).unwrap().message;
    assert!(matches!(message, ToAgent::FileList(FileList { limit: LISTED, .. })));
    let upload = |id: &str| {
        serde_json::json!({"type": "upload_stat", "data": {"serverId": "a", "id": id}}).to_string()
    };
    assert!(decode::<ToAgent>(upload("abc-1").as_bytes()).is_ok());
    for bad in ["", "..", "a/b", "a.b", &"x".repeat(65)] {
        assert!(decode::<ToAgent>(upload(bad).as_bytes()).is_err(), "{bad:?}");
    }
}

/// The largest answers that can be requested, in both encodings.
#[test]
fn full_pages_and_long_lists_fit() {
    let entry = |n: usize| FileEntry {
        name: format!("{n:0>120}"),
        kind: FileKind::Symlink,
        size: u64::MAX,
        mode: 0o7777,
        modified: Timestamp::now(),
        target: Some(format!("{n:0>200}")),
        target_kind: Some(FileKind::Directory),
    };
    let entries = (0..LISTED as usize).map(entry).collect();
    let page = Envelope::with_id(
        ToPanel::FileEntries(FileEntries { path: "/".into(), entries, total: 50_000, more: true }),
        "1",
    );
    let paths = (0..PATHS).map(|n| format!("/world/{n:0>40}")).collect();
    let op = FileOp {
        server_id: "a".into(),
        job_id: "j".into(),
        op: FileAction::Delete { paths, permanent: false },
        denied: Vec::new(),
    };
    let op = Envelope::with_id(ToAgent::FileOp(op), "1");
    for encoding in [Encoding::Json, Encoding::MessagePack] {
        let sent = encoding.encode(&page).unwrap();
        assert_eq!(encoding.decode::<ToPanel>(&sent).unwrap().message, page.message);
        let sent = encoding.encode(&op).unwrap();
        assert_eq!(encoding.decode::<ToAgent>(&sent).unwrap().message, op.message);
    }
}
