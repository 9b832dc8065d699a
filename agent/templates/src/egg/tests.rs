//! Tests with eggs written for this project.

use proptest::prelude::{ProptestConfig, any, prop, proptest};

use super::{Code, Format, ImportError, export, import};
use crate::model::{Parser, PortPurpose, Scalar, Stop};
use crate::value::Value;

const V1: &str = r#"{
    "_comment": "DO NOT EDIT", "meta": {"version": "PTDL_v1"}, "exported_at": "2020-01-01T00:00:00+00:00",
    "name": "Old <b>one</b>", "author": "a@example.com", "description": null,
    "features": null, "images": ["example.com/a:1", "~example.com/b:2"],
    "startup": "./game {{TZ}} -p {{SERVER_PORT}}",
    "config": {
        "files": "{\"a.cfg\": {\"parser\": \"yml\", \"find\": {\"p\": \"{{server.build.default.port}}\", \"m\": \"{{server.build.memory}}\", \"v\": \"{{server.build.env.TZ}}\", \"on\": true}}, \"no.cfg\": {\"parser\": \"file\"}, \"../up\": {\"parser\": \"file\", \"find\": {}}}",
        "startup": "{\"done\": [\"one\", \"regex:t(wo\"], \"userInteraction\": []}",
        "logs": "{\"custom\": false}",
        "stop": "^^C"
    },
    "scripts": {"installation": {"script": "a\r\nb\r\n", "container": "alpine", "entrypoint": "ash", "more": 1}},
    "variables": [
        {"name": "Zone", "description": "d", "env_variable": "TZ", "default_value": "UTC", "user_viewable": 1, "user_editable": "0", "rules": "required|regex:/^(a|b|UTC)$/|int|frobnicate"},
        {"name": "Bad", "env_variable": "A-B", "default_value": "", "rules": {}},
        {"name": "Twice", "env_variable": "TZ", "default_value": "", "rules": ""},
        {"name": "Query", "env_variable": "QUERY_PORT", "default_value": 27015, "user_viewable": true, "user_editable": false, "rules": ["required", "integer"], "field_type": "number"}
    ],
    "somebody": {"else": [1, 2.5, null]}
}"#;

const V3: &str = "meta:\n  version: PLCN_v3\n  update_url: null\nname: New\nauthor: a@example.com\nuuid: u\ndescription: |\n  one\n  two\nicon: 'data:image/png;base64,AAAA'\ntags: {  }\nfeatures: {  }\ndocker_images:\n  'Second name': 'example.com/b'\n  'A first': 'example.com/a'\nfile_denylist: ['', secret.txt]\nstartup_commands:\n  Default: './a'\n  Other: './b'\nconfig:\n  files:\n    c.json:\n      parser: json\n      find:\n        servers.*.address:\n          'regex:^localhost(:\\d+)?$': '{{config.docker.interface}}$1'\n          exact: x\n  startup: { done: ready, strip_ansi: true }\n  logs: {  }\n  stop: '^SIGTERM'\nvariables:\n  -\n    name: On\n    env_variable: ON\n    default_value: true\n    user_viewable: true\n    user_editable: true\n    rules: [boolean]\n    sort: 1\n";

fn codes(text: &str) -> Vec<(Code, String)> {
    import(text.as_bytes()).expect("an egg").warnings.into_iter().map(|one| (one.code, one.key)).collect()
}

#[test]
fn the_first_version_becomes_a_template() {
    let template = import(V1.as_bytes()).expect("an egg").template;
    assert_eq!(template.about.name, "Old <b>one</b>");
    assert_eq!(template.images[0].label, "example.com/a:1");
    assert!(template.images[1].local && template.images[1].reference == "example.com/b:2");
    // A variable with a reserved name was renamed, also in the startup command.
    assert_eq!(template.startup[0].command, "./game {{SERVER_TZ}} -p {{SERVER_PORT}}");
    let zone = template.variable("SERVER_TZ").expect("renamed");
    assert_eq!(zone.rules, ["required", "regex:/^(a|b|UTC)$/", "int", "frobnicate"]);
    assert!(zone.viewable && !zone.editable);
    assert_eq!(template.config_files.len(), 1);
    let file = &template.config_files[0];
    assert_eq!(file.parser, Parser::Yaml);
    let values: Vec<_> = file.set.iter().map(|one| one.value.clone()).collect();
    let text = |text: &str| Scalar::Text(text.to_owned());
    let wanted = [
        text("{{server.allocations.default.port}}"),
        text("{{server.build.memory_limit}}"),
        text("{{server.environment.SERVER_TZ}}"),
        Scalar::Bool(true),
    ];
    assert_eq!(values, wanted);
    assert_eq!(template.install.as_ref().expect("a script").script, "a\nb\n");
    assert_eq!(template.run.stop, Stop::Signal("SIGKILL".into()));
    let ports: Vec<_> = template.ports.iter().map(|port| (port.purpose, port.number)).collect();
    assert_eq!(ports, [(PortPurpose::Game, None), (PortPurpose::Query, Some(27_015))]);
}

#[test]
fn nothing_is_dropped_in_silence() {
    let found = codes(V1);
    for (code, key) in [
        (Code::UnknownKey, "somebody"),
        (Code::UnknownKey, "scripts.installation.more"),
        (Code::UnknownKey, "variables.3.field_type"),
        (Code::IgnoredKey, "config.logs"),
        (Code::IgnoredKey, "config.startup.userInteraction"),
        (Code::BadPattern, "config.startup.done"),
        (Code::StopKills, "config.stop"),
        (Code::SkippedFile, "config.files.no.cfg"),
        (Code::SkippedFile, "config.files.../up"),
        (Code::Renamed, "variables.0.env_variable"),
        (Code::UnusableVariable, "variables.1.env_variable"),
        (Code::UnusableVariable, "variables.2"),
        (Code::UnknownRule, "variables.0.rules"),
        (Code::DefaultBreaksRules, "variables.0.default_value"),
    ] {
        assert!(found.contains(&(code, key.to_owned())), "{code:?} {key}: {found:?}");
    }
    let template = import(V1.as_bytes()).expect("an egg").template;
    assert_eq!(
        template.extras.get("somebody").and_then(|one| one.get("else")).map(Value::is_empty),
        Some(false)
    );
    let back = export(&template, Format::PtdlV2);
    for kept in [
        "\"somebody\"",
        "\"more\": 1",
        "A-B",
        "userInteraction",
        "no.cfg",
        "custom",
        "\"field_type\": \"number\"",
    ] {
        assert!(back.contains(kept), "{kept}:\n{back}");
    }
}

#[test]
fn what_goes_out_comes_back_as_the_same() {
    for text in [V1, V3] {
        let mut template = import(text.as_bytes()).expect("an egg").template;
        template.about.notes = "mine".into();
        template.run.stop_timeout_secs = Some(99);
        template.variables[0].secret = Some(true);
        template.needs.architectures = vec!["amd64".into()];
        template.ports.truncate(1);
        for format in [Format::PtdlV2, Format::PlcnV3, Format::PlcnV3Json] {
            let text = export(&template, format);
            let back = import(text.as_bytes()).unwrap_or_else(|error| panic!("{format:?}: {error}\n{text}"));
            assert!(
                back.template.same_meaning(&template),
                "{format:?}\n{:#?}\n{template:#?}\n{text}",
                back.template
            );
        }
        assert_eq!(crate::model::read(&crate::model::to_yaml(&template)).expect("native"), template);
    }
}

#[test]
fn the_newest_version_is_read_in_its_order() {
    let imported = import(V3.as_bytes()).expect("an egg");
    let template = imported.template;
    assert_eq!(imported.warnings, []);
    let labels: Vec<_> = template.images.iter().map(|image| image.label.as_str()).collect();
    assert_eq!(labels, ["Second name", "A first"]);
    assert_eq!(template.about.description, "one\ntwo");
    assert_eq!(template.variables[0].default, "true");
    assert_eq!(template.run.file_denylist, ["secret.txt"]);
    assert_eq!((template.startup.len(), template.startup[1].name.as_str()), (2, "Other"));
    assert_eq!(template.run.strip_ansi, Some(true));
    assert_eq!(template.config_files[0].set.len(), 2);
}

#[test]
fn old_programs_get_old_names() {
    let template = import(V1.as_bytes()).expect("an egg").template;
    let old = export(&template, Format::PtdlV2);
    assert!(old.contains("server.build.default.port") && !old.contains("server.allocations"), "{old}");
    assert!(
        old.contains("{{server.build.memory}}") && old.contains("{{server.build.env.SERVER_TZ}}"),
        "{old}"
    );
}

#[test]
fn what_is_no_egg_is_refused() {
    let deep = format!("{{\"a\": {}1{}}}", "[".repeat(100), "]".repeat(100));
    let deep_yaml = "- ".repeat(500_000);
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
    let large = format!("{{\"a\": \"{}\"}}", "x".repeat(1 << 20));
    for text in [&deep, &deep_yaml, bomb, &large, "{", "a: [", "\u{0}"] {
        let error = import(text.as_bytes()).expect_err("refused");
        assert!(matches!(error, ImportError::Unreadable(_)), "{error:?}");
    }
    for text in ["", "{}", "[]", "name: x", "just text", "{\"meta\": {\"version\": \"x\"}}"] {
        assert!(matches!(import(text.as_bytes()), Err(ImportError::NotAnEgg(_))), "{text}");
    }
    let many = (0..10_000).map(|n| format!("{{\"env_variable\": \"V{n}\"}}")).collect::<Vec<_>>().join(",");
    let many =
        format!("{{\"meta\": {{\"version\": \"PTDL_v2\"}}, \"name\": \"x\", \"variables\": [{many}]}}");
    assert!(matches!(import(many.as_bytes()), Err(ImportError::Bad { key, .. }) if key == "variables"));
    let nobody = "{\"meta\": {\"version\": \"PTDL_v2\"}, \"name\": \"\\u0007 \"}";
    assert!(matches!(import(nobody.as_bytes()), Err(ImportError::Bad { key, .. }) if key == "name"));
    assert!(import(b"a: b\nc: [").expect_err("refused").line().is_some());
    assert_eq!(import(b"{\"a\":\n \"\xff\"}").expect_err("refused").line(), Some(2));
}

#[test]
fn names_are_clean_text() {
    let egg = "{\"meta\": {\"version\": \"PLCN_v9\"}, \"name\": \"A\\u001b[31m\\u202e<script>\", \"name2\": 1, \"docker_images\": {\"a\": \"b\"}, \"docker_images\": {\"a\": \"c\"}}";
    let imported = import(egg.as_bytes()).expect("an egg");
    assert_eq!(imported.template.about.name, "A [31m <script>");
    assert_eq!(imported.template.images[0].reference, "c");
    let codes: Vec<_> = imported.warnings.iter().map(|one| one.code).collect();
    for code in [Code::UnknownVersion, Code::Cleaned, Code::DuplicateKey, Code::UnknownKey] {
        assert!(codes.contains(&code), "{code:?}: {codes:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic_the_importer(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = import(&bytes);
    }

    #[test]
    fn no_egg_with_a_hole_panics_the_importer(at in 0..V1.len(), end in 0..V1.len(), new in ".{0,4}", yaml in any::<bool>()) {
        let text = if yaml { V3 } else { V1 };
        let at = at % text.len();
        let end = at + end % 40;
        let bytes = [&text.as_bytes()[..at], new.as_bytes(), text.as_bytes().get(end..).unwrap_or_default()].concat();
        if let Ok(imported) = import(&bytes) {
            let back = import(export(&imported.template, Format::PlcnV3).as_bytes());
            assert!(back.is_ok_and(|back| back.template.same_meaning(&imported.template)));
        }
    }
}
