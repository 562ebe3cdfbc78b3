use tokio::io::{AsyncRead, AsyncWrite};

/// The two ends of an interactive shell, wherever it runs: a local PTY, or an exec in a container.
pub struct ShellIo {
    /// What is typed.
    pub input: Box<dyn AsyncWrite + Send + Unpin>,
    /// What the terminal shows.
    pub output: Box<dyn AsyncRead + Send + Unpin>,
    /// The terminal itself.
    pub control: Box<dyn ShellControl>,
}

/// What can be done to a shell besides typing.
#[async_trait::async_trait]
pub trait ShellControl: Send + Sync {
    /// Tells the terminal its size.
    async fn resize(&self, rows: u16, columns: u16) -> std::io::Result<()>;
    /// Ends the shell and everything that it started.
    async fn kill(&self) -> std::io::Result<()>;
    /// SIGKILL to what runs in the shell's foreground, the shell itself aside; false where nothing does, or
    /// where that cannot be known from here.
    async fn kill_foreground(&self) -> std::io::Result<bool> {
        Ok(false)
    }
    /// The process group in the foreground of the shell's terminal; `None` where that cannot be known from here.
    async fn foreground(&self) -> Option<i32> {
        None
    }
    /// The exit status once the shell has ended; `None` while it runs.
    async fn try_wait(&self) -> std::io::Result<Option<i32>>;
}
