//! What Go prints for the fields of a struct that nothing was said about.

use serde_json::{Map, Value};

use super::schema::{Field, Message, Shape, Type};

/// Fills in what an object of this message does not have and Go prints all the same: `status: {}`, `replicas: 0`,
/// `rules: null`.
pub fn complete(message: &'static Message, object: &mut Map<String, Value>) {
    for field in &message.fields {
        if field.inline {
            field.message().into_iter().for_each(|inner| complete(inner, object));
            continue;
        }
        match object.get_mut(field.name) {
            None | Some(Value::Null) => absent(field, object),
            Some(value) => within(field, value),
        }
    }
}

fn within(field: &'static Field, value: &mut Value) {
    let Some(inner) = field.message() else { return };
    match (field.shape, value) {
        (Shape::One, Value::Object(object)) => complete(inner, object),
        (Shape::List, Value::Array(items)) => {
            items.iter_mut().filter_map(Value::as_object_mut).for_each(|item| complete(inner, item));
        }
        (Shape::Map, Value::Object(entries)) => {
            entries.values_mut().filter_map(Value::as_object_mut).for_each(|entry| complete(inner, entry));
        }
        _ => {}
    }
}

/// What Go prints for a field that is not inlined and not there.
pub(super) fn absent(field: &'static Field, object: &mut Map<String, Value>) {
    let many = field.shape != Shape::One;
    if field.pointer || many || field.kind == Type::Bytes {
        if !field.omit_empty {
            object.insert(field.name.to_owned(), Value::Null);
        }
        return;
    }
    if field.omit_empty && !is_struct(field.kind) {
        return;
    }
    let value = zero(field);
    if !is_left_out(field, &value) {
        object.insert(field.name.to_owned(), value);
    }
}

/// One value of the field.
pub(super) fn zero(field: &'static Field) -> Value {
    match field.kind {
        Type::String | Type::Bytes => Value::String(String::new()),
        Type::Bool => Value::Bool(false),
        Type::Int32 | Type::Int64 | Type::IntOrString | Type::Double => Value::from(0),
        Type::Strings | Type::Time | Type::MicroTime | Type::Raw | Type::Fields | Type::Schema(_) => Value::Null,
        Type::Duration => Value::String("0s".to_owned()),
        Type::Quantity => Value::String("0".to_owned()),
        Type::Message(_) => {
            let mut object = Map::new();
            field.message().into_iter().for_each(|message| complete(message, &mut object));
            Value::Object(object)
        }
    }
}

/// Go leaves a struct in, empty or not, unless its tag says `omitzero`.
pub(super) fn is_struct(kind: Type) -> bool {
    !matches!(kind, Type::String | Type::Bool | Type::Int32 | Type::Int64 | Type::Double | Type::Bytes | Type::Strings)
}

pub(super) fn is_left_out(field: &Field, value: &Value) -> bool {
    let zero = match value {
        Value::Null => true,
        Value::Bool(yes) => !yes,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
    };
    zero && if is_struct(field.kind) { field.omit_zero } else { field.omit_empty }
}
