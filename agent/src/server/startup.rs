//! Prepares the startup line for the shell.
//!
//! A game must receive the stop signal, and its end must be waited for. A single plain command becomes `exec LINE`, so
//! that the game is the process that receives the signal and whose exit code counts. Any other line (several commands,
//! a script) is preceded by a trap: a shell that is told to stop waits for the running command, then for whatever that
//! left behind, and runs nothing more. Without the trap the shell would die at once and take a world that is being
//! saved with it.

/// Waits until only the init process and this shell are left. If the signal interrupted a builtin such as `read`, the
/// status is 1: then the shell itself was stopped.
const TRAP: &str = "trap 'c=$?; [ $c = 1 ] && c=143; while set -- /proc/[0-9]*; [ $# -gt 2 ]; do sleep 0.1 || sleep 1; done; exit $c' \
                    HUP INT QUIT TERM\n";

/// Words that `exec` cannot run, or that must run in the shell itself.
const SHELL_WORDS: &[&str] = &[
    "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "function",
    "select", "time", "coproc", "{", "}", "!", "[[", "[", ":", ".", "alias", "bg", "break", "builtin", "cd",
    "command", "continue", "declare", "echo", "eval", "exec", "exit", "export", "false", "fg", "getopts",
    "hash", "jobs", "kill", "let", "local", "printf", "pushd", "popd", "pwd", "read", "readonly", "return",
    "set", "shift", "shopt", "source", "test", "times", "trap", "true", "type", "typeset", "ulimit", "umask",
    "unalias", "unset", "wait",
];

/// Programs that run a script.
const SHELLS: &[&str] = &["sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"];

/// Replaces `{{NAME}}` by `${NAME}`: the value is only passed through the environment and never parsed as shell.
pub(crate) fn variables(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("{{") {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        match after[2..].split_once("}}") {
            Some((name, tail)) if is_name(name) => {
                out.push_str("${");
                out.push_str(name);
                out.push('}');
                rest = tail;
            }
            _ => {
                out.push_str("{{");
                rest = &after[2..];
            }
        }
    }
    out + rest
}

/// Whether this is a variable name: `[A-Za-z_][A-Za-z0-9_]*`.
pub(crate) fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The argument of `/bin/sh -c`.
pub(crate) fn shell_line(startup: &str) -> String {
    let line = variables(startup.trim());
    if is_plain_command(&line) { format!("exec {line}") } else { format!("{TRAP}{line}") }
}

/// Whether the line is a single command: no script, nothing that needs the shell itself.
fn is_plain_command(line: &str) -> bool {
    let (mut single, mut double) = (false, false);
    let mut first = String::new();
    let mut in_first = true;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            '\\' if !single => match chars.next() {
                None | Some('\n') => return false,
                Some(next) => {
                    if in_first {
                        first.push(next);
                    }
                }
            },
            ';' | '&' | '|' | '\n' | '(' | ')' | '`' if !single && !double => return false,
            // A comment at the end is fine; at the start the whole line is one.
            '#' if !single && !double && first.is_empty() => return false,
            c if c.is_whitespace() && !single && !double => in_first = false,
            c if in_first => first.push(c),
            _ => {}
        }
    }
    let program = first.rsplit('/').next().unwrap_or_default();
    let script = SHELLS.contains(&program) || program.ends_with(".sh") || program.ends_with(".bash");
    let assignment = first.split_once('=').is_some_and(|(name, _)| is_name(name));
    !single
        && !double
        && !first.is_empty()
        && !script
        && !assignment
        && !SHELL_WORDS.contains(&first.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_variables_and_nothing_else_does() {
        assert_eq!(
            variables("java -Xmx{{SERVER_MEMORY}}M -jar {{JAR}}"),
            "java -Xmx${SERVER_MEMORY}M -jar ${JAR}"
        );
        for same in ["{{config.token}}", "{{ A }}", "{{}}", "{{1A}}", "{{A", "a}}b{{", "$(id) `id` ${A}"] {
            assert_eq!(variables(same), same);
        }
        assert_eq!(variables("{{{A}}}"), "{{{A}}}");
        assert_eq!(variables("{{x.y}} {{A}}"), "{{x.y}} ${A}");
    }

    #[test]
    fn one_plain_command_is_run_in_place_of_the_shell() {
        for line in [
            "./game",
            "java -jar server.jar nogui",
            "/usr/games/openttd -D 0.0.0.0:{{SERVER_PORT}}",
            "./game 'a;b' \"c|d & (e)\" f\\;g > log 2>&1 # no",
            "\"$JAVA\" -jar x",
        ] {
            // `2>&1` contains an `&`, so such a line is left to the shell, which also works.
            let plain = !line.contains("2>&1");
            assert_eq!(shell_line(line).starts_with("exec "), plain, "{line}");
        }
        assert_eq!(shell_line("  ./game {{A}} "), "exec ./game ${A}");
    }

    #[test]
    fn all_else_is_waited_for_by_the_shell() {
        for line in [
            "cd x && ./game",
            "./a; ./b",
            "./a | tee log",
            "./a &",
            "A=1 ./game",
            "if true; then ./game; fi",
            "while true; do ./game; done",
            "(./game)",
            "echo $(id)",
            "./start.sh",
            "bash start.sh",
            "/bin/sh -c './game'",
            "exec ./game",
            "cd x",
            "./game 'unfinished",
            "./game \\",
            "# nothing",
        ] {
            assert!(shell_line(line).starts_with("trap "), "{line}");
        }
    }
}
