//! Finds variables that contradict the settings they repeat. The game uses the variable, so the user is warned
//! beforehand.

use std::collections::BTreeMap;

use storage::servers::{Limits, Port};

/// How many characters of a value a message shows.
const SHOWN: usize = 60;
const MIB: i64 = 1 << 20;

/// Where a variable is set.
#[derive(Clone, Copy)]
enum By {
    /// By the user who creates or changes the server.
    Person,
    /// By the image.
    Image,
}

/// One message for each variable that contradicts a setting. `image` has the variables that the image itself sets.
pub(super) fn conflicts(
    environment: &BTreeMap<String, String>,
    image: &BTreeMap<String, String>,
    startup: &str,
    limits: &Limits,
    ports: &[Port],
) -> Vec<String> {
    let set = |name: &str| {
        let by_image = || image.get(name).filter(|value| !value.is_empty()).map(|value| (value, By::Image));
        environment.get(name).map(|value| (value, By::Person)).or_else(by_image)
    };
    let mut found = Vec::new();
    let mut check = |name: &str, fits: bool, setting: String| {
        if let (false, Some((value, by))) = (fits, set(name)) {
            found.push(sentence(name, value, by, &setting));
        }
    };
    let is = |name: &str, wanted: &str| set(name).is_none_or(|(value, _)| value.trim() == wanted);
    if let Some(first) = ports.first() {
        let port = first.internal.to_string();
        check(
            "SERVER_PORT",
            is("SERVER_PORT", &port),
            format!("the first port leads to {port} in the container"),
        );
    }
    let memory = limits.memory / MIB;
    if memory > 0 {
        let fits = is("SERVER_MEMORY", &memory.to_string());
        check("SERVER_MEMORY", fits, format!("the limit is {memory} MiB"));
    }
    let everywhere = ["0.0.0.0", "::", "[::]"].iter().any(|any| is("SERVER_IP", any));
    check("SERVER_IP", everywhere, "players are let in on 0.0.0.0 only".to_owned());
    let startup = startup.trim();
    if !startup.is_empty() && environment.contains_key("STARTUP") {
        check("STARTUP", is("STARTUP", startup), "there is another startup line".to_owned());
    }
    found
}

fn sentence(name: &str, value: &str, by: By, setting: &str) -> String {
    let shown: String = value.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    let cut = if value.chars().count() > SHOWN { "…" } else { "" };
    let who = match by {
        By::Person => format!("{name} is set to \"{shown}{cut}\""),
        By::Image => format!("The image sets {name} to \"{shown}{cut}\""),
    };
    format!("{who}, but {setting}. The game gets the variable as it is set.")
}

#[cfg(test)]
mod tests {
    use storage::servers::Protocol;

    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_contradicts_a_setting_is_said() {
        let limits = Limits { memory: 512 << 20, ..Limits::default() };
        let ports = [Port { internal: 25565, external: 7000, protocol: Protocol::Tcp }];
        let said = |environment: &[(&str, &str)], image: &[(&str, &str)]| {
            conflicts(&map(environment), &map(image), "run", &limits, &ports)
        };
        assert!(said(&[], &[]).is_empty());
        let same = [
            ("SERVER_PORT", "25565"),
            ("SERVER_MEMORY", "512"),
            ("SERVER_IP", "0.0.0.0"),
            ("STARTUP", "run"),
        ];
        assert!(said(&same, &[]).is_empty() && said(&[], &same).is_empty());
        let other =
            [("SERVER_PORT", "1"), ("SERVER_MEMORY", "9"), ("SERVER_IP", "127.0.0.1"), ("STARTUP", "x")];
        assert_eq!(said(&other, &[]).len(), 4);
        assert_eq!(said(&[], &other).len(), 3, "a startup line of one's own goes before the image's");
        let mine = said(&[("SERVER_PORT", "25565")], &other[..1]);
        assert!(mine.is_empty(), "{mine:?}");
        assert!(said(&[("SERVER_PORT", "")], &[])[0].contains("SERVER_PORT"));
        let long = said(&[("SERVER_PORT", &format!("\u{7}{}", "9".repeat(300)))], &[]);
        assert!(long[0].len() < 250 && !long[0].contains('\u{7}'), "{long:?}");
        let own = [("SERVER_PORT", "25565"), ("SERVER_MEMORY", "2048")];
        let none = conflicts(&map(&own), &map(&[]), "", &Limits::default(), &[]);
        assert!(none.is_empty(), "without port and limit there is nothing to contradict: {none:?}");
    }
}
