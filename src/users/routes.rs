//! `/api/session`, `/api/me`, `/api/users`.

use hyper::header::{HeaderValue, SET_COOKIE};
use serde::Deserialize;
use utoipa::ToSchema;

use super::views::{Me, RoleView, SessionInfo, SignInAnswer, UserView};
use super::{NewUser, UserChange, Users};
use crate::auth::{Admin, Caller, DEVICE_DAYS, Origin, SESSION_DAYS, SignedIn};
use crate::error::ApiError;
use crate::http::{
    Access, Client, DELETE, Doc, Filter, GET, OPEN_LIMIT, PATCH, POST, PUT, Response, Route, StatusCode,
    admin, caller, client, created, device_cookie, id, json, json_reply, json_up_to, no_content, ok, route,
    session_cookie, with,
};

/// All endpoints of this feature.
pub fn routes(users: &Users) -> Vec<Route> {
    vec![
        sign_in(users),
        sign_out(users),
        me(),
        change_password(users),
        my_sessions(users),
        end_my_session(users),
        list(users),
        create(users),
        update(users),
        delete(users),
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

fn sign_in(users: &Users) -> Route {
    route(
        POST,
        "/api/session",
        Access::Open,
        Doc::new("Signs in").body::<SignInRequest>().answer::<SignInAnswer>(200).refusals(&[401, 429, 503]),
        with(users).and(client()).and(json_up_to::<SignInRequest>(OPEN_LIMIT)).then(
            |users: Users, client: Client, body: SignInRequest| async move {
                let done = users.sign_in(&body.username, body.password, &client_origin(&client)).await;
                signed_in(StatusCode::OK, done, &client)
            },
        ),
    )
}

fn sign_out(users: &Users) -> Route {
    route(
        DELETE,
        "/api/session",
        Access::SignedIn,
        Doc::new("Signs out").plain(204),
        with(users)
            .and(caller())
            .and(client())
            .then(|users: Users, caller: Caller, client: Client| async move {
                (users.sign_out(&caller).await, client.secure)
            })
            .map(|(result, secure)| {
                let mut response = no_content(result);
                if let Ok(value) = HeaderValue::from_str(&cookie(session_cookie(secure), "", 0, secure)) {
                    response.headers_mut().insert(SET_COOKIE, value);
                }
                response
            }),
    )
}

fn me() -> Route {
    route(
        GET,
        "/api/me",
        Access::SignedIn,
        Doc::new("Who is signed in").answer::<Me>(200),
        caller().map(|caller: Caller| ok(Ok(Me::from(&caller)))),
    )
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordRequest {
    current: String,
    /// 10 to 1,024 bytes.
    new: String,
}

fn change_password(users: &Users) -> Route {
    route(
        PUT,
        "/api/me/password",
        Access::SignedIn,
        Doc::new("Changes one's password and ends one's other sessions")
            .body::<PasswordRequest>()
            .plain(204)
            .refusals(&[429, 503]),
        with(users)
            .and(caller())
            .and(client())
            .and(json::<PasswordRequest>())
            .then(|users: Users, caller: Caller, client: Client, body: PasswordRequest| async move {
                users.change_password(&caller, body.current, body.new, &client_origin(&client)).await
            })
            .map(no_content),
    )
}

fn my_sessions(users: &Users) -> Route {
    route(
        GET,
        "/api/me/sessions",
        Access::SignedIn,
        Doc::new("One's sign-ins that have not ended").list::<SessionInfo>(200),
        with(users)
            .and(caller())
            .then(|users: Users, caller: Caller| async move {
                let sessions = users.sessions(&caller).await?;
                let view = |session| SessionInfo::new(session, caller.session_id());
                Ok::<Vec<_>, ApiError>(sessions.into_iter().map(view).collect())
            })
            .map(ok),
    )
}

fn end_my_session(users: &Users) -> Route {
    route(
        DELETE,
        "/api/me/sessions/{id}",
        Access::SignedIn,
        Doc::new("Ends one of one's sign-ins").plain(204).refusals(&[404]),
        with(users)
            .and(caller())
            .and(id())
            .then(|users: Users, caller: Caller, id: String| async move { users.end_session(&caller, &id).await })
            .map(no_content),
    )
}

fn list(users: &Users) -> Route {
    route(
        GET,
        "/api/users",
        Access::Admin,
        Doc::new("All accounts").list::<UserView>(200),
        with(users)
            .and(admin())
            .then(|users: Users, admin: Admin| async move {
                Ok::<Vec<_>, ApiError>(users.list(&admin).await?.iter().map(UserView::from).collect())
            })
            .map(ok),
    )
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

fn create(users: &Users) -> Route {
    route(
        POST,
        "/api/users",
        Access::Admin,
        Doc::new("Makes an account").body::<NewUserRequest>().answer::<UserView>(201).refusals(&[409]),
        with(users)
            .and(admin())
            .and(json::<NewUserRequest>())
            .then(|users: Users, admin: Admin, body: NewUserRequest| async move {
                let new =
                    NewUser { username: body.username, password: body.password, role: body.role.into() };
                users.create(&admin, new).await.map(|user| UserView::from(&user))
            })
            .map(created),
    )
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

fn update(users: &Users) -> Route {
    route(
        PATCH,
        "/api/users/{id}",
        Access::Admin,
        Doc::new("Changes an account; left-out keys stay")
            .body::<UserChangeRequest>()
            .answer::<UserView>(200)
            .refusals(&[404, 409]),
        with(users)
            .and(admin())
            .and(id())
            .and(json::<UserChangeRequest>())
            .then(|users: Users, admin: Admin, id: String, body: UserChangeRequest| async move {
                let change = UserChange {
                    username: body.username,
                    password: body.password,
                    role: body.role.map(Into::into),
                };
                users.update(&admin, &id, change).await.map(|user| UserView::from(&user))
            })
            .map(ok),
    )
}

fn delete(users: &Users) -> Route {
    route(
        DELETE,
        "/api/users/{id}",
        Access::Admin,
        Doc::new("Deletes an account, its sessions and its grants").plain(204).refusals(&[404, 409]),
        with(users)
            .and(admin())
            .and(id())
            .then(|users: Users, admin: Admin, id: String| async move { users.delete(&admin, &id).await })
            .map(no_content),
    )
}

/// Where a sign-in comes from.
pub fn client_origin(client: &Client) -> Origin {
    Origin { address: client.address, user_agent: client.user_agent.clone(), device: client.device.clone() }
}

/// Token, keys and account as JSON, and the other halves as cookies that no script sees.
pub fn signed_in(status: StatusCode, signed_in: Result<SignedIn, ApiError>, client: &Client) -> Response {
    let secure = client.secure;
    let mut cookies = Vec::new();
    if let Ok(done) = &signed_in {
        cookies.push(cookie(session_cookie(secure), &done.session.halves.cookie, SESSION_DAYS * DAY, secure));
        let device = done.device.as_ref();
        cookies.extend(
            device.map(|device| cookie(device_cookie(secure), &device.cookie, DEVICE_DAYS * DAY, secure)),
        );
    }
    if signed_in.is_ok() && client.old_cookie {
        cookies.push(cookie(session_cookie(false), "", 0, true));
    }
    let mut response = json_reply(status, signed_in.map(SignInAnswer::from));
    for value in cookies.iter().filter_map(|text| HeaderValue::from_str(text).ok()) {
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}

/// In seconds.
const DAY: i64 = 24 * 60 * 60;

fn cookie(name: &str, value: &str, seconds: i64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}")
}
