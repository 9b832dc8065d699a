//! Generates the OpenAPI document of all endpoints.

use hyper::Method;
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathsBuilder, RefOr};

use super::doc::string;
use super::route::Route;

/// The whole document. Except in tests [`Doc`](super::Doc)s are not recorded, so only the paths are filled in.
pub fn document(routes: &[Route]) -> OpenApi {
    let mut paths = PathsBuilder::new();
    let mut components = ComponentsBuilder::new()
        .schema("Error", error_schema())
        .security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
        .security_scheme(
            "cookie",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(super::SESSION_COOKIE))),
        )
        .security_scheme(
            "sessionKey",
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(super::SESSION_KEY))),
        );
    for route in routes {
        let Some(method) = http_method(route.method()) else { continue };
        paths = paths.path(
            route.path(),
            PathItem::new(method, route.doc().operation(route.method(), route.path(), route.access())),
        );
        components = components.schemas_from_iter(route.doc().schemas.iter().cloned());
    }
    OpenApiBuilder::new()
        .info(InfoBuilder::new().title("Ctrl-Alt-Play").version("1").description(Some(
            "The panel's HTTP API. JSON keys are camelCase, times RFC 3339 UTC, sizes bytes.",
        )))
        .paths(paths.build())
        .components(Some(components.build()))
        .build()
}

/// Names shared by two different types; the document would show only one of them.
#[cfg(test)]
pub fn clashes(routes: &[Route]) -> std::collections::BTreeSet<String> {
    let mut known = std::collections::BTreeMap::new();
    let all = routes.iter().flat_map(|route| route.doc().schemas.iter());
    let differs = |(name, schema): &(String, RefOr<Schema>)| {
        let text = serde_json::to_string(schema).unwrap_or_default();
        (known.entry(name.clone()).or_insert_with(|| text.clone()) != &text).then(|| name.clone())
    };
    all.filter_map(differs).collect()
}

fn http_method(method: &Method) -> Option<HttpMethod> {
    Some(match method.as_str() {
        "GET" => HttpMethod::Get,
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        "HEAD" => HttpMethod::Head,
        "OPTIONS" => HttpMethod::Options,
        _ => return None,
    })
}

fn error_schema() -> RefOr<Schema> {
    let fields = ObjectBuilder::new()
        .additional_properties(Some(string()))
        .description(Some("What is wrong with which key; on 422 only"));
    let detail = ObjectBuilder::new()
        .property("code", string())
        .property("message", string())
        .property("fields", fields)
        .required("code")
        .required("message");
    ObjectBuilder::new().property("error", detail).required("error").into()
}
