//! Endpoints of `/api/setup`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Setup, restore_routes};
use crate::auth::Open;
use crate::http::{GET, POST, Route, endpoint};
use crate::users::{SignInAnswer, client_origin, signed_in};

/// All endpoints of this feature.
pub fn routes(setup: &Setup) -> Vec<Route> {
    let mut routes = vec![
        endpoint(GET, "/api/setup")
            .access::<Open>()
            .doc("Whether the first account is still to be made")
            .ok::<SetupState>()
            .handle(setup, |setup, _call| async move {
                let needed = setup.needed()?;
                Ok(SetupState { needed, address: setup.address().filter(|_| needed) })
            }),
        endpoint(POST, "/api/setup")
            .access::<Open>()
            .doc("Makes the first account and signs it in")
            .secret()
            .body::<SetupRequest>()
            .created::<SignInAnswer>()
            .with_headers()
            .refusals(&[401, 409, 429])
            .handle(setup, |setup, call| async move {
                let (client, body) = (call.request.client(), call.body);
                let (token, origin) = (body.setup_token.trim(), client_origin(client));
                let claimed = setup.claim(token, body.username, body.password, &origin).await?;
                Ok(signed_in(claimed, client))
            }),
    ];
    routes.extend(restore_routes::routes(setup));
    routes
}

#[derive(Serialize, ToSchema)]
struct SetupState {
    /// Whether there is no account yet.
    needed: bool,
    /// Where the panel is found by name in its own network; told until the first account is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SetupRequest {
    /// From the link that the panel printed at its start, or from `DATA_DIR/setup-token`.
    setup_token: String,
    username: String,
    /// 10 to 1,024 bytes.
    password: String,
}
