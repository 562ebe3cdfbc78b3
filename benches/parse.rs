//! How long 1,000 labs take to parse, one after the other: `cargo bench --bench parse`.

use std::path::Path;
use std::time::Instant;

use keywitness::parse::parse;
use keywitness::text::SourceFile;

const LABS: usize = 1000;
const GOAL_MS: u128 = 1000;

fn main() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lint/fine/lab.md");
    let text = std::fs::read_to_string(&file).expect("the lab of the format's reference");
    // The first parse also fills the tables that the whole process shares.
    let started = Instant::now();
    for number in 0..LABS {
        let source = SourceFile::new("lab.md", format!("lab-{number}.md"), text.as_str());
        assert!(parse(&source).lab.is_some(), "the lab has no errors");
    }
    let took = started.elapsed().as_millis();
    println!("{LABS} labs of {} bytes parsed in {took} ms (goal {GOAL_MS} ms)", text.len());
    assert!(took <= GOAL_MS, "the goal is missed");
}
