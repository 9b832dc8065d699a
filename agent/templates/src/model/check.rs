//! Validates a template.

use std::collections::BTreeSet;

use super::Template;
use crate::text;

/// Most variables of a template.
pub const MAX_VARIABLES: usize = 200;
/// Most images, startup commands, ports, config files, or settings in one file.
const MAX_PARTS: usize = 200;
/// Most URLs in `references`.
pub(crate) const MAX_REFERENCES: usize = 100;
/// Longest name, in characters.
const MAX_NAME: usize = 191;

/// Limits of processes and threads that a server may have.
const PROCESSES: std::ops::RangeInclusive<u32> = 16..=16_384;
/// Most console commands before or after a backup, and the longest one in characters.
const MAX_COMMANDS: usize = 10;
const MAX_LINE: usize = 1_000;

/// Something invalid in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, as a path.
    pub key: String,
    /// What is wrong with it.
    pub message: String,
}

/// All problems of a template; empty if it is valid.
pub fn check(template: &Template) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    found.when(template.template != super::VERSION, "template", "only version 1 is known");
    found.name("about.name", &template.about.name, MAX_NAME);
    found.when(template.images.is_empty(), "images", "at least one is needed");
    for (key, count, most) in [
        ("images", template.images.len(), MAX_PARTS),
        ("startup", template.startup.len(), MAX_PARTS),
        ("variables", template.variables.len(), MAX_VARIABLES),
        ("ports", template.ports.len(), MAX_PARTS),
        ("config_files", template.config_files.len(), MAX_PARTS),
        ("about.references", template.about.references.len(), MAX_REFERENCES),
    ] {
        found.when(count > most, key, &format!("at most {most}"));
    }
    for (index, image) in template.images.iter().enumerate().take(MAX_PARTS) {
        let key = format!("images.{index}.reference");
        let good = !image.reference.is_empty()
            && image.reference.len() <= 500
            && !text::has_control(&image.reference);
        found.when(!good || image.reference.contains(char::is_whitespace), &key, "not an image reference");
    }
    variables(template, &mut found);
    run(template, &mut found);
    files(template, &mut found);
    let good = template.needs.processes.is_none_or(|processes| PROCESSES.contains(&processes));
    found.when(!good, "needs.processes", "must be from 16 to 16384");
    backup(template, &mut found);
    players(template, &mut found);
    found.0
}

fn variables(template: &Template, found: &mut Found) {
    let mut names = BTreeSet::new();
    for (index, variable) in template.variables.iter().enumerate().take(MAX_VARIABLES) {
        let key = format!("variables.{index}.name");
        found.when(!valid_name(&variable.name), &key, "letters, digits and underscores, not a digit first");
        found.when(!names.insert(&variable.name), &key, "there are two of this name");
    }
}

fn run(template: &Template, found: &mut Found) {
    let run = &template.run;
    let good = run.user.as_deref().is_none_or(valid_user);
    found.when(!good, "run.user", "`image`, or a user and a group above 0, such as `1000:1000`");
    let good = run.working_dir.as_deref().is_none_or(|path| path.is_empty() || valid_place(path));
    found.when(!good, "run.working_dir", "not a folder from the root on");
    let good = run.data_path.as_deref().is_none_or(valid_place);
    found.when(!good, "run.data_path", "not a folder from the root on");
}

fn backup(template: &Template, found: &mut Found) {
    let Some(backup) = &template.backup else { return };
    for (key, lines) in [("backup.before", &backup.before), ("backup.after", &backup.after)] {
        found.when(lines.len() > MAX_COMMANDS, key, &format!("at most {MAX_COMMANDS}"));
        let good = |line: &String| !line.is_empty() && line.len() <= MAX_LINE && !text::has_control(line);
        found.when(!lines.iter().all(good), key, "not a line for a console");
    }
    let saved = backup.saved.as_deref().unwrap_or("x");
    let good = !saved.is_empty() && saved.len() <= MAX_LINE && !text::has_control(saved);
    found.when(!good, "backup.saved", "not a part of a line");
}

fn players(template: &Template, found: &mut Found) {
    let Some(players) = &template.players else { return };
    for (action, command) in &players.actions {
        let placeholder = action.placeholder();
        let message = format!("a line for a console that has {placeholder} once");
        let good = command.len() <= MAX_LINE && !text::has_control(command);
        let once = command.matches(placeholder).count() == 1;
        found.when(!good || !once, &format!("players.actions.{}", action.name()), &message);
    }
}

/// Whether a user is valid: `image` or `uid:gid`. Root is not allowed.
fn valid_user(user: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().is_ok_and(|id| id > 0);
    user == "image" || user.split_once(':').is_some_and(|(uid, gid)| number(uid) && number(gid))
}

/// Whether a path is a valid absolute path within a container.
fn valid_place(path: &str) -> bool {
    path.starts_with('/') && path.len() <= 255 && valid_path(path) && !text::has_control(path)
}

fn files(template: &Template, found: &mut Found) {
    for (index, file) in template.config_files.iter().enumerate().take(MAX_PARTS) {
        let key = format!("config_files.{index}");
        found.when(!valid_path(&file.path), &format!("{key}.path"), "not a path below the server's folder");
        found.when(file.set.len() > MAX_PARTS * 5, &format!("{key}.set"), "too many");
    }
}

/// Whether a name is valid for an environment variable.
pub(crate) fn valid_name(name: &str) -> bool {
    let head = name.bytes().next().is_some_and(|byte| byte == b'_' || byte.is_ascii_alphabetic());
    head && name.len() <= 255 && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

/// Whether a path stays within the folder that it is relative to.
pub(crate) fn valid_path(path: &str) -> bool {
    let inside = path.trim_start_matches('/');
    !inside.is_empty()
        && path.len() <= 4_096
        && !path.contains(['\0', '\n', '\r'])
        && inside.split('/').all(|part| part != "..")
        && inside.split('/').any(|part| !part.is_empty() && part != ".")
}

struct Found(Vec<Problem>);

impl Found {
    fn when(&mut self, wrong: bool, key: &str, message: &str) {
        if wrong {
            self.0.push(Problem { key: key.to_owned(), message: message.to_owned() });
        }
    }

    fn name(&mut self, key: &str, name: &str, most: usize) {
        self.when(name.trim().is_empty(), key, "it is missing");
        self.when(name.chars().count() > most, key, &format!("at most {most} characters"));
        self.when(text::has_control(name), key, "it has control characters");
    }
}
