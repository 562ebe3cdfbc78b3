//! Which type may stand where another is wanted, and what type parameters come to mean by that.

use std::collections::HashMap;
use std::sync::Arc;

use crate::signatures::Overload;
use crate::types::Type;

/// What type parameters stand for so far.
#[derive(Debug, Default, Clone)]
pub(super) struct Bound {
    of: HashMap<Arc<str>, Type>,
    made: usize,
}

impl Bound {
    /// A parameter that stands for nothing yet.
    pub(super) fn fresh(&mut self) -> Type {
        self.made += 1;
        Type::Param(format!("_var{}", self.made - 1).into())
    }

    /// The parameters and the result of an overload, with type parameters of their own.
    pub(super) fn instance(&mut self, overload: &Overload) -> (Vec<Type>, Type) {
        let mut own = HashMap::new();
        let parameters = overload.parameters.iter().map(|of| self.renamed(of, &mut own)).collect();
        (parameters, self.renamed(&overload.result, &mut own))
    }

    fn renamed(&mut self, of: &Type, own: &mut HashMap<Arc<str>, Type>) -> Type {
        match of {
            Type::Param(name) => {
                if let Some(known) = own.get(name) {
                    return known.clone();
                }
                let fresh = self.fresh();
                own.insert(Arc::clone(name), fresh.clone());
                fresh
            }
            Type::List(of) => Type::list(self.renamed(of, own)),
            Type::Optional(of) => Type::optional(self.renamed(of, own)),
            Type::Type(of) => Type::Type(Arc::new(self.renamed(of, own))),
            Type::Map(of) => Type::map(self.renamed(&of.0, own), self.renamed(&of.1, own)),
            other => other.clone(),
        }
    }

    /// The type with what its parameters stand for.
    pub(super) fn resolve(&self, of: &Type) -> Type {
        self.replaced(of, false)
    }

    /// The same; what still stands for nothing may be anything.
    pub(super) fn last(&self, of: &Type) -> Type {
        self.replaced(of, true)
    }

    fn replaced(&self, of: &Type, last: bool) -> Type {
        match of {
            Type::Param(name) => match self.of.get(name) {
                Some(known) => self.replaced(known, last),
                None if last => Type::Dyn,
                None => of.clone(),
            },
            Type::List(inner) => Type::list(self.replaced(inner, last)),
            Type::Optional(inner) => Type::optional(self.replaced(inner, last)),
            Type::Type(inner) => Type::Type(Arc::new(self.replaced(inner, last))),
            Type::Map(inner) => Type::map(self.replaced(&inner.0, last), self.replaced(&inner.1, last)),
            other => other.clone(),
        }
    }

    /// Whether `given` may stand where `wanted` is; parameters are bound only if so.
    pub(super) fn assignable(&mut self, wanted: &Type, given: &Type) -> bool {
        let mut next = self.clone();
        let fits = next.fits(given, wanted);
        if fits {
            *self = next;
        }
        fits
    }

    pub(super) fn all_assignable(&mut self, wanted: &[Type], given: &[Type]) -> bool {
        let mut next = self.clone();
        let fit = wanted.iter().zip(given).all(|(wanted, given)| next.fits(given, wanted));
        if fit {
            *self = next;
        }
        fit
    }

    fn fits(&mut self, one: &Type, two: &Type) -> bool {
        if let Type::Param(name) = two {
            match self.substituted(one, name) {
                (true, _) => return true,
                (false, true) => return false,
                (false, false) => {}
            }
        }
        if let Type::Param(name) = one {
            return self.substituted(two, name).0;
        }
        match (one, two) {
            (Type::Dyn, _) | (_, Type::Dyn) | (Type::Type(_), Type::Type(_)) => true,
            (Type::Null, other) | (other, Type::Null) => matches!(
                other,
                Type::Null | Type::Object(_) | Type::Duration | Type::Timestamp | Type::Named(_) | Type::Optional(_)
            ),
            (Type::List(one), Type::List(two)) => self.fits(one, two),
            (Type::Optional(one), Type::Optional(two)) => self.fits(one, two),
            (Type::Map(one), Type::Map(two)) => self.fits(&one.0, &two.0) && self.fits(&one.1, &two.1),
            (Type::Object(one), Type::Object(two)) => one.name == two.name,
            (one, two) => one == two,
        }
    }

    /// Whether a parameter can stand for the type, and whether it stood for something before.
    fn substituted(&mut self, of: &Type, name: &Arc<str>) -> (bool, bool) {
        if matches!(of, Type::Param(other) if other == name) {
            return (true, true);
        }
        if let Some(known) = self.of.get(name).cloned() {
            if known == *of {
                return (true, true);
            }
            if !self.fits(of, &known) {
                return (false, true);
            }
            let general = more_general(of, &known);
            if !self.mentions(&general, name) {
                self.of.insert(Arc::clone(name), general);
            }
            return (true, true);
        }
        if self.mentions(of, name) {
            return (false, false);
        }
        self.of.insert(Arc::clone(name), of.clone());
        (true, false)
    }

    fn mentions(&self, of: &Type, name: &Arc<str>) -> bool {
        match of {
            Type::Param(other) => other == name || self.of.get(other).is_some_and(|known| self.mentions(known, name)),
            Type::List(inner) => self.mentions(inner, name),
            Type::Optional(inner) | Type::Type(inner) => self.mentions(inner, name),
            Type::Map(inner) => self.mentions(&inner.0, name) || self.mentions(&inner.1, name),
            _ => false,
        }
    }
}

pub(super) fn more_general(one: &Type, two: &Type) -> Type {
    if is_as_general(one, two) { one.clone() } else { two.clone() }
}

fn is_as_general(one: &Type, two: &Type) -> bool {
    match (one, two) {
        (Type::Dyn | Type::Param(_), _) | (Type::Null, Type::Null) => true,
        (_, Type::Dyn | Type::Param(_)) | (Type::Null, _) => false,
        (Type::List(one), Type::List(two)) => is_as_general(one, two),
        (Type::Optional(one), Type::Optional(two)) => is_as_general(one, two),
        (Type::Map(one), Type::Map(two)) => is_as_general(&one.0, &two.0) && is_as_general(&one.1, &two.1),
        _ => true,
    }
}
