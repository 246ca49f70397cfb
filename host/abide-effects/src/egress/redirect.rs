//! Redirects, for callers on this side of the wall that want them followed: each one is a request of its own, judged, counted and written down.

use bytes::Bytes;
use http::{Method, Response, header};
use url::Url;

use super::body::Body;
use super::refusal::{EgressError, Fault, Refusal};
use super::session::{Outgoing, Session};

/// Redirects that are followed for one request.
const HOPS_MAX: usize = 5;

impl Session {
    /// Sends a request, and follows where it leads as far as the lease allows. Credentials never follow: each request gets those of its own rule.
    pub async fn follow(&self, outgoing: Outgoing) -> Result<Response<Body>, EgressError> {
        let mut next = outgoing;
        for _ in 0..=HOPS_MAX {
            let answer = self.send(next.clone()).await?;
            match led_on(&next, &answer)? {
                Some(onwards) => next = onwards,
                None => return Ok(answer),
            }
        }
        Err(Refusal::Budget("redirects").into())
    }
}

/// The request that an answer asks for (RFC 9110, section 15.4); none if it is no redirect.
pub(crate) fn led_on<B>(asked: &Outgoing, answer: &Response<B>) -> Result<Option<Outgoing>, EgressError> {
    let keeps_method = match answer.status().as_u16() {
        301 | 302 => [Method::GET, Method::HEAD].contains(&asked.method),
        303 => asked.method == Method::HEAD,
        307 | 308 => true,
        _ => return Ok(None),
    };
    let Some(location) = answer.headers().get(header::LOCATION) else { return Ok(None) };
    let broken = |why: &str| Fault::Broken(format!("it leads to no address: {why}"));
    let location = location.to_str().map_err(|error| broken(&error.to_string()))?;
    // What comes out is read as a whole again, and is what is judged and dialled.
    let joined = Url::parse(&asked.url).and_then(|base| base.join(location));
    let mut url = joined.map_err(|error| broken(&error.to_string()))?;
    url.set_fragment(None);
    let onwards = Outgoing { url: url.into(), ..asked.clone() };
    if keeps_method {
        return Ok(Some(onwards));
    }
    let mut headers = onwards.headers.clone();
    headers.remove(header::CONTENT_TYPE);
    Ok(Some(Outgoing { method: Method::GET, body: Bytes::new(), headers, ..onwards }))
}
