//! The list of tests that were skipped, each with its reason: `scripts/test` counts them apart from those that passed.
//!
//! `KEYWITNESS_SKIPPED` names the list. `KEYWITNESS_REQUIRE` names what must be there (`docker etcd kubectl`): where
//! one of those is missing, a test fails in place of being skipped.

use std::fs::OpenOptions;
use std::io::Write;

/// Records that the running test needs `missing`, which is not here.
pub(crate) fn record_skip(module: &str, missing: &str, reason: &str) {
    let required = std::env::var("KEYWITNESS_REQUIRE").unwrap_or_default();
    assert!(
        !required.split_whitespace().any(|name| name == missing),
        "KEYWITNESS_REQUIRE demands {missing}, and this test would be skipped: {reason}"
    );
    // The test's own thread has its name.
    let thread = std::thread::current();
    let test = thread.name().filter(|name| name.contains("::")).unwrap_or(module);
    println!("skipped {test}: {reason}");
    if let Some(file) = std::env::var_os("KEYWITNESS_SKIPPED") {
        let mut file = OpenOptions::new().create(true).append(true).open(file).expect("the list of skips opens");
        // In one write: several tests append at once.
        file.write_all(format!("{test}: {reason}\n").as_bytes()).expect("the list of skips takes a line");
    }
}
