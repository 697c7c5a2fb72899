use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{EvalError, Evaluator, Expr, Limits, Overrun, Scope, Template, TemplateError, TooDeep, evaluate};

fn scope() -> Scope {
    let text = r#"{
        "event": {"id": "e1", "type": "job.completed", "data": {
            "amount": 10.10, "big": 12345678901234567890123, "exp": 1E400, "zero": -0, "int": 42, "neg": -7.50,
            "name": "Ada", "none": null, "list": [3, 1, 2], "lines": [{"sku": "a", "n": 2}, {"sku": "b", "n": 1}]
        }},
        "steps": {"case": {"output": {"id": 5}, "status": "succeeded", "error": null}},
        "run": {"id": "r1"}
    }"#;
    Scope::from_json(&serde_json::from_str(text).expect("JSON")).expect("shallow")
}

/// The JSON text of the result, which shows digits.
fn eval(source: &str) -> Result<String, EvalError> {
    let expr = Expr::compile(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    expr.eval(&scope(), &Limits::default()).map(|value| value.to_string())
}

#[test]
fn expressions_see_the_event_the_steps_and_the_run() {
    let cases = [
        (r#".event.type == "job.completed""#, "true"),
        (".steps.case.output.id", "5"),
        (".steps.case.status", r#""succeeded""#),
        (".run.id", r#""r1""#),
        (".steps.missing.output.id", "null"),
        (".event.data.list | sort", "[1,2,3]"),
        (".event.data.list[-1]", "2"),
        (".event.data.list[1:]", "[1,2]"),
        (".event.data.name[1:]", r#""da""#),
        (".event.data.lines | map(.n) | add", "3"),
        (".event.data.lines | map({(.sku): .n}) | add", r#"{"a":2,"b":1}"#),
        (".event.data.lines | map(.n |= . + 1 | del(.sku))", r#"[{"n":3},{"n":2}]"#),
        (".event.data | to_entries | map(.key) | length", "10"),
        (".event.data | has(\"name\"), has(\"x\") | tostring", ""),
        ("[.event.data.lines[] | select(.n > 1).sku]", r#"["a"]"#),
        ("[1, 2] | index(2), contains([1]) | not", ""),
        (r#""a,b" | split(",") | join(";")"#, r#""a;b""#),
        (r#""a1b22" | [scan("[0-9]+")]"#, r#"["1","22"]"#),
        (r#""aXbX" | gsub("X"; "-")"#, r#""a-b-""#),
        (r#""añb" | [match("[ñb]"; "g").offset]"#, "[1,2]"),
        (r#""2026-01-31" | capture("(?<y>\\d+)-(?<m>\\d+)")"#, r#"{"m":"01","y":"2026"}"#),
        (r#""" | [splits("a*")]"#, r#"["",""]"#),
        (r#""2026-01-31T00:00:00Z" | fromdate | todate"#, r#""2026-01-31T00:00:00Z""#),
        (r#"{a: {b: 1}} * {a: {c: 2}}"#, r#"{"a":{"b":1,"c":2}}"#),
        (r#"{} | .a.b = 1"#, r#"{"a":{"b":1}}"#),
        (r#"[1, [2]] | getpath([1, 0])"#, "2"),
        (r#"[[1, 2], [3]] | .[0] |= map(. + 1) | flatten"#, "[2,3,3]"),
        (r#"[paths] | length"#, "31"),
        (r#"try error("x") catch ."#, r#""x""#),
        (r#"[limit(3; repeat(1))]"#, "[1,1,1]"),
        (r#""\(1 + 1) \({a: "}"})""#, r#""2 {\"a\":\"}\"}""#),
        (r#"[nan, 1, nan] | sort | length"#, "3"),
        (r#"nan | isnan"#, "true"),
        (r#""[1,{\"a\":1.50}]" | fromjson"#, r#"[1,{"a":1.50}]"#),
        (r#""abc" | test("B"; "i")"#, "true"),
        (r#"[3, 1] - [1]"#, "[3]"),
        (r#"[1, 2, 1] | indices(1)"#, "[0,2]"),
        (r#""x" * 3"#, r#""xxx""#),
        (r#"group_by(.a) ? // "no""#, r#""no""#),
    ];
    for (source, expected) in cases {
        match eval(source) {
            // Two cases show that several outputs are refused.
            Err(EvalError::ManyOutputs) => assert_eq!(expected, "", "{source}"),
            result => assert_eq!(result.as_deref(), Ok(expected), "{source}"),
        }
    }
}

#[test]
fn numbers_keep_their_digits() {
    let cases = [
        (".event.data.amount", "10.10"),
        (".event.data.big", "12345678901234567890123"),
        (".event.data.zero", "-0"),
        // serde_json writes the exponent its own way when it reads the number.
        (".event.data.exp", "1e+400"),
        (".event.data | {amount, big}", r#"{"amount":10.10,"big":12345678901234567890123}"#),
        ("[.event.data | .amount, .big] | reverse", "[12345678901234567890123,10.10]"),
        (r#""\(.event.data.amount) \(.event.data.big)""#, r#""10.10 12345678901234567890123""#),
        (".event.data.amount | tojson | fromjson", "10.10"),
        (".event.data | .amount as $a | {x: [$a]} | .x[0]", "10.10"),
        ("-.event.data.neg", "7.50"),
        (".event.data.big + 1", "12345678901234567890124"),
        (".event.data.amount == 10.1", "true"),
        (".event.data.amount * 2", "20.2"),
        ("10 / 2", "5"),
        ("1 / 4", "0.25"),
        ("0.10", "0.10"),
        ("9007199254740993", "9007199254740993"),
    ];
    for (source, expected) in cases {
        assert_eq!(eval(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn exactly_one_output_that_json_can_write() {
    let limits = Limits { output: 30, ..Limits::default() };
    let cases = [
        ("empty", EvalError::NoOutput),
        ("1, 2", EvalError::ManyOutputs),
        (r#"error("no customer")"#, EvalError::Raised("no customer".into())),
        (r#"error({code: 1})"#, EvalError::Raised(r#"{"code":1}"#.into())),
        ("nan", EvalError::NotJson),
        ("-infinite", EvalError::NotJson),
        (r#""x" * 29"#, EvalError::TooLong { limit: 30 }),
        (r#"1 + "a""#, EvalError::Raised(r#"cannot calculate 1 + "a""#.into())),
    ];
    for (source, expected) in cases {
        let expr = Expr::compile(source).expect(source);
        assert_eq!(expr.eval(&scope(), &limits), Err(expected), "{source}");
    }
}

#[test]
fn what_does_not_compile_says_why_and_where() {
    let cases = [
        (".event.data.x == ", "expected a value or function, found the end", ""),
        (".a | slect(.b)", "there is no function `slect`; did you mean `select`?", "slect"),
        ("map(1; 2)", "`map` takes 1 argument, not 2", "map"),
        ("event.data", "there is no function `event`; did you mean `.event`?", "event"),
        (". as $item | $itme", "there is no variable `$itme`; did you mean `$item`?", "$itme"),
        (r#"{"a: 1}"#, "expected a closing quote, found the end", ""),
        ("(1", "expected a closing parenthesis, found the end", ""),
        (".a & .b", "`&` means nothing in jq here", "&"),
        ("if . then 1", "expected `else` or `end`, found the end", ""),
        ("1 2", "expected the end, found `2`", "2"),
        ("break $x", "there is no `label $x` around this `break`", "$x"),
    ];
    for (source, message, at) in cases {
        let error = Expr::compile(source).expect_err(source);
        assert_eq!((error.message.as_str(), &source[error.range]), (message, at), "{source}");
    }
    assert!(Expr::compile(&format!("{}1", " ".repeat(super::MAX_SOURCE))).is_err());
}

#[test]
fn what_reaches_outside_is_refused_with_the_reason() {
    let cases = [
        "env",
        "$ENV",
        "$ENV.PATH",
        "now",
        "localtime",
        r#"strflocaltime("%Y")"#,
        "input",
        "inputs",
        "input_filename",
        "halt",
        "halt_error",
        "halt_error(1)",
        "halt(1)",
        "debug",
        r#"debug("x")"#,
        "debug_empty",
        "stderr",
        "stderr_empty",
        "get_search_list",
        r#"import "a" as a; 1"#,
        r#"include "a"; 1"#,
        r#"import "a" as $a; 1"#,
        r#""a" | modulemeta"#,
        "def f: now; f",
        "input_line_number",
        "$__prog_args",
    ];
    for source in cases {
        let message = Expr::compile(source).expect_err(source).message;
        assert!(message.contains("not allowed: ") || message.contains("can't load modules"), "{source}: {message}");
    }
    assert_eq!(eval("def now: 1; now").as_deref(), Ok("1"));
}

#[test]
fn what_reaches_outside_is_refused_wherever_it_stands() {
    for source in [
        "try env catch 1",
        "if false then halt else 1 end",
        "[limit(1; inputs)]",
        "first(input)",
        "reduce inputs as $x (0; .)",
        "def f(g): g; f(halt_error)",
        "path(env)",
        "{a: $ENV}",
        r#""\(now)""#,
        r#"@json "\(env)""#,
        ".a |= now",
        "label $x | debug",
        "$ENV as $x | $x",
    ] {
        let message = Expr::compile(source).expect_err(source).message;
        assert!(message.contains("not allowed: "), "{source}: {message}");
    }
    // These only make text, whatever the text says.
    assert_eq!(eval(r#""a'; rm -rf / #" | @sh"#).as_deref(), Ok(r#""'a'\\''; rm -rf / #'""#));
    assert_eq!(eval(r#"{"env": 1} | .env, getpath(["env"]) | select(. == 1) | 1"#).map_err(|_| ()), Err(()), "two outputs");
    assert_eq!(eval(r#"{"env": 1, "now": 2} | .env + .now"#).as_deref(), Ok("3"), "members may be called like them");
}

/// Each would spin, grow or overflow the stack. That the test process survives is part of the test.
#[test]
fn runaway_expressions_end_in_an_error() {
    use Overrun::{Depth, Recursion, Value, Work};
    let cases = [
        ("[range(1e9)]", Value),
        (r#""x" * 1e9"#, Value),
        ("def f: f; f", Work),
        ("last(repeat(.))", Work),
        (r#"[limit(1e9; repeat("a"))] | add"#, Work),
        ("reduce range(100000) as $i (0; [.])", Depth),
        ("reduce range(60) as $i (\"x\"; [., .])", Value),
        ("def f: 1 + f; f", Recursion),
        ("def f: [f]; f", Recursion),
        ("def f: try error catch f; f", Recursion),
        ("def f(g): f(g | . + 1); f(.)", Work),
        ("def f: f, f; f", Work),
        ("def f(x): x | f(x, x); f(1)", Work),
        ("def f: (., 1) | f; f", Work),
        ("first(range(1e12) | select(. < 0))", Work),
        ("\"aaaaaaaaaaaaaaaa\" | until(false; . + .)", Value),
        ("[recurse([.])]", Depth),
        ("reduce repeat({}) as $x (0; . + 1)", Work),
        ("last(range(0; 1; 0))", Work),
        ("path(def f: .a | f; null | f)", Work),
        ("null | path(def f: .a | f; f)", Work),
        ("[range(2000)] | combinations(100) | length", Work),
    ];
    for (source, expected) in cases {
        match eval(source) {
            Err(EvalError::Overrun(overrun)) => {
                // Where memory and work run out together, either is right.
                assert!(overrun == expected || matches!((overrun, expected), (Work, Value) | (Value, Work)), "{source}: {overrun}");
            }
            Err(EvalError::Raised(message)) => {
                assert!(message.contains("path") || message.contains("use"), "{source}: {message}");
            }
            other => panic!("{source}: {other:?}"),
        }
    }
    // An overrun can't be caught, and big integers stay small.
    assert!(matches!(eval("try (def f: f; f) catch 1"), Err(EvalError::Overrun(Work))));
    assert!(matches!(eval("reduce range(100) as $i (10; . * .)"), Err(EvalError::Raised(_))));
    // A number of 100,000 digits is calculated with as a floating-point one.
    assert!(eval(r#""9" * 100000 | fromjson | . * 2 | tojson"#).is_ok());
}

#[test]
fn sources_that_nest_deeply_are_an_error_or_compile() {
    for source in ["(".repeat(16_000), "-".repeat(16_000), "[".repeat(16_000), "1|".repeat(8_000), "\"\\(".repeat(5_000)] {
        assert!(Expr::compile(&source).is_err());
    }
    let deep = format!("{}1{}", "[".repeat(8_000), "]".repeat(8_000));
    let expr = Expr::compile(&deep).expect("it is jq");
    assert!(matches!(expr.eval(&scope(), &Limits::default()), Err(EvalError::Overrun(_))));
}

#[test]
fn data_that_nests_too_deeply_is_refused() {
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| Value::Array(vec![inner]));
    let mut scope = Scope::new();
    assert_eq!(scope.set(&["a", "b"], &nested(Limits::DEPTH - 2)), Ok(()));
    assert_eq!(scope.set(&["a"], &nested(1000)).err(), Some(TooDeep { limit: Limits::DEPTH }));
    assert_eq!(scope.set(&["a", "b"], &nested(Limits::DEPTH - 1)).err(), Some(TooDeep { limit: Limits::DEPTH }));
}

#[test]
fn a_scope_takes_new_members_beside_the_old() {
    let mut scope = scope();
    let before = scope.clone();
    scope.set(&["steps", "invoice"], &json!({"output": 1})).expect("shallow");
    scope.set(&["steps", "case", "status"], &json!("failed")).expect("shallow");
    let value = |scope: &Scope| {
        let expr = Expr::compile("[.steps.case.output.id, .steps.case.status, .steps.invoice.output]").expect("jq");
        expr.eval(scope, &Limits::default())
    };
    assert_eq!(value(&scope), Ok(json!([5, "failed", 1])));
    assert_eq!(value(&before), Ok(json!([5, "succeeded", null])));
}

fn template(value: &Value) -> Result<String, EvalError> {
    let template = Template::compile(value).expect("a template");
    evaluate(&Limits::default(), |session| session.template(&template, &scope())).map(|value| value.to_string())
}

#[test]
fn templates_keep_types_and_digits() {
    let cases = [
        ("${ .event.data.amount }", "10.10"),
        ("${.event.data.list}", "[3,1,2]"),
        ("${ .event.data.none }", "null"),
        (" ${ .event.data.int }", "\" 42\""),
        ("Job ${ .event.data.int }: ${ .event.data.amount }/${ .event.data.big }", "\"Job 42: 10.10/12345678901234567890123\""),
        ("a ${ .event.data.none } ${ .event.data.none // \"\" }", "\"a null \""),
        ("a ${ .event.data.list } ${true}", "\"a [3,1,2] true\""),
        (r#"${ {a: "}"} | .a }"#, r#""}""#),
        (r#"${ "\({a: 1} | .a)}" }!"#, r#""1}!""#),
        ("${ 1 # a } comment\n }", "1"),
        ("$${ .a } $ $x {}", r#""${ .a } $ $x {}""#),
        ("$$${ 1 }", r#""$${ 1 }""#),
        ("", "\"\""),
    ];
    for (text, expected) in cases {
        assert_eq!(template(&json!(text)).as_deref(), Ok(expected), "{text}");
    }
    let whole = json!({"${ literal }": [1, {"a": "${ .event.data.name }"}], "n": 1.50, "e": "$${"});
    assert_eq!(template(&whole).as_deref(), Ok(r#"{"${ literal }":[1,{"a":"Ada"}],"e":"${","n":1.5}"#));
    assert_eq!(template(&json!({"a": "${ empty }"})), Err(EvalError::NoOutput));
    let long = json!(vec!["${ \"x\" * 1000000 }"; 2]);
    assert_eq!(template(&long), Err(EvalError::TooLong { limit: Limits::OUTPUT }));
}

#[test]
fn every_wrong_string_of_a_template_is_reported() {
    let value = json!({"a/b": ["x ${ .a ", "ok"], "c": "x ${ foo( } y", "d": "é${ lenght }", "e": "${ }"});
    let errors = Template::compile(&value).expect_err("none compiles");
    let told: Vec<_> =
        errors.iter().map(|TemplateError { pointer, range, message }| (pointer.as_str(), range.clone(), message.as_str())).collect();
    assert_eq!(
        told,
        [
            ("/a~1b/0", 8..8, "expected a `}` at the end of `${`"),
            ("/c", 10..11, "expected a closing parenthesis, found `}`"),
            ("/d", 5..11, "there is no function `lenght`; did you mean `length`?"),
            ("/e", 3..3, "expected a value or function, found the end"),
        ]
    );
}

#[tokio::test]
async fn the_evaluator_bounds_the_time_of_a_call() {
    let scope = Arc::new(scope());
    let limits = Limits { work: u64::MAX / 2, time: Duration::from_millis(50), ..Limits::default() };
    let evaluator = Evaluator::new(limits, 1);
    let spin = Arc::new(Expr::compile("def f: f; f").expect("jq"));
    let spun = evaluator.expr(spin, Arc::clone(&scope)).await;
    assert_eq!(spun, Err(EvalError::Overrun(Overrun::Time)));

    // The slot is free again, and several evaluations share one call.
    let name = Arc::new(Expr::compile(".event.data.name").expect("jq"));
    assert_eq!(evaluator.expr(Arc::clone(&name), Arc::clone(&scope)).await, Ok(json!("Ada")));
    let both = evaluator.run(move |session| Ok((session.expr(&name, &scope)?, session.truth(&name, &scope)?))).await;
    assert_eq!(both, Ok((json!("Ada"), true)));
}

#[tokio::test]
async fn plain_expressions_wait_for_no_thread_and_all_others_do() {
    let evaluator = Evaluator::new(Limits::default(), 1);
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (begun, started) = tokio::sync::oneshot::channel();
    let work = async {
        let held = evaluator.run(move |_| {
            _ = begun.send(());
            // Ends when the other end is dropped.
            _ = held.recv();
            Ok(())
        });
        held.await
    };
    let others = async {
        started.await.expect("the only thread is taken");
        let (plain, loops) = (Arc::new(Expr::compile(".event.data.name").expect("jq")), Arc::new(Expr::compile("[range(9)]").expect("jq")));
        assert_eq!(evaluator.expr(plain.clone(), Arc::new(scope())).await, Ok(json!("Ada")));
        let waits = tokio::time::timeout(Duration::from_millis(20), evaluator.expr(loops, Arc::new(scope()))).await;
        assert!(waits.is_err(), "a loop is evaluated on a thread of its own");
        let mut heavy = scope();
        heavy.set(&["event", "data", "notes"], &json!("x".repeat(super::plain::MOST_WEIGHT))).expect("it is not deep");
        let waits = tokio::time::timeout(Duration::from_millis(20), evaluator.expr(plain, Arc::new(heavy))).await;
        assert!(waits.is_err(), "so is whatever looks at much data");
        drop(release);
    };
    let (done, ()) = tokio::join!(work, others);
    assert_eq!(done, Ok(()));
}

#[tokio::test]
async fn a_call_that_had_no_processor_meanwhile_is_not_stopped_for_it() {
    let limits = Limits { time: Duration::from_millis(50), ..Limits::default() };
    let count = Expr::compile("[range(2000)] | length").expect("jq");
    let evaluator = Evaluator::new(limits, 1);
    let waited = evaluator.run(move |session| {
        std::thread::sleep(3 * limits.time);
        session.expr(&count, &scope())
    });
    assert_eq!(waited.await, Ok(json!(2000)));
}

#[test]
fn expressions_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + std::fmt::Debug>() {}
    shared::<Expr>();
    shared::<Template>();
    shared::<Scope>();
    shared::<Evaluator>();
}
