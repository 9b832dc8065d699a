//! TOML, edited in place.

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value as TomlValue};

use super::path::Step;
use super::tree::{self, Edit};
use crate::model::Setting;
use crate::value::{ParseError, Value};

pub(super) fn set(text: &str, settings: &[Setting]) -> Result<String, ParseError> {
    let mut document = read(text)?;
    let mut wanted = of_table(document.as_table());
    for edit in tree::apply(&mut wanted, settings) {
        put(document.as_item_mut(), &edit);
    }
    let done = document.to_string();
    // The result is refused if it does not parse.
    read(&done).map(|_| done)
}

fn read(text: &str) -> Result<DocumentMut, ParseError> {
    text.parse::<DocumentMut>().map_err(|error| ParseError {
        message: error.message().lines().next().unwrap_or_default().to_owned(),
        line: error.span().map(|span| {
            text.as_bytes()[..span.start.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
        }),
    })
}

fn of_table(table: &Table) -> Value {
    table.iter().map(|(key, item)| (key.to_owned(), of_item(item))).collect()
}

fn of_item(item: &Item) -> Value {
    match item {
        Item::None => Value::Null,
        Item::Value(value) => of_value(value),
        Item::Table(table) => of_table(table),
        Item::ArrayOfTables(tables) => tables.iter().map(of_table).collect(),
    }
}

fn of_value(value: &TomlValue) -> Value {
    match value {
        TomlValue::String(text) => Value::from(text.value().as_str()),
        TomlValue::Integer(number) => Value::Int(*number.value()),
        TomlValue::Float(number) => Value::Float(*number.value()),
        TomlValue::Boolean(value) => Value::Bool(*value.value()),
        TomlValue::Datetime(time) => Value::from(time.value().to_string()),
        TomlValue::Array(array) => array.iter().map(of_value).collect(),
        TomlValue::InlineTable(table) => {
            table.iter().map(|(key, value)| (key.to_owned(), of_value(value))).collect()
        }
    }
}

fn put(root: &mut Item, edit: &Edit) -> Option<()> {
    let (last, parents) = edit.path.split_last()?;
    let mut place = root;
    for step in parents {
        place = match step {
            Step::Key(key) => place.get_mut(key.as_str())?,
            Step::Index(index) => return in_list(place, *index, &edit.path, &edit.value),
            Step::Any => return None,
        };
    }
    match last {
        Step::Key(key) => in_table(place, key, &edit.value),
        Step::Index(index) => replace(place.as_array_mut()?.get_mut(*index)?, &edit.value),
        Step::Any => None,
    }
}

/// Applies the rest of a path to an element of an array of tables, or of a plain array.
fn in_list(place: &mut Item, index: usize, path: &[Step], value: &Value) -> Option<()> {
    let at = path.iter().position(|step| *step == Step::Index(index))?;
    let rest = &path[at + 1..];
    if let Item::ArrayOfTables(tables) = place {
        let table = tables.get_mut(index)?;
        let mut item = Item::Table(std::mem::take(table));
        let done = put(&mut item, &Edit { path: rest.to_vec(), value: value.clone() });
        if let Item::Table(changed) = item {
            *tables.get_mut(index)? = changed;
        }
        return done;
    }
    let element = place.as_array_mut()?.get_mut(index)?;
    let mut item = Item::Value(element.clone());
    put(&mut item, &Edit { path: rest.to_vec(), value: value.clone() })?;
    *element = item.into_value().ok()?;
    Some(())
}

fn in_table(place: &mut Item, key: &str, value: &Value) -> Option<()> {
    match place {
        Item::Table(table) => {
            match table.get_mut(key) {
                Some(Item::Value(old)) => replace(old, value)?,
                _ => drop(table.insert(key, to_item(value)?)),
            }
            Some(())
        }
        Item::Value(TomlValue::InlineTable(table)) => match table.get_mut(key) {
            Some(old) => replace(old, value),
            None => {
                table.insert(key, to_value(value)?);
                Some(())
            }
        },
        _ => None,
    }
}

/// Replaces a value and keeps the whitespace and comments around it.
fn replace(old: &mut TomlValue, value: &Value) -> Option<()> {
    let mut new = to_value(value)?;
    *new.decor_mut() = old.decor().clone();
    *old = new;
    Some(())
}

fn to_item(value: &Value) -> Option<Item> {
    match value {
        Value::Map(entries) => {
            let mut table = Table::new();
            for (key, value) in entries {
                table.insert(key, to_item(value)?);
            }
            Some(Item::Table(table))
        }
        other => to_value(other).map(Item::Value),
    }
}

fn to_value(value: &Value) -> Option<TomlValue> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::String(text) => text.as_str().into(),
        Value::List(list) => {
            let mut array = Array::new();
            for value in list {
                array.push(to_value(value)?);
            }
            array.into()
        }
        Value::Map(entries) => {
            let mut table = InlineTable::new();
            for (key, value) in entries {
                table.insert(key, to_value(value)?);
            }
            table.into()
        }
    })
}
