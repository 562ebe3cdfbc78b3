//! What a shell is told before a lab's first command.

use super::recorder::MARK_COMMAND;
use super::settings::NodeSettings;

/// Renews what a block may have changed: a `PS1` of its own (as a Python environment sets), a `PROMPT_COMMAND`.
pub(super) const RENEW: &str = "{ __keywitness_renew; } 2>/dev/null";

/// No prompt, history, `!` or mail; the mark goes to the terminal even where the shell's own output does not, and
/// past `set -x`, whose trace goes where standard error does.
pub(super) fn init_file(nonce: &str) -> String {
    let at_prompt = "PROMPT_COMMAND='{ __keywitness_mark \"$?\"; } 2>/dev/null'";
    format!(
        "PS1= PS2=\nunset HISTFILE MAIL MAILCHECK TMOUT\nset +o history +o histexpand\n\
         __keywitness_mark() {{ PS1= PS2=; printf '\\033]{MARK_COMMAND};{nonce};p;%s\\007' \"$1\" >/dev/tty; }}\n\
         __keywitness_renew() {{ local status=$?; unset PROMPT_COMMAND; {at_prompt}; return \"$status\"; }}\n\
         {at_prompt}\n"
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
