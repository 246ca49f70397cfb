//! The proxy for one jail: the listener that the jail gave away, served on a thread of its own until whatever is in the jail is over.

use std::io;
use std::net::TcpListener;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::proxy::{self, Listener};
use super::session::Session;

/// A lease that programs in a jail may use, one jail at a time or several.
#[derive(Debug, Clone)]
pub struct Door {
    session: Session,
    lease: String,
}

impl Door {
    /// In front of a lease, with its name.
    pub fn of(session: Session, lease: &str) -> Self {
        Self { session, lease: lease.to_owned() }
    }

    /// The lease in use.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The lease's name in the policy's data.
    pub fn lease(&self) -> &str {
        &self.lease
    }

    /// What was stopped since this was asked last, with what to do about it; none if nothing was.
    pub fn stopped(&self) -> Option<String> {
        let stopped = self.session.stopped();
        let what = stopped.join(", ");
        (!stopped.is_empty()).then(|| {
            let lease = &self.lease;
            format!("stopped on its way out: {what}; what is allowed is in lease `{lease}` (policies/data/egress.yaml)")
        })
    }

    /// Serves what is connected to `listener` until the answer is dropped.
    pub fn serve(&self, listener: TcpListener) -> io::Result<Serving> {
        listener.set_nonblocking(true)?;
        let session = self.session.clone();
        let (end, ended) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = move || {
            runtime.block_on(async {
                let listener = match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => Listener::Tcp(listener),
                    Err(error) => return tracing::warn!(%error, "a jail has no proxy"),
                };
                tokio::select! {
                    _ = ended => {}
                    served = proxy::serve(listener, session) => {
                        if let Err(error) = served {
                            tracing::warn!(%error, "a jail's proxy ended");
                        }
                    }
                }
            });
            // What is still carried ends here, and is written down.
            drop(runtime);
        };
        let thread = std::thread::Builder::new().name("jail-proxy".to_owned()).spawn(serve)?;
        Ok(Serving { end: Some(end), thread: Some(thread) })
    }
}

/// A proxy that is served. Dropping it ends everything that goes through it.
#[derive(Debug)]
pub struct Serving {
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has dropped what it held.
            drop(thread.join());
        }
    }
}
