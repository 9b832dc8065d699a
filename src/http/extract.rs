//! What an endpoint begins with: its parameters, its caller, its query. The dispatcher has put all of them on the request.

use std::convert::Infallible;

use serde::de::DeserializeOwned;
use warp::filters::BoxedFilter;
use warp::reject::Rejection;
use warp::{Filter, ext};

use super::body::invalid;
use super::dispatch::Params;
use super::peer::Client;
use super::route::refuse;
use crate::auth::{Admin, Caller, Need, Permit, ServerAccess, SocketCaller};
use crate::error::{ApiError, Code};

/// A handle for the handler, cloned for each call.
pub fn with<T: Clone + Send + Sync + 'static>(handle: &T) -> BoxedFilter<(T,)> {
    let handle = handle.clone();
    warp::any().map(move || handle.clone()).boxed()
}

/// For an endpoint that needs nothing.
pub fn any() -> BoxedFilter<()> {
    warp::any().boxed()
}

/// The path's only (or first) parameter, decoded but not checked.
pub fn id() -> BoxedFilter<(String,)> {
    params().map(|params: Params| params.0.first().cloned().unwrap_or_default()).boxed()
}

/// The path's two parameters, decoded but not checked.
pub fn ids() -> BoxedFilter<(String, String)> {
    params()
        .map(|params: Params| {
            let mut values = params.0.iter().cloned();
            (values.next().unwrap_or_default(), values.next().unwrap_or_default())
        })
        .untuple_one()
        .boxed()
}

fn params() -> impl Filter<Extract = (Params,), Error = Infallible> + Copy {
    ext::optional::<Params>().map(Option::unwrap_or_default)
}

/// Who asks. For every access but `Open`.
pub fn caller() -> BoxedFilter<(Caller,)> {
    found::<Caller>()
}

/// The administrator who asks. For `Access::Admin` and `Access::ServerAdmin`.
pub fn admin() -> BoxedFilter<(Admin,)> {
    found::<Admin>()
}

/// Proof that the caller may do `P` with the server of the path. For `Access::Server`.
pub fn permit<P: Need>() -> BoxedFilter<(Permit<P>,)> {
    found::<ServerAccess>().and_then(async |access: ServerAccess| access.permit().map_err(refuse)).boxed()
}

/// Who asks for a socket. For `Access::Socket`.
pub fn socket_caller() -> BoxedFilter<(SocketCaller,)> {
    found::<SocketCaller>()
}

/// How the browser calls us: `HOST:PORT`.
pub fn host() -> BoxedFilter<(Option<String>,)> {
    found::<Client>().map(|client: Client| client.host).boxed()
}

/// The other end of the connection.
pub fn client() -> BoxedFilter<(Client,)> {
    found::<Client>()
}

fn found<T: Clone + Send + Sync + 'static>() -> BoxedFilter<(T,)> {
    ext::optional::<T>()
        .and_then(async |value: Option<T>| {
            // Missing only where a route asks for what its access doesn't bring; refused rather than assumed.
            value.ok_or_else(|| refuse(ApiError::new(Code::Unauthenticated, "Sign in first.")))
        })
        .boxed()
}

/// The query as a typed value; unknown, missing and wrong keys are 422 as in a body.
pub fn query<T: DeserializeOwned + Send + 'static>() -> BoxedFilter<(T,)> {
    warp::query::raw()
        .or(warp::any().map(String::new))
        .unify()
        .and_then(async |text: String| parse_query(&text).map_err(refuse))
        .boxed()
}

fn parse_query<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
    serde_path_to_error::deserialize(pairs)
        .map_err(|error| invalid(&error.path().to_string(), &error.inner().to_string()))
}

/// One header, where it is readable text.
pub fn header(name: &'static str) -> BoxedFilter<(Option<String>,)> {
    warp::header::headers_cloned()
        .map(move |headers: hyper::HeaderMap| {
            headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        })
        .boxed()
}

/// Only for filters: an error as a rejection that the route answers with.
pub fn reject(error: ApiError) -> Rejection {
    refuse(error)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Tail {
        #[serde(default)]
        tail: Option<u16>,
    }

    #[test]
    fn queries_are_as_strict_as_bodies() {
        assert_eq!(parse_query::<Tail>("tail=5").unwrap().tail, Some(5));
        assert_eq!(parse_query::<Tail>("").unwrap().tail, None);
        for (text, key) in [("tail=x", "tail"), ("tail=-1", "tail"), ("token=abc", "token")] {
            let error = parse_query::<Tail>(text).unwrap_err();
            assert_eq!(error.code(), Code::Invalid);
            assert!(error.problems().contains_key(key), "{text}: {:?}", error.problems());
        }
    }
}
