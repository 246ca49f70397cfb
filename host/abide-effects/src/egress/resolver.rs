//! Looks names up, once for each connection. What comes back is checked before anything is dialled, and nothing is looked up again.

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;

/// The addresses of a name, or why there are none.
pub type Looked<'a> = Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, String>> + Send + 'a>>;

/// Looks a name up.
pub trait Resolver: fmt::Debug + Send + Sync {
    /// All addresses of `host`, a plain name without a dot at its end.
    fn look_up<'a>(&'a self, host: &'a str) -> Looked<'a>;
}

/// Asks whom this machine asks (`/etc/hosts`, `/etc/resolv.conf`), but not for names below its search domains.
pub struct SystemResolver(Result<TokioResolver, String>);

impl fmt::Debug for SystemResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemResolver")
    }
}

impl SystemResolver {
    /// Reads how this machine looks names up. Where it does not say, no name has an address.
    pub fn of_this_machine() -> Arc<Self> {
        let resolver = TokioResolver::builder_tokio().and_then(|mut builder| {
            builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            builder.build()
        });
        Arc::new(Self(resolver.map_err(|error| error.to_string())))
    }
}

impl Resolver for SystemResolver {
    fn look_up<'a>(&'a self, host: &'a str) -> Looked<'a> {
        Box::pin(async move {
            // The dot at the end says that the name is whole.
            let resolver = self.0.as_ref().map_err(Clone::clone)?;
            let found = resolver.lookup_ip(format!("{host}.")).await.map_err(|error| error.to_string())?;
            Ok(found.iter().collect())
        })
    }
}

/// The addresses of a host that is not looked up: one that is written as an address, or this machine by its name (RFC 6761, section 6.3).
pub(super) fn without_asking(host: &str) -> Option<Vec<IpAddr>> {
    if let Ok(address) = host.parse() {
        return Some(vec![address]);
    }
    let is_here = host == "localhost" || host.ends_with(".localhost");
    is_here.then(|| vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)])
}
