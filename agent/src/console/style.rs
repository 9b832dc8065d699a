//! Text colours and attributes (SGR), as far as a console shows them.

use std::fmt::Write;

const BOLD: u8 = 1;
const DIM: u8 = 1 << 1;
const ITALIC: u8 = 1 << 2;
const UNDERLINE: u8 = 1 << 3;
const INVERSE: u8 = 1 << 4;
const STRIKE: u8 = 1 << 5;
/// Each attribute and the number that enables it.
const ON: [(u8, u8); 6] = [(BOLD, 1), (DIM, 2), (ITALIC, 3), (UNDERLINE, 4), (INVERSE, 7), (STRIKE, 9)];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Colour {
    #[default]
    Default,
    /// Index into the 256-colour palette.
    Index(u8),
    Rgb(u8, u8, u8),
}

/// The style of a character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    foreground: Colour,
    background: Colour,
    attributes: u8,
}

impl Style {
    /// No colour and no attributes.
    pub(super) const PLAIN: Self =
        Self { foreground: Colour::Default, background: Colour::Default, attributes: 0 };

    /// Whether this is the plain style.
    pub(super) fn is_plain(self) -> bool {
        self == Self::default()
    }

    /// Applies the parameters between `ESC [` and `m`; ignores unknown ones.
    pub(super) fn apply(&mut self, parameters: &str) {
        let mut groups = parameters.split(';');
        while let Some(group) = groups.next() {
            let mut parts = group.split(':');
            let code = number(parts.next());
            match code {
                // 58 sets the underline colour, which is not shown.
                38 | 48 | 58 => {
                    let colour = if group.contains(':') { in_one(&mut parts) } else { spread(&mut groups) };
                    match (code, colour) {
                        (38, Some(colour)) => self.foreground = colour,
                        (48, Some(colour)) => self.background = colour,
                        _ => {}
                    }
                }
                // `4:0` is no underline, `4:3` a wavy one.
                4 if parts.next() == Some("0") => self.attributes &= !UNDERLINE,
                code => self.set(code),
            }
        }
    }

    fn set(&mut self, code: u16) {
        match code {
            0 => *self = Self::default(),
            22 => self.attributes &= !(BOLD | DIM),
            23 => self.attributes &= !ITALIC,
            24 => self.attributes &= !UNDERLINE,
            27 => self.attributes &= !INVERSE,
            29 => self.attributes &= !STRIKE,
            30..=37 => self.foreground = palette(code - 30),
            39 => self.foreground = Colour::Default,
            40..=47 => self.background = palette(code - 40),
            49 => self.background = Colour::Default,
            90..=97 => self.foreground = palette(code - 82),
            100..=107 => self.background = palette(code - 92),
            code => {
                if let Some((bit, _)) = ON.iter().find(|(_, on)| u16::from(*on) == code) {
                    self.attributes |= bit;
                }
            }
        }
    }

    /// Writes the escape sequence that changes from `before` to this style.
    pub(super) fn write(self, before: Self, out: &mut String) {
        out.push_str("\u{1B}[");
        let start = out.len();
        if !before.is_plain() || self.is_plain() {
            out.push('0');
        }
        let separate = |out: &mut String| {
            if out.len() > start {
                out.push(';');
            }
        };
        for (bit, on) in ON {
            if self.attributes & bit != 0 {
                separate(out);
                // Writing to a string cannot fail.
                let _ = write!(out, "{on}");
            }
        }
        for (colour, base) in [(self.foreground, 30), (self.background, 40)] {
            if colour != Colour::Default {
                separate(out);
            }
            let _ = match colour {
                Colour::Default => Ok(()),
                Colour::Index(n @ 0..=7) => write!(out, "{}", base + n),
                Colour::Index(n @ 8..=15) => write!(out, "{}", base + 52 + n),
                Colour::Index(n) => write!(out, "{};5;{n}", base + 8),
                Colour::Rgb(r, g, b) => write!(out, "{};2;{r};{g};{b}", base + 8),
            };
        }
        out.push('m');
    }
}

fn palette(index: u16) -> Colour {
    u8::try_from(index).map_or(Colour::Default, Colour::Index)
}

/// The number; 0 if absent, `u16::MAX` (which has no meaning) if invalid.
fn number(text: Option<&str>) -> u16 {
    match text {
        None | Some("") => 0,
        Some(text) => text.parse().unwrap_or(u16::MAX),
    }
}

fn byte(text: Option<&str>) -> u8 {
    u8::try_from(number(text)).unwrap_or(u8::MAX)
}

/// Parses `5;N` or `2;R;G;B` from the following groups.
fn spread<'t>(groups: &mut impl Iterator<Item = &'t str>) -> Option<Colour> {
    match number(groups.next()) {
        5 => Some(Colour::Index(byte(groups.next()))),
        2 => Some(Colour::Rgb(byte(groups.next()), byte(groups.next()), byte(groups.next()))),
        _ => None,
    }
}

/// Parses `5:N`, `2:R:G:B`, or `2::R:G:B` with an empty colour space.
fn in_one<'t>(parts: &mut impl Iterator<Item = &'t str>) -> Option<Colour> {
    let kind = number(parts.next());
    let values: Vec<&str> = parts.take(4).collect();
    let at = |index: usize| byte(values.get(index).copied());
    match (kind, values.len()) {
        (5, 1..) => Some(Colour::Index(at(0))),
        (2, 4) => Some(Colour::Rgb(at(1), at(2), at(3))),
        (2, 3) => Some(Colour::Rgb(at(0), at(1), at(2))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(parameters: &[&str]) -> String {
        let mut style = Style::default();
        for one in parameters {
            style.apply(one);
        }
        let mut out = String::new();
        style.write(Style::default(), &mut out);
        out
    }

    #[test]
    fn what_is_applied_is_written() {
        for same in
            ["1;31", "38;5;208", "38;2;1;22;255", "1;2;3;4;7;9;38;2;255;255;255;48;2;255;255;255", "97;105"]
        {
            assert_eq!(after(&[same]), format!("\u{1B}[{same}m"));
        }
        assert_eq!(after(&["38:2::1:2:3"]), "\u{1B}[38;2;1;2;3m");
        assert_eq!(after(&["48:5:9"]), "\u{1B}[101m");
        assert_eq!(after(&["1;31", "22;39;4:3"]), "\u{1B}[4m");
        assert_eq!(after(&["4", "4:0"]), "\u{1B}[0m");
        for nothing in ["", "0", "1;", "5", "38", "999999", "58;5;1", "58:2::1:2:3", "38;9"] {
            assert_eq!(after(&[nothing]), "\u{1B}[0m", "{nothing}");
        }
    }
}
