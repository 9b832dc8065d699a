//! Icons of templates. An image from outside (an upload, or the `data:` URL of an egg) is never served as it is: it is
//! decoded within limits, scaled down and encoded again, so that only its pixels remain. Only raster images are
//! accepted.

use std::io::Cursor;
use std::num::NonZeroU64;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::sync::Semaphore;

use crate::error::{ApiError, Code};

/// Largest image file in bytes.
pub(super) const MOST_BYTES: usize = 1 << 20;
/// Largest width or height of an image, in pixels.
const LONGEST_SIDE: usize = 2_048;
/// Memory limit of a decoder, in bytes.
const DECODER_BYTES: usize = 32 << 20;
/// Largest width or height of an icon, in pixels.
const SIDE: usize = 256;
/// How many images are decoded at a time; each may use `DECODER_BYTES` plus its pixels.
static AT_ONCE: Semaphore = Semaphore::const_new(2);
/// Prefixes of `data:` URLs with images.
const KINDS: [&str; 4] = [
    "data:image/png;base64,",
    "data:image/jpeg;base64,",
    "data:image/gif;base64,",
    "data:image/webp;base64,",
];

/// Why an image cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum IconError {
    /// Not a known image format.
    #[error("An icon has to be a picture: PNG, JPEG, GIF or WebP.")]
    Unknown,
    /// The format is known, but the image cannot be decoded.
    #[error("This picture cannot be read.")]
    Broken,
    /// Too many pixels.
    #[error("A picture has {LONGEST_SIDE} by {LONGEST_SIDE} points at most.")]
    TooLarge,
}

impl From<IconError> for ApiError {
    fn from(error: IconError) -> Self {
        Self::new(Code::UnsupportedMediaType, error.to_string())
    }
}

/// Pixels as RGBA.
struct Picture {
    width: usize,
    height: usize,
    points: Vec<u8>,
}

/// Whether this is the `data:` URL of an image that can be shown.
pub(super) fn is_shown(address: &str) -> bool {
    KINDS.iter().any(|kind| address.starts_with(kind)) && address.len() <= MOST_BYTES / 3 * 4 + 64
}

/// Converts the image in a `data:` URL to a small PNG.
pub(super) async fn of_address(address: String) -> Result<Vec<u8>, ApiError> {
    let data = KINDS.iter().find_map(|kind| address.strip_prefix(kind)).ok_or(IconError::Unknown)?;
    let bytes = BASE64_STANDARD.decode(data.trim()).map_err(|_| IconError::Broken)?;
    small(bytes).await
}

/// The `data:` URL of a PNG.
pub(super) fn address_of(png: &[u8]) -> String {
    format!("{}{}", KINDS[0], BASE64_STANDARD.encode(png))
}

/// Converts an image to a small PNG.
pub(super) async fn small(bytes: Vec<u8>) -> Result<Vec<u8>, ApiError> {
    let _turn = AT_ONCE.acquire().await.map_err(|cause| ApiError::internal("waiting for a turn", &cause))?;
    let made = tokio::task::spawn_blocking(move || encode(&shrink(decode(&bytes)?))).await;
    Ok(made.map_err(|cause| ApiError::internal("reading a picture", &cause))??)
}

fn decode(bytes: &[u8]) -> Result<Picture, IconError> {
    if bytes.len() > MOST_BYTES {
        return Err(IconError::TooLarge);
    }
    // By content, whatever the file name or content type says.
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => of_png(bytes),
        [0xff, 0xd8, 0xff, ..] => of_jpeg(bytes),
        [b'G', b'I', b'F', b'8', ..] => of_gif(bytes),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => of_webp(bytes),
        _ => Err(IconError::Unknown),
    }
}

fn bounded(width: usize, height: usize) -> Result<(usize, usize), IconError> {
    match (width, height) {
        (0, _) | (_, 0) => Err(IconError::Broken),
        (width, height) if width.max(height) > LONGEST_SIDE => Err(IconError::TooLarge),
        sides => Ok(sides),
    }
}

fn of_png(bytes: &[u8]) -> Result<Picture, IconError> {
    let broken = |_: png::DecodingError| IconError::Broken;
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: DECODER_BYTES });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(png::Transformations::normalize_to_color8() | png::Transformations::ALPHA);
    let header = decoder.read_header_info().map_err(broken)?;
    let (width, height) = bounded(header.width as usize, header.height as usize)?;
    let mut reader = decoder.read_info().map_err(broken)?;
    let mut raw = vec![0; reader.output_buffer_size().ok_or(IconError::TooLarge)?];
    let frame = reader.next_frame(&mut raw).map_err(broken)?;
    let points = match frame.color_type {
        png::ColorType::Rgba => raw,
        png::ColorType::GrayscaleAlpha => {
            raw.chunks_exact(2).flat_map(|point| [point[0], point[0], point[0], point[1]]).collect()
        }
        _ => return Err(IconError::Broken),
    };
    whole(Picture { width, height, points })
}

fn of_jpeg(bytes: &[u8]) -> Result<Picture, IconError> {
    use zune_jpeg::zune_core::bytestream::ZCursor;
    use zune_jpeg::zune_core::colorspace::ColorSpace;
    use zune_jpeg::zune_core::options::DecoderOptions;
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGBA);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|_| IconError::Broken)?;
    let info = decoder.info().ok_or(IconError::Broken)?;
    let (width, height) = bounded(info.width.into(), info.height.into())?;
    let points = decoder.decode().map_err(|_| IconError::Broken)?;
    whole(Picture { width, height, points })
}

/// The first frame, drawn on the canvas.
fn of_gif(bytes: &[u8]) -> Result<Picture, IconError> {
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    if let Some(limit) = NonZeroU64::new(DECODER_BYTES as u64) {
        options.set_memory_limit(gif::MemoryLimit::Bytes(limit));
    }
    let mut decoder = options.read_info(Cursor::new(bytes)).map_err(|_| IconError::Broken)?;
    let (width, height) = bounded(decoder.width().into(), decoder.height().into())?;
    let frame = decoder.read_next_frame().map_err(|_| IconError::Broken)?.ok_or(IconError::Broken)?;
    let mut points = vec![0; width * height * 4];
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let row = usize::from(frame.width) * 4;
    if row == 0 {
        return Err(IconError::Broken);
    }
    let shown = width.saturating_sub(left).min(usize::from(frame.width)) * 4;
    for (at, line) in frame.buffer.chunks_exact(row).enumerate().take(height.saturating_sub(top)) {
        let start = ((top + at) * width + left) * 4;
        if let Some(place) = points.get_mut(start..start + shown) {
            place.copy_from_slice(&line[..shown]);
        }
    }
    whole(Picture { width, height, points })
}

fn of_webp(bytes: &[u8]) -> Result<Picture, IconError> {
    let broken = |_: image_webp::DecodingError| IconError::Broken;
    let mut decoder = image_webp::WebPDecoder::new(Cursor::new(bytes)).map_err(broken)?;
    decoder.set_memory_limit(DECODER_BYTES);
    let (width, height) = decoder.dimensions();
    let (width, height) = bounded(width as usize, height as usize)?;
    let mut raw = vec![0; decoder.output_buffer_size().ok_or(IconError::TooLarge)?];
    decoder.read_image(&mut raw).map_err(broken)?;
    let points = match decoder.has_alpha() {
        true => raw,
        false => raw.chunks_exact(3).flat_map(|point| [point[0], point[1], point[2], u8::MAX]).collect(),
    };
    whole(Picture { width, height, points })
}

fn whole(picture: Picture) -> Result<Picture, IconError> {
    if picture.points.len() == picture.width * picture.height * 4 {
        Ok(picture)
    } else {
        Err(IconError::Broken)
    }
}

/// Scales down so that no side exceeds `SIDE`. Each pixel is the average of those it replaces, weighted by opacity.
fn shrink(picture: Picture) -> Picture {
    let longest = picture.width.max(picture.height);
    if longest <= SIDE {
        return picture;
    }
    let scaled = |side: usize| (side * SIDE / longest).max(1);
    let (width, height) = (scaled(picture.width), scaled(picture.height));
    let mut points = Vec::with_capacity(width * height * 4);
    for y in 0..height {
        let rows = y * picture.height / height
            ..((y + 1) * picture.height / height).max(y * picture.height / height + 1);
        for x in 0..width {
            let from = x * picture.width / width;
            let columns = from..((x + 1) * picture.width / width).max(from + 1);
            points.extend(mean(&picture, rows.clone(), columns));
        }
    }
    Picture { width, height, points }
}

fn mean(picture: &Picture, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>) -> [u8; 4] {
    let (mut sums, mut opacity, mut count) = ([0_u64; 3], 0_u64, 0_u64);
    for y in rows {
        let line =
            &picture.points[(y * picture.width + columns.start) * 4..(y * picture.width + columns.end) * 4];
        for point in line.chunks_exact(4) {
            let alpha = u64::from(point[3]);
            sums.iter_mut().zip(point).for_each(|(sum, part)| *sum += u64::from(*part) * alpha);
            opacity += alpha;
            count += 1;
        }
    }
    let part = |sum: u64| u8::try_from(sum / opacity.max(1)).unwrap_or(u8::MAX);
    [part(sums[0]), part(sums[1]), part(sums[2]), u8::try_from(opacity / count.max(1)).unwrap_or(u8::MAX)]
}

fn encode(picture: &Picture) -> Result<Vec<u8>, IconError> {
    let side = |side: usize| u32::try_from(side).map_err(|_| IconError::TooLarge);
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, side(picture.width)?, side(picture.height)?);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(|_| IconError::Broken)?;
    writer.write_image_data(&picture.points).map_err(|_| IconError::Broken)?;
    writer.finish().map_err(|_| IconError::Broken)?;
    Ok(png)
}

#[cfg(test)]
mod tests;
