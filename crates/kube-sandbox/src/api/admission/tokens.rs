//! Secrets of the type `kubernetes.io/service-account-token`: filled in as soon as they are there, or gone
//! where there is no such account.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::api::SharedApi;
use crate::object::meta;
use crate::objects;
use crate::resource::Resource;
use crate::status::ApiError;
use kube_etcd_codec::names;

const ACCOUNT: &str = "kubernetes.io/service-account.name";

pub(super) async fn fill(api: &SharedApi, secrets: &Resource, secret: &Value) -> Result<(), ApiError> {
    if secret["type"] != "kubernetes.io/service-account-token" {
        return Ok(());
    }
    let (namespace, name) = (meta::namespace(secret), meta::name(secret));
    let key = api.objects.store.key(&secrets.folder, Some(namespace), Some(name));
    let revision = meta::text(secret, "resourceVersion").parse().unwrap_or(0);
    let account = secret["metadata"]["annotations"][ACCOUNT].as_str().unwrap_or_default();
    let served = api.objects.registry.served();
    let (Some(accounts), Some(maps)) = (served.known(names::SERVICEACCOUNTS), served.known(names::CONFIGMAPS)) else {
        return Ok(());
    };
    let Ok(account) = api.objects.get(&accounts, Some(namespace), account).await else {
        api.objects.store.delete_if(&key, revision).await?;
        return Ok(());
    };
    let token = api.tokens.lasting(&account, name).map_err(ApiError::internal)?;
    let mut filled = secret.clone();
    filled["metadata"]["annotations"]["kubernetes.io/service-account.uid"] = account["metadata"]["uid"].clone();
    if !filled["data"].is_object() {
        filled["data"] = json!({});
    }
    filled["data"]["token"] = json!(STANDARD.encode(token));
    filled["data"]["namespace"] = json!(STANDARD.encode(namespace));
    if let Ok(authority) = api.objects.get(&maps, Some(namespace), "kube-root-ca.crt").await {
        filled["data"]["ca.crt"] = json!(STANDARD.encode(authority["data"]["ca.crt"].as_str().unwrap_or_default()));
    }
    // Whoever changed it meanwhile is free to.
    api.objects.store.put_if(&key, revision, objects::stored_bytes(secrets, &filled)?, 0).await?;
    Ok(())
}
