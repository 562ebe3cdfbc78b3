//! How many of a real cluster's values are decoded and encoded in a second: `cargo bench --bench codec`.

use std::hint::black_box;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube_etcd_codec::{decode, encode};
use serde_json::Value;

const ROUNDS: u32 = 200;

fn main() {
    let lines = include_str!("../tests/data/values.jsonl").lines();
    let values: Vec<Vec<u8>> = lines
        .map(|line| {
            let record: Value = serde_json::from_str(line).expect("a record");
            STANDARD.decode(record["value_base64"].as_str().expect("a value")).expect("base64")
        })
        .collect();
    let objects: Vec<Value> = values.iter().map(|value| decode(value).expect("it decodes").object).collect();
    let count = f64::from(ROUNDS) * f64::from(u32::try_from(values.len()).expect("a few"));
    let started = Instant::now();
    for value in (0..ROUNDS).flat_map(|_| &values) {
        black_box(decode(value).expect("it decodes"));
    }
    let decoded = count / started.elapsed().as_secs_f64();
    let started = Instant::now();
    for object in (0..ROUNDS).flat_map(|_| &objects) {
        black_box(encode(object).expect("it encodes"));
    }
    let encoded = count / started.elapsed().as_secs_f64();
    println!("{} recorded values: {decoded:.0} decoded, {encoded:.0} encoded a second", values.len());
}
