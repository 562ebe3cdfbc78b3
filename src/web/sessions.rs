//! The course, and what a page asks of a session.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answer::{Answered, Failure, answer};
use super::gate::Access;
use super::hosted_session::Live;
use super::server;
use super::terminals::{MAIN, Typed};
use crate::lab::{Action, Item, Lab};
use crate::session::{Answer, Request};

/// The longest block, with room for a `solve` of several.
const LONGEST: Duration = Duration::from_secs(30 * 60);

pub(super) type Shared = State<Arc<server::State>>;

/// The body as what it must be; unlike axum's own, its refusal is one of ours.
pub(super) fn body<T: DeserializeOwned>(bytes: &Bytes) -> Answered<T> {
    serde_json::from_slice(bytes).map_err(|error| Failure::wrong(format!("this is not a request: {error}")))
}

pub(super) async fn course(State(state): Shared, Extension(access): Extension<Access>) -> Answered {
    let library = Arc::clone(&state.hosted.library);
    let read = tokio::task::spawn_blocking(move || (library.title(), library.labs())).await;
    let (title, labs) =
        read.map_err(|error| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, format!("no labs: {error}")))?;
    let running = state.hosted.running();
    let labs: Vec<Value> = labs
        .iter()
        .map(|lab| {
            let mut value = json!(lab);
            let is_here = running.contains(&lab.id);
            value["running"] = (is_here || lab.running).into();
            value["session"] = is_here.then_some(lab.id.as_str()).into();
            value
        })
        .collect();
    let present = access == Access::Present;
    let can_present = !present && state.gate.present.is_some();
    Ok(answer(&json!({
        "title": title, "base": state.base, "present": present, "can_present": can_present, "labs": labs,
    })))
}

#[derive(Deserialize)]
struct Open {
    lab: String,
    #[serde(default)]
    vars: BTreeMap<String, String>,
    #[serde(default)]
    fresh: bool,
}

pub(super) async fn open(State(state): Shared, bytes: Bytes) -> Answered {
    let Open { lab, vars, fresh } = body(&bytes)?;
    let hosted = state.hosted.open(&lab, vars, fresh).await?;
    Ok(answer(&json!({"session": hosted.id})))
}

pub(super) async fn present(State(state): Shared, Extension(access): Extension<Access>) -> Answered {
    match (&state.gate.present, access) {
        (Some(secret), Access::Full) => {
            let link = state.links.first().map(String::as_str).unwrap_or_default();
            Ok(answer(&json!({"link": format!("{link}{}#{}", state.base, secret.text())})))
        }
        _ => Err(Failure::new(StatusCode::NOT_FOUND, "this server was not started with --present")),
    }
}

pub(super) async fn ask(State(state): Shared, Path(id): Path<String>, bytes: Bytes) -> Answered {
    let hosted = state.hosted.get(&id)?;
    let live = hosted.live()?;
    let request: Request = body(&bytes)?;
    match request {
        // What commands ran is known from the server's own terminals, and nobody else.
        Request::Began { .. }
        | Request::Finished { .. }
        | Request::Printed { .. }
        | Request::Left { .. }
        | Request::Environment => Err(Failure::wrong("a page does not ask this")),
        request => Ok(answer(&asked(&live, request).await?)),
    }
}

async fn asked(live: &Live, request: Request) -> Answered<Answer> {
    match tokio::time::timeout(LONGEST, live.ask(request)).await {
        Ok(answer) => answer,
        Err(_) => Err(Failure::new(StatusCode::GATEWAY_TIMEOUT, "the session has not answered within 30 minutes")),
    }
}

#[derive(Deserialize)]
struct Close {
    keep: bool,
}

pub(super) async fn close(State(state): Shared, Path(id): Path<String>, bytes: Bytes) -> Answered {
    let hosted = state.hosted.get(&id)?;
    let live = hosted.live()?;
    let Close { keep } = body(&bytes)?;
    hosted.is_to_end();
    asked(&live, Request::Quit { keep }).await?;
    let left = hosted.ended().await;
    Ok(answer(&json!({"kept": keep, "left": left})))
}

#[derive(Deserialize)]
struct Run {
    block: Option<String>,
}

/// Types a block into the terminal that it belongs into. One for the node, the session runs by itself.
pub(super) async fn run(State(state): Shared, Path(id): Path<String>, bytes: Bytes) -> Answered {
    let hosted = state.hosted.get(&id)?;
    let live = hosted.live()?;
    let Run { block } = body(&bytes)?;
    let block = match live.ask(Request::Block { block }).await? {
        Answer::Block { block } => block,
        other => return Ok(answer(&json!({"answer": other}))),
    };
    if block.on_node {
        let request = Request::Run { block: Some(block.id) };
        return Ok(answer(&json!({"answer": asked(&live, request).await?})));
    }
    let action = action(&live.lab, block.line);
    if let Some(stop) = action.and_then(|action| action.stop.as_ref()) {
        let name = stop.block.value.clone();
        hosted.terminals.interrupt(&name, stop.kill).await;
        // The session may have started it by itself, when it solved the step.
        live.ask(Request::Stop { block: Some(name) }).await?;
    }
    let mut typed = None;
    if let Some(start) = action.and_then(|action| action.start.as_ref()) {
        let again = Request::Block { block: Some(start.value.clone()) };
        if let Answer::Block { block } = live.ask(again).await? {
            let place = block.id.clone();
            typed = Some(hosted.terminals.types(&hosted, &live, &place, &block, false).await?);
        }
    }
    if !block.text.trim().is_empty() {
        let place = match action {
            _ if block.background => block.id.as_str(),
            Some(action) if action.terminal != "1" => action.terminal.as_str(),
            _ => MAIN,
        };
        let opens = action.is_some_and(|action| action.opens);
        typed = Some(hosted.terminals.types(&hosted, &live, place, &block, opens).await?);
    }
    Ok(answer(&match typed {
        Some(Typed { terminal, waits }) => {
            json!({"typed": {"terminal": terminal, "block": block.id, "waits": waits}})
        }
        None => json!({"answer": Answer::Done}),
    }))
}

fn action(lab: &Lab, line: usize) -> Option<&Action> {
    let mut items = lab.steps.iter().flat_map(|step| &step.items);
    items.find_map(|item| match item {
        Item::Action(action) if lab.source.position(action.span.start).line == line => Some(action),
        _ => None,
    })
}
