//! `io.jwt.*` as OPA has them (RFC 7515 and RFC 7519), to decode and to verify; nothing is signed here.
//!
//! There is no clock: `io.jwt.decode_verify` takes the time from its constraints, in nanoseconds, and fails without one where a token says until
//! or from when it counts. Algorithms: HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 `EdDSA`; RSA keys have 2048 bits or more.

mod keys;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use regorus::Value;

use self::keys::{Algorithm, Hash, Key};
use super::crypto::hex;
use super::two_texts;

/// As OPA decodes: padding may be there or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Tokens inside of tokens that are opened at most.
const NESTED_MAX: usize = 8;

/// A token in its three parts.
struct Token<'a> {
    /// Header and payload as they were signed, with the dot.
    signed: &'a str,
    header: Header,
    payload: String,
    signature: Vec<u8>,
}

/// What matters of a header.
struct Header {
    value: Value,
    alg: String,
    kid: String,
    /// Whether the payload is a token again.
    is_nested: bool,
    /// Whether it says nothing that must be understood and is not.
    is_understood: bool,
}

fn part(name: &str, text: &str) -> anyhow::Result<Vec<u8>> {
    BASE64.decode(text).map_err(|error| anyhow::anyhow!("JWT {name} had invalid encoding: {error}"))
}

fn text(name: &str, bytes: Vec<u8>) -> anyhow::Result<String> {
    String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("JWT {name} is not UTF-8"))
}

fn object(name: &str, text: &str) -> anyhow::Result<Value> {
    let value = Value::from_json_str(text).map_err(|_| anyhow::anyhow!("JWT {name} is not JSON"))?;
    anyhow::ensure!(value.as_object().is_ok(), "JWT {name} is not a JSON object");
    Ok(value)
}

impl<'a> Token<'a> {
    fn read(token: &'a str) -> anyhow::Result<Self> {
        let parts: Vec<&str> = token.splitn(5, '.').collect();
        let [header, payload, signature] = parts.as_slice() else {
            anyhow::ensure!(parts.len() > 1, "encoded JWT had no period separators");
            anyhow::bail!("encoded JWT must have 3 sections, found {}", parts.len());
        };
        let signed =
            token.strip_suffix(signature).and_then(|rest| rest.strip_suffix('.')).unwrap_or_default();
        let header = Header::read(&text("header", part("header", header)?)?)?;
        let payload = text("payload", part("payload", payload)?)?;
        Ok(Self { signed, header, payload, signature: part("signature", signature)? })
    }

    /// The token inside, if its header says that there is one.
    fn inner(&self) -> Option<String> {
        if !self.header.is_nested {
            return None;
        }
        // A token may be inside as it is, or as a JSON text.
        let inner = Value::from_json_str(&self.payload).ok();
        let inner = inner.and_then(|inner| Some(inner.as_string().ok()?.to_string()));
        Some(inner.unwrap_or_else(|| self.payload.clone()))
    }
}

impl Header {
    fn read(text: &str) -> anyhow::Result<Self> {
        let value = object("header", text)?;
        let field = |name: &str| -> anyhow::Result<String> {
            match value.as_object()?.get(&Value::from(name)) {
                None => Ok(String::new()),
                Some(Value::String(text)) => Ok(text.to_string()),
                Some(_) => anyhow::bail!("JWT header `{name}` is not a text"),
            }
        };
        let fields = value.as_object()?;
        anyhow::ensure!(
            !fields.contains_key(&Value::from("enc")),
            "JWT is a JWE object, which is not supported"
        );
        let (alg, kid, cty) = (field("alg")?, field("kid")?, field("cty")?);
        let known = |name: &Value| {
            ["alg", "cty", "crit", "kid", "typ"].iter().any(|known| *name == Value::from(*known))
        };
        let is_understood = match fields.get(&Value::from("crit")) {
            None => true,
            Some(Value::Array(names)) => names.iter().all(known),
            Some(_) => anyhow::bail!("JWT header `crit` is not an array"),
        };
        let is_nested = cty.eq_ignore_ascii_case("JWT");
        Ok(Self { value, alg, kid, is_nested, is_understood })
    }
}

/// Header, payload and signature, of the innermost token; nothing is verified.
#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn decode(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let [Value::String(token)] = arguments.as_slice() else { anyhow::bail!("`io.jwt.decode` takes a text") };
    let mut token = token.to_string();
    for _ in 0..NESTED_MAX {
        let read = Token::read(&token)?;
        if let Some(inner) = read.inner() {
            token = inner;
            continue;
        }
        let payload = object("payload", &read.payload)?;
        return Ok(Value::from(vec![read.header.value, payload, Value::from(hex(&read.signature))]));
    }
    anyhow::bail!("more than {NESTED_MAX} tokens lie in each other")
}

/// What a token must fulfil.
#[derive(Default)]
struct Constraints {
    keys: Option<Vec<Key>>,
    secret: Option<String>,
    alg: Option<String>,
    iss: Option<String>,
    aud: Option<String>,
    /// Nanoseconds since 1970.
    time: Option<f64>,
}

impl Constraints {
    fn read(value: &Value) -> anyhow::Result<Self> {
        let mut read = Self::default();
        for (name, value) in value.as_object()?.iter() {
            let name: &str = &name.as_string()?.clone();
            let text = || {
                let text = value.as_string().map(ToString::to_string);
                text.map_err(|_| anyhow::anyhow!("token constraint `{name}` must be a text"))
            };
            match name {
                "cert" => read.keys = Some(keys::read(&text()?)?),
                "secret" => read.secret = Some(text()?).filter(|secret| !secret.is_empty()),
                "alg" => read.alg = Some(text()?),
                "iss" => read.iss = Some(text()?),
                "aud" => read.aud = Some(text()?),
                "time" => {
                    let time = number(value);
                    let time =
                        time.ok_or_else(|| anyhow::anyhow!("token constraint `time` must be a number"))?;
                    anyhow::ensure!(time >= 0.0, "token constraint `time` must not be negative");
                    read.time = Some(time);
                }
                _ => anyhow::bail!("unknown token validation constraint: {name}"),
            }
        }
        anyhow::ensure!(read.keys.is_none() || read.secret.is_none(), "duplicate key constraints");
        anyhow::ensure!(read.keys.is_some() || read.secret.is_some(), "no key constraint");
        Ok(read)
    }

    /// Whether the signature is one of those that are trusted.
    fn trusts(&self, token: &Token<'_>) -> anyhow::Result<bool> {
        if !token.header.is_understood || token.header.alg.is_empty() {
            return Ok(false);
        }
        if self.alg.as_ref().is_some_and(|alg| *alg != token.header.alg) {
            return Ok(false);
        }
        let Some(algorithm) = Algorithm::named(&token.header.alg) else {
            anyhow::bail!("unknown JWS algorithm: {}", token.header.alg);
        };
        match (&self.keys, &self.secret) {
            (Some(keys), _) => Ok(any_key(keys, algorithm, token)),
            (None, Some(secret)) => {
                Ok(algorithm.is_mac_of(secret.as_bytes(), token.signed, &token.signature))
            }
            (None, None) => Ok(false),
        }
    }

    /// Whether the registered claims are what is asked for (RFC 7519, 4.1).
    fn accept(&self, payload: &Value) -> anyhow::Result<bool> {
        let claims = payload.as_object()?;
        let claim = |name: &str| claims.get(&Value::from(name));
        if self.iss.as_ref().is_some_and(|iss| claim("iss") != Some(&Value::from(iss.as_str()))) {
            return Ok(false);
        }
        // A token for somebody is nobody else's, and not that of one who does not say who he is.
        let is_for = |one: &Value| self.aud.as_ref().is_some_and(|aud| *one == Value::from(aud.as_str()));
        let is_addressed = match claim("aud") {
            None => self.aud.is_none(),
            Some(Value::Array(all)) => all.iter().any(is_for),
            Some(one) => is_for(one),
        };
        Ok(is_addressed && self.is_in_time(claim("exp"), claim("nbf"))?)
    }

    fn is_in_time(&self, exp: Option<&Value>, nbf: Option<&Value>) -> anyhow::Result<bool> {
        let seconds = |name: &str, claim: Option<&Value>| {
            let read = |claim| number(claim).ok_or_else(|| anyhow::anyhow!("{name} value must be a number"));
            claim.map(read).transpose()
        };
        let (exp, nbf) = (seconds("exp", exp)?, seconds("nbf", nbf)?);
        if exp.is_none() && nbf.is_none() {
            return Ok(true);
        }
        let Some(time) = self.time else {
            anyhow::bail!(
                "the token is bound to a time and a policy has no clock: give `time`, such as `input.now * 1000000`"
            );
        };
        let now = time / 1e9;
        Ok(exp.is_none_or(|exp| now < exp) && nbf.is_none_or(|nbf| now >= nbf))
    }
}

/// The nearest number: regorus gives none for integers beyond 2^53, and nanoseconds are.
fn number(value: &Value) -> Option<f64> {
    let Value::Number(number) = value else { return None };
    number.format_decimal().parse().ok().filter(|number: &f64| number.is_finite())
}

/// Whether a key that may be it made the signature. A key that the token names is the only one that counts.
fn any_key(keys: &[Key], algorithm: Algorithm, token: &Token<'_>) -> bool {
    let fits = |key: &Key| algorithm.is_signed_by(key, token.signed, &token.signature);
    let named =
        keys.iter().find(|key| !token.header.kid.is_empty() && key.kid.as_ref() == Some(&token.header.kid));
    match named {
        Some(key) => fits(key),
        None => {
            keys.iter().filter(|key| key.alg.as_ref().is_none_or(|alg| *alg == token.header.alg)).any(fits)
        }
    }
}

/// `[true, header, payload]` of a token that fulfils the constraints, `[false, {}, {}]` of one that does not.
#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn decode_verify(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let [Value::String(token), constraints @ Value::Object(_)] = arguments.as_slice() else {
        anyhow::bail!("`io.jwt.decode_verify` takes a text and an object");
    };
    let constraints = Constraints::read(constraints)?;
    let refused = || Value::from(vec![Value::from(false), Value::new_object(), Value::new_object()]);
    let mut token = token.to_string();
    for _ in 0..NESTED_MAX {
        let read = Token::read(&token)?;
        if !constraints.trusts(&read)? {
            return Ok(refused());
        }
        if let Some(inner) = read.inner() {
            token = inner;
            continue;
        }
        let payload = object("payload", &read.payload)?;
        if !constraints.accept(&payload)? {
            return Ok(refused());
        }
        return Ok(Value::from(vec![Value::from(true), read.header.value, payload]));
    }
    anyhow::bail!("more than {NESTED_MAX} tokens lie in each other")
}

fn verify(algorithm: Algorithm, arguments: &[Value]) -> anyhow::Result<Value> {
    let (token, keys) = two_texts("io.jwt.verify_…", arguments)?;
    let keys = keys::read(keys)?;
    Ok(Value::from(any_key(&keys, algorithm, &Token::read(token)?)))
}

fn verify_mac(hash: Hash, arguments: &[Value]) -> anyhow::Result<Value> {
    let (token, secret) = two_texts("io.jwt.verify_hs…", arguments)?;
    let token = Token::read(token)?;
    let algorithm = Algorithm::Mac(hash);
    Ok(Value::from(algorithm.is_mac_of(secret.as_bytes(), token.signed, &token.signature)))
}

/// One function for each algorithm, as OPA names them.
macro_rules! verify {
    ($($name:ident $with:ident $algorithm:expr;)+) => { $(
        pub(super) fn $name(arguments: Vec<Value>) -> anyhow::Result<Value> {
            $with($algorithm, &arguments)
        }
    )+ };
}

verify! {
    verify_eddsa verify keys::EDDSA;
    verify_es256 verify keys::ES256;
    verify_es384 verify keys::ES384;
    verify_hs256 verify_mac Hash::Sha256;
    verify_hs384 verify_mac Hash::Sha384;
    verify_hs512 verify_mac Hash::Sha512;
    verify_ps256 verify keys::PS256;
    verify_ps384 verify keys::PS384;
    verify_ps512 verify keys::PS512;
    verify_rs256 verify keys::RS256;
    verify_rs384 verify keys::RS384;
    verify_rs512 verify keys::RS512;
}
