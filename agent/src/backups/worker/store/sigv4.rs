//! AWS Signature Version 4 for S3 requests.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// Credentials and region.
pub(super) struct Keys {
    region: String,
    access_key: String,
    secret_key: String,
}

/// A request to be signed.
pub(super) struct Unsigned<'r> {
    pub(super) method: &'r str,
    /// The `Host` header.
    pub(super) host: &'r str,
    /// Percent-encoded.
    pub(super) path: &'r str,
    /// Sorted and percent-encoded.
    pub(super) query: &'r str,
    /// SHA-256 of the body in hex.
    pub(super) content: &'r str,
}

impl Keys {
    pub(super) fn new(region: &str, access_key: &str, secret_key: &str) -> Self {
        let region = if region.trim().is_empty() { "us-east-1" } else { region.trim() };
        Self {
            region: region.to_owned(),
            access_key: access_key.trim().to_owned(),
            secret_key: secret_key.trim().to_owned(),
        }
    }

    /// Returns the `x-amz-date` and `Authorization` headers.
    pub(super) fn sign(&self, request: &Unsigned<'_>, now: Timestamp) -> (String, String) {
        const SIGNED: &str = "host;x-amz-content-sha256;x-amz-date";
        let Unsigned { method, host, path, query, content } = request;
        let time: String = now.to_string().chars().take(19).filter(|one| !"-:".contains(*one)).collect();
        let time = format!("{time}Z");
        let day = time.get(..8).unwrap_or_default();
        let canonical = format!(
            "{method}\n{path}\n{query}\nhost:{host}\nx-amz-content-sha256:{content}\nx-amz-date:{time}\n\n{SIGNED}\n{content}"
        );
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hash(&[canonical.as_bytes()]));
        let mut key = mac(format!("AWS4{}", self.secret_key).as_bytes(), day.as_bytes());
        for part in [self.region.as_bytes(), b"s3", b"aws4_request", to_sign.as_bytes()] {
            key = mac(&key, part);
        }
        let signature = hex(&key);
        let header = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={SIGNED}, Signature={signature}",
            self.access_key
        );
        (time, header)
    }
}

/// The SHA-256 of these, in hex.
pub(super) fn hash(parts: &[impl AsRef<[u8]>]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_ref());
    }
    hex(&hash.finalize())
}

/// Percent-encodes as S3 requires.
pub(super) fn encode(text: &str, keep_slashes: bool) -> String {
    use std::fmt::Write;

    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || (keep_slashes && byte == b'/') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    // HMAC accepts keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of a GET of the list of a bucket in Amazon's documentation.
    #[test]
    fn a_signature_is_that_of_the_documentation() {
        let keys = Keys::new("us-east-1", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        let empty = hash(&[b""]);
        assert_eq!(empty, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let request = Unsigned {
            method: "GET",
            host: "examplebucket.s3.amazonaws.com",
            path: "/",
            query: "max-keys=2&prefix=J",
            content: &empty,
        };
        let (time, header) = keys.sign(&request, "2013-05-24T00:00:00Z".parse().unwrap());
        assert_eq!(time, "20130524T000000Z");
        assert!(
            header.ends_with("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
            "{header}"
        );
    }

    #[test]
    fn names_are_encoded() {
        assert_eq!(encode("a b/ü+", true), "a%20b/%C3%BC%2B");
        assert_eq!(encode("a/b", false), "a%2Fb");
    }
}
