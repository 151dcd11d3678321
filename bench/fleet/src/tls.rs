//! TLS of stations, as the plan has it.

use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::plan::Tls;

/// What a TLS connection is made with.
#[derive(Clone)]
pub struct Client {
    pub connector: TlsConnector,
    pub server_name: ServerName<'static>,
}

/// # Errors
/// One line that names the field of the plan and what is wrong with its file.
pub fn client(tls: &Tls) -> Result<Client, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("tls.ca", &tls.ca)? {
        roots.add(certificate).map_err(|error| format!("tls.ca: {error}"))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("tls: {error}"))?
        .with_root_certificates(roots);
    let mut config = match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => {
            let key =
                PrivateKeyDer::from_pem_file(key).map_err(|error| format!("tls.key: {}: {error}", key.display()))?;
            builder
                .with_client_auth_cert(certificates("tls.certificate", certificate)?, key)
                .map_err(|error| format!("tls.certificate: {error}"))?
        }
        _ => builder.with_no_client_auth(),
    };
    if !tls.resume {
        config.resumption = Resumption::disabled();
    }
    let server_name =
        ServerName::try_from(tls.server_name.clone()).map_err(|error| format!("tls.server_name: {error}"))?;
    Ok(Client { connector: TlsConnector::from(Arc::new(config)), server_name })
}

fn certificates(field: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |error| format!("{field}: {}: {error}", path.display());
    let found = CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    if found.is_empty() { Err(format!("{field}: {}: no certificate in it", path.display())) } else { Ok(found) }
}
