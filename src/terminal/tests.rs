use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::*;
use owned_processes::{Guard, GuardSettings};

pub(super) struct Lab {
    pub(super) terminals: Terminals,
    guard: Guard,
    pub(super) dir: tempfile::TempDir,
    cancel: CancellationToken,
}

pub(super) fn lab() -> Lab {
    let dir = tempfile::tempdir().expect("a folder");
    let parents = vec![dir.path().to_owned()];
    let guard =
        Guard::start(GuardSettings { watchdog: None, grace: Duration::from_secs(1), parents }).expect("a guard");
    let cancel = CancellationToken::new();
    let terminals = Terminals::new(TerminalSettings {
        guard: guard.clone(),
        private_dir: guard.folder("terminals").expect("a folder"),
        cwd: dir.path().to_owned(),
        env: vec![("NAME".into(), "a value".into())],
        path_prefix: Vec::new(),
        rows: 24,
        columns: 80,
        cancel: cancel.clone(),
        casts: None,
        node: None,
    });
    Lab { terminals, guard, dir, cancel }
}

/// What is waited for on a busy machine.
const SOON: Duration = Duration::from_secs(60);

pub(super) fn block(text: &str) -> Block {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.to_owned())).collect();
    Block { lines, opens: false, last: Last::Succeeds, searched: Vec::new(), timeout: SOON }
}

pub(super) fn limited(text: &str, millis: u64) -> Block {
    Block { timeout: Duration::from_millis(millis), ..block(text) }
}

pub(super) fn opening(text: &str) -> Block {
    Block { opens: true, ..block(text) }
}

impl Lab {
    pub(super) async fn run(&self, block: &Block) -> BlockResult {
        self.terminals.run(&TerminalId::host("1"), block).await.expect("a shell")
    }

    #[track_caller]
    pub(super) fn output(&self, text: &str) -> impl Future<Output = String> {
        let block = block(text);
        async move {
            let result = self.run(&block).await;
            assert!(matches!(result.ended, Ended::AsWanted), "{result:?}");
            result.output
        }
    }
}

#[tokio::test]
async fn what_a_block_changes_lasts_for_the_next() {
    let lab = lab();
    lab.output("mkdir sub\ncd sub\nexport A=1\nB=2\nalias say='echo said'\nf() { echo \"f $1\"; }").await;
    assert_eq!(
        lab.output("pwd | sed 's,.*/,,'\necho $A$B $NAME\nsay it\nf x").await,
        "sub\n12 a value\nsaid it\nf x\n"
    );
}

#[tokio::test]
async fn the_exit_status_and_the_failing_line_are_exact() {
    let lab = lab();
    let result = lab.run(&block("echo one\n\n# two\n(exit 7)\necho never")).await;
    assert!(matches!(&result.ended, Ended::Failed { line: 4, command } if command == "(exit 7)"), "{result:?}");
    assert_eq!((result.exit, result.output.as_str(), result.commands.len()), (Some(7), "one\n", 2));
    assert_eq!(lab.output("echo $?").await, "7\n");
    let wanted = Block { last: Last::Exits(3), ..block("true\n(exit 3)") };
    assert!(matches!(lab.run(&wanted).await.ended, Ended::AsWanted));
    assert!(matches!(lab.run(&Block { last: Last::Exits(4), ..wanted }).await.ended, Ended::Failed { line: 2, .. }));
    let fails = Block { last: Last::Fails, ..block("false") };
    assert!(matches!(lab.run(&fails).await.ended, Ended::AsWanted));
    let early = Block { last: Last::Fails, ..block("false\nfalse") };
    assert!(matches!(lab.run(&early).await.ended, Ended::Failed { line: 1, .. }));
}

#[tokio::test]
async fn output_is_what_a_person_sees() {
    let lab = lab();
    let text = "echo out; echo err >&2\nprintf '\\033[31mred\\033[0m 10%%\\r100%%\\n'\nnosuchcommand || true\nsleep 0.01 &\n\
                sleep 0.05\nfalse & sleep 0.05; echo hi!there\nexec 3>&1; echo done >&3";
    let output = lab.output(text).await;
    assert!(!output.contains("Done") && !output.contains("[1]"), "{output}");
    assert_eq!(output, "out\nerr\n100%10%\nbash: nosuchcommand: command not found\nhi!there\ndone\n");
}

#[tokio::test]
async fn prompts_and_traces_that_a_block_asks_for_are_not_its_output() {
    let lab = lab();
    assert_eq!(lab.output("PS1='mine> ' PROMPT_COMMAND='echo noise'\necho a\n(exit 0)\necho b").await, "a\nb\n");
    assert_eq!(lab.output("set -x\necho c\nset +x\necho d").await, "+ echo c\nc\n+ set +x\nd\n");
    let result = lab.run(&block("PROMPT_COMMAND=true; (exit 4)")).await;
    assert_eq!(result.exit, Some(4));
    assert_eq!(lab.output("echo $?").await, "4\n");
}

#[tokio::test]
async fn compound_commands_and_heredocs_are_one_command_each() {
    let lab = lab();
    let result =
        lab.run(&block("cat <<'EOF'\n$x `y` \"\nEOF\nfor i in 1 2; do\n  echo $i\ndone\necho a \\\n  b")).await;
    assert_eq!(result.output, "$x `y` \"\n1\n2\na b\n");
    assert_eq!(result.commands.iter().map(|command| command.line).collect::<Vec<_>>(), [1, 4, 7]);
    assert_eq!(result.commands[1].output, "1\n2\n");
}

#[tokio::test]
async fn a_syntax_error_fails_its_command_and_the_shell_lives() {
    let lab = lab();
    let result = lab.run(&block("echo ( a\necho b")).await;
    assert!(matches!(result.ended, Ended::Failed { line: 1, .. }), "{result:?}");
    assert_eq!(result.output, "bash: syntax error near unexpected token `a'\nbash: `echo ( a'\n");
    let open = lab.run(&block("if true; then\necho")).await;
    assert!(matches!(open.ended, Ended::Failed { line: 1, .. }), "{open:?}");
    assert_eq!(lab.output("echo alive").await, "alive\n");
}

#[tokio::test]
async fn a_lines_length_knows_no_limit_of_the_terminal() {
    let lab = lab();
    let long = "x".repeat(20_000);
    assert_eq!(lab.output(&format!("echo {long}")).await, format!("{long}\n"));
}

#[tokio::test]
async fn a_command_that_reads_gets_nothing_and_times_out() {
    let lab = lab();
    let result = lab.run(&limited("export KEPT=yes\ncat", 300)).await;
    assert!(
        matches!(&result.ended, Ended::TimedOut { line: 2, command, awaited, shell_replaced: false } if command == "cat" && (cfg!(not(target_os = "linux")) || awaited.as_deref() == Some("cat"))),
        "{result:?}"
    );
    assert_eq!(lab.output("echo $KEPT").await, "yes\n");
}

#[tokio::test]
async fn a_command_that_ignores_ctrl_c_is_killed_and_the_shell_lives() {
    let lab = lab();
    let result = lab.run(&limited("KEPT=yes\nbash -c 'trap \"\" INT; while :; do sleep 0.1; done'", 200)).await;
    assert!(matches!(result.ended, Ended::TimedOut { shell_replaced: false, .. }), "{result:?}");
    assert_eq!(lab.output("echo $KEPT").await, "yes\n");
}

#[tokio::test]
async fn a_shell_that_does_not_come_back_is_replaced() {
    let lab = lab();
    let result = lab.run(&limited("LOST=yes\ntrap '' INT; while :; do :; done", 200)).await;
    assert!(matches!(result.ended, Ended::TimedOut { line: 2, shell_replaced: true, .. }), "{result:?}");
    assert_eq!(lab.output("echo \"<$LOST>\"").await, "<>\n");
}

#[tokio::test]
async fn endless_output_is_bounded() {
    let lab = lab();
    let result = lab.run(&limited("yes", 1500)).await;
    assert!(matches!(result.ended, Ended::TimedOut { shell_replaced: false, .. }), "{:?}", result.ended);
    assert!(result.output.len() < (8 << 20) + 100, "{}", result.output.len());
    assert!(result.output.starts_with("y\ny\n"));
    if result.truncated {
        assert!(result.output.contains("bytes are not kept"));
    }
    assert_eq!(lab.output("echo alive").await, "alive\n");
}

#[tokio::test]
async fn a_shell_that_leaves_is_told_with_its_last_words() {
    let lab = lab();
    let result = lab.run(&block("sleep 1000 &\necho goodbye; exit 3")).await;
    assert!(
        matches!(&result.ended, Ended::ShellDied { last_words, status: Some(3), by_errexit: false, .. } if last_words.contains("goodbye")),
        "{result:?}"
    );
    assert_eq!(lab.output("echo again").await, "again\n");
}

#[tokio::test]
async fn an_opened_shell_takes_later_blocks_until_it_is_left() {
    // `script` stands for `docker exec -it` and `kubectl exec -it`: another PTY, with echo, behind a raw one.
    for inner in [
        "bash --norc",
        "sh",
        "dash",
        "bash --norc --posix",
        "script -qefc dash /dev/null",
        "script -qefc 'bash --norc' /dev/null",
    ] {
        let lab = lab();
        let opened = lab.run(&opening(&format!("echo before\n{inner}"))).await;
        assert!(matches!(opened.ended, Ended::AsWanted), "{inner}: {opened:?}");
        assert_eq!(opened.output, "before\n", "{inner}");
        let text = "V=inside\nf() {\n  echo \"f $1\"\n}\ncat <<X\nit's 100% \\ $V\nX\nf 'a!b'\t\n";
        assert_eq!(lab.output(text).await, "it's 100% \\ inside\nf a!b\n", "{inner}");
        let failed = lab.run(&block("echo out\n(exit 9)\necho never")).await;
        assert!(matches!(failed.ended, Ended::Failed { line: 2, .. }), "{inner}: {failed:?}");
        assert_eq!((failed.exit, failed.output.as_str()), (Some(9), "out\n"), "{inner}");
        assert_eq!(lab.output("echo $?").await, "9\n", "{inner}");
        let wrong = lab.run(&block("echo ( a")).await;
        assert!(matches!(wrong.ended, Ended::Failed { .. }), "{inner}: {wrong:?}");
        let long = "y".repeat(10_000);
        assert_eq!(lab.output(&format!("echo '{long}'")).await, format!("{long}\n"), "{inner}");
        let slow = lab.run(&limited("cat", 200)).await;
        assert!(matches!(slow.ended, Ended::TimedOut { shell_replaced: false, .. }), "{inner}: {slow:?}");
        assert_eq!(lab.output("echo $V\nexit\necho \"<$V>\"").await.lines().last(), Some("<>"), "{inner}");
    }
}

#[tokio::test]
async fn shells_in_shells_are_left_one_by_one() {
    let lab = lab();
    lab.run(&opening("L=0\nbash --norc")).await;
    lab.run(&opening("L=1\ndash")).await;
    lab.output("L=2").await;
    assert_eq!(lab.output("echo $L").await, "2\n");
    lab.output("exit").await;
    assert_eq!(lab.output("echo $L").await, "1\n");
    let left = lab.run(&Block { last: Last::Exits(5), ..block("exit 5") }).await;
    assert!(matches!(left.ended, Ended::AsWanted), "{left:?}");
    assert_eq!(lab.output("echo $L").await, "0\n");
}

#[tokio::test]
async fn an_opened_shell_that_does_not_open_fails_its_block() {
    let lab = lab();
    let failed = lab.run(&opening("bash -c 'echo no such pod >&2; sleep 0.3; exit 4'")).await;
    assert!(matches!(failed.ended, Ended::Failed { line: 1, .. }), "{failed:?}");
    assert_eq!((failed.exit, failed.output.as_str()), (Some(4), "no such pod\n"));
    let ended = lab.run(&opening("true")).await;
    assert!(matches!(ended.ended, Ended::Failed { line: 1, .. }), "{ended:?}");
    assert_eq!(lab.output("echo alive").await, "alive\n");
}

#[tokio::test]
async fn an_opened_shell_that_is_stuck_is_lost_and_said_so() {
    let lab = lab();
    lab.run(&opening("OUTER=yes\nbash --norc")).await;
    let result = lab.run(&limited("trap '' INT; while :; do :; done", 200)).await;
    assert!(matches!(result.ended, Ended::TimedOut { shell_replaced: true, .. }), "{result:?}");
    assert_eq!(lab.output("echo $OUTER").await, "yes\n");
}

#[tokio::test]
async fn a_background_block_is_ready_when_its_text_is_printed_and_stops_by_ctrl_c() {
    let lab = lab();
    let two = TerminalId::host("2");
    let text = "trap 'echo bye; exit 0' INT\necho starting; sleep 0.1; bash -c 'echo is ready; exec sleep 1000'";
    let watcher = lab.terminals.start_background(&two, "watcher", &block(text)).await.expect("started");
    assert!(matches!(watcher.wait_text("is ready", SOON).await, Waited::Seen));
    assert_eq!(watcher.output(), "starting\nis ready\n");
    assert!(watcher.ended().is_none());
    let busy = lab.terminals.run(&two, &block("true")).await;
    assert!(matches!(busy, Err(TerminalError::Busy { .. })), "{busy:?}");
    let began = Instant::now();
    let stopped = lab.terminals.stop("watcher", false, 2 * SOON).await.expect("stopped");
    assert!(matches!(stopped.ended, Ended::ShellDied { .. } | Ended::Stopped { killed: false }), "{stopped:?}");
    assert!(began.elapsed() < SOON, "it is not waited for till the end");
    assert!(lab.terminals.run(&two, &block("true")).await.is_ok());
}

#[tokio::test]
async fn a_text_that_says_ready_is_seen_where_it_is_not_kept() {
    let lab = lab();
    let two = TerminalId::host("2");
    // More than is kept before it, and more after it.
    let text = "head -c 9000000 /dev/zero | tr '\\0' 'a' | fold -w 99 >big\n\
                { cat big; echo; echo is [ready]; cat big; echo; echo the end; }; sleep 1000";
    let block = Block { searched: vec![regex::escape("is [ready]")], ..block(text) };
    let handle = lab.terminals.start_background(&two, "w", &block).await.expect("started");
    // Once all is printed, nobody can see it pass by any more.
    assert!(matches!(handle.wait_text("the end", SOON).await, Waited::Seen));
    assert!(!handle.output().contains("is [ready]"), "it is not kept");
    assert!(matches!(handle.wait_text("is [ready]", SOON).await, Waited::Seen));
    let missing = handle.wait_text("is not there", Duration::from_millis(100)).await;
    assert!(matches!(missing, Waited::TimedOut), "{missing:?}");
    lab.terminals.stop("w", true, SOON).await.expect("stopped");
}

#[tokio::test]
async fn a_stopped_block_can_start_again_and_its_output_is_kept() {
    let lab = lab();
    let two = TerminalId::host("2");
    let text = block("KEPT=$((KEPT + 1)); echo run $KEPT; sleep 1000\necho never");
    let first = lab.terminals.start_background(&two, "w", &text).await.expect("started");
    first.wait_text("run 1", SOON).await;
    let mark = first.mark();
    let stopped = lab.terminals.stop("w", false, SOON).await.expect("stopped");
    assert!(matches!(stopped.ended, Ended::Stopped { killed: false }), "{stopped:?}");
    lab.terminals.run(&two, &block("echo other")).await.expect("free again");
    assert_eq!((first.output().as_str(), &*first.since(mark).text), ("run 1\n", ""));
    let again = lab.terminals.start_background(&two, "w", &text).await.expect("started again");
    assert!(matches!(again.wait_text("run 2", SOON).await, Waited::Seen), "{}", again.output());
    let killed = lab.terminals.stop("w", true, SOON).await.expect("killed");
    assert!(matches!(killed.ended, Ended::Stopped { killed: true }), "{killed:?}");
}

#[tokio::test]
async fn a_background_block_that_ends_by_itself_tells_its_last_words() {
    let lab = lab();
    let two = TerminalId::host("2");
    let text = block("echo cannot listen >&2; exit_status() { return 6; }; exit_status");
    let handle = lab.terminals.start_background(&two, "w", &text).await.expect("started");
    match handle.wait_text("ready", SOON).await {
        Waited::Ended(result) => {
            assert_eq!((result.exit, result.output.as_str()), (Some(6), "cannot listen\n"));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(lab.terminals.stop("w", false, Duration::ZERO).await.expect("ended").ended, Ended::Failed { .. }));
}

#[tokio::test]
async fn what_ignores_ctrl_c_is_killed_once_patience_ends() {
    let lab = lab();
    let two = TerminalId::host("2");
    let text = block("bash -c 'trap \"\" INT; echo up; while :; do sleep 0.05; done'");
    let handle = lab.terminals.start_background(&two, "w", &text).await.expect("started");
    handle.wait_text("up", SOON).await;
    let stopped = lab.terminals.stop("w", false, Duration::from_millis(300)).await.expect("stopped");
    assert!(matches!(stopped.ended, Ended::Stopped { killed: true }), "{stopped:?}");
}

#[tokio::test]
async fn an_interrupt_returns_at_once_and_closing_ends_everything() {
    let lab = lab();
    let cancel = lab.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        cancel.cancel();
    });
    let result = lab.run(&block("setsid sleep 1000 &\nsleep 1000")).await;
    assert!(matches!(result.ended, Ended::Interrupted), "{result:?}");
    lab.terminals.close_all().await;
    assert_eq!(lab.guard.end().await, Vec::<String>::new());
    assert_eq!(lab.dir.path().read_dir().expect("a listing").count(), 0);
}

#[tokio::test]
async fn terminals_are_apart_from_each_other() {
    let lab = lab();
    lab.output("X=1").await;
    let other =
        lab.terminals.run(&TerminalId::host("2"), &block("echo \"<$X>\"; stty size; tty | sed 's/[0-9]*$//'")).await;
    assert_eq!(other.expect("a shell").output, "<>\n24 80\n/dev/pts/\n");
}

#[tokio::test]
async fn echo_stays_off_whatever_a_command_does_to_the_terminal() {
    let lab = lab();
    lab.output("stty sane echo").await;
    assert_eq!(lab.output("echo quiet").await, "quiet\n");
}

#[tokio::test]
async fn hundreds_of_commands_follow_each_other() {
    let lab = lab();
    let text = (0..200).map(|number| format!("echo {number}")).collect::<Vec<_>>().join("\n");
    let began = Instant::now();
    assert_eq!(lab.output(&text).await, text.replace("echo ", "") + "\n");
    println!("{:?} a command", began.elapsed() / 200);
}
