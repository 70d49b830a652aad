//! Whom we believe to be the relay: public certificate authorities, or the shop's own.

use std::sync::Arc;

use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};

use crate::channel::tls::client_config;
use crate::config::mail::{Mail, Tls};

/// How a connection is protected, ready for use.
pub(super) enum Protection {
    /// Not at all.
    None,
    /// By lettre's STARTTLS.
    Starttls(TlsParameters),
    /// TLS from the first byte.
    Implicit(tokio_rustls::TlsConnector, ServerName<'static>),
}

impl Protection {
    /// Reads the certificate authority, if one is named.
    pub(super) fn new(mail: &Mail) -> Result<Self, String> {
        let own_authority = if mail.ca_file.is_empty() { Vec::new() } else { read_authority(&mail.ca_file)? };
        match mail.tls {
            Tls::None => Ok(Self::None),
            Tls::Starttls => starttls(&mail.host, own_authority).map(Self::Starttls),
            Tls::Implicit => {
                let name = ServerName::try_from(mail.host.clone()).map_err(|_| format!("mail.host: '{}' is not a host name for TLS", mail.host))?;
                let config = client_config(own_authority).map_err(|error| format!("mail.ca_file: {error}"))?;
                Ok(Self::Implicit(Arc::new(config).into(), name))
            }
        }
    }
}

fn read_authority(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(format!("mail.ca_file: {file}: no certificate in it: expected PEM, -----BEGIN CERTIFICATE-----")),
        Err(error) => Err(format!("mail.ca_file: {file}: {error}")),
    }
}

fn starttls(host: &str, own_authority: Vec<CertificateDer<'static>>) -> Result<TlsParameters, String> {
    let store = if own_authority.is_empty() { CertificateStore::WebpkiRoots } else { CertificateStore::None };
    let mut builder = TlsParameters::builder(host.to_owned()).certificate_store(store);
    for certificate in own_authority {
        builder = builder.add_root_certificate(Certificate::from_der(certificate.to_vec()).map_err(|error| format!("mail.ca_file: {error}"))?);
    }
    builder.build_rustls().map_err(|error| format!("mail.ca_file: {error}"))
}
