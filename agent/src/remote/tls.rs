//! Verifies the panel's identity before it is sent anything: it must hold one of the pinned keys, or have a certificate
//! from a trusted authority.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::pin::KeyPin;
use super::trust;

/// The cryptography of TLS.
pub(crate) fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A connector for the pinned keys, or for certificate authorities if there are no pins.
pub(super) fn connector(pins: &[KeyPin], authorities: Option<&Path>) -> Result<TlsConnector, Error> {
    let provider = crypto_provider();
    let config =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let mut config = if pins.is_empty() {
        config.with_root_certificates(roots(authorities)).with_no_client_auth()
    } else {
        let verifier = Arc::new(Pinned { pins: pins.to_vec(), provider });
        config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots(authorities: Option<&Path>) -> RootCertStore {
    let all = trust::authorities(authorities).unwrap_or_else(|error| {
        tracing::warn!(%error, "only the public authorities are known");
        trust::public()
    });
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(all);
    roots
}

/// Accepts a key regardless of its certificate: renewing the certificate with the same key, for other names or dates,
/// changes nothing.
#[derive(Debug)]
struct Pinned {
    pins: Vec<KeyPin>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = webpki::EndEntityCert::try_from(end_entity)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let pin = KeyPin::of_spki(certificate.subject_public_key_info().as_ref());
        if self.pins.contains(&pin) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::General(format!("its key is {pin}, which is not the one in PANEL_PIN")))
    }

    // The peer must still prove that it holds the certificate's private key.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
