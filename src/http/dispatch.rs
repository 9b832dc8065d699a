//! Routes a request under `/api`: by path, then by method, then the access check, then the route's filter.
//!
//! A table rather than a chain of `or`: a failed extraction never falls through to the next route, 404 and 405 are
//! exact, and nothing runs before the access check.

use std::sync::Arc;

use hyper::header::{ALLOW, AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderValue, ORIGIN, USER_AGENT};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request};
use warp::filters::BoxedFilter;

use super::call::Received;
use super::compression;
use super::connections::ConnectionSlot;
use super::pattern::{Params, Pattern};
use super::peer::{AskedHost, Client, Peer};
use super::reply::{self, Response};
use super::route::Route;
use super::server::Body;
use super::{SESSION_COOKIE, SESSION_KEY, device_cookie, session_cookie};
use crate::auth::{Access, Admitted, Auth, Caller, Credentials, DeviceProof, SiteCheck, SocketCaller};
use crate::error::{ApiError, Code};

/// Header with the second half of a browser's proof that it is a known device.
const DEVICE_KEY: &str = "x-device-key";

/// All endpoints of the API behind one access check.
#[derive(Clone)]
pub struct Dispatch(Arc<Inner>);

struct Inner {
    auth: Auth,
    entries: Vec<Entry>,
}

struct Entry {
    method: Method,
    pattern: Pattern,
    access: Access,
    packs: bool,
    endpoint: BoxedFilter<(Response,)>,
}

impl Dispatch {
    /// Builds the table.
    pub fn new(auth: Auth, routes: Vec<Route>) -> Self {
        let mut entries: Vec<_> = routes
            .into_iter()
            .map(|route| {
                let packs = route.packs();
                let (method, pattern, access, endpoint) = route.into_parts();
                Entry { method, pattern, access, packs, endpoint }
            })
            .collect();
        // "/api/servers/preview" before "/api/servers/{id}".
        entries.sort_by_key(|entry| entry.pattern.parameters());
        Self(Arc::new(Inner { auth, entries }))
    }

    /// Answers a request.
    pub async fn call(&self, mut request: Request<Body>) -> Response {
        let takes_gzip = compression::takes_gzip(request.headers());
        match self.admit(&mut request) {
            Ok(entry) => {
                let mut service = warp::service(entry.endpoint.clone());
                match tower_call(&mut service, request).await {
                    Ok(response) if entry.packs => compression::packed(response, takes_gzip).await,
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
            Err(refusal) => refusal.into_response(),
        }
    }

    /// Finds the endpoint and checks the caller's access. Attaches what the handler may need of the request as one
    /// value.
    fn admit(&self, request: &mut Request<Body>) -> Result<&Entry, Refusal> {
        let (entry, params) = self.find(request.method(), request.uri().path())?;
        let client = Client::of(request);
        let admitted = self.check(entry.access, &params, request, &client)?;
        let received = Received {
            admitted,
            params,
            client,
            uri: request.uri().clone(),
            upgrade: request.extensions().get::<OnUpgrade>().cloned(),
            method: request.method().clone(),
            headers: std::mem::take(request.headers_mut()),
        };
        request.extensions_mut().insert(Arc::new(received));
        Ok(entry)
    }

    /// The route and its parameters, or 404 or 405.
    fn find(&self, method: &Method, path: &str) -> Result<(&Entry, Params), Refusal> {
        let mut allowed = Vec::new();
        // hyper drops the body of an answer to HEAD.
        let mut get = None;
        for entry in &self.0.entries {
            if let Some(params) = entry.pattern.matches(path) {
                if entry.method == *method {
                    return Ok((entry, params));
                }
                if method == Method::HEAD && entry.method == Method::GET && get.is_none() {
                    get = Some((entry, params));
                }
                allowed.push(entry.method.as_str());
            }
        }
        if let Some(found) = get {
            return Ok(found);
        }
        if allowed.is_empty() {
            return Err(ApiError::new(Code::NotFound, "There is nothing at this address.").into());
        }
        let sentence = format!("{method} is not possible here.");
        let error = ApiError::new(Code::MethodNotAllowed, sentence);
        Err(Refusal { error, allow: HeaderValue::from_str(&allowed.join(", ")).ok() })
    }

    fn check(
        &self,
        access: Access,
        params: &Params,
        request: &Request<Body>,
        client: &Client,
    ) -> Result<Admitted, ApiError> {
        let headers = request.headers();
        let credentials = credentials(headers, client.secure);
        if !matches!(request.method(), &Method::GET | &Method::HEAD) && !credentials.is_bearer() {
            self.0.auth.check_site(&site(headers, client))?;
        }
        match access {
            Access::Open => return Ok(Admitted::Anyone),
            Access::Node => {
                let secret = match credentials {
                    Credentials::Bearer(secret) => Some(secret),
                    Credentials::None | Credentials::Cookie { .. } => None,
                };
                return Ok(Admitted::Node(secret));
            }
            Access::Socket => {
                if matches!(credentials, Credentials::Cookie { .. }) {
                    self.0.auth.check_socket_origin(&site(headers, client))?;
                }
                let caller = self.0.auth.authenticate_socket(&credentials)?;
                if let SocketCaller::Known(caller) = &caller {
                    signed_in(request, caller);
                }
                return Ok(Admitted::Socket(caller));
            }
            Access::SignedIn | Access::Admin | Access::Server(_) | Access::ServerAdmin => {}
        }
        let caller = self.0.auth.authenticate(&credentials)?;
        signed_in(request, &caller);
        self.0.auth.authorize(caller.into(), access, &params.first().into())
    }
}

/// Marks the connection as signed in.
fn signed_in(request: &Request<Body>, caller: &Caller) {
    if let Some(slot) = request.extensions().get::<ConnectionSlot>() {
        slot.signed_in(caller.user_id());
    }
}

/// The request's credentials. A Bearer token takes precedence over cookies. Any other `Authorization` belongs to a
/// proxy.
pub(super) fn credentials(headers: &HeaderMap, secure: bool) -> Credentials {
    let token = headers.get_all(AUTHORIZATION).iter().find_map(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
    });
    if let Some(token) = token {
        return Credentials::Bearer(token);
    }
    let values = cookies(headers, session_cookie(secure));
    if values.is_empty() {
        return Credentials::None;
    }
    Credentials::Cookie { values, key: text_of(headers, SESSION_KEY) }
}

/// All cookies with a name. Others on this host may set cookies too, with any bytes, so unreadable ones are skipped.
/// The limit on the headers bounds their number.
fn cookies(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|pair| {
            let value = pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            str::from_utf8(value).ok().map(str::to_owned)
        })
        .collect()
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn site<'a>(headers: &'a HeaderMap, client: &'a Client) -> SiteCheck<'a> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    SiteCheck {
        origin: text(ORIGIN.as_str()),
        fetch_site: text("sec-fetch-site"),
        host: client.host.as_deref(),
        secure: client.secure,
    }
}

impl Client {
    fn of(request: &Request<Body>) -> Self {
        let peer = request.extensions().get::<Peer>().copied().unwrap_or_default();
        let headers = request.headers();
        let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
        let asked = request.extensions().get::<AskedHost>().map(|asked| asked.0.clone());
        let key = text_of(headers, DEVICE_KEY);
        let shown = if key.is_some() { cookies(headers, device_cookie(peer.secure)) } else { Vec::new() };
        Self {
            address: peer.address,
            secure: peer.secure,
            user_agent: super::peer::printable(agent),
            host: asked.or_else(|| text_of(headers, HOST.as_str())),
            device: DeviceProof { cookies: shown, key },
            // Old cookies contain the token itself, which has two dots.
            old_cookie: peer.secure
                && cookies(headers, SESSION_COOKIE).iter().any(|value| value.matches('.').count() == 2),
        }
    }
}

/// An error before the route's own filter.
struct Refusal {
    error: ApiError,
    allow: Option<HeaderValue>,
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self { error, allow: None }
    }
}

impl Refusal {
    fn into_response(self) -> Response {
        let mut response = reply::error(&self.error);
        if let Some(allow) = self.allow {
            response.headers_mut().insert(ALLOW, allow);
        }
        response
    }
}

/// Calls a warp service once.
async fn tower_call<S>(service: &mut S, request: Request<Body>) -> Result<Response, S::Error>
where
    S: tower_service::Service<Request<Body>, Response = Response>,
{
    // warp's `poll_ready` always returns ready.
    service.call(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_come_from_header_or_cookie_only() {
        let cookie = |values: &[&str], key: Option<&str>| Credentials::Cookie {
            values: values.iter().map(ToString::to_string).collect(),
            key: key.map(str::to_owned),
        };
        let mut headers = HeaderMap::new();
        assert_eq!(credentials(&headers, false), Credentials::None);
        headers.insert(COOKIE, HeaderValue::from_static("a=b; session=tok"));
        assert_eq!(credentials(&headers, false), cookie(&["tok"], None));
        assert_eq!(credentials(&headers, true), Credentials::None, "another name by TLS");
        headers.insert("x-session-key", HeaderValue::from_static("key"));
        headers.insert(
            COOKIE,
            HeaderValue::from_bytes(b"session=\xff;session=x ;; session ;xsession=y").unwrap(),
        );
        headers.append(COOKIE, HeaderValue::from_static("session=tok; __Host-session=safe"));
        assert_eq!(credentials(&headers, false), cookie(&["x", "tok"], Some("key")));
        assert_eq!(credentials(&headers, true), cookie(&["safe"], Some("key")));
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic eDp5"));
        assert_eq!(credentials(&headers, true), cookie(&["safe"], Some("key")), "a proxy's own");
        headers.append(AUTHORIZATION, HeaderValue::from_static("bearer other"));
        assert_eq!(credentials(&headers, true), Credentials::Bearer("other".into()));
    }
}
