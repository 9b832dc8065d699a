//! Secrets in the settings, and detection of weak ones.

use std::fmt;

use super::layer::{ConfigError, Setting};

/// Well-known secrets of agents, without case and punctuation.
const WELL_KNOWN: &[&str] = &[
    "agentsecret",
    "ctrlaltplay",
    "ctrlaltplayagent",
    "ctrlaltplaysecret",
    "defaultsecret",
    "developmentsecret",
    "devagentsecret",
    "mysecret",
    "mysupersecret",
    "passwordpassword",
    "password1234",
    "secretsecret",
    "supersecret",
    "supersecretkey",
    "supersecretpassword",
    "testagentsecret",
    "testsecret",
];

/// Prefixes of placeholders in examples.
const PLACEHOLDERS: &[&str] = &[
    "changeme",
    "changethis",
    "changeinproduction",
    "replaceme",
    "your",
    "example",
    "123456789",
    "agentsecret",
];

/// Shortest shared secret of agents, in bytes.
const SHORTEST_AGENT_SECRET: usize = 12;

/// A value that `Debug` does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value that must not appear in logs.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whether the secret is easy to guess.
pub fn is_weak_agent_secret(secret: &Secret) -> bool {
    agent_secret(&Setting { value: secret.expose().to_owned(), from: String::new() }).is_err()
}

pub(super) fn agent_secret(given: &Setting) -> Result<Secret, ConfigError> {
    let value = &given.value;
    if value.len() < SHORTEST_AGENT_SECRET {
        return Err(given.bad(format!(
            "the agents' secret has to have at least {SHORTEST_AGENT_SECRET} characters: \
             whoever knows it may act as any node. Try `openssl rand -hex 24`"
        )));
    }
    let plain: String =
        value.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    let one_character = value.bytes().all(|byte| Some(byte) == value.bytes().next());
    let known =
        WELL_KNOWN.contains(&plain.as_str()) || PLACEHOLDERS.iter().any(|start| plain.starts_with(start));
    if one_character || known {
        return Err(given.bad(
            "the agents' secret is a well-known value: whoever guesses it may act as any node. \
             Try `openssl rand -hex 24`"
                .to_owned(),
        ));
    }
    Ok(Secret::new(value.as_str()))
}
