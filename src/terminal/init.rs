//! What a shell is told before a lab's first command.

use super::recorder::MARK_COMMAND;
use super::settings::NodeSettings;

/// No prompt, history, `!` or mail; the mark goes to the terminal even where the shell's own output does not.
pub(super) fn init_file(nonce: &str) -> String {
    format!(
        "PS1= PS2=\nunset HISTFILE MAIL MAILCHECK TMOUT\nset +o history +o histexpand\n\
         PROMPT_COMMAND='printf \"\\033]{MARK_COMMAND};{nonce};p;%s\\007\" \"$?\" >/dev/tty'\n"
    )
}

pub(super) fn node_init(node: &NodeSettings) -> String {
    let mut lines = vec!["unset HISTFILE".to_owned(), "set +o history 2>/dev/null; set +H 2>/dev/null".to_owned()];
    lines.extend(node.env.iter().map(|(name, value)| format!("export {name}={}", shell_words::quote(value))));
    lines.push("export PAGER=cat".to_owned());
    if !node.path_prefix.is_empty() {
        lines.push(format!("export PATH={}:\"$PATH\"", shell_words::quote(&node.path_prefix.join(":"))));
    }
    lines.push(":".to_owned());
    lines.join("\n")
}
