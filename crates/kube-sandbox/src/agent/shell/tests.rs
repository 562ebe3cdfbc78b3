use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::*;

const START: i64 = 1_700_000_000_000;

fn busybox() -> World {
    let tools = [
        "sh", "cat", "ls", "sleep", "echo", "touch", "rm", "expr", "date", "seq", "wget", "nslookup", "[", "test",
        "tail", "true", "false", "grep", "sort", "mkdir", "env", "printenv", "hostname", "head", "apk",
    ];
    World {
        env: BTreeMap::from([("JOB_COMPLETION_INDEX".to_owned(), "2".to_owned())]),
        host: "pod-1".to_owned(),
        programs: Programs {
            listed: Some(Arc::new(tools.iter().map(ToString::to_string).collect::<HashSet<_>>())),
            servers: vec!["nginx".to_owned()],
            busybox: true,
        },
        files: Files { known: true, ..Files::default() },
        start: START,
        now: START,
        seed: 7,
        once: true,
        ..World::default()
    }
}

/// A cluster that comes to have one Service, whose pod says hello at one port.
#[derive(Debug)]
struct OneService;

impl Cluster for OneService {
    fn find(&self, name: &str, at: i64) -> Name {
        match name {
            "myservice" | "myservice.default.svc.cluster.local" if at >= START + 5_500 => Name::At {
                full: "myservice.default.svc.cluster.local".to_owned(),
                addresses: vec!["10.96.1.2".to_owned()],
            },
            "shut" => Name::At { full: "shut".to_owned(), addresses: vec!["10.96.1.3".to_owned()] },
            "elsewhere.example.com" => Name::Outside,
            _ => Name::Nowhere,
        }
    }

    fn call(&self, call: &Call<'_>) -> Answer {
        match (call.address, call.port, &call.asks) {
            ("10.96.1.3", ..) => Answer::Silence,
            (_, 80, Some(asks)) if asks.path == "/" => {
                Answer::Says(Page { status: 200, server: None, kind: "text/html", body: "hello\n".to_owned() })
            }
            (_, 80, Some(_)) => {
                Answer::Says(Page { status: 404, server: None, kind: "text/html", body: "none\n".to_owned() })
            }
            (_, 80, None) => Answer::Somebody,
            _ => Answer::Refused,
        }
    }
}

#[test]
fn tools_say_of_a_call_what_they_say_in_a_real_pod() {
    let mut world =
        World { cluster: Some(Arc::new(OneService)), start: START + 9_000, now: START + 9_000, ..busybox() };
    let listed = ["sh", "wget", "curl", "nc", "nslookup", "cat", "echo"];
    world.programs.listed = Some(Arc::new(listed.iter().map(ToString::to_string).collect()));
    for (script, code, seconds, printed) in [
        ("wget -qO- myservice", 0, 0, "hello\n"),
        ("wget -q -O - http://myservice:80/ && echo $?", 0, 0, "hello\n0\n"),
        ("wget -q myservice; cat index.html", 0, 0, "hello\n"),
        (
            "wget -O- myservice",
            0,
            0,
            "Connecting to myservice (10.96.1.2:80)\nwriting to stdout\nhello\n\
             -                    100% |********************************|     6  0:00:00 ETA\nwritten to stdout\n",
        ),
        ("wget -qO- myservice/x", 1, 0, "wget: server returned error: HTTP/1.1 404 Not Found\n"),
        ("wget -qO- -T 3 shut", 1, 3, "wget: download timed out\n"),
        ("wget --spider --timeout=1 shut", 1, 1, "Connecting to shut (10.96.1.3:80)\nwget: download timed out\n"),
        ("wget -qO- myservice:81", 1, 0, "wget: can't connect to remote host (10.96.1.2): Connection refused\n"),
        ("wget -qO- nowhere", 1, 0, "wget: bad address 'nowhere'\n"),
        ("curl -s myservice", 0, 0, "hello\n"),
        ("curl -s -o /dev/null -w '%{http_code}\\n' myservice/x", 0, 0, "404\n"),
        ("curl -sf myservice/x", 22, 0, ""),
        ("curl -m 2 shut", 28, 2, "curl: (28) Connection timed out after 2001 milliseconds\n"),
        ("curl -s nowhere", 6, 0, ""),
        (
            "curl -sS myservice:81",
            7,
            0,
            "curl: (7) Failed to connect to myservice port 81 after 0 ms: Could not connect to server\n",
        ),
        ("nc -zv -w 2 myservice 80", 0, 0, "myservice (10.96.1.2:80) open\n"),
        ("nc -zvw2 shut 80", 1, 2, "nc: shut (10.96.1.3:80): Connection timed out\n"),
        (
            "nslookup myservice",
            0,
            0,
            "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n\
             Name:\tmyservice.default.svc.cluster.local\nAddress: 10.96.1.2\n\n",
        ),
        (
            "nslookup nowhere",
            1,
            0,
            "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n** server can't find nowhere: NXDOMAIN\n\n",
        ),
    ] {
        let played = play(&world, &["sh".to_owned(), "-c".to_owned(), script.to_owned()]);
        let text: String = played.printed.iter().map(|piece| piece.text.as_str()).collect();
        assert_eq!(text, printed, "{script}");
        assert_eq!(played.end, End::At { at: START + 9_000 + seconds * 1000, code }, "{script}");
        assert_eq!(played.unknown, None, "{script}");
    }
    let outside = play(&world, &["curl".to_owned(), "elsewhere.example.com".to_owned()]);
    assert_eq!(outside.unknown.as_deref(), Some("what answers `curl elsewhere.example.com`"));
}

fn of(script: &str) -> Played {
    play(&busybox(), &["sh".to_owned(), "-c".to_owned(), script.to_owned()])
}

/// The exit status, after how many seconds, and what was printed.
fn ends(script: &str) -> (i32, i64, String) {
    let played = of(script);
    let End::At { at, code } = played.end else { panic!("{script}: {played:?}") };
    (code, (at - START) / 1000, played.printed.iter().map(|piece| piece.text.as_str()).collect())
}

#[test]
fn statuses_are_those_of_a_shell() {
    for (script, code, seconds) in [
        ("exit 3", 3, 0),
        ("echo one; sleep 2; exit 7", 7, 2),
        ("false || exit 4", 4, 0),
        ("true && sleep 1", 0, 1),
        ("false && exit 9", 1, 0),
        ("set -e\nfalse\necho never", 1, 0),
        ("set -e; false || true; if false; then :; fi; exit 5", 5, 0),
        ("exit 300", 44, 0),
        ("exit", 0, 0),
        ("false; exit", 1, 0),
        ("(exit 6); exit $?", 6, 0),
        ("! true", 1, 0),
        ("test 3 -gt 2 && exit 8", 8, 0),
        ("[ -f /tmp/none ] || exit 9", 9, 0),
        ("[ \"$JOB_COMPLETION_INDEX\" = 2 ] && exit 42", 42, 0),
        (
            "if [ $JOB_COMPLETION_INDEX -eq 1 ]; then exit 1; elif [ $JOB_COMPLETION_INDEX -eq 2 ]; then exit 2; else exit 3; fi",
            2,
            0,
        ),
        ("exit $(expr $JOB_COMPLETION_INDEX % 2)", 0, 0),
        ("exit $((JOB_COMPLETION_INDEX + 40))", 42, 0),
        ("for i in 1 2 3; do sleep 1; done; exit $i", 3, 3),
        ("i=0; while [ $i -lt 5 ]; do i=$((i+1)); sleep 2; done; exit $i", 5, 10),
        ("while true; do sleep 1; break; done; exit 11", 11, 1),
        ("case $JOB_COMPLETION_INDEX in 0|1) exit 1;; 2) exit 22;; *) exit 3;; esac", 22, 0),
        ("f() { return 5; }; f; exit $?", 5, 0),
        ("exec sleep 4", 0, 4),
        ("sh -c 'exit 12'", 12, 0),
        ("notexist", 127, 0),
        ("ls /notexist", 1, 0),
        ("cat /tmp/none", 1, 0),
        ("timeout 3 sleep 10", 127, 0),
        ("sleep 5 & sleep 2; wait", 0, 5),
        ("trap 'echo bye' EXIT; exit 3", 3, 0),
        ("if [[ -r /tmp/foo ]]\nthen\n exit 0\nelse\n touch /tmp/foo\n [[ -r /tmp/foo ]] && exit 4\nfi", 4, 0),
        ("[[ -n $NONE ]] || exit 5", 5, 0),
        ("x='a b'; [[ $x == a* && ( -z $NONE || $x = no ) ]] && exit 6", 6, 0),
        ("[[ a* == 'a*' && abc != \"a*\" && ! abc == b* ]] && exit 7", 7, 0),
        ("[[ $JOB_COMPLETION_INDEX -gt 1 ]] && exit 8", 8, 0),
        ("if then", 2, 0),
        ("echo a | grep -q b || exit 13", 13, 0),
    ] {
        let (found, after, _) = ends(script);
        assert_eq!((found, after), (code, seconds), "{script}");
    }
}

#[test]
fn what_is_printed_is_what_a_shell_prints() {
    for (script, printed) in [
        ("echo hello; echo -n x; printf '%s\\n' y", "hello\nxy\n"),
        ("echo \"$HOSTNAME\" ${NONE:-none} ${JOB_COMPLETION_INDEX}", "pod-1 none 2\n"),
        ("echo '$HOME' \"a  b\" a  b", "$HOME a  b a b\n"),
        ("for i in $(seq 3); do echo $i; done", "1\n2\n3\n"),
        ("echo a > /tmp/f; echo b >> /tmp/f; cat /tmp/f; rm /tmp/f; ls /tmp", "a\nb\n"),
        ("cat <<EOF\nx $JOB_COMPLETION_INDEX\nEOF\necho after", "x 2\nafter\n"),
        ("cat <<'EOF'\n$X\nEOF", "$X\n"),
        ("echo 'b\na' | sort | head -n 1", "a\n"),
        ("ls /notexist 2>/dev/null || echo missing", "missing\n"),
        ("ls /notexist", "ls: /notexist: No such file or directory\n"),
        ("notexist", "sh: notexist: not found\n"),
        ("date +%Y", "2023\n"),
        ("x=pod-7; echo ${x##*-} ${#x}", "7 5\n"),
        ("echo `echo nested`", "nested\n"),
        ("mkdir -p /data/a && echo z > /data/a/b && cat /data/a/*", "z\n"),
    ] {
        assert_eq!(ends(script).2, printed, "{script}");
    }
}

#[test]
fn the_liveness_lesson_goes_through_its_whole_arc() {
    let played = of("touch /tmp/healthy; sleep 30; rm -f /tmp/healthy; sleep 600");
    assert_eq!(played.end, End::At { at: START + 630_000, code: 0 });
    let files = Files { changes: played.changes, known: true, ..Files::default() };
    assert_eq!(files.find("/tmp/healthy", START + 29_999), Found::Text(String::new()));
    assert_eq!(files.find("/tmp/healthy", START + 30_000), Found::No);
}

#[test]
fn what_goes_on_goes_on() {
    assert_eq!(of("sleep infinity").end, End::Never);
    assert_eq!(of("tail -f /dev/null").end, End::Never);
    let loops = of("while true; do echo tick; sleep 10; done");
    assert!(matches!(loops.end, End::Open { at } if at > START + 600_000), "{:?}", loops.end);
    assert_eq!(loops.printed[1].at, START + 10_000);
    // A loop that takes no time is one for ever, and takes no time here either.
    assert_eq!(of("while true; do :; done").end, End::Never);
    assert_eq!(of("nginx -g 'daemon off;'").serves.as_deref(), None, "nginx is not in busybox");
}

#[test]
fn a_memory_hog_is_ended() {
    let limited = World { memory: Some(100 << 20), programs: Programs::default(), ..busybox() };
    let of = |line: &[&str]| play(&limited, &line.iter().map(ToString::to_string).collect::<Vec<_>>()).end;
    assert!(matches!(of(&["stress", "--vm", "1", "--vm-bytes", "150M", "--vm-hang", "1"]), End::OutOfMemory { .. }));
    assert_eq!(of(&["stress", "--vm", "1", "--vm-bytes", "50M", "--vm-hang", "1"]), End::Never);
    assert!(matches!(of(&["tail", "/dev/zero"]), End::OutOfMemory { .. }));
}

#[test]
fn names_of_services_are_found_once_they_are_there() {
    let script =
        "until nslookup myservice.default.svc.cluster.local >/dev/null; do echo waiting; sleep 2; done; echo found";
    let line = ["sh".to_owned(), "-c".to_owned(), script.to_owned()];
    let mut world = World { now: START + 5_000, cluster: Some(Arc::new(OneService)), ..busybox() };
    assert_eq!(play(&world, &line).end, End::Open { at: START + 6_000 });
    world.now = START + 8_000;
    assert_eq!(play(&world, &line).end, End::At { at: START + 6_000, code: 0 });
    let wget = ["wget".to_owned(), "-qO-".to_owned(), "http://nowhere".to_owned()];
    let played = play(&world, &wget);
    assert_eq!(played.end, End::At { at: START, code: 1 });
    assert_eq!(played.printed[0].text, "wget: bad address 'nowhere'\n");
}

#[test]
fn a_user_has_the_groups_of_its_pod() {
    let says = |world: &World, script: &str| {
        let played = play(world, &["sh".to_owned(), "-c".to_owned(), script.to_owned()]);
        played.printed.iter().map(|piece| piece.text.as_str()).collect::<String>()
    };
    let mut world = busybox();
    world.programs.listed = Some(Arc::new(["sh", "id"].iter().map(ToString::to_string).collect()));
    assert_eq!(says(&world, "id"), "uid=0(root) gid=0(root) groups=0(root)\n");
    let own = World { user: 1000, ..world.clone() };
    assert_eq!(says(&own, "id"), "uid=1000 gid=0(root) groups=0(root)\n");
    let all = World { user: 1000, group: 3000, groups: vec![4000, 2000], ..world };
    assert_eq!(
        says(&all, "id; id -u; id -g; id -G"),
        "uid=1000 gid=3000 groups=2000,3000,4000\n1000\n3000\n2000 3000 4000\n"
    );
}

#[test]
fn what_cannot_be_followed_is_named() {
    let played = of("apk add curl; echo done");
    assert_eq!(played.unknown.as_deref(), Some("`apk add curl`"));
    assert!(matches!(played.end, End::At { code: 0, .. }));
    let elsewhere = World { programs: Programs::default(), once: false, ..busybox() };
    let played = play(&elsewhere, &["/server".to_owned(), "--port=1".to_owned()]);
    assert_eq!((played.end, played.unknown.as_deref()), (End::Never, Some("`/server --port=1`")));
}

#[test]
fn nobody_makes_it_reckon_for_ever() {
    for script in [
        "$(".repeat(20_000),
        "(".repeat(20_000),
        "if ".repeat(20_000),
        "{ ".repeat(20_000),
        "${a:-".repeat(20_000),
        "x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done".to_owned(),
        "f() { f; f; }; f".to_owned(),
        "for i in $(seq 1 1000000); do echo $i; done".to_owned(),
        "while :; do echo x >> /tmp/y; cat /tmp/y; done".to_owned(),
        ": $(( ".to_owned() + &"(".repeat(10_000),
        "a='".to_owned(),
        "cat <<EOF".to_owned(),
        "echo ".to_owned() + &"*".repeat(3_000) + "b",
    ] {
        let begun = std::time::Instant::now();
        of(&script);
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{}", &script[..script.len().min(40)]);
    }
}
