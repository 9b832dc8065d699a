//! The trusted certificate authorities: the public ones, and those that the machine's owner adds. Used for panels that
//! agents connect to and for everything this program downloads.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};

use rustls::CertificateError;
use rustls::pki_types::CertificateDer;

/// A file of certificate authorities is unusable.
#[derive(Debug, thiserror::Error)]
#[error("SSL_CERT_FILE {}: {problem}", path.display())]
pub struct BadAuthorities {
    /// Path of the file.
    pub path: PathBuf,
    /// Why it cannot be used.
    pub problem: String,
}

/// The built-in authorities, with those of this file (PEM) or, without one, of the machine's store. Reads files.
///
/// # Errors
/// The file cannot be read or contains no certificate.
pub fn authorities(file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, BadAuthorities> {
    let mut all = public();
    let Some(path) = file else {
        // The machine's owner may have added an authority to its store.
        all.extend(rustls_native_certs::load_native_certs().certs);
        return Ok(all);
    };
    let found = rustls_native_certs::load_certs_from_paths(Some(path), None);
    if found.certs.is_empty() {
        let problem = found
            .errors
            .first()
            .map_or_else(|| "there is no certificate in it".to_owned(), |error| error.to_string());
        return Err(BadAuthorities { path: path.to_owned(), problem });
    }
    all.extend(found.certs);
    Ok(all)
}

/// Only the built-in authorities.
pub(super) fn public() -> Vec<CertificateDer<'static>> {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS.to_vec()
}

/// Why a certificate was not accepted, in a message for the machine's owner; `None` for other errors.
pub fn cert_error(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
            return Some(words(why));
        }
        // The error inside an `io::Error` is not its `source`; get it directly.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = inner.map(|inner| inner as &(dyn StdError + 'static)).or_else(|| error.source());
    }
    None
}

fn words(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => {
            "its certificate is of an authority that is not known here; SSL_CERT_FILE names a file with more of them"
                .to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired, or the clock here is wrong".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet, or the clock here is wrong".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name".to_owned()
        }
        CertificateError::Other(inner) if inner.0.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity) => {
            "its certificate is an authority's own (a self-signed one), and none that an authority has made for it".to_owned()
        }
        other => format!("its certificate is no good ({other})"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_file_adds_to_the_public_ones_or_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("more.pem");
        let refused = authorities(Some(&path)).unwrap_err().to_string();
        assert!(refused.contains("more.pem") && refused.contains("SSL_CERT_FILE"), "{refused}");
        std::fs::write(&path, "no certificate\n").unwrap();
        let refused = authorities(Some(&path)).unwrap_err().to_string();
        assert!(refused.contains("there is no certificate in it"), "{refused}");
        assert!(authorities(None).unwrap().len() >= public().len());
        assert!(public().len() > 100);
    }

    #[test]
    fn what_was_wrong_is_found_below_other_errors() {
        let below = |why| {
            let tls = rustls::Error::InvalidCertificate(why);
            std::io::Error::other(std::io::Error::new(std::io::ErrorKind::InvalidData, tls))
        };
        let why = cert_error(&below(CertificateError::UnknownIssuer)).unwrap();
        assert!(why.contains("SSL_CERT_FILE"), "{why}");
        assert!(cert_error(&below(CertificateError::NotValidForName)).unwrap().contains("another name"));
        let own = CertificateError::Other(rustls::OtherError(Arc::new(webpki::Error::CaUsedAsEndEntity)));
        assert!(cert_error(&below(own)).unwrap().contains("self-signed"));
        assert!(cert_error(&below(CertificateError::BadEncoding)).unwrap().contains("no good"));
        assert_eq!(cert_error(&std::io::Error::other("cut off")), None);
    }
}
