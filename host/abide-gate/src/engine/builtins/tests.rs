//! Known answers from RFC 7515 (A.2, A.3) and RFC 4231 (2), and what an attacker would try. OPA's own cases run in `tests/it/support.rs`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::Mac as _;
use serde_json::json;

use super::*;
use crate::engine::tests::{answers, load};

const PAYLOAD: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
/// RFC 7515, A.3.
const ES256: &str = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
const EC_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
/// RFC 7515, A.2.
const RS256: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";

fn es256() -> String {
    format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}.{ES256}")
}

fn texts(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| Value::from(*text)).collect()
}

fn constraints(value: &serde_json::Value) -> Value {
    Value::from_json_str(&value.to_string()).unwrap()
}

fn decided(token: &str, wanted: &serde_json::Value) -> Result<bool, String> {
    let answer = jwt::decode_verify(vec![Value::from(token), constraints(wanted)])
        .map_err(|error| error.to_string())?;
    let answer: serde_json::Value = serde_json::from_str(&answer.to_json_str().unwrap()).unwrap();
    if answer[0] == false {
        assert_eq!(answer, json!([false, {}, {}]), "what is refused shows nothing of the token");
    }
    Ok(answer[0] == true)
}

/// A token signed with a secret.
fn signed(header: &serde_json::Value, payload: &serde_json::Value, secret: &str) -> String {
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(payload));
    let mac = crypto::keyed::<sha2::Sha256>(secret.as_bytes()).unwrap().chain_update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[test]
fn digests_and_codes_are_those_that_are_known() {
    let sha = crypto::sha256(texts(&["abc"])).unwrap();
    assert_eq!(sha, Value::from("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    let mac = crypto::hmac_sha256(texts(&["what do ya want for nothing?", "Jefe"])).unwrap();
    assert_eq!(mac, Value::from("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    assert_eq!(crypto::hmac_equal(texts(&["a", "a"])).unwrap(), Value::from(true));
    assert_eq!(crypto::hmac_equal(texts(&["a", "ab"])).unwrap(), Value::from(false));
    assert!(crypto::sha256(vec![Value::from(1_u64)]).is_err());
}

#[test]
fn networks_are_compared_as_addresses() {
    let contains =
        |outer, inner| net::cidr_contains(texts(&[outer, inner])).map(|value| value == Value::from(true));
    assert!(contains("10.0.0.0/8", "10.255.0.1").unwrap());
    assert!(contains("10.1.2.3/8", "10.0.0.0/16").unwrap(), "host bits are ignored");
    assert!(!contains("10.0.0.0/16", "10.0.0.0/8").unwrap());
    assert!(!contains("::/0", "10.0.0.1").unwrap(), "an IPv4 address is in no IPv6 network");
    assert!(contains("10.0.0.0/8", "::ffff:10.0.0.1").unwrap(), "unless it only looks like IPv6");
    assert!(contains("::ffff:10.0.0.0/104", "10.0.0.1").unwrap());
    for odd in ["010.0.0.1", "10.0.0", "10.0.0.1/33", "", "0x0a000001", "10.0.0.0/8 ", "10.0.0.0/-1"] {
        assert!(contains("10.0.0.0/8", odd).is_err(), "{odd}");
    }
}

#[test]
fn signatures_of_the_standards_are_verified_and_bound_to_their_keys() {
    let token = es256();
    let in_time = json!({ "cert": EC_KEY, "time": 1_300_819_379_000_000_000_u64 });
    assert_eq!(decided(&token, &in_time), Ok(true));
    let rsa = json!({ "keys": [
        { "kty": "oct", "k": "AAAA" }, { "kty": "RSA", "n": RSA_N, "e": "AQAB", "kid": "a" },
    ]});
    let of_rsa = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.{RS256}");
    let verify =
        |token: &str, key: &str| jwt::verify_rs256(texts(&[token, key])).unwrap() == Value::from(true);
    assert!(verify(&of_rsa, &rsa.to_string()));
    assert!(!verify(&of_rsa, EC_KEY) && !verify(&token, &rsa.to_string()));
    let changed = of_rsa.replacen("eyJpc3M", "eyJpc3N", 1);
    assert!(changed != of_rsa && !verify(&changed, &rsa.to_string()));
    let pair = SigningKey::from_bytes(&[7; 32]);
    let text = format!("eyJhbGciOiJFZERTQSJ9.{PAYLOAD}");
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(text.as_bytes()).to_bytes());
    let key =
        json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(pair.verifying_key().as_bytes()) }).to_string();
    let eddsa = jwt::verify_eddsa(texts(&[&format!("{text}.{signature}"), &key])).unwrap();
    assert_eq!(eddsa, Value::from(true));
    assert!(jwt::verify_eddsa(texts(&[&token, "no key"])).is_err());
}

#[test]
fn what_an_attacker_would_try_is_refused() {
    let (claims, secret) = (json!({ "iss": "a", "aud": ["x", "y"] }), json!({ "secret": "s", "aud": "y" }));
    let header = json!({ "alg": "HS256" });
    assert_eq!(decided(&signed(&header, &claims, "s"), &secret), Ok(true));
    assert_eq!(decided(&signed(&header, &claims, "t"), &secret), Ok(false));
    // A token for somebody else, or for nobody in particular.
    assert_eq!(decided(&signed(&header, &claims, "s"), &json!({ "secret": "s", "aud": "z" })), Ok(false));
    assert_eq!(decided(&signed(&header, &claims, "s"), &json!({ "secret": "s" })), Ok(false));
    assert_eq!(decided(&signed(&header, &json!({}), "s"), &secret), Ok(false));
    // No algorithm, and one that must be understood.
    let none = decided(&signed(&json!({ "alg": "none" }), &claims, "s"), &secret);
    assert!(none.unwrap_err().contains("unknown JWS algorithm"));
    assert_eq!(decided(&signed(&json!({}), &claims, "s"), &secret), Ok(false));
    let critical = json!({ "alg": "HS256", "crit": ["b64"], "b64": false });
    assert_eq!(decided(&signed(&critical, &claims, "s"), &secret), Ok(false));
    // A public key is no secret, whatever the header says.
    let public = json!({ "cert": EC_KEY, "aud": "y" });
    assert_eq!(decided(&signed(&header, &claims, EC_KEY), &public), Ok(false));
    // A header that asks for another algorithm than the constraint.
    assert_eq!(
        decided(&signed(&header, &claims, "s"), &json!({ "secret": "s", "aud": "y", "alg": "RS256" })),
        Ok(false)
    );
    for (odd, why) in [
        (json!({ "aud": "y" }), "no key constraint"),
        (json!({ "secret": "", "aud": "y" }), "no key constraint"),
        (json!({ "secret": "s", "cert": EC_KEY }), "duplicate key"),
        (json!({ "secret": "s", "sub": "y" }), "unknown token validation constraint"),
        (json!({ "secret": "s", "time": -1 }), "must not be negative"),
    ] {
        assert!(decided(&signed(&header, &claims, "s"), &odd).unwrap_err().contains(why), "{why}");
    }
    for odd in ["", "a.b", "a.b.c.d", "....", "e30.e30.e30", "\u{0}.\u{0}.\u{0}"] {
        assert!(jwt::decode(texts(&[odd])).is_err() || odd == "e30.e30.e30", "{odd}");
    }
}

#[test]
fn time_comes_from_the_one_who_asks_or_not_at_all() {
    let token = es256();
    let no_time = decided(&token, &json!({ "cert": EC_KEY })).unwrap_err();
    assert!(no_time.contains("a policy has no clock"), "{no_time}");
    let at = |nanoseconds: u64| decided(&token, &json!({ "cert": EC_KEY, "time": nanoseconds }));
    assert_eq!(at(1_300_819_379_999_000_000), Ok(true));
    assert_eq!(at(1_300_819_380_000_000_000), Ok(false), "from `exp` on");
    let nbf = signed(&json!({ "alg": "HS256" }), &json!({ "nbf": 5 }), "s");
    assert_eq!(decided(&nbf, &json!({ "secret": "s", "time": 4_999_999_999_u64 })), Ok(false));
    assert_eq!(decided(&nbf, &json!({ "secret": "s", "time": 5_000_000_000_u64 })), Ok(true));
    let odd = signed(&json!({ "alg": "HS256" }), &json!({ "exp": "never" }), "s");
    assert!(decided(&odd, &json!({ "secret": "s", "time": 1 })).unwrap_err().contains("must be a number"));
}

#[test]
fn tokens_in_tokens_end() {
    let header = json!({ "alg": "HS256", "cty": "JWT" });
    let mut token = signed(&json!({ "alg": "HS256" }), &json!({ "a": 1 }), "s");
    for depth in 1..=9 {
        token = signed(&header, &json!(token), "s");
        assert_eq!(decided(&token, &json!({ "secret": "s" })).is_ok(), depth < 8, "{depth}");
    }
}

#[test]
fn a_rule_may_call_them_and_decides_the_same_joined_or_not() {
    let rule = format!(
        r#"package abide

default decision := {{"verdict": "deny", "findings": []}}

decision := {{"verdict": "allow", "findings": []}} if {{
	crypto.sha256(input.subject.id) == crypto.sha256("codegen")
	net.cidr_contains("10.0.0.0/8", "10.1.2.3")
	[true, header, _] := io.jwt.decode_verify("{}", {{"cert": key, "time": 1300819379 * 1000000000}})
	header.alg == "ES256"
}}

key := `{EC_KEY}`
"#,
        es256()
    );
    let bundle = load(&rule).unwrap();
    let question = crate::Question::new(answers::input()).unwrap();
    for judge in [crate::NativeJudge::over(bundle.clone()), crate::NativeJudge::as_written(bundle)] {
        let decision = crate::Judge::decide(&judge, &question);
        assert_eq!((decision.verdict.as_str(), decision.fault), ("allow", None), "{:?}", decision.findings);
    }
}
