//! A session as a page shows it: the view, and the step's text as HTML.

use axum::Extension;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answered, answer};
use super::gate::Access;
use super::hosted_session::{Live, Stage};
use super::html::Sheet;
use super::sessions::Shared;
use crate::session::{Answer, Request};

#[derive(Deserialize)]
pub(super) struct Which {
    /// Of the lab, from 1; the one that the session shows where it is not named.
    step: Option<usize>,
}

pub(super) async fn page(
    State(state): Shared,
    Path(id): Path<String>,
    Query(Which { step }): Query<Which>,
    Extension(access): Extension<Access>,
) -> Answered {
    let hosted = state.hosted.get(&id)?;
    let present = access == Access::Present;
    let mut value = match hosted.stage() {
        Stage::Starting { stage, since } => json!({"starting": {"stage": stage, "seconds": since.elapsed().as_secs()}}),
        Stage::Failed(refusal) => json!({"failed": {"reason": refusal.reason, "hint": refusal.hint}}),
        Stage::Ended { kept, left } => json!({"ended": {"kept": kept, "left": left}}),
        Stage::Live(live) => {
            let mut value = shown(&live, step, present).await?;
            value["terminals"] = json!(hosted.terminals.list());
            value
        }
    };
    value["present"] = present.into();
    value["can_present"] = (!present && state.gate.present.is_some()).into();
    Ok(answer(&value))
}

async fn shown(live: &Live, step: Option<usize>, present: bool) -> Answered<Value> {
    let view = live.view().await?;
    let steps = match live.ask(Request::List).await? {
        Answer::Steps { steps, .. } => steps,
        _ => Vec::new(),
    };
    let number = step.unwrap_or(view.step.number).clamp(1, live.lab.steps.len().max(1));
    let sheet = Sheet::new(&live.lab, &view, !present);
    let html = sheet.step(number - 1);
    let named = live.lab.steps.get(number - 1);
    let line = named.map_or(0, |step| live.lab.source.position(step.span.start).line);
    Ok(json!({
        "view": view,
        "step": {
            "number": number,
            "id": named.map(|step| step.id.as_str()).unwrap_or_default(),
            "title": named.map(|step| step.title.as_str()).unwrap_or_default(),
            "html": html,
            "line": line,
        },
        "steps": steps,
        "intro_html": sheet.intro(),
        "notes": live.notes,
        "resumed": live.resumed,
    }))
}
