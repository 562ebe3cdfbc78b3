//! Costs at run time and before it, beside those that Kubernetes' own tests state.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::{Budget, Declared, Env, Error, Type, Value};

/// Objects and expressions with their costs from the tests of Kubernetes' `apiextensions-apiserver`.
#[test]
fn costs_are_those_of_kubernetes() {
    let text = |format: &str| json!({"type": "string", "format": format});
    let list = |of: &str| json!({"type": "array", "items": {"type": of}});
    let objects = json!({"type": "array", "items": {"type": "array", "items": {"type": "object", "properties": {"k": text("")}}}});
    let schema = json!({"type": "object", "properties": {
        "i": {"type": "integer"}, "d": {"type": "number"}, "s": text(""), "b": text("byte"), "dur": text("duration"),
        "date": text("date"), "at": text("date-time"), "list": list("integer"), "set": list("string"),
        "map": {"type": "object", "additionalProperties": text("")}, "big": list("integer"), "objs": objects,
    }});
    let object = json!({
        "i": 5, "d": 10, "s": "Rook takes \u{1f451}", "b": "QUI=", "dur": "1h2m3s4ms", "date": "1997-07-16",
        "at": "2011-08-18T19:03:37.010000000+01:00", "list": [1, 2, 3], "set": ["a", "b", "c"],
        "map": {"k1": "a", "k2": "b"}, "big": (0..1000).collect::<Vec<_>>(), "objs": [[{"k": "a"}, {"k": "b"}]],
    });
    let declared = Declared::new(&schema, false).expect("a declaration");
    let env = Env::new([("self", declared.of.clone())]);
    for (text, cost) in [
        ("self.i == 5", 3),
        ("type(self.i) == int", 4),
        ("self.i + 1 == 5 + 1", 5),
        ("type(self.d) == double", 4),
        ("double(self.i) < self.d", 6),
        ("double(5) < 10.0", 1),
        ("double(self.i) < 10.0", 4),
        ("self.s.startsWith('Rook')", 4),
        ("!self.s.startsWith('knight')", 5),
        ("self.s.matches('^[^0-9]*$')", 8),
        ("!self.s.matches('^[0-9]*$')", 7),
        ("size(self.s) == 12", 4),
        ("self.s.charAt(3) == 'k'", 4),
        ("self.s.indexOf('o') == 1", 4),
        ("self.s.indexOf('o', 2) == 2", 4),
        ("self.s.replace(' ', 'x') == 'Rookxtakesx\u{1f451}'", 7),
        ("self.s.split(' ') == ['Rook', 'takes', '\u{1f451}']", 6),
        ("self.s.substring(5) == 'takes \u{1f451}'", 5),
        ("self.s.substring(4, 10).trim() == 'takes'", 6),
        ("self.s.upperAscii() == 'ROOK TAKES \u{1f451}'", 6),
        ("self.s.lowerAscii() == self.s.lowerAscii()", 10),
        (
            "'%d %s %f %s %s'.format([1, 'abc', 1.0, duration('1m'), timestamp('2000-01-01T00:00:00.000Z')]) == '1 abc \
             1.000000 60s 2000-01-01T00:00:00Z'",
            6,
        ),
        ("'%o %o %o'.format([7, 8, 9]) == '7 10 11'", 2),
        ("'%b %b %b'.format([7, 8, 9]) == '111 1000 1001'", 3),
        ("self.b == b'AB'", 3),
        ("size(self.b) == 2", 4),
        ("self.dur == duration('1h2m') + duration('3s4ms')", 4),
        ("self.dur.getHours() == 1", 4),
        ("type(self.dur) == google.protobuf.Duration", 4),
        ("self.date.getDate() == 16", 4),
        ("self.at == timestamp('2011-08-18T00:00:00.000+01:00') + duration('19h3m37s10ms')", 4),
        ("self.s in ['Pending', 'Rook takes \u{1f451}']", 2),
        ("1 in self.list", 5),
        ("self.list[0] in self.list", 8),
        ("!(0 in self.list)", 6),
        ("self.list + self.list == [1, 2, 3, 1, 2, 3]", 6),
        ("self.list + [4, 5] == [1, 2, 3, 4, 5]", 4),
        ("has(self.list) && has(self.set)", 2),
        ("sets.contains(self.set, ['a'])", 6),
        ("sets.equivalent(self.set, ['a', 'b', 'c'])", 21),
        ("sets.contains(self.big, [1])", 1003),
        ("!sets.equivalent(self.big, [1, 2, 3])", 6004),
        ("'k1' in self.map", 3),
        ("self.map == {'k1': 'a', 'k2': 'b'}", 3),
        ("self.objs[0] == self.objs[0]", 7),
        ("self.objs[0] == [self.objs[0][0], self.objs[0][1]]", 22),
    ] {
        let checked = env.compile(text).unwrap_or_else(|issues| panic!("{text}: {issues}"));
        let mut budget = Budget::default();
        let value = checked.program.evaluate(&|_| Some(Ok(Value::typed(&object, &declared.of))), &mut budget);
        let value = value.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((value.as_bool(), budget.spent()), (Some(true), cost), "{text}");
    }
}

fn estimate(schema: &serde_json::Value, text: &str) -> u64 {
    let declared = Declared::new(schema, false).expect("a declaration");
    let env = Env::new([("self", declared.of.clone())]);
    let checked = env.compile(text).unwrap_or_else(|issues| panic!("{text}: {issues}"));
    checked.cost(&|path| declared.size(path)).max
}

/// Rules with their costs from the tests of Kubernetes' `apiextensions-apiserver`.
#[test]
fn estimates_are_those_of_kubernetes() {
    let list = |of: &str, most: Option<u64>| {
        let mut schema = json!({"type": "array", "items": {"type": of}});
        if let Some(most) = most {
            schema["maxItems"] = json!(most);
        }
        schema
    };
    let all = "self.all(x, true)";
    for (of, unbounded, most, bounded) in
        [("number", 4_718_591, 10, 32), ("string", 3_145_727, 20, 62), ("boolean", 1_887_437, 5, 17)]
    {
        assert_eq!(estimate(&list(of, None), all), unbounded, "{of}");
        assert_eq!(estimate(&list(of, Some(most)), all), bounded, "{of}");
    }
    let map = |of: &str| json!({"type": "object", "additionalProperties": {"type": of}});
    assert_eq!(estimate(&map("number"), all), 1_348_169);
    assert_eq!(estimate(&map("string"), all), 1_179_647);
    assert_eq!(estimate(&map("boolean"), all), 943_718);
    let text =
        |most: Option<u64>| most.map_or(json!({"type": "string"}), |most| json!({"type": "string", "maxLength": most}));
    for (rule, unbounded, most, bounded) in [
        ("self.contains('test')", 314_574, 10, 5),
        ("self.startsWith('test')", 2, 15, 2),
        ("self.endsWith('test')", 2, 30, 2),
        ("size(self + 'hello') > size('hello')", 314_578, 4, 7),
    ] {
        assert_eq!(estimate(&text(None), rule), unbounded, "{rule}");
        assert_eq!(estimate(&text(Some(most)), rule), bounded, "{rule}");
    }
    for (schema, rule, cost) in [
        (list("number", None), "self[1] == 0.0", 2),
        (list("string", Some(8)), "self[1] == self[1]", 314_577),
        (list("number", Some(10)), "self.all(x, self.all(y, true))", 352),
        (list("number", Some(10)), "self.all(x, self.all(y, self.all(z, true)))", 3552),
        (text(None), "self.matches('x')", 314_574),
        (text(Some(50)), "self.matches('x')", 22),
        (text(None), "''.matches('(((((((((())))))))))[0-9]')", 7),
        (text(None), "self == 'x'", 2),
        (map("number"), "self['x'] == 0.0", 2),
        (list("number", None), "self.all(x, x == 0.0)", 6_291_454),
    ] {
        assert_eq!(estimate(&schema, rule), cost, "{rule}");
    }
    let cubic = "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))";
    assert!(estimate(&list("integer", None), cubic) > 10_000_000 * 100);
    assert!(estimate(&list("integer", Some(10)), cubic) < 10_000_000);
}

fn bomb(count: usize) -> (Arc<crate::Checked>, serde_json::Value) {
    let env = Env::new([("self", Type::list(Type::Int))]);
    let text = "self.all(a, self.all(b, self.all(c, self.all(d, a + b + c + d >= 0))))";
    (Arc::new(env.compile(text).expect("it compiles")), (0..count).collect())
}

#[test]
fn what_costs_too_much_ends() {
    let (checked, numbers) = bomb(400);
    let mut budget = Budget::default();
    let outcome = checked.program.evaluate(&|_| Some(Ok(Value::of(&numbers))), &mut budget);
    assert_eq!(outcome.map(|value| value.json()), Err(Error::CostExceeded));
    assert_eq!(Error::CostExceeded.to_string(), "operation cancelled: actual cost limit exceeded");
    let doubling = (0..60).fold("[1]".to_owned(), |inner, n| format!("[{inner}].map(x{n}, x{n} + x{n})[0]"));
    let checked = Env::new([]).compile(&doubling);
    if let Ok(checked) = checked {
        let outcome = checked.program.evaluate(&|_| None, &mut Budget::default());
        assert_eq!(outcome.map(|value| value.json()), Err(Error::CostExceeded));
    }
}

#[test]
fn a_range_without_end_costs_no_memory() {
    let checked = Env::new([]).compile("lists.range(9000000000000).size() > 0").expect("it compiles");
    let outcome = checked.program.evaluate(&|_| None, &mut Budget::default());
    assert_eq!(outcome.map(|value| value.json()), Err(Error::CostExceeded));
}

#[test]
fn an_evaluation_can_be_left() {
    let (checked, numbers) = bomb(400);
    let (begun, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (begins, seen) = (Arc::clone(&begun), Arc::clone(&ended));
    let work = move |stop| {
        begins.store(true, Ordering::SeqCst);
        let mut budget = Budget::of(u64::MAX).stopped_by(stop);
        let outcome = checked.program.evaluate(&|_| Some(Ok(Value::of(&numbers))), &mut budget);
        seen.store(matches!(outcome, Err(Error::Interrupted)), Ordering::SeqCst);
    };
    let started = Instant::now();
    let mut waiting = Box::pin(crate::run_on_pool(work));
    let waker = futures::task::noop_waker();
    let mut context = std::task::Context::from_waker(&waker);
    assert!(std::future::Future::poll(waiting.as_mut(), &mut context).is_pending());
    while !begun.load(Ordering::SeqCst) {
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
    drop(waiting);
    while !ended.load(Ordering::SeqCst) {
        assert!(started.elapsed() < Duration::from_secs(60), "the evaluation goes on though nobody waits for it");
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
}

#[test]
fn the_pool_answers_and_outlives_a_panic() {
    let broken = crate::run_on_pool(|_| -> u8 { panic!("on purpose") });
    assert_eq!(futures::executor::block_on(broken), Err(crate::Refused::Broken));
    assert_eq!(futures::executor::block_on(crate::run_on_pool(|_| 7)), Ok(7));
}
