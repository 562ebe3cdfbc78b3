//! One call of one webhook, and what its answer has to be.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Failure;
use crate::api::SharedApi;
use crate::object::text;
use crate::objects::hook;
use crate::status::ApiError;

#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Of JSON.
    pub(super) patch: Option<Vec<u8>>,
    pub(super) warnings: Vec<String>,
}

pub(super) async fn ask(api: &SharedApi, hook: &Value, request: &Value) -> Result<Answer, Failure> {
    let known = ["v1", "v1beta1"];
    let versions = hook["admissionReviewVersions"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let version = versions.into_iter().find(|version| known.contains(version));
    let Some(version) = version else {
        return Err(Failure::Call("webhook does not accept known AdmissionReview versions (v1, v1beta1)".to_owned()));
    };
    let review = json!({
        "kind": "AdmissionReview", "apiVersion": format!("admission.k8s.io/{version}"), "request": request,
    });
    let seconds = hook["timeoutSeconds"].as_u64().unwrap_or(10);
    let place = (&hook["clientConfig"], Duration::from_secs(seconds));
    let answer = hook::call(&api.objects.store, &api.objects.registry, place, review.to_string())
        .await
        .map_err(|why| Failure::Call(format!("failed to call webhook: {why}")))?;
    read(text(hook, "name"), version, text(request, "uid"), &answer)
}

fn read(hook: &str, version: &str, uid: &str, answer: &Value) -> Result<Answer, Failure> {
    let wrong = |why: String| Err(Failure::Call(format!("received invalid webhook response: {why}")));
    let response = &answer["response"];
    if !response.is_object() {
        return wrong("webhook response was absent".to_owned());
    }
    if version == "v1" {
        let (kind, api_version) = (text(answer, "kind"), text(answer, "apiVersion"));
        if (kind, api_version) != ("AdmissionReview", "admission.k8s.io/v1") {
            let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
            let got = format!("{group}/{version}, Kind={kind}");
            return wrong(format!("expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got {got}"));
        }
        if text(response, "uid") != uid {
            return wrong(format!("expected response.uid=\"{uid}\", got \"{}\"", text(response, "uid")));
        }
    }
    if response["allowed"] != true {
        return Err(Failure::Refused(refusal(hook, &response["status"])));
    }
    let warnings = response["warnings"].as_array().into_iter().flatten();
    let warnings = warnings.filter_map(Value::as_str).map(str::to_owned).collect();
    let patch = match response["patch"].as_str().filter(|patch| !patch.is_empty()) {
        None => None,
        Some(_) if version == "v1" && response["patchType"].is_null() => {
            return wrong("webhook returned response.patch but not response.patchType".to_owned());
        }
        Some(_) if response["patchType"].as_str().is_some_and(|kind| kind != "JSONPatch") => {
            return wrong(format!("unsupported patch type \"{}\"", text(response, "patchType")));
        }
        Some(patch) => match STANDARD.decode(patch) {
            Ok(patch) => Some(patch),
            Err(error) => return wrong(format!("response.patch is no base64: {error}")),
        },
    };
    Ok(Answer { patch, warnings })
}

/// Those that clients of Kubernetes know.
const REASONS: [&str; 10] = [
    "BadRequest",
    "Conflict",
    "Expired",
    "Forbidden",
    "InternalError",
    "Invalid",
    "MethodNotAllowed",
    "NotFound",
    "TooManyRequests",
    "Unauthorized",
];

/// What the webhook says against the write, as clients are told.
fn refusal(hook: &str, status: &Value) -> ApiError {
    let denied = format!("admission webhook \"{hook}\" denied the request");
    let message = match (text(status, "message"), text(status, "reason")) {
        ("", "") => format!("{denied} without explanation"),
        ("", why) | (why, _) => format!("{denied}: {why}"),
    };
    let code = status["code"].as_u64().and_then(|code| u16::try_from(code).ok()).filter(|code| *code >= 400);
    let reason = REASONS.into_iter().find(|reason| *reason == text(status, "reason")).unwrap_or_default();
    ApiError::new(code.unwrap_or(400), reason, message).with_details(status["details"].clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(answer: &Value) -> Result<Answer, String> {
        read("a.b.c", "v1", "u", answer).map_err(|failure| match failure {
            Failure::Call(why) => why,
            Failure::Refused(error) => format!("{} {}", error.code, error.message),
        })
    }

    fn review(response: &Value) -> Value {
        json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response})
    }

    #[test]
    fn only_a_whole_answer_allows() {
        assert!(parsed(&review(&json!({"uid": "u", "allowed": true}))).is_ok());
        for (answer, why) in [
            (json!({}), "received invalid webhook response: webhook response was absent"),
            (
                json!({"response": {"uid": "u", "allowed": true}}),
                "received invalid webhook response: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /, Kind=",
            ),
            (
                review(&json!({"uid": "v", "allowed": true})),
                "received invalid webhook response: expected response.uid=\"u\", got \"v\"",
            ),
            (review(&json!({"uid": "u"})), "400 admission webhook \"a.b.c\" denied the request without explanation"),
            (
                review(&json!({"uid": "u", "allowed": "yes", "status": {"message": "no", "code": 403}})),
                "403 admission webhook \"a.b.c\" denied the request: no",
            ),
            (
                review(&json!({"uid": "u", "allowed": true, "patch": "W10="})),
                "received invalid webhook response: webhook returned response.patch but not response.patchType",
            ),
        ] {
            assert_eq!(parsed(&answer).expect_err("it does not allow"), why);
        }
        let patched = review(&json!({"uid": "u", "allowed": true, "patch": "W10=", "patchType": "JSONPatch"}));
        assert_eq!(parsed(&patched).expect("it allows").patch.as_deref(), Some(&b"[]"[..]));
    }
}
