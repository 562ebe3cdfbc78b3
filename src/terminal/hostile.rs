//! Blocks that change the shell under the runner, by intent or not: the status reported afterwards is the right one, or
//! none at all.

use futures::StreamExt;

use super::tests::{block, lab, limited, opening};
use super::{Block, Ended, Last};

/// Fragments that change what a naive runner would rely on. None of them changes what a program ends with.
const PRELUDES: &[&str] = &[
    "readonly status=0",
    "readonly exit=0 PS1=mine PROMPT_COMMAND=",
    "trap 'status=0' DEBUG",
    "set -T; trap 'status=0; :' DEBUG",
    "set -T; trap 'echo debug' DEBUG",
    "set -E; trap 'echo failed' ERR",
    "trap 'echo returned' RETURN; set -T",
    "trap 'true' CHLD",
    "trap 'echo bye' EXIT",
    "alias command=true",
    "alias builtin=true; alias eval=true; alias printf=true",
    "alias .=true; alias source=true; alias exit=true",
    "alias if=true; alias {=true; alias '!'=true",
    "shopt -s expand_aliases",
    "shopt -u expand_aliases",
    "command() { return 0; }",
    "builtin() { return 0; }",
    "eval() { return 0; }",
    "source() { return 0; }",
    "printf() { echo nothing; }",
    "echo() { true; }",
    "return() { true; }",
    "test() { true; }; function [ { true; }",
    "unset() { true; }; declare() { true; }; trap() { true; }",
    "__keywitness_mark() { true; }; __keywitness_renew() { true; }",
    "PROMPT_COMMAND='true'",
    "PROMPT_COMMAND='exit 0'",
    "PROMPT_COMMAND=('true' 'echo noise')",
    "PS1='$(true)> ' PS2='more '",
    "PS0='starting '",
    "PS4='trace '; set -x",
    "readonly PS1",
    "set -u",
    "set -n",
    "set -f",
    "set -C",
    "set -a",
    "set -k",
    "set -v",
    "set -b",
    "set +m",
    "set +B",
    "set -P",
    "set -h; set +h",
    "set -o posix",
    "set -o pipefail",
    "set -o emacs",
    "set -o vi",
    "set -H",
    "set -o history",
    "shopt -s extdebug",
    "shopt -s lastpipe; set +m",
    "shopt -s failglob nullglob dotglob",
    "shopt -s autocd cdspell 2>/dev/null",
    "shopt -u promptvars sourcepath",
    "shopt -s compat31 2>/dev/null",
    "enable -n printf",
    "enable -n echo test [ eval",
    "enable -n exit return",
    "unset -f $(compgen -A function)",
    "readonly $(compgen -v | grep -v -e BASH -e _ -e RANDOM) 2>/dev/null",
    "unset PS1 PS2 PROMPT_COMMAND",
    "exec 2>&1",
    "exec 1>&2",
    "exec 2>/dev/null",
    "exec 2>errors.log",
    "exec 3>&1 4>&2 5<&0",
    "exec 7>&- 8>&- 9>&-",
    "exec 10>&1 11>&2 12</dev/null",
    "exec 1>output.log",
    "exec 1>&-",
    "exec 2>&-",
    "IFS=0123456789",
    "IFS=.",
    "IFS=",
    "BASH_ENV=/dev/null; export BASH_ENV",
    "ENV=/no-such-file",
    "POSIXLY_CORRECT=1",
    "LC_ALL=xx_XX.UTF-8",
    "LANG=C LC_ALL=POSIX",
    "TMOUT=",
    "PATH=",
    "HISTCONTROL= HISTFILE=h HISTSIZE=9",
    "cd /",
    "mkdir gone; cd gone; rmdir ../gone",
    "umask 777",
    "ulimit -c 0",
    "stty -echo; stty echo",
    "stty -icrnl; stty icrnl",
    "f() { local status=0; return 0; }; f",
    "coproc cat",
    "sleep 100 & disown",
    "OPTIND=5; getopts a x; true",
    "set -- a b c",
    "cat <<<x >/dev/null",
    "declare -i status=0; declare -r __kw=0",
    "command_not_found_handle() { return 0; }",
    "hash -r; hash -p /bin/true false",
    "true # c \\",
    "printf '\\033]0;title'",
    "printf '\\033P'; printf 'no line end'",
    "printf '\\033]7777;x;p\\007\\033]7777;x;e;1;0\\007'",
    "BASH_COMPAT=3.2 2>/dev/null",
    "SECONDS=0; RANDOM=1; BASHPID=1; LINENO=1",
    "trap '' INT TSTP; trap - INT TSTP",
    "let 'x = 1'; (( x ))",
    "alias true=false; unalias true",
    "alias false=true",
    "bind 2>/dev/null; true",
    "history -c",
    "wait; jobs >/dev/null; true",
];

/// Fragments after which there may be no status, but never a wrong one.
const SUBVERSIONS: &[&str] = &[
    ".() { return 0; }",
    ".() { builtin . \"$@\"; return 0; }",
    ".() { unset -f .; return 0; }",
    ".() { return 1; }",
    "function . { command . \"$@\"; }",
    "exit() { return 0; }",
    "shopt -s extdebug; trap 'false' DEBUG",
    "shopt -s extdebug; trap 'return 2' DEBUG",
    "set -T; trap 'return 0' DEBUG",
    "enable -n .",
    "set -r",
    "exec 0</dev/null",
    "exit() { true; }; return() { true; }; .() { true; }",
    "readonly POSIXLY_CORRECT=",
];

/// Commands and what they end with, each of which no prelude changes.
const COMMANDS: &[(&str, i32)] = &[
    ("/bin/true", 0),
    ("/bin/false", 1),
    ("/bin/sh -c 'exit 3'", 3),
    ("/no-such-folder/program", 127),
    ("/bin/sh -c 'exit 130'", 130),
    ("(/bin/sh -c 'exit 7') # c \\", 7),
    ("/bin/false # c \\", 1),
    ("/bin/false; /bin/sh -c 'exit 12'", 12),
    ("/bin/true && /bin/sh -c 'exit 255'", 255),
    ("/bin/sh -c 'kill -9 $$'", 137),
    ("(/bin/true; /bin/sh -c 'exit 6')", 6),
    ("/bin/false || /bin/sh -c 'exit 2'", 2),
    ("/bin/sh <<'E'\nexit 5\nE", 5),
    ("x=$(/bin/sh -c 'exit 4')", 4),
    ("[[ -e /no-such-folder ]]", 1),
    ("((0))", 1),
    ("</no-such-folder", 1),
];

/// A small generator, so that a seed gives the same preludes on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Reported {
    Right,
    /// "The bookkeeping was changed", or the shell is gone, and in what words.
    Nothing(String),
}

/// Shells that run side by side.
const SIDE_BY_SIDE: usize = 8;

/// Runs the preludes and then the command; the command's status is right, or there is none.
async fn probe(preludes: Vec<&str>, (command, wanted): (&str, i32)) -> Reported {
    let lab = lab();
    let outcome = async {
        for prelude in &preludes {
            let result = lab.run(&limited(prelude, 60_000)).await;
            if matches!(result.ended, Ended::ShellChanged { .. } | Ended::ShellDied { .. }) {
                return (result.ended, None);
            }
        }
        let block = Block { last: Last::Exits(wanted), ..limited(command, 60_000) };
        let result = lab.run(&block).await;
        (result.ended, result.exit)
    };
    let reported = match outcome.await {
        (Ended::AsWanted, Some(exit)) if exit == wanted => Reported::Right,
        (ended @ (Ended::ShellChanged { .. } | Ended::ShellDied { .. }), _) => Reported::Nothing(format!("{ended:?}")),
        other => panic!("{preludes:?}, then {command:?}, which ends with {wanted}: {other:?}"),
    };
    lab.terminals.close_all().await;
    reported
}

#[tokio::test]
async fn no_prelude_of_a_block_hides_a_status() {
    let probes = PRELUDES.iter().map(|prelude| async move {
        let reported = probe(vec![prelude], ("/bin/sh -c 'exit 3'", 3)).await;
        assert_eq!(reported, Reported::Right, "{prelude}");
    });
    futures::stream::iter(probes).buffer_unordered(SIDE_BY_SIDE).collect::<Vec<()>>().await;
}

/// `scripts/preludes` runs more of them, from other seeds.
#[tokio::test]
async fn random_preludes_give_no_wrong_status() {
    let given = |name: &str| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let (seed, count) = (given("KEYWITNESS_SEED").unwrap_or(20_261_128), given("KEYWITNESS_PRELUDES").unwrap_or(40));
    let mut dice = Dice(seed);
    let probes = (0..count).map(|_| {
        let mut preludes: Vec<&str> = (0..=dice.roll(3)).map(|_| *dice.pick(PRELUDES)).collect();
        if dice.roll(4) == 0 {
            preludes.push(*dice.pick(SUBVERSIONS));
        }
        probe(preludes, *dice.pick(COMMANDS))
    });
    let probes = probes.collect::<Vec<_>>();
    let reported: Vec<Reported> = futures::stream::iter(probes).buffer_unordered(SIDE_BY_SIDE).collect().await;
    let right = reported.iter().filter(|reported| **reported == Reported::Right).count();
    println!("seed {seed}: {count} preludes, {right} statuses right, {} not reported, 0 wrong", reported.len() - right);
    assert!(right * 3 > reported.len() * 2, "{right} of {count}");
}

/// What a block may do to a shell that it opened, which only knows what is typed.
const INNER_PRELUDES: &[&str] = &[
    "readonly status=0 __kw=0 kw=1",
    "alias command=true; alias eval=true; alias printf=true",
    "alias unset=true; alias exit=true; alias trap=true",
    "printf() { true; }",
    "printf() { echo \"$@\"; }",
    "command() { return 0; }",
    "unset() { return 0; }; printf() { return 0; }",
    "set -x",
    "set -u",
    "set -f",
    "set -C",
    "set -a",
    "IFS=0123456789",
    "PS1='mine> '",
    "trap 'echo bye' EXIT",
    "exec 2>&1",
    "exec 2>/dev/null",
    "exec >output.log",
    "PATH=",
    "LC_ALL=xx",
    "set -- a b c",
    "true # c \\",
];

#[tokio::test]
async fn an_opened_shells_status_is_reported_past_what_a_block_makes_of_it() {
    let shells = ["bash --norc", "dash", "bash --norc --posix", "script -qefc 'bash --norc' /dev/null"];
    let pairs = shells.iter().flat_map(|inner| INNER_PRELUDES.iter().map(move |prelude| (inner, prelude)));
    let probes = pairs.map(|(inner, prelude)| async move {
        let lab = lab();
        let opened = lab.run(&opening(inner)).await;
        assert!(matches!(opened.ended, Ended::AsWanted), "{inner}: {opened:?}");
        // What it ends with is another's business: dash knows some of this not at all.
        let result = lab.run(&limited(prelude, 60_000)).await;
        let is_reported = matches!(result.ended, Ended::AsWanted | Ended::Failed { .. });
        assert!(is_reported || matches!(result.ended, Ended::ShellChanged { .. }), "{inner}, {prelude}: {result:?}");
        let block = Block { last: Last::Exits(3), ..limited("/bin/sh -c 'exit 3' # c \\", 60_000) };
        let result = lab.run(&block).await;
        let is_known = prelude.starts_with("command()") && matches!(result.ended, Ended::ShellChanged { .. });
        assert!(!is_reported || is_known || result.exit == Some(3), "{inner}, {prelude}: {result:?}");
        lab.terminals.close_all().await;
    });
    futures::stream::iter(probes).buffer_unordered(SIDE_BY_SIDE).collect::<Vec<()>>().await;
}

#[tokio::test]
async fn an_eval_that_does_not_run_the_command_is_noticed() {
    for prelude in ["eval() { return 0; }", "command() { return 0; }", "eval() { builtin eval \"$@\"; return 0; }"] {
        let lab = lab();
        lab.run(&opening("bash --norc")).await;
        lab.output(prelude).await;
        let result = lab.run(&limited("false", 60_000)).await;
        let is_right = matches!(result.ended, Ended::ShellChanged { .. }) || result.exit == Some(1);
        assert!(is_right, "{prelude}: {result:?}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_read_is_noticed_and_the_shell_replaced() {
    for prelude in SUBVERSIONS {
        let lab = lab();
        lab.run(&limited(prelude, 60_000)).await;
        for (command, wanted) in [("/bin/false", 1), ("return 3", 3), ("echo ( a", 2)] {
            let result = lab.run(&Block { last: Last::Exits(wanted), ..limited(command, 60_000) }).await;
            let is_right = match result.ended {
                Ended::AsWanted => result.exit == Some(wanted),
                Ended::ShellChanged { .. } | Ended::ShellDied { .. } => true,
                _ => false,
            };
            assert!(is_right, "{prelude}, {command}: {result:?}");
        }
        lab.output("true").await;
        lab.terminals.close_all().await;
    }
}

#[tokio::test]
async fn a_command_that_the_shell_gives_up_has_its_status() {
    let lab = lab();
    for (text, wanted) in [
        ("set -u; echo $unset_name", 1),
        ("echo ${unset_name:?is not set}", 1),
        ("readonly R=1; R=2; echo never", 1),
        ("echo $((1 / 0))", 1),
        ("kill -INT $$; sleep 5", 130),
        ("return 3", 3),
        ("return", 3),
        ("echo ( a", 2),
        ("set +u; f() { return 4; }; f", 4),
    ] {
        let result = lab.run(&Block { last: Last::Exits(wanted), ..limited(text, 60_000) }).await;
        assert!(matches!(result.ended, Ended::AsWanted), "{text}: {result:?}");
    }
    assert_eq!(lab.output("echo $?").await, "4\n");
}

#[tokio::test]
async fn a_command_that_an_opened_shell_gives_up_has_its_status() {
    for inner in ["bash --norc", "dash"] {
        let lab = lab();
        lab.run(&opening(inner)).await;
        let result = lab.run(&limited("set -u\necho $unset_name", 60_000)).await;
        assert!(matches!(result.ended, Ended::Failed { line: 2, .. }), "{inner}: {result:?}");
        assert_eq!(lab.output("set +u; echo alive").await, "alive\n");
    }
}

#[tokio::test]
async fn leaving_an_opened_shell_is_judged_by_what_it_ended_with() {
    for inner in ["bash --norc", "dash", "script -qefc 'bash --norc' /dev/null"] {
        for (text, wanted) in [("false; exit", 1), ("true; exit", 0), ("exit 5", 5), ("false || exit", 1)] {
            let lab = lab();
            lab.run(&opening(inner)).await;
            let result = lab.run(&limited(text, 60_000)).await;
            assert_eq!(result.exit, Some(wanted), "{inner}, {text}: {result:?}");
            assert_eq!(matches!(result.ended, Ended::AsWanted), wanted == 0, "{inner}, {text}: {result:?}");
            assert_eq!(lab.output("echo back").await, "back\n", "{inner}, {text}");
        }
        // What the command before ended with was judged where it stood.
        let lab = lab();
        lab.run(&opening(inner)).await;
        let fails = Block { last: Last::Fails, ..block("false") };
        assert!(matches!(lab.run(&fails).await.ended, Ended::AsWanted));
        lab.output("exit").await;
        assert_eq!(lab.output("echo back").await, "back\n", "{inner}");
    }
}

#[tokio::test]
async fn a_shell_that_set_e_ends_says_so() {
    for text in ["set -e\nfalse", "set -o errexit; (exit 1)", "set -eu\necho a\n/bin/false"] {
        let lab = lab();
        let result = lab.run(&block(text)).await;
        assert!(
            matches!(&result.ended, Ended::ShellDied { status: Some(1), by_errexit: true, .. }),
            "{text}: {result:?}"
        );
        assert_eq!(lab.output("echo again").await, "again\n");
    }
    let lab = lab();
    let result = lab.run(&block("set -e\ntrue || false\nset +e\nfalse")).await;
    assert!(matches!(result.ended, Ended::Failed { line: 4, .. }), "{result:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_command_that_waits_for_input_is_named() {
    let lab = lab();
    for (text, program) in [("read -r answer", "bash"), ("head -n 1", "head"), ("bash -c 'read x; echo $x'", "bash")] {
        let result = lab.run(&limited(text, 400)).await;
        assert!(
            matches!(&result.ended, Ended::TimedOut { awaited: Some(awaited), .. } if awaited == program),
            "{text}: {result:?}"
        );
    }
    let result = lab.run(&limited("sleep 100", 400)).await;
    assert!(matches!(&result.ended, Ended::TimedOut { awaited: None, .. }), "{result:?}");
}

#[tokio::test]
async fn nothing_that_a_block_puts_into_the_runners_folder_holds_it_up() {
    let lab = lab();
    lab.output("true").await;
    // The folder of the shell's files, with a FIFO in the place of each.
    let found = "d=$(dirname \"$(find . -name init -path '*shell-*')\"); ls \"$d\" >/dev/null\n\
                 for f in \"$d\"/*; do rm -f \"$f\"; mkfifo \"$f\"; done; mkfifo \"$d/command\"";
    lab.output(found).await;
    let result = lab.run(&limited("/bin/false", 60_000)).await;
    assert_eq!(result.exit, Some(1), "{result:?}");
    let gone = lab.run(&limited("rm -rf \"$d\"; /bin/true", 60_000)).await;
    assert!(!matches!(gone.ended, Ended::AsWanted), "{gone:?}");
    assert_eq!(lab.output("echo again").await, "again\n");
}
