//! Old names of placeholders, to new ones and back; and variables that took another name.

use crate::model::{Scalar, Template};

/// In this order, as Pelican's `EggImporterService` has it.
const MODERN: [(&str, &str); 9] = [
    ("server.build.env.SERVER_IP", "server.allocations.default.ip"),
    ("server.build.default.ip", "server.allocations.default.ip"),
    ("server.build.env.SERVER_PORT", "server.allocations.default.port"),
    ("server.build.default.port", "server.allocations.default.port"),
    ("server.build.env.SERVER_MEMORY", "server.build.memory_limit"),
    ("server.build.memory", "server.build.memory_limit"),
    ("server.build.env.", "server.environment."),
    ("server.build.environment.", "server.environment."),
    ("server.build.image", "server.container.image"),
];

/// Only what Pterodactyl would leave empty under its new name.
const OLD: [(&str, &str); 5] = [
    ("server.allocations.default.ip", "server.build.default.ip"),
    ("server.allocations.default.port", "server.build.default.port"),
    ("server.build.memory_limit", "server.build.memory"),
    ("server.environment.", "server.build.env."),
    ("server.container.image", "server.build.image"),
];

/// The text with Pelican's names.
pub(super) fn modern(text: &str) -> String {
    replace(text, &MODERN)
}

/// The text with Pterodactyl's names.
pub(super) fn old(text: &str) -> String {
    replace(text, &OLD)
}

fn replace(text: &str, names: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (from, to) in names {
        if text.contains(from) {
            text = replace_name(&text, from, to);
        }
    }
    text
}

/// Replaces a name where it ends there: `server.build.memory` is not the beginning of `server.build.memory_limit`.
fn replace_name(text: &str, from: &str, to: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let (before, found) = rest.split_at(at);
        let after = &found[from.len()..];
        let goes_on = |char: char| char.is_ascii_alphanumeric() || char == '_';
        let ends = from.ends_with('.') || !after.starts_with(goes_on);
        out.push_str(before);
        out.push_str(if ends { to } else { from });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Follows variables that took another name into startup commands and config files.
pub(super) fn rename(template: &mut Template, renamed: &[(String, String)]) {
    for (from, to) in renamed {
        for startup in &mut template.startup {
            startup.command = in_braces(&startup.command, from, to);
        }
        for setting in template.config_files.iter_mut().flat_map(|file| file.set.iter_mut()) {
            if let Scalar::Text(text) = &mut setting.value {
                for prefix in ["server.environment.", "env."] {
                    *text =
                        text.replace(&format!("{{{{{prefix}{from}}}}}"), &format!("{{{{{prefix}{to}}}}}"));
                }
            }
        }
    }
}

fn in_braces(text: &str, from: &str, to: &str) -> String {
    text.replace(&format!("{{{{{from}}}}}"), &format!("{{{{{to}}}}}"))
        .replace(&format!("${{{from}}}"), &format!("${{{to}}}"))
}
