//! What a server keeps of the template that it was made from: the version of that day, without what is only for people
//! who choose a template.

use ::templates::file_denylist::FileDenylist;
use ::templates::model::{About, Needs, Template, Variable};
use ::templates::value::Value;

use super::difference;
use super::views::ChangeView;

/// In the native form, as JSON.
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
    // A struct of strings, numbers and maps with string keys can always be written.
    serde_json::to_string(&kept).unwrap_or_default()
}

/// The files that only those who may configure the server see or change, as the version says that it has kept.
pub fn file_denylist(kept: Option<&str>) -> FileDenylist {
    let template = kept.and_then(|kept| serde_json::from_str::<Template>(kept).ok());
    template.map(|template| FileDenylist::new(&template.run.file_denylist)).unwrap_or_default()
}

/// What is another in a template than in the version that a server has kept of it; all of it where it has kept none.
pub fn changes(kept_of_it: Option<&str>, native: &Template) -> Vec<ChangeView> {
    let read = |text: &str| serde_json::from_str::<Template>(text).ok();
    let before = kept_of_it.and_then(read).unwrap_or_default();
    let after = read(&kept(native)).unwrap_or_default();
    difference::between(&before, &after).into_iter().map(ChangeView::from).collect()
}
