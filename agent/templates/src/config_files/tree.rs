//! Applies settings to a tree of values, for all structured formats, and lists the changes.

use super::path::{self, Step};
use super::settings::becomes;
use crate::model::{Scalar, Setting};
use crate::value::Value;

/// A change: the value at this path is replaced or added. All steps before the last one exist.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Edit {
    pub(super) path: Vec<Step>,
    pub(super) value: Value,
}

/// Applies settings to a tree. Returns the changes, in order.
pub(super) fn apply(root: &mut Value, settings: &[Setting]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for setting in settings {
        let steps = path::read(&setting.key);
        if !steps.is_empty() {
            descend(root, &steps, setting, Vec::new(), &mut edits);
        }
    }
    edits
}

fn descend(place: &mut Value, steps: &[Step], setting: &Setting, path: Vec<Step>, edits: &mut Vec<Edit>) {
    let Some((step, rest)) = steps.split_first() else {
        return put(place, setting, path, edits);
    };
    let with = |step: Step| [path.as_slice(), &[step]].concat();
    match (step, place) {
        (Step::Any, Value::Map(entries)) => {
            for (key, child) in entries {
                let path = with(Step::Key(key.clone()));
                descend(child, rest, setting, path, edits);
            }
        }
        (Step::Any, Value::List(list)) => {
            for (index, child) in list.iter_mut().enumerate() {
                descend(child, rest, setting, with(Step::Index(index)), edits);
            }
        }
        (Step::Key(key), Value::Map(entries)) => {
            match entries.iter_mut().rev().find(|(known, _)| known == key) {
                Some((_, Value::Null)) | None => {
                    let Some(value) = made(rest, setting) else { return };
                    edits.push(Edit { path: with(step.clone()), value: value.clone() });
                    match entries.iter_mut().rev().find(|(known, _)| known == key) {
                        Some((_, null)) => *null = value,
                        None => entries.push((key.clone(), value)),
                    }
                }
                Some((_, child)) => descend(child, rest, setting, with(step.clone()), edits),
            }
        }
        (Step::Key(key), Value::List(list)) => {
            if let Some(index) = key.parse().ok().filter(|index: &usize| *index < list.len()) {
                descend(&mut list[index], rest, setting, with(Step::Index(index)), edits);
            }
        }
        (Step::Index(index), Value::List(list)) => match list.get_mut(*index) {
            Some(child) => descend(child, rest, setting, with(step.clone()), edits),
            // Only the first element of an empty list is created.
            None if *index == 0 => {
                let Some(value) = made(rest, setting) else { return };
                edits.push(Edit { path: path.clone(), value: Value::List(vec![value.clone()]) });
                list.push(value);
            }
            None => {}
        },
        // The path leads through a scalar, which is left unchanged.
        _ => {}
    }
}

fn put(place: &mut Value, setting: &Setting, path: Vec<Step>, edits: &mut Vec<Edit>) {
    let present = place.scalar();
    let Some(text) = becomes(setting, present.as_deref()) else { return };
    let value = typed(setting, text, Some(place));
    if *place != value {
        edits.push(Edit { path, value: value.clone() });
        *place = value;
    }
}

/// A new value, with the maps and lists of the remaining path. `None` if the setting has a condition, or the path has a
/// `*` or an index other than 0, as these need an existing value.
fn made(steps: &[Step], setting: &Setting) -> Option<Value> {
    if setting.when.is_some() {
        return None;
    }
    let text = becomes(setting, None)?;
    let mut value = typed(setting, text, None);
    for step in steps.iter().rev() {
        value = match step {
            Step::Key(key) => Value::Map(vec![(key.clone(), value)]),
            Step::Index(0) => Value::List(vec![value]),
            Step::Index(_) | Step::Any => return None,
        };
    }
    Some(value)
}

/// Keeps the type of the present value (as Pelican does). A new value becomes an integer if it looks like one (as
/// Pterodactyl does), and text otherwise.
fn typed(setting: &Setting, text: String, present: Option<&Value>) -> Value {
    if setting.when.as_ref().is_none_or(|when| !when.starts_with("regex:")) {
        match &setting.value {
            Scalar::Bool(value) => return Value::Bool(*value),
            Scalar::Int(value) => return Value::Int(*value),
            Scalar::Float(value) => return Value::Float(*value),
            Scalar::Text(_) => {}
        }
    }
    let whole = text.parse::<i64>().ok();
    match present {
        Some(Value::Bool(_)) => match text.as_str() {
            "true" | "True" | "TRUE" | "1" => Value::Bool(true),
            "false" | "False" | "FALSE" | "0" => Value::Bool(false),
            _ => Value::String(text),
        },
        Some(Value::Int(_) | Value::Float(_)) => match (whole, text.parse::<f64>()) {
            (Some(number), _) if text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) => {
                same(present, number)
            }
            (_, Ok(number)) if number.is_finite() && text.bytes().any(|byte| byte.is_ascii_digit()) => {
                Value::Float(number)
            }
            _ => Value::String(text),
        },
        Some(Value::String(_)) => Value::String(text),
        _ => match whole {
            Some(number) if number.to_string() == text => Value::Int(number),
            _ => Value::String(text),
        },
    }
}

/// An integer, or the present float if it is equal (`1.0` for `1`), so that the file does not change.
#[allow(clippy::cast_precision_loss)]
fn same(present: Option<&Value>, number: i64) -> Value {
    match present {
        Some(Value::Float(float)) if (float - number as f64).abs() < f64::EPSILON => Value::Float(*float),
        _ => Value::Int(number),
    }
}
