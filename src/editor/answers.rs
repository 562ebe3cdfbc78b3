//! Requests about an open lab, and their answers.

use std::collections::HashMap;

use lsp_server::ErrorCode;
use lsp_types::request::{
    CodeActionRequest, CodeLensRequest, Completion, DocumentSymbolRequest, GotoDefinition, HoverRequest,
    PrepareRenameRequest, References, Rename, Request as _,
};
use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, CodeLens, Command, CompletionList,
    DocumentSymbol, Hover, HoverContents, Location, MarkupContent, MarkupKind, Range, ReferenceParams, RenameParams,
    SymbolKind, TextDocumentPositionParams, TextEdit, Uri, WorkspaceEdit,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::names::{self, Mention, Sort};
use super::open::Open;
use super::server::{TEST, diagnostic};
use super::{actions, complete, hover};
use crate::lab::keywords::FenceKind;
use crate::parse::{is_variable_name, name_fault};
use crate::text::{Edit, Span};

type Answer = Result<Value, (ErrorCode, String)>;

const KNOWN: &[&str] = &[
    Completion::METHOD,
    HoverRequest::METHOD,
    GotoDefinition::METHOD,
    References::METHOD,
    PrepareRenameRequest::METHOD,
    Rename::METHOD,
    CodeActionRequest::METHOD,
    CodeLensRequest::METHOD,
    DocumentSymbolRequest::METHOD,
];

pub(super) fn is_known(method: &str) -> bool {
    KNOWN.contains(&method)
}

pub(super) fn answer(open: &Open<'_>, method: &str, params: Value) -> Answer {
    match method {
        Completion::METHOD => {
            let at = at(open, params)?;
            json(CompletionList { is_incomplete: false, items: complete::complete(open, at) })
        }
        HoverRequest::METHOD => {
            let at = at(open, params)?;
            json(hover::hover(open, at).map(|(value, span)| Hover {
                contents: HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value }),
                range: Some(open.document.place(span)),
            }))
        }
        GotoDefinition::METHOD => definition(open, params),
        References::METHOD => references(open, params),
        PrepareRenameRequest::METHOD => {
            let at = at(open, params)?;
            json(renamed(open, at).map(|(_, span)| open.document.place(span)))
        }
        Rename::METHOD => rename(open, params),
        CodeActionRequest::METHOD => code_actions(open, params),
        CodeLensRequest::METHOD => json(lenses(open)),
        DocumentSymbolRequest::METHOD => json(symbols(open)),
        other => Err((ErrorCode::MethodNotFound, format!("there is no method `{other}`"))),
    }
}

fn json(answer: impl Serialize) -> Answer {
    serde_json::to_value(answer).map_err(|error| (ErrorCode::InternalError, error.to_string()))
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, (ErrorCode, String)> {
    serde_json::from_value(params).map_err(|error| (ErrorCode::InvalidParams, error.to_string()))
}

fn at(open: &Open<'_>, params: Value) -> Result<usize, (ErrorCode, String)> {
    let params: TextDocumentPositionParams = read(params)?;
    Ok(open.document.offset(params.position))
}

fn own(params: &Value) -> Result<Uri, (ErrorCode, String)> {
    read(params["textDocument"]["uri"].clone())
}

fn mentions(open: &Open<'_>) -> Vec<Mention> {
    names::mentions(open.source, &open.outline, open.lab)
}

/// Where the name at the place is given; a lab that is needed is a file of its own.
fn definition(open: &Open<'_>, params: Value) -> Answer {
    let uri = own(&params)?;
    let at = at(open, params)?;
    let all = mentions(open);
    if let Some(found) = names::at(&all, at) {
        let given = all.iter().find(|other| other.given && other.sort == found.sort && other.name == found.name);
        return json(given.map(|given| Location { uri, range: open.document.place(given.span) }));
    }
    let need = open.lab.iter().flat_map(|lab| &lab.needs).find(|need| need.span.start <= at && at <= need.span.end);
    let lab = need.and_then(|need| open.around.iter().find(|lab| lab.id == need.value));
    json(lab.and_then(|lab| uri_of(lab.source.path())).map(|uri| Location { uri, range: Range::default() }))
}

/// A file's URI.
fn uri_of(path: &std::path::Path) -> Option<Uri> {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    let path = std::path::absolute(path).ok()?;
    format!("file://{}", utf8_percent_encode(path.to_str()?, KEPT)).parse().ok()
}

fn references(open: &Open<'_>, params: Value) -> Answer {
    let uri = own(&params)?;
    let params: ReferenceParams = read(params)?;
    let at = open.document.offset(params.text_document_position.position);
    let all = mentions(open);
    let Some(found) = names::at(&all, at) else { return Ok(Value::Null) };
    let same = all.iter().filter(|other| other.sort == found.sort && other.name == found.name);
    let wanted = same.filter(|other| params.context.include_declaration || !other.given);
    json(wanted.map(|one| Location { uri: uri.clone(), range: open.document.place(one.span) }).collect::<Vec<_>>())
}

/// The name that would be renamed: one that is given in this lab.
fn renamed(open: &Open<'_>, at: usize) -> Option<((Sort, String), Span)> {
    let all = mentions(open);
    let found = names::at(&all, at)?;
    let is_given = all.iter().any(|other| other.given && other.sort == found.sort && other.name == found.name);
    is_given.then(|| ((found.sort, found.name.clone()), found.span))
}

fn rename(open: &Open<'_>, params: Value) -> Answer {
    let uri = own(&params)?;
    let params: RenameParams = read(params)?;
    let refused = |message: String| Err((ErrorCode::RequestFailed, message));
    let at = open.document.offset(params.text_document_position.position);
    let Some(((sort, name), _)) = renamed(open, at) else {
        return refused("there is no block and no variable of this lab here".to_owned());
    };
    let new = params.new_name;
    let all = mentions(open);
    let fault = match sort {
        Sort::Block => name_fault(&new),
        Sort::Variable if !is_variable_name(&new) => {
            Some(format!("`{new}` cannot be a variable's name: letters, digits and `_`, and none that the runner sets"))
        }
        Sort::Variable => None,
    };
    if let Some(fault) = fault {
        return refused(fault);
    }
    if new != name && all.iter().any(|other| other.given && other.sort == sort && other.name == new) {
        return refused(format!("there is a `{new}` already"));
    }
    let same = all.iter().filter(|other| other.sort == sort && other.name == name);
    let edits = same.map(|one| Edit { span: one.span, text: new.clone() }).collect();
    json(edit_of(open, uri, edits))
}

fn edit_of(open: &Open<'_>, uri: Uri, edits: Vec<Edit>) -> WorkspaceEdit {
    let edit = |edit: Edit| TextEdit { range: open.document.place(edit.span), new_text: edit.text };
    #[expect(clippy::mutable_key_type, reason = "the protocol's own type")]
    let changes = HashMap::from([(uri, edits.into_iter().map(edit).collect())]);
    WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }
}

fn code_actions(open: &Open<'_>, params: Value) -> Answer {
    let uri = own(&params)?;
    let params: CodeActionParams = read(params)?;
    let bytes = open.document.bytes(params.range);
    let wants = |kind: &CodeActionKind| {
        params.context.only.as_ref().is_none_or(|only| {
            only.iter().any(|wanted| {
                kind.as_str() == wanted.as_str() || kind.as_str().starts_with(&format!("{}.", wanted.as_str()))
            })
        })
    };
    let mut found = Vec::new();
    if wants(&CodeActionKind::QUICKFIX) {
        let here = open.findings.iter().filter(|f| f.span.start <= bytes.end && bytes.start <= f.span.end);
        for finding in here {
            let cures =
                [(actions::cure(finding), true), (actions::allow(finding, &open.outline.fences, open.source), false)];
            for (change, is_preferred) in cures {
                let Some(change) = change else { continue };
                found.push(CodeActionOrCommand::CodeAction(CodeAction {
                    title: change.title,
                    kind: Some(CodeActionKind::QUICKFIX),
                    diagnostics: Some(vec![diagnostic(finding, open.document)]),
                    edit: Some(edit_of(open, uri.clone(), change.edits)),
                    is_preferred: is_preferred.then_some(true),
                    ..CodeAction::default()
                }));
            }
        }
    }
    if wants(&CodeActionKind::SOURCE_FIX_ALL)
        && let Some(edit) = actions::all(open.source, open.findings)
    {
        found.push(CodeActionOrCommand::CodeAction(CodeAction {
            title: "mend what is mechanical, as `lint --fix` does".to_owned(),
            kind: Some(CodeActionKind::SOURCE_FIX_ALL),
            edit: Some(edit_of(open, uri, vec![edit])),
            ..CodeAction::default()
        }));
    }
    json(found)
}

/// The lab's own line runs all of it, a step's heading that step with what it needs.
fn lenses(open: &Open<'_>) -> Vec<CodeLens> {
    let Some(lab) = open.lab else { return Vec::new() };
    let path = lab.source.path().display().to_string();
    let lens = |offset: usize, title: &str, path: String| CodeLens {
        range: open.document.place(Span::new(offset, offset)),
        command: Some(Command {
            title: title.to_owned(),
            command: TEST.to_owned(),
            arguments: Some(vec![path.into()]),
        }),
        data: None,
    };
    let steps = lab.steps.iter().map(|step| lens(step.span.start, "test this step", format!("{path}#{}", step.id)));
    std::iter::once(lens(0, "test this lab", path.clone())).chain(steps).collect()
}

/// The steps, and the named blocks in each.
fn symbols(open: &Open<'_>) -> Vec<DocumentSymbol> {
    let Some(lab) = open.lab else { return Vec::new() };
    #[expect(deprecated, reason = "the protocol's own type has the field")]
    let symbol = |name: String, kind: SymbolKind, range: Range, selection_range: Range, children| DocumentSymbol {
        name,
        detail: None,
        kind,
        tags: None,
        deprecated: None,
        range,
        selection_range,
        children,
    };
    let steps = lab.steps.iter().enumerate().map(|(number, step)| {
        let whole = lab.whole_step(number).unwrap_or(step.span);
        let within = |span: Span| whole.start <= span.start && span.start < whole.end;
        let named = open.outline.fences.iter().filter(|fence| within(fence.span)).filter_map(|fence| {
            let name = fence.attribute("name")?.value.as_ref()?;
            let kind = if fence.kind == Some(FenceKind::Question) { SymbolKind::STRING } else { SymbolKind::FUNCTION };
            Some(symbol(
                name.value.clone(),
                kind,
                open.document.place(fence.span),
                open.document.place(name.span),
                None,
            ))
        });
        let title = if step.title.is_empty() { step.id.clone() } else { step.title.clone() };
        let place = open.document.place(step.span);
        symbol(title, SymbolKind::NAMESPACE, open.document.place(whole), place, Some(named.collect()))
    });
    steps.collect()
}
