//! Converts old names of placeholders to new ones and back, and renames variables.

use crate::model::{Scalar, Template};

/// Old names and their replacements. The order matters, and is that of Pelican's `EggImporterService`.
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

/// New names and their replacements: those that Pterodactyl does not know and would replace by an empty string.
const OLD: [(&str, &str); 5] = [
    ("server.allocations.default.ip", "server.build.default.ip"),
    ("server.allocations.default.port", "server.build.default.port"),
    ("server.build.memory_limit", "server.build.memory"),
    ("server.environment.", "server.build.env."),
    ("server.container.image", "server.build.image"),
];

/// Replaces Pterodactyl's names by Pelican's.
pub(super) fn modern(text: &str) -> String {
    replace(text, &MODERN)
}

/// Replaces Pelican's names by Pterodactyl's.
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

/// Replaces whole names only: `server.build.memory` does not match within `server.build.memory_limit`.
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

/// Renames variables in startup commands and config files.
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
