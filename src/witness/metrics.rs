//! etcd's own counters, from `/metrics` on its client port.

use std::sync::Arc;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::store::StoreError;

/// Watchers, those that still catch up included.
const WATCHERS: &str = "etcd_debugging_mvcc_watcher_total";
/// What they come by: a client has one for many of its watchers, and `etcdctl watch` one for each.
const STREAMS: &str = "etcd_debugging_mvcc_watch_stream_total";

/// Who watches, as etcd counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watching {
    pub watchers: u64,
    pub streams: u64,
}

impl Watching {
    /// Whether somebody watches who did not before; a client that asks for more on its own stream is nobody new.
    pub fn has_one_more_than(self, before: Self) -> bool {
        self.watchers > before.watchers && self.streams > before.streams
    }
}

impl std::iter::Sum for Watching {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self { watchers: 0, streams: 0 }, |sum, one| Self {
            watchers: sum.watchers + one.watchers,
            streams: sum.streams + one.streams,
        })
    }
}

pub(super) async fn watching(endpoint: &str, tls: Option<Arc<rustls::ClientConfig>>) -> Result<Watching, StoreError> {
    let failed = |error: &dyn std::error::Error| StoreError::chain(error);
    let uri: http::Uri = endpoint.parse().map_err(|error: http::uri::InvalidUri| failed(&error))?;
    let (Some(authority), Some(host)) = (uri.authority(), uri.host()) else {
        return Err(StoreError::new(format!("{endpoint} names no host")));
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(2379);
    let tcp = TcpStream::connect((host, port)).await.map_err(|error| failed(&error))?;
    let text = match tls {
        Some(config) if uri.scheme_str() == Some("https") => {
            let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(&error))?;
            let stream = TlsConnector::from(config).connect(name, tcp).await.map_err(|error| failed(&error))?;
            get(stream, authority.as_str()).await?
        }
        _ => get(tcp, authority.as_str()).await?,
    };
    let of = |name| count(&text, name).ok_or_else(|| StoreError::new(format!("{endpoint}/metrics has no {name}")));
    Ok(Watching { watchers: of(WATCHERS)?, streams: of(STREAMS)? })
}

async fn get(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, host: &str) -> Result<String, StoreError> {
    let failed = |error: &dyn std::error::Error| StoreError::chain(error);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    let request = http::Request::get("/metrics")
        .header(http::header::HOST, host)
        .header(http::header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(&error))?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        response.into_body().collect().await
    };
    let (body, _closed) = tokio::join!(exchange, connection);
    let body = body.map_err(|error| failed(&error))?.to_bytes();
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn count(metrics: &str, name: &str) -> Option<u64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    // Gauges are printed as floats, large ones with an exponent.
    let value: f64 = line.trim().parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    Some(value.max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::{STREAMS, WATCHERS, Watching, count};

    #[test]
    fn the_gauge_is_found_among_its_neighbours() {
        let metrics = "# HELP etcd_debugging_mvcc_watcher_total Total number of watchers.\n\
                       # TYPE etcd_debugging_mvcc_watcher_total gauge\n\
                       etcd_debugging_mvcc_watcher_total 3\n\
                       etcd_debugging_mvcc_watch_stream_total 2\n";
        assert_eq!((count(metrics, WATCHERS), count(metrics, STREAMS)), (Some(3), Some(2)));
        assert_eq!(count("etcd_debugging_mvcc_watcher_total 1e+06\n", WATCHERS), Some(1_000_000));
        assert_eq!(count("nothing here\n", WATCHERS), None);
    }

    #[test]
    fn a_watcher_on_a_stream_that_was_there_is_nobody_new() {
        let before = Watching { watchers: 3, streams: 2 };
        assert!(!Watching { watchers: 4, streams: 2 }.has_one_more_than(before));
        assert!(!Watching { watchers: 3, streams: 3 }.has_one_more_than(before), "a stream without a watcher yet");
        assert!(Watching { watchers: 4, streams: 3 }.has_one_more_than(before));
    }
}
