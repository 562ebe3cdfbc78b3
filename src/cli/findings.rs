//! What parsing found, on its way to every output.

use std::io::Write;

use super::args::Format;
use crate::outcome::{DiagnosticReport, RunEvent};
use crate::text::{Diagnostic, Severity, SourceFile, redact};

/// Emits all findings of one file; whether any is an error. Where a person reads, errors are drawn with their
/// excerpt at once; warnings are `lint`'s.
pub(super) fn emit_all(
    findings: &[Diagnostic],
    source: &SourceFile,
    format: Format,
    emit: &mut dyn FnMut(RunEvent),
) -> bool {
    let mut wrong = false;
    for finding in findings {
        let is_error = finding.severity == Severity::Error;
        wrong |= is_error;
        if is_error && format == Format::Human {
            // With stderr gone the exit status is all that is left to say it.
            drop(writeln!(std::io::stderr(), "{}", finding.draw(source, console::colors_enabled_stderr())));
        }
        emit(RunEvent::DiagnosticFound { diagnostic: report(finding, source) });
    }
    wrong
}

pub(super) fn report(finding: &Diagnostic, source: &SourceFile) -> DiagnosticReport {
    let position = source.position(finding.span.start);
    let end = source.position(finding.span.end.max(finding.span.start));
    DiagnosticReport {
        code: finding.code.0.to_owned(),
        severity: finding.severity,
        file: source.name_at(finding.span.start).to_owned(),
        line: position.line,
        column: position.column,
        end_line: end.line,
        end_column: end.column,
        message: redact(&finding.message).into_owned(),
        hint: finding.hint.as_deref().map(|hint| redact(hint).into_owned()),
    }
}
