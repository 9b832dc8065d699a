use proptest::prelude::*;
use serde_json::json;

use crate::a2s::{Assembly, Query, Reply};
use crate::{Answer, Fault, Player, a2s, bedrock, minecraft, quake3};

fn var(mut rest: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while rest > 0x7F {
        bytes.push(u8::try_from(rest & 0x7F).unwrap() | 0x80);
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}

fn status(json: &str) -> Vec<u8> {
    let packet = [vec![0], var(json.len()), json.into()].concat();
    [var(packet.len()), packet].concat()
}

#[test]
fn minecraft_is_asked_as_its_clients_ask() {
    // Handshake of version -1, `mc.example`, 25565, next state 1; then the status request.
    let mut expected = vec![0x14, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 10];
    expected.extend(b"mc.example");
    expected.extend([0x63, 0xDD, 0x01, 0x01, 0x00]);
    assert_eq!(minecraft::request("mc.example", 25_565), expected);
}

#[test]
fn minecraft_tells_its_players() {
    let text = json!({
        "version": { "name": "Paper 1.21.4", "protocol": 769 },
        "players": { "max": 20, "online": 3, "sample": [
            { "name": "Ann", "id": "069a79f4-44e9-4726-a5be-fca90e38aaf5" },
            { "name": "§aVote for us!", "id": "00000000-0000-0000-0000-000000000000" },
        ] },
        "description": { "text": "A ", "extra": [{ "text": "§cred" }, " world"] },
    });
    let bytes = status(&text.to_string());
    let answer = minecraft::answer(&bytes).unwrap().unwrap();
    let ann = Player { name: "Ann".into(), seconds: None };
    assert_eq!((answer.online, answer.max, answer.players), (3, Some(20), vec![ann]));
    assert_eq!((answer.name.as_str(), answer.version.as_str()), ("A red world", "Paper 1.21.4"));
    for cut in 0..bytes.len() {
        assert_eq!(minecraft::answer(&bytes[..cut]), Ok(None), "{cut} bytes");
    }
}

#[test]
fn minecraft_that_lies_is_refused() {
    assert_eq!(minecraft::answer(&[0xFF; 5]), Err(Fault::TooLong));
    assert_eq!(minecraft::answer(&var(minecraft::MAX_ANSWER + 1)), Err(Fault::TooLong));
    // A text longer than its packet.
    assert_eq!(minecraft::answer(&[3, 0, 0x7F, b'{']), Err(Fault::Short));
    assert!(matches!(minecraft::answer(&status("nonsense")), Err(Fault::Unexpected(_))));
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    assert!(matches!(minecraft::answer(&status(&deep)), Err(Fault::Unexpected(_))));
    let names: Vec<_> = (0..2_000).map(|n| json!({ "name": "x".repeat(50), "id": n.to_string() })).collect();
    let many = json!({ "players": { "online": u64::MAX, "max": -1, "sample": names }, "description": "d".repeat(9_000) });
    let answer = minecraft::answer(&status(&many.to_string())).unwrap().unwrap();
    assert_eq!((answer.players.len(), answer.online, answer.max), (500, u32::MAX, None));
    assert_eq!(answer.name.len(), 200);
}

#[test]
fn bedrock_answers_its_own_ping_only() {
    let text = "MCPE;§lOur world;776;1.21.60;2;10;13253860892328930865;Bedrock level;Survival;1;19132;19133;";
    let magic = &bedrock::request(7)[9..25];
    let pong = |text: &str| {
        let length = u16::try_from(text.len()).unwrap().to_be_bytes();
        [&[0x1C][..], &7_u64.to_be_bytes(), &[9; 8], magic, &length, text.as_bytes()].concat()
    };
    let answer = bedrock::answer(&pong(text), 7).unwrap().unwrap();
    let expected = Answer {
        online: 2,
        max: Some(10),
        name: "Our world".into(),
        version: "1.21.60".into(),
        ..Answer::default()
    };
    assert_eq!(answer, expected);
    assert_eq!(bedrock::answer(&pong(text), 8), Ok(None));
    assert!(bedrock::answer(&pong("MCPE;x;1;2;many;10"), 7).is_err());
    assert!(bedrock::answer(&pong("Other;x;1;2;1;10"), 7).is_err());
    assert_eq!(bedrock::answer(&pong(text)[..60], 7), Err(Fault::Short));
}

fn info(name: &str) -> Vec<u8> {
    let texts = format!("\u{11}{name}\0dm_lockdown\0game\0A game\0");
    let head: &[u8] = &[0xFF, 0xFF, 0xFF, 0xFF, b'I'];
    [head, texts.as_bytes(), &[0xF0, 0, 5, 16, 2, b'd', b'l', 1, 0], b"0.220.5\0"].concat()
}

#[test]
fn steam_games_tell_their_players() {
    assert_eq!(a2s::request(Query::Info, None), b"\xFF\xFF\xFF\xFFTSource Engine Query\0");
    assert_eq!(a2s::request(Query::Info, Some(*b"abcd")), b"\xFF\xFF\xFF\xFFTSource Engine Query\0abcd");
    assert_eq!(a2s::request(Query::Players, None), b"\xFF\xFF\xFF\xFFU\xFF\xFF\xFF\xFF");
    let mut assembly = Assembly::default();
    let challenge = assembly.packet(b"\xFF\xFF\xFF\xFFAabcd").unwrap();
    assert_eq!(challenge, Some(Reply::Challenge(*b"abcd")));
    let Some(Reply::Info(answer)) = assembly.packet(&info("Vikings\n")).unwrap() else { panic!("no info") };
    assert_eq!((answer.online, answer.max), (3, Some(16)), "two of five are bots");
    assert_eq!((answer.name.as_str(), answer.map.as_str()), ("Vikings", "dm_lockdown"));
    let player = |name: &str, seconds: f32| {
        [&[0][..], name.as_bytes(), &[0, 1, 0, 0, 0], &seconds.to_le_bytes()].concat()
    };
    let head = b"\xFF\xFF\xFF\xFFD\x04".to_vec();
    let people =
        [head, player("Ann", 61.5), player("", 2.0), player("Bob", f32::NAN), player("Zoe", -1.0)].concat();
    let named = |name: &str, seconds| Player { name: name.into(), seconds: Some(seconds) };
    let expected = vec![named("Ann", 61), named("Bob", 0), named("Zoe", 0)];
    assert_eq!(assembly.packet(&people).unwrap(), Some(Reply::Players(expected.clone())));

    // The same in two packets, the second one first, and twice.
    let (one, two) = people.split_at(20);
    let part = |number: u8, part: &[u8]| {
        [b"\xFE\xFF\xFF\xFF\x01\0\0\0", &[2, number][..], &[0xE0, 4], part].concat()
    };
    let second = part(1, two);
    assert_eq!(assembly.packet(&second).unwrap(), None);
    assert_eq!(assembly.packet(&second).unwrap(), None);
    assert_eq!(assembly.packet(&part(0, one)).unwrap(), Some(Reply::Players(expected)));
    assert_eq!(assembly.packet(b"\xFE\xFF\xFF\xFF\x01\0\0\0\xFF\x01\0\0"), Err(Fault::TooLong));
    assert_eq!(assembly.packet(&people[..12]), Err(Fault::Short));
}

#[test]
fn quake_tells_its_players() {
    assert_eq!(quake3::request(77), b"\xFF\xFF\xFF\xFFgetstatus 77");
    let packet = b"\xFF\xFF\xFF\xFFstatusResponse\n\\challenge\\77\\sv_hostname\\^1Red^7 arena\\sv_maxclients\\8\\mapname\\oa_dm1\n3 50 \"^2Ann\"\n0 0 \"Sarge\"\n";
    let answer = quake3::answer(packet, 77).unwrap().unwrap();
    let names: Vec<_> = answer.players.iter().map(|player| player.name.as_str()).collect();
    assert_eq!((answer.online, answer.max, names), (2, Some(8), vec!["Ann", "Sarge"]));
    assert_eq!((answer.name.as_str(), answer.map.as_str()), ("Red arena", "oa_dm1"));
    assert_eq!(quake3::answer(packet, 78), Ok(None));
    assert!(quake3::answer(b"\xFF\xFF\xFF\xFFinfoResponse\n", 77).is_err());
}

fn bounded(answer: &Answer) {
    assert!(answer.players.len() <= crate::MAX_PLAYERS);
    let texts = answer.players.iter().map(|player| &player.name);
    for text in texts.chain([&answer.name, &answer.version, &answer.map]) {
        assert!(text.chars().count() <= crate::MAX_TEXT && !text.contains(char::is_control), "{text:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..2_000), pick in 0..6_usize) {
        let heads: [&[u8]; 6] = [
            b"", b"\xFF\xFF\xFF\xFFI\x11", b"\xFF\xFF\xFF\xFFD", b"\xFE\xFF\xFF\xFF\0\0\0\0\x01\0\0\0",
            b"\xFF\xFF\xFF\xFFstatusResponse\n", b"\x1C",
        ];
        let packet = [heads[pick], &bytes].concat();
        match Assembly::default().packet(&packet) {
            Ok(Some(Reply::Info(answer))) => bounded(&answer),
            Ok(Some(Reply::Players(players))) => bounded(&Answer { players, ..Answer::default() }),
            _ => {}
        }
        for answer in [minecraft::answer(&packet), bedrock::answer(&packet, 0), quake3::answer(&packet, 0)] {
            if let Ok(Some(answer)) = answer {
                bounded(&answer);
            }
        }
    }
}
