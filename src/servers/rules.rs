//! The rules of a template's variables, as eggs write them: `required|integer|between:1,64`. Rules that are not known
//! here hold nothing up.

/// Says what is wrong with a value, `None` being one that is not given.
pub(super) fn check(rules: &str, value: Option<&str>) -> Result<(), String> {
    let rules = split(rules);
    let has = |name: &str| rules.iter().any(|rule| rule.name == name);
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return if has("required") { Err("is needed".into()) } else { Ok(()) };
    };
    let number = has("integer") || has("int") || has("numeric");
    rules.iter().try_for_each(|rule| rule.check(value, number))
}

struct Rule<'a> {
    name: &'a str,
    with: &'a str,
}

/// An expression may itself contain bars, so `regex:` goes to its closing delimiter.
fn split(rules: &str) -> Vec<Rule<'_>> {
    let mut found = Vec::new();
    let mut rest = rules;
    while !rest.is_empty() {
        let end = if rest.starts_with("regex:") {
            end_of_regex(rest)
        } else {
            rest.find('|').unwrap_or(rest.len())
        };
        let (rule, after) = rest.split_at(end);
        let (name, with) = rule.split_once(':').unwrap_or((rule, ""));
        found.push(Rule { name: name.trim(), with });
        rest = after.strip_prefix('|').unwrap_or("");
    }
    found
}

/// `regex:/a|b/i|max:5` ends before the bar that follows the closing slash and its flags.
fn end_of_regex(rest: &str) -> usize {
    let body = &rest["regex:".len()..];
    let delimiter = body.chars().next().unwrap_or('/');
    let closing = body.rmatch_indices(delimiter).find(|(at, _)| {
        let flags = &body[at + delimiter.len_utf8()..];
        let flags = flags.split('|').next().unwrap_or("");
        *at > 0 && flags.bytes().all(|b| b.is_ascii_lowercase())
    });
    closing.map_or(rest.len(), |(at, _)| {
        let after = at + delimiter.len_utf8();
        "regex:".len() + after + body[after..].find('|').unwrap_or(body.len() - after)
    })
}

impl Rule<'_> {
    fn check(&self, value: &str, number: bool) -> Result<(), String> {
        let said = |fine: bool, problem: &str| if fine { Ok(()) } else { Err(problem.to_owned()) };
        let all = |test: fn(char) -> bool| value.chars().all(test);
        match self.name {
            "integer" | "int" => said(value.parse::<i64>().is_ok(), "must be a whole number"),
            "numeric" => said(value.parse::<f64>().is_ok_and(f64::is_finite), "must be a number"),
            "boolean" | "bool" => {
                said(matches!(value, "0" | "1" | "true" | "false"), "must be 0, 1, true or false")
            }
            "alpha" => said(all(char::is_alphabetic), "must have letters only"),
            "alpha_num" => said(all(char::is_alphanumeric), "must have letters and digits only"),
            "alpha_dash" => said(
                all(|c| c.is_alphanumeric() || c == '-' || c == '_'),
                "must have letters, digits, - and _ only",
            ),
            "min" => self.size(value, number, Some(self.with), None),
            "max" => self.size(value, number, None, Some(self.with)),
            "size" => self.size(value, number, Some(self.with), Some(self.with)),
            "between" => {
                let (least, most) = self.with.split_once(',').unwrap_or((self.with, ""));
                self.size(value, number, Some(least), Some(most))
            }
            "digits_between" => {
                let (least, most) = self.with.split_once(',').unwrap_or((self.with, ""));
                said(all(|c| c.is_ascii_digit()), "must have digits only")?;
                self.size(value, false, Some(least), Some(most))
            }
            "in" => {
                let fine = self.with.split(',').any(|choice| choice.trim() == value);
                said(fine, &format!("must be one of {}", self.with))
            }
            "not_in" => {
                said(!self.with.split(',').any(|choice| choice.trim() == value), "must be something else")
            }
            "regex" => said(matches_regex(self.with, value), "does not have the form that is asked for"),
            _ => Ok(()),
        }
    }

    /// Of a number its value, of text its length.
    fn size(&self, value: &str, number: bool, least: Option<&str>, most: Option<&str>) -> Result<(), String> {
        let size = if number { value.parse::<f64>().ok() } else { Some(value.chars().count() as f64) };
        let Some(size) = size else { return Ok(()) };
        let bound = |text: Option<&str>| text.and_then(|text| text.trim().parse::<f64>().ok());
        let what = if number { "" } else { " characters" };
        match (bound(least), bound(most)) {
            (Some(least), _) if size < least => Err(format!("must be at least {least}{what}")),
            (_, Some(most)) if size > most => Err(format!("must be at most {most}{what}")),
            _ => Ok(()),
        }
    }
}

/// `/^[a-z]+$/i`. An expression that this engine does not know (it is one without look-around) holds nothing up.
fn matches_regex(text: &str, value: &str) -> bool {
    let delimiter = text.chars().next().unwrap_or('/');
    let Some((pattern, flags)) = text.strip_prefix(delimiter).and_then(|rest| rest.rsplit_once(delimiter))
    else {
        return true;
    };
    let insensitive = flags.contains('i');
    let built =
        regex_lite::RegexBuilder::new(pattern).case_insensitive(insensitive).size_limit(1 << 20).build();
    built.map_or(true, |regex| regex.is_match(value))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn each_rule_holds() {
        for (rules, good, bad) in [
            ("required|string|max:3", "abc", "abcd"),
            ("required|integer", "-7", "7.5"),
            ("numeric|min:1", "1.5", "0"),
            ("required|integer|between:1024,65535", "1024", "80"),
            ("boolean", "true", "yes"),
            ("in:easy,normal,hard", "normal", "Hard"),
            ("alpha_dash", "a-b_1", "a b"),
            ("digits_between:2,4", "123", "12345"),
            ("regex:/^(a|b)+$/|max:3", "abb", "abc"),
            ("regex:/^(a|b)+$/|max:3", "ab", "abab"),
            ("regex:/^[A-Z]+$/i", "ab", "a1"),
            ("not_in:admin,root", "jo", "root"),
            ("size:2", "ab", "abc"),
        ] {
            assert_eq!(check(rules, Some(good)), Ok(()), "{rules}: {good}");
            assert!(check(rules, Some(bad)).is_err(), "{rules}: {bad}");
        }
    }

    #[test]
    fn what_is_not_needed_may_be_empty() {
        assert!(check("required|string", None).is_err());
        assert!(check("required|string", Some("")).is_err());
        assert_eq!(check("nullable|integer|between:1,2", None), Ok(()));
        assert_eq!(check("integer", Some("")), Ok(()));
        assert_eq!(check("", Some("x")), Ok(()));
    }

    #[test]
    fn unknown_rules_hold_nothing_up() {
        assert_eq!(check("url|sometimes|regex:/(?<=a)b/|regex:|between:x", Some("b")), Ok(()));
    }
}
