use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;

#[test]
fn text_base64_and_lines_are_hidden() {
    let redactor = Redactor::new(["hunter2secret", "-----BEGIN-----\nMIIEow\n-----END-----\n"]);
    assert_eq!(redactor.redact("pw=hunter2secret;"), "pw=<13 bytes, hidden>;");
    assert_eq!(redactor.redact(&STANDARD.encode("hunter2secret")), "<20 bytes, hidden>");
    assert_eq!(redactor.redact("x MIIEow y"), "x <6 bytes, hidden> y");
    assert_eq!(redactor.redact("nothing here"), "nothing here");
}

#[test]
fn the_longest_wins_and_overlaps_leave_no_end() {
    let redactor = Redactor::new(["abcd", "abcdefgh", "ghijkl"]);
    assert_eq!(redactor.redact("abcdefgh"), "<8 bytes, hidden>");
    assert_eq!(redactor.redact("abcdefghijkl"), "<12 bytes, hidden>");
}

#[test]
fn an_empty_secret_hides_nothing() {
    let redactor = Redactor::new(["", "  \n"]);
    assert!(redactor.is_empty());
    assert_eq!(redactor.redact("text"), "text");
}

#[test]
fn a_character_is_hidden_as_a_value_and_a_few_as_a_word() {
    let redactor = Redactor::new(["1", "abc"]);
    for (text, wanted) in [
        ("in 2019: 1", "in 2019: <1 bytes, hidden>"),
        ("revision 1 of 1 key", "revision 1 of 1 key"),
        ("\"p\": \"1\",", "\"p\": \"<1 bytes, hidden>\","),
        ("p=1", "p=<1 bytes, hidden>"),
        ("p: MQ==", "p: <4 bytes, hidden>"),
        ("a line\n1\nmore", "a line\n<1 bytes, hidden>\nmore"),
        ("abc, abcd", "<3 bytes, hidden>, abcd"),
    ] {
        assert_eq!(redactor.redact(text), wanted);
    }
}

#[test]
fn parts_of_structured_secrets() {
    let config = r#"{"auths":{"x.y":{"username":"anna","password":"pa55word","auth":"YW5uYTpwYTU1d29yZA=="}}}"#;
    let redactor = Redactor::new([config, "postgres://app:s3cr3t@db/x", "user=u\nkey = \"A-Long-Value\"\n"]);
    let gone = ["pa55word", "anna", "YW5uYTpwYTU1d29yZA==", "anna:pa55word", "s3cr3t", "A-Long-Value"];
    for text in gone {
        let shown = redactor.redact(text);
        assert!(shown.starts_with('<') && shown.ends_with("hidden>"), "{text}: {shown}");
    }
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(config).unwrap()).unwrap();
    let shown = redactor.redact(&pretty);
    assert!(!shown.contains("pa55") && !shown.contains("YW5u"), "{shown}");
}

#[test]
fn shortened_and_wrapped_values_are_hidden() {
    let token = "NqVwYS81VP7Hb1DX8pPd5khxE3pyIgKpaUnArl63XykWZeiNNCiia3anXn9k3ksu9mI4ROnl89Sm995ytbxAk7jqevt0ML";
    let redactor = Redactor::new([token]);
    assert_eq!(redactor.redact(&format!("p = \"{}…", &token[..60])), "p = \"<60 bytes, hidden>…");
    assert_eq!(redactor.redact(&token[17..40]), "<23 bytes, hidden>");
    let folded = format!("{}\n  {}", &token[..50], &token[50..]);
    assert_eq!(redactor.redact(&folded), format!("<{} bytes, hidden>", folded.len()));
}

#[test]
fn everything_else_stays_as_it_is() {
    let redactor = Redactor::new(["Zq7vTopSecretValue9xK", "correct horse battery staple"]);
    for text in [
        "kubectl get pods -n correct-horse\nNAME   READY\nweb-0  1/1\n",
        "\\n %41 &amp; \\u00e9 aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ= 68 65 6c 6c 6f",
        "äöü 漢字 ✓ \u{fffd}",
    ] {
        assert_eq!(redactor.redact(text), text);
    }
}

#[test]
fn a_repeating_secret_costs_no_more_than_another() {
    let redactor = Redactor::new(["a".repeat(4096), "ab".repeat(2000)]);
    let text = "a".repeat(1 << 18) + &"ab".repeat(1 << 16);
    let started = std::time::Instant::now();
    let shown = redactor.redact(&text);
    assert!(!shown.contains("aaaaaaaaaaaaaaaa"), "{}", shown.len());
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

/// How a tool may print it.
fn spellings(secret: &[u8]) -> Vec<(&'static str, String)> {
    let lossy = String::from_utf8_lossy(secret).into_owned();
    let wrap = |text: &str, columns: usize| {
        text.as_bytes().chunks(columns).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>().join("\n")
    };
    let escape = |text: &str| {
        let quoted = serde_json::Value::from(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let hex = |separator: &str| secret.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(separator);
    let base64 = STANDARD.encode(secret);
    let within = |before: &[u8], after: &[u8]| STANDARD.encode([before, secret, after].concat());
    let json = serde_json::json!({"kind": "Secret", "data": {"p": base64}, "note": lossy}).to_string();
    let dump = |gutter: bool| {
        let lines = secret.chunks(16).enumerate().map(|(at, line)| {
            let pairs: Vec<String> = line
                .chunks(2)
                .map(|pair| pair.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat())
                .collect();
            let text = if gutter { format!("  {}", ".".repeat(line.len())) } else { String::new() };
            format!("{:08x}: {}{text}", at * 16, pairs.join(" "))
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let go_quoted = |all: bool| {
        let byte = |byte: &u8| match byte {
            b'"' | b'\\' => format!("\\{}", char::from(*byte)),
            b'\n' => "\\n".to_owned(),
            b' '..=b'~' if !all => char::from(*byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        };
        secret.iter().map(byte).collect::<String>()
    };
    let percent = |all: bool| {
        let byte = |byte: &u8| {
            if !all && byte.is_ascii_alphanumeric() { char::from(*byte).to_string() } else { format!("%{byte:02X}") }
        };
        secret.iter().map(byte).collect::<String>()
    };
    let mut spellings = vec![
        ("base64", base64.clone()),
        ("base64 without padding", STANDARD_NO_PAD.encode(secret)),
        ("URL-safe base64", URL_SAFE.encode(secret)),
        ("URL-safe base64 without padding", URL_SAFE_NO_PAD.encode(secret)),
        ("base64 wrapped at 64", wrap(&base64, 64)),
        ("base64 wrapped at 76", wrap(&base64, 76)),
        ("base64 wrapped at 20 and indented", wrap(&base64, 20).replace('\n', "\n      ")),
        ("base64 wrapped and escaped", wrap(&base64, 76).replace('\n', "\\n")),
        ("base64 with a line end", within(b"", b"\n")),
        ("base64 after one byte", within(b"u", b"")),
        ("base64 after two bytes", within(b"u:", b" and more")),
        ("base64 after three bytes", within(b"me:", b"\"}")),
        ("base64 of base64", STANDARD.encode(&base64)),
        ("base64 of an object", STANDARD.encode(&json)),
        ("hex", hex("")),
        ("hex in capitals", hex("").to_uppercase()),
        ("hex with blanks", hex(" ")),
        ("hex with colons", hex(":")),
        ("hex as etcdctl prints it", format!("\\x{}", hex("\\x"))),
        ("xxd without its text", dump(false)),
        ("xxd", dump(true)),
        ("xxd -p", wrap(&hex(""), 60)),
        ("quoted as Go does", go_quoted(false)),
        ("every byte as Go does", go_quoted(true)),
        ("URL-encoded", percent(false)),
        ("every byte URL-encoded", percent(true)),
        ("JSON", json.clone()),
        ("JSON in JSON", escape(&json)),
        ("JSON in JSON in JSON", escape(&escape(&json))),
    ];
    if let Ok(text) = std::str::from_utf8(secret) {
        let quote = text.replace('\'', "'\\''");
        spellings.extend([
            ("plain", text.to_owned()),
            ("JSON-escaped", escape(text)),
            ("JSON-escaped twice", escape(&escape(text))),
            ("YAML's quotes", format!("'{}'", text.replace('\'', "''"))),
            ("the shell's quotes", format!("'{quote}'")),
            ("folded", {
                let characters: Vec<char> = text.chars().collect();
                characters.chunks(40).map(|line| line.iter().collect::<String>()).collect::<Vec<_>>().join("\n    ")
            }),
            ("XML", text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")),
        ]);
    }
    spellings
}

/// Whether any of the secret can be read from what was written: its bytes, in whatever spelling.
fn leaks(secret: &[u8], spelling: &str, written: &str) -> bool {
    // What is shown of a spelling at most: quotes around it, a dump's offsets, the fields of an object around it.
    let mut squeezed = Vec::new();
    squeeze(spelling.as_bytes(), |_, byte| squeezed.push(byte));
    let least = 16.min(squeezed.len());
    let mut shown = Vec::new();
    squeeze(written.as_bytes(), |_, byte| shown.push(byte));
    let readable = |piece: &[u8]| shown.windows(piece.len()).any(|window| window == piece);
    let mut own = Vec::new();
    squeeze(secret, |_, byte| own.push(byte));
    let bare =
        own.len() >= SHORTEST && own.chunks(least.max(SHORTEST)).any(|piece| piece.len() >= 8 && readable(piece));
    bare || (least >= SHORTEST && readable(&squeezed))
}

fn secret() -> impl Strategy<Value = Vec<u8>> {
    let text = prop::string::string_regex("[ -~]{4,80}|[A-Za-z0-9+/=_.-]{4,400}|([ -~é漢]{1,60}\n){1,8}").unwrap();
    prop_oneof![
        4 => text.prop_map(String::into_bytes),
        2 => prop::collection::vec(any::<u8>(), 6..200),
        1 => prop::collection::vec(any::<u8>(), 200..4096),
        1 => "[A-Za-z0-9]{400,4096}".prop_map(String::into_bytes),
        1 => "[ -~]{1,8}".prop_map(String::into_bytes),
    ]
}

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(8);
    let failure_persistence =
        Some(Box::new(proptest::test_runner::FileFailurePersistence::WithSource("failures")) as _);
    ProptestConfig { cases, failure_persistence, max_shrink_iters: 200, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_spelling_of_a_secret_is_written(
        secret in secret(),
        before in "[a-z\": \n]{0,20}[: \n\"=]",
        after in "[ \n\",}][a-z ]{0,20}",
        cuts in prop::collection::vec(1_usize..200, 1..40),
    ) {
        let mut own = Vec::new();
        squeeze(&secret, |_, byte| own.push(byte));
        prop_assume!(own.len() >= SHORTEST);
        let redactor = Redactor::new([&secret]);
        for (name, spelling) in spellings(&secret) {
            // A dump has lines of its own.
            let (before, after) = if name.starts_with("xxd") { ("", "\n") } else { (before.as_str(), after.as_str()) };
            let text = format!("{before}{spelling}{after}");
            let shown = redactor.redact(&text);
            prop_assert!(!leaks(&secret, &spelling, &shown), "{name}: {text:?}\nshown as {shown:?}");
            if name == "xxd" || name == "xxd without its text" {
                // Read line by line, which a piece may cut.
                continue;
            }
            let mut written = Vec::new();
            let mut writer = Redacted::with(redactor.clone(), &mut written);
            let (mut rest, mut sizes) = (text.as_bytes(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                writer.write_all(piece).unwrap();
                rest = later;
            }
            writer.finish().unwrap();
            let written = String::from_utf8_lossy(&written);
            prop_assert!(!leaks(&secret, &spelling, &written), "{name}, in pieces: {text:?}\nwritten as {written:?}");
        }
    }

    #[test]
    fn any_text_passes(text in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..400), secret in any::<Vec<u8>>()) {
        let redactor = Redactor::new([&secret]);
        let _ = redactor.redact(&text);
        let mut written = Vec::new();
        let mut writer = Redacted::with(Redactor::default(), &mut written);
        writer.write_all(&bytes).unwrap();
        writer.finish().unwrap();
        prop_assert_eq!(&written, &bytes);
        let mut writer = Redacted::with(redactor, Vec::new());
        bytes.chunks(7).for_each(|piece| writer.write_all(piece).unwrap());
        writer.finish().unwrap();
    }
}
