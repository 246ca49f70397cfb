//! Keys that verify tokens: a PEM certificate or public key, one JWK (RFC 7517) or a set of them. A certificate is taken for its key alone: neither
//! its dates nor who signed it are looked at, as in OPA.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::signature::{
    self, EcdsaVerificationAlgorithm, EdDSAParameters, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde_json::Value as Json;
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, asn1::ObjectIdentifier};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::BASE64;

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
    /// `RSAPublicKey` of RFC 8017.
    RsaDer(Vec<u8>),
    /// An uncompressed point.
    Ec(Vec<u8>),
    /// RFC 8032.
    Ed25519(Vec<u8>),
    /// A kind that nothing verifies here. It is kept, so that a set with one in it can be used.
    Other,
}

/// How a signature is verified.
#[derive(Clone, Copy)]
pub(super) enum Algorithm {
    Rsa(&'static RsaParameters),
    Ec(&'static EcdsaVerificationAlgorithm),
    Ed(&'static EdDSAParameters),
    Mac(hmac::Algorithm),
}

pub(super) const EDDSA: Algorithm = Algorithm::Ed(&signature::ED25519);
pub(super) const ES256: Algorithm = Algorithm::Ec(&signature::ECDSA_P256_SHA256_FIXED);
pub(super) const ES384: Algorithm = Algorithm::Ec(&signature::ECDSA_P384_SHA384_FIXED);
pub(super) const PS256: Algorithm = Algorithm::Rsa(&signature::RSA_PSS_2048_8192_SHA256);
pub(super) const PS384: Algorithm = Algorithm::Rsa(&signature::RSA_PSS_2048_8192_SHA384);
pub(super) const PS512: Algorithm = Algorithm::Rsa(&signature::RSA_PSS_2048_8192_SHA512);
pub(super) const RS256: Algorithm = Algorithm::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256);
pub(super) const RS384: Algorithm = Algorithm::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384);
pub(super) const RS512: Algorithm = Algorithm::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512);

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
            "HS256" => Self::Mac(hmac::HMAC_SHA256),
            "HS384" => Self::Mac(hmac::HMAC_SHA384),
            "HS512" => Self::Mac(hmac::HMAC_SHA512),
            _ => return None,
        })
    }

    /// Whether `key` signed it. A key of another kind signed nothing: a public key is never taken for a secret.
    pub(super) fn is_signed_by(self, key: &Key, signed: &str, signature: &[u8]) -> bool {
        let signed = signed.as_bytes();
        match (self, &key.material) {
            (Self::Rsa(how), Material::Rsa { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(how, signed, signature).is_ok()
            }
            (Self::Rsa(how), Material::RsaDer(der)) => {
                UnparsedPublicKey::new(how, der).verify(signed, signature).is_ok()
            }
            (Self::Ec(how), Material::Ec(point)) => {
                UnparsedPublicKey::new(how, point).verify(signed, signature).is_ok()
            }
            (Self::Ed(how), Material::Ed25519(point)) => {
                UnparsedPublicKey::new(how, point).verify(signed, signature).is_ok()
            }
            (Self::Rsa(_) | Self::Ec(_) | Self::Ed(_) | Self::Mac(_), _) => false,
        }
    }

    /// Whether the holder of `secret` made it.
    pub(super) fn is_mac_of(self, secret: &[u8], signed: &str, signature: &[u8]) -> bool {
        match self {
            Self::Mac(how) => {
                hmac::verify(&hmac::Key::new(how, secret), signed.as_bytes(), signature).is_ok()
            }
            Self::Rsa(_) | Self::Ec(_) | Self::Ed(_) => false,
        }
    }
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

/// Without zeros in front, which ring takes for a malformed number.
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
        RSA => Some(Material::RsaDer(bits)),
        EC => Some(Material::Ec(bits)),
        ED25519 => Some(Material::Ed25519(bits)),
        _ => None,
    }
}
