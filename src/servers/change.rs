//! Changes of a server's settings.

use storage::servers::Server;

use super::Servers;
use super::body::ChangeRequest;
use super::deletions::not_deleting;
use super::run_settings;
use super::validate::{self, ValidationErrors};
use super::views::{ServerView, revision};
use crate::auth::{Permission, Permissions, Permit, need};
use crate::error::{ApiError, Code};
use crate::revision::Expected;
use crate::system::clock;
use crate::templates::Template;

/// How many keys the message of a refusal names.
const REFUSED_KEYS: usize = 10;

impl Servers {
    /// Changes settings; they apply from the next start on. Missing keys keep their value. 403 if a change needs more
    /// than the permission `startup`, 412 if the server is not in the state that the caller expects.
    pub async fn change(
        &self,
        permit: &Permit<need::Startup>,
        change: ChangeRequest,
        expected: &Expected,
    ) -> Result<ServerView, ApiError> {
        let expected = expected.clone();
        let id = permit.server_id().to_owned();
        let permissions = permit.permissions().clone();
        self.moves.allows(&id)?;
        let own = self.own_ports.clone();
        let templates = self.templates.clone();
        let written = self.store.write(move |tx| {
            let before = storage::servers::get(tx, &id)?.ok_or_else(|| ApiError::not_found("server"))?;
            not_deleting(&before)?;
            expected.check(Some(&revision(&before)))?;
            let template = before.template_id.as_deref().and_then(|id| templates.get(id));
            let mut server = merged(&before, change, template.as_deref(), &permissions)?;
            if server.ports != before.ports {
                own.check(&server.node_id, &server.ports)?;
            }
            if server != before {
                // `updated_at` is also the revision, so it has to differ for each change.
                server.updated_at = clock::now().max(before.updated_at + 1);
                storage::servers::update(tx, &server)?;
            }
            Ok::<Server, ApiError>(server)
        });
        let server = written.await?;
        tracing::info!(server = %server.id, by = %permit.actor(), "server changed");
        self.agents.changes().server(&server.id);
        // The node's allocated memory may have changed.
        self.agents.node_changed(&server.node_id);
        self.agents.update(&server.id, &server.node_id).await;
        self.view(server, permit.actor())
    }
}

fn merged(
    before: &Server,
    change: ChangeRequest,
    template: Option<&Template>,
    permissions: &Permissions,
) -> Result<Server, ApiError> {
    let configures = permissions.allow(Permission::Configure);
    if !configures {
        check_left_to_users(before, &change, template)?;
    }
    let ChangeRequest { name, image, startup, environment, limits, ports, block_lan, behaviour } = change;
    let mut faults = ValidationErrors::default();
    let mut server = before.clone();
    if let Some(name) = name {
        validate::name(&name, &mut faults);
        server.name = name;
    }
    if let Some(image) = image {
        validate::image(&image, &mut faults);
        server.image = image;
    }
    if let Some(startup) = startup {
        validate::startup(&startup, &mut faults);
        server.startup = startup;
    }
    if let Some(environment) = environment {
        if configures {
            server.environment = environment;
            validate::environment(&server.environment, template, &mut faults);
        } else {
            let named: Vec<String> = environment.keys().map(|key| format!("environment.{key}")).collect();
            server.environment.extend(environment);
            let mut of_all = ValidationErrors::default();
            validate::environment(&server.environment, template, &mut of_all);
            // Errors in other variables are not shown: this caller can neither fix nor read them.
            for (path, problem) in of_all.into_map() {
                if path == "environment" || named.contains(&path) {
                    faults.add(path, problem);
                }
            }
        }
    }
    if let Some(limits) = limits {
        server.limits = validate::limits(server.limits, &limits, &mut faults);
    }
    if let Some(ports) = ports {
        server.ports = validate::ports(&ports, &mut faults);
    }
    server.block_lan = block_lan.unwrap_or(server.block_lan);
    server.behaviour = run_settings::merged(&server.behaviour, behaviour.as_ref(), &mut faults);
    faults.or(server)
}

/// 403 if a change needs more than the permission `startup`. Values that the caller can read may be sent back
/// unchanged. For values that the caller cannot read the answer is always the same, so that they cannot be guessed.
fn check_left_to_users(
    before: &Server,
    change: &ChangeRequest,
    template: Option<&Template>,
) -> Result<(), ApiError> {
    // Destructured in full, so that a new key cannot be forgotten here.
    let ChangeRequest { name: _, image, startup, environment, limits, ports, block_lan, behaviour } = change;
    let startup_taken = startup.is_some() && !template.is_some_and(|template| template.startup_editable);
    let keys = [
        ("image", image.is_some()),
        ("startup", startup_taken),
        ("limits", limits.is_some()),
        ("ports", ports.is_some()),
        ("blockLan", block_lan.is_some()),
        ("behaviour", behaviour.is_some()),
    ];
    let mut refused: Vec<String> =
        keys.iter().filter(|(_, taken)| *taken).map(|(key, _)| (*key).to_owned()).collect();
    for (key, value) in environment.iter().flatten() {
        let variable = template.and_then(|template| template.variable(key));
        let unchanged = || before.environment.get(key) == Some(value);
        if !variable.is_some_and(|one| one.user_editable || (one.readable() && unchanged())) {
            refused.push(format!("environment.{}", validate::shown(key)));
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    refused.truncate(REFUSED_KEYS);
    let sentence = format!("Only those who may configure this server can change {}.", refused.join(", "));
    Err(ApiError::new(Code::Forbidden, sentence))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use storage::servers::Limits;

    use super::*;
    use crate::servers::tests::{plain_server as server, templated};

    fn change(json: &str) -> Result<Server, ApiError> {
        as_a_user(json, None, &[Permission::Configure])
    }

    fn as_a_user(
        json: &str,
        template: Option<&Template>,
        granted: &[Permission],
    ) -> Result<Server, ApiError> {
        let mut before = server();
        for (name, value) in [("OPEN", "1"), ("LOCKED", "2"), ("FIXED", "3"), ("RCON", "hush!")] {
            before.environment.insert(name.to_owned(), value.to_owned());
        }
        let before = if template.is_some() { before } else { server() };
        let change = crate::http::parse(json.as_bytes())?;
        merged(&before, change, template, &Permissions::granted(granted.iter().copied()))
    }

    #[test]
    fn with_startup_one_variable_changes_and_the_rest_stays() {
        let template = templated();
        let change = |json: &str| as_a_user(json, Some(&template), &[Permission::Startup]);
        let changed = change(r#"{"name":"Ours","environment":{"OPEN":"7"}}"#).unwrap();
        let value = |name: &str| changed.environment.get(name).map(String::as_str);
        assert_eq!((changed.name.as_str(), value("OPEN"), value("A")), ("Ours", Some("7"), Some("1")));
        assert_eq!((value("RCON"), value("FIXED")), (Some("hush!"), Some("3")), "what is left out stays");
        // A secret may be replaced, and a readable value may be sent back unchanged.
        let changed = change(r#"{"environment":{"RCON":"other","LOCKED":"2"}}"#).unwrap();
        assert_eq!(changed.environment["RCON"], "other");
        for json in [
            r#"{"image":"busybox"}"#,
            r#"{"startup":"game"}"#,
            r#"{"limits":{}}"#,
            r#"{"limits":{"memory":0}}"#,
            r#"{"ports":[]}"#,
            r#"{"blockLan":false}"#,
            r#"{"behaviour":{}}"#,
            r#"{"behaviour":{"restartAfterCrash":false}}"#,
            r#"{"environment":{"LOCKED":"3"}}"#,
            // Refused whether the value is right or wrong, so that it cannot be guessed.
            r#"{"environment":{"FIXED":"3"}}"#,
            r#"{"environment":{"FIXED":"4"}}"#,
            r#"{"environment":{"OWN":"1"}}"#,
            r#"{"environment":{"A":"1"}}"#,
            r#"{"environment":{"OPEN":"1","LD_PRELOAD":"/x"}}"#,
        ] {
            let error = change(json).unwrap_err();
            assert_eq!(error.code(), Code::Forbidden, "{json}");
        }
        let error = change(r#"{"environment":{"OPEN":"many"}}"#).unwrap_err();
        assert_eq!(error.problems().keys().collect::<Vec<_>>(), ["environment.OPEN"]);
        let own = Template { startup_editable: true, ..templated() };
        let changed = as_a_user(r#"{"startup":"run"}"#, Some(&own), &[Permission::Startup]).unwrap();
        assert_eq!(changed.startup, "run");
        let bare = as_a_user(r#"{"environment":{"A":"1"}}"#, None, &[Permission::Startup]).unwrap_err();
        assert_eq!(bare.code(), Code::Forbidden, "without a template nothing is left to users");
    }

    #[test]
    fn who_configures_replaces_the_whole_environment() {
        let template = templated();
        let changed =
            as_a_user(r#"{"environment":{"OPEN":"1","X":"y"}}"#, Some(&template), &[Permission::Configure]);
        let environment = changed.unwrap().environment;
        assert_eq!(environment.keys().collect::<Vec<_>>(), ["OPEN", "X"]);
    }

    #[test]
    fn left_out_keys_stay() {
        assert_eq!(change("{}").unwrap(), server());
        let changed = change(r#"{"limits":{"cpu":75},"environment":{"C":"3"}}"#).unwrap();
        assert_eq!(changed.limits, Limits { cpu: 75, ..server().limits });
        assert_eq!(changed.environment, BTreeMap::from([("C".into(), "3".into())]));
        assert_eq!((changed.name, changed.ports), (server().name, server().ports));
        assert_eq!(change(r#"{"ports":[],"startup":""}"#).unwrap().ports, []);
        assert!(change(r#"{"blockLan":true}"#).unwrap().block_lan);
    }

    #[test]
    fn what_can_not_change_is_named() {
        for (json, path) in [
            (r#"{"nodeId":"local"}"#, "nodeId"),
            (r#"{"templateId":"x"}"#, "templateId"),
            (r#"{"limits":{"memory":5}}"#, "limits.memory"),
            (r#"{"limits":{"ram":5}}"#, "limits.ram"),
            (r#"{"name":null}"#, "name"),
            (r#"{"blockLan":null}"#, "blockLan"),
            (r#"{"blockLan":"yes"}"#, "blockLan"),
            (r#"{"behaviour":{"user":"0:0"}}"#, "behaviour.user"),
            (r#"{"behaviour":{"stopTimeoutSecs":0}}"#, "behaviour.stopTimeoutSecs"),
            (r#"{"ports":[{"internal":1,"external":65536,"protocol":"tcp"}]}"#, "ports[0].external"),
            (r#"{"environment":{"A":1}}"#, "environment.A"),
        ] {
            let error = change(json).unwrap_err();
            assert!(error.problems().contains_key(path), "{json}: {:?}", error.problems());
        }
    }
}
