//! Which of a server's settings and of its node's reports a user may read.

use std::collections::BTreeMap;

use storage::servers::Server;

use crate::auth::{Permission, Permissions};
use crate::templates::Template;
use crate::transfers::MoveView;

/// The settings that a user may read, because the user may change them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Readable {
    /// The startup line; `None` if the user may not read it.
    pub(super) startup: Option<String>,
    /// Variables; `None` if the user may change none of them.
    pub(super) environment: Option<BTreeMap<String, String>>,
    /// Names of variables that have a value which the user may replace but not read.
    pub(super) hidden: Vec<String>,
}

impl Readable {
    pub(super) fn of(server: &Server, template: Option<&Template>, permissions: &Permissions) -> Self {
        if permissions.allow(Permission::Configure) {
            let (startup, environment) = (server.startup.clone(), server.environment.clone());
            return Self { startup: Some(startup), environment: Some(environment), hidden: Vec::new() };
        }
        if !permissions.allow(Permission::Startup) {
            return Self::default();
        }
        let variables = template.map(|template| template.variables.as_slice()).unwrap_or_default();
        let mut environment = BTreeMap::new();
        let mut hidden = Vec::new();
        for variable in variables {
            match server.environment.get(&variable.env_variable) {
                Some(value) if variable.readable() => {
                    environment.insert(variable.env_variable.clone(), value.clone());
                }
                Some(value) if variable.user_editable && !value.is_empty() => {
                    hidden.push(variable.env_variable.clone());
                }
                _ => {}
            }
        }
        let startup = template.filter(|template| template.startup_editable).map(|_| server.startup.clone());
        Self { startup, environment: Some(environment), hidden }
    }
}

/// A server's transfer as shown to users who may not configure the server.
pub(super) fn general_move(moving: MoveView) -> MoveView {
    let error = moving.error.map(|_| "Those who may configure it see why.".to_owned());
    MoveView { error, ..moving }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::tests::{plain_server, templated};

    fn with(granted: &[Permission]) -> Permissions {
        Permissions::granted(granted.iter().copied())
    }

    #[test]
    fn settings_go_out_to_those_who_may_change_them() {
        let template = templated();
        let mut server = plain_server();
        for (name, value) in [("OPEN", "1"), ("LOCKED", "2"), ("FIXED", "3"), ("RCON", "4"), ("OWN", "5")] {
            server.environment.insert(name.to_owned(), value.to_owned());
        }
        let of = |granted: &[Permission], template: Option<&Template>| {
            Readable::of(&server, template, &with(granted))
        };
        let all = of(&[Permission::Configure], Some(&template));
        assert_eq!(
            (all.startup.as_deref(), all.environment.unwrap()),
            (Some("game"), server.environment.clone())
        );
        let others = [Permission::View, Permission::Console, Permission::Power, Permission::Files];
        assert_eq!(of(&others, Some(&template)), Readable::default());
        let some = of(&[Permission::Startup], Some(&template));
        let names: Vec<_> = some.environment.unwrap().into_keys().collect();
        assert_eq!(
            (names, some.startup, some.hidden),
            (vec!["LOCKED".into(), "OPEN".into()], None, vec!["RCON".into()])
        );
        // Without a template users may change no variables.
        let bare = of(&[Permission::Startup], None);
        assert_eq!((bare.environment, bare.startup, bare.hidden), (Some(BTreeMap::new()), None, vec![]));
        let open = Template { startup_editable: true, ..template };
        assert_eq!(of(&[Permission::Startup], Some(&open)).startup.as_deref(), Some("game"));
    }
}
