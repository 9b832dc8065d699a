//! The copy of its template that a server keeps: the version at the time of creation or update, without what is only
//! needed for choosing a template.

use ::templates::file_denylist::FileDenylist;
use ::templates::model::{About, Needs, Template, Variable};
use ::templates::value::Value;

use super::difference;
use super::views::ChangeView;

/// The copy of a template, in the native form as JSON.
pub fn kept(native: &Template) -> String {
    let variables =
        native.variables.iter().map(|variable| Variable { description: String::new(), ..variable.clone() });
    let kept = Template {
        about: About {
            name: native.about.name.clone(),
            origin: native.about.origin.clone(),
            ..About::default()
        },
        variables: variables.collect(),
        needs: Needs::default(),
        extras: Value::map(),
        ..native.clone()
    };
    // Strings, numbers and maps with string keys can always be serialized.
    serde_json::to_string(&kept).unwrap_or_default()
}

/// The files that are hidden from users who may not configure the server, according to the server's copy of the
/// template.
pub fn file_denylist(kept: Option<&str>) -> FileDenylist {
    let template = kept.and_then(|kept| serde_json::from_str::<Template>(kept).ok());
    template.map(|template| FileDenylist::new(&template.run.file_denylist)).unwrap_or_default()
}

/// The differences between a server's copy and the template's current version; everything if there is no copy.
pub fn changes(kept_of_it: Option<&str>, native: &Template) -> Vec<ChangeView> {
    let read = |text: &str| serde_json::from_str::<Template>(text).ok();
    let before = kept_of_it.and_then(read).unwrap_or_default();
    let after = read(&kept(native)).unwrap_or_default();
    difference::between(&before, &after).into_iter().map(ChangeView::from).collect()
}
