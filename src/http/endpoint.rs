//! Declares an endpoint in one place: address, access, input and answer. The route, the checks before the handler, the
//! response format and the OpenAPI document are all generated from the declaration.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::{IntoParams, ToSchema};

use super::call::{Call, Received};
use super::reply::{self, Response};
use super::route::{Answer, Route};
use super::stream::{self, BodyStream, RawBody};
use super::{Doc, body};
use crate::auth::{Access, Proof};
use crate::error::ApiError;

/// The bytes of a document that its feature parses itself.
pub struct Document(pub Vec<u8>);

/// Placeholder for a missing part of a declaration. It cannot be created, so a handler without that part does not
/// compile.
pub struct Undeclared(());

/// An unfinished declaration. `P` is the proof that the caller is allowed, `A` the answer, `B` the body, `Q` the query.
#[must_use = "an endpoint answers only once it has a handler"]
pub struct Endpoint<P = Undeclared, A = Undeclared, B = (), Q = ()> {
    method: Method,
    path: &'static str,
    doc: Doc,
    takes: Takes<B, Q>,
    gives: Gives<A>,
    proof: PhantomData<fn() -> P>,
}

/// How body and query are parsed.
struct Takes<B, Q> {
    /// How much of the body is read; `None` for the limit of JSON bodies.
    raw: Option<stream::Takes>,
    body: fn(&Received, RawBody) -> Result<B, ApiError>,
    query: fn(&str) -> Result<Q, ApiError>,
}

/// How the answer is turned into a response.
struct Gives<A> {
    status: StatusCode,
    reply: fn(StatusCode, Result<A, ApiError>) -> Response,
}

/// Starts a declaration. `path` is the full path with parameters in braces: `/api/servers/{id}`. `GET` also answers
/// `HEAD`.
pub fn endpoint(method: Method, path: &'static str) -> Endpoint {
    Endpoint {
        method,
        path,
        doc: Doc::default(),
        takes: Takes { raw: Some(stream::Takes::Nothing), body: |_, _| Ok(()), query: |_| Ok(()) },
        gives: Gives { status: StatusCode::NO_CONTENT, reply: |status, _| reply::empty(status) },
        proof: PhantomData,
    }
}

impl<P, A, B, Q> Endpoint<P, A, B, Q> {
    /// Who may call it, as the type of proof that the handler receives: `Open` for everyone, `Actor` for any signed-in
    /// user, `Admin`, `Permit<need::Power>`, `ServerAdmin`, `SocketCaller`.
    pub fn access<To: Proof>(self) -> Endpoint<To, A, B, Q> {
        let Self { method, path, doc, takes, gives, .. } = self;
        Endpoint { method, path, doc, takes, gives, proof: PhantomData }
    }

    /// What it does, one sentence for the document.
    pub fn doc(mut self, summary: &'static str) -> Self {
        self.doc = self.doc.summary(summary);
        self
    }

    /// Error statuses beyond those that follow from access and body.
    pub fn refusals(mut self, statuses: &[u16]) -> Self {
        self.doc = self.doc.refusals(statuses);
        self
    }

    /// The answer contains secrets: it is never compressed, because its size could reveal them to a client that can add
    /// text of its own to it (BREACH).
    pub fn secret(mut self) -> Self {
        self.doc = self.doc.secret();
        self
    }

    /// It accepts `If-Match` and `If-None-Match: *`, and answers 412 if the current revision is not the expected one.
    pub fn conditional(mut self) -> Self {
        self.doc = self.doc.conditional();
        self
    }

    /// An extension of OpenAPI, whose name starts with `x-`. `value` is only called to generate the document.
    pub fn extension(mut self, name: &'static str, value: impl FnOnce() -> serde_json::Value) -> Self {
        self.doc = self.doc.extension(name, value);
        self
    }

    /// It takes a JSON body of at most 256 KiB, or 4 KiB if anyone may call. 400, 413, 415 and 422 are answered before
    /// the handler. `T` should have `#[serde(deny_unknown_fields)]`.
    pub fn body<T: DeserializeOwned + ToSchema>(self) -> Endpoint<P, A, T, Q> {
        let Self { method, path, doc, takes, gives, proof } = self;
        let parse = |request: &Received, raw: RawBody| {
            body::parse_json(request.content_type()?.as_deref(), &raw.whole())
        };
        let takes = Takes { raw: None, body: parse, query: takes.query };
        Endpoint { method, path, doc: doc.body::<T>(), takes, gives, proof }
    }

    /// It takes an optional JSON body: `None` where it is empty or `null`.
    pub fn optional_body<T: DeserializeOwned + ToSchema>(self) -> Endpoint<P, A, Option<T>, Q> {
        let Self { method, path, doc, takes, gives, proof } = self;
        let parse = |request: &Received, raw: RawBody| match raw.whole() {
            bytes if bytes.is_empty() => Ok(None),
            bytes => body::parse_json(request.content_type()?.as_deref(), &bytes),
        };
        let takes = Takes { raw: None, body: parse, query: takes.query };
        Endpoint { method, path, doc: doc.body::<T>().optional(), takes, gives, proof }
    }

    /// It takes an unparsed document in JSON or YAML of at most `limit` bytes. 413 and 415 are answered before the
    /// handler.
    pub fn document(self, limit: u64) -> Endpoint<P, A, Document, Q> {
        let Self { method, path, doc, takes, gives, proof } = self;
        let parse = |request: &Received, raw: RawBody| {
            body::document(request.content_type()?.as_deref(), &raw.whole()).map(Document)
        };
        let takes = Takes { raw: Some(stream::Takes::Whole(limit)), body: parse, query: takes.query };
        Endpoint { method, path, doc: doc.document(), takes, gives, proof }
    }

    /// It takes a ZIP archive of at most `limit` bytes. 413 and 415 are answered before the handler.
    pub fn archive(self, limit: u64) -> Endpoint<P, A, Document, Q> {
        let Self { method, path, doc, takes, gives, proof } = self;
        let parse = |request: &Received, raw: RawBody| {
            body::archive(request.content_type()?.as_deref(), &raw.whole()).map(Document)
        };
        let takes = Takes { raw: Some(stream::Takes::Whole(limit)), body: parse, query: takes.query };
        Endpoint { method, path, doc: doc.archive(), takes, gives, proof }
    }

    /// It takes a picture of at most `limit` bytes. 413 and 415 are answered before the handler.
    pub fn picture(self, limit: u64) -> Endpoint<P, A, Document, Q> {
        let Self { method, path, doc, takes, gives, proof } = self;
        let parse = |request: &Received, raw: RawBody| {
            body::picture(request.content_type()?.as_deref(), &raw.whole()).map(Document)
        };
        let takes = Takes { raw: Some(stream::Takes::Whole(limit)), body: parse, query: takes.query };
        Endpoint { method, path, doc: doc.picture(), takes, gives, proof }
    }

    /// It takes any number of bytes, which the handler reads as a stream.
    pub fn streamed(self) -> Endpoint<P, A, BodyStream, Q> {
        let Self { method, path, doc, takes, gives, proof } = self;
        let parse = |_: &Received, raw: RawBody| match raw {
            RawBody::Stream(stream) => Ok(stream),
            RawBody::Whole(bytes) => {
                let length = bytes.len() as u64;
                let pieces = futures_util::stream::once(std::future::ready(Ok::<_, warp::Error>(bytes)));
                Ok(BodyStream::new(pieces, Some(length)))
            }
        };
        let takes = Takes { raw: Some(stream::Takes::Stream), body: parse, query: takes.query };
        Endpoint { method, path, doc: doc.bytes(), takes, gives, proof }
    }

    /// It takes these query parameters. Unknown, missing and invalid ones are answered with 422, as in a body.
    pub fn query<T: DeserializeOwned + IntoParams>(self) -> Endpoint<P, A, B, T> {
        let Self { method, path, doc, takes, gives, proof } = self;
        let takes = Takes { raw: takes.raw, body: takes.body, query: body::parse_query::<T> };
        Endpoint { method, path, doc: doc.query::<T>(), takes, gives, proof }
    }

    /// It answers 200 with a `T` as JSON.
    pub fn ok<T: Serialize + ToSchema>(self) -> Endpoint<P, T, B, Q> {
        self.json(StatusCode::OK)
    }

    /// It answers 200 with a JSON array of `T`.
    pub fn list<T: Serialize + ToSchema>(self) -> Endpoint<P, Vec<T>, B, Q> {
        let Self { method, path, doc, takes, proof, .. } = self;
        let gives = Gives { status: StatusCode::OK, reply: reply::json };
        Endpoint { method, path, doc: doc.list::<T>(200), takes, gives, proof }
    }

    /// Like [`Endpoint::list`], if the handler already has the array as JSON.
    pub fn list_bytes<T: Serialize + ToSchema>(self) -> Endpoint<P, Bytes, B, Q> {
        let Self { method, path, doc, takes, proof, .. } = self;
        let gives = Gives { status: StatusCode::OK, reply: reply::json_bytes };
        Endpoint { method, path, doc: doc.list::<T>(200), takes, gives, proof }
    }

    /// It answers 201 with the created object.
    pub fn created<T: Serialize + ToSchema>(self) -> Endpoint<P, T, B, Q> {
        self.json(StatusCode::CREATED)
    }

    /// It answers 202: the work has begun.
    pub fn accepted<T: Serialize + ToSchema>(self) -> Endpoint<P, T, B, Q> {
        self.json(StatusCode::ACCEPTED)
    }

    /// It answers 200 if the work is done (the handler returns true), or 202 if it continues.
    pub fn ok_or_accepted<T: Serialize + ToSchema>(self) -> Endpoint<P, (bool, T), B, Q> {
        let Self { method, path, doc, takes, proof, .. } = self;
        let reply = |status, result: Result<(bool, T), ApiError>| match result {
            Ok((true, value)) => reply::json(status, Ok(value)),
            Ok((false, value)) => reply::json(StatusCode::ACCEPTED, Ok(value)),
            Err(problem) => reply::error(&problem),
        };
        let gives = Gives { status: StatusCode::OK, reply };
        Endpoint { method, path, doc: doc.answer::<T>(200).answer::<T>(202), takes, gives, proof }
    }

    /// It answers 204.
    pub fn no_content(self) -> Endpoint<P, (), B, Q> {
        let Self { method, path, doc, takes, proof, .. } = self;
        let gives = Gives { status: StatusCode::NO_CONTENT, reply: |_, result| reply::no_content(result) };
        Endpoint { method, path, doc: doc.plain(204), takes, gives, proof }
    }

    /// The handler builds the response itself: a file, an upgrade, a page.
    pub fn response(self, status: u16) -> Endpoint<P, Response, B, Q> {
        let Self { method, path, doc, takes, proof, .. } = self;
        let gives = Gives { status: StatusCode::OK, reply: |_, result| reply::raw(result) };
        Endpoint { method, path, doc: doc.plain(status), takes, gives, proof }
    }

    fn json<T: Serialize + ToSchema>(self, status: StatusCode) -> Endpoint<P, T, B, Q> {
        let Self { method, path, doc, takes, proof, .. } = self;
        let gives = Gives { status, reply: reply::json };
        Endpoint { method, path, doc: doc.answer::<T>(status.as_u16()), takes, gives, proof }
    }
}

impl<P, A: Serialize, B, Q> Endpoint<P, A, B, Q> {
    /// The handler also returns headers.
    pub fn with_headers(self) -> Endpoint<P, (A, HeaderMap), B, Q> {
        let Self { method, path, doc, takes, gives, proof } = self;
        let gives = Gives { status: gives.status, reply: reply::json_with_headers };
        Endpoint { method, path, doc, takes, gives, proof }
    }
}

impl<P, A, B, Q> Endpoint<P, A, B, Q>
where
    P: Proof,
    A: 'static,
    B: Send + 'static,
    Q: Send + 'static,
{
    /// Finishes the declaration. `handler` receives a clone of `state`, and the checked call.
    pub fn handle<S, H, F>(self, state: &S, handler: H) -> Route
    where
        S: Clone + Send + Sync + 'static,
        H: Fn(S, Call<P, B, Q>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<A, ApiError>> + Send + 'static,
    {
        let Self { method, path, doc, takes, gives, .. } = self;
        let json = stream::Takes::Whole(body::limit(P::ACCESS == Access::Open));
        let raw = takes.raw.unwrap_or(json);
        let (state, Takes { body, query, .. }, Gives { status, reply }) = (state.clone(), takes, gives);
        let handler = Arc::new(move |request, raw: RawBody| -> Answer {
            match Call::new(request, raw, body, query) {
                Ok(call) => {
                    let answer = handler(state.clone(), call);
                    Box::pin(async move { reply(status, answer.await) })
                }
                Err(refusal) => Box::pin(std::future::ready(reply::error(&refusal))),
            }
        });
        Route::new(method, path, P::ACCESS, doc, raw, handler)
    }
}
