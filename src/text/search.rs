//! A regular expression looked for in a text that comes in pieces, so that what is kept of the text is no bound on
//! what is known of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex_automata::Input;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};

/// What something printed, as far as it was kept.
#[derive(Debug, Clone, Default)]
pub struct Printed {
    pub text: Arc<str>,
    /// Some of it was not kept, so that the text alone decides nothing.
    pub cut: bool,
    /// The patterns that were looked for while it was printed, and whether each is found in the whole of it; a
    /// pattern of which that is not known is left out.
    pub found: BTreeMap<String, bool>,
}

impl Printed {
    pub fn whole(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// One pattern on its way through a text.
#[derive(Debug, Clone)]
pub struct Search {
    dfa: Arc<DFA>,
    cache: Cache,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    At(LazyStateID),
    Found,
    /// The automaton cannot follow this text (a `\b` beside letters beyond ASCII).
    Lost,
}

impl Search {
    /// `None`: the pattern is no regular expression, or none that can be followed.
    pub fn new(pattern: &str) -> Option<Self> {
        let config = DFA::config().unicode_word_boundary(true).skip_cache_capacity_check(true);
        let dfa = DFA::builder().configure(config).build(pattern).ok()?;
        let cache = dfa.create_cache();
        let mut search = Self { dfa: Arc::new(dfa), cache, state: State::Lost };
        search.restart();
        Some(search)
    }

    /// Forgets what came, and begins at the start of another text.
    pub fn restart(&mut self) {
        self.cache.reset(&self.dfa);
        let start = self.dfa.start_state_forward(&mut self.cache, &Input::new(""));
        self.state = start.map_or(State::Lost, State::At);
    }

    pub fn feed(&mut self, text: &[u8]) {
        for byte in text.iter().copied() {
            let State::At(state) = self.state else { return };
            self.state = match self.dfa.next_state(&mut self.cache, state, byte) {
                Ok(next) => seen(next),
                Err(_) => State::Lost,
            };
        }
    }

    /// Whether it is found in all that came, if that is where the text ends.
    pub fn found(&self) -> Option<bool> {
        let mut cache = self.cache.clone();
        match self.state {
            State::Found => Some(true),
            State::Lost => None,
            State::At(state) => match self.dfa.next_eoi_state(&mut cache, state).map(seen) {
                Ok(State::Found) => Some(true),
                Ok(State::At(_)) => Some(false),
                Ok(State::Lost) | Err(_) => None,
            },
        }
    }
}

fn seen(state: LazyStateID) -> State {
    if state.is_match() {
        State::Found
    } else if state.is_quit() {
        State::Lost
    } else {
        // A dead state stays dead at every further byte.
        State::At(state)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    fn in_pieces(pattern: &str, text: &str, cuts: &[prop::sample::Index]) -> Option<bool> {
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| *cut.get(&ends)).collect();
        cuts.sort_unstable();
        cuts.push(text.len());
        let mut search = Search::new(pattern).expect(pattern);
        let mut from = 0;
        for cut in cuts {
            search.feed(&text.as_bytes()[from..cut]);
            from = cut;
        }
        search.found()
    }

    const PATTERNS: [&str; 18] = [
        "ERROR",
        "a+b",
        "^a",
        "b$",
        r"\Aab",
        r"ba\z",
        "(?m)^ab$",
        "(?m)^$",
        "(?s)a.*b",
        "a.b",
        r"\bab\b",
        r"\d{2,4}",
        "(ab|ba){3}",
        "",
        "^$",
        "(?i)ÄB",
        "[^a]ä",
        r"a\nb",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// However the text is cut into pieces, the answer is that of the whole text.
        #[test]
        fn pieces_answer_as_the_whole(
            pattern in prop::sample::select(PATTERNS.as_slice()),
            text in "[abäÄ1 \nEROR]{0,40}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let whole = Regex::new(pattern).expect(pattern).is_match(&text);
            match in_pieces(pattern, &text, &cuts) {
                Some(found) => prop_assert_eq!(found, whole),
                // Only a word boundary beside letters beyond ASCII may be given up.
                None => prop_assert!(pattern.contains("\\b") && !text.is_ascii()),
            }
        }

        /// The same for patterns that nobody thought of.
        #[test]
        fn any_pattern_answers_as_the_whole(
            pattern in r"[ab.^$]{0,3}(\(a\|b\*\)|\[ab\]\{1,2\}|\\n|\(\?m:\^b\$\))?[ab]{0,2}[+*?]?",
            text in "[ab\n]{0,30}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            if let Ok(regex) = Regex::new(&pattern) {
                prop_assert_eq!(in_pieces(&pattern, &text, &cuts), Some(regex.is_match(&text)));
            }
        }
    }

    #[test]
    fn what_is_no_regular_expression_is_not_looked_for() {
        assert!(Search::new("(").is_none());
    }

    #[test]
    fn a_search_begins_anew() {
        let mut search = Search::new("^b").expect("a pattern");
        search.feed(b"ab");
        assert_eq!(search.found(), Some(false));
        search.restart();
        search.feed(b"b");
        assert_eq!(search.found(), Some(true));
    }
}
