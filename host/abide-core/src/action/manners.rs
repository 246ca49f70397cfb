//! How a task that browses behaves towards those whose pages it reads: it says who it is and why, and keeps to what they ask of robots.
//!
//! It stands in policy data with the lease, in the action that opens the lease, and in what a policy is told, so that all three are one.

use serde::{Deserialize, Serialize};

/// LIMIT: bytes of the purpose and of the contact, which stand in a header field.
const WORDS_BYTES_MAX: usize = 160;
/// LIMIT: bytes of a reason or of a note.
const NOTE_BYTES_MAX: usize = 1_000;

/// Whether `robots.txt` (RFC 9309) counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Robots {
    /// A page that it forbids is refused.
    Obey,
    /// It is not asked for. A reason must be given, and policy is told.
    Ignore,
}

/// The manners of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manners {
    /// What the pages are read for, in the user agent.
    pub purpose: String,
    /// Whom to turn to, in the user agent: `https://…` or `mailto:…`.
    pub contact: String,
    /// Whether `robots.txt` counts.
    pub robots: Robots,
    /// Why it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The terms of service that somebody has read: a note, or where they stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
    /// Requests to one host within one second.
    pub host_per_second_max: u32,
    /// Requests to one host at the same time.
    pub host_concurrent_max: u32,
    /// Milliseconds that a request waits for its turn, for a crawl delay or for `Retry-After`. Whatever has to wait longer is refused.
    pub wait_ms_max: u64,
}

impl Manners {
    /// The value of the header `user-agent`, for version `version` of this program.
    pub fn user_agent(&self, version: &str) -> String {
        format!("abide/{version} ({}; +{})", self.purpose, self.contact)
    }

    /// Says what does not go together, or cannot stand in a header field.
    pub fn check(&self) -> Result<(), &'static str> {
        let in_comment = |text: &str| {
            (1..=WORDS_BYTES_MAX).contains(&text.len())
                && text.trim() == text
                && text
                    .bytes()
                    .all(|byte| (byte == b' ' || byte.is_ascii_graphic()) && !b"()\\".contains(&byte))
        };
        if !in_comment(&self.purpose) {
            return Err("`purpose` is 1 to 160 characters of ASCII, without brackets");
        }
        let is_address = self.contact.starts_with("https://") || self.contact.starts_with("mailto:");
        if !in_comment(&self.contact) || !is_address || self.contact.contains([' ', ';']) {
            return Err("`contact` is an address, `https://…` or `mailto:…`");
        }
        let is_note = |text: &String| !text.trim().is_empty() && text.len() <= NOTE_BYTES_MAX;
        match (self.robots, &self.reason) {
            (Robots::Ignore, None) => return Err("`robots: ignore` needs a `reason`"),
            (Robots::Obey, Some(_)) => return Err("`reason` is why robots.txt is ignored, and it is not"),
            (Robots::Obey | Robots::Ignore, _) => {}
        }
        if ![&self.reason, &self.terms].into_iter().flatten().all(is_note) {
            return Err("`reason` and `terms` are 1 to 1,000 bytes");
        }
        if self.host_per_second_max == 0 || self.host_concurrent_max == 0 {
            return Err("a host is asked at least once a second, by one at a time");
        }
        Ok(())
    }
}

/// As it stands in an action, and so in the log, which holds integers as texts.
pub(super) mod recorded {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use super::{Manners, Robots};
    use crate::event::Count;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Recorded {
        purpose: String,
        contact: String,
        robots: Robots,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<String>,
        host_per_second_max: Count,
        host_concurrent_max: Count,
        wait_ms_max: Count,
    }

    #[expect(clippy::ref_option, reason = "serde asks for it")]
    pub(in crate::action) fn serialize<S: Serializer>(
        manners: &Option<Manners>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let recorded = manners.clone().map(|manners| Recorded {
            purpose: manners.purpose,
            contact: manners.contact,
            robots: manners.robots,
            reason: manners.reason,
            terms: manners.terms,
            host_per_second_max: Count(manners.host_per_second_max.into()),
            host_concurrent_max: Count(manners.host_concurrent_max.into()),
            wait_ms_max: Count(manners.wait_ms_max),
        });
        recorded.serialize(to)
    }

    pub(in crate::action) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Manners>, D::Error> {
        let small = |count: Count| u32::try_from(count.0).map_err(de::Error::custom);
        let recorded = Option::<Recorded>::deserialize(from)?;
        let read = |recorded: Recorded| {
            Ok(Manners {
                purpose: recorded.purpose,
                contact: recorded.contact,
                robots: recorded.robots,
                reason: recorded.reason,
                terms: recorded.terms,
                host_per_second_max: small(recorded.host_per_second_max)?,
                host_concurrent_max: small(recorded.host_concurrent_max)?,
                wait_ms_max: recorded.wait_ms_max.0,
            })
        };
        recorded.map(read).transpose()
    }
}

#[cfg(test)]
mod tests;
