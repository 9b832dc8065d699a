//! Parser `file`: replaces each whole line that starts with the key by the value. If no line matches, nothing is added.
//! If two keys match a line, both values are written there in sequence. Conditions are ignored. Wings does the same.

use std::borrow::Cow;

use super::lines;
use super::settings::text_of;
use crate::model::Setting;

pub(super) fn set(body: &[u8], settings: &[Setting]) -> Vec<u8> {
    let mut lines = lines::read(body);
    for line in &mut lines {
        let fitting: Vec<&Setting> =
            settings.iter().filter(|setting| line.text.starts_with(setting.key.as_bytes())).collect();
        if !fitting.is_empty() {
            let value: String = fitting.into_iter().map(|setting| text_of(&setting.value)).collect();
            line.text = Cow::Owned(value.into_bytes());
        }
    }
    lines::write(&lines)
}
