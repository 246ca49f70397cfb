//! The request that leaves: what the sender wrote, what this side adds to it, and what is asked of a lease besides sending.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use http_body_util::Full;

use super::super::har::{Entry, Redactor, known};
use super::super::judge::{Asked, judge};
use super::super::lease::{Credential, Rule};
use super::super::refusal::{EgressError, Fault, Refusal};
use super::super::target::{Ambiguous, Target};
use super::super::vault::Secret;
use super::{Outgoing, Session};

/// What this side of the wall adds to a request: nothing of it is the sender's, and no sender may set it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Own {
    /// Fields: cookies, conditions, what it can unpack.
    pub(crate) fields: HeaderMap,
    /// The body with the secrets in it, in place of the sender's, which has none.
    pub(crate) body: Option<Bytes>,
    /// What must not be written down, should it come back in an address or a field.
    pub(crate) hidden: Vec<Secret>,
    /// The method and address of a page on whose behalf `/robots.txt` of its origin is asked for.
    pub(crate) robots_for: Option<(Method, Target)>,
}

impl Session {
    /// As it goes over the line.
    pub(super) fn request(
        &self,
        target: &Target,
        rule: &Rule,
        (outgoing, own): &(Outgoing, Own),
        secret: Option<&Secret>,
        absolute: bool,
    ) -> Result<http::Request<Full<Bytes>>, EgressError> {
        let line = if absolute { target.to_string() } else { target.path_and_query() };
        let mut request = http::Request::new(Full::new(own.body.as_ref().unwrap_or(&outgoing.body).clone()));
        *request.method_mut() = outgoing.method.clone();
        *request.uri_mut() =
            line.parse().map_err(|_| Refusal::Address(Ambiguous("it cannot be sent as it is")))?;
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("abide/", env!("CARGO_PKG_VERSION"))),
        );
        // What the sender sets replaces that, but not the host, which is no field of the sender's, nor who it is where the lease says so.
        headers.extend(outgoing.headers.clone());
        headers.extend(own.fields.clone());
        let value =
            |text: String| HeaderValue::from_str(&text).map_err(|error| Fault::Broken(error.to_string()));
        if let Some(manners) = &self.0.lease.manners {
            headers.insert(header::USER_AGENT, value(manners.user_agent(env!("CARGO_PKG_VERSION")))?);
        }
        headers.insert(header::HOST, value(target.origin.host_header())?);
        if let (Some(credential), Some(secret)) = (&rule.credential, secret) {
            headers.insert(credential.header.clone(), value_of(credential, secret)?);
        }
        Ok(request)
    }

    /// Where a request goes, if the lease allows it as it stands. Nothing is counted or written down.
    pub(crate) fn allows(&self, outgoing: &Outgoing) -> Result<Target, Refusal> {
        let target = Target::parse(&outgoing.url).map_err(Refusal::Address)?;
        self.rule(outgoing, &target)?;
        Ok(target)
    }

    /// Whether a request carries something of the vault.
    pub(crate) fn is_credentialed(&self, outgoing: &Outgoing) -> bool {
        let target = Target::parse(&outgoing.url).ok();
        target.is_some_and(|target| self.rule(outgoing, &target).is_ok_and(|rule| rule.credential.is_some()))
    }

    fn rule(&self, outgoing: &Outgoing, target: &Target) -> Result<&Rule, Refusal> {
        let (method, headers, body_bytes) = (&outgoing.method, &outgoing.headers, outgoing.body.len());
        judge(&self.0.lease, &Asked { method, target, headers, body_bytes }, self.taint())
    }

    /// Writes down a request that is not sent, for what is kept to besides the lease. It counts, as any that is refused.
    pub(crate) fn refuse(&self, outgoing: &Outgoing, refusal: Refusal) -> EgressError {
        let error = EgressError::from(self.count().err().unwrap_or(refusal));
        let redactor = Redactor { meter: &self.0.broker.meter, exact: self.filled() };
        let mut entry = Entry::new(self.now(), outgoing.method.as_str(), &redactor, &outgoing.url);
        entry.request_headers = redactor.fields(&outgoing.headers);
        entry.stopped = Some((error.code(), error.to_string()));
        let target = Target::parse(&outgoing.url).ok();
        self.write_down(target.and_then(|target| known(&self.0.lease, &target)), entry);
        error
    }
}

/// A secret as it is, and as addresses spell it.
pub(crate) fn spellings(secret: &Secret) -> Vec<Vec<u8>> {
    let form: String = url::form_urlencoded::byte_serialize(secret.expose()).collect();
    let path =
        percent_encoding::percent_encode(secret.expose(), percent_encoding::NON_ALPHANUMERIC).to_string();
    vec![
        secret.expose().to_vec(),
        form.replace('+', "%20").into_bytes(),
        path.into_bytes(),
        form.into_bytes(),
    ]
}

fn value_of(credential: &Credential, secret: &Secret) -> Result<HeaderValue, Refusal> {
    let mut bytes = credential.prefix.clone().into_bytes();
    bytes.extend_from_slice(secret.expose());
    let mut value = HeaderValue::from_bytes(&bytes).map_err(|_| Refusal::Credential {
        reference: credential.secret.clone(),
        why: "it cannot stand in a header field".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}
