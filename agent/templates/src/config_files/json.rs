//! JSON with comments, edited in place.

use jsonc_parser::ast;
use jsonc_parser::cst::{CstInputValue, CstNode, CstRootNode};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::path::Step;
use super::tree::{self, Edit};
use crate::model::Setting;
use crate::value::{self, ParseError, Value};

fn options() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

pub(super) fn set(text: &str, settings: &[Setting]) -> Result<String, ParseError> {
    if text.trim().is_empty() {
        let mut root = Value::map();
        tree::apply(&mut root, settings);
        return Ok(value::to_json(&root));
    }
    let mut wanted = read(text)?;
    let edits = tree::apply(&mut wanted, settings);
    if edits.is_empty() {
        return Ok(text.to_owned());
    }
    Ok(edited(text, &edits)
        .filter(|done| read(done).is_ok_and(|read| read == wanted))
        .unwrap_or_else(|| value::to_json(&wanted)))
}

fn read(text: &str) -> Result<Value, ParseError> {
    // Each node takes a few hundred bytes in the tree, so their number is limited before parsing.
    let many = text.bytes().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
    if many > 1_000_000 {
        return Err(ParseError::new("it has more than 1,000,000 values"));
    }
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options()).map_err(|error| ParseError {
        message: error.kind().to_string(),
        line: Some(error.line_display()),
    })?;
    Ok(parsed.value.map_or(Value::Null, |value| tree_of(&value)))
}

fn tree_of(node: &ast::Value<'_>) -> Value {
    match node {
        ast::Value::StringLit(text) => Value::from(text.value.as_ref()),
        ast::Value::NumberLit(number) => number_of(number.value),
        ast::Value::BooleanLit(literal) => Value::Bool(literal.value),
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::Array(array) => array.elements.iter().map(tree_of).collect(),
        ast::Value::Object(object) => {
            object.properties.iter().map(|one| (one.name.as_str().to_owned(), tree_of(&one.value))).collect()
        }
    }
}

fn number_of(written: &str) -> Value {
    match (written.parse(), written.parse::<f64>()) {
        (Ok(whole), _) => Value::Int(whole),
        (_, Ok(number)) if number.is_finite() => Value::Float(number),
        _ => Value::from(written),
    }
}

fn edited(text: &str, edits: &[Edit]) -> Option<String> {
    let root = CstRootNode::parse(text, &options()).ok()?;
    for edit in edits {
        let Some((last, parents)) = edit.path.split_last() else {
            root.set_value(input(&edit.value));
            continue;
        };
        let mut place = root.value()?;
        for step in parents {
            place = child(&place, step)?;
        }
        match (last, child(&place, last)) {
            (Step::Key(key), Some(_)) => property(&place, key)?.set_value(input(&edit.value)),
            (Step::Key(key), None) => drop(place.as_object()?.append(key, input(&edit.value))),
            (Step::Index(index), _) => {
                let array = place.as_array()?;
                replace(array.elements().get(*index)?, &edit.value)?;
            }
            (Step::Any, _) => return None,
        }
    }
    Some(root.to_string())
}

fn property(place: &CstNode, key: &str) -> Option<jsonc_parser::cst::CstObjectProp> {
    let object = place.as_object()?;
    object.properties().into_iter().rev().find(|one| one.decoded_name().as_deref() == Some(key))
}

fn child(place: &CstNode, step: &Step) -> Option<CstNode> {
    match step {
        Step::Key(key) => property(place, key)?.value(),
        Step::Index(index) => place.as_array()?.elements().get(*index).cloned(),
        Step::Any => None,
    }
}

fn replace(node: &CstNode, value: &Value) -> Option<()> {
    let new = input(value);
    if let Some(literal) = node.as_string_lit() {
        literal.replace_with(new)
    } else if let Some(literal) = node.as_number_lit() {
        literal.replace_with(new)
    } else if let Some(literal) = node.as_boolean_lit() {
        literal.replace_with(new)
    } else if let Some(literal) = node.as_null_keyword() {
        literal.replace_with(new)
    } else if let Some(object) = node.as_object() {
        object.replace_with(new)
    } else {
        node.as_array()?.replace_with(new)
    }
    .map(|_| ())
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Int(value) => CstInputValue::Number(value.to_string()),
        Value::Float(value) => CstInputValue::Number(value.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::List(list) => CstInputValue::Array(list.iter().map(input).collect()),
        Value::Map(entries) => {
            CstInputValue::Object(entries.iter().map(|(key, value)| (key.clone(), input(value))).collect())
        }
    }
}
