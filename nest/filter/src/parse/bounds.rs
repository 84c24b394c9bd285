//! What a text can ask for has bounds, and one mistake has one message.

use dunlin_conf::Severity;

use super::tests::{messages, parse};

#[test]
fn functions_nest_to_a_bound_in_the_text() {
    let chain = |depth: usize| {
        let rest =
            (1..depth).map(|n| format!("function f{n}() -> int {{ return f{}(); }}\n", n - 1));
        "function f0() -> int { return net.len; }\n".to_owned() + &rest.collect::<String>()
    };
    let said = messages(&chain(2100), Severity::Error);
    assert_eq!(said, ["f:2001:10 Function calls nest deeper than 2000 levels in 'f2000'"]);
    // What goes over the program and all that it calls has stack enough: comparing it, and freeing it.
    let text = chain(2000) + "import where f1999() = 1;";
    let (one, other) = (parse(&text).1, parse(&text).1);
    assert_eq!(one, other);
}

#[test]
fn constant_expressions_end_soon_and_take_little_memory() {
    let endless = "function f(bgppath p) -> int { int n = 0; for int a in p do for int b in p do \
        for int c in p do for int d in p do n = n + 1; return n; }\n";
    let path = format!("{}+empty+{}", "prepend(".repeat(100), ",1)".repeat(100));
    let one = format!("{endless}define x = f({path});");
    assert_eq!(messages(&one, Severity::Error), ["f:2:12 Runtime error"]);
    let many = format!("define x = f({path});\n").repeat(30);
    let said = messages(&format!("{endless}{many}"), Severity::Error);
    assert_eq!(said.len(), 30);
    assert_eq!(said[12], "f:14:12 Constant expressions take too long");
    let doubling = "define a = \"0123456789abcdef\";\n".to_owned()
        + &(1..40)
            .map(|n| {
                format!(
                    "define a{n} = a{0} ++ a{0};\n",
                    if n > 1 { (n - 1).to_string() } else { String::new() }
                )
            })
            .collect::<String>();
    let said = messages(&doubling, Severity::Error);
    assert_eq!(said, ["f:13:24 filter preevaluation, line 13: Too much memory in one run"]);
}

#[test]
fn constants_that_grow_out_of_one_another_come_to_an_end() {
    let said = |text: String| messages(&text, Severity::Error);
    let paths: String =
        (1..20_000).map(|n| format!("define p{n} = prepend(p{}, 1);\n", n - 1)).collect();
    let lists: String =
        (1..20_000).map(|n| format!("define p{n} = add(p{}, (1,2,{n}));\n", n - 1)).collect();
    let texts: String = (1..20_000).map(|n| format!("define p{n} = format(p0);\n")).collect();
    let chain = format!("define p1 = p0{};\n", ".prepend(1)".repeat(20_000));
    let numbers = (0..2000).map(|n| format!("{}", 2 * n)).collect::<Vec<_>>().join(", ");
    for (first, rest, most) in [
        ("+empty+", &paths, 4600),
        ("---empty---", &lists, 2700),
        (&format!("[{numbers}]"), &texts, 3000),
        ("+empty+", &chain, 2),
    ] {
        let said = said(format!("define p0 = {first};\n{rest}"));
        let end = said.iter().find(|said| said.ends_with("Constant expressions take too long"));
        let line: Option<usize> = end.and_then(|said| said.split(':').nth(1)?.parse().ok());
        assert!(line.is_some_and(|line| line <= most), "{most}: {:?}", &said[..said.len().min(3)]);
    }
}

#[test]
fn a_command_computes_less_than_a_configuration() {
    let text = "function count(bgppath p) -> int { int n = 0; for int a in p do for int b in p do \
        for int c in p do n = n + 1; return n; }\n";
    let path =
        |count: usize| format!("{}+empty+{}", "prepend(".repeat(count), ", 1)".repeat(count));
    let in_configuration = format!("{text}define x = count({});\n", path(50));
    assert!(messages(&in_configuration, Severity::Error).is_empty());
    let symbols = std::sync::Arc::new(parse(text).0.symbols);
    let eval = |text: &str| crate::evaluate(text, std::sync::Arc::clone(&symbols), None);
    assert_eq!(eval(&format!("count({})", path(20))).as_deref(), Ok("8000"));
    let refused = eval(&format!("count({})", path(50))).unwrap_err();
    assert_eq!(refused, "Too many calls and loops in one run");
}

#[test]
fn values_that_are_never_equal_are_warned_of() {
    let said = messages(
        "filter f { if net = 5 then accept; if from = 1.2.3.4 && bgp_path = +empty+ then accept; reject; }",
        Severity::Warning,
    );
    assert_eq!(said, ["f:1:15: prefix and int are never equal"]);
}

#[test]
fn one_mistake_in_a_definition_is_one_message() {
    let text = "define a = [1, x];\ndefine b = a;\nfunction g(int a, int b) -> bool { return true; }\n\
        filter f { if bgp_path ~ a then accept; if g(1, 2) then accept; reject; }\n";
    let said = messages(text, Severity::Error);
    assert_eq!(said.len(), 2, "{said:?}");
}
