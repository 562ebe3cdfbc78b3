//! Text to CEL's tree, on a thread with room for CEL's parser, with the macros of Kubernetes.

use std::cell::Cell;
use std::sync::LazyLock;

use cel::Env;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, IdedExpr, ListExpr, LiteralValue, MapEntryExpr,
    MapExpr, SourceInfo, operators,
};
use cel::parser::{Macro, MacroExprHelper, ParseError, ParseErrors};

/// CEL's parser takes 100 KB of stack a bracket in a debug build.
const BIG_STACK: usize = 256 << 20;

/// Kubernetes' longest expression.
const LONGEST: usize = 16 << 10;

thread_local! {
    static BIG: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` on a thread with room for CEL's parser; on one that has it already, right here.
pub fn on_big_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    if BIG.get() {
        return work();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("parse".to_owned()).stack_size(BIG_STACK);
        let spawned = thread.spawn_scoped(scope, || {
            BIG.set(true);
            work()
        });
        match spawned.expect("the system gives a thread").join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

static ENV: LazyLock<Env> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    let mut add = |one: Macro| env.add_macro(one).expect("a macro is added once");
    for (name, counts) in OVER_TWO {
        for count in *counts {
            add(Macro::receiver(*name, *count, move |helper, target, args| {
                over_two(name, helper, target, args).map(Some)
            }));
        }
    }
    add(Macro::receiver("sortBy", 2, |helper, target, args| sort_by(helper, target, args).map(Some)));
    env
});

/// The tree of an expression; the caller is on a big stack.
pub fn parse(text: &str) -> Result<(IdedExpr, SourceInfo), ParseErrors> {
    if text.len() > LONGEST {
        let msg = format!("expression of {} bytes is longer than {LONGEST}", text.len());
        let error = ParseError { source: None, pos: (1, 1), msg, expr_id: 0, source_info: None };
        return Err(ParseErrors { errors: vec![error] });
    }
    ENV.parser().parse_with_source_info(text)
}

/// The macros that go over keys and values under two names, and how many arguments they take.
const OVER_TWO: &[(&str, &[usize])] = &[
    ("all", &[3]),
    ("exists", &[3]),
    ("existsOne", &[3]),
    ("exists_one", &[3]),
    ("transformList", &[3, 4]),
    ("transformMap", &[3, 4]),
    ("transformMapEntry", &[3, 4]),
];

/// The macros that an author writes by name: once as `f(x)`, once as `x.f()`.
pub fn macros(member: bool) -> &'static [&'static str] {
    if member { ON_VALUES } else { &["has"] }
}

/// In the order of their names.
const ON_VALUES: &[&str] = &[
    "all",
    "exists",
    "existsOne",
    "exists_one",
    "filter",
    "map",
    "optFlatMap",
    "optMap",
    "sortBy",
    "transformList",
    "transformMap",
    "transformMapEntry",
];

const RESULT: &str = "@result";

fn call(helper: &mut MacroExprHelper<'_>, name: &str, args: Vec<IdedExpr>) -> IdedExpr {
    helper.next_expr(Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args }))
}

fn boolean(helper: &mut MacroExprHelper<'_>, value: bool) -> IdedExpr {
    helper.next_expr(Expr::Literal(LiteralValue::Boolean(value.into())))
}

fn int(helper: &mut MacroExprHelper<'_>, value: i64) -> IdedExpr {
    helper.next_expr(Expr::Literal(LiteralValue::Int(value.into())))
}

fn ident(helper: &mut MacroExprHelper<'_>, name: &str) -> IdedExpr {
    helper.next_expr(Expr::Ident(name.to_owned()))
}

fn variable(helper: &MacroExprHelper<'_>, node: &IdedExpr) -> Result<String, ParseError> {
    match &node.expr {
        Expr::Ident(name) => Ok(name.clone()),
        _ => Err(helper.new_error(node.id, "argument must be a simple name")),
    }
}

/// The two variables of a macro over keys and values.
fn variables(helper: &MacroExprHelper<'_>, args: &[IdedExpr]) -> Result<(String, String), ParseError> {
    let (one, two) = (variable(helper, &args[0])?, variable(helper, &args[1])?);
    if one == two {
        return Err(helper.new_error(args[1].id, format!("duplicate variable name: {one}")));
    }
    Ok((one, two))
}

struct Fold {
    range: IdedExpr,
    names: (String, String),
    init: IdedExpr,
    condition: IdedExpr,
    step: IdedExpr,
    result: IdedExpr,
}

fn fold(helper: &mut MacroExprHelper<'_>, fold: Fold) -> IdedExpr {
    helper.next_expr(Expr::Comprehension(Box::new(ComprehensionExpr {
        iter_range: fold.range,
        iter_var: fold.names.0,
        iter_var2: Some(fold.names.1),
        accu_var: RESULT.to_owned(),
        accu_init: fold.init,
        loop_cond: fold.condition,
        loop_step: fold.step,
        result: fold.result,
    })))
}

fn over_two(
    name: &str,
    helper: &mut MacroExprHelper<'_>,
    target: &mut Option<IdedExpr>,
    args: &mut Vec<IdedExpr>,
) -> Result<IdedExpr, ParseError> {
    let names = variables(helper, args)?;
    let body = args.pop().unwrap_or_default();
    let filter = if args.len() == 3 { args.pop() } else { None };
    let range = target.take().unwrap_or_default();
    Ok(if name.starts_with("transform") {
        transform(name, helper, (range, names), body, filter)
    } else {
        quantifier(name, helper, (range, names), body)
    })
}

/// What a macro goes over, and under which names.
type Over = (IdedExpr, (String, String));

fn quantifier(name: &str, helper: &mut MacroExprHelper<'_>, (range, names): Over, test: IdedExpr) -> IdedExpr {
    let so_far = ident(helper, RESULT);
    let (init, condition, step, result);
    match name {
        "all" => {
            init = boolean(helper, true);
            condition = call(helper, operators::NOT_STRICTLY_FALSE, vec![so_far]);
            let before = ident(helper, RESULT);
            step = call(helper, operators::LOGICAL_AND, vec![before, test]);
            result = ident(helper, RESULT);
        }
        "exists" => {
            init = boolean(helper, false);
            let not_yet = call(helper, operators::LOGICAL_NOT, vec![so_far]);
            condition = call(helper, operators::NOT_STRICTLY_FALSE, vec![not_yet]);
            let before = ident(helper, RESULT);
            step = call(helper, operators::LOGICAL_OR, vec![before, test]);
            result = ident(helper, RESULT);
        }
        _ => {
            init = int(helper, 0);
            condition = boolean(helper, true);
            let one = int(helper, 1);
            let more = call(helper, operators::ADD, vec![so_far, one]);
            let same = ident(helper, RESULT);
            step = call(helper, operators::CONDITIONAL, vec![test, more, same]);
            let (total, one) = (ident(helper, RESULT), int(helper, 1));
            result = call(helper, operators::EQUALS, vec![total, one]);
        }
    }
    fold(helper, Fold { range, names, init, condition, step, result })
}

fn transform(
    name: &str,
    helper: &mut MacroExprHelper<'_>,
    (range, names): Over,
    made: IdedExpr,
    filter: Option<IdedExpr>,
) -> IdedExpr {
    let so_far = ident(helper, RESULT);
    let (init, step) = match name {
        "transformList" => {
            let one = helper.next_expr(Expr::List(ListExpr::new(vec![made])));
            (Expr::List(ListExpr::new(Vec::new())), call(helper, operators::ADD, vec![so_far, one]))
        }
        "transformMap" => {
            let key = ident(helper, &names.0);
            (Expr::Map(MapExpr::default()), call(helper, "cel.@mapInsert", vec![so_far, key, made]))
        }
        _ => (Expr::Map(MapExpr::default()), call(helper, "cel.@mapInsert", vec![so_far, made])),
    };
    let init = helper.next_expr(init);
    let step = match filter {
        None => step,
        Some(filter) => {
            let same = ident(helper, RESULT);
            call(helper, operators::CONDITIONAL, vec![filter, step, same])
        }
    };
    let (condition, result) = (boolean(helper, true), ident(helper, RESULT));
    fold(helper, Fold { range, names, init, condition, step, result })
}

/// `list.sortBy(e, key)` binds the list, maps it to its keys, and sorts it by them.
fn sort_by(
    helper: &mut MacroExprHelper<'_>,
    target: &mut Option<IdedExpr>,
    args: &mut Vec<IdedExpr>,
) -> Result<IdedExpr, ParseError> {
    const INPUT: &str = "@__sortBy_input__";
    let name = variable(helper, &args[0])?;
    let key = args.pop().unwrap_or_default();
    let list = target.take().unwrap_or_default();
    let input = ident(helper, INPUT);
    let empty = helper.next_expr(Expr::List(ListExpr::new(Vec::new())));
    let (condition, so_far) = (boolean(helper, true), ident(helper, RESULT));
    let one = helper.next_expr(Expr::List(ListExpr::new(vec![key])));
    let step = call(helper, operators::ADD, vec![so_far, one]);
    let result = ident(helper, RESULT);
    let keys = helper.next_expr(Expr::Comprehension(Box::new(ComprehensionExpr {
        iter_range: input,
        iter_var: name,
        iter_var2: None,
        accu_var: RESULT.to_owned(),
        accu_init: empty,
        loop_cond: condition,
        loop_step: step,
        result,
    })));
    let target = Some(Box::new(ident(helper, INPUT)));
    let sorted = CallExpr { func_name: "@sortByAssociatedKeys".to_owned(), target, args: vec![keys] };
    let sorted = helper.next_expr(Expr::Call(sorted));
    let (range, condition, step) =
        (helper.next_expr(Expr::List(ListExpr::new(Vec::new()))), boolean(helper, false), ident(helper, INPUT));
    Ok(helper.next_expr(Expr::Comprehension(Box::new(ComprehensionExpr {
        iter_range: range,
        iter_var: "#unused".to_owned(),
        iter_var2: None,
        accu_var: INPUT.to_owned(),
        accu_init: list,
        loop_cond: condition,
        loop_step: step,
        result: sorted,
    }))))
}

/// The entries of a map's or a struct's literal: key or field, value, and whether it may be left out.
pub(crate) enum Part<'e> {
    Entry(&'e MapEntryExpr),
    Field(&'e cel::common::ast::StructFieldExpr),
}

pub(crate) fn part(entry: &IdedEntryExpr) -> Part<'_> {
    match &entry.expr {
        EntryExpr::MapEntry(entry) => Part::Entry(entry),
        EntryExpr::StructField(field) => Part::Field(field),
    }
}

/// The name that a chain of plain selections spells: `a.b.c`.
pub(crate) fn qualified(node: &IdedExpr) -> Option<String> {
    match &node.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) if !select.test => Some(format!("{}.{}", qualified(&select.operand)?, select.field)),
        _ => None,
    }
}
