//! Keys that verify tokens: a PEM certificate or public key, one JWK (RFC 7517) or a set of them. A certificate is taken for its key alone: neither
//! its dates nor who signed it are looked at, as in OPA.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{EagerHash, Mac as _};
use rsa::signature::Verifier as _;
use rsa::{BoxedUint, RsaPublicKey, pkcs1, pkcs1v15, pss};
use serde_json::Value as Json;
use sha2::{Sha256, Sha384, Sha512};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, asn1::ObjectIdentifier};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::BASE64;
use crate::engine::builtins::crypto::keyed;

/// A public key.
pub(super) struct Key {
    /// Its id in a set.
    pub(super) kid: Option<String>,
    /// The only algorithm that it is for, if it says so.
    pub(super) alg: Option<String>,
    material: Material,
}

enum Material {
    /// Modulus and exponent, big-endian.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// An uncompressed point.
    Ec(Vec<u8>),
    /// RFC 8032.
    Ed25519(Vec<u8>),
    /// A kind that nothing verifies here. It is kept, so that a set with one in it can be used.
    Other,
}

/// A digest.
#[derive(Clone, Copy)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// How a signature is verified (RFC 7518, 3.1).
#[derive(Clone, Copy)]
pub(super) enum Algorithm {
    /// RSASSA-PKCS1-v1_5.
    Rsa(Hash),
    /// RSASSA-PSS with a salt as long as the digest.
    Pss(Hash),
    /// P-256 with SHA-256.
    P256,
    /// P-384 with SHA-384.
    P384,
    Ed,
    Mac(Hash),
}

pub(super) const EDDSA: Algorithm = Algorithm::Ed;
pub(super) const ES256: Algorithm = Algorithm::P256;
pub(super) const ES384: Algorithm = Algorithm::P384;
pub(super) const PS256: Algorithm = Algorithm::Pss(Hash::Sha256);
pub(super) const PS384: Algorithm = Algorithm::Pss(Hash::Sha384);
pub(super) const PS512: Algorithm = Algorithm::Pss(Hash::Sha512);
pub(super) const RS256: Algorithm = Algorithm::Rsa(Hash::Sha256);
pub(super) const RS384: Algorithm = Algorithm::Rsa(Hash::Sha384);
pub(super) const RS512: Algorithm = Algorithm::Rsa(Hash::Sha512);

/// Bits of an RSA modulus.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

impl Algorithm {
    /// By its name in a header (RFC 7518, 3.1). `none` is not one.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "EdDSA" => EDDSA,
            "ES256" => ES256,
            "ES384" => ES384,
            "PS256" => PS256,
            "PS384" => PS384,
            "PS512" => PS512,
            "RS256" => RS256,
            "RS384" => RS384,
            "RS512" => RS512,
            "HS256" => Self::Mac(Hash::Sha256),
            "HS384" => Self::Mac(Hash::Sha384),
            "HS512" => Self::Mac(Hash::Sha512),
            _ => return None,
        })
    }

    /// Whether `key` signed it. A key of another kind signed nothing: a public key is never taken for a secret.
    pub(super) fn is_signed_by(self, key: &Key, signed: &str, signature: &[u8]) -> bool {
        let signed = signed.as_bytes();
        let verified = match (self, &key.material) {
            (Self::Rsa(hash), Material::Rsa { n, e }) => rsa_verified(hash, n, e, signed, signature),
            (Self::Pss(hash), Material::Rsa { n, e }) => pss_verified(hash, n, e, signed, signature),
            (Self::P256, Material::Ec(point)) => p256_verified(point, signed, signature),
            (Self::P384, Material::Ec(point)) => p384_verified(point, signed, signature),
            (Self::Ed, Material::Ed25519(point)) => ed_verified(point, signed, signature),
            (Self::Rsa(_) | Self::Pss(_) | Self::P256 | Self::P384 | Self::Ed | Self::Mac(_), _) => None,
        };
        verified.is_some()
    }

    /// Whether the holder of `secret` made it.
    pub(super) fn is_mac_of(self, secret: &[u8], signed: &str, signature: &[u8]) -> bool {
        match self {
            Self::Mac(Hash::Sha256) => is_mac::<Sha256>(secret, signed, signature),
            Self::Mac(Hash::Sha384) => is_mac::<Sha384>(secret, signed, signature),
            Self::Mac(Hash::Sha512) => is_mac::<Sha512>(secret, signed, signature),
            Self::Rsa(_) | Self::Pss(_) | Self::P256 | Self::P384 | Self::Ed => false,
        }
    }
}

fn is_mac<D: EagerHash>(secret: &[u8], signed: &str, code: &[u8]) -> bool {
    keyed::<D>(secret).is_ok_and(|mac| mac.chain_update(signed.as_bytes()).verify_slice(code).is_ok())
}

/// Modulus and exponent, big-endian and without zeros in front. `None` for a key that nobody should use.
fn rsa_key(n: &[u8], e: &[u8]) -> Option<RsaPublicKey> {
    // The exponent is read into as many bits as it has, so its length is looked at first.
    if e.len() > 8 {
        return None;
    }
    let number = |bytes| Some(BoxedUint::from_be_slice_vartime(bytes));
    let key = RsaPublicKey::new_with_size_limits(number(n)?, number(e)?, RSA_BITS).ok()?;
    // An exponent of two is no key, and an even one neither.
    (e.last()? & 1 == 1).then_some(key)
}

fn rsa_verified(hash: Hash, n: &[u8], e: &[u8], signed: &[u8], signature: &[u8]) -> Option<()> {
    let (key, signature) = (rsa_key(n, e)?, pkcs1v15::Signature::try_from(signature).ok()?);
    match hash {
        Hash::Sha256 => pkcs1v15::VerifyingKey::<Sha256>::new(key).verify(signed, &signature).ok(),
        Hash::Sha384 => pkcs1v15::VerifyingKey::<Sha384>::new(key).verify(signed, &signature).ok(),
        Hash::Sha512 => pkcs1v15::VerifyingKey::<Sha512>::new(key).verify(signed, &signature).ok(),
    }
}

fn pss_verified(hash: Hash, n: &[u8], e: &[u8], signed: &[u8], signature: &[u8]) -> Option<()> {
    let (key, signature) = (rsa_key(n, e)?, pss::Signature::try_from(signature).ok()?);
    match hash {
        Hash::Sha256 => pss::VerifyingKey::<Sha256>::new(key).verify(signed, &signature).ok(),
        Hash::Sha384 => pss::VerifyingKey::<Sha384>::new(key).verify(signed, &signature).ok(),
        Hash::Sha512 => pss::VerifyingKey::<Sha512>::new(key).verify(signed, &signature).ok(),
    }
}

fn p256_verified(point: &[u8], signed: &[u8], signature: &[u8]) -> Option<()> {
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(uncompressed(point)?).ok()?;
    key.verify(signed, &p256::ecdsa::Signature::from_slice(signature).ok()?).ok()
}

fn p384_verified(point: &[u8], signed: &[u8], signature: &[u8]) -> Option<()> {
    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(uncompressed(point)?).ok()?;
    key.verify(signed, &p384::ecdsa::Signature::from_slice(signature).ok()?).ok()
}

fn ed_verified(point: &[u8], signed: &[u8], signature: &[u8]) -> Option<()> {
    let key = ed25519_dalek::VerifyingKey::from_bytes(point.try_into().ok()?).ok()?;
    key.verify(signed, &ed25519_dalek::Signature::from_slice(signature).ok()?).ok()
}

/// SEC 1, 2.3.3: the one form in which tokens carry points.
fn uncompressed(point: &[u8]) -> Option<&[u8]> {
    (point.first() == Some(&4)).then_some(point)
}

/// Reads whatever OPA takes for keys.
pub(super) fn read(text: &str) -> anyhow::Result<Vec<Key>> {
    let text = text.trim();
    if text.starts_with("-----BEGIN ") {
        return Ok(vec![Key { kid: None, alg: None, material: pem(text)? }]);
    }
    let fault = || anyhow::anyhow!("failed to parse a JWK key (set)");
    let value: Json = serde_json::from_str(text).map_err(|_| fault())?;
    let keys = match value.get("keys") {
        Some(Json::Array(keys)) => keys.iter().map(jwk).collect::<Option<Vec<_>>>(),
        Some(_) => None,
        None => jwk(&value).map(|key| vec![key]),
    };
    keys.ok_or_else(fault)
}

fn jwk(key: &Json) -> Option<Key> {
    let field = |name: &str| key.get(name).and_then(Json::as_str);
    let number = |name: &str| BASE64.decode(field(name)?).ok();
    let coordinate = |name: &str, length: usize| number(name).filter(|bytes| bytes.len() == length);
    let point = |length| {
        let (x, y) = (coordinate("x", length)?, coordinate("y", length)?);
        Some(Material::Ec([&[4], x.as_slice(), &y].concat()))
    };
    let material = match (field("kty")?, field("crv")) {
        ("RSA", _) => Material::Rsa { n: unsigned(number("n")?), e: unsigned(number("e")?) },
        ("EC", Some("P-256")) => point(32)?,
        ("EC", Some("P-384")) => point(48)?,
        ("OKP", Some("Ed25519")) => Material::Ed25519(coordinate("x", 32)?),
        ("EC" | "OKP" | "oct", _) => Material::Other,
        _ => return None,
    };
    let owned = |name: &str| field(name).filter(|text| !text.is_empty()).map(str::to_owned);
    Some(Key { kid: owned("kid"), alg: owned("alg"), material })
}

/// Without zeros in front, so that its length says how large it is.
fn unsigned(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}

fn pem(text: &str) -> anyhow::Result<Material> {
    let fault = || anyhow::anyhow!("failed to parse a PEM certificate");
    let (label, rest) =
        text.strip_prefix("-----BEGIN ").and_then(|rest| rest.split_once("-----")).ok_or_else(fault)?;
    let (body, after) = rest.split_once(&format!("-----END {label}-----")).ok_or_else(fault)?;
    anyhow::ensure!(after.trim().is_empty(), "extra data after a PEM certificate block");
    let body: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(body).map_err(|_| fault())?;
    let info = match label {
        "CERTIFICATE" => {
            let certificate = Certificate::from_der(&der).map_err(|_| fault())?;
            certificate.tbs_certificate().subject_public_key_info().clone()
        }
        "PUBLIC KEY" => SubjectPublicKeyInfoOwned::from_der(&der).map_err(|_| fault())?,
        _ => anyhow::bail!("failed to extract a Key from the PEM certificate"),
    };
    material(&info).ok_or_else(|| anyhow::anyhow!("failed to extract a Key from the PEM certificate"))
}

/// RFC 3279, 2.3 and RFC 8410, 3.
fn material(info: &SubjectPublicKeyInfoOwned) -> Option<Material> {
    const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
    let bits = info.subject_public_key.as_bytes()?.to_vec();
    match info.algorithm.oid {
        RSA => {
            let key = pkcs1::RsaPublicKeyRef::from_der(&bits).ok()?;
            Some(Material::Rsa {
                n: key.modulus.as_bytes().to_vec(),
                e: key.public_exponent.as_bytes().to_vec(),
            })
        }
        EC => Some(Material::Ec(bits)),
        ED25519 => Some(Material::Ed25519(bits)),
        _ => None,
    }
}
