//! What an expression of a check can call: `kube_cel`'s one table of functions, and its macros.

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
}
