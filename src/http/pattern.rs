//! Path patterns of endpoints, and the parameters of a request's path.

use percent_encoding::percent_decode_str;

/// A path split into segments.
pub(super) struct Pattern {
    segments: Vec<Segment>,
    parameters: usize,
}

enum Segment {
    Literal(&'static str),
    Parameter(&'static str),
}

impl Pattern {
    pub(super) fn new(path: &'static str) -> Self {
        let segments: Vec<_> = path
            .trim_start_matches('/')
            .split('/')
            .map(|part| match part.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => Segment::Parameter(name),
                None => Segment::Literal(part),
            })
            .collect();
        let parameters = segments.iter().filter(|segment| matches!(segment, Segment::Parameter(_))).count();
        Self { segments, parameters }
    }

    /// Number of parameters.
    pub(super) fn parameters(&self) -> usize {
        self.parameters
    }

    /// The parameters if the whole path matches.
    pub(super) fn matches(&self, path: &str) -> Option<Params> {
        let mut parts = path.strip_prefix('/')?.split('/');
        let mut values = Vec::new();
        for segment in &self.segments {
            let part = parts.next()?;
            match segment {
                Segment::Literal(literal) if *literal == part => {}
                Segment::Literal(_) => return None,
                Segment::Parameter(_) if part.is_empty() => return None,
                Segment::Parameter(name) => {
                    values.push((*name, percent_decode_str(part).decode_utf8().ok()?.into_owned()));
                }
            }
        }
        parts.next().is_none().then_some(Params(values))
    }
}

/// The parameters of a path in order: name and decoded value.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Params(Vec<(&'static str, String)>);

impl Params {
    pub(super) fn first(&self) -> &str {
        self.0.first().map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_paths_and_decode_parameters() {
        let pattern = Pattern::new("/api/servers/{id}/users/{user}");
        let values = |path| {
            let params = pattern.matches(path)?;
            Some(
                [params.first(), params.get("id"), params.get("user"), params.get("other")]
                    .map(str::to_owned),
            )
        };
        assert_eq!(values("/api/servers/a/users/b%20c"), Some(["a", "a", "b c", ""].map(str::to_owned)));
        assert_eq!(values("/api/servers/a/users"), None);
        assert_eq!(values("/api/servers/a/users/b/"), None);
        assert_eq!(values("/api/servers//users/b"), None);
        assert_eq!(values("/api/servers/%ff/users/b"), None);
    }
}
