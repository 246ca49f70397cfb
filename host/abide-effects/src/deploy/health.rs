//! What a release looks like from outside: ok, bad, or nothing to go by. Silence is never health.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use abide_core::id::{Environment, ReleaseId, RepoPath};
use serde::{Deserialize, Serialize};

use crate::process::{self, Ending, Host, Job, ProcessLimits};

/// How a release is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum HealthProbe {
    /// A GET on this machine: a status from 200 to 299 is ok.
    Http {
        /// `http://` with a loopback address or `localhost`.
        url: String,
        /// Milliseconds until there is nothing to go by.
        timeout_ms: u64,
        /// Text that the first 64 KiB of the answer must hold.
        contains: Option<String>,
    },
    /// A program of the operator's: status 0 is ok. It sees `AB_RELEASE`, `AB_RELEASE_DIR` and `AB_ENVIRONMENT`.
    Command {
        /// Program and arguments.
        command: Vec<String>,
        /// Milliseconds until there is nothing to go by.
        timeout_ms: u64,
    },
    /// A file of the release that must be there.
    File {
        /// Where, within the release.
        path: RepoPath,
    },
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "detail")]
pub enum Health {
    /// It does well.
    Ok(String),
    /// It does not.
    Bad(String),
    /// There is nothing to go by.
    NoData(String),
}

impl Health {
    /// The spelling in logs: `ok`, `bad` or `no-data`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Ok(_) => "ok",
            Self::Bad(_) => "bad",
            Self::NoData(_) => "no-data",
        }
    }

    /// What speaks for it, for people.
    pub fn detail(&self) -> &str {
        match self {
            Self::Ok(detail) | Self::Bad(detail) | Self::NoData(detail) => detail,
        }
    }
}

/// Bytes of an answer that are looked at.
const BODY_BYTES_MAX: u64 = 64 << 10;

/// Looks once at the release in `folder`. Whatever goes wrong in looking is `NoData`.
pub fn observe(
    probe: &HealthProbe,
    environment: &Environment,
    release: &ReleaseId,
    folder: &Path,
    host: &Host<'_>,
    cancelled: &dyn Fn() -> bool,
) -> Health {
    match probe {
        HealthProbe::Http { url, timeout_ms, contains } => http(url, *timeout_ms, contains.as_deref()),
        HealthProbe::File { path } => file(folder, path),
        HealthProbe::Command { command, timeout_ms } => {
            let env = [
                ("AB_RELEASE", release.to_string()),
                ("AB_RELEASE_DIR", folder.display().to_string()),
                ("AB_ENVIRONMENT", environment.to_string()),
            ];
            let env = env.map(|(name, value)| (name.to_owned(), value)).into();
            run(command, *timeout_ms, &env, host, cancelled)
        }
    }
}

fn file(folder: &Path, path: &RepoPath) -> Health {
    let dir = match cap_std::fs::Dir::open_ambient_dir(folder, cap_std::ambient_authority()) {
        Ok(dir) => dir,
        Err(error) => return Health::NoData(format!("the release cannot be opened: {error}")),
    };
    match dir.metadata(path.as_str()) {
        Ok(meta) if meta.is_file() => Health::Ok(format!("`{path}` is there")),
        Ok(_) => Health::Bad(format!("`{path}` is not a file")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Health::Bad(format!("`{path}` is missing"))
        }
        Err(error) => Health::NoData(format!("`{path}` cannot be read: {error}")),
    }
}

fn run(
    command: &[String],
    timeout_ms: u64,
    env: &BTreeMap<String, String>,
    host: &Host<'_>,
    cancelled: &dyn Fn() -> bool,
) -> Health {
    let private = match tempfile::Builder::new().prefix("probe-").tempdir() {
        Ok(private) => private,
        Err(error) => return Health::NoData(format!("no private folder for the probe: {error}")),
    };
    let limits = ProcessLimits {
        wall_ms_max: timeout_ms,
        grace_ms: 200,
        cpu_s_max: timeout_ms.div_ceil(1000),
        file_bytes_max: 1 << 20,
        output_bytes_max: 4096,
        printed_bytes_max: 1 << 40,
    };
    let job = Job { argv: command, folder: private.path(), private: private.path(), env, limits };
    match process::run(&job, host, cancelled) {
        Ok(ended) => match ended.ending {
            Ending::Exit(0) => Health::Ok("the probe ended with status 0".to_owned()),
            // What the shell says of a program that is not there or cannot be run.
            Ending::Exit(126 | 127) => Health::NoData("the probe could not be run".to_owned()),
            Ending::Exit(status) => Health::Bad(format!("the probe ended with status {status}")),
            Ending::Signal(signal) => Health::NoData(format!("the probe was ended by signal {signal}")),
            Ending::Timeout => Health::NoData(format!("the probe took longer than {timeout_ms} ms")),
            Ending::Cancelled => Health::NoData("the probe was stopped by the kill switch".to_owned()),
        },
        Err(error) => Health::NoData(error.to_string()),
    }
}

fn http(url: &str, timeout_ms: u64, contains: Option<&str>) -> Health {
    let Some(url) = loopback(url) else {
        return Health::NoData(format!("`{url}` is not an http URL on this machine"));
    };
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_millis(timeout_ms)))
        .build()
        .into();
    let mut answer = match agent.get(&url).call() {
        Ok(answer) => answer,
        Err(ureq::Error::Io(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            return Health::Bad("nobody listens".to_owned());
        }
        Err(ureq::Error::ConnectionFailed) => return Health::Bad("nobody listens".to_owned()),
        Err(error) => return Health::NoData(format!("no answer: {error}")),
    };
    let status = answer.status();
    if !status.is_success() {
        return Health::Bad(format!("status {}", status.as_u16()));
    }
    let Some(wanted) = contains else { return Health::Ok(format!("status {}", status.as_u16())) };
    let mut body = Vec::new();
    let mut reader = std::io::Read::take(answer.body_mut().as_reader(), BODY_BYTES_MAX);
    if let Err(error) = std::io::Read::read_to_end(&mut reader, &mut body) {
        return Health::NoData(format!("the answer broke off: {error}"));
    }
    if String::from_utf8_lossy(&body).contains(wanted) {
        Health::Ok(format!("status {}, with `{wanted}`", status.as_u16()))
    } else {
        Health::Bad(format!("status {}, without `{wanted}`", status.as_u16()))
    }
}

/// The URL with `localhost` made an address, if it is plain HTTP and stays on this machine. User names and passwords are refused.
fn loopback(url: &str) -> Option<String> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len()))?;
    if authority.contains('@') || url.chars().any(|c| c.is_control() || c == '\\' || c == '#') {
        return None;
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().ok()?),
        Some(_) | None => (authority, 80),
    };
    let host = if host == "localhost" { "127.0.0.1" } else { host };
    let address: IpAddr = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    let address = std::net::SocketAddr::new(address, port);
    address.ip().is_loopback().then(|| format!("http://{address}{path}"))
}

#[cfg(test)]
mod tests;
