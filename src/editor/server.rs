//! The loop: messages in their order, and findings once nothing more waits to be read.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lsp_server::{Connection, ErrorCode, Message, Notification, ProtocolError, Request, RequestId, Response};
use lsp_types::notification::{
    DidChangeTextDocument, DidCloseTextDocument, DidOpenTextDocument, DidSaveTextDocument, LogMessage,
    Notification as _, PublishDiagnostics, ShowMessage,
};
use lsp_types::{
    CodeActionKind, CodeActionOptions, CodeActionProviderCapability, CodeLensOptions, CompletionOptions,
    DiagnosticSeverity, DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    ExecuteCommandOptions, HoverProviderCapability, InitializeParams, LogMessageParams, MessageType, NumberOrString,
    OneOf, PublishDiagnosticsParams, RenameOptions, SaveOptions, ServerCapabilities, ShowMessageParams,
    TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions, TextDocumentSyncSaveOptions, Uri,
};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::document::{Document, Encoding};
use super::open::Open;
use super::{Around, Host, answers};
use crate::lab::Lab;
use crate::parse::{Collection, Heard, ask_bash, is_ours, is_private, outline, parse, with_private};
use crate::text::{Diagnostic, Severity, SourceFile, Span, redact};

/// The command of a lens.
pub(super) const TEST: &str = "keywitness.test";

/// What a client says of itself beyond the protocol.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Options {
    /// It runs the lenses' commands by itself, as in a terminal of its own.
    runs_commands: bool,
}

/// Serves one client until it says that it is done, or is gone.
pub fn serve(connection: &Connection, host: Arc<dyn Host + Send>) -> Result<(), ProtocolError> {
    let (id, params) = connection.initialize_start()?;
    let params: InitializeParams = serde_json::from_value(params).unwrap_or_default();
    let encodings = params.capabilities.general.as_ref().and_then(|general| general.position_encodings.as_ref());
    let encoding = Encoding::of(encodings.map(Vec::as_slice).unwrap_or_default());
    let options: Options =
        params.initialization_options.clone().and_then(|given| serde_json::from_value(given).ok()).unwrap_or_default();
    let result = serde_json::json!({
        "capabilities": capabilities(encoding, &options),
        "serverInfo": { "name": "keywitness", "version": env!("CARGO_PKG_VERSION") },
    });
    connection.initialize_finish(id, result)?;
    let mut server = Server {
        connection,
        host,
        encoding,
        roots: roots(&params),
        files: BTreeMap::new(),
        heard: Heard::default(),
        read: HashMap::new(),
    };
    server.run()
}

fn capabilities(encoding: Encoding, options: &Options) -> ServerCapabilities {
    let triggers = [".", "/", "$", "{", "\"", "=", "`", ":", " "];
    ServerCapabilities {
        position_encoding: Some(encoding.kind()),
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            save: Some(TextDocumentSyncSaveOptions::SaveOptions(SaveOptions { include_text: Some(false) })),
            ..TextDocumentSyncOptions::default()
        })),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(triggers.map(str::to_owned).to_vec()),
            ..CompletionOptions::default()
        }),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: lsp_types::WorkDoneProgressOptions::default(),
        })),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX, CodeActionKind::SOURCE_FIX_ALL]),
            ..CodeActionOptions::default()
        })),
        code_lens_provider: Some(CodeLensOptions { resolve_provider: Some(false) }),
        execute_command_provider: (!options.runs_commands)
            .then(|| ExecuteCommandOptions { commands: vec![TEST.to_owned()], ..ExecuteCommandOptions::default() }),
        ..ServerCapabilities::default()
    }
}

#[expect(deprecated, reason = "older clients name one root only")]
fn roots(params: &InitializeParams) -> Vec<PathBuf> {
    let folders = params.workspace_folders.iter().flatten().filter_map(|folder| path_of(&folder.uri));
    let folders: Vec<PathBuf> = folders.collect();
    if folders.is_empty() { params.root_uri.as_ref().and_then(path_of).into_iter().collect() } else { folders }
}

/// The file that a URI names.
pub(super) fn path_of(uri: &Uri) -> Option<PathBuf> {
    let rest = uri.as_str().strip_prefix("file://")?;
    // A host's name may stand before the path.
    let path = &rest[rest.find('/')?..];
    let path = percent_decode_str(path).decode_utf8().ok()?;
    Some(PathBuf::from(&*path))
}

/// One open file.
struct File {
    document: Document,
    version: Option<i32>,
    path: PathBuf,
    known: Option<Known>,
    /// Findings were sent that are to be taken back.
    shown: bool,
    before: Vec<Lab>,
    after: Vec<Lab>,
    odd: Option<Diagnostic>,
    /// Of a lab its private part, of a private part its lab.
    beside: Option<SourceFile>,
}

/// What is known of the text as it stands.
struct Known {
    source: SourceFile,
    /// `None` for a file that is no lab.
    lab: Option<Read>,
}

struct Read {
    lab: Option<Lab>,
    findings: Vec<Diagnostic>,
}

struct Server<'a> {
    connection: &'a Connection,
    host: Arc<dyn Host + Send>,
    encoding: Encoding,
    roots: Vec<PathBuf>,
    files: BTreeMap<String, File>,
    heard: Heard,
    /// Labs around, by their text.
    read: HashMap<PathBuf, (String, Option<Lab>)>,
}

impl Server<'_> {
    fn run(&mut self) -> Result<(), ProtocolError> {
        loop {
            // Of many changes in a row the last one counts.
            let message = if let Ok(message) = self.connection.receiver.try_recv() {
                message
            } else {
                self.publish();
                match self.connection.receiver.recv() {
                    Ok(message) => message,
                    // The client is gone.
                    Err(_) => return Ok(()),
                }
            };
            match message {
                Message::Request(request) => {
                    if self.connection.handle_shutdown(&request)? {
                        return Ok(());
                    }
                    self.request(request);
                }
                Message::Notification(notification) => self.notification(notification),
                Message::Response(_) => {}
            }
        }
    }

    fn send(&self, message: impl Into<Message>) {
        // Where the client is gone, reading ends too.
        drop(self.connection.sender.send(message.into()));
    }

    fn notification(&mut self, notification: Notification) {
        match notification.method.as_str() {
            DidOpenTextDocument::METHOD => {
                let Some(params) = read::<DidOpenTextDocumentParams>(notification.params) else { return };
                let opened = params.text_document;
                let file = File {
                    document: Document::new(opened.text, self.encoding),
                    version: Some(opened.version),
                    path: path_of(&opened.uri).unwrap_or_else(|| PathBuf::from(opened.uri.as_str())),
                    known: None,
                    shown: false,
                    before: Vec::new(),
                    after: Vec::new(),
                    odd: None,
                    beside: None,
                };
                self.files.insert(opened.uri.to_string(), file);
                self.look_around();
            }
            DidChangeTextDocument::METHOD => {
                let Some(params) = read::<DidChangeTextDocumentParams>(notification.params) else { return };
                let Some(file) = self.files.get_mut(params.text_document.uri.as_str()) else { return };
                for change in params.content_changes {
                    file.document.apply(change.range, &change.text);
                }
                file.version = Some(params.text_document.version);
                file.known = None;
            }
            DidSaveTextDocument::METHOD => self.look_around(),
            DidCloseTextDocument::METHOD => {
                let Some(params) = read::<DidCloseTextDocumentParams>(notification.params) else { return };
                let uri = params.text_document.uri;
                if self.files.remove(uri.as_str()).is_some_and(|file| file.shown) {
                    self.diagnostics(PublishDiagnosticsParams { uri, diagnostics: Vec::new(), version: None });
                }
            }
            _ => {}
        }
    }

    /// What lies beside the open labs may have changed.
    fn look_around(&mut self) {
        let roots = self.roots.clone();
        for file in self.files.values_mut() {
            file.known = None;
            if !is_ours(file.document.text()) {
                continue;
            }
            self.host.keep_secrets(&source(&file.path, file.document.text()));
            let Around { before, after, odd, beside } = self.host.around(&file.path, &roots);
            let mut labs = |sources: Vec<SourceFile>| -> Vec<Lab> {
                sources.into_iter().filter_map(|source| lab_of(&mut self.read, &source)).collect()
            };
            file.before = labs(before);
            file.after = labs(after);
            file.odd = odd;
            file.beside = beside;
        }
    }

    /// Sends what is found of each file that has changed.
    fn publish(&mut self) {
        let changed: Vec<String> =
            self.files.iter().filter(|(_, file)| file.known.is_none()).map(|(uri, _)| uri.clone()).collect();
        for uri in changed {
            self.know(&uri);
        }
    }

    /// Reads a file as it stands, if that was not done yet, and sends what is found.
    fn know(&mut self, uri: &str) {
        let Some(file) = self.files.get_mut(uri).filter(|file| file.known.is_none()) else { return };
        let source = source(&file.path, file.document.text());
        let is_private = is_private(&file.path);
        if !is_ours(source.text()) || (is_private && file.beside.is_none()) {
            file.known = Some(Known { source, lab: None });
            if std::mem::take(&mut file.shown)
                && let Ok(uri) = uri.parse()
            {
                self.diagnostics(PublishDiagnosticsParams { uri, diagnostics: Vec::new(), version: None });
            }
            return;
        }
        let whole = match &file.beside {
            Some(lab) if is_private => with_private(lab, &source),
            Some(private) => with_private(&source, private),
            None => source.clone(),
        };
        let mut parsed = parse(&whole);
        if let Some(lab) = &parsed.lab {
            let collection: Collection = file.before.iter().chain([lab]).chain(&file.after).collect();
            let found = collection.look(lab);
            parsed.add(found);
        }
        ask_bash(&mut parsed, &whole, &mut self.heard);
        if let Some(odd) = &file.odd {
            parsed.findings.insert(0, odd.clone());
        }
        if file.beside.is_some() {
            of_one_file(&mut parsed.findings, &whole, is_private);
            // Answers go by the places of this file alone.
            let own = if is_private { None } else { Some(parse(&source)) };
            (parsed.lab, parsed.draft) = own.map(|own| (own.lab, own.draft)).unwrap_or_default();
        }
        let diagnostics = parsed.findings.iter().map(|finding| diagnostic(finding, &file.document)).collect();
        file.shown = true;
        let version = file.version;
        file.known =
            Some(Known { source, lab: Some(Read { lab: parsed.lab.or(parsed.draft), findings: parsed.findings }) });
        if let Ok(uri) = uri.parse() {
            self.diagnostics(PublishDiagnosticsParams { uri, diagnostics, version });
        }
    }

    fn diagnostics(&self, params: PublishDiagnosticsParams) {
        self.send(Notification::new(PublishDiagnostics::METHOD.to_owned(), params));
    }

    fn request(&mut self, request: Request) {
        let Request { id, method, params } = request;
        if method == "workspace/executeCommand" {
            return self.command(id, &params);
        }
        let uri = params.pointer("/textDocument/uri").and_then(|uri| uri.as_str()).unwrap_or_default().to_owned();
        self.know(&uri);
        let answer = match self.files.get(&uri) {
            Some(File { document, known: Some(Known { source, lab: Some(read) }), before, after, .. }) => {
                let host = &self.host;
                let open = Open {
                    source,
                    document,
                    outline: outline(source),
                    lab: read.lab.as_ref(),
                    findings: &read.findings,
                    around: before.iter().chain(after).collect(),
                    describe: &|field| host.describe(field),
                    judged: &|| host.judged(source.path()),
                };
                answers::answer(&open, &method, params)
            }
            // Closed, unknown, or none of ours: there is nothing to say.
            _ if answers::is_known(&method) => Ok(serde_json::Value::Null),
            _ => Err((ErrorCode::MethodNotFound, format!("there is no method `{method}`"))),
        };
        self.send(match answer {
            Ok(answer) => Response::new_ok(id, answer),
            Err((code, message)) => Response::new_err(id, code as i32, message),
        });
    }

    /// What a lens runs: the command line itself, beside the loop.
    fn command(&self, id: RequestId, params: &serde_json::Value) {
        let path = params.pointer("/arguments/0").and_then(|path| path.as_str()).map(PathBuf::from);
        let Some(path) = path.filter(|_| params["command"] == TEST) else {
            let message = format!("the one command is `{TEST}`, with a lab's path");
            return self.send(Response::new_err(id, ErrorCode::InvalidParams as i32, message));
        };
        self.send(Response::new_ok(id, serde_json::Value::Null));
        let (host, sender) = (Arc::clone(&self.host), self.connection.sender.clone());
        std::thread::spawn(move || {
            let (passed, printed) = host.test(&path);
            let last = printed.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned();
            let typ = if passed { MessageType::INFO } else { MessageType::ERROR };
            let log = LogMessageParams { typ: MessageType::LOG, message: redact(&printed).into_owned() };
            let show = ShowMessageParams { typ, message: format!("{}: {}", path.display(), redact(&last)) };
            // Where the client is gone there is nobody to tell.
            drop(sender.send(Notification::new(LogMessage::METHOD.to_owned(), log).into()));
            drop(sender.send(Notification::new(ShowMessage::METHOD.to_owned(), show).into()));
        });
    }
}

/// Of a lab with its private part, what is found in one of the two, in its own places. What mends one file stays in it.
fn of_one_file(findings: &mut Vec<Diagnostic>, whole: &SourceFile, is_private: bool) {
    findings.retain(|finding| whole.is_other(finding.span.start) == is_private);
    for finding in findings {
        let start = whole.place_in_file(finding.span.start);
        let end = whole.place_in_file(finding.span.end).max(start);
        finding.span = Span::new(start, end);
        for edit in &mut finding.fix {
            edit.span = Span::new(whole.place_in_file(edit.span.start), whole.place_in_file(edit.span.end));
        }
    }
}

fn read<T: DeserializeOwned>(params: serde_json::Value) -> Option<T> {
    serde_json::from_value(params).ok()
}

fn source(path: &Path, text: &str) -> SourceFile {
    SourceFile::new(path.display().to_string(), path, text)
}

/// A lab around, read again where its text has changed.
fn lab_of(known: &mut HashMap<PathBuf, (String, Option<Lab>)>, source: &SourceFile) -> Option<Lab> {
    if let Some((text, lab)) = known.get(source.path())
        && text == source.text()
    {
        return lab.clone();
    }
    let lab = parse(source).lab;
    known.insert(source.path().to_owned(), (source.text().to_owned(), lab.clone()));
    lab
}

/// A finding as the protocol has it: the hint is part of the message.
pub(super) fn diagnostic(finding: &Diagnostic, document: &Document) -> lsp_types::Diagnostic {
    let hint = finding.hint.as_ref().map(|hint| format!("\n{}", redact(hint))).unwrap_or_default();
    lsp_types::Diagnostic {
        range: document.place(finding.span),
        severity: Some(match finding.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
        }),
        code: Some(NumberOrString::String(finding.code.0.to_owned())),
        source: Some("keywitness".to_owned()),
        message: format!("{}{hint}", redact(&finding.message)),
        ..lsp_types::Diagnostic::default()
    }
}
