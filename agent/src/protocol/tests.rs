use super::*;

use jiff::Timestamp;

fn round<M>(json: &str) -> M
where
    M: serde::de::DeserializeOwned + serde::Serialize + PartialEq + std::fmt::Debug + Clone,
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
        assert!(valid_server_id(good), "{good}");
    }
    for bad in ["", ".", "-a", "A", "a/b", "../../etc", "a b", "a\n", &"a".repeat(65)] {
        assert!(!valid_server_id(bad), "{bad:?}");
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
