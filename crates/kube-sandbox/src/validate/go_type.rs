//! What Go calls the type of a field, where its decoder names it.

use std::collections::HashMap;
use std::sync::LazyLock;

use kube_etcd_codec::{Field, Message, Shape, Type};

/// Of each struct the fields whose types have names of their own, and what such a type is if it is no text. Read from the
/// Go sources of Kubernetes' API; see NOTICE.
static TEXT: &str = include_str!("go-types.txt");

struct Named {
    name: &'static str,
    is_text: bool,
}

static NAMED: LazyLock<HashMap<(&str, &str), Named>> = LazyLock::new(|| {
    let mut named = HashMap::new();
    for line in TEXT.lines() {
        let mut parts = line.split('\t');
        let holder = parts.next().unwrap_or_default();
        for part in parts {
            let mut words = part.split(' ');
            let (Some(field), Some(name)) = (words.next(), words.next()) else { continue };
            named.insert((holder, field), Named { name, is_text: words.next().is_none() });
        }
    }
    named
});

/// The type of a field of this struct.
pub(super) fn whole(holder: &Message, field: &Field) -> String {
    if let Some(named) = NAMED.get(&(holder.name, field.name)) {
        return named.name.to_owned();
    }
    match field.shape {
        Shape::One => plain(field),
        Shape::List => format!("[]{}", plain(field)),
        Shape::Map => format!("map[string]{}", plain(field)),
    }
}

/// The type of one item of it.
pub(super) fn item(holder: &Message, field: &Field) -> String {
    let named = NAMED.get(&(holder.name, field.name)).filter(|named| named.is_text);
    named.map_or_else(|| plain(field), |named| named.name.trim_start_matches("[]").to_owned())
}

/// Whether it is a text's name.
pub(crate) fn is_text(name: &str) -> bool {
    name == "string" || NAMED.values().any(|named| named.is_text && named.name == name)
}

fn plain(field: &Field) -> String {
    match field.kind {
        Type::Bool => "bool".to_owned(),
        Type::Int32 | Type::IntOrString => "int32".to_owned(),
        Type::Int64 => "int64".to_owned(),
        Type::Double => "float64".to_owned(),
        Type::Bytes => "[]uint8".to_owned(),
        Type::Strings => "[]string".to_owned(),
        Type::Raw => "v1.JSON".to_owned(),
        // `core/v1.PodSpec` is `v1.PodSpec` in Go.
        Type::Message(_) => {
            field.message().and_then(|one| one.name.split('/').next_back()).unwrap_or_default().to_owned()
        }
        _ => "string".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_that_of_a_field() {
        let mut found = 0;
        for (holder, field) in NAMED.keys() {
            if let Some(message) = kube_etcd_codec::message(holder) {
                assert!(message.field(field).is_some(), "{holder} {field}");
                found += 1;
            }
        }
        assert!(found > 200, "{found}");
    }

    #[test]
    fn named_types_have_their_names() {
        let of = |holder: &str, name: &str| {
            let holder = kube_etcd_codec::message(holder).expect("a struct");
            let field = holder.field(name).expect("a field");
            (whole(holder, field), item(holder, field))
        };
        let same = |name: &str| (name.to_owned(), name.to_owned());
        assert_eq!(of("core/v1.Container", "imagePullPolicy"), same("v1.PullPolicy"));
        assert_eq!(of("core/v1.Container", "name"), same("string"));
        assert_eq!(of("core/v1.Container", "args"), ("[]string".to_owned(), "string".to_owned()));
        let modes = "v1.PersistentVolumeAccessMode";
        assert_eq!(of("core/v1.PersistentVolumeClaimSpec", "accessModes"), (format!("[]{modes}"), modes.to_owned()));
        assert_eq!(of("core/v1.ResourceRequirements", "limits"), ("v1.ResourceList".to_owned(), "string".to_owned()));
        assert!(
            is_text("v1.PullPolicy") && is_text("types.UID") && !is_text("v1.ResourceList") && !is_text("v1.PodSpec")
        );
    }
}
