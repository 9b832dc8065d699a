//! Tests of every parser: what it preserves, adds and refuses.

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

use super::{ConfigError, MAX_BYTES, set};
use crate::model::{Parser, Scalar, Setting};

fn text(key: &str, value: &str) -> Setting {
    Setting { key: key.into(), when: None, value: Scalar::Text(value.into()) }
}

fn when(key: &str, when: &str, value: &str) -> Setting {
    Setting { when: Some(when.into()), ..text(key, value) }
}

fn done(parser: Parser, present: &str, settings: &[Setting]) -> String {
    let once = set(parser, present.as_bytes(), settings)
        .unwrap_or_else(|error| panic!("{parser:?}: {error}\n{present}"));
    assert_eq!(set(parser, &once, settings).as_ref(), Ok(&once), "{parser:?} is the same a second time");
    String::from_utf8(once).expect("text")
}

#[test]
fn properties_keep_all_else() {
    let before = "\u{FEFF}# head\r\n\r\nkey : old\r\n! mid\r\nlong=a\\\r\n   b\r\nserver\\:port=1\r\ntwice=1\r\ntwice=2\r\n \tblank  x\r\nalone\r\n";
    let settings = [
        text("key", "ü😀\\n\n"),
        text("long", "short"),
        text("server:port", "2"),
        text("twice", "3"),
        text("blank", " y"),
        text("alone", "v"),
        text("new key", "a=b"),
        when("twice", "9", "no"),
        when("absent", "1", "no"),
    ];
    let after = "\u{FEFF}# head\r\n\r\nkey : \\u00fc\\ud83d\\ude00\\\\n\\n\r\n! mid\r\nlong=short\r\nserver\\:port=2\r\ntwice=1\r\ntwice=3\r\n \tblank  \\ y\r\nalone=v\r\nnew\\ key=a=b\r\n";
    assert_eq!(done(Parser::Properties, before, &settings), after);
    // Unchanged values are left as they are written, including bytes of another encoding.
    let same = set(Parser::Properties, b"# \xe4\nk=\\u0061\n", &[text("k", "a")]);
    assert_eq!(same.as_deref(), Ok(&b"# \xe4\nk=\\u0061\n"[..]));
    assert_eq!(done(Parser::Properties, "a=1", &[text("b", "2")]), "a=1\nb=2\n");
    // A backslash at the end of the file does not take in the new line; in a comment it means nothing.
    assert_eq!(done(Parser::Properties, "a=1\\\n", &[text("b", "2")]), "a=1\\\n\nb=2\n");
    assert_eq!(done(Parser::Properties, "#a\\", &[text("b", "2")]), "#a\\\nb=2\n");
}

#[test]
fn ini_keeps_all_else() {
    let before = "top = 1\n; c\n[a]\nk = old\nk = last\n\n[b.c]\nx=1\n[a]\nz = 2\n";
    let settings = [
        text("top", "2"),
        text("a.k", "new"),
        text("a.n", "1"),
        text("[b.c].x", "3"),
        text("d.e.f", "4"),
        text("root", "5"),
        when("a.z", "2", "7"),
        when("a.z", "regex:^(\\d)$", "$1$1"),
        when("a.gone", "1", "1"),
    ];
    let after =
        "top = 2\nroot = 5\n; c\n[a]\nk = old\nk = new\n\n[b.c]\nx=3\n[a]\nz = 77\nn = 1\n\n[d]\ne.f = 4\n";
    assert_eq!(done(Parser::Ini, before, &settings), after);
    assert_eq!(done(Parser::Ini, "[a]\nx=1", &[text("y", "2")]), "y=2\n\n[a]\nx=1");
    assert_eq!(done(Parser::Ini, "", &[text("a.b", "x\n[c]")]), "[a]\nb=x [c]\n");
    assert_eq!(done(Parser::Ini, "a: 0\n", &[text("a", "b=c")]), "a= b=c\n");
    assert_eq!(done(Parser::Ini, "a: 0\n", &[text("a", "b")]), "a: b\n");
}

#[test]
fn file_is_what_wings_does() {
    let settings = [text("a", "A"), text("ab", "B"), when("c", "nobody reads this", "C")];
    assert_eq!(
        set(Parser::File, b"ab 1\na 2\n a\nc\r\nd", &settings).as_deref(),
        Ok(&b"AB\nA\n a\nC\r\nd"[..])
    );
}

#[test]
fn json_keeps_comments_and_kinds() {
    let before = "{\n  // why\n  \"n\": 1, \"s\": \"1\", \"b\": true, \"f\": 1.0,\n  \"list\": [{\"a\": 1}, {\"a\": 2}],\n  \"null\": null /* end */\n}\n";
    let settings = [
        text("n", "2"),
        text("s", "2"),
        text("b", "false"),
        text("f", "1"),
        text("list[1].a", "9"),
        text("list[7].a", "9"),
        text("null", "x"),
        text("new.deep[0].er", "007"),
        text("whole", "12"),
        text("list.*.a", "5"),
        text("n.m", "in the way"),
        Setting { key: "typed".into(), when: None, value: Scalar::Bool(true) },
    ];
    let after = done(Parser::Json, before, &settings[..9]);
    assert!(after.contains("// why") && after.contains("/* end */"), "{after}");
    for part in [
        "\"n\": 2",
        "\"s\": \"2\"",
        "\"b\": false",
        "\"f\": 1.0",
        "\"a\": 9",
        "\"null\": \"x\"",
        "\"er\": \"007\"",
        "\"whole\": 12",
    ] {
        assert!(after.contains(part), "{part}: {after}");
    }
    let all =
        done(Parser::Json, "{\"list\": [{\"a\": 1}, {}, 3]}", &[text("list.*.a", "5"), settings[11].clone()]);
    let read: serde_json::Value = serde_json::from_str(&all).expect("JSON");
    assert_eq!(read, serde_json::json!({"list": [{"a": 5}, {"a": 5}, 3], "typed": true}));
    assert_eq!(done(Parser::Json, "", &[text("a.b", "1")]), "{\n    \"a\": {\n        \"b\": 1\n    }\n}\n");
}

#[test]
fn conditions_hold_or_do_not() {
    let settings = [
        when("s.*.a", "127.0.0.1", "X"),
        when("s.*.a", "regex:^(local)(host)$", "$2$1"),
        when("gone", "x", "y"),
        when("n", "1", "2"),
    ];
    let before = "{\"s\": {\"p\": {\"a\": \"127.0.0.1\"}, \"q\": {\"a\": \"localhost\"}, \"r\": {\"a\": \"other\"}}, \"n\": 1}";
    let once = set(Parser::Json, before.as_bytes(), &settings).expect("set");
    let read: serde_json::Value = serde_json::from_slice(&once).expect("JSON");
    assert_eq!(
        read,
        serde_json::json!({"s": {"p": {"a": "X"}, "q": {"a": "hostlocal"}, "r": {"a": "other"}}, "n": 2})
    );
}

#[test]
fn yaml_keeps_comments() {
    let before = "# head\nserver:\n  port: 1 # public\n  name: \"old\"\n  on: true\nlist:\n- a: 1\n- a: 2\nempty: {}\n# end\n";
    let settings = [
        text("server.port", "2"),
        text("server.name", "yes: #no"),
        text("server.on", "false"),
        text("list[0].a", "7"),
    ];
    let after = "# head\nserver:\n  port: 2 # public\n  name: \"yes: #no\"\n  on: false\nlist:\n- a: 7\n- a: 2\nempty: {}\n# end\n";
    let got = done(Parser::Yaml, before, &settings);
    assert_eq!(got.replace('\'', "\""), after);
    let more = done(Parser::Yaml, before, &[text("server.new", "1"), text("other.deep", "x")]);
    assert!(more.contains("# public") && more.contains("new: 1") && more.contains("deep: x"), "{more}");
    assert_eq!(done(Parser::Yaml, "# only\n", &[text("a.b", "1")]), "# only\na:\n  b: 1\n");
    assert_eq!(done(Parser::Yaml, "a: 1\r\nb: 2\r\n", &[text("a", "3")]), "a: 3\r\nb: 2\r\n");
}

#[test]
fn toml_keeps_comments() {
    let before = "# head\ntitle = \"x\" # t\n[server]\nport = 1 # p\nlist = [1, 2]\nin = { a = 1 }\n[[t]]\nn = 1\n[[t]]\nn = 2\n";
    let settings = [
        text("title", "y"),
        text("server.port", "2"),
        text("server.list[1]", "9"),
        text("server.in.a", "5"),
        text("t[1].n", "8"),
        text("new.key", "v"),
    ];
    let after = "# head\ntitle = \"y\" # t\n[server]\nport = 2 # p\nlist = [1, 9]\nin = { a = 5 }\n[[t]]\nn = 1\n[[t]]\nn = 8\n\n[new]\nkey = \"v\"\n";
    assert_eq!(done(Parser::Toml, before, &settings), after);
    assert_eq!(done(Parser::Toml, "", &[text("a", "1")]), "a = 1\n");
}

#[test]
fn xml_keeps_comments() {
    let before = "<?xml version=\"1.0\"?>\n<!-- c -->\n<r a='1'>\n  <x>1 &amp; 2</x>\n  <y z='q'/>\n  <x>3</x>\n  <p><q>1</q></p>\n</r>\n";
    let settings = [
        text("r.x", "<&>"),
        text("r.y", "[z='n']"),
        text("r.y", "[w='m']"),
        text("r.p.q", ""),
        text("r.*.none", "1"),
        text("other.x", "no"),
        text("r.a.b", "[k='v']"),
    ];
    let after = "<?xml version=\"1.0\"?>\n<!-- c -->\n<r a='1'>\n  <x>&lt;&amp;&gt;</x>\n  <y z='n' w=\"m\"/>\n  <x>&lt;&amp;&gt;</x>\n  <p><q></q></p>\n  <a>\n    <b k=\"v\"/>\n  </a>\n</r>\n";
    assert_eq!(done(Parser::Xml, before, &settings), after);
    assert_eq!(done(Parser::Xml, "", &[text("a.b", "1")]), "<a>\n  <b>1</b>\n</a>\n");
    assert_eq!(
        done(Parser::Xml, "<a><b>x</b></a>", &[when("a.b", "x", "y"), when("a.c", "x", "y")]),
        "<a><b>y</b></a>"
    );
}

#[test]
fn what_does_not_parse_is_told_with_its_line() {
    for (parser, broken, line) in [
        (Parser::Json, "{\n\"a\": 1,\n\"b\" 2\n}", 3),
        (Parser::Yaml, "a: 1\nb: [\n", 3),
        (Parser::Toml, "a = 1\nb = \n", 2),
        (Parser::Xml, "<a>\n<b>\n</a>", 3),
        (Parser::Json, "{\n\"a\": \u{1}}", 2),
    ] {
        let error = set(parser, broken.as_bytes(), &[text("a.b", "1")]).expect_err("refused");
        assert!(error.line().is_some_and(|found| found.abs_diff(line) <= 1), "{parser:?} {error:?}");
    }
    let error = set(Parser::Json, b"{\n\"a\": \"\xff\"}", &[]).expect_err("refused");
    assert_eq!(error.line(), Some(2));
    let large = vec![b' '; MAX_BYTES + 1];
    assert_eq!(set(Parser::File, &large, &[]), Err(ConfigError::TooLarge));
    for (parser, deep) in [
        (Parser::Json, "[".repeat(100_000)),
        (Parser::Yaml, "[".repeat(100_000)),
        (Parser::Yaml, "- ".repeat(100_000)),
        (Parser::Toml, format!("a = {}", "[".repeat(100_000))),
        (Parser::Xml, "<a>".repeat(100_000)),
    ] {
        assert!(set(parser, deep.as_bytes(), &[text("a", "1")]).is_err(), "{parser:?}");
    }
}

#[test]
fn ten_megabytes_are_set() {
    for (parser, line) in [
        (Parser::File, "line of text\n"),
        (Parser::Properties, "key.of.some=value\n"),
        (Parser::Ini, "key = value\n"),
    ] {
        let large = line.repeat((10 << 20) / line.len());
        let done = set(parser, large.as_bytes(), &[text("last", "1")]).expect("set");
        assert!(done.len() >= large.len(), "{parser:?}");
    }
}

/// Less than 5 ms for the three files of a Minecraft server, in a release build.
#[test]
fn three_files_are_set_in_time() {
    let properties = "# head\nserver-port=25565\nserver-ip=\nquery.port=25565\n".to_owned()
        + &"other-setting=some value\n".repeat(60);
    let yaml = "settings:\n  port: 1 # p\n".to_owned()
        + &(0..150).map(|n| format!("key{n}:\n  a: {n} # c\n  b: text\n")).collect::<String>();
    let files = [
        (
            Parser::Properties,
            properties,
            vec![text("server-port", "1"), text("server-ip", ""), text("query.port", "1")],
        ),
        (Parser::Yaml, yaml.clone(), vec![text("settings.port", "2")]),
        (Parser::Yaml, yaml, vec![text("settings.port", "3"), text("key9.a", "8")]),
    ];
    let begin = std::time::Instant::now();
    for _ in 0..10 {
        for (parser, file, settings) in &files {
            assert!(set(*parser, file.as_bytes(), settings).is_ok());
        }
    }
    println!("three files in {:?}", begin.elapsed() / 10);
    assert!(cfg!(debug_assertions) || begin.elapsed() / 10 < std::time::Duration::from_millis(5));
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("a".to_owned()),
        Just("a.b".to_owned()),
        Just("list[0].x".to_owned()),
        Just("s.*.k".to_owned()),
        "[a-z]{1,3}(\\.[a-z]{1,3}){0,2}"
    ]
}

fn document() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~\n\r\té]{0,80}",
        "(([a-c]{1,2}( ?[=:] ?)[ -~]{0,8}|#[a-z ]{0,5}|\\[[a-c.]{1,3}\\])\r?\n){0,8}",
        "\\{(\"[a-c]\": ?([0-9]{1,3}|\"[a-z]{0,3}\"|true|null|\\[1,2\\]),){0,3}\"a\": \\{\"b\": 1\\}\\}",
        "<a>(<[b-c]>[a-z ]{0,4}</b>|<b/>|<!-- x -->){0,3}</a>",
        "([a-c]:( [a-z0-9]{1,4})?\n|  [a-c]: [0-9]\n|- [a-z]\n){0,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_again(parser in 1..7_usize, present in document(), keys in prop::collection::vec((key(), "[ -~é\n]{0,12}"), 0..4)) {
        let parser = [Parser::File, Parser::Properties, Parser::Ini, Parser::Json, Parser::Yaml, Parser::Xml, Parser::Toml][parser];
        let mut keys = keys;
        keys.sort();
        keys.dedup_by(|a, b| a.0 == b.0);
        let settings: Vec<_> = keys.iter().map(|(key, value)| text(key, value)).collect();
        if let Ok(once) = set(parser, present.as_bytes(), &settings) {
            let twice = set(parser, &once, &settings);
            let thrice = twice.as_ref().map(|twice| set(parser, twice, &settings));
            assert!(twice.is_ok(), "{parser:?} {present:?} {settings:?} {:?} {twice:?}", String::from_utf8_lossy(&once));
            // Settings of a file may contradict each other (`a` and `a.b`). Then the second run may change the file
            // once more, but the third does not.
            let apart = keys.iter().all(|(one, _)| keys.iter().all(|(other, _)| one == other || !other.starts_with(one.split(['.', '[']).next().unwrap_or_default())));
            if apart && keys.iter().all(|(key, _)| !key.contains('*')) {
                assert_eq!(twice.as_ref(), Ok(&once), "{parser:?} {present:?} {settings:?}");
            }
            assert_eq!(thrice, Ok(twice.clone()));
        }
    }

    #[test]
    fn no_bytes_panic_a_parser(parser in 0..7_usize, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let parser = [Parser::File, Parser::Properties, Parser::Ini, Parser::Json, Parser::Yaml, Parser::Xml, Parser::Toml][parser];
        let _ = set(parser, &bytes, &[text("a.b", "c")]);
    }
}
