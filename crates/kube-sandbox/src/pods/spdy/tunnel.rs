//! Connections to a port of a pod, as pairs of SPDY streams: one carries data, the other an error.

use std::collections::HashMap;

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::super::behind::Served;
use super::frames::{Frame, Reader, Writer, data, pong};

/// Frames on their way; a client that does not read stops whom it reads from.
const IN_FLIGHT: usize = 64;
const CHUNK: usize = 16 * 1024;
/// Bytes of streams whose pair is not complete, and streams, past which a client is sent away.
const MOST_EARLY: usize = 8 << 20;
const MOST_STREAMS: usize = 1000;

/// Bytes to and from the client, whatever carries them.
pub(in super::super) struct Wire {
    from: mpsc::Receiver<Bytes>,
    to: mpsc::Sender<Vec<u8>>,
}

impl Wire {
    /// Inside a WebSocket: each message is some of the bytes.
    pub(in super::super) fn websocket(socket: WebSocket) -> Self {
        let (mut sink, mut stream) = socket.split();
        let (inward, from) = mpsc::channel(IN_FLIGHT);
        let (to, mut outward) = mpsc::channel::<Vec<u8>>(IN_FLIGHT);
        tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                let bytes = match message {
                    Message::Binary(bytes) => bytes,
                    Message::Close(_) => break,
                    Message::Text(_) | Message::Ping(_) | Message::Pong(_) => continue,
                };
                if inward.send(bytes).await.is_err() {
                    break;
                }
            }
        });
        tokio::spawn(async move {
            while let Some(frame) = outward.recv().await {
                if sink.send(Message::Binary(frame.into())).await.is_err() {
                    return;
                }
            }
            let _ = sink.send(Message::Close(None)).await;
        });
        Self { from, to }
    }

    /// Over the connection itself, once it was upgraded.
    pub(in super::super) fn bare(connection: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        let (mut reader, mut writer) = tokio::io::split(connection);
        let (inward, from) = mpsc::channel(IN_FLIGHT);
        let (to, mut outward) = mpsc::channel::<Vec<u8>>(IN_FLIGHT);
        tokio::spawn(async move {
            let mut buffer = vec![0; CHUNK];
            while let Ok(length @ 1..) = reader.read(&mut buffer).await {
                if inward.send(Bytes::copy_from_slice(&buffer[..length])).await.is_err() {
                    break;
                }
            }
        });
        tokio::spawn(async move {
            while let Some(frame) = outward.recv().await {
                if writer.write_all(&frame).await.is_err() {
                    return;
                }
            }
            let _ = writer.shutdown().await;
        });
        Self { from, to }
    }
}

/// The two streams of one connection, until both are there.
#[derive(Default)]
struct Pair {
    data: Option<u32>,
    error: Option<u32>,
}

/// Carries until the client is gone. Ports other than `served` are refused.
pub(in super::super) async fn carry(mut wire: Wire, served: Served) {
    let mut reader = Reader::new();
    let mut writer = Writer::default();
    let mut waiting: HashMap<String, Pair> = HashMap::new();
    let mut streams: HashMap<u32, mpsc::Sender<Bytes>> = HashMap::new();
    // What came before the other stream of its pair.
    let mut early: HashMap<u32, Vec<Bytes>> = HashMap::new();
    let mut early_bytes = 0;
    while let Some(bytes) = wire.from.recv().await {
        reader.feed(&bytes);
        loop {
            let frame = match reader.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                // After that nothing of the stream can be understood.
                Err(_) => return,
            };
            if early_bytes > MOST_EARLY || waiting.len() + streams.len() > MOST_STREAMS {
                return;
            }
            match frame {
                Frame::Open { stream, headers, .. } => {
                    if wire.to.send(writer.reply(stream)).await.is_err() {
                        return;
                    }
                    let header = |wanted: &str| {
                        headers
                            .iter()
                            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                            .map(|(_, value)| value.as_str())
                    };
                    let port = header("port").and_then(|port| port.parse().ok()).unwrap_or(0);
                    let request = format!("{port}/{}", header("requestid").unwrap_or_default());
                    let pair = waiting.entry(request.clone()).or_default();
                    match header("streamtype") {
                        Some("error") => pair.error = Some(stream),
                        _ => pair.data = Some(stream),
                    }
                    if let (Some(data), Some(error)) = (pair.data, pair.error) {
                        waiting.remove(&request);
                        let (to_port, from_client) = mpsc::channel(IN_FLIGHT);
                        // It reads before anything is sent to it: there may be more than the channel holds.
                        tokio::spawn(connection(port, served.clone(), [data, error], from_client, wire.to.clone()));
                        for bytes in early.remove(&data).into_iter().flatten() {
                            early_bytes -= bytes.len();
                            let _ = to_port.send(bytes).await;
                        }
                        streams.insert(data, to_port);
                    }
                }
                Frame::Data { stream, bytes, last } => {
                    match streams.get(&stream) {
                        // A port that is closed takes nothing more, as a closed socket does not.
                        Some(to_port) if !bytes.is_empty() => drop(to_port.send(bytes).await),
                        None if !bytes.is_empty() && waiting.values().any(|pair| pair.data == Some(stream)) => {
                            early_bytes += bytes.len();
                            early.entry(stream).or_default().push(bytes);
                        }
                        _ => {}
                    }
                    if last {
                        streams.remove(&stream);
                    }
                }
                Frame::Reset { stream } => drop(streams.remove(&stream)),
                Frame::Ping(id) => {
                    if wire.to.send(pong(id)).await.is_err() {
                        return;
                    }
                }
                Frame::GoAway => return,
                Frame::Other => {}
            }
        }
    }
}

async fn connection(
    port: u16,
    served: Served,
    [stream, error]: [u32; 2],
    mut from_client: mpsc::Receiver<Bytes>,
    to_client: mpsc::Sender<Vec<u8>>,
) {
    let why = match served.connect(port).await {
        Ok(tcp) => {
            let (mut reader, mut writer) = tokio::io::split(tcp);
            let upward = async {
                while let Some(bytes) = from_client.recv().await {
                    if writer.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                let _ = writer.shutdown().await;
            };
            let downward = async {
                let mut buffer = vec![0; CHUNK];
                while let Ok(length @ 1..) = reader.read(&mut buffer).await {
                    if to_client.send(data(stream, &buffer[..length], false)).await.is_err() {
                        return;
                    }
                }
            };
            tokio::pin!(upward, downward);
            tokio::select! {
                () = &mut downward => {}
                // The port may still have an answer to what the client has finished saying.
                () = &mut upward => downward.await,
            }
            String::new()
        }
        Err(why) => format!("error forwarding port {port} to the pod: {why}"),
    };
    for frame in [data(error, why.as_bytes(), true), data(stream, &[], true)] {
        if to_client.send(frame).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::Ports;
    use super::super::frames::tests::{compressor, open};
    use super::*;

    /// Four megabytes to a port that sends all back, most of them before the pair of streams is complete.
    #[tokio::test]
    async fn megabytes_go_both_ways_and_may_come_before_the_second_stream() {
        const SENT: usize = 4 << 20;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let (mut reader, mut writer) = stream.split();
            tokio::io::copy(&mut reader, &mut writer).await.expect("it is sent back");
        });
        let (near, far) = tokio::io::duplex(1024);
        tokio::spawn(carry(Wire::bare(far), Served::Here(Ports { client, metrics: None })));
        let (mut from, mut to) = tokio::io::split(near);
        let writing = async {
            let mut deflate = compressor();
            let streams = |kind| [("streamtype", kind), ("port", "2379"), ("requestid", "0")];
            to.write_all(&open(&mut deflate, 1, &streams("data"))).await.expect("it takes a stream");
            for at in 0..SENT / CHUNK {
                if at == 3 * SENT / CHUNK / 4 {
                    to.write_all(&open(&mut deflate, 3, &streams("error"))).await.expect("it takes a stream");
                }
                to.write_all(&data(1, &[b'x'; CHUNK], false)).await.expect("it takes data");
            }
            to.write_all(&data(1, &[], true)).await.expect("it takes the end");
        };
        let reading = async {
            let (mut reader, mut buffer, mut got) = (Reader::new(), vec![0; CHUNK], 0);
            while got < SENT {
                let length = from.read(&mut buffer).await.expect("it sends");
                assert!(length > 0, "it ended after {got} bytes");
                reader.feed(&buffer[..length]);
                while let Some(frame) = reader.next().expect("a frame") {
                    if let Frame::Data { stream: 1, bytes, .. } = frame {
                        got += bytes.len();
                    }
                }
            }
        };
        let both = async { tokio::join!(writing, reading) };
        tokio::time::timeout(Duration::from_secs(30), both).await.expect("nothing waits for ever");
    }
}
