//! A test certificate authority, which issues valid and invalid certificates.

use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate authority, only trusted by those that are given its certificate.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, both in PEM.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
    tls: Arc<ServerConfig>,
}

impl Issued {
    /// The TLS configuration of a server with this certificate.
    pub(crate) fn tls(&self) -> Option<Arc<ServerConfig>> {
        Some(Arc::clone(&self.tls))
    }
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, format!("Authority {:016x} of a test", rand::random::<u64>()));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its certificate in PEM.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Writes its certificate to a file.
    pub(crate) fn write(&self, path: &Path) {
        std::fs::write(path, self.pem()).unwrap();
    }

    /// Its own certificate, as a server without another one would present it.
    pub(crate) fn own(&self) -> Issued {
        let key = self.0.key();
        shown(self.pem(), self.0.der().clone(), key)
    }

    /// Issues a certificate for this name or address.
    pub(crate) fn issue(&self, name: &str) -> Issued {
        self.issue_until(name, 2060)
    }

    /// Issues a certificate that is valid until the beginning of this year.
    pub(crate) fn issue_until(&self, name: &str, year: i32) -> Issued {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2015, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        shown(certificate.pem(), certificate.der().clone(), &key)
    }
}

fn shown(certificate: String, der: CertificateDer<'static>, key: &KeyPair) -> Issued {
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![der], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    Issued { certificate, key: key.serialize_pem(), tls: Arc::new(tls) }
}
