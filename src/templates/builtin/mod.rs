//! The templates included in the program, one file per game, in the native form.
//!
//! Each uses a public image that contains its game, or downloads the game before or at the first start, and runs it
//! without root if the image allows it. A template's `references` are the sources of its facts.

#[cfg(test)]
mod tests;

use ::templates::model;

use super::added;
use super::template::Template;

/// Includes files by name; the names are the templates' ids.
macro_rules! files {
    ($($id:literal),* $(,)?) => {
        &[$(($id, include_str!(concat!($id, ".yaml")))),*]
    };
}

/// All of them, in the order in which they are shown: the most popular first.
const FILES: &[(&str, &str)] = files![
    "minecraft-paper",
    "minecraft-bedrock",
    "valheim",
    "palworld",
    "minecraft-vanilla",
    "terraria",
    "minecraft-fabric",
    "rust",
    "ark-survival-ascended",
    "counter-strike-2",
    "project-zomboid",
    "satisfactory",
    "factorio",
    "seven-days-to-die",
    "minecraft-forge",
    "minecraft-neoforge",
    "garrys-mod",
    "enshrouded",
    "sons-of-the-forest",
    "v-rising",
    "dont-starve-together",
    "core-keeper",
    "abiotic-factor",
    "luanti",
    "team-fortress-2",
    "left-4-dead-2",
    "vintage-story",
    "terraria-tshock",
    "unturned",
    "barotrauma",
    "minecraft-velocity",
    "mumble",
    "openttd",
    "openarena",
    "teeworlds",
    "any-image",
];

/// All of them, in the order in which they are shown.
pub(super) fn all() -> Vec<Template> {
    let read = |(id, file): &(&str, &str)| parse(id, file).map(|native| added::of_native(id, native));
    FILES.iter().filter_map(read).collect()
}

/// The native form of a template; `None` if there is none with this id.
pub(super) fn native(id: &str) -> Option<model::Template> {
    let (id, file) = FILES.iter().find(|(known, _)| *known == id)?;
    parse(id, file)
}

/// A test checks that each can be parsed.
fn parse(id: &str, file: &str) -> Option<model::Template> {
    let read = model::read(file);
    read.inspect_err(
        |error| tracing::error!(template = id, %error, "a template of the program cannot be read"),
    )
    .ok()
}
