//! What `object` is in a check: the kinds whose keys its key or pattern can match.

use std::sync::LazyLock;

use super::declared::{Definition, of_record};
use super::record::of_kind;
use super::{Object, Others, Type};
use kube_etcd_codec::{KINDS, Kind};

/// Keys of a cluster begin so, as labs write them.
const PREFIX: &str = "/registry/";

/// A piece of a key or a pattern of a check.
#[derive(Debug, Clone, Copy)]
pub enum Piece<'a> {
    /// `*` and `**` stand for others, `\*` for itself.
    Pattern(&'a str),
    Data(&'a str),
    /// A variable, whose value nobody knows yet.
    Var,
}

/// Which writes an expression is asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Writes {
    #[default]
    Any,
    Put,
    /// There is an `oldObject` only.
    Delete,
}

/// The kinds that `object` and `oldObject` can be of.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// None: anything.
    kinds: Vec<Candidate>,
    pub writes: Writes,
}

#[derive(Debug, Clone)]
struct Candidate {
    kind: String,
    key: Vec<Token>,
    object: Type,
}

/// What an expression says of its object's kind where it asks for more.
#[derive(Debug, Clone)]
pub(in crate::expr) enum Fact {
    Kind {
        words: Vec<String>,
        is: bool,
    },
    /// The key begins so.
    Key(String),
}

impl Subject {
    /// Nothing is known.
    pub fn any() -> Self {
        Self::default()
    }

    pub fn is_any(&self) -> bool {
        self.kinds.is_empty()
    }

    /// What lies under a key or a pattern.
    pub fn under(pieces: &[Piece<'_>], definitions: &[Definition]) -> Self {
        let pattern = tokens(pieces);
        let lead: String = pattern.iter().map_while(|token| token.literal()).collect();
        if !lead.starts_with(PREFIX) && !pattern.iter().any(|token| token.literal().is_none()) {
            return Self::any();
        }
        let found: Vec<_> = STORED.iter().filter(|(_, key)| meet(&pattern, key)).collect();
        let declared: Vec<(&Definition, Vec<Token>)> = definitions
            .iter()
            .map(|one| (one, key_of(&format!("{}/{}", one.group, one.plural), one.namespaced)))
            .filter(|(_, key)| meet(&pattern, key))
            .collect();
        let others = if found.len() + declared.len() > 1 { Others::Kinds } else { Others::Never };
        let mut kinds: Vec<Candidate> = Vec::new();
        for (kind, key) in found {
            // The core group's events and those of their own group lie under the same keys.
            if kinds.iter().any(|known| known.key == *key) {
                continue;
            }
            let object = builtin_object(kind, kind.stored, others).unwrap_or(Type::Dyn);
            kinds.push(Candidate { kind: kind.kind.to_owned(), key: key.clone(), object });
        }
        kinds.extend(declared.into_iter().map(|(one, key)| Candidate {
            kind: one.kind.clone(),
            key,
            object: one.object.clone(),
        }));
        Self { kinds, writes: Writes::Any }
    }

    /// What a `resource` check names: `deploy`, `deployments.apps`, `deployments.v1.apps`.
    pub fn of_resource(name: &str, definitions: &[Definition]) -> Self {
        let (plain, rest) = name.split_once('.').map_or((name, None), |(plain, rest)| (plain, Some(rest)));
        let builtin = KINDS.iter().filter(|kind| !kind.served.is_empty()).find_map(|kind| {
            let version = match rest {
                None => kind.served.first(),
                Some(group) if group == kind.group => kind.served.first(),
                Some(full) => kind.served.iter().find(|version| {
                    let dotted = format!("{version}.{}", kind.group);
                    full == dotted.trim_end_matches('.')
                }),
            };
            version.filter(|_| kind.is_called(plain)).map(|version| (kind, *version))
        });
        let object = if let Some((kind, version)) = builtin {
            builtin_object(kind, version, Others::Never)
        } else {
            let called = |one: &&Definition| {
                let group = rest.is_none_or(|rest| rest == one.group || rest.ends_with(&format!(".{}", one.group)));
                group && one.names.iter().any(|name| name == plain)
            };
            definitions.iter().find(called).map(|one| one.object.clone())
        };
        let kinds =
            object.map(|object| Candidate { kind: String::new(), key: Vec::new(), object }).into_iter().collect();
        Self { kinds, writes: Writes::Any }
    }

    #[must_use]
    pub fn on(mut self, writes: Writes) -> Self {
        self.writes = writes;
        self
    }

    /// The names of the kinds, such as `Pod`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.kinds.iter().map(|kind| kind.kind.as_str()).filter(|name| !name.is_empty())
    }

    /// How many kinds it can be of.
    pub(in crate::expr) fn count(&self) -> usize {
        self.kinds.len()
    }

    /// What `object` is.
    pub fn kind(&self) -> Type {
        self.object(&[])
    }

    /// The same where these facts hold.
    pub(in crate::expr) fn object(&self, facts: &[Fact]) -> Type {
        let fits = |kind: &Candidate| {
            facts.iter().all(|fact| match fact {
                Fact::Kind { words, is } => words.contains(&kind.kind) == *is,
                Fact::Key(prefix) => meet(&tokens(&[Piece::Data(prefix), Piece::Var]), &kind.key),
            })
        };
        if let [only] = &self.kinds[..] {
            return only.object.clone();
        }
        let objects = self.kinds.iter().filter(|kind| fits(kind)).map(|kind| kind.object.clone());
        match objects.fold(Type::Never, Type::or) {
            // A kind that the cluster was taught.
            Type::Never => Type::Dyn,
            object => object,
        }
    }
}

fn builtin_object(kind: &'static Kind, version: &str, others: Others) -> Option<Type> {
    let api_version = kube_etcd_codec::join_group(kind.group, version);
    if let Some(message) = kube_etcd_codec::message_of(&api_version, kind.kind) {
        return Some(Type::Object(Object::Kind { message, api_version, kind: kind.kind, others }));
    }
    Some(of_record(&api_version, kind.kind, others, of_kind(kind.group, kind.kind)?))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    One(char),
    /// Any characters of a segment.
    Segment,
    Any,
}

impl Token {
    fn literal(self) -> Option<char> {
        if let Token::One(c) = self { Some(c) } else { None }
    }
}

fn tokens(pieces: &[Piece<'_>]) -> Vec<Token> {
    let mut tokens = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Data(text) => tokens.extend(text.chars().map(Token::One)),
            Piece::Var => tokens.push(Token::Any),
            Piece::Pattern(text) => {
                let mut chars = text.chars().peekable();
                while let Some(c) = chars.next() {
                    tokens.push(match c {
                        '\\' if chars.next_if_eq(&'*').is_some() => Token::One('*'),
                        '*' if chars.next_if_eq(&'*').is_some() => Token::Any,
                        '*' => Token::Segment,
                        c => Token::One(c),
                    });
                }
            }
        }
    }
    tokens
}

/// Every kind that etcd holds, with its keys.
static STORED: LazyLock<Vec<(&Kind, Vec<Token>)>> = LazyLock::new(|| {
    KINDS.iter().filter(|kind| kind.is_stored()).map(|kind| (kind, key_of(kind.folder, kind.namespaced))).collect()
});

/// The keys of a kind.
fn key_of(folder: &str, namespaced: bool) -> Vec<Token> {
    let mut key: Vec<Token> = format!("{PREFIX}{folder}/").chars().map(Token::One).collect();
    if namespaced {
        key.extend([Token::Segment, Token::One('/')]);
    }
    key.push(Token::Segment);
    key
}

/// Whether any text matches both.
fn meet(one: &[Token], other: &[Token]) -> bool {
    // Most patterns and kinds differ in what both spell out at the start.
    let spelled = one.iter().zip(other).take_while(|(a, b)| a.literal().is_some() && b.literal().is_some());
    if spelled.into_iter().any(|(a, b)| a != b) {
        return false;
    }
    let width = other.len() + 1;
    let mut reached = vec![false; (one.len() + 1) * width];
    reached[0] = true;
    for at in 0..=one.len() {
        for beside in 0..=other.len() {
            if !reached[at * width + beside] {
                continue;
            }
            let (a, b) = (one.get(at).copied(), other.get(beside).copied());
            // A star may stand for nothing.
            if matches!(a, Some(Token::Segment | Token::Any)) {
                reached[(at + 1) * width + beside] = true;
            }
            if matches!(b, Some(Token::Segment | Token::Any)) {
                reached[at * width + beside + 1] = true;
            }
            match (a, b) {
                (Some(Token::One(c)), Some(Token::One(d))) if c == d => {
                    reached[(at + 1) * width + beside + 1] = true;
                }
                (Some(Token::One(c)), Some(star)) if star == Token::Any || (star == Token::Segment && c != '/') => {
                    reached[(at + 1) * width + beside] = true;
                }
                (Some(star), Some(Token::One(c))) if star == Token::Any || (star == Token::Segment && c != '/') => {
                    reached[at * width + beside + 1] = true;
                }
                _ => {}
            }
        }
    }
    reached[one.len() * width + other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(pattern: &str) -> Vec<String> {
        Subject::under(&[Piece::Pattern(pattern)], &[]).kinds.into_iter().map(|kind| kind.kind).collect()
    }

    #[test]
    fn a_key_has_one_kind_and_a_pattern_all_that_it_can_match() {
        assert_eq!(kinds("/registry/pods/default/web"), ["Pod"]);
        assert_eq!(kinds("/registry/pods/**"), ["Pod"]);
        assert_eq!(kinds("/registry/services/**"), ["Endpoints", "Service"]);
        assert_eq!(kinds("/registry/services/specs/*/web"), ["Service"]);
        assert_eq!(kinds("/registry/minions/*"), ["Node"]);
        assert_eq!(kinds("/registry/events/demo/*"), ["Event"]);
        assert_eq!(kinds("/registry/*.example.com/**"), Vec::<String>::new());
        assert_eq!(kinds("/fruit/apple"), Vec::<String>::new());
        assert!(kinds("/registry/**").len() > 50);
        assert!(kinds("/**").len() > 50);
        let several = kinds("/registry/*/demo/*");
        assert!(several.contains(&"ConfigMap".to_owned()) && !several.contains(&"Namespace".to_owned()), "{several:?}");
    }

    #[test]
    fn a_variable_can_be_any_text() {
        let subject = Subject::under(&[Piece::Pattern("/registry/pods/"), Piece::Var], &[]);
        assert_eq!(subject.kinds.len(), 1);
        let subject = Subject::under(&[Piece::Pattern("/registry/"), Piece::Var, Piece::Pattern("/demo/web")], &[]);
        assert!(subject.kinds.len() > 20);
    }

    #[test]
    fn a_resource_is_named_as_kubectl_takes_it() {
        let title = |name: &str| {
            let Type::Object(object) = Subject::of_resource(name, &[]).object(&[]) else { return String::new() };
            object.title().to_owned()
        };
        assert_eq!(title("deploy"), "Deployment");
        assert_eq!(title("deployments.apps"), "Deployment");
        assert_eq!(title("deployments.v1.apps"), "Deployment");
        assert_eq!(title("pods.v1"), "Pod");
        assert_eq!(title("crd"), "CustomResourceDefinition");
        assert_eq!(title("crontab"), "");
    }
}
