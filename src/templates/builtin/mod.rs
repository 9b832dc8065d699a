//! The templates that come with the program, one file a game, in the native form.
//!
//! Each uses a public image that brings its game, or fetches the game before or at the first start, and runs it without
//! root where the image allows it. A template's `references` are the pages that its facts come from.

#[cfg(test)]
mod tests;

use ::templates::model;

use super::added;
use super::template::Template;

/// Files by their names, which are their templates' ids.
macro_rules! files {
    ($($id:literal),* $(,)?) => {
        &[$(($id, include_str!(concat!($id, ".yaml")))),*]
    };
}

/// All of them, in the order in which they are shown: what most people run at home comes first.
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
    "v-rising",
    "dont-starve-together",
    "core-keeper",
    "abiotic-factor",
    "luanti",
    "team-fortress-2",
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

/// All of them, in that order.
pub(super) fn all() -> Vec<Template> {
    let read = |(id, file): &(&str, &str)| parse(id, file).map(|native| added::of_native(id, native));
    FILES.iter().filter_map(read).collect()
}

/// The native form of one.
pub(super) fn native(id: &str) -> Option<model::Template> {
    let (id, file) = FILES.iter().find(|(known, _)| *known == id)?;
    parse(id, file)
}

/// That each can be read is tested.
fn parse(id: &str, file: &str) -> Option<model::Template> {
    let read = model::read(file);
    read.inspect_err(
        |error| tracing::error!(template = id, %error, "a template of the program cannot be read"),
    )
    .ok()
}
