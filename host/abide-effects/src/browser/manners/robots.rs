//! `robots.txt` of one origin (RFC 9309), fetched through the lease on behalf of the page that was asked for.
//!
//! The lease need not list it: whoever may ask for a page may ask for what the site says about that. Where it leads on to is judged like
//! any request. Whatever cannot be read forbids everything; that there is none (4xx) allows everything.

use std::time::Duration;

use abide_core::safe_text;
use http::{Method, StatusCode, header};
use robotxt::{BYTE_LIMIT, Robots};
use url::Url;

use super::{Host, Visits, broken};
use crate::browser::decode;
use crate::egress::refusal::{EgressError, Refusal};
use crate::egress::target::Target;
use crate::egress::{Outgoing, Own};

/// The product token (RFC 9309, section 2.2.1): what groups of rules call us.
const PRODUCT: &str = "abide";
/// Redirects that are followed.
const HOPS_MAX: usize = 5;
/// LIMIT: rules about us. Each is held against each page's address.
const RULES_MAX: usize = 10_000;
/// Characters of a line that are told.
const LINE_CHARS: usize = 200;

/// What a site says of robots.
#[derive(Debug)]
pub(super) enum Site {
    /// There are rules.
    Rules {
        /// Those about us.
        robots: Robots,
        /// The file, to say which line.
        text: Vec<u8>,
    },
    /// There is no such file.
    Anything,
    /// It could not be read: nothing may be asked.
    Nothing(String),
}

impl Site {
    fn of(text: Vec<u8>) -> Self {
        let robots = Robots::parse(&text, PRODUCT);
        if robots.rules().len() > RULES_MAX {
            return Self::Nothing("it has more than 10,000 rules, so nothing is asked for".to_owned());
        }
        Self::Rules { robots, text }
    }

    /// It could not be had.
    pub(super) fn none(error: &EgressError) -> Self {
        Self::Nothing(format!("it cannot be read ({error}), so nothing is asked for"))
    }

    /// Whether the page may be asked for; if not, why.
    pub(super) fn allows(&self, document: &Target) -> Result<(), String> {
        match self {
            Self::Anything => Ok(()),
            Self::Nothing(why) => Err(why.clone()),
            Self::Rules { robots, text } => {
                let path = document.path_and_query();
                if robots.is_allowed(&path) {
                    return Ok(());
                }
                Err(self::line(robots, text, &path))
            }
        }
    }

    /// The time between two pages.
    pub(super) fn delay(&self) -> Duration {
        match self {
            Self::Rules { robots, .. } => robots.crawl_delay().unwrap_or_default(),
            Self::Anything | Self::Nothing(_) => Duration::ZERO,
        }
    }
}

/// The line that forbids `path`, in words.
fn line(robots: &Robots, text: &[u8], path: &str) -> String {
    let Some(rule) = robots.matching_rule(path) else { return "it allows nothing".to_owned() };
    let text = text.get(..BYTE_LIMIT).unwrap_or(text);
    let ends: Vec<usize> = text
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(place, _)| place.saturating_add(1))
        .chain([text.len()])
        .collect();
    // With each line there is the same or more: the first beginning of the file that has the rule ends with its line.
    let number = ends.partition_point(|end| {
        let part = Robots::parse(text.get(..*end).unwrap_or(text), PRODUCT);
        part.user_agent() != robots.user_agent() || !part.rules().contains(rule)
    });
    let pattern: String = rule.pattern().chars().take(LINE_CHARS).collect();
    let agent: String = robots.user_agent().chars().take(LINE_CHARS).collect();
    format!(
        "line {} of it, `Disallow: {}` for `{}`",
        number.saturating_add(1),
        safe_text::line(&pattern),
        safe_text::line(&agent)
    )
}

/// Asks for it, in turn.
pub(super) async fn fetch(
    visits: &Visits,
    host: &Host,
    method: &Method,
    document: &Target,
) -> Result<Site, EgressError> {
    let mut url = format!("{}/robots.txt", document.origin);
    let mut robots_for = Some((method.clone(), document.clone()));
    for _ in 0..=HOPS_MAX {
        let _turn = visits.turn(host).await?;
        let own = Own { robots_for: robots_for.take(), ..Own::default() };
        let (head, mut body) = visits.session.send_with(Outgoing::get(&url), own).await?.into_parts();
        match head.status {
            status if status.is_success() => {
                let mut text = Vec::new();
                while text.len() <= BYTE_LIMIT {
                    let Some(piece) = body.next().await? else { break };
                    text.extend_from_slice(&piece);
                }
                let most = u64::try_from(BYTE_LIMIT).unwrap_or(u64::MAX).saturating_mul(2);
                let text = decode::unpack(&head.headers, text, most).map_err(Refusal::Packed)?;
                return Ok(Site::of(text));
            }
            status if status.is_redirection() => {
                let location = head.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
                let location = location.ok_or_else(|| broken("it leads to no address"))?;
                let mut next = Url::parse(&url)
                    .and_then(|base| base.join(location))
                    .map_err(|_| broken("it leads to no address"))?;
                next.set_fragment(None);
                url = next.into();
            }
            // Too many requests is no sign that there is none.
            StatusCode::TOO_MANY_REQUESTS => return Err(broken("it is answered with status 429")),
            status if status.is_client_error() => return Ok(Site::Anything),
            status => return Err(broken(&format!("it is answered with status {}", status.as_u16()))),
        }
    }
    Err(broken("it leads on more than five times"))
}

#[cfg(test)]
mod tests;
