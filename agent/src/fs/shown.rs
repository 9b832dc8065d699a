//! Paths in messages.

/// A path of a game's in a message: readable, and short whatever the game did.
pub(crate) fn shown(path: &[u8]) -> String {
    /// Bytes at either end.
    const END: usize = 80;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).escape_debug().to_string();
    match path {
        path if path.len() <= 3 * END => text(path),
        path => format!("{}…{}", text(&path[..END]), text(&path[path.len() - END..])),
    }
}
