//! What the tests of the broker share: real servers on loopback, a real gate, and names that lead where the test wants.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use abide_core::action::{Manners, OpenEgress, Robots};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::broker::{Broker, Parts, Until};
use super::dial::{DialLimits, trust};
use super::lease::tests::{budgets, component};
use super::lease::{Budgets, FillData, Lease, LeaseData};
use super::resolver::{Looked, Resolver};
use super::session::Session;
use super::vault::{Errand, Secret, Vault, VaultError};
use crate::trial::Trial;

pub(crate) type Answer = Response<BoxBody<Bytes, Infallible>>;

pub(crate) fn whole(status: u16, body: impl Into<Bytes>) -> Answer {
    Response::builder().status(status).body(Full::new(body.into()).boxed()).unwrap()
}

/// A server, and how many connections and requests it saw.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) at: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) requests: Arc<AtomicUsize>,
}

impl Server {
    /// Answers every request by `answer`.
    pub(crate) async fn start(answer: impl Fn(Request<Incoming>) -> Answer + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0", answer).await
    }

    pub(crate) async fn at(
        address: &str,
        answer: impl Fn(Request<Incoming>) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let at = listener.local_addr().unwrap();
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (service_of, seen, asked) = (Arc::new(answer), connections.clone(), requests.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                seen.fetch_add(1, Ordering::SeqCst);
                let (service_of, counted) = (service_of.clone(), asked.clone());
                let service = service_fn(move |request| {
                    counted.fetch_add(1, Ordering::SeqCst);
                    let answer = service_of(request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                tokio::spawn(async move {
                    drop(
                        hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service)
                            .await,
                    );
                });
            }
        });
        Self { at, connections, requests }
    }

    pub(crate) fn seen(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.at)
    }
}

/// Says what the test wants, one answer after the other; the last one stays.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    answers: Mutex<BTreeMap<String, VecDeque<Vec<IpAddr>>>>,
    pub(crate) asked: AtomicUsize,
}

impl Scripted {
    pub(crate) fn of(names: &[(&str, &[&[&str]])]) -> Arc<Self> {
        let answers = names.iter().map(|(name, answers)| {
            let answers =
                answers.iter().map(|addresses| addresses.iter().map(|text| text.parse().unwrap()).collect());
            ((*name).to_owned(), answers.collect())
        });
        Arc::new(Self { answers: Mutex::new(answers.collect()), asked: AtomicUsize::new(0) })
    }
}

impl Resolver for Scripted {
    fn look_up<'a>(&'a self, host: &'a str) -> Looked<'a> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = answers.get_mut(host).and_then(|answers| {
            if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
        });
        Box::pin(async move { answer.ok_or_else(|| "no such name".to_owned()) })
    }
}

/// One secret, called `token`.
#[derive(Debug)]
pub(crate) struct OneSecret;

pub(crate) const TOKEN: &str = "very-secret-value-of-the-vault";

impl Vault for OneSecret {
    fn open(&self, name: &str, _: &Errand) -> Result<Secret, VaultError> {
        match name {
            "token" => Ok(Secret::new(TOKEN.as_bytes().to_vec())),
            _ => Err(VaultError("there is none of that name".to_owned())),
        }
    }
}

/// What a test changes of a broker and its lease.
pub(crate) struct Setup {
    pub(crate) trial: Trial,
    pub(crate) parts: Parts,
    pub(crate) budgets: Budgets,
    pub(crate) manners: Option<Manners>,
    pub(crate) fills: Vec<FillData>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let trial = Trial::new();
        let parts = Parts {
            resolver: Scripted::of(&[]),
            tls: trust(&[]).unwrap(),
            vault: Arc::new(OneSecret),
            meter: Arc::new(super::scan::tests::meter()),
            clock: trial.world.clone(),
            limits: DialLimits { connect_ms: 2_000, tls_ms: 500, header_ms: 1_000, ..DialLimits::USUAL },
            upstream: None,
        };
        Self { trial, parts, budgets: budgets(), manners: None, fills: Vec::new() }
    }

    pub(crate) fn named(resolver: Arc<Scripted>) -> Self {
        let mut setup = Self::new();
        setup.parts.resolver = resolver;
        setup
    }

    /// A lease of `rules`, opened.
    pub(crate) fn open(&self, rules: &Value) -> Session {
        let rules = serde_json::from_value(rules.clone()).unwrap();
        let data = LeaseData {
            rules,
            budgets: self.budgets,
            manners: self.manners.clone(),
            fills: self.fills.clone(),
        };
        let lease = Lease::compile(&data, component()).unwrap();
        let manners = lease.manners.clone();
        let permit = self.trial.permit(OpenEgress { manners, ..action(lease.origins()) });
        Broker::new(self.parts.clone()).open(permit, lease, Until::Permit).unwrap()
    }
}

pub(crate) fn action(origins: Vec<String>) -> OpenEgress {
    OpenEgress {
        run: crate::trial::run(),
        unit: "u1".to_owned(),
        component: component(),
        origins,
        manners: None,
        source: None,
    }
}

/// Manners of a task that obeys, and waits a second at most.
pub(crate) fn manners() -> Manners {
    Manners {
        purpose: "a test of the broker".to_owned(),
        contact: "https://example.org/bot".to_owned(),
        robots: Robots::Obey,
        reason: None,
        terms: None,
        host_per_second_max: 1_000,
        host_concurrent_max: 4,
        wait_ms_max: 1_000,
    }
}

/// A rule for everything below `/` of a server on loopback.
pub(crate) fn anything(origin: &str) -> Value {
    json!({"allow": "fetch", "origin": origin, "paths": ["/**"], "query": true, "networks": ["127.0.0.0/8"]})
}

/// An authority that is thrown away, and a server's configuration for `name` from it.
pub(crate) fn certified(name: &str) -> (CertificateDer<'static>, Arc<ServerConfig>) {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let own = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&own, &issuer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(own.serialize_der()).into(),
        )
        .unwrap();
    (authority.der().clone(), Arc::new(config))
}

/// A server over TLS on loopback. It answers each connection once, with the name that it was greeted by.
pub(crate) async fn serve_tls(config: Arc<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let tls = TlsAcceptor::from(config.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = tls.accept(stream).await else { return };
                let name = stream.get_ref().1.server_name().unwrap_or_default().to_owned();
                let mut asked = [0; 1_024];
                drop(stream.read(&mut asked).await);
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close", name.len());
                drop(stream.write_all(format!("{head}\r\n\r\n{name}").as_bytes()).await);
                drop(stream.shutdown().await);
            });
        }
    });
    at
}

/// A server that says what `say` says, whatever it hears.
pub(crate) async fn raw<F>(say: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = [0; 1_024];
            drop(stream.read(&mut heard).await);
            tokio::spawn(say(stream));
        }
    });
    at
}
