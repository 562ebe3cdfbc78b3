//! A client of the Kubernetes API.

use std::fmt::Display;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use tower::util::{MapErrLayer, option_layer};
use tower::{BoxError, Layer};

const CONNECT: Duration = Duration::from_secs(5);

/// A client for the current context of a kubeconfig file of this run; the error names the file.
pub async fn api_client(kubeconfig: &Path) -> Result<kube::Client, String> {
    let failed = |error: &dyn Display| format!("{}: {error}", kubeconfig.display());
    let mut file = Kubeconfig::read_from(kubeconfig).map_err(|error| failed(&error))?;
    let mut named = None;
    for cluster in file.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        named = cluster.proxy_url.take().filter(|url| !url.is_empty());
        // kube would take every proxy of the environment, for a loopback address too, and match NO_PROXY with the
        // proxy's own name: with one named here it looks no further, and it is taken away again below.
        cluster.proxy_url = Some("http://127.0.0.1".to_owned());
    }
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(file, &options).await.map_err(|error| failed(&error))?;
    config.connect_timeout = Some(CONNECT);
    config.proxy_url = None;
    let from_env = Matcher::from_env();
    match proxy(&config.cluster_url, named.as_deref(), &from_env) {
        None => kube::Client::try_from(config).map_err(|error| failed(&error)),
        Some(proxy) => through(&config, &proxy).map_err(|error| failed(&error)),
    }
}

/// The proxy on the way to the server, by the kubeconfig or else the environment. A loopback address is this machine's
/// own, whatever else is said.
fn proxy(server: &Uri, named: Option<&str>, from_env: &Matcher) -> Option<Intercept> {
    if server.host().is_none_or(is_loopback) {
        return None;
    }
    match named {
        Some(url) => Matcher::builder().all(url).build().intercept(server),
        None => from_env.intercept(server),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

fn through(config: &Config, proxy: &Intercept) -> Result<kube::Client, BoxError> {
    let mut direct = HttpConnector::new();
    direct.enforce_http(false);
    direct.set_connect_timeout(config.connect_timeout);
    let to_proxy = config.rustls_https_connector_with_connector(direct)?;
    let mut tunnel = Tunnel::new(proxy.uri().clone(), to_proxy);
    match proxy.uri().scheme_str() {
        Some("http" | "https") => {}
        _ => return Err(format!("the proxy {} is neither http nor https", proxy.uri()).into()),
    }
    if let Some(credentials) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(credentials.clone());
    }
    let connector = config.rustls_https_connector_with_connector(tunnel)?;
    let client: legacy::Client<_, Body> = legacy::Client::builder(TokioExecutor::new()).build(connector);
    let client = MapErrLayer::new(BoxError::from).layer(client);
    let signed = option_layer(config.auth_layer()?).layer(client);
    let service = config.base_uri_layer().layer(signed);
    Ok(kube::Client::new(service, config.default_namespace.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_taken_where_it_is_right() {
        let env = Matcher::builder()
            .https("http://user:word@proxy.corp:3128")
            .no("localhost, .inner.corp,10.0.0.0/8,,exact.corp")
            .build();
        let through = |server: &str, named: Option<&str>| {
            let server: Uri = server.parse().expect("a server");
            proxy(&server, named, &env).map(|proxy| proxy.uri().to_string())
        };
        let corp = Some("http://proxy.corp:3128/".to_owned());
        assert_eq!(through("https://api.example.com:6443", None), corp);
        for direct in ["https://127.0.0.1:6443", "https://127.8.8.8", "https://[::1]:6443", "https://localhost:1"] {
            assert_eq!(through(direct, None), None, "{direct}");
            assert_eq!(through(direct, Some("http://other:1")), None, "{direct}");
        }
        for direct in ["https://api.inner.corp", "https://10.1.2.3:6443", "https://exact.corp", "http://plain.corp"] {
            assert_eq!(through(direct, None), None, "{direct}");
        }
        assert_eq!(through("https://10.1.2.3", Some("http://bastion:8080")), Some("http://bastion:8080/".to_owned()));
    }

    /// A proxy that answers `CONNECT`, and the API behind it.
    #[tokio::test]
    async fn a_server_behind_a_proxy_is_reached_through_it() {
        let api = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let api_at = api.local_addr().expect("an address");
        let answers = axum::Router::new().fallback(|| async {
            axum::Json(serde_json::json!({"major": "1", "minor": "36", "gitVersion": "v1.36.0", "gitCommit": "",
                "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "", "platform": ""}))
        });
        tokio::spawn(async move { axum::serve(api, answers).await });
        let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let proxy_at = proxy.local_addr().expect("an address");
        let asked = tokio::spawn(async move {
            let (mut client, _) = proxy.accept().await.expect("a client");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(tokio::io::AsyncReadExt::read_u8(&mut client).await.expect("a request"));
            }
            tokio::io::AsyncWriteExt::write_all(&mut client, b"HTTP/1.1 200 OK\r\n\r\n").await.expect("answered");
            let mut server = tokio::net::TcpStream::connect(api_at).await.expect("the API");
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
            String::from_utf8_lossy(&head).into_owned()
        });
        let dir = tempfile::tempdir().expect("a folder");
        let kubeconfig = dir.path().join("kubeconfig");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nusers: [{{name: u, user: {{}}}}]\n\
             clusters: [{{name: c, cluster: {{server: \"http://api.example.com:6443\", proxy-url: \"http://u:p@{proxy_at}\"}}}}]\n\
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
        );
        std::fs::write(&kubeconfig, text).expect("written");
        let client = api_client(&kubeconfig).await.expect("a client");
        assert_eq!(client.apiserver_version().await.expect("an answer").git_version, "v1.36.0");
        let asked = asked.await.expect("asked");
        assert!(asked.starts_with("CONNECT api.example.com:6443 HTTP/1.1\r\n"), "{asked}");
        assert!(asked.to_lowercase().contains("proxy-authorization: basic dtpw"), "{asked}");
    }
}
