//! The sandbox's node is this machine: a bash here, on a PTY of its own.

use std::io;
use std::path::Path;

use portable_pty::CommandBuilder;

use owned_processes::{Echo, Guard, ShellIo, shell_on_pty};

pub(super) fn open(guard: &Guard, kubeconfig: &Path, rows: u16, columns: u16) -> io::Result<ShellIo> {
    let mut command = CommandBuilder::new("bash");
    command.args(["--noprofile", "--norc", "--noediting", "-i"]);
    // etcd and etcdctl read every ETCD_* and ETCDCTL_* of the runner's own.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("ETCD_") || text.starts_with("ETCDCTL_") {
            command.env_remove(name);
        }
    }
    command.env("KUBECONFIG", kubeconfig);
    shell_on_pty(guard, command, rows, columns, Echo::AsTheShellSets)
}
