//! What is typed on a game's console for an action. Names come from players: what could be read as a command of its own is
//! never typed.

use ::templates::model::PlayerAction;
use ::templates::text;

use crate::error::ApiError;

/// Maximum characters of a name.
const NAME: usize = 64;
/// Maximum characters of a message.
const MESSAGE: usize = 200;

/// Fills in the command of an action.
///
/// # Errors
/// A field that is missing, or that must not be typed on a console.
pub(super) fn fill(
    pattern: &str,
    action: PlayerAction,
    player: Option<&str>,
    message: Option<&str>,
) -> Result<String, ApiError> {
    let value = if action == PlayerAction::Message {
        said(message.unwrap_or_default())?
    } else {
        named(player.unwrap_or_default(), pattern.contains("\"{player}\""))?
    };
    Ok(pattern.replacen(action.placeholder(), &value, 1))
}

/// A name that no console takes for anything else: letters and digits of any script, and a few signs. Spaces only within
/// quotation marks.
fn named(name: &str, quoted: bool) -> Result<String, ApiError> {
    let name = name.trim();
    if name.is_empty() {
        return Err(ApiError::field("player", "is needed"));
    }
    if name.chars().count() > NAME {
        return Err(ApiError::field("player", format!("must have at most {NAME} characters")));
    }
    let good = |letter: char| {
        letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.') || (quoted && letter == ' ')
    };
    if let Some(bad) = name.chars().find(|letter| !good(*letter)) {
        let sentence = format!(
            "has “{}”, which could mean something on the game's console. Use the console for this player.",
            bad.escape_default()
        );
        return Err(ApiError::field("player", sentence));
    }
    if name.starts_with('-') {
        return Err(ApiError::field("player", "must not begin with a hyphen"));
    }
    Ok(name.to_owned())
}

/// A message as one line. Some consoles end a command at a semicolon, and a text at a quotation mark.
fn said(message: &str) -> Result<String, ApiError> {
    let message = message.trim();
    if message.is_empty() {
        return Err(ApiError::field("text", "is needed"));
    }
    if message.chars().count() > MESSAGE {
        return Err(ApiError::field("text", format!("must have at most {MESSAGE} characters")));
    }
    if text::has_control(message) {
        return Err(ApiError::field("text", "must be one line without control characters"));
    }
    Ok(message.replace(';', ",").replace('"', "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_players_are_no_commands() {
        let kick = |name: &str| fill("kick {player}", PlayerAction::Kick, Some(name), None).ok();
        let quoted = |name: &str| fill("kick \"{player}\"", PlayerAction::Kick, Some(name), None).ok();
        assert_eq!(kick(" Ann_1 ").as_deref(), Some("kick Ann_1"));
        assert_eq!(kick("Jürgen.Ж").as_deref(), Some("kick Jürgen.Ж"));
        assert_eq!(quoted("Big Ann").as_deref(), Some("kick \"Big Ann\""));
        let longest = "x".repeat(65);
        let bad = [
            "",
            " ",
            "@a",
            "Ann Bob",
            "Ann; quit",
            "Ann\nop Ann",
            "Ann\" \"",
            "-1",
            "$(id)",
            "`id`",
            "{player}",
            "%s",
            "Ann\u{202E}",
            "Ann\\",
            "\u{1B}[31m",
            &longest,
        ];
        for name in bad {
            assert_eq!(kick(name), None, "{name:?}");
        }
        for name in bad.iter().filter(|name| **name != "Ann Bob") {
            assert_eq!(quoted(name), None, "{name:?}");
        }
        assert!(fill("kick {player}", PlayerAction::Kick, None, Some("Ann")).is_err());
    }

    #[test]
    fn messages_are_one_line() {
        let say = |text: &str| fill("say {text}", PlayerAction::Message, None, Some(text)).ok();
        assert_eq!(say("Restart at 5: {player} €").as_deref(), Some("say Restart at 5: {player} €"));
        assert_eq!(say("Hi; quit \"now\"").as_deref(), Some("say Hi, quit 'now'"));
        let longest = "x".repeat(201);
        for text in ["", "  ", "a\nstop", "a\rstop", "\u{1B}c", &longest] {
            assert_eq!(say(text), None, "{text:?}");
        }
    }
}
