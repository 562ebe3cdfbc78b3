//! A lab's variables: where each value comes from, and what it must look like.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use owned_processes::free_port;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use regex::Regex;

use crate::lab::{Lab, Var, VarDefault};

/// What a `?` of a random value may become: valid in every Kubernetes name.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// Asks a person for a value: the question, the default, and what was wrong with the last answer.
pub type Ask<'a> = dyn FnMut(&str, &str, Option<&str>) -> Option<String> + Send + 'a;

#[derive(Debug, Clone, Default)]
pub struct Vars {
    pub values: BTreeMap<String, String>,
    /// Values that must never be shown.
    pub secrets: Vec<String>,
    /// As reports show them.
    pub shown: Vec<(String, String)>,
}

/// Every value, or every reason why there is none.
pub fn resolve(
    lab: &Lab,
    seed: u64,
    given: &BTreeMap<String, String>,
    mut ask: Option<&mut Ask<'_>>,
) -> Result<Vars, Vec<String>> {
    let mut vars = Vars::default();
    let mut problems = Vec::new();
    for var in &lab.vars {
        match value(var, &lab.id, seed, given.get(&var.name.value), ask.as_deref_mut()) {
            Ok(value) => {
                let shown = if var.secret { format!("<{} bytes, hidden>", value.len()) } else { value.clone() };
                if var.secret {
                    vars.secrets.push(value.clone());
                }
                vars.shown.push((var.name.value.clone(), shown));
                vars.values.insert(var.name.value.clone(), value);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(vars) } else { Err(problems) }
}

/// The values that follow from the seed, where nothing else was given.
pub fn random_values(lab: &Lab, seed: u64) -> BTreeMap<String, String> {
    let random = lab.vars.iter().filter_map(|var| match &var.default {
        VarDefault::Random(template) => {
            let name = &var.name.value;
            Some((name.clone(), random(template, &lab.id, name, seed)))
        }
        VarDefault::Text(_) | VarDefault::Port => None,
    });
    random.collect()
}

fn value(var: &Var, lab: &str, seed: u64, given: Option<&String>, ask: Option<&mut Ask<'_>>) -> Result<String, String> {
    let pattern = var.pattern.as_deref().map(whole).transpose()?;
    if let Some(value) = given {
        return fits(var, value, pattern.as_ref()).map(|()| value.clone());
    }
    let default = match &var.default {
        VarDefault::Text(text) => text.clone(),
        VarDefault::Random(template) => random(template, lab, &var.name.value, seed),
        VarDefault::Port => free_port().map_err(|error| error.to_string())?.to_string(),
    };
    if let (Some(question), Some(ask)) = (&var.ask, ask) {
        let mut problem = None;
        // An input that has ended answers nothing, and leaves the default.
        while let Some(answer) = ask(question, &default, problem.as_deref()) {
            let answer = if answer.is_empty() { default.clone() } else { answer };
            match fits(var, &answer, pattern.as_ref()) {
                Ok(()) => return Ok(answer),
                Err(why) => problem = Some(why),
            }
        }
    }
    fits(var, &default, pattern.as_ref()).map(|()| default)
}

/// The pattern must match the whole value.
fn whole(pattern: &str) -> Result<Regex, String> {
    Regex::new(&format!("^(?:{pattern})$"))
        .map_err(|error| format!("the pattern {pattern} is not a regular expression: {error}"))
}

fn fits(var: &Var, value: &str, pattern: Option<&Regex>) -> Result<(), String> {
    match pattern {
        Some(pattern) if !pattern.is_match(value) => {
            let value = if var.secret { format!("<{} bytes, hidden>", value.len()) } else { format!("{value:?}") };
            let wanted = var.pattern.as_deref().unwrap_or_default();
            Err(format!("{} cannot be {value}: it must match {wanted}", var.name.value))
        }
        _ => Ok(()),
    }
}

fn random(template: &str, lab: &str, name: &str, seed: u64) -> String {
    let mut hasher = DefaultHasher::new();
    (seed, lab, name).hash(&mut hasher);
    let mut rng = StdRng::seed_from_u64(hasher.finish());
    let mut letter = || char::from(LETTERS[rng.random_range(0..LETTERS.len())]);
    template.chars().map(|c| if c == '?' { letter() } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Span, Spanned};

    fn var(name: &str, default: VarDefault, pattern: Option<&str>) -> Var {
        let name = Spanned::new(name.to_owned(), Span::default());
        Var { name, default, ask: Some("A name".to_owned()), pattern: pattern.map(str::to_owned), secret: false }
    }

    #[test]
    fn random_values_follow_from_the_seed() {
        let draw = |seed, name| random("team-????", "lab", name, seed);
        assert_eq!(draw(1, "A"), draw(1, "A"));
        assert_ne!(draw(1, "A"), draw(2, "A"));
        assert_ne!(draw(1, "A"), draw(1, "B"));
        assert!(Regex::new("^team-[a-z0-9]{4}$").expect("it compiles").is_match(&draw(1, "A")), "{}", draw(1, "A"));
    }

    #[test]
    fn the_pattern_binds_the_whole_value() {
        let var = var("NS", VarDefault::Text("demo".to_owned()), Some("[a-z]+|x"));
        let given = |text: &str| value(&var, "lab", 1, Some(&text.to_owned()), None);
        assert_eq!(given("abc"), Ok("abc".to_owned()));
        let problem = given("abc1").expect_err("a digit is too much");
        assert!(problem.contains("NS") && problem.contains("abc1") && problem.contains("[a-z]+|x"), "{problem}");
    }

    #[test]
    fn a_person_is_asked_until_the_answer_fits() {
        let var = var("NS", VarDefault::Text("demo".to_owned()), Some("[a-z]+"));
        let mut answers = vec!["fine", "9", "8"];
        let mut problems = 0;
        let mut ask = |_: &str, default: &str, problem: Option<&str>| {
            assert_eq!(default, "demo");
            problems += usize::from(problem.is_some());
            answers.pop().map(str::to_owned)
        };
        assert_eq!(value(&var, "lab", 1, None, Some(&mut ask)), Ok("fine".to_owned()));
        assert_eq!(problems, 2);
    }
}
