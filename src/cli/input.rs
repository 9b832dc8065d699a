//! Input typed by the user.

use std::io::{self, BufRead, IsTerminal, Write};

pub(super) fn read_password(name: &str) -> io::Result<String> {
    let input = io::stdin();
    if !input.is_terminal() {
        return read_line(&mut input.lock());
    }
    let first = prompt(&format!("New password for {name}: "))?;
    let second = prompt("Once more: ")?;
    if first != second {
        return Err(io::Error::other("the two were not the same"));
    }
    Ok(first)
}

/// A password that exists already: asked for, or one line of standard input.
pub(super) fn read_known_password(question: &str) -> io::Result<String> {
    let input = io::stdin();
    if input.is_terminal() { prompt(question) } else { read_line(&mut input.lock()) }
}

/// One line, without its line break.
pub(super) fn read_line(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Prompts on the terminal without echo.
fn prompt(question: &str) -> io::Result<String> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let input = io::stdin();
    let shown = tcgetattr(&input)?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    let mut output = io::stderr();
    output.write_all(question.as_bytes())?;
    output.flush()?;
    tcsetattr(&input, OptionalActions::Flush, &hidden)?;
    let line = read_line(&mut input.lock());
    tcsetattr(&input, OptionalActions::Flush, &shown)?;
    output.write_all(b"\n")?;
    line
}
