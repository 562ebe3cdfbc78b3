//! Persistent shells on a PTY, nested shells, background commands, output capture.

mod block;
mod settings;
mod terminals;

pub use block::{Block, BlockResult, CommandResult, Ended, Last};
pub use settings::{NodeSettings, NodeShells, Place, TerminalError, TerminalId, TerminalSettings};
pub use terminals::{Background, Mark, Terminals, Waited};
