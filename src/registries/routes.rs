//! `/api/registries`.

use serde::{Deserialize, Serialize};
use storage::registries::Registry;
use utoipa::ToSchema;

use super::{NewLogin, Registries};
use crate::auth::Admin;
use crate::http::{DELETE, GET, POST, Route, endpoint};

/// All endpoints of this feature.
pub fn routes(registries: &Registries) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/registries")
            .access::<Admin>()
            .doc("Lists the logins at image registries, without their secrets")
            .list::<RegistryView>()
            .handle(registries, |registries, _call| async move {
                Ok(registries.list()?.into_iter().map(RegistryView::from).collect())
            }),
        endpoint(POST, "/api/registries")
            .access::<Admin>()
            .doc("Keeps a login at an image registry, in place of the one of the same host. Its secret is never given out again; nodes get it only before they fetch from there")
            .body::<LoginRequest>()
            .created::<RegistryView>()
            .refusals(&[409])
            .handle(registries, |registries, call| async move {
                let LoginRequest { host, username, secret } = call.body;
                let kept = registries.put(&call.by, NewLogin { host, username, secret }).await?;
                Ok(RegistryView::from(kept))
            }),
        endpoint(DELETE, "/api/registries/{id}")
            .access::<Admin>()
            .doc("Forgets a login")
            .no_content()
            .refusals(&[404])
            .handle(registries, |registries, call| async move {
                registries.remove(&call.by, call.request.id()).await
            }),
    ]
}

/// A login.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RegistryLogin)]
struct LoginRequest {
    /// The registry's host, such as `ghcr.io`; `docker.io` for Docker's own.
    host: String,
    /// Who logs in.
    username: String,
    /// The password or token.
    secret: String,
}

/// A login that is kept.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Registry)]
struct RegistryView {
    /// Never changes.
    id: String,
    /// The registry's host.
    host: String,
    /// Who logs in.
    username: String,
}

impl From<Registry> for RegistryView {
    fn from(Registry { id, host, username, .. }: Registry) -> Self {
        Self { id, host, username }
    }
}
