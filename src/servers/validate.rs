//! Validates a server's settings. All errors are collected, each under the path of its key.

use std::collections::{BTreeMap, BTreeSet};

use ::templates::rules::{self, Rules};
use storage::servers::{Limits, Port, Protocol};

use super::body::{self, LimitsRequest, PortRequest};
use crate::error::ApiError;
use crate::templates::Template;

const NAME_CHARACTERS: usize = 80;
const STARTUP_BYTES: usize = 8 * 1024;
const IMAGE_BYTES: usize = 255;
const VARIABLES: usize = 200;
const ENVIRONMENT_BYTES: usize = 32 * 1024;
const PORTS: usize = 100;
const COMMAND_BYTES: usize = 4000;
/// Smallest memory limit in bytes. Docker refuses less than 6 MiB; no game runs in less than this.
const LEAST_MEMORY: i64 = 16 << 20;
/// Largest size in bytes: one pebibyte. More is a typing error, and much more would overflow.
const MOST_BYTES: i64 = 1 << 50;
/// Largest processor limit in percent of one core: a thousand cores.
const MOST_CPU: i64 = 100_000;
/// Half of what a kernel has for all of a small machine.
const MOST_PROCESSES: i64 = 16_384;

/// The errors of a request, by path.
#[derive(Debug, Default)]
pub(super) struct ValidationErrors(BTreeMap<String, String>);

impl ValidationErrors {
    pub(super) fn add(&mut self, path: impl Into<String>, problem: impl Into<String>) {
        self.0.entry(path.into()).or_insert_with(|| problem.into());
    }

    pub(super) fn into_map(self) -> BTreeMap<String, String> {
        self.0
    }

    /// The value, or 422 if there are errors.
    pub(super) fn or<T>(self, value: T) -> Result<T, ApiError> {
        if self.0.is_empty() { Ok(value) } else { Err(ApiError::fields(self.0)) }
    }
}

pub(super) fn name(name: &str, faults: &mut ValidationErrors) {
    let length = name.chars().count();
    if !(1..=NAME_CHARACTERS).contains(&length) || name.trim().is_empty() {
        faults.add("name", format!("must have 1 to {NAME_CHARACTERS} characters"));
    } else if name.chars().any(char::is_control) {
        faults.add("name", "must not contain control characters");
    }
}

pub(super) fn startup(line: &str, faults: &mut ValidationErrors) {
    if line.len() > STARTUP_BYTES {
        faults.add("startup", format!("must have at most {STARTUP_BYTES} bytes"));
    } else if line.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        faults.add("startup", "must not contain control characters");
    }
}

pub(super) fn image(image: &str, faults: &mut ValidationErrors) {
    if !is_image_reference(image) {
        faults.add("image", "must be an image reference, such as docker.io/library/busybox:1.37");
    }
}

/// Whether `image` has the form `[host[:port]/]path[:tag][@sha256:…]`, which engines and shells read in only one way.
fn is_image_reference(image: &str) -> bool {
    if image.is_empty() || image.len() > IMAGE_BYTES {
        return false;
    }
    let (rest, digest) = match image.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (image, None),
    };
    let hex = |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if digest.is_some_and(|digest| !digest.strip_prefix("sha256:").is_some_and(hex)) {
        return false;
    }
    let (path, tag) = match rest.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (rest, None),
    };
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let is_tag = |tag: &str| {
        tag.len() <= 128
            && tag.bytes().next().is_some_and(word)
            && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
    };
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return false;
    }
    let mut parts = path.split('/').peekable();
    if let Some(first) = parts.peek()
        && path.contains('/')
        && (first.contains(['.', ':']) || *first == "localhost")
    {
        let (host, port) = first.split_once(':').unwrap_or((first, "1"));
        let is_host = !host.is_empty()
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
            && !host.starts_with(['-', '.']);
        if !is_host || port.parse::<u16>().is_err() {
            return false;
        }
        parts.next();
    }
    parts.all(is_path_part)
}

fn is_path_part(part: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    bytes.first().copied().is_some_and(plain)
        && bytes.last().copied().is_some_and(plain)
        && bytes.iter().all(|&b| plain(b) || matches!(b, b'.' | b'_' | b'-'))
        && !part.contains("..")
}

/// Validates names and sizes, then the rules of the template's variables.
pub(super) fn environment(
    environment: &BTreeMap<String, String>,
    template: Option<&Template>,
    faults: &mut ValidationErrors,
) {
    if environment.len() > VARIABLES {
        faults.add("environment", format!("must have at most {VARIABLES} variables"));
        return;
    }
    let bytes: usize = environment.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > ENVIRONMENT_BYTES {
        faults.add("environment", format!("must have at most {ENVIRONMENT_BYTES} bytes together"));
        return;
    }
    for (key, value) in environment {
        let path = format!("environment.{}", shown(key));
        if !is_variable_name(key) {
            faults.add(path, "is no name for a variable: letters, digits and _, and no digit first");
        } else if value.contains('\0') {
            faults.add(path, "must not contain a NUL");
        }
    }
    for variable in template.map(|template| template.variables.as_slice()).unwrap_or_default() {
        let value = environment.get(&variable.env_variable).map_or("", String::as_str);
        if let Err(broken) = Rules::parse(&rules::split(&variable.rules)).check(value) {
            faults.add(format!("environment.{}", variable.env_variable), broken.sentence());
        }
    }
}

/// A variable name, shortened and cleaned for a message.
pub(super) fn shown(key: &str) -> String {
    key.chars().filter(|c| !c.is_control()).take(64).collect()
}

fn is_variable_name(name: &str) -> bool {
    name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Applies the given limits to the existing ones.
pub(super) fn limits(base: Limits, given: &LimitsRequest, faults: &mut ValidationErrors) -> Limits {
    let limits = Limits {
        memory: given.memory.unwrap_or(base.memory),
        swap: given.swap.unwrap_or(base.swap),
        disk: given.disk.unwrap_or(base.disk),
        io: given.io.unwrap_or(base.io),
        cpu: given.cpu.unwrap_or(base.cpu),
        processes: given.processes.unwrap_or(base.processes),
    };
    if limits.memory != 0 && limits.memory < LEAST_MEMORY {
        faults.add("limits.memory", format!("must be 0 for no limit, or at least {LEAST_MEMORY}"));
    }
    for (path, value, least, most) in [
        ("limits.memory", limits.memory, 0, MOST_BYTES),
        ("limits.swap", limits.swap, -1, MOST_BYTES),
        ("limits.disk", limits.disk, 0, MOST_BYTES),
        ("limits.io", limits.io, 10, 1000),
        ("limits.cpu", limits.cpu, 0, MOST_CPU),
        ("limits.processes", limits.processes, 16, MOST_PROCESSES),
    ] {
        if !(least..=most).contains(&value) {
            faults.add(path, format!("must be from {least} to {most}"));
        }
    }
    limits
}

pub(super) fn ports(given: &[PortRequest], faults: &mut ValidationErrors) -> Vec<Port> {
    if given.len() > PORTS {
        faults.add("ports", format!("must be at most {PORTS}"));
        return Vec::new();
    }
    let mut taken = BTreeSet::new();
    let mut ports = Vec::with_capacity(given.len());
    for (at, port) in given.iter().enumerate() {
        let mut number = |key: &str, value: i64| {
            u16::try_from(value).ok().filter(|number| *number > 0).unwrap_or_else(|| {
                faults.add(format!("ports[{at}].{key}"), "must be from 1 to 65535");
                0
            })
        };
        let (internal, external) = (number("internal", port.internal), number("external", port.external));
        let protocol = match port.protocol {
            body::Protocol::Tcp => Protocol::Tcp,
            body::Protocol::Udp => Protocol::Udp,
        };
        if external != 0 && !taken.insert((external, protocol)) {
            faults.add(format!("ports[{at}].external"), "is there twice");
        }
        ports.push(Port { internal, external, protocol });
    }
    ports
}

pub(super) fn command(line: &str) -> Result<(), ApiError> {
    match command_problem(line) {
        None => Ok(()),
        Some(problem) => Err(ApiError::field("command", problem)),
    }
}

/// Why a line cannot be sent to a game's console; `None` if it can.
pub(super) fn command_problem(line: &str) -> Option<String> {
    if line.is_empty() || line.len() > COMMAND_BYTES {
        return Some(format!("must have 1 to {COMMAND_BYTES} bytes"));
    }
    line.chars().any(char::is_control).then(|| "must be one line without control characters".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(check: impl FnOnce(&mut ValidationErrors)) -> Vec<String> {
        let mut faults = ValidationErrors::default();
        check(&mut faults);
        faults.into_map().into_keys().collect()
    }

    #[test]
    fn names_are_short_and_printable() {
        for good in ["a", "Neue Wält ✨", "<img src=x>", "{{config.token}}", &"é".repeat(80)] {
            assert!(faults(|f| name(good, f)).is_empty(), "{good}");
        }
        for bad in ["", "  ", "a\u{7}", "a\nb", "\u{9b}31m", &"x".repeat(81)] {
            assert_eq!(faults(|f| name(bad, f)), ["name"], "{bad:?}");
        }
    }

    #[test]
    fn only_image_references_are_images() {
        for good in [
            "b",
            "busybox",
            "busybox:1.37",
            "docker.io/library/busybox",
            "ghcr.io/a/b_c/d-e.f:v1.2-x",
            "localhost/test:1",
            "127.0.0.1:5000/no/such:image",
            "ctrl-alt-play-test/busybox:latest",
            &format!("busybox@sha256:{}", "a".repeat(64)),
        ] {
            assert!(is_image_reference(good), "{good}");
        }
        for bad in [
            "",
            "x --privileged",
            "-v",
            "Upper",
            "a//b",
            "/a",
            "a/",
            "a:",
            "a:b:c",
            "a@sha256:1",
            "a\nb",
            "$(id)",
            "../x",
            "a..b",
            "host:99999/x",
            &"a".repeat(256),
        ] {
            assert!(!is_image_reference(bad), "{bad}");
        }
    }

    #[test]
    fn limits_have_bounds_and_keep_what_is_left_out() {
        let base = Limits { memory: 64 << 20, cpu: 50, ..Limits::default() };
        let given = LimitsRequest { cpu: Some(75), ..LimitsRequest::default() };
        let mut none = ValidationErrors::default();
        assert_eq!(limits(base, &given, &mut none), Limits { cpu: 75, ..base });
        assert!(none.into_map().is_empty());
        let one = |given: LimitsRequest| {
            faults(|f| {
                limits(Limits::default(), &given, f);
            })
        };
        for memory in [1, -1, (16 << 20) - 1, i64::MAX, i64::MIN] {
            assert_eq!(one(LimitsRequest { memory: Some(memory), ..given }), ["limits.memory"], "{memory}");
        }
        assert!(one(LimitsRequest { memory: Some(16 << 20), swap: Some(-1), ..given }).is_empty());
        assert_eq!(
            one(LimitsRequest {
                swap: Some(-2),
                io: Some(9),
                cpu: Some(-1),
                disk: Some(-1),
                processes: Some(15),
                ..given
            }),
            ["limits.cpu", "limits.disk", "limits.io", "limits.processes", "limits.swap"]
        );
        assert_eq!(one(LimitsRequest { io: Some(1001), ..given }), ["limits.io"]);
    }

    #[test]
    fn environments_are_bounded_and_named_properly() {
        let one = |key: &str, value: &str| {
            faults(|f| environment(&BTreeMap::from([(key.to_owned(), value.to_owned())]), None, f))
        };
        assert!(one("_A9", "{{x}} $(id) `id` \n").is_empty());
        assert_eq!(one("1A", "x"), ["environment.1A"]);
        assert_eq!(one("A-B", "x"), ["environment.A-B"]);
        assert_eq!(one("", "x"), ["environment."]);
        assert_eq!(one("A", "a\0b"), ["environment.A"]);
        assert_eq!(one("A", &"x".repeat(40_000)), ["environment"]);
        let many = (0..201).map(|n| (format!("A{n}"), String::new())).collect();
        assert_eq!(faults(|f| environment(&many, None, f)), ["environment"]);
    }

    #[test]
    fn ports_have_numbers_and_are_there_once() {
        let port = |internal, external| PortRequest { internal, external, protocol: body::Protocol::Tcp };
        assert_eq!(
            faults(|f| drop(ports(&[port(0, 65_536), port(-1, 80), port(1, 80)], f))),
            ["ports[0].external", "ports[0].internal", "ports[1].internal", "ports[2].external"]
        );
        let both = [port(1, 80), PortRequest { protocol: body::Protocol::Udp, ..port(1, 80) }];
        assert!(faults(|f| drop(ports(&both, f))).is_empty());
    }

    #[test]
    fn commands_are_one_line() {
        for good in ["a", "say <b> $(id) é", &"x".repeat(4000)] {
            assert!(command(good).is_ok(), "{good}");
        }
        for bad in ["", "a\nb", "a\rb", "\u{1b}[2J", "\u{7f}", "\u{85}", &"x".repeat(4001)] {
            assert!(command(bad).is_err(), "{bad:?}");
        }
    }
}
