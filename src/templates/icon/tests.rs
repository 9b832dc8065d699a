use super::*;

fn png_of(width: usize, height: usize, point: [u8; 4]) -> Vec<u8> {
    encode(&Picture { width, height, points: point.repeat(width * height) }).unwrap()
}

/// Red pixels in the other formats.
const GIF: &str = "R0lGODdhAQABAPAAAP8AAAAAACwAAAAAAQABAAACAkQBADs=";
const WEBP: &str = "UklGRhwAAABXRUJQVlA4TA8AAAAvAUAAAAcQ/Y/+ByKi/wEA";
const JPEG: &str = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\
    AQEBAQEBAQEBAQEBAQH/2wBDAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\
    AQEBAQEBAQH/wAARCAACAAIDAREAAhEBAxEB/8QAFAABAAAAAAAAAAAAAAAAAAAACf/EABQQAQAAAAAAAAAAAAAAAAAAAAD/xAAV\
    AQEBAAAAAAAAAAAAAAAAAAAJCv/EABQRAQAAAAAAAAAAAAAAAAAAAAD/2gAMAwEAAhEDEQA/ABfFOv4f/9k=";

fn decoded(text: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(text).unwrap()
}

#[test]
fn each_form_becomes_the_same_points() {
    for (name, bytes) in [("gif", decoded(GIF)), ("webp", decoded(WEBP)), ("jpeg", decoded(JPEG))] {
        let picture = decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(picture.width == picture.height && picture.width <= 2, "{name}");
        let [red, green, blue, opacity] = *picture.points.first_chunk::<4>().unwrap();
        assert!(
            red > 250 && green < 5 && blue < 5 && opacity == 255,
            "{name}: {red} {green} {blue} {opacity}"
        );
    }
}

#[test]
fn a_large_one_becomes_small_and_keeps_its_form() {
    let small = shrink(decode(&png_of(2_000, 500, [10, 20, 30, 255])).unwrap());
    assert_eq!((small.width, small.height), (256, 64));
    assert!(small.points.chunks_exact(4).all(|point| point == [10, 20, 30, 255]));
    let thin = shrink(decode(&png_of(2_048, 1, [1, 2, 3, 0])).unwrap());
    assert_eq!((thin.width, thin.height, thin.points.len()), (256, 1, 1_024));
    // Fully transparent pixels do not affect the colour.
    let mut points = [255, 0, 0, 255].repeat(512 * 512);
    points.chunks_exact_mut(8).for_each(|pair| pair[4..].copy_from_slice(&[0, 255, 0, 0]));
    let half = shrink(Picture { width: 512, height: 512, points });
    assert_eq!(half.points[..4], [255, 0, 0, 127]);
    let again = decode(&encode(&half).unwrap()).unwrap();
    assert_eq!(again.points, half.points);
}

#[test]
fn what_is_no_picture_is_refused() {
    let texts: [&[u8]; 7] = [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<!doctype html><script>",
        b"<?php phpinfo();",
        b"BM6",
        b"\0\0\x01\0",
        b"%PDF-1.4",
    ];
    for text in texts {
        assert_eq!(decode(text).err(), Some(IconError::Unknown));
    }
    for start in [&b"\x89PNG\r\n\x1a\n"[..], b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\x04\0\0\0WEBP"] {
        // The letters are read as its width and height, which may be too large.
        let error = decode(&[start, b"<script>alert(1)</script>"].concat()).err();
        assert!(matches!(error, Some(IconError::Broken | IconError::TooLarge)), "{error:?}");
    }
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    // A few bytes that declare 60,000 by 60,000 pixels.
    let mut png = Vec::new();
    let encoder = png::Encoder::new(&mut png, 60_000, 60_000);
    drop(encoder.write_header().unwrap());
    assert_eq!(decode(&png).err(), Some(IconError::TooLarge));
    let mut gif = decoded(GIF);
    gif[6..10].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    assert_eq!(decode(&gif).err(), Some(IconError::TooLarge));
    assert_eq!(decode(&vec![0x89; MOST_BYTES + 1]).err(), Some(IconError::TooLarge));
}

#[test]
fn an_address_of_an_egg_is_shown_where_it_is_a_picture() {
    assert!(is_shown(&address_of(&png_of(1, 1, [0; 4]))));
    for address in
        ["data:image/svg+xml;base64,AAAA", "https://example.org/a.png", "data:text/html;base64,AAAA", ""]
    {
        assert!(!is_shown(address), "{address}");
    }
}

#[test]
fn what_is_behind_the_points_is_gone() {
    let mut picture = png_of(4, 4, [1, 2, 3, 255]);
    picture.extend(b"<script>alert(1)</script>");
    let made = encode(&shrink(decode(&picture).unwrap())).unwrap();
    assert!(!made.windows(8).any(|part| part == b"<script>"));
}
