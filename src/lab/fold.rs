use super::language::{LANGUAGES, Language, Words, capital, first_word};
use crate::text::nearest;

/// What a `<details>` fold is, by the first word of its summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoldKind {
    /// Given one at a time.
    Hint,
    /// Shown when it is asked for.
    Solution,
    /// Shown after a try to answer the question above it.
    Answer,
    /// Read by everyone.
    Other,
}

/// A shorter word of another language is near too many words that mean something else.
const SHORTEST: usize = 5;

impl FoldKind {
    /// In a lab in this language, in which the English words hold as well.
    pub fn of(summary: &str, language: Language) -> Self {
        let first = first_word(summary);
        language.known().find_map(|words| Self::called(&first, words)).unwrap_or(FoldKind::Other)
    }

    fn called(word: &str, words: &Words) -> Option<Self> {
        let is = |known: &[&str]| known.contains(&word);
        if is(words.hint) {
            Some(FoldKind::Hint)
        } else if is(words.solution) {
            Some(FoldKind::Solution)
        } else if is(words.answer) {
            Some(FoldKind::Answer)
        } else {
            None
        }
    }

    /// What a fold that is none of these was most likely meant to be, with the word that says it, in capitals as a
    /// summary has it, and the language where that is another one.
    pub fn nearly(summary: &str, language: Language) -> Option<(Self, String, Option<Language>)> {
        let first = first_word(summary);
        let all = |words: &'static Words| words.hint.iter().chain(words.solution).chain(words.answer).copied();
        for words in language.known() {
            if let Some(word) = nearest(&first, all(words)) {
                return Some((Self::called(word, words)?, capital(word), None));
            }
        }
        let others = || LANGUAGES.iter().map(|(_, other)| *other).filter(|other| *other != language);
        if let Some((kind, other)) = others().find_map(|other| Some((Self::called(&first, other.words())?, other))) {
            return Some((kind, capital(&first), Some(other)));
        }
        others().find_map(|other| {
            let near = |word: &&str| word.chars().count() >= SHORTEST && strsim::damerau_levenshtein(&first, word) == 1;
            let word = all(other.words()).find(near)?;
            Some((Self::called(word, other.words())?, capital(word), Some(other)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fold_is_what_its_language_calls_it() {
        let of = FoldKind::of;
        assert_eq!(of("Hints", Language::English), FoldKind::Hint);
        assert_eq!(of("Lösung: mit kubectl", Language::German), FoldKind::Solution);
        assert_eq!(of("Solution", Language::German), FoldKind::Solution);
        assert_eq!(of("ヒント 1", Language::Japanese), FoldKind::Hint);
        assert_eq!(of("提示：看标签", Language::Chinese), FoldKind::Hint);
        assert_eq!(of("Respuesta", Language::Spanish), FoldKind::Answer);
        assert_eq!(of("Lösung", Language::English), FoldKind::Other);
        assert_eq!(of("Background", Language::French), FoldKind::Other);
    }

    #[test]
    fn every_word_says_one_thing_in_its_language_and_is_known_in_every_other() {
        for (code, language) in LANGUAGES {
            let words = language.words();
            let kinds =
                [(words.hint, FoldKind::Hint), (words.solution, FoldKind::Solution), (words.answer, FoldKind::Answer)];
            for (word, kind) in kinds.iter().flat_map(|(words, kind)| words.iter().map(move |word| (word, *kind))) {
                assert_eq!(FoldKind::of(word, *language), kind, "{word}");
                for (other, elsewhere) in LANGUAGES {
                    let known = FoldKind::of(word, *elsewhere) != FoldKind::Other;
                    assert!(known || FoldKind::nearly(word, *elsewhere).is_some(), "{word} of {code} in {other}");
                }
            }
        }
    }

    #[test]
    fn what_is_near_is_not_what_is_like_another_word() {
        let near = |summary: &str, language| FoldKind::nearly(summary, language);
        assert_eq!(near("Soluton", Language::English), Some((FoldKind::Solution, "Solution".to_owned(), None)));
        assert_eq!(near("Losung", Language::German), Some((FoldKind::Solution, "Lösung".to_owned(), None)));
        let german = Some(Language::German);
        assert_eq!(near("Losung", Language::English), Some((FoldKind::Solution, "Lösung".to_owned(), german)));
        assert_eq!(near("Hinweis", Language::Japanese), Some((FoldKind::Hint, "Hinweis".to_owned(), german)));
        for other in ["Tip", "More", "Index", "Response", "Background", "Why", "Note", "Details", "What etcd keeps"] {
            assert_eq!(near(other, Language::English), None, "{other}");
        }
    }
}
