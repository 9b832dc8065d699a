//! Endpoints of a template's icon.

use super::catalog::{Draft, Templates};
use super::icon;
use crate::auth::{Actor, Admin};
use crate::error::{ApiError, Code};
use crate::http::{DELETE, GET, PUT, Route, StatusCode, bytes_of, endpoint};
use crate::revision::Expected;

pub(super) fn routes(templates: &Templates) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/templates/{id}/icon")
            .access::<Actor>()
            .doc("The picture of a template, as PNG of 256 by 256 points at most")
            .response(200)
            .refusals(&[404])
            .handle(templates, |templates, call| async move {
                let png = templates.icon(call.request.id()).await?;
                Ok(bytes_of(StatusCode::OK, "image/png", png))
            }),
        endpoint(PUT, "/api/templates/{id}/icon")
            .access::<Admin>()
            .doc("Gives a template that was added a picture: PNG, JPEG, GIF or WebP of 1 MiB at most. It is made small")
            .picture(icon::MOST_BYTES as u64)
            .no_content()
            .refusals(&[404, 409])
            .handle(templates, |templates, call| async move {
                let png = icon::small(call.body.0).await?;
                templates.set_icon(&call.by, call.request.id(), Some(icon::address_of(&png))).await
            }),
        endpoint(DELETE, "/api/templates/{id}/icon")
            .access::<Admin>()
            .doc("Takes the picture from a template that was added")
            .no_content()
            .refusals(&[404, 409])
            .handle(templates, |templates, call| async move {
                templates.set_icon(&call.by, call.request.id(), None).await
            }),
    ]
}

impl Templates {
    /// The icon as a small PNG, encoded at each call. The image of an egg is stored unchanged, so that it is also
    /// exported unchanged.
    async fn icon(&self, id: &str) -> Result<Vec<u8>, ApiError> {
        let native = self.native(id)?.ok_or_else(|| ApiError::not_found("template"))?;
        let address = native.about.icon.filter(|address| icon::is_shown(address));
        // An icon that cannot be decoded counts as missing.
        icon::of_address(address.ok_or_else(|| ApiError::not_found("icon"))?)
            .await
            .map_err(|_| ApiError::not_found("icon"))
    }

    async fn set_icon(&self, admin: &Admin, id: &str, address: Option<String>) -> Result<(), ApiError> {
        if self.is_builtin(id) {
            let sentence = "This template is part of the program. Duplicate it, then edit the copy.";
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        // An edit between reading and writing is not overwritten: the write is refused then.
        let seen = self.revision_of(id).ok_or_else(|| ApiError::not_found("template"))?;
        let mut native = self.native(id)?.ok_or_else(|| ApiError::not_found("template"))?;
        native.about.icon = address;
        let draft = Draft::of(native)?;
        let (this, key) = (self.clone(), id.to_owned());
        self.whole(async move { this.replace(&key, draft, &Expected::OneOf(vec![seen])).await }).await?;
        tracing::info!(template = id, by = %admin, "icon of a template changed");
        Ok(())
    }
}
