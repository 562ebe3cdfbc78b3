use std::ops::Range;

/// A piece of text in which `${NAME}` stands for a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VarPiece {
    Text(Range<usize>),
    /// `$${`: a plain `${`.
    Escaped(Range<usize>),
    /// `${NAME}`; the range is the whole of it.
    Var {
        name: String,
        range: Range<usize>,
    },
    /// A `${` that names nothing, and why.
    Broken {
        range: Range<usize>,
        why: &'static str,
    },
}

/// The text with values for its `${NAME}`; one without a value stays as it is written.
pub fn filled(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let piece = |piece: VarPiece| match piece {
        VarPiece::Var { name, range } => value(&name).unwrap_or_else(|| text[range].to_owned()),
        VarPiece::Escaped(range) => text[range].replacen("$${", "${", 1),
        VarPiece::Text(range) | VarPiece::Broken { range, .. } => text[range].to_owned(),
    };
    var_pieces(text).into_iter().map(piece).collect()
}

/// Cuts a text at its `${NAME}`.
pub fn var_pieces(text: &str) -> Vec<VarPiece> {
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find("${") {
        let open = at + found;
        let escaped = open > from && text.as_bytes()[open - 1] == b'$';
        let start = if escaped { open - 1 } else { open };
        if start > from {
            pieces.push(VarPiece::Text(from..start));
        }
        let name_start = open + 2;
        let name_len = name_length(&text[name_start..]);
        let name_end = name_start + name_len;
        let (piece, end) = if escaped {
            (VarPiece::Escaped(start..name_start), name_start)
        } else if name_len > 0 && text[name_end..].starts_with('}') {
            let name = text[name_start..name_end].to_owned();
            (VarPiece::Var { name, range: start..name_end + 1 }, name_end + 1)
        } else if name_len == 0 {
            (
                VarPiece::Broken { range: start..name_start, why: "`${` is not followed by a variable's name" },
                name_start,
            )
        } else {
            let why = "this `${` is not closed by `}` right after the variable's name";
            (VarPiece::Broken { range: start..name_end, why }, name_end)
        };
        pieces.push(piece);
        from = end;
        at = end;
    }
    if from < text.len() {
        pieces.push(VarPiece::Text(from..text.len()));
    }
    pieces
}

/// How many bytes of the text's beginning are a variable's name.
pub fn name_length(text: &str) -> usize {
    let mut chars = text.char_indices();
    match chars.next() {
        Some((_, c)) if c.is_ascii_alphabetic() || c == '_' => {}
        _ => return 0,
    }
    chars.find(|(_, c)| !c.is_ascii_alphanumeric() && *c != '_').map_or(text.len(), |(at, _)| at)
}

/// Whether a text has only lower-case letters, digits and these marks.
pub fn is_lower_case(text: &str, marks: &[char]) -> bool {
    text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || marks.contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> Vec<String> {
        var_pieces(text)
            .into_iter()
            .map(|piece| match piece {
                VarPiece::Text(range) => text[range].to_owned(),
                VarPiece::Escaped(_) => "<dollar>".to_owned(),
                VarPiece::Var { name, .. } => format!("<{name}>"),
                VarPiece::Broken { range, .. } => format!("<broken {}>", &text[range]),
            })
            .collect()
    }

    #[test]
    fn texts_are_cut_at_their_variables() {
        assert_eq!(show("/a/${NS}/b"), ["/a/", "<NS>", "/b"]);
        assert_eq!(show("$${NS}"), ["<dollar>", "NS}"]);
        assert_eq!(show("${A}${B}"), ["<A>", "<B>"]);
        assert_eq!(show("${A}$${B}"), ["<A>", "<dollar>", "B}"]);
        assert_eq!(
            show("${NS and ${} ${NS:-x}"),
            ["<broken ${NS>", " and ", "<broken ${>", "} ", "<broken ${NS>", ":-x}"]
        );
        assert_eq!(show("costs $5"), ["costs $5"]);
    }
}
