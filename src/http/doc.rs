//! What the OpenAPI document says about an endpoint. Filled in from its declaration, so the document covers every
//! route.
//!
//! Only tests generate the document: it is checked in, and the program includes that file (`src/docs`). Generating it
//! at each start cost 5 MB that the allocator never released, and the code of all schemas.

use hyper::Method;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required, ResponseBuilder};
use utoipa::{IntoParams, ToSchema};

use crate::auth::Access;

/// Whether documentation is recorded; only in tests.
const KEPT: bool = cfg!(test);

type Schemas = Vec<(String, RefOr<Schema>)>;

/// Content types of a body.
#[derive(Clone, Copy, Default)]
enum Kinds {
    #[default]
    Json,
    JsonOrYaml,
    Zip,
    Picture,
    Bytes,
}

impl Kinds {
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Json => &["application/json"],
            Self::JsonOrYaml => &["application/yaml", "application/json"],
            Self::Zip => &["application/zip"],
            Self::Picture => &["image/png", "image/jpeg", "image/gif", "image/webp"],
            Self::Bytes => &["application/octet-stream"],
        }
    }
}

/// The documentation of one endpoint.
#[derive(Clone, Default)]
pub struct Doc {
    summary: &'static str,
    body: Option<RefOr<Schema>>,
    /// Whether the body may be left out.
    body_optional: bool,
    /// Content types of the body beside JSON, or instead of it.
    kinds: Kinds,
    answers: Vec<(u16, &'static str, Option<RefOr<Schema>>)>,
    query: Vec<Parameter>,
    refusals: Vec<u16>,
    extensions: Vec<(&'static str, serde_json::Value)>,
    secret: bool,
    pub(super) schemas: Schemas,
}

impl Doc {
    /// What the endpoint does, in one sentence.
    #[must_use]
    pub(super) fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// It takes a JSON body.
    #[must_use]
    pub(super) fn body<T: ToSchema>(mut self) -> Self {
        if KEPT {
            self.body = Some(self.schema::<T>());
        }
        self
    }

    /// The body may be left out.
    #[must_use]
    pub(super) fn optional(mut self) -> Self {
        self.body_optional = true;
        self
    }

    /// It takes a document in JSON or YAML whose form is described elsewhere.
    #[must_use]
    pub(super) fn document(mut self) -> Self {
        if KEPT {
            self.body = Some(ObjectBuilder::new().build().into());
            self.kinds = Kinds::JsonOrYaml;
        }
        self
    }

    /// It takes a ZIP archive.
    #[must_use]
    pub(super) fn archive(mut self) -> Self {
        if KEPT {
            let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
            self.body =
                Some(ObjectBuilder::new().schema_type(Type::String).format(Some(binary)).build().into());
            self.kinds = Kinds::Zip;
        }
        self
    }

    /// It takes a picture.
    #[must_use]
    pub(super) fn picture(mut self) -> Self {
        if KEPT {
            let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
            self.body =
                Some(ObjectBuilder::new().schema_type(Type::String).format(Some(binary)).build().into());
            self.kinds = Kinds::Picture;
        }
        self
    }

    /// It takes any number of bytes.
    #[must_use]
    pub(super) fn bytes(mut self) -> Self {
        if KEPT {
            let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
            self.body =
                Some(ObjectBuilder::new().schema_type(Type::String).format(Some(binary)).build().into());
            self.kinds = Kinds::Bytes;
        }
        self
    }

    /// It answers with JSON.
    #[must_use]
    pub(super) fn answer<T: ToSchema>(mut self, status: u16) -> Self {
        if KEPT {
            let schema = self.schema::<T>();
            self.answers.push((status, "application/json", Some(schema)));
        }
        self
    }

    /// It answers with a JSON array.
    #[must_use]
    pub(super) fn list<T: ToSchema>(mut self, status: u16) -> Self {
        if KEPT {
            let items = self.schema::<T>();
            let array = ArrayBuilder::new().items(items).into();
            self.answers.push((status, "application/json", Some(array)));
        }
        self
    }

    /// It answers without a body, or with one that is not JSON.
    #[must_use]
    pub(super) fn plain(mut self, status: u16) -> Self {
        if KEPT {
            self.answers.push((status, "", None));
        }
        self
    }

    /// The query parameters, one per field of `T`.
    #[must_use]
    pub(super) fn query<T: IntoParams>(mut self) -> Self {
        if KEPT {
            self.query.extend(T::into_params(|| Some(ParameterIn::Query)));
        }
        self
    }

    /// An extension, whose name starts with `x-`.
    #[must_use]
    pub(super) fn extension(mut self, name: &'static str, value: impl FnOnce() -> serde_json::Value) -> Self {
        if KEPT {
            self.extensions.push((name, value()));
        }
        self
    }

    /// The answer contains secrets.
    #[must_use]
    pub(super) fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Whether the answer contains secrets.
    pub(super) fn is_secret(&self) -> bool {
        self.secret
    }

    /// It supports conditional changes (`If-Match`).
    #[must_use]
    pub(super) fn conditional(mut self) -> Self {
        if KEPT {
            let header = ParameterBuilder::new()
                .name("If-Match")
                .parameter_in(ParameterIn::Header)
                .description(Some("The revision that was seen, in quotes; 412 where it is another by now"))
                .schema(Some(string()));
            self.query.push(header.build());
            self.refusals.extend([400, 412]);
        }
        self
    }

    /// Error statuses beyond those that every endpoint has.
    #[must_use]
    pub(super) fn refusals(mut self, statuses: &[u16]) -> Self {
        if KEPT {
            self.refusals.extend_from_slice(statuses);
        }
        self
    }

    fn schema<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let schema = T::schema();
        T::schemas(&mut self.schemas);
        // Only objects, enums and the like are referred to by name.
        let primitive = std::any::type_name::<T>().starts_with(|c: char| c.is_lowercase())
            && !std::any::type_name::<T>().contains("::");
        if primitive || std::any::type_name::<T>().starts_with("alloc::") {
            return schema;
        }
        let name = T::name().into_owned();
        self.schemas.push((name.clone(), schema));
        Ref::from_schema_name(name).into()
    }

    /// The entry in the document for this method and path.
    pub(super) fn operation(&self, method: &Method, path: &str, access: Access) -> Operation {
        let mut operation = OperationBuilder::new()
            .summary(Some(self.summary))
            .operation_id(Some(operation_id(method, path)))
            .tag(path.trim_start_matches("/api/").split('/').next().unwrap_or("api"));
        for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            operation = operation.parameter(
                ParameterBuilder::new()
                    .name(name)
                    .parameter_in(ParameterIn::Path)
                    .required(Required::True)
                    .schema(Some(string())),
            );
        }
        for parameter in &self.query {
            operation = operation.parameter(parameter.clone());
        }
        if let Some(schema) = &self.body {
            let content = ContentBuilder::new().schema(Some(schema.clone())).build();
            let mut body = RequestBodyBuilder::new().required(Some(if self.body_optional {
                Required::False
            } else {
                Required::True
            }));
            for kind in self.kinds.names() {
                body = body.content(*kind, content.clone());
            }
            operation = operation.request_body(Some(body.build()));
        }
        for (status, content_type, schema) in &self.answers {
            let mut response = ResponseBuilder::new().description(reason(*status));
            if let Some(schema) = schema {
                response = response
                    .content(*content_type, ContentBuilder::new().schema(Some(schema.clone())).build());
            }
            operation = operation.response(status.to_string(), response.build());
        }
        let mut refusals = self.refusals.clone();
        refusals.extend_from_slice(match access {
            Access::Open | Access::Node => &[],
            Access::SignedIn | Access::Socket => &[401],
            Access::Admin => &[401, 403],
            Access::Server(_) | Access::ServerAdmin => &[401, 403, 404],
        });
        if self.body.is_some() {
            refusals.extend([400, 413, 415, 422]);
        }
        refusals.sort_unstable();
        refusals.dedup();
        for status in refusals {
            let error =
                ContentBuilder::new().schema(Some(RefOr::from(Ref::from_schema_name("Error")))).build();
            let response =
                ResponseBuilder::new().description(reason(status)).content("application/json", error);
            operation = operation.response(status.to_string(), response.build());
        }
        let shown = ("x-access", access.to_string().into());
        let extensions = self.extensions.iter().cloned().chain([shown]);
        operation = operation.extensions(Some(Extensions::from_iter(extensions)));
        if !matches!(access, Access::Open | Access::Node) {
            operation =
                operation.security(SecurityRequirement::new::<_, [String; 0], _>("bearer", [])).security(
                    SecurityRequirement::new::<_, [String; 0], _>("cookie", [])
                        .add::<_, [String; 0], _>("sessionKey", []),
                );
        }
        operation.build()
    }
}

/// `POST /api/servers/{id}/power` is `post_servers_id_power`.
fn operation_id(method: &Method, path: &str) -> String {
    let words = path.trim_start_matches("/api/").replace(['{', '}'], "").replace(['/', '.', '-'], "_");
    format!("{}_{words}", method.as_str().to_lowercase())
}

fn reason(status: u16) -> &'static str {
    hyper::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Answer")
}

pub(super) fn string() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).into()
}
