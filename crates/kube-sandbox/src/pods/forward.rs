//! Connections to ports of a pod, carried over a WebSocket: two channels for each port, one of data and one for an
//! error, and the first message on each names the port.

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;

use super::behind::{Served, Stream};

/// Kubernetes' form of it takes one byte for the channel.
const MOST_PORTS: usize = 64;

/// Carries until either side ends. Ports other than `served` are refused on their error channel.
pub(super) async fn carry(mut socket: WebSocket, ports: &[u16], served: Served) {
    let ports = &ports[..ports.len().min(MOST_PORTS)];
    let (sender, mut from_ports) = mpsc::channel(16);
    let mut writers: Vec<Option<WriteHalf<Box<dyn Stream>>>> = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let data = channel(index);
        for channel in [data, data + 1] {
            let [low, high] = port.to_le_bytes();
            if send(&mut socket, vec![channel, low, high]).await.is_none() {
                return;
            }
        }
        match served.connect(*port).await {
            Ok(stream) => {
                let (reader, writer) = tokio::io::split(stream);
                writers.push(Some(writer));
                tokio::spawn(read(reader, data, sender.clone()));
            }
            Err(why) => {
                let text = format!("error forwarding port {port} to the pod: {why}");
                writers.push(None);
                if send(&mut socket, [&[data + 1], text.as_bytes()].concat()).await.is_none() {
                    return;
                }
            }
        }
    }
    drop(sender);
    let (mut to_client, mut from_client) = socket.split();
    // Each direction goes on though the other is full.
    let downward = async {
        while let Some(message) = from_ports.recv().await {
            if to_client.send(Message::Binary(message.into())).await.is_err() {
                return;
            }
        }
        // Every port has ended.
        let _ = to_client.send(Message::Close(None)).await;
    };
    let upward = async {
        loop {
            match from_client.next().await {
                Some(Ok(Message::Binary(bytes))) => write(&mut writers, &bytes).await,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            }
        }
    };
    tokio::select! {
        () = downward => {}
        () = upward => {}
    }
}

fn channel(index: usize) -> u8 {
    u8::try_from(2 * index).unwrap_or(u8::MAX - 1)
}

async fn read(mut from: ReadHalf<Box<dyn Stream>>, channel: u8, to: mpsc::Sender<Vec<u8>>) {
    let mut buffer = vec![channel; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer[1..]).await {
        if to.send(buffer[..=length].to_vec()).await.is_err() {
            return;
        }
    }
}

/// A port that is closed takes nothing more; its channel's bytes are dropped as a closed socket drops them.
async fn write(writers: &mut [Option<WriteHalf<Box<dyn Stream>>>], message: &Bytes) {
    let Some((channel, bytes)) = message.split_first() else { return };
    let index = usize::from(*channel) / 2;
    if let Some(slot) = writers.get_mut(index)
        && let Some(writer) = slot
        && channel.is_multiple_of(2)
        && writer.write_all(bytes).await.is_err()
    {
        *slot = None;
    }
}

async fn send(socket: &mut WebSocket, message: Vec<u8>) -> Option<()> {
    socket.send(Message::Binary(message.into())).await.ok()
}

#[cfg(test)]
mod tests {
    use axum::extract::WebSocketUpgrade;
    use k8s_openapi::api::core::v1::Pod;
    use tokio::net::TcpListener;

    use super::super::Ports;
    use super::*;

    const MANY: usize = 8 << 20;

    fn byte(at: usize) -> u8 {
        u8::try_from(at * 31 % 251).unwrap_or_default()
    }

    /// A program that sends back what it is sent, behind a forwarded port.
    async fn forwarded() -> kube::Api<Pod> {
        let program = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let served = Served::Here(Ports { client: program.local_addr().expect("an address").port(), metrics: None });
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = program.accept().await.expect("a connection");
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        let answer = move |upgrade: WebSocketUpgrade| {
            let served = served.clone();
            async move {
                upgrade
                    .protocols(["v4.channel.k8s.io"])
                    .on_upgrade(move |socket| async move { carry(socket, &[2379, 80], served).await })
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = axum::Router::new().fallback(answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config = kube::Config::new(format!("http://{address}").parse().expect("an address"));
        kube::Api::namespaced(kube::Client::try_from(config).expect("a client"), "default")
    }

    #[tokio::test]
    async fn megabytes_go_both_ways_at_once() {
        let pods = forwarded().await;
        let mut forward = pods.portforward("p", &[2379, 80]).await.expect("it begins");
        let refused = forward.take_error(80).expect("its error").await;
        assert_eq!(
            refused.as_deref(),
            Some(
                "error forwarding port 80 to the pod: failed to connect to localhost:80 inside the pod: connection refused"
            )
        );
        let (mut from, mut to) = tokio::io::split(forward.take_stream(2379).expect("a stream"));
        let sent: Vec<u8> = (0..MANY).map(byte).collect();
        let sending = tokio::spawn(async move { to.write_all(&sent).await.map(|()| to) });
        let mut back = vec![0; MANY];
        let reading = tokio::time::timeout(std::time::Duration::from_secs(60), from.read_exact(&mut back));
        reading.await.expect("all comes back").expect("it can be read");
        assert!(back.iter().enumerate().all(|(at, found)| *found == byte(at)), "the bytes came in their order");
        sending.await.expect("it is sent").expect("it is taken");
    }
}
