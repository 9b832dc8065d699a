//! Edits the service's settings: a file of `NAME=value` lines, of which only the given ones are changed.

/// The text with these settings applied. A value replaces the first line with its name, or is appended; without a value
/// all lines with the name are removed. Other lines stay as they are.
pub(super) fn changed(text: &str, settings: &[(&str, Option<String>)]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (name, value) in settings {
        let is_it = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
        let at = lines.iter().position(|line| is_it(line)).unwrap_or(lines.len());
        lines.retain(|line| !is_it(line));
        if let Some(value) = value {
            lines.insert(at, format!("{name}={value}"));
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::changed;

    #[test]
    fn only_what_is_asked_for_changes() {
        let text = "# mine\nPORT=1\nBIND=::\nPORT=2\n#PORT=3\nPORTAL=x";
        let set = |name, value: &str| changed(text, &[(name, Some(value.to_owned()))]);
        assert_eq!(set("PORT", "4"), "# mine\nPORT=4\nBIND=::\n#PORT=3\nPORTAL=x\n");
        assert_eq!(
            set("DATA_DIR", "/a"),
            "# mine\nPORT=1\nBIND=::\nPORT=2\n#PORT=3\nPORTAL=x\nDATA_DIR=/a\n"
        );
        assert_eq!(changed(text, &[("PORT", None)]), "# mine\nBIND=::\n#PORT=3\nPORTAL=x\n");
        assert_eq!(changed("A=1\n", &[]), "A=1\n");
        assert_eq!(changed("", &[("A", None), ("B", Some("2".to_owned()))]), "B=2\n");
    }
}
