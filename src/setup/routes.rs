//! `/api/setup`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Setup;
use crate::http::{
    Access, Client, Doc, Filter, GET, OPEN_LIMIT, POST, Route, StatusCode, client, json_up_to, ok, route,
    with,
};
use crate::users::{SignInAnswer, client_origin, signed_in};

/// All endpoints of this feature.
pub fn routes(setup: &Setup) -> Vec<Route> {
    vec![needed(setup), claim(setup)]
}

#[derive(Serialize, ToSchema)]
struct SetupState {
    /// Whether there is no account yet.
    needed: bool,
    /// Where the panel is found by name in its own network; told until the first account is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

fn needed(setup: &Setup) -> Route {
    route(
        GET,
        "/api/setup",
        Access::Open,
        Doc::new("Whether the first account is still to be made").answer::<SetupState>(200),
        with(setup).map(|setup: Setup| {
            let state = setup
                .needed()
                .map(|needed| SetupState { needed, address: setup.address().filter(|_| needed) });
            ok(state)
        }),
    )
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

fn claim(setup: &Setup) -> Route {
    route(
        POST,
        "/api/setup",
        Access::Open,
        Doc::new("Makes the first account and signs it in")
            .body::<SetupRequest>()
            .answer::<SignInAnswer>(201)
            .refusals(&[401, 409, 429]),
        with(setup).and(client()).and(json_up_to::<SetupRequest>(OPEN_LIMIT)).then(
            |setup: Setup, client: Client, body: SetupRequest| async move {
                let origin = client_origin(&client);
                let claimed =
                    setup.claim(body.setup_token.trim(), body.username, body.password, &origin).await;
                signed_in(StatusCode::CREATED, claimed, &client)
            },
        ),
    )
}
