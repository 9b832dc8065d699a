//! Endpoints of `/api/session`, `/api/me` and `/api/users`.

use serde::Deserialize;
use utoipa::ToSchema;

use super::views::{Me, RoleView, SessionInfo, SignInAnswer, UserView};
use super::{NewUser, UserChange, Users};
use crate::auth::{Admin, Caller, DEVICE_DAYS, Open, Origin, SESSION_DAYS, SignedIn};
use crate::http::header::{HeaderMap, HeaderValue, SET_COOKIE};
use crate::http::{
    Client, DELETE, GET, PATCH, POST, PUT, Route, device_cookie, endpoint, no_content, session_cookie, tagged,
};

/// All endpoints of this feature.
pub fn routes(users: &Users) -> Vec<Route> {
    let mut routes = session(users);
    routes.extend(me(users));
    routes.extend(accounts(users));
    routes
}

/// Endpoints to sign in and out.
fn session(users: &Users) -> Vec<Route> {
    vec![
        endpoint(POST, "/api/session")
            .access::<Open>()
            .doc("Signs in")
            .secret()
            .body::<SignInRequest>()
            .ok::<SignInAnswer>()
            .with_headers()
            .refusals(&[401, 429, 503])
            .handle(users, |users, call| async move {
                let (client, body) = (call.request.client(), call.body);
                let done = users.sign_in(&body.username, body.password, &client_origin(client)).await?;
                Ok(signed_in(done, client))
            }),
        endpoint(DELETE, "/api/session").access::<Caller>().doc("Signs out").response(204).handle(
            users,
            |users, call| async move {
                let mut response = no_content(users.sign_out(&call.by).await);
                // Also if the session could not be ended: the browser has to delete the cookie.
                let secure = call.request.client().secure;
                if let Ok(value) = HeaderValue::from_str(&cookie(session_cookie(secure), "", 0, secure)) {
                    response.headers_mut().insert(SET_COOKIE, value);
                }
                Ok(response)
            },
        ),
    ]
}

/// Endpoints of the caller's own account.
fn me(users: &Users) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/me")
            .access::<Caller>()
            .doc("Who is signed in")
            .ok::<Me>()
            .handle(&(), |(), call| async move { Ok(Me::from(&call.by)) }),
        endpoint(PUT, "/api/me/password")
            .access::<Caller>()
            .doc("Changes one's password and ends one's other sessions")
            .body::<PasswordRequest>()
            .no_content()
            .refusals(&[429, 503])
            .handle(users, |users, call| async move {
                let (origin, body) = (client_origin(call.request.client()), call.body);
                users.change_password(&call.by, body.current, body.new, &origin).await
            }),
        endpoint(GET, "/api/me/sessions")
            .access::<Caller>()
            .doc("One's sign-ins that have not ended")
            .secret()
            .list::<SessionInfo>()
            .handle(users, |users, call| async move {
                let sessions = users.sessions(&call.by).await?;
                let view = |session| SessionInfo::new(session, call.by.session_id());
                Ok(sessions.into_iter().map(view).collect())
            }),
        endpoint(DELETE, "/api/me/sessions/{id}")
            .access::<Caller>()
            .doc("Ends one of one's sign-ins")
            .no_content()
            .refusals(&[404])
            .handle(users, |users, call| async move { users.end_session(&call.by, call.request.id()).await }),
    ]
}

/// Endpoints to manage all accounts.
fn accounts(users: &Users) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/users")
            .access::<Admin>()
            .doc("All accounts")
            .list::<UserView>()
            .handle(users, |users, call| async move {
                Ok(users.list(&call.by).await?.iter().map(UserView::from).collect())
            }),
        endpoint(POST, "/api/users")
            .access::<Admin>()
            .doc("Makes an account")
            .body::<NewUserRequest>()
            .created::<UserView>()
            .refusals(&[409])
            .handle(users, |users, call| async move {
                let NewUserRequest { username, password, role } = call.body;
                let new = NewUser { username, password, role: role.into() };
                users.create(&call.by, new).await.map(|user| UserView::from(&user))
            }),
        endpoint(PATCH, "/api/users/{id}")
            .access::<Admin>()
            .doc("Changes an account; left-out keys stay")
            .body::<UserChangeRequest>()
            .conditional()
            .ok::<UserView>()
            .with_headers()
            .refusals(&[404, 409])
            .handle(users, |users, call| async move {
                let UserChangeRequest { username, password, role } = call.body;
                let change = UserChange { username, password, role: role.map(Into::into) };
                let expected = call.request.expected()?;
                let user = users.update(&call.by, call.request.id(), change, expected).await?;
                Ok((UserView::from(&user), tagged(&super::revision(&user))))
            }),
        endpoint(DELETE, "/api/users/{id}")
            .access::<Admin>()
            .doc("Deletes an account, its sessions and its grants")
            .no_content()
            .refusals(&[404, 409])
            .handle(users, |users, call| async move { users.delete(&call.by, call.request.id()).await }),
    ]
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignInRequest {
    username: String,
    password: String,
    /// Not used yet.
    #[serde(default)]
    #[allow(dead_code, reason = "accepted, so that clients need not know whether it is wanted")]
    totp: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordRequest {
    current: String,
    /// 10 to 1,024 bytes.
    new: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUser)]
struct NewUserRequest {
    /// 1 to 32 characters of `[A-Za-z0-9._-]`, unique ignoring case.
    username: String,
    /// 10 to 1,024 bytes.
    password: String,
    role: RoleView,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserChange)]
struct UserChangeRequest {
    #[serde(default)]
    username: Option<String>,
    /// Ends the account's sessions.
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    role: Option<RoleView>,
}

/// The origin of a sign-in.
pub fn client_origin(client: &Client) -> Origin {
    Origin { address: client.address, user_agent: client.user_agent.clone(), device: client.device.clone() }
}

/// Answer to a sign-in: token, keys and account as JSON, and the other halves of the keys as `HttpOnly` cookies.
pub fn signed_in(done: SignedIn, client: &Client) -> (SignInAnswer, HeaderMap) {
    let secure = client.secure;
    let session = &done.session.halves.cookie;
    let mut cookies = vec![cookie(session_cookie(secure), session, SESSION_DAYS * DAY, secure)];
    let device = done.device.as_ref();
    cookies.extend(
        device.map(|device| cookie(device_cookie(secure), &device.cookie, DEVICE_DAYS * DAY, secure)),
    );
    if client.old_cookie {
        cookies.push(cookie(session_cookie(false), "", 0, true));
    }
    let mut headers = HeaderMap::new();
    for value in cookies.iter().filter_map(|text| HeaderValue::from_str(text).ok()) {
        headers.append(SET_COOKIE, value);
    }
    (SignInAnswer::from(done), headers)
}

/// One day, in seconds.
const DAY: i64 = 24 * 60 * 60;

fn cookie(name: &str, value: &str, seconds: i64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}")
}
