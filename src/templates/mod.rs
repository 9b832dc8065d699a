//! Rules for templates: built-in ones, and those added by users.

mod added;
mod archive;
mod builtin;
mod catalog;
mod difference;
mod icon;
mod icon_routes;
mod import_routes;
mod imports;
mod kept;
mod routes;
mod template;
mod views;

pub use catalog::Added as AddedTemplate;
pub use catalog::Templates;
pub use imports::{ArchivedTemplate, Imports, fetch_refusal, templates_in};
pub use kept::{changes, file_denylist, kept};
pub use routes::routes;
pub use template::{Eula, Memory, Template, Variable};
pub use views::{AddedView, ChangeView, TemplateSummary, TemplateView};

/// All built-in templates.
#[cfg(test)]
pub fn list() -> Vec<Template> {
    builtin::all()
}

/// The built-in template with this id.
#[cfg(test)]
pub fn get(id: &str) -> Option<Template> {
    builtin::native(id).map(|native| added::of_native(id, native))
}

/// Whether a CPU of this architecture (named as by Docker) can run its image; true if not known.
pub fn runs_on(template: &Template, architecture: &str) -> bool {
    architecture.is_empty()
        || template.architectures.is_empty()
        || template.architectures.iter().any(|known| known == architecture)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_fit_into_an_address() {
        let all = list();
        let ids: BTreeSet<_> = all.iter().map(|template| template.id.as_str()).collect();
        assert_eq!(ids.len(), list().len());
        for id in ids {
            assert!(::protocol::ServerId::from(id).is_valid(), "{id}");
            assert!(get(id).is_some());
        }
        assert!(get("no-such-thing").is_none());
    }

    #[test]
    fn an_image_for_one_cpu_does_not_run_on_another() {
        let mut template = list()[0].clone();
        template.architectures = vec!["amd64".into()];
        assert!(runs_on(&template, "amd64"));
        assert!(!runs_on(&template, "arm64"));
        assert!(runs_on(&template, ""));
    }
}
