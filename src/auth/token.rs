//! The session token: a JWT that names a session and proves nothing else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use storage::Millis;

use super::known::KEPT;

/// The only scope accepted by the API.
const SCOPE: &str = "session";
/// Tolerance for a clock that was set back.
const LEEWAY_SECONDS: i64 = 60;
/// Longest token that is checked, in bytes.
const MAX_BYTES: usize = 2048;

/// Claims of a token.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    sid: String,
    scope: String,
    iat: i64,
    exp: i64,
}

/// Signs and reads tokens.
pub(super) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    /// Tokens with a valid signature, by their SHA-256; never invalidated. Their time and session are checked at each
    /// use.
    verified: Mutex<HashMap<[u8; 32], Arc<Named>>>,
}

/// A token with a valid signature that is in time. The store tells whether its session still exists.
#[derive(Debug, PartialEq)]
pub(super) struct Named {
    pub(super) user_id: String,
    pub(super) session_id: String,
    issued_at: i64,
    expires_at: i64,
}

impl Named {
    fn in_time(&self, now: Millis) -> bool {
        self.expires_at > now / 1000
    }

    /// Whether `iat` is not in the future, except for the session's own token after the clock was set back.
    pub(super) fn issued_in_time(&self, now: Millis, created_at: Millis) -> bool {
        self.issued_at <= (now / 1000).saturating_add(LEEWAY_SECONDS) || self.issued_at == created_at / 1000
    }
}

impl Tokens {
    pub(super) fn new(secret: &[u8]) -> Self {
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            verified: Mutex::default(),
        }
    }

    pub(super) fn sign(
        &self,
        user_id: &str,
        session_id: &str,
        now: Millis,
        until: Millis,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims {
            sub: user_id.to_owned(),
            sid: session_id.to_owned(),
            scope: SCOPE.to_owned(),
            iat: now / 1000,
            exp: until / 1000,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
    }

    /// Accepts only HS256 with all claims exactly once, in time, and the right scope.
    pub(super) fn read(&self, token: &str, now: Millis) -> Option<Arc<Named>> {
        if token.len() > MAX_BYTES {
            return None;
        }
        let hash: [u8; 32] = Sha256::digest(token).into();
        let known = self.verified().get(&hash).cloned();
        if let Some(named) = known {
            return named.in_time(now).then_some(named);
        }
        let named = Arc::new(self.verify(token)?);
        if !named.in_time(now) {
            return None;
        }
        let mut verified = self.verified();
        if verified.len() >= KEPT {
            verified.clear();
        }
        verified.insert(hash, Arc::clone(&named));
        Some(named)
    }

    fn verified(&self) -> MutexGuard<'_, HashMap<[u8; 32], Arc<Named>>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Verifies the signature and reads the claims; does not check the time.
    fn verify(&self, token: &str) -> Option<Named> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "sub"]);
        // Time is checked against the clock passed by the caller.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation).ok()?.claims;
        (claims.scope == SCOPE && claims.exp > claims.iat).then_some(Named {
            user_id: claims.sub,
            session_id: claims.sid,
            issued_at: claims.iat,
            expires_at: claims.exp,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: Millis = 1_800_000_000_000;
    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn signed(header: &Header, claims: &Value, secret: &[u8]) -> String {
        jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(secret)).unwrap()
    }

    fn claims() -> Value {
        json!({"sub": "u", "sid": "s", "scope": "session", "iat": NOW / 1000, "exp": NOW / 1000 + 60})
    }

    #[test]
    fn its_own_tokens_are_read() {
        let tokens = Tokens::new(SECRET);
        let token = tokens.sign("u", "s", NOW, NOW + 60_000).unwrap();
        let named = tokens.read(&token, NOW).unwrap();
        assert_eq!((named.user_id.as_str(), named.session_id.as_str()), ("u", "s"));
        assert!(named.issued_in_time(NOW, 0));
        assert_eq!(tokens.read(&token, NOW + 61_000), None, "past its end");
        let other = format!("{}A", &token[..token.len() - 1]);
        assert!(other == token || tokens.read(&other, NOW).is_none(), "known is the whole of it");
    }

    #[test]
    fn what_is_kept_of_tokens_is_bounded() {
        let tokens = Tokens::new(SECRET);
        for n in 0..=KEPT {
            let token = tokens.sign("u", &format!("{n}"), NOW, NOW + 60_000).unwrap();
            assert_eq!(tokens.read(&token, NOW).unwrap().session_id, format!("{n}"));
        }
        assert!(!tokens.read("forged", NOW).is_some_and(|_| true));
        assert_eq!(tokens.verified().len(), 1);
    }

    #[test]
    fn a_token_from_the_future_is_only_the_sessions_own() {
        let tokens = Tokens::new(SECRET);
        let token = tokens.sign("u", "s", NOW, NOW + 60_000).unwrap();
        let hour_before = NOW - 3_600_000;
        let named = tokens.read(&token, hour_before).unwrap();
        assert!(!named.issued_in_time(hour_before, hour_before));
        assert!(named.issued_in_time(hour_before, NOW), "the clock was set back");
    }

    #[test]
    fn anything_else_is_not() {
        let tokens = Tokens::new(SECRET);
        let hs256 = Header::new(Algorithm::HS256);
        assert!(tokens.read(&signed(&hs256, &claims(), SECRET), NOW).is_some());
        assert!(tokens.read(&signed(&hs256, &claims(), b"other"), NOW).is_none());
        assert!(tokens.read(&signed(&Header::new(Algorithm::HS512), &claims(), SECRET), NOW).is_none());
        for missing in ["sub", "sid", "scope", "iat", "exp"] {
            let mut some = claims();
            some.as_object_mut().unwrap().remove(missing);
            assert!(tokens.read(&signed(&hs256, &some, SECRET), NOW).is_none(), "{missing}");
        }
        for (key, value) in [
            ("scope", json!("download")),
            ("scope", json!(["session"])),
            ("exp", json!("never")),
            ("exp", json!(NOW / 1000 - 1)),
            ("iat", json!(NOW / 1000 + 3600)), // after its own expiry
            ("sid", json!(7)),
        ] {
            let mut wrong = claims();
            wrong[key] = value;
            assert!(tokens.read(&signed(&hs256, &wrong, SECRET), NOW).is_none(), "{key}");
        }
        for garbage in ["", ".", "..", "a.b.c", &"x".repeat(10_000)] {
            assert!(tokens.read(garbage, NOW).is_none());
        }
    }

    #[test]
    fn alg_none_is_refused() {
        // {"alg":"none","typ":"JWT"} with the right claims and no signature.
        let body = signed(&Header::new(Algorithm::HS256), &claims(), SECRET);
        let payload = body.split('.').nth(1).unwrap();
        let token = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
        assert!(Tokens::new(SECRET).read(&token, NOW).is_none());
    }

    #[test]
    fn a_claim_that_is_there_twice_is_refused() {
        use jsonwebtoken::crypto::sign;
        // {"alg":"HS256"} . {"sub":"a","sub":"u",…}: validly signed, but refused.
        let header = "eyJhbGciOiJIUzI1NiJ9";
        let payload = "eyJzdWIiOiJhIiwic3ViIjoidSIsInNpZCI6InMiLCJzY29wZSI6InNlc3Npb24iLCJpYXQiOjE4MDAwMDAwMDAsImV4cCI6MTgwMDAwMDA2MH0";
        let message = format!("{header}.{payload}");
        let signature =
            sign(message.as_bytes(), &EncodingKey::from_secret(SECRET), Algorithm::HS256).unwrap();
        assert!(Tokens::new(SECRET).read(&format!("{message}.{signature}"), NOW).is_none());
    }
}
