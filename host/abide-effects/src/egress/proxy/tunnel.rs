//! `CONNECT`: bytes both ways, counted, until either side ends, nothing more comes, or the lease is over.

use std::time::Duration;

use http::{Request, Response, Version, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::{Answer, greeting};
use crate::egress::dial::{Stream, within};
use crate::egress::har::{Entry, Redactor};
use crate::egress::judge::judge_tunnel;
use crate::egress::lease::Rule;
use crate::egress::refusal::{EgressError, Fault, Refusal};
use crate::egress::session::{Running, Session};
use crate::egress::target::{Ambiguous, Origin, Scheme};

/// Bytes that are carried at once.
const PIECE_BYTES: usize = 16 << 10;

/// Opens the tunnel that `request` asks for, and answers that it is open. What passes is carried by a task of its own.
pub(super) async fn open(session: &Session, request: Request<Incoming>) -> Result<Answer, EgressError> {
    let asked = request.uri().authority().map(ToString::to_string).unwrap_or_default();
    let mut entry = begin(session, &asked);
    match prepare(session, &request, &asked, &mut entry).await {
        Ok(Prepared { origin, rule, there, running }) => {
            entry.status = 200;
            let carry =
                Carry { session: session.clone(), entry: Some(entry), origin, rule, _running: running };
            let upgraded = hyper::upgrade::on(request);
            tokio::spawn(async move {
                match upgraded.await {
                    Ok(here) => carry.through(here, there).await,
                    Err(error) => carry.end(&EgressError::Failed(Fault::Broken(error.to_string()))),
                }
            });
            Ok(Response::new(Empty::new().map_err(|never| match never {}).boxed()))
        }
        Err(error) => {
            entry.stopped = Some((error.code(), error.to_string()));
            session.write_down(None, entry);
            Err(error)
        }
    }
}

fn begin(session: &Session, asked: &str) -> Entry {
    let redactor = Redactor { meter: &session.broker().meter, exact: Vec::new() };
    // Written like the address that it would be; the method says that it is none.
    Entry::new(session.now(), "CONNECT", &redactor, &format!("https://{asked}/"))
}

struct Prepared {
    origin: Origin,
    rule: Rule,
    there: Box<dyn Stream>,
    running: Running,
}

async fn prepare(
    session: &Session,
    request: &Request<Incoming>,
    asked: &str,
    entry: &mut Entry,
) -> Result<Prepared, EgressError> {
    session.count()?;
    let origin = Origin::of_authority(Scheme::Connect, asked).map_err(Refusal::Address)?;
    if origin.authority() != asked {
        return Err(Refusal::Address(Ambiguous("it is read otherwise than it is written")).into());
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    // HTTP/1.0 has no such field, and Python speaks that to a proxy: what is not said is not another host.
    let fits = match hosts.next() {
        Some(host) => host.as_bytes() == asked.as_bytes(),
        None => request.version() == Version::HTTP_10,
    };
    if !fits || hosts.next().is_some() {
        return Err(Refusal::Header("host".to_owned()).into());
    }
    let rule = judge_tunnel(session.lease(), &origin, session.taint())?.clone();
    let running = session.enter()?;
    let dialled = tokio::select! {
        biased;
        over = session.over() => return Err(over.into()),
        dialled = session.broker().dialler.dial(&origin, &rule) => dialled?,
    };
    entry.address = dialled.address;
    session.stands()?;
    Ok(Prepared { origin, rule, there: dialled.stream, running })
}

/// A tunnel that is open.
struct Carry {
    session: Session,
    entry: Option<Entry>,
    origin: Origin,
    rule: Rule,
    _running: Running,
}

impl Carry {
    async fn through(mut self, here: Upgraded, there: Box<dyn Stream>) {
        let mut here = TokioIo::new(here);
        let session = self.session.clone();
        let carried = async {
            let patience = session.broker().dialler.limits.tls_ms;
            let heard = within(
                patience,
                "the tunnel's greeting",
                greeting::read(&mut here, &self.origin, &self.rule),
            )
            .await??;
            let mut sent = count(&session, &heard)?;
            let (mut host_says, mut host) = tokio::io::split(there);
            host.write_all(&heard).await.map_err(broken)?;
            let (mut client_says, mut client) = tokio::io::split(here);
            let mut came = 0;
            let both = async {
                tokio::try_join!(
                    carry(&session, &mut client_says, &mut host, &mut sent),
                    carry(&session, &mut host_says, &mut client, &mut came),
                )
            };
            let ended = both.await.map(|_| ());
            Ok::<_, EgressError>((sent, came, ended))
        };
        let result = tokio::select! {
            biased;
            over = session.over() => Err(over.into()),
            result = carried => result,
        };
        let stopped = match result {
            Ok((sent, came, ended)) => {
                if let Some(entry) = &mut self.entry {
                    (entry.request_bytes, entry.response_bytes) = (sent, came);
                }
                ended.err()
            }
            Err(error) => Some(error),
        };
        self.write_down(stopped.as_ref());
    }

    fn end(mut self, error: &EgressError) {
        self.write_down(Some(error));
    }

    fn write_down(&mut self, stopped: Option<&EgressError>) {
        let Some(mut entry) = self.entry.take() else { return };
        entry.stopped = stopped.map(|error| (error.code(), error.to_string()));
        entry.ms = self.session.now().0.saturating_sub(entry.at.0);
        self.session.write_down(Some(self.origin.to_string()), entry);
    }
}

impl Drop for Carry {
    fn drop(&mut self) {
        self.write_down(None);
    }
}

/// Carries bytes one way until they end.
async fn carry(
    session: &Session,
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    passed: &mut u64,
) -> Result<(), EgressError> {
    let budgets = session.budgets();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let reading = timeout(Duration::from_millis(budgets.idle_ms_max), from.read(&mut piece)).await;
        let late = Fault::Late { what: "a pause in the tunnel", ms: budgets.idle_ms_max };
        let count_read = reading.map_err(|_| late)?.map_err(broken)?;
        let read = piece.get(..count_read).unwrap_or_default();
        if read.is_empty() {
            drop(to.shutdown().await);
            return Ok(());
        }
        *passed = passed.saturating_add(count(session, read)?);
        to.write_all(read).await.map_err(broken)?;
    }
}

fn count(session: &Session, bytes: &[u8]) -> Result<u64, Refusal> {
    let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    session.pass(count).map(|()| count)
}

fn broken(error: impl std::error::Error) -> Fault {
    Fault::Broken(error.to_string())
}
