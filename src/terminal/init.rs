//! What a shell is given before a lab's first command, and again after each.

use super::recorder::MARK_COMMAND;
use super::settings::NodeSettings;

/// No prompt but the mark, whatever a block made of it (as a Python environment does); bash reads the escapes itself.
pub(super) fn prompts(nonce: &str) -> String {
    let prompt = format!("PS1='\\e]{MARK_COMMAND};{nonce};p\\a'");
    format!("{{ PS0= PS2= PROMPT_COMMAND= {prompt}; }} 2>/dev/null")
}

/// No history, `!` or mail; `report` says that the shell is ready.
pub(super) fn init_file(nonce: &str, report: &str) -> String {
    let prompts = prompts(nonce);
    format!("{prompts}\nunset HISTFILE MAIL MAILCHECK TMOUT\nset +o history +o histexpand\n:\n{report}\n")
}

/// For a shell that a lab opened, which may be any: the person's history file is not ours to write to.
pub(super) fn opened_init(nonce: &str) -> String {
    format!("unset HISTFILE; PS1=\"$(printf '\\033]{MARK_COMMAND};{nonce};q\\007')\"")
}

pub(super) fn node_init(node: &NodeSettings, nonce: &str) -> String {
    let mut lines = vec![opened_init(nonce), "set +o history 2>/dev/null; set +H 2>/dev/null".to_owned()];
    lines.extend(node.env.iter().map(|(name, value)| format!("export {name}={}", shell_words::quote(value))));
    lines.push("export PAGER=cat".to_owned());
    if !node.path_prefix.is_empty() {
        lines.push(format!("export PATH={}:\"$PATH\"", shell_words::quote(&node.path_prefix.join(":"))));
    }
    lines.push(":".to_owned());
    lines.join("\n")
}
