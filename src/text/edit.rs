use super::{Diagnostic, Edit};

/// The text with every mechanical cure, and how many findings were cured. Those that would change the same place as
/// one before them are left for the next time.
pub fn mended(text: &str, findings: &[Diagnostic]) -> (String, usize) {
    let mut fixes: Vec<&[Edit]> =
        findings.iter().map(|finding| finding.fix.as_slice()).filter(|fix| !fix.is_empty()).collect();
    fixes.sort_by_key(|fix| fix.iter().map(|edit| edit.span.start).min());
    let mut taken: Vec<&Edit> = Vec::new();
    let mut count = 0;
    for fix in fixes {
        let clash = |edit: &Edit| {
            taken.iter().any(|other| edit.span.start <= other.span.end && other.span.start <= edit.span.end)
        };
        if !fix.iter().any(clash) {
            taken.extend(fix);
            count += 1;
        }
    }
    taken.sort_by_key(|edit| edit.span);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in taken {
        out.push_str(&text[at..edit.span.start]);
        out.push_str(&edit.text);
        at = edit.span.end;
    }
    out.push_str(&text[at..]);
    (out, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Code, Severity, Span};

    #[test]
    fn cures_that_touch_wait_for_the_next_time() {
        let finding = |start, end, text: &str| Diagnostic {
            code: Code("KW000"),
            severity: Severity::Error,
            span: Span::new(start, end),
            message: String::new(),
            hint: None,
            fix: vec![Edit { span: Span::new(start, end), text: text.to_owned() }],
        };
        let findings = [finding(4, 5, "E"), finding(0, 2, "AB"), finding(2, 3, "C")];
        assert_eq!(mended("abcdef", &findings), ("ABcdEf".to_owned(), 2));
    }
}
