//! Commands in a container: run to their end, or an interactive shell on a PTY.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::container::LogOutput;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use bollard::query_parameters::ResizeExecOptionsBuilder;
use bytes::Bytes;
use futures::StreamExt;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Engine;
use crate::cluster::ClusterError;
use owned_processes::{ShellControl, ShellIo};

/// How often an exec whose stream is silent is asked whether it still runs. Podman has left the streams of ended
/// ones open (its issues 6853 and 7195), so the end of the stream alone is not waited for.
const ASK: Duration = Duration::from_millis(500);

/// What a command in a container came to.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    pub(crate) status: Option<i64>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Ran {
    pub(crate) fn ok(&self) -> bool {
        self.status == Some(0)
    }
}

/// An interactive shell to start.
#[derive(Debug, Clone)]
pub(crate) struct ShellSpec {
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<String>,
    pub(crate) rows: u16,
    pub(crate) columns: u16,
}

impl Engine {
    /// Runs `argv` in the container and collects what it prints. A command that does not end in time is an error:
    /// the engine offers no way to end it.
    pub(crate) async fn run(&self, container: &str, argv: &[&str], limit: Duration) -> Result<Ran, ClusterError> {
        let doing = format!("run `{}` in {container}", argv.join(" "));
        tokio::time::timeout(limit, self.run_to_end(container, argv))
            .await
            .map_err(|_| {
                ClusterError::new(format!("`{}` in {container} did not end within {limit:?}", argv.join(" ")))
            })?
            .map_err(|error| self.failed(&doing, &error))
    }

    async fn run_to_end(&self, container: &str, argv: &[&str]) -> Result<Ran, bollard::errors::Error> {
        let config = ExecConfig {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(argv.iter().map(ToString::to_string).collect()),
            ..ExecConfig::default()
        };
        let id = self.docker.create_exec(container, config).await?.id;
        let mut ran = Ran { status: None, stdout: Vec::new(), stderr: Vec::new() };
        if let StartExecResults::Attached { mut output, .. } =
            self.docker.start_exec(&id, None::<StartExecOptions>).await?
        {
            loop {
                match tokio::time::timeout(ASK, output.next()).await {
                    Ok(Some(Ok(LogOutput::StdErr { message }))) => ran.stderr.extend_from_slice(&message),
                    Ok(Some(Ok(other))) => ran.stdout.extend_from_slice(&other.into_bytes()),
                    Ok(Some(Err(error))) => return Err(error),
                    Ok(None) => break,
                    Err(_) if self.docker.inspect_exec(&id).await?.running == Some(false) => break,
                    Err(_) => {}
                }
            }
        }
        // The stream may end a moment before the engine knows the status.
        loop {
            let state = self.docker.inspect_exec(&id).await?;
            if state.running != Some(true) {
                ran.status = state.exit_code;
                return Ok(ran);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A shell on a PTY in the container.
    pub(crate) async fn shell(&self, container: &str, spec: ShellSpec) -> Result<ShellIo, ClusterError> {
        let doing = format!("open a shell in {container}");
        let mark = uuid::Uuid::new_v4().simple().to_string();
        let mut env = spec.env;
        env.push(format!("{MARK}={mark}"));
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(true),
            // The default, Ctrl-P Ctrl-Q, would swallow a learner's Ctrl-P.
            detach_keys: Some("ctrl-_,ctrl-_,ctrl-_,ctrl-_".to_owned()),
            cmd: Some(spec.argv),
            env: Some(env),
            ..ExecConfig::default()
        };
        let created = self.docker.create_exec(container, config).await.map_err(|error| self.failed(&doing, &error))?;
        let stream = self
            .hijack(&created.id)
            .await
            .map_err(|error| ClusterError::new(format!("{} failed to {doing}: {error:#}", self.flavor.name())))?;
        let control = Arc::new(Exec { engine: self.clone(), container: container.to_owned(), id: created.id, mark });
        control
            .resize(spec.rows, spec.columns)
            .await
            .map_err(|error| ClusterError::new(format!("{doing}: {error}")))?;
        let (mut from_container, input) = tokio::io::split(stream);
        let (mut ours, output) = tokio::io::duplex(64 * 1024);
        let watched = Arc::clone(&control);
        tokio::spawn(async move {
            let mut buffer = vec![0; 16 * 1024];
            loop {
                match tokio::time::timeout(ASK, from_container.read(&mut buffer)).await {
                    Ok(Ok(0) | Err(_)) => break,
                    Ok(Ok(length)) => {
                        if ours.write_all(&buffer[..length]).await.is_err() {
                            break;
                        }
                    }
                    Err(_) => {
                        if !matches!(watched.try_wait().await, Ok(None)) {
                            break;
                        }
                    }
                }
            }
        });
        Ok(ShellIo { input: Box::new(input), output: Box::new(output), control: Box::new(Shared(control)) })
    }

    /// Starts an exec and takes the connection over. bollard's own way reads the stream as frames, and bytes of a
    /// terminal that look like a frame's header would be lost.
    async fn hijack(&self, id: &str) -> anyhow::Result<TokioIo<hyper::upgrade::Upgraded>> {
        let body = Bytes::from_static(br#"{"Detach":false,"Tty":true}"#);
        let request = http::Request::post(format!("/exec/{id}/start"))
            .header(http::header::HOST, "localhost")
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::CONNECTION, "Upgrade")
            .header(http::header::UPGRADE, "tcp")
            .body(Full::new(body))?;
        let response = if let Some(path) = self.host.strip_prefix("unix://") {
            send(tokio::net::UnixStream::connect(path).await?, request).await?
        } else {
            let address = self.host.trim_start_matches("tcp://");
            send(tokio::net::TcpStream::connect(address).await?, request).await?
        };
        if !matches!(response.status(), http::StatusCode::SWITCHING_PROTOCOLS | http::StatusCode::OK) {
            let status = response.status();
            let body = http_body_util::BodyExt::collect(response.into_body()).await?.to_bytes();
            anyhow::bail!("{status}: {}", String::from_utf8_lossy(&body).trim());
        }
        Ok(TokioIo::new(hyper::upgrade::on(response).await?))
    }
}

async fn send<S>(
    stream: S,
    request: http::Request<Full<Bytes>>,
) -> anyhow::Result<http::Response<hyper::body::Incoming>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    Ok(sender.send_request(request).await?)
}

/// In the environment of everything that a shell of ours starts, so that its end can be certain.
const MARK: &str = "KEYWITNESS_SHELL";

/// Ends every process that carries the mark: the engine's API cannot end an exec. It loops, because a process that
/// forks while it is being looked for would slip through once.
const END_MARKED: &str = r#"for round in 1 2 3 4 5; do left=
for dir in /proc/[0-9]*; do pid=${dir#/proc/}; [ "$pid" = $$ ] && continue
if grep -qsz -- "^$1\$" "$dir/environ"; then kill -9 "$pid" 2>/dev/null && left=1; fi; done
[ -z "$left" ] && break; done"#;

struct Exec {
    engine: Engine,
    container: String,
    id: String,
    mark: String,
}

struct Shared(Arc<Exec>);

#[async_trait]
impl ShellControl for Shared {
    async fn resize(&self, rows: u16, columns: u16) -> std::io::Result<()> {
        self.0.resize(rows, columns).await
    }

    async fn kill(&self) -> std::io::Result<()> {
        let mark = format!("{MARK}={}", self.0.mark);
        let argv = ["bash", "-c", END_MARKED, "bash", &mark];
        self.0.engine.run(&self.0.container, &argv, Duration::from_secs(10)).await.map_err(std::io::Error::other)?;
        Ok(())
    }

    async fn try_wait(&self) -> std::io::Result<Option<i32>> {
        self.0.try_wait().await
    }
}

impl Exec {
    async fn resize(&self, rows: u16, columns: u16) -> std::io::Result<()> {
        let size = ResizeExecOptionsBuilder::new().h(rows.into()).w(columns.into()).build();
        // An exec that has just been started may not have its terminal yet.
        let mut tries = 0;
        loop {
            match self.engine.docker.resize_exec(&self.id, size.clone()).await {
                Ok(()) => return Ok(()),
                Err(_) if self.try_wait().await?.is_some() => return Ok(()),
                Err(error) if tries == 20 => return Err(std::io::Error::other(super::plain(&error))),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
            tries += 1;
        }
    }

    async fn try_wait(&self) -> std::io::Result<Option<i32>> {
        let state = self.engine.docker.inspect_exec(&self.id).await;
        let state = state.map_err(|error| std::io::Error::other(super::plain(&error)))?;
        // Before it starts, an exec is not running either, and has no status.
        Ok((state.running == Some(false))
            .then_some(state.exit_code)
            .flatten()
            .and_then(|code| i32::try_from(code).ok()))
    }
}
