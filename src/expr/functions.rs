//! What an expression of a check can call: `kube_cel`'s one table of functions, and its macros.

use super::check;
use super::types::Type;
use kube_cel::{Library, Overload};

const LIBRARIES: &[Library] = &[Library::Standard, Library::Encoders];

/// The ways to call a function, as `f(x)` or as `x.f()`; a library's functions have its name in front.
pub fn ways(name: &str, of_receiver: bool) -> impl Iterator<Item = &'static Overload> {
    let all = kube_cel::overloads(name).iter().map(AsRef::as_ref);
    all.filter(move |way| way.member == of_receiver && LIBRARIES.contains(&way.library))
}

/// The names that can be called so, each once.
pub fn callable(of_receiver: bool) -> impl Iterator<Item = &'static str> {
    kube_cel::function_names(LIBRARIES, of_receiver).into_iter().chain(kube_cel::macros(of_receiver).iter().copied())
}

/// Whether something of this name can be called so.
pub fn is_callable(name: &str, of_receiver: bool) -> bool {
    ways(name, of_receiver).next().is_some() || kube_cel::macros(of_receiver).contains(&name)
}

/// Whether a value of this type has a function of this name.
pub fn has(name: &str, kind: &Type) -> bool {
    let holds = |kind: &Type| matches!(kind, Type::List(_) | Type::Map(_) | Type::Object(_) | Type::Dyn);
    if kube_cel::macros(true).contains(&name) {
        return match name {
            "optMap" | "optFlatMap" => matches!(kind, Type::Optional(_) | Type::Dyn),
            "sortBy" => matches!(kind, Type::List(_) | Type::Dyn),
            _ => kind.alternatives().iter().any(holds),
        };
    }
    ways(name, true).any(|way| way.parameters.first().is_some_and(|wanted| check::takes(wanted, kind)))
}

/// How a function is called: `string.contains(string) -> bool`; a macro by its name alone.
pub fn forms(name: &str, of_receiver: bool) -> Vec<String> {
    let form = |way: &Overload| {
        let words: Vec<String> = way.parameters.iter().map(ToString::to_string).collect();
        match words.split_first() {
            Some((receiver, rest)) if way.member => {
                format!("{receiver}.{name}({}) -> {}", rest.join(", "), way.result)
            }
            _ => format!("{name}({}) -> {}", words.join(", "), way.result),
        }
    };
    let mut forms: Vec<String> = ways(name, of_receiver).map(form).collect();
    if forms.is_empty() && kube_cel::macros(of_receiver).contains(&name) {
        forms.push(match (name, of_receiver) {
            ("has", false) => "has(a.b.c) -> bool".to_owned(),
            ("optMap" | "optFlatMap", _) => format!("optional.{name}(x, …) -> optional"),
            ("filter", _) => "list.filter(x, bool) -> list".to_owned(),
            ("map" | "sortBy" | "transformList", _) => format!("list.{name}(x, …) -> list"),
            ("transformMap" | "transformMapEntry", _) => format!("map.{name}(k, v, …) -> map"),
            _ => format!("list.{name}(x, bool) -> bool"),
        });
    }
    forms.dedup();
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_called_once_each_way() {
        assert_eq!(callable(true).filter(|name| *name == "size").count(), 1);
        assert_eq!(ways("size", false).count(), 4);
        assert!(is_callable("exists", true) && is_callable("has", false) && is_callable("base64.decode", false));
        assert!(!is_callable("exists", false) && !is_callable("allowed", true));
        for of_receiver in [true, false] {
            assert!(callable(of_receiver).all(|name| is_callable(name, of_receiver)));
        }
    }

    #[test]
    fn a_function_says_how_it_is_called_and_on_what() {
        assert_eq!(forms("startsWith", true), ["string.startsWith(string) -> bool"]);
        assert_eq!(forms("exists", true), ["list.exists(x, bool) -> bool"]);
        assert!(callable(true).all(|name| !forms(name, true).is_empty()));
        assert!(callable(false).all(|name| !forms(name, false).is_empty()));
        let texts = Type::list(Type::text());
        assert!(has("exists", &texts) && has("join", &texts) && !has("startsWith", &texts));
        assert!(has("startsWith", &Type::text()) && !has("exists", &Type::text()));
    }
}
