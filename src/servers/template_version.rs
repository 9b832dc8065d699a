//! The version of its template that a server uses, and the update to the current one.

use protocol::ServerId;
use serde::Serialize;
use storage::servers::Server;
use utoipa::ToSchema;

use super::Servers;
use super::deletions::not_deleting;
use super::views::{ServerView, revision};
use crate::auth::{Permit, need};
use crate::error::ApiError;
use crate::revision::Expected;
use crate::system::clock;
use crate::templates::{self, ChangeView, Template};

/// How the version that a server has differs from its template as it is now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ServerTemplateVersion)]
pub(super) struct VersionView {
    /// Nothing differs.
    up_to_date: bool,
    /// The keys whose values differ, 200 at most.
    changes: Vec<ChangeView>,
}

impl Servers {
    /// What an update to the template's current version would change. 404 if the template was deleted.
    pub(super) fn template_version(&self, permit: &Permit<need::Configure>) -> Result<VersionView, ApiError> {
        let server = self.record(permit.server_id())?;
        let (_, native) = self.present_template(&server)?;
        let changes = templates::changes(server.template.as_deref(), &native);
        Ok(VersionView { up_to_date: changes.is_empty(), changes })
    }

    /// Updates to the template's current version, which applies from the next start on: how the image is run, what is
    /// installed and configured, and new variables with their defaults. Image and startup line are only updated if they
    /// still have the old version's values.
    pub(super) async fn update_template(
        &self,
        permit: &Permit<need::Configure>,
        expected: &Expected,
    ) -> Result<ServerView, ApiError> {
        let server = self.step_template(permit.server_id(), expected).await?;
        tracing::info!(server = %server.id, by = %permit.actor(), "server takes its template's present version");
        self.view(server, permit.actor())
    }

    /// The step itself.
    pub(super) async fn step_template(&self, id: &ServerId, expected: &Expected) -> Result<Server, ApiError> {
        let (id, expected) = (id.to_owned(), expected.clone());
        self.moves.allows(&id)?;
        let (template, native) = self.present_template(&self.record(&id)?)?;
        let kept = templates::kept(&native);
        let written = self.store.write(move |tx| {
            let before = storage::servers::get(tx, &id)?.ok_or_else(|| ApiError::not_found("server"))?;
            not_deleting(&before)?;
            expected.check(Some(&revision(&before)))?;
            let mut server = stepped(&before, &template, kept);
            if server != before {
                server.updated_at = clock::now().max(before.updated_at + 1);
                storage::servers::update(tx, &server)?;
            }
            Ok::<Server, ApiError>(server)
        });
        let server = written.await?;
        self.agents.changes().server(&server.id);
        self.agents.update(&server.id, &server.node_id).await;
        Ok(server)
    }

    /// Refuses a step that is none, before a backup is made for it.
    pub(super) fn can_step(&self, id: &ServerId, expected: &Expected) -> Result<Server, ApiError> {
        self.moves.allows(id)?;
        let server = self.record(id)?;
        not_deleting(&server)?;
        self.present_template(&server)?;
        expected.check(Some(&revision(&server)))?;
        Ok(server)
    }

    fn present_template(
        &self,
        server: &Server,
    ) -> Result<(std::sync::Arc<Template>, ::templates::model::Template), ApiError> {
        let id = server.template_id.as_deref().ok_or_else(|| ApiError::not_found("template"))?;
        let template = self.template(Some(id)).ok_or_else(|| ApiError::not_found("template"))?;
        let native = self.templates.native(id)?.ok_or_else(|| ApiError::not_found("template"))?;
        Ok((template, native))
    }
}

fn stepped(before: &Server, template: &Template, kept: String) -> Server {
    let mut server = before.clone();
    let old: Option<::templates::model::Template> =
        before.template.as_deref().and_then(|kept| serde_json::from_str(kept).ok());
    let first_image = old.as_ref().and_then(|old| old.images.first()).map(|image| image.reference.as_str());
    if first_image == Some(before.image.as_str()) && !template.image.is_empty() {
        server.image.clone_from(&template.image);
    }
    let first_line = old.as_ref().and_then(|old| old.startup.first()).map(|startup| startup.command.as_str());
    if first_line == Some(before.startup.as_str()) {
        server.startup.clone_from(&template.startup);
    }
    for variable in &template.variables {
        let value = || variable.default_value.clone();
        server.environment.entry(variable.env_variable.clone()).or_insert_with(value);
    }
    server.behaviour.clone_from(&template.behaviour);
    server.template = Some(kept);
    server
}
