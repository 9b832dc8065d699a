//! One line as a terminal shows it while it is written: redrawn text appears once, in its final state.
//!
//! Most lines are only appended to and are stored as received, including colours. The first backward movement (a
//! carriage return followed by text, a backspace, a cursor movement) converts the line into cells.

use super::style::Style;

/// Maximum bytes of a line; the rest is dropped.
pub const LINE_MAX: usize = 16 * 1024;

/// Maximum column for moving the cursor past the end of the text: the width of a wide terminal.
const COLUMNS: usize = 512;
/// Inserting and deleting shift the rest of the line; limited to the width of a wide terminal.
const SHIFTED: usize = 1024;
/// Columns per tab stop.
const TAB: usize = 8;

/// One cell of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    /// The character; [`FILLER`] if the character to the left covers this cell too.
    base: char,
    /// A combining mark; [`FILLER`] for none.
    mark: char,
    style: Style,
}

const FILLER: char = '\0';

const BLANK: Cell = Cell { base: ' ', mark: FILLER, style: Style::PLAIN };

/// A movement or erasure within the line; numbers as received, 0 if absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    Return,
    Back(usize),
    Forward(usize),
    /// Counted from 1.
    Column(usize),
    /// 0: from the cursor on, 1: up to it, 2: all.
    Erase(usize),
    /// Overwrites this many cells with blanks.
    Blank(usize),
    Delete(usize),
    Insert(usize),
}

/// A line that is being written.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The text as received; empty if there are cells.
    text: String,
    cells: Option<Box<Cells>>,
    /// The cursor returned to the beginning, and nothing was written since.
    returned: bool,
    /// It exceeds the maximum length; the rest is dropped.
    cut: bool,
}

#[derive(Debug, Default)]
struct Cells {
    cells: Vec<Cell>,
    column: usize,
    pen: Style,
}

impl Line {
    /// Whether it is empty.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.cells.is_none()
    }

    /// Whether nothing can be added at the cursor.
    pub(super) fn is_full(&self) -> bool {
        match &self.cells {
            Some(cells) => cells.column >= LINE_MAX,
            None => self.cut && !self.returned,
        }
    }

    /// Adds visible text and tabs.
    pub(super) fn visible(&mut self, text: &str) {
        if self.returned {
            self.make_cells();
        }
        let Some(cells) = &mut self.cells else {
            if self.cut {
                return;
            }
            let room = LINE_MAX - self.text.len();
            if text.len() <= room {
                self.text.push_str(text);
            } else {
                self.text.push_str(&text[..boundary(text, room)]);
                self.cut = true;
            }
            return;
        };
        for c in text.chars() {
            self.cut |= !cells.put(c);
        }
    }

    /// Sets the colour of the following text.
    pub(super) fn colour(&mut self, parameters: &str) {
        if self.returned {
            self.make_cells();
        }
        if let Some(cells) = &mut self.cells {
            cells.pen.apply(parameters);
        } else if !self.cut && self.text.len() + parameters.len() + 3 <= LINE_MAX {
            self.text.push_str("\u{1B}[");
            self.text.push_str(parameters);
            self.text.push('m');
        } else {
            self.cut = true;
        }
    }

    /// Applies a cursor movement or an erasure.
    pub(super) fn edit(&mut self, edit: Edit) {
        if self.cells.is_none() {
            let at_end = !self.returned;
            match edit {
                Edit::Return => {
                    self.returned = !self.text.is_empty();
                    return;
                }
                Edit::Column(0 | 1) if !self.text.is_empty() => {
                    self.returned = true;
                    return;
                }
                // There is nothing to change at the end.
                Edit::Erase(0) | Edit::Blank(_) | Edit::Delete(_) | Edit::Insert(_) if at_end => return,
                Edit::Back(_) if !at_end || self.text.is_empty() => return,
                Edit::Column(0 | 1) | Edit::Erase(_) if self.text.is_empty() => return,
                // A prompt that is replaced by a line.
                Edit::Erase(0 | 2) if memchr::memchr(0x1B, self.text.as_bytes()).is_none() && !at_end => {
                    self.clear();
                    return;
                }
                _ => self.make_cells(),
            }
        }
        if let Some(cells) = &mut self.cells {
            cells.edit(edit);
            if cells.cells.is_empty() && cells.column == 0 {
                let pen = cells.pen;
                self.clear();
                if !pen.is_plain() {
                    pen.write(Style::PLAIN, &mut self.text);
                }
            }
        }
    }

    /// Passes the line to `take`, and whether it was cut. Does not change it.
    pub(super) fn show<T>(&self, take: impl FnOnce(&str, bool) -> T) -> T {
        match &self.cells {
            None => take(&self.text, self.cut),
            Some(cells) => {
                let mut text = String::new();
                let whole = cells.render(&mut text);
                take(&text, self.cut || !whole)
            }
        }
    }

    /// Starts the next line.
    pub(super) fn clear(&mut self) {
        // Free the memory of a long line.
        if self.text.capacity() > LINE_MAX / 4 {
            self.text = String::new();
        }
        self.text.clear();
        self.cells = None;
        self.returned = false;
        self.cut = false;
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.text.capacity()
    }

    fn make_cells(&mut self) {
        let mut cells = Cells::default();
        for (at, part) in self.text.split('\u{1B}').enumerate() {
            let mut shown = part;
            if at > 0 {
                // Only `[…m` sequences are ever added.
                let (parameters, after) = part.split_once('m').unwrap_or((part, ""));
                cells.pen.apply(parameters.trim_start_matches('['));
                shown = after;
            }
            for c in shown.chars() {
                cells.put(c);
            }
        }
        if self.returned {
            cells.column = 0;
        }
        self.text = String::new();
        self.returned = false;
        self.cells = Some(Box::new(cells));
    }
}

impl Cells {
    /// Writes one character at the cursor; false if there is no room.
    fn put(&mut self, c: char) -> bool {
        let width = match c {
            '\t' => {
                self.column = (self.column / TAB + 1) * TAB;
                return true;
            }
            c => width(c),
        };
        if width == 0 {
            // A second mark on one character is dropped; there could be thousands.
            if let Some(cell) = self.column.checked_sub(1).and_then(|at| self.cells.get_mut(at))
                && cell.mark == FILLER
                && cell.base != FILLER
            {
                cell.mark = c;
            }
            return true;
        }
        if self.column + width > LINE_MAX {
            return false;
        }
        let cell = Cell { base: c, mark: FILLER, style: self.pen };
        self.set(self.column, cell);
        if width == 2 {
            self.set(self.column + 1, Cell { base: FILLER, ..cell });
        }
        self.column += width;
        true
    }

    fn set(&mut self, at: usize, cell: Cell) {
        if at > self.cells.len() {
            self.cells.resize(at, BLANK);
        }
        // Half of an overwritten wide character becomes a blank.
        if cell.base != FILLER && self.cells.get(at).is_some_and(|old| old.base == FILLER) && at > 0 {
            self.cells[at - 1].base = ' ';
        }
        if let Some(next) = self.cells.get_mut(at + 1)
            && next.base == FILLER
        {
            next.base = ' ';
        }
        match self.cells.get_mut(at) {
            Some(place) => *place = cell,
            None => self.cells.push(cell),
        }
    }

    fn edit(&mut self, edit: Edit) {
        let (len, at) = (self.cells.len(), self.column);
        let furthest = len.max(at).max(COLUMNS - 1);
        match edit {
            Edit::Return => self.column = 0,
            Edit::Back(n) => self.column = at.saturating_sub(n.max(1)),
            Edit::Forward(n) => self.column = at.saturating_add(n.max(1)).min(furthest),
            Edit::Column(n) => self.column = n.saturating_sub(1).min(furthest),
            Edit::Erase(0) => self.cells.truncate(at),
            Edit::Erase(1) => self.blank(0, at.saturating_add(1)),
            Edit::Erase(2) => self.cells.clear(),
            Edit::Erase(_) => {}
            Edit::Blank(n) => self.blank(at, at.saturating_add(n.max(1))),
            Edit::Delete(n) if at < len && len <= SHIFTED => {
                self.cells.drain(at..at.saturating_add(n.max(1)).min(len));
            }
            Edit::Insert(n) if at < len && len <= SHIFTED => {
                let n = n.clamp(1, SHIFTED);
                self.cells.splice(at..at, std::iter::repeat_n(BLANK, n));
                self.cells.truncate(len.max(SHIFTED));
            }
            Edit::Delete(_) | Edit::Insert(_) => {}
        }
    }

    fn blank(&mut self, from: usize, to: usize) {
        if to >= self.cells.len() {
            self.cells.truncate(from);
        } else if to - from <= SHIFTED {
            self.cells[from..to].fill(BLANK);
        }
    }

    /// Renders the cells as text; false if it does not fit.
    fn render(&self, out: &mut String) -> bool {
        /// Bytes of the longest escape plus the final reset; and of the reset alone.
        const CHANGE: usize = 56;
        const END: usize = 4;
        let mut style = Style::PLAIN;
        for cell in self.cells.iter().filter(|cell| cell.base != FILLER) {
            let mark = if cell.mark == FILLER { 0 } else { cell.mark.len_utf8() };
            let escape = match cell.style {
                new if new != style => CHANGE,
                Style::PLAIN => 0,
                _ => END,
            };
            if out.len() + cell.base.len_utf8() + mark + escape > LINE_MAX {
                return close(style, out, false);
            }
            if cell.style != style {
                cell.style.write(style, out);
                style = cell.style;
            }
            out.push(cell.base);
            if cell.mark != FILLER {
                out.push(cell.mark);
            }
        }
        close(style, out, true)
    }
}

fn close(style: Style, out: &mut String, whole: bool) -> bool {
    if !style.is_plain() {
        Style::PLAIN.write(style, out);
    }
    whole
}

/// Columns of a character, approximately as in terminals.
fn width(c: char) -> usize {
    match u32::from(c) {
        0..=0x2FF => 1,
        0x300..=0x36F | 0x483..=0x489 | 0x591..=0x5BD | 0x610..=0x61A | 0x64B..=0x65F => 0,
        0x200B..=0x200F | 0x20D0..=0x20F0 | 0xFE00..=0xFE0F | 0xFE20..=0xFE2F | 0xFEFF => 0,
        0x1F3FB..=0x1F3FF | 0xE0100..=0xE01EF => 0,
        0x1100..=0x115F | 0x2E80..=0x303E | 0x3041..=0xA4CF | 0xA960..=0xA97F | 0xAC00..=0xD7A3 => 2,
        0xF900..=0xFAFF | 0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 => 2,
        0x1F300..=0x1F64F | 0x1F680..=0x1F6FF | 0x1F900..=0x1F9FF | 0x1FA70..=0x1FAFF | 0x20000..=0x3FFFD => {
            2
        }
        _ => 1,
    }
}

/// The last character boundary that is not after `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
