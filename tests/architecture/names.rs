//! Each feature has the same name in every layer, so that searching for it finds everything.

use std::collections::{BTreeMap, BTreeSet};

use super::files::{self, File};

/// The folders whose entries are named after features.
const FLOORS: [&str; 5] = ["storage/src", "agent/src", "agent/protocol/src", "src", "tests/api"];

/// Entries of `agent/src` and `tests/api` that are not named after a feature but after a part with a similar name:
/// `agent/src/server/` is the life cycle of one game server, `tests/api/server…` is never that.
const NOT_FEATURES: [&str; 2] = ["agent/src/server", "agent/src/stats"];

/// The first path component below a folder, without extension: `servers` for `src/servers/views.rs`.
fn room(file: &File, floor: &str) -> Option<String> {
    let rest = file.path.strip_prefix(floor)?.strip_prefix('/')?;
    let first = rest.split('/').next()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "mod" | "lib" | "main" | "tests")).then(|| name.to_owned())
}

/// The features: the folders of `src/` with endpoints.
fn features(files: &[File]) -> BTreeSet<String> {
    files
        .iter()
        .filter(|file| file.name() == "routes.rs" && file.path.split('/').count() == 3)
        .filter_map(|file| room(file, "src"))
        .collect()
}

/// Finds entries such as `server` beside the feature `servers`: two names for one thing.
fn other_words(files: &[File]) -> Vec<String> {
    let features = features(files);
    let mut found = BTreeMap::new();
    for floor in FLOORS {
        for file in files.iter().filter(|file| file.rust()) {
            let Some(name) = room(file, floor) else { continue };
            let place = format!("{floor}/{name}");
            if features.contains(&name) || NOT_FEATURES.contains(&place.as_str()) {
                continue;
            }
            let same = features.iter().find(|feature| {
                **feature == format!("{name}s")
                    || format!("{feature}s") == name
                    || format!("{feature}_routes") == name
            });
            if let Some(feature) = same {
                found.insert(
                    place,
                    format!("{}:1: the feature is called `{feature}` on every floor", file.path),
                );
            }
        }
    }
    found.into_values().collect()
}

/// Finds features without rules or with untested endpoints.
fn incomplete(files: &[File]) -> Vec<String> {
    let tests: Vec<&File> =
        files.iter().filter(|file| file.within("tests") && !file.within("tests/architecture")).collect();
    let mut found = Vec::new();
    for feature in features(files) {
        let folder = format!("src/{feature}");
        if !files.iter().any(|file| file.path == format!("{folder}/mod.rs")) {
            found.push(format!("{folder}/routes.rs:1: the rules of `{feature}` belong into {folder}/mod.rs"));
        }
        let asked = files
            .iter()
            .filter(|file| file.path == format!("{folder}/routes.rs"))
            .flat_map(|file| endpoints(&file.text))
            .any(|path| tests.iter().any(|test| test.text.contains(&path)));
        if !asked {
            found.push(format!("{folder}/routes.rs:1: no test asks an endpoint of `{feature}`"));
        }
    }
    found
}

/// The paths in a `routes.rs`, as far as they do not depend on an id.
fn endpoints(text: &str) -> BTreeSet<String> {
    let paths = text.split('"').skip(1).step_by(2).filter(|text| text.starts_with('/'));
    paths.map(|path| path.split('{').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn features_have_one_name_on_every_floor() {
    let files = files::all();
    let found = [other_words(&files), incomplete(&files)].concat();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn a_second_name_is_seen() {
    let files = [
        File::sample("src/backups/mod.rs", ""),
        File::sample("src/backups/routes.rs", "route(GET, \"/api/backups/{id}\")"),
        File::sample("storage/src/backup.rs", ""),
        File::sample("agent/src/server/cycle.rs", ""),
    ];
    assert_eq!(
        other_words(&files),
        ["storage/src/backup.rs:1: the feature is called `backups` on every floor"]
    );
    assert_eq!(incomplete(&files), ["src/backups/routes.rs:1: no test asks an endpoint of `backups`"]);
    let asked = [File::sample("tests/api/backups.rs", "get(\"/api/backups/1\")")];
    let files: Vec<File> = files.into_iter().chain(asked).collect();
    assert!(incomplete(&files).is_empty());
}
