//! Turns a request into the server that would be created. The template provides what the request leaves out.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::templates::model::Template as Native;
use protocol::{NodeId, ServerId};
use storage::servers::{Behaviour, Limits, Port, Server};

use super::body::CreateRequest;
use super::run_settings;
use super::validate::{self, ValidationErrors};
use crate::agents::local;
use crate::templates::{self, Eula, Template, Variable};

/// A server that has not been created yet.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) node_id: NodeId,
    pub(super) template: Option<Arc<Template>>,
    /// The template's native form; absent without a template.
    pub(super) native: Option<Native>,
    pub(super) image: String,
    pub(super) startup: String,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) limits: Limits,
    pub(super) ports: Ports,
    /// Whether it is blocked from the local networks of its node.
    pub(super) block_lan: bool,
    pub(super) behaviour: Behaviour,
    /// Whether to start it once its image has been pulled.
    pub(super) start: bool,
    /// The template's EULA if it was not accepted.
    pub(super) eula: Option<Eula>,
}

/// Ports of a draft.
#[derive(Clone, Debug)]
pub(super) enum Ports {
    /// Exactly these.
    Given(Vec<Port>),
    /// These, moved to free ones where needed.
    NextFree(Vec<Port>),
}

impl Draft {
    /// Builds the draft and adds every error to `faults`. `found` is the template that the request names.
    pub(super) fn new(
        request: &CreateRequest,
        found: Option<Arc<Template>>,
        faults: &mut ValidationErrors,
    ) -> Self {
        if request.template_id.is_some() && found.is_none() {
            faults.add("templateId", "is no template that is known here");
        }
        let template = found.as_deref();
        let name = request.name.clone();
        match &name {
            Some(name) => validate::name(name, faults),
            None => faults.add("name", "is missing"),
        }
        let image = request
            .image
            .clone()
            .or_else(|| template.map(|template| template.image.clone()).filter(|image| !image.is_empty()));
        match &image {
            Some(image) => validate::image(image, faults),
            None if request.template_id.is_some() && template.is_none() => {}
            None => faults.add("image", "is missing"),
        }
        let startup = request.startup.clone();
        let startup = startup.unwrap_or_else(|| template.map(|t| t.startup.clone()).unwrap_or_default());
        validate::startup(&startup, faults);
        let ports = match &request.ports {
            Some(given) => Ports::Given(validate::ports(given, faults)),
            None => Ports::NextFree(template.map(|template| template.ports.clone()).unwrap_or_default()),
        };
        let usual = Limits::default();
        let base = Limits {
            memory: template.map_or(0, |template| template.memory.recommended),
            processes: template.and_then(|template| template.processes).unwrap_or(usual.processes),
            ..usual
        };
        let given = request.limits.unwrap_or_default();
        let limits = validate::limits(base, &given, faults);
        let terms = template.and_then(|template| template.eula.as_ref());
        let environment = environment(request, template);
        validate::environment(&environment, template, faults);
        let behaviour = template.map(|template| template.behaviour.clone()).unwrap_or_default();
        let behaviour = run_settings::merged(&behaviour, request.behaviour.as_ref(), faults);
        Self {
            name: name.unwrap_or_default(),
            node_id: request.node_id.as_deref().map_or(local::NODE_ID, NodeId::from),
            image: image.unwrap_or_default(),
            startup,
            environment,
            limits,
            ports,
            block_lan: request.block_lan,
            behaviour,
            start: request.start,
            eula: terms.filter(|_| !request.accept_eula).cloned(),
            template: found,
            native: None,
        }
    }

    /// The record of the new server.
    pub(super) fn into_record(self, id: ServerId, ports: Vec<Port>, now: storage::Millis) -> Server {
        Server {
            id,
            name: self.name,
            node_id: self.node_id,
            template_id: self.template.map(|template| template.id.clone()),
            image: self.image,
            startup: self.startup,
            environment: self.environment,
            limits: self.limits,
            ports,
            block_lan: self.block_lan,
            suspended: false,
            created_at: now,
            updated_at: now,
            handed_over: false,
            deleting: None,
            template: self.native.as_ref().map(templates::kept),
            behaviour: self.behaviour,
            start_when_installed: self.start,
        }
    }
}

/// Variables: the template's defaults, overridden by those in the request, and the one that accepts the EULA.
fn environment(request: &CreateRequest, template: Option<&Template>) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    if let Some(template) = template {
        // With the rule `present`: an image may distinguish an empty variable from a missing one.
        let set = |variable: &&Variable| {
            !variable.default_value.is_empty() || variable.rules.split('|').any(|rule| rule == "present")
        };
        for variable in template.variables.iter().filter(set) {
            environment.insert(variable.env_variable.clone(), variable.default_value.clone());
        }
    }
    environment.extend(request.environment.clone().unwrap_or_default());
    if let Some(terms) = template.and_then(|template| template.eula.as_ref())
        && request.accept_eula
    {
        environment.insert(terms.variable.clone(), terms.value.clone());
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::templates;

    fn faults(request: &CreateRequest) -> Vec<String> {
        let mut faults = ValidationErrors::default();
        let template = request.template_id.as_deref().and_then(templates::get).map(Arc::new);
        drop(Draft::new(request, template, &mut faults));
        faults.into_map().into_keys().collect()
    }

    #[test]
    fn a_name_and_an_image_are_enough() {
        let request = CreateRequest {
            name: Some("a".into()),
            image: Some("busybox".into()),
            ..CreateRequest::default()
        };
        let mut none = ValidationErrors::default();
        let draft = Draft::new(&request, None, &mut none);
        assert!(none.into_map().is_empty());
        assert_eq!((draft.node_id.as_str(), draft.limits), ("local", Limits::default()));
        assert_eq!(draft.behaviour, Behaviour::default());
        let server = draft.into_record("x".into(), vec![], 5);
        assert_eq!((server.created_at, server.template_id), (5, None));
    }

    #[test]
    fn all_faults_are_told_at_once() {
        assert_eq!(faults(&CreateRequest::default()), ["image", "name"]);
        let request = CreateRequest {
            name: Some("a\n".into()),
            image: Some("x y".into()),
            template_id: Some("nothing".into()),
            startup: Some("a\0b".into()),
            ..CreateRequest::default()
        };
        assert_eq!(faults(&request), ["image", "name", "startup", "templateId"]);
    }

    #[test]
    fn every_template_makes_a_server_out_of_a_name() {
        for template in templates::list() {
            let mut request = CreateRequest {
                name: Some("a".into()),
                template_id: Some(template.id.clone()),
                accept_eula: true,
                ..CreateRequest::default()
            };
            if template.id == "any-image" {
                request.image = Some("busybox".into());
            }
            // Some require a password or a token.
            let wanted = template.variables.iter().filter(|one| {
                let rules = ::templates::rules::split(&one.rules);
                ::templates::rules::Rules::parse(&rules).check(&one.default_value).is_err()
            });
            let given = wanted.map(|one| (one.env_variable.clone(), "secret99".to_owned()));
            request.environment = Some(given.collect());
            assert_eq!(faults(&request), [""; 0], "{}", template.id);
        }
        let paper = templates::get("minecraft-paper");
        let request = CreateRequest { accept_eula: true, ..CreateRequest::default() };
        let environment = environment(&request, paper.as_ref());
        let value = |name: &str| environment.get(name).map(String::as_str);
        assert_eq!((value("EULA"), value("TYPE")), (Some("TRUE"), Some("PAPER")));
        assert_eq!(
            (value("MEMORY"), value("SEED")),
            (Some(""), None),
            "set though empty, and not set at all"
        );
    }

    #[test]
    fn the_template_any_image_needs_an_image() {
        let request = CreateRequest {
            name: Some("a".into()),
            template_id: Some("any-image".into()),
            ..CreateRequest::default()
        };
        assert_eq!(faults(&request), ["image"]);
    }
}
