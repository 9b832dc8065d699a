//! What a server keeps of the template that it was made from: the version of that day, without what is only for people
//! who choose a template.

use ::templates::model::{About, Needs, Template, Variable};
use ::templates::value::Value;

/// In the native form, as JSON.
pub(super) fn kept(native: &Template) -> String {
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
