//! What Kubernetes says about each of its fields, from the comments in its sources; see NOTICE.

use std::collections::HashMap;
use std::io::Read;
use std::sync::LazyLock;

static PACKED: &[u8] = include_bytes!("descriptions.gz");

/// Unpacked when the first document is asked for.
static TEXTS: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let mut text = String::new();
    flate2::read::GzDecoder::new(PACKED).read_to_string(&mut text).expect("the descriptions in the binary unpack");
    let text: &'static str = Box::leak(text.into_boxed_str());
    text.lines().filter_map(|line| line.split_once('\t')).collect()
});

/// What Kubernetes says of `core/v1.Pod`, `core/v1.Pod.spec` or `Quantity`.
pub fn of(name: &str) -> Option<String> {
    let text = TEXTS.get(name).filter(|text| !text.is_empty())?;
    let (mut plain, mut escaped) = (String::with_capacity(text.len()), false);
    for c in text.chars() {
        match (escaped, c) {
            (false, '\\') => escaped = true,
            (false, c) => plain.push(c),
            (true, c) => {
                plain.push(match c {
                    'n' => '\n',
                    't' => '\t',
                    c => c,
                });
                escaped = false;
            }
        }
    }
    Some(plain)
}
