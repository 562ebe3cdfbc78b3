//! Clients that take their time.

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::pki::PkiNames;

const SOON: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(60);

struct Server {
    address: SocketAddr,
    client: TlsConnector,
    _pki: tempfile::TempDir,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Bounds that nothing in a test reaches, before a test sets its own.
fn wide() -> Bounds {
    let far = Duration::from_secs(600);
    Bounds { connections: 8, handshake: far, headers: far, idle: far, read: far, look_every: SOON / 10 }
}

async fn server(bounds: Bounds) -> Server {
    let dir = tempfile::tempdir().expect("a folder");
    let pki = Pki::create(dir.path().join("pki"), &PkiNames { node: "node".into(), ..PkiNames::default() });
    let pki = pki.expect("certificates");
    let (listener, address) = bind("127.0.0.1:0".parse().expect("an address")).await.expect("a port");
    let router = Router::new()
        .route("/short", axum::routing::get(async || "done"))
        .route("/long", axum::routing::get(async || Body::from(vec![b'x'; 64 << 20])))
        .fallback(async || Body::from_stream(futures::stream::pending::<Result<axum::body::Bytes, std::io::Error>>()));
    let task = tokio::spawn(within(bounds, listener, acceptor(&pki).expect("TLS"), router, None));
    Server { address, client: connector(&pki), _pki: dir, task }
}

fn connector(pki: &Pki) -> TlsConnector {
    let certs = |name: &str| -> Vec<CertificateDer<'static>> {
        let all = CertificateDer::pem_file_iter(pki.file(name)).expect("a file");
        all.collect::<Result<_, _>>().expect("certificates")
    };
    let mut roots = RootCertStore::empty();
    for authority in certs("ca.crt") {
        roots.add(authority).expect("an authority");
    }
    let key = PrivateKeyDer::from_pem_file(pki.file("super-admin.key")).expect("a key");
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS")
        .with_root_certificates(roots)
        .with_client_auth_cert(certs("super-admin.crt"), key)
        .expect("a client");
    TlsConnector::from(Arc::new(config))
}

impl Server {
    async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.expect("a connection");
        let name = ServerName::try_from("localhost").expect("a name");
        self.client.connect(name, stream).await.expect("TLS")
    }
}

/// All that comes until the server ends the connection.
async fn until_closed(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut all = Vec::new();
    // A connection that is cut ends without TLS' own word.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("the server ends it");
    all
}

#[tokio::test]
async fn who_says_nothing_gives_its_place_to_the_next() {
    let server = server(Bounds { connections: 1, handshake: SOON, ..wide() }).await;
    let silent = TcpStream::connect(server.address).await.expect("a connection");
    let mut next = server.connect().await;
    next.write_all(b"GET /short HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.expect("sent");
    let said = until_closed(next).await;
    assert!(said.ends_with(b"done"), "{}", String::from_utf8_lossy(&said));
    assert_eq!(until_closed(silent).await, b"");
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let server = server(Bounds { idle: SOON, ..wide() }).await;
    assert_eq!(until_closed(server.connect().await).await, b"");
    // One that was used, too.
    let mut used = server.connect().await;
    used.write_all(b"GET /short HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    assert!(until_closed(used).await.ends_with(b"done"));
}

#[tokio::test]
async fn half_a_request_is_not_waited_for() {
    let server = server(Bounds { headers: SOON, ..wide() }).await;
    let mut half = server.connect().await;
    half.write_all(b"GET /short HTTP/1.1\r\nHo").await.expect("sent");
    let said = until_closed(half).await;
    assert!(!said.ends_with(b"done"), "{}", String::from_utf8_lossy(&said));
}

#[tokio::test]
async fn an_answer_that_is_not_read_ends_and_a_watch_does_not() {
    let server = server(Bounds { read: SOON, idle: SOON, ..wide() }).await;
    let mut unread = server.connect().await;
    unread.write_all(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    let mut watch = server.connect().await;
    watch.write_all(b"GET /api/v1/pods?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    let mut head = [0; 15];
    watch.read_exact(&mut head).await.expect("an answer begins");
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    // Longer than any of the bounds.
    tokio::time::sleep(SOON * 5).await;
    let said = until_closed(unread).await;
    assert!(said.len() < 64 << 20, "{} bytes", said.len());
    let more = tokio::time::timeout(SOON, until_closed(watch)).await;
    assert!(more.is_err(), "the watch goes on");
}
