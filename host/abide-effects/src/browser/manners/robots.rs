//! `robots.txt` of one origin (RFC 9309), fetched through the lease on behalf of the page that was asked for.
//!
//! The lease need not list it: whoever may ask for a page may ask for what the site says about that. Where it leads on to is judged like
//! any request. Where it cannot be read nothing is asked for, which is not the site's word and is told apart; that there is none (4xx) allows everything.

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
    /// It asks for more care than is taken here.
    Nothing(String),
    /// It could not be read.
    Unread(String),
    /// The lease does not lead to the site at all.
    Barred(Refusal),
}

impl Site {
    fn of(text: Vec<u8>) -> Self {
        let robots = Robots::parse(&text, PRODUCT);
        if robots.rules().len() > RULES_MAX {
            return Self::Nothing("it has more than 10,000 rules, so nothing is asked for".to_owned());
        }
        Self::Rules { robots, text }
    }

    /// It could not be had. `is_first` says whether it is about the site itself, not about where its answer led.
    pub(super) fn none(error: EgressError, is_first: bool) -> Self {
        match error {
            EgressError::Refused(refusal) if is_first => Self::Barred(refusal),
            EgressError::Refused(_) | EgressError::Failed(_) => Self::Unread(error.to_string()),
        }
    }

    /// Whether the page may be asked for.
    pub(super) fn allows(&self, document: &Target) -> Result<(), Refusal> {
        let origin = || document.origin.to_string();
        let why = match self {
            Self::Anything => return Ok(()),
            Self::Unread(why) => return Err(Refusal::RobotsUnread { origin: origin(), why: why.clone() }),
            Self::Barred(refusal) => return Err(refusal.clone()),
            Self::Nothing(why) => why.clone(),
            Self::Rules { robots, text } => {
                let path = document.path_and_query();
                if robots.is_allowed(&path) {
                    return Ok(());
                }
                line(robots, text, &path)
            }
        };
        Err(Refusal::Robots { origin: origin(), why })
    }

    /// The time between two pages.
    pub(super) fn delay(&self) -> Duration {
        match self {
            Self::Rules { robots, .. } => robots.crawl_delay().unwrap_or_default(),
            Self::Anything | Self::Nothing(_) | Self::Unread(_) | Self::Barred(_) => Duration::ZERO,
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
pub(super) async fn fetch(visits: &Visits, host: &Host, method: &Method, document: &Target) -> Site {
    let mut hops = 0;
    let found = followed(visits, host, (method, document), &mut hops).await;
    found.unwrap_or_else(|error| Site::none(error, hops == 0))
}

/// Follows it to where it is; `hops` counts the redirects so far.
async fn followed(
    visits: &Visits,
    host: &Host,
    (method, document): (&Method, &Target),
    hops: &mut usize,
) -> Result<Site, EgressError> {
    let mut url = format!("{}/robots.txt", document.origin);
    let mut robots_for = Some((method.clone(), document.clone()));
    while *hops <= HOPS_MAX {
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
                *hops = hops.saturating_add(1);
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
