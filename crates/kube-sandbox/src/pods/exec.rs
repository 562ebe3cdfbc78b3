//! exec in the control plane's pods: in etcd's, the programs of its image, run here with the pod's paths
//! translated. No image of the control plane has a shell, and so has none of these.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use portable_pty::CommandBuilder;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::mpsc;

use super::EtcdPod;
use super::channels::{Channels, FromClient, Sent, ToClient};
use owned_processes::{Echo, Guard, Process, ShellControl, ShellIo, shell_on_pty};

/// What the image of etcd holds.
const PROGRAMS: &[&str] = &["etcd", "etcdctl", "etcdutl"];
/// Rows and columns, until the client says how large its terminal is.
const SIZE: (u16, u16) = (24, 80);

/// How often is looked whether a program has ended.
const LOOK: Duration = Duration::from_millis(2);

/// What the client wants to be run, and how.
pub(super) struct Asked {
    pub(super) command: Vec<String>,
    pub(super) stdin: bool,
    pub(super) tty: bool,
}

pub(super) async fn run(channels: &mut Channels, guard: &Guard, etcd: Option<&EtcdPod>, asked: &Asked) {
    let Some(wanted) = asked.command.first() else {
        return channels.to.fail("BadRequest", 400, "you must specify at least one command for the container").await;
    };
    let name = wanted.strip_prefix("/usr/local/bin/").unwrap_or(wanted);
    let program = PROGRAMS.contains(&name).then(|| owned_processes::tool(name)).flatten();
    let (Some(etcd), Some(program)) = (etcd, program) else {
        return channels.to.fail("InternalError", 500, &not_found(wanted)).await;
    };
    let arguments: Vec<String> = asked.command[1..].iter().map(|argument| etcd.here(argument)).collect();
    // A container inherits nothing, and etcdctl refuses what both a flag and a variable say.
    let mut environment = vec![
        ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
        ("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt".to_owned()),
    ];
    if name == "etcdctl" && !arguments.iter().any(|one| one == "--endpoints" || one.starts_with("--endpoints=")) {
        environment.push(("ETCDCTL_ENDPOINTS", format!("127.0.0.1:{}", etcd.port)));
    }
    let done = if asked.tty {
        let mut command = CommandBuilder::new(program);
        command.args(&arguments);
        command.env_clear();
        command.env("TERM", "xterm");
        for (name, value) in environment {
            command.env(name, value);
        }
        command.cwd("/");
        match shell_on_pty(guard, command, SIZE.0, SIZE.1, Echo::AsTheShellSets) {
            Ok(terminal) => on_a_terminal(channels, terminal, etcd).await,
            Err(error) => Err(error),
        }
    } else {
        let mut command = Command::new(program);
        command
            .args(&arguments)
            .env_clear()
            .envs(environment)
            .current_dir("/")
            .stdin(if asked.stdin { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        match guard.spawn(&mut command) {
            Ok(process) => on_pipes(channels, process, etcd).await,
            Err(error) => Err(error),
        }
    };
    match done {
        Ok(code) => channels.to.exited(code).await,
        Err(error) => channels.to.fail("InternalError", 500, &format!("Internal error occurred: {error}")).await,
    }
}

impl EtcdPod {
    /// The pod's paths and port are other ones here.
    fn here(&self, argument: &str) -> String {
        argument
            .replace("/etc/kubernetes/pki", &self.pki.display().to_string())
            .replace("/var/lib/etcd", &self.data.display().to_string())
            .replace("127.0.0.1:2379", &format!("127.0.0.1:{}", self.port))
            .replace("localhost:2379", &format!("localhost:{}", self.port))
    }

    /// And back, in what programs print.
    pub(super) fn in_pod(&self, text: &[u8]) -> Vec<u8> {
        let mut out = text.to_vec();
        for (real, shown) in [
            (self.pki.display().to_string(), "/etc/kubernetes/pki"),
            (self.data.display().to_string(), "/var/lib/etcd"),
        ] {
            let real = real.as_bytes();
            while let Some(at) = out.windows(real.len()).position(|window| window == real) {
                out.splice(at..at + real.len(), shown.bytes());
            }
        }
        out
    }
}

/// As containerd says it of an image without that program.
pub(super) fn not_found(program: &str) -> String {
    let id = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    format!(
        "Internal error occurred: Internal error occurred: error executing command in container: failed to exec in container: failed to start exec \"{id}\": OCI runtime exec failed: exec failed: unable to start container process: exec: \"{program}\": executable file not found in $PATH"
    )
}

enum Piece {
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
}

/// Until the program has ended, or the client is gone; the exit status.
async fn on_a_terminal(channels: &mut Channels, terminal: ShellIo, etcd: &EtcdPod) -> io::Result<i32> {
    let ShellIo { mut input, mut output, control } = terminal;
    let Channels { to, from } = channels;
    let shown = async {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count @ 1..) = output.read(&mut buffer).await {
            if !to.stdout(&etcd.in_pod(&buffer[..count])).await {
                return Ok(None);
            }
        }
        exit_status(&*control).await.map(Some)
    };
    let typed = async {
        loop {
            match from.receive().await {
                Sent::Stdin(data) => {
                    // A program that is over reads nothing more.
                    let _ = input.write_all(&data).await;
                }
                Sent::Resize { rows, columns } => {
                    let _ = control.resize(rows, columns).await;
                }
                Sent::StdinClosed => {}
                Sent::Gone => return,
            }
        }
    };
    let status = tokio::select! {
        status = shown => status?,
        () = typed => None,
    };
    control.kill().await?;
    Ok(status.unwrap_or(1))
}

/// A program's terminal ends before the program does: what it says at its end is waited for.
async fn exit_status(control: &dyn ShellControl) -> io::Result<i32> {
    loop {
        if let Some(status) = control.try_wait().await? {
            return Ok(status);
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn on_pipes(channels: &mut Channels, mut process: Process, etcd: &EtcdPod) -> io::Result<i32> {
    let (sender, pieces) = mpsc::channel(16);
    if let Some(stdout) = process.take_stdout() {
        tokio::spawn(pump(stdout, sender.clone(), Piece::Stdout));
    }
    if let Some(stderr) = process.take_stderr() {
        tokio::spawn(pump(stderr, sender, Piece::Stderr));
    }
    let input = process.take_stdin();
    let Channels { to, from } = channels;
    let is_sent = tokio::select! {
        is_sent = send_output(to, pieces, etcd) => is_sent,
        () = feed(from, input) => false,
    };
    let status = if is_sent { process.wait().await } else { process.kill().await };
    status.map(code)
}

/// All that the program prints; false where the client is gone before its end.
async fn send_output(to: &mut ToClient, mut pieces: mpsc::Receiver<Piece>, etcd: &EtcdPod) -> bool {
    while let Some(piece) = pieces.recv().await {
        let sent = match piece {
            Piece::Stdout(data) => to.stdout(&etcd.in_pod(&data)).await,
            Piece::Stderr(data) => to.stderr(&etcd.in_pod(&data)).await,
        };
        if !sent {
            return false;
        }
    }
    true
}

/// What the client sends, to the program, until the client is gone.
async fn feed(from: &mut FromClient, mut input: Option<impl AsyncWrite + Unpin>) {
    loop {
        match from.receive().await {
            Sent::Stdin(data) => {
                if let Some(pipe) = &mut input
                    && pipe.write_all(&data).await.is_err()
                {
                    input = None;
                }
            }
            Sent::StdinClosed => input = None,
            // Pipes have no size.
            Sent::Resize { .. } => {}
            Sent::Gone => return,
        }
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

async fn pump(mut from: impl AsyncRead + Unpin, to: mpsc::Sender<Piece>, wrap: fn(Vec<u8>) -> Piece) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if to.send(wrap(buffer[..read].to_vec())).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use owned_processes::GuardSettings;

    use super::*;

    #[tokio::test]
    async fn a_program_that_leaves_its_terminal_before_its_end_has_its_own_status() {
        let guard = Guard::start(GuardSettings::default()).expect("a guard");
        let mut command = CommandBuilder::new("sh");
        command.args(["-c", "echo said; exec <&- >&- 2>&-; sleep 0.3; exit 7"]);
        let mut terminal = shell_on_pty(&guard, command, 24, 80, Echo::AsTheShellSets).expect("a terminal");
        let mut said = String::new();
        terminal.output.read_to_string(&mut said).await.expect("its end");
        assert_eq!(said, "said\r\n");
        assert_eq!(exit_status(&*terminal.control).await.expect("a status"), 7);
    }

    #[test]
    fn a_pods_paths_are_found_here_and_shown_as_the_pods() {
        let etcd = EtcdPod {
            pki: "/tmp/x/pki".into(),
            data: "/tmp/x/data".into(),
            log: "/tmp/x/log".into(),
            port: 4001,
            metrics: None,
        };
        assert_eq!(etcd.here("--cacert=/etc/kubernetes/pki/etcd/ca.crt"), "--cacert=/tmp/x/pki/etcd/ca.crt");
        assert_eq!(etcd.here("--endpoints=https://127.0.0.1:2379"), "--endpoints=https://127.0.0.1:4001");
        assert_eq!(etcd.in_pod(b"open /tmp/x/data/member: no"), b"open /var/lib/etcd/member: no");
    }
}
