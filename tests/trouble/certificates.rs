//! The certificates an issuer may show, and how our authority comes to be trusted.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What an issuer may show. `tests/data/tls/make` makes them.
#[derive(Clone, Copy)]
pub(crate) enum Certificate {
    Good,
    SelfSigned,
    Expired,
    OtherHost,
}

impl Certificate {
    pub(crate) fn acceptor(self) -> TlsAcceptor {
        let name = match self {
            Certificate::Good => "good.pem",
            Certificate::SelfSigned => "self-signed.pem",
            Certificate::Expired => "expired.pem",
            Certificate::OtherHost => "other-host.pem",
        };
        let chain = CertificateDer::pem_file_iter(file(name)).expect("a PEM file");
        let chain = chain.collect::<Result<Vec<_>, _>>().expect("certificates");
        let key = PrivateKeyDer::from_pem_file(file("server.key.pem")).expect("a key");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("the key fits the certificate");
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Says where a program finds the authorities it trusts; it is read when an HTTPS client is made, and
/// no test may change the variables of its own process.
pub(crate) const TRUSTED: &str = "SSL_CERT_FILE";

pub(crate) fn authority() -> PathBuf {
    file("authority.pem")
}

/// Whether the gates of this process trust our authority.
pub(crate) fn are_trusted() -> bool {
    std::env::var_os(TRUSTED).is_some_and(|found| found == authority().as_os_str())
}

fn file(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    folder.join("tests/data/tls").join(name)
}
