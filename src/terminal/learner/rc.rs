//! What the learner's bash reads at its start: the person's own start-up files, then what pins it to the lab and tells
//! its commands apart.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use shell_words::quote;

/// The files by which the shell and we talk, in a private folder of the shell's.
#[derive(Debug, Clone)]
pub(super) struct Files {
    dir: PathBuf,
}

impl Files {
    pub(super) fn of(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// What the shell reads at its start.
    pub(super) fn rc(&self) -> PathBuf {
        self.dir.join("rc")
    }

    /// Its first line stands before each prompt.
    fn label(&self) -> PathBuf {
        self.dir.join("label")
    }

    /// Takes the text of each command.
    pub(super) fn command(&self) -> PathBuf {
        self.dir.join("command")
    }

    /// Takes the shell's KUBECONFIG.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// A shell reads it meanwhile: it finds the one or the other.
    pub(super) fn set_label(&self, label: &str) -> io::Result<()> {
        let new = self.dir.join("label.new");
        write_private(&new, &format!("{label}\n"))?;
        std::fs::rename(new, self.label())
    }
}

pub(super) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// What the file is made of.
pub(super) struct Rc<'a> {
    /// Stands in each mark.
    pub(super) word: &'a str,
    /// Variables of the lab, over whatever the person's own files set.
    pub(super) env: &'a [(String, String)],
    /// Folders before all others on PATH.
    pub(super) path_prefix: &'a [PathBuf],
    pub(super) files: &'a Files,
    /// The words of our own that complete `lab`: a command that prints them.
    pub(super) completer: &'a str,
    pub(super) color: bool,
}

/// Functions of ours begin so.
const HOOKS: &str = r#"
# `lab` is keywitness' word here, whatever the files above made of it.
unalias lab etcdctl 2>/dev/null; unset -f lab etcdctl 2>/dev/null
# etcd and etcdctl read every one of theirs.
unset "${!ETCDCTL_@}" "${!ETCD_@}" 2>/dev/null
# The path of the lab's working folder would fill the line in which one types.
: "${PROMPT_DIRTRIM=1}"

if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
  printf 'This is bash %s: before 4.4 it does not tell when a command begins, so what commands print cannot be checked.\n' "$BASH_VERSION"
fi

# First of all before a prompt: how the command ended. The status is handed on to what else runs there.
__keywitness_ended() {
  local status=$?
  printf '%s' "${KUBECONFIG-}" 2>/dev/null >@KUBECONFIG@
  printf '\e]133;D;%s;aid=@WORD@\a' "$status"
  IFS= read -r __keywitness_label 2>/dev/null <@LABEL@
  return "$status"
}

# Last of all before a prompt: whatever PS1 and PS0 have become, the marks stand around them.
__keywitness_prompt() {
  local status=$?
  PS1=${PS1//"$__keywitness_open"/} PS1=${PS1//"$__keywitness_apart"/} PS1=${PS1//"$__keywitness_close"/}
  PS0=${PS0//"$__keywitness_begun"/}
  local close=$__keywitness_close
  if __keywitness_is_too_wide; then close=$__keywitness_apart; fi
  PS1=$__keywitness_open$PS1$close PS0=${PS0-}$__keywitness_begun
  return "$status"
}

# On a dumb terminal a line scrolls sideways: the end of a prompt that is wider than that, and our mark, is never written.
__keywitness_is_too_wide() {
  [[ ${TERM-} == dumb ]] && ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)) || return 1
  local seen=${__keywitness_label-}${PS1@P}
  seen=${seen##*$'\n'}
  ((${#seen} + 10 > ${COLUMNS:-80}))
}

# What is typed, as bash's history has it.
__keywitness_command() {
  { [[ -o history ]] && HISTTIMEFORMAT='' builtin history 1; } >@COMMAND@ 2>/dev/null
}

__keywitness_open='\[\e]133;A;aid=@WORD@\a\]'
__keywitness_close='\[\e]133;B;aid=@WORD@\a\]'
__keywitness_apart='\n'$__keywitness_close
__keywitness_begun='\e]133;C;aid=@WORD@\a'
if shopt -q promptvars; then
  __keywitness_open+='@STYLE@${__keywitness_label-}@PLAIN@'
  __keywitness_begun='$(__keywitness_command)'$__keywitness_begun
fi
PS0=${PS0-}

# bash-preexec keeps lists of its own, and runs them with the status in place.
if [[ -n ${bash_preexec_imported:-}${__bp_imported:-} ]]; then
  precmd_functions=(__keywitness_ended "${precmd_functions[@]}" __keywitness_prompt)
elif [[ $(declare -p PROMPT_COMMAND 2>/dev/null) == 'declare -a'* ]]; then
  PROMPT_COMMAND=(__keywitness_ended "${PROMPT_COMMAND[@]}" __keywitness_prompt)
else
  PROMPT_COMMAND="__keywitness_ended
${PROMPT_COMMAND-}
__keywitness_prompt"
fi

__keywitness_complete() {
  local IFS=$'\n'
  COMPREPLY=($(compgen -W "$(@COMPLETER@ "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -F __keywitness_complete lab
"#;

impl Rc<'_> {
    pub(super) fn text(&self) -> String {
        let mut text = String::from(
            "# What this shell reads at its start: the person's own files, then the lab's.\n\
             if [ -r ~/.bashrc ]; then . ~/.bashrc; elif [ -r ~/.bash_profile ]; then . ~/.bash_profile; fi\n",
        );
        for (name, value) in self.env {
            text.push_str(&format!("export {name}={}\n", quote(value)));
        }
        if !self.path_prefix.is_empty() {
            let folders: Vec<String> = self.path_prefix.iter().map(|folder| folder.display().to_string()).collect();
            text.push_str(&format!("export PATH={}:\"$PATH\"\n", quote(&folders.join(":"))));
        }
        let path = |path: PathBuf| quote(&path.display().to_string()).into_owned();
        let (style, plain) = if self.color { (r"\[\e[36m\]", r"\[\e[0m\]") } else { ("", "") };
        text.push_str(
            &HOOKS
                .replace("@WORD@", self.word)
                .replace("@LABEL@", &path(self.files.label()))
                .replace("@COMMAND@", &path(self.files.command()))
                .replace("@KUBECONFIG@", &path(self.files.kubeconfig()))
                .replace("@COMPLETER@", self.completer)
                .replace("@STYLE@", style)
                .replace("@PLAIN@", plain),
        );
        text
    }
}

/// A command as bash's history shows it, without its number.
pub(super) fn from_history(text: &str) -> Option<String> {
    let text = text.trim_start();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = text.get(digits..)?.trim_start_matches(['*', ' ']);
    (digits > 0 && !rest.trim().is_empty()).then(|| rest.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::from_history;

    #[test]
    fn a_command_is_read_from_the_history() {
        assert_eq!(from_history("  501  kubectl get pods\n").as_deref(), Some("kubectl get pods"));
        assert_eq!(
            from_history("    1* for i in 1 2; do\n  echo $i\ndone\n").as_deref(),
            Some("for i in 1 2; do\n  echo $i\ndone")
        );
        assert_eq!(from_history(""), None);
    }
}
