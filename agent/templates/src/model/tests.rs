//! Tests of the native form: its schema, and invalid files.

use super::{FileError, Template, read};

const SMALL: &str = "template: 1\nabout:\n  name: A game\nimages:\n- label: One\n  reference: example.com/a:1\nvariables:\n- name: PORT\n  rules: [required]\n";

/// The schema is written by `UPDATE=1 cargo test -p ctrl-alt-play-templates schema`.
#[test]
fn the_schema_is_that_of_the_types() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/template.schema.json");
    let schema = serde_json::to_value(schemars::schema_for!(Template)).expect("a schema");
    let text = format!("{}\n", serde_json::to_string_pretty(&schema).expect("JSON"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &text).expect("it can be written");
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), text);
}

#[test]
fn what_cannot_be_is_refused_with_its_key() {
    assert_eq!(read(SMALL).expect("a template").about.name, "A game");
    for (from, to, key) in [
        ("template: 1", "template: 2", "template"),
        ("A game", "''", "about.name"),
        ("PORT", "A-B", "variables.0.name"),
        ("example.com/a:1", "a b", "images.0.reference"),
    ] {
        match read(&SMALL.replacen(from, to, 1)) {
            Err(FileError::Content(problems)) => assert_eq!(problems[0].key, key),
            other => panic!("{key}: {other:?}"),
        }
    }
    let unknown = read(&SMALL.replacen("label: One", "lable: One", 1)).expect_err("refused");
    assert!(unknown.to_string().contains("lable"), "{unknown}");
}
