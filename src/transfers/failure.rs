//! Why a transfer fails, for the user.

use crate::agents::RequestError;
use crate::error::ApiError;

/// The reason of a failed transfer, as shown to the user.
pub(super) struct Failure(pub(super) String);

impl Failure {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }

    /// Converts a failed request to a node.
    pub(super) fn asking<'n>(doing: &'n str, node: &'n str) -> impl FnOnce(RequestError) -> Self + 'n {
        move |error| {
            let why = match &error {
                RequestError::Offline => "it went offline".to_owned(),
                RequestError::Timeout(_) => "it did not answer in time".to_owned(),
                RequestError::Refused(report) => report.message.clone(),
                RequestError::Busy | RequestError::Unfitting => error.to_string(),
            };
            Self(format!("{doing} the node {node} failed: {why}"))
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self(error.message().to_owned())
    }
}
