//! The templates that come with the program, one file a game.
//!
//! Each uses a public image that brings its game or fetches it at the first start, and runs it without root where the
//! image allows it. A template's comment names the pages that its facts come from.

mod any_image;
mod factorio;
mod luanti;
mod minecraft;
mod openarena;
mod openttd;
mod parts;
mod teeworlds;
mod terraria;
mod valheim;

#[cfg(test)]
mod tests;

use super::template::Template;

/// All of them, in the order in which they are shown.
pub(super) fn all() -> Vec<Template> {
    let mut all = vec![
        minecraft::paper(),
        minecraft::vanilla(),
        minecraft::bedrock(),
        luanti::template(),
        valheim::template(),
        terraria::template(),
        factorio::template(),
        openttd::template(),
        openarena::template(),
        teeworlds::template(),
        any_image::template(),
    ];
    for template in &mut all {
        template.behaviour.architectures.clone_from(&template.architectures);
    }
    all
}
