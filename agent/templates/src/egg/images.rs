//! The images of an egg. Their key is different in every version of the format.

use super::error::ImportError;
use super::reading::{Reading, Version};
use super::warning::Code;
use crate::model::{Image, NO_IMAGE};
use crate::text;
use crate::value::Value;

/// Whether the key `image` is the icon: it is the container image in PTDL_v1, and the icon in Pelican's formats.
pub(super) fn image_is_icon(egg: &Value, version: Version) -> bool {
    let looks = egg.get("image").and_then(Value::as_str).is_some_and(|image| {
        image.starts_with("data:") || image.starts_with("http://") || image.starts_with("https://")
    });
    looks || (version != Version::Ptdl1 && egg.get("docker_images").is_some_and(|images| !images.is_empty()))
}

pub(super) fn images(reading: &mut Reading<'_>) -> Result<Vec<Image>, ImportError> {
    let egg = reading.egg;
    let mut list = Vec::new();
    for key in ["docker_images", "images"] {
        match egg.get(key) {
            Some(Value::Map(entries)) => {
                for (label, value) in entries {
                    let Some(reference) = reading.entry(key, label, value) else { continue };
                    push(&mut list, label, &reference);
                }
            }
            Some(Value::List(plain)) => {
                for reference in plain.iter().filter_map(Value::scalar) {
                    push(&mut list, &reference, &reference);
                }
            }
            Some(Value::String(one)) => push(&mut list, one, one),
            _ => {}
        }
    }
    if list.is_empty() && !image_is_icon(egg, reading.version) {
        let one = reading.text(egg.get("image"), "image");
        push(&mut list, &one, &one);
    }
    if list.is_empty() {
        reading.warnings.add(
            Code::MissingImage,
            "docker_images",
            "no image is named: choose one before the first start",
        );
        push(&mut list, NO_IMAGE, NO_IMAGE);
    }
    for image in &list {
        if image.reference.len() > 500 || image.reference.contains(char::is_whitespace) {
            return Err(ImportError::bad(
                "docker_images",
                format!("not an image: {}", text::line(&image.reference, 80)),
            ));
        }
    }
    Ok(list)
}

fn push(list: &mut Vec<Image>, label: &str, written: &str) {
    let written = written.trim();
    // In wings, a tilde marks a local image, which is not pulled.
    let (local, reference) = written.strip_prefix('~').map_or((false, written), |rest| (true, rest));
    if !reference.is_empty() && list.len() < 200 {
        let label = text::line(label.trim_start_matches('~'), 191);
        list.push(Image {
            label: if label.is_empty() { reference.to_owned() } else { label },
            reference: reference.to_owned(),
            local,
        });
    }
}
