//! Each rule with valid and invalid values.

use super::{Field, Rules, field, split};
use crate::model::Variable;

#[test]
fn each_rule_takes_and_refuses() {
    for (rules, good, bad) in [
        ("required", &["a"][..], &["", "  "][..]),
        ("nullable|integer", &["", "5", "-5"], &["5.5", "a", "1e3"]),
        ("int", &["7"], &["x"]),
        ("numeric", &["1", "-1.5", "1e3"], &["a", "1a", "inf", "NaN"]),
        ("boolean", &["0", "1", "true", "false"], &["yes", "2"]),
        ("numeric|min:5|max:10", &["5", "10", "7.5"], &["4", "11"]),
        ("string|min:2|max:3", &["ab", "äöü"], &["a", "abcd"]),
        ("required|integer|between:1,64", &["1", "64"], &["0", "65", ""]),
        ("between:1,3", &["999"], &["9999"]),
        ("in:a,b c,\"d,e\"", &["a", "b c", "d,e"], &["c", "d"]),
        ("not_in:a,b", &["c"], &["a"]),
        ("alpha_num|size:4", &["ab12"], &["ab1", "ab-1"]),
        ("alpha_dash", &["a-b_c"], &["a b", "a.b"]),
        ("digits_between:1,3", &["0", "999"], &["1000", "-1", "a"]),
        ("url", &["https://example.com/a", "http://1.2.3.4"], &["example.com", "https://", "https://a b"]),
        ("integer|gt:3", &["4"], &["3"]),
        ("ends_with:.jar,.zip", &["a.jar"], &["a.exe"]),
        ("regex:/^([\\w\\d._-]+)(\\.jar)$/", &["server.jar"], &["server.exe", "a b.jar"]),
        ("regex:/^(a|b)$/i", &["A"], &["c"]),
        ("present|string", &["", "x"], &[]),
        ("required|string|", &["x"], &[""]),
    ] {
        let parsed = Rules::parse(&split(rules));
        assert_eq!(parsed.unknown(), [""; 0], "{rules}");
        for value in good {
            assert_eq!(parsed.check(value), Ok(()), "{rules} {value}");
        }
        for value in bad {
            let broken = parsed.check(value).expect_err(&format!("{rules} {value}"));
            assert!(!broken.sentence().contains("breaks the rule"), "{}", broken.code);
        }
    }
}

#[test]
fn what_is_not_known_is_told() {
    let rules = Rules::parse(&["required", "frobnicate:1", "max:x", "regex:/(?=a)/"]);
    assert_eq!(rules.unknown(), ["frobnicate:1", "max:x", "regex:/(?=a)/"]);
    let broken = Rules::parse(&["integer", "between:1,64"]).check("99").expect_err("too much");
    assert_eq!((broken.code, broken.sentence().as_str()), ("between_number", "must be between 1 and 64"));
}

#[test]
fn expressions_hold_together() {
    assert_eq!(split("required|regex:/^(a|b)$/|max:3"), ["required", "regex:/^(a|b)$/", "max:3"]);
    assert_eq!(split("regex:/a|b"), ["regex:/a", "b"]);
    assert_eq!(split("||a|"), ["a"]);
}

#[test]
fn each_variable_has_its_field() {
    let of = |name: &str, default: &str, rules: &[&str]| {
        let rules = rules.iter().map(|rule| (*rule).to_owned()).collect();
        field(&Variable { name: name.into(), default: default.into(), rules, ..Variable::default() })
    };
    assert_eq!(of("A", "1", &["boolean"]), Field::Switch { on: "1".into(), off: "0".into() });
    assert_eq!(
        of("A", "true", &["required", "in:true,false"]),
        Field::Switch { on: "true".into(), off: "false".into() }
    );
    assert_eq!(of("A", "x", &["in:x,y"]), Field::Choice { options: vec!["x".into(), "y".into()] });
    let number = Field::Number { min: Some(1.0), max: Some(64.0), integer: true };
    assert_eq!(of("A", "1", &["integer", "between:1,64"]), number);
    assert_eq!(of("A", "", &["string", "max:20"]), Field::Text { max_length: Some(20.0) });
    assert_eq!(of("RCON_PASSWORD", "", &["max:20"]), Field::Secret { max_length: Some(20.0) });
}
