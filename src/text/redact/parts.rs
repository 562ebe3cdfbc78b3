//! What of a secret is secret by itself: its lines, the values of its fields, the password of its URL.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A value of a field or a line that is shorter stands in many texts.
const LEAST_FIELD: usize = 8;
/// Fields whose texts are secret however short: those of `.dockerconfigjson`.
const ALWAYS: &[&str] = &["username", "password", "auth", "identitytoken", "registrytoken"];
const ARMOUR: &str = "-----";

/// The secret and its parts, none of them empty.
pub(super) fn parts(secret: &[u8]) -> Vec<Vec<u8>> {
    let Ok(text) = std::str::from_utf8(secret) else {
        return vec![secret.to_vec()];
    };
    let mut parts: Vec<String> = Vec::new();
    if text.contains("-----BEGIN ") || text.starts_with("-----BEGIN") {
        parts.extend(bodies(text));
    } else {
        parts.push(text.to_owned());
    }
    if let Ok(json @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
        leaves("", &json, &mut parts);
    } else if text.trim().contains('\n') {
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with(ARMOUR)) {
            let field = line.split_once(": ").or_else(|| line.split_once('=')).map_or("", |(_, value)| value);
            let field = field.trim().trim_matches(['"', '\'']);
            parts.extend([line, field].into_iter().filter(|part| part.len() >= LEAST_FIELD).map(str::to_owned));
        }
    }
    parts.extend(password(text));
    parts.retain(|part| !part.trim().is_empty());
    parts.into_iter().map(String::into_bytes).collect()
}

/// What stands between the lines that everybody's keys and certificates begin and end with.
fn bodies(text: &str) -> Vec<String> {
    let mut bodies = vec![String::new()];
    for line in text.lines() {
        if line.trim().starts_with(ARMOUR) {
            bodies.push(String::new());
        } else if let Some(body) = bodies.last_mut() {
            body.push_str(line);
            body.push('\n');
        }
    }
    bodies
}

fn leaves(name: &str, value: &Value, parts: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| leaves(name, value, parts)),
        Value::Array(items) => items.iter().for_each(|item| leaves(name, item, parts)),
        Value::String(text) if text.len() >= LEAST_FIELD || ALWAYS.contains(&name) => {
            if name == "auth"
                && let Ok(pair) = STANDARD.decode(text.trim())
                && let Ok(pair) = String::from_utf8(pair)
            {
                parts.extend(pair.split_once(':').map(|(_, password)| password.to_owned()));
                parts.push(pair);
            }
            parts.push(text.clone());
        }
        _ => {}
    }
}

/// Of `scheme://user:password@host`.
fn password(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("://")?;
    let (credentials, _) = rest.split(['/', '\n']).next()?.rsplit_once('@')?;
    credentials.split_once(':').map(|(_, password)| password.to_owned())
}
