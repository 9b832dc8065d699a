//! The formats of a source: an index in Pelican's format, a list of links, or a ZIP archive of templates.

use std::io::{Read, Write};

use ::templates::value::{self, Limits, Value};
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use storage::sources::Contents;

use crate::error::ApiError;
use crate::templates::templates_in;

/// Largest source, in bytes.
pub(super) const MOST_BYTES: u64 = 16 << 20;
/// Most entries of a source.
const MOST: usize = 5_000;
/// Largest stored listing in bytes, compressed.
const MOST_KEPT: usize = 8 << 20;
/// Largest stored listing in bytes, uncompressed.
const MOST_UNPACKED: u64 = 96 << 20;
/// Most JSON values of an index, because each takes memory while it is parsed.
const NODES: usize = 400_000;
const LIMITS: Limits = Limits { bytes: 4 << 20, depth: 16, nodes: NODES };
/// Longest texts that are stored, in characters.
const NAME: usize = 200;
const DESCRIPTION: usize = 600;
const LINK: usize = 2_048;

/// A template listed by a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
    /// The group that contains it.
    #[serde(default)]
    pub(super) group: String,
    /// Its URL, or its path in an archive.
    pub(super) place: String,
    /// Its uuid; absent if the source does not specify it.
    #[serde(default)]
    pub(super) uuid: Option<String>,
    /// Hash of the template's content; only if the source contains the template itself.
    #[serde(default)]
    pub(super) state: Option<String>,
}

/// A parsed source.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) kind: &'static str,
    pub(super) entries: Vec<Entry>,
    /// The files of an archive, in the order of the entries.
    pub(super) files: Vec<String>,
}

/// Parses a source.
pub(super) fn read(bytes: &[u8]) -> Result<Listing, ApiError> {
    let listing = if bytes.starts_with(b"PK") { archive(bytes)? } else { text(bytes)? };
    match listing.entries.len() {
        0 => Err(bad("lists no templates: it has to be an index, a list of links, or a ZIP archive")),
        many if many > MOST => Err(bad(&format!("lists more than {MOST} templates"))),
        _ => Ok(listing),
    }
}

fn bad(problem: &str) -> ApiError {
    ApiError::field("url", problem)
}

fn archive(bytes: &[u8]) -> Result<Listing, ApiError> {
    let (mut entries, mut files) = (Vec::new(), Vec::new());
    for found in templates_in(bytes)? {
        entries.push(Entry {
            name: cut(&found.name, NAME),
            description: cut(&found.description, DESCRIPTION),
            group: group_of(&found.file),
            place: found.file,
            uuid: found.uuid,
            state: Some(found.state),
        });
        files.push(found.document);
    }
    Ok(Listing { kind: "archive", entries, files })
}

fn text(bytes: &[u8]) -> Result<Listing, ApiError> {
    let text = std::str::from_utf8(bytes).map_err(|_| bad("is no text and no archive"))?;
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if !text.starts_with(['{', '[']) {
        let entries =
            text.lines().map(str::trim).filter(|line| is_link(line)).take(MOST + 1).map(link).collect();
        return Ok(Listing { kind: "links", entries, files: Vec::new() });
    }
    if text.bytes().filter(|byte| b",[{".contains(byte)).count() > NODES {
        return Err(bad(&format!("lists more than {MOST} templates")));
    }
    let value = value::from_json(text, &LIMITS).map_err(|error| bad(&format!("cannot be read: {error}")))?;
    let mut entries = Vec::new();
    walk(&value, "", 0, &mut entries);
    Ok(Listing { kind: "index", entries, files: Vec::new() })
}

/// Collects entries at any level: in nests, in groups, or in a single list.
fn walk(value: &Value, group: &str, depth: usize, entries: &mut Vec<Entry>) {
    if depth > 6 || entries.len() > MOST {
        return;
    }
    let texts = |value: &Value, keys: &[&str]| -> Option<String> {
        keys.iter().find_map(|key| value.get(key)?.as_str().map(str::to_owned))
    };
    match value {
        Value::List(list) => list.iter().for_each(|value| walk(value, group, depth + 1, entries)),
        Value::String(text) if is_link(text) => entries.push(Entry { group: cut(group, NAME), ..link(text) }),
        Value::Map(pairs) => {
            let place = texts(value, &["download_url", "url", "link"]).filter(|place| is_link(place));
            let Some(place) = place else {
                let group = texts(value, &["nest_type", "name", "group", "category"])
                    .unwrap_or_else(|| group.to_owned());
                let deeper =
                    pairs.iter().filter(|(_, value)| matches!(value, Value::List(_) | Value::Map(_)));
                return deeper.for_each(|(_, value)| walk(value, &group, depth + 1, entries));
            };
            let egg = value.get("egg").unwrap_or(value);
            let said = |keys: &[&str]| texts(egg, keys).or_else(|| texts(value, keys));
            entries.push(Entry {
                name: cut(&said(&["name", "title"]).unwrap_or_else(|| link(&place).name), NAME),
                description: cut(&said(&["description"]).unwrap_or_default(), DESCRIPTION),
                group: cut(group, NAME),
                uuid: said(&["uuid"]).map(|uuid| cut(&uuid, 64)),
                state: None,
                place,
            });
        }
        _ => {}
    }
}

fn is_link(text: &str) -> bool {
    (text.starts_with("https://") || text.starts_with("http://"))
        && text.len() <= LINK
        && !text.contains(char::is_whitespace)
}

/// An entry with nothing but its URL.
fn link(place: &str) -> Entry {
    let path = place.split(['?', '#']).next().unwrap_or(place);
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let name = stem.trim_start_matches("pelican-").trim_start_matches("egg-").replace(['-', '_'], " ");
    let name = if name.is_empty() { place.to_owned() } else { name };
    Entry { name: cut(&name, NAME), place: place.to_owned(), ..Entry::default() }
}

/// The folder of a file, without the archive's top-level folder.
fn group_of(file: &str) -> String {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    cut(folder.split_once('/').map_or("", |(_, rest)| rest), NAME)
}

fn cut(text: &str, most: usize) -> String {
    text.chars().filter(|char| !char.is_control()).take(most).collect()
}

/// Compresses a listing for storage.
pub(super) fn pack(listing: &Listing) -> Result<Contents, ApiError> {
    let contents = Contents { entries: packed(&listing.entries)?, files: packed(&listing.files)? };
    if contents.entries.len() + contents.files.len() > MOST_KEPT {
        return Err(bad(&format!("is larger than {} MiB, compressed", MOST_KEPT >> 20)));
    }
    Ok(contents)
}

fn packed<T: Serialize>(list: &[T]) -> Result<String, ApiError> {
    let failed = |error: &dyn std::error::Error| ApiError::internal("compressing a source", error);
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
    let json = serde_json::to_vec(list).map_err(|error| failed(&error))?;
    packer.write_all(&json).map_err(|error| failed(&error))?;
    Ok(BASE64_STANDARD_NO_PAD.encode(packer.finish().map_err(|error| failed(&error))?))
}

/// Reads entries or files stored by [`pack`].
pub(super) fn unpack<T: for<'de> Deserialize<'de>>(text: &str) -> Option<Vec<T>> {
    let bytes = BASE64_STANDARD_NO_PAD.decode(text).ok()?;
    let mut json = Vec::new();
    DeflateDecoder::new(bytes.as_slice()).take(MOST_UNPACKED).read_to_end(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_as_pelican_publishes_it() {
        let index = br#"{"panel_type": "Pelican", "nests": [{"nest_type": "Database", "Eggs": [
            {"egg": {"name": "Redis", "meta": {"version": "PLCN_v1"}, "description": "Keys"},
             "download_url": "https://example.org/egg-redis.json", "readme": ""},
            {"egg": {"name": "No link"}}]},
            {"nest_type": "Voice", "Eggs": [{"egg": {"uuid": "u-1"}, "download_url": "https://example.org/a/egg-mumble_server.json"}]}]}"#;
        let listing = read(index).unwrap();
        let told: Vec<_> = listing
            .entries
            .iter()
            .map(|one| (one.group.as_str(), one.name.as_str(), one.place.as_str(), one.uuid.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("Database", "Redis", "https://example.org/egg-redis.json", None),
                ("Voice", "mumble server", "https://example.org/a/egg-mumble_server.json", Some("u-1")),
            ]
        );
        let contents = pack(&listing).unwrap();
        assert_eq!(unpack::<Entry>(&contents.entries).unwrap(), listing.entries);
    }

    #[test]
    fn links_stand_in_lines_or_in_a_list() {
        let lines = "# mine\nhttps://example.org/egg-one.json\n\n  http://nas/two.yaml\nnot a link\nfile:///etc/passwd\n";
        let names = |bytes: &[u8]| -> Vec<String> {
            read(bytes).unwrap().entries.into_iter().map(|entry| entry.name).collect()
        };
        assert_eq!(names(lines.as_bytes()), ["one", "two"]);
        assert_eq!(names(br#"["https://example.org/egg-one.json"]"#), ["one"]);
    }

    #[test]
    fn too_much_is_an_error() {
        let many = "https://example.org/egg.json\n".repeat(100_000);
        let told = |bytes: &[u8]| read(bytes).unwrap_err().problems()["url"].clone();
        assert!(told(many.as_bytes()).contains("5000"), "{}", told(many.as_bytes()));
        let list = vec![r#"{"egg": {"name": "x"}, "download_url": "https://example.org/e.json"}"#; 100_000]
            .join(",");
        let index = format!(r#"{{"nests": [{{"Eggs": [{list}]}}]}}"#);
        assert!(!told(index.as_bytes()).is_empty());
        assert!(told(b"<html>").contains("no templates"));
        assert!(told(b"[[[[").contains("read"));
        assert!(told(&[0xff, 0xfe]).contains("no text"));
    }
}
