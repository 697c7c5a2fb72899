//! An ID token, verified (OpenID Connect Core section 3.1.3.7; RFC 8725).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::keys::{Algorithm, Keys};

/// Longest token that is looked at.
const MOST_TOKEN: usize = 64 << 10;
/// How far the provider's clock may be from ours, in seconds.
const LEEWAY: i64 = 60;
/// A token for a login is made at the login; longest subject, in bytes, by its specification.
const MOST_SUBJECT: usize = 255;

/// Why an ID token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenError {
    /// It is no signed token at all.
    #[error("it is not a signed token")]
    Malformed,
    /// `none`, one with a shared secret, or one that nobody knows.
    #[error("its `alg` is none that is accepted here (RS256, ES256, EdDSA and their like)")]
    Algorithm,
    /// It was signed with a key that the provider does not publish.
    #[error("the provider publishes no key that it could be signed with")]
    UnknownKey,
    /// The signature is not that of the key.
    #[error("its signature is wrong")]
    Signature,
    /// A claim is missing, or not what it must be.
    #[error("its `{0}` is not what it must be")]
    Claim(&'static str),
    /// It is over, or not yet good.
    #[error("it has expired, or is not good yet: do the clocks of host and provider agree?")]
    Time,
}

/// What a token must say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: Timestamp,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood; none are.
    crit: Option<Value>,
}

/// The claims of a token that is good.
pub(super) fn verify(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<Map<String, Value>, IdTokenError> {
    if token.len() > MOST_TOKEN {
        return Err(IdTokenError::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(IdTokenError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(IdTokenError::Malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| IdTokenError::Malformed);
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| IdTokenError::Malformed)?;
    let algorithm = Algorithm::parse(&header.alg).filter(|_| header.crit.is_none()).ok_or(IdTokenError::Algorithm)?;
    let signature = decode(signature)?;
    let mut candidates = keys.candidates(header.kid.as_deref(), algorithm).peekable();
    if candidates.peek().is_none() {
        return Err(IdTokenError::UnknownKey);
    }
    if !candidates.any(|key| key.verifies(algorithm, signed.as_bytes(), &signature)) {
        return Err(IdTokenError::Signature);
    }
    let claims: Map<String, Value> = serde_json::from_slice(&decode(payload)?).map_err(|_| IdTokenError::Malformed)?;
    judge(&claims, expected)?;
    Ok(claims)
}

fn judge(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), IdTokenError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let must = |right: bool, name: &'static str| if right { Ok(()) } else { Err(IdTokenError::Claim(name)) };
    must(text("iss") == Some(expected.issuer), "iss")?;
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().map(|one| one.as_str().unwrap_or_default()).collect(),
        _ => Vec::new(),
    };
    must(audiences.contains(&expected.client_id), "aud")?;
    // With several audiences it must have been made for us; whoever else it is for could show it here otherwise.
    let azp = claims.get("azp");
    must(azp.is_none() && audiences.len() == 1 || azp.and_then(Value::as_str) == Some(expected.client_id), "azp")?;
    let subject = text("sub").unwrap_or_default();
    must((1..=MOST_SUBJECT).contains(&subject.len()), "sub")?;
    let nonce = text("nonce").unwrap_or_default();
    must(bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())), "nonce")?;
    let now = expected.now.as_second();
    let second = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        // Some providers write fractions.
        Some(value) => value.as_f64().map(|second| Some(second as i64)).ok_or(IdTokenError::Claim(name)),
    };
    let expires = second("exp")?.ok_or(IdTokenError::Claim("exp"))?;
    let issued = second("iat")?.ok_or(IdTokenError::Claim("iat"))?;
    let begins = second("nbf")?.unwrap_or(issued);
    if expires.saturating_add(LEEWAY) <= now || issued.saturating_sub(LEEWAY) > now || begins.saturating_sub(LEEWAY) > now {
        return Err(IdTokenError::Time);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).expect("a time")
    }

    fn expected() -> Expected<'static> {
        Expected { issuer: "https://login.example", client_id: "sangam", nonce: "n-0S6", now: now() }
    }

    fn good() -> Value {
        json!({ "iss": "https://login.example", "aud": "sangam", "sub": "ann", "nonce": "n-0S6", "iat": 1_800_000_000, "exp": 1_800_000_300 })
    }

    fn encode(value: &Value) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    fn ed25519() -> (Ed25519KeyPair, Value) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 bytes are a key");
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": URL_SAFE_NO_PAD.encode(pair.public_key()) });
        (pair, jwk)
    }

    fn keys(list: &[Value]) -> Keys {
        Keys::parse(json!({ "keys": list }).to_string().as_bytes()).expect("a key set")
    }

    fn token(header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = ed25519().0.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn judged(claims: &Value) -> Result<(), IdTokenError> {
        let (_, jwk) = ed25519();
        verify(&token(&json!({ "alg": "EdDSA", "kid": "ed" }), claims), &keys(&[jwk]), &expected()).map(drop)
    }

    #[test]
    fn every_claim_must_be_what_it_must_be() {
        assert_eq!(judged(&good()), Ok(()));
        for (name, value, error) in [
            ("iss", json!("https://login.example/"), IdTokenError::Claim("iss")),
            ("iss", Value::Null, IdTokenError::Claim("iss")),
            ("aud", json!("sangam2"), IdTokenError::Claim("aud")),
            ("aud", json!([]), IdTokenError::Claim("aud")),
            ("aud", json!({ "sangam": true }), IdTokenError::Claim("aud")),
            ("aud", json!(["sangam", "other"]), IdTokenError::Claim("azp")),
            ("azp", json!("other"), IdTokenError::Claim("azp")),
            ("azp", json!(1), IdTokenError::Claim("azp")),
            ("sub", json!(""), IdTokenError::Claim("sub")),
            ("sub", json!("s".repeat(256)), IdTokenError::Claim("sub")),
            ("sub", json!(17), IdTokenError::Claim("sub")),
            ("nonce", json!("n-0S7"), IdTokenError::Claim("nonce")),
            ("nonce", Value::Null, IdTokenError::Claim("nonce")),
            ("exp", Value::Null, IdTokenError::Claim("exp")),
            ("exp", json!("2099-01-01"), IdTokenError::Claim("exp")),
            ("exp", json!(1_800_000_000 - 60), IdTokenError::Time),
            ("iat", json!(1_800_000_000 + 61), IdTokenError::Time),
            ("nbf", json!(1_800_000_000 + 61), IdTokenError::Time),
        ] {
            let mut claims = good();
            claims[name] = value.clone();
            assert_eq!(judged(&claims), Err(error), "{name}: {value}");
        }
        for (name, value) in [
            ("aud", json!(["sangam"])),
            ("azp", json!("sangam")),
            ("exp", json!(1_800_000_000 - 59)),
            ("iat", json!(1_800_000_000 + 59)),
            ("iat", json!(1_799_999_999.5)),
        ] {
            let mut claims = good();
            claims[name] = value.clone();
            assert_eq!(judged(&claims), Ok(()), "{name}: {value}");
        }
        for name in ["aud", "sub", "nonce", "iat"] {
            let mut claims = good();
            claims.as_object_mut().expect("an object").remove(name);
            assert_eq!(judged(&claims), Err(IdTokenError::Claim(name)));
        }
    }

    #[test]
    fn the_key_decides_about_the_algorithm() {
        let (_, jwk) = ed25519();
        let good_keys = || keys(std::slice::from_ref(&jwk));
        let with = |header: Value, keys: &Keys| verify(&token(&header, &good()), keys, &expected()).map(drop);
        assert_eq!(with(json!({ "alg": "EdDSA" }), &good_keys()), Ok(()), "without a key id every key may be it");
        for alg in ["none", "None", "", "HS256", "HS512", "RS1", "eddsa"] {
            assert_eq!(with(json!({ "alg": alg, "kid": "ed" }), &good_keys()), Err(IdTokenError::Algorithm), "{alg}");
        }
        for alg in ["RS256", "ES256", "PS512"] {
            assert_eq!(with(json!({ "alg": alg, "kid": "ed" }), &good_keys()), Err(IdTokenError::UnknownKey), "{alg}");
        }
        assert_eq!(with(json!({ "alg": "EdDSA", "kid": "other" }), &good_keys()), Err(IdTokenError::UnknownKey));
        assert_eq!(with(json!({ "alg": "EdDSA", "crit": ["exp"] }), &good_keys()), Err(IdTokenError::Algorithm));
        let changed = |name: &str, value: &str| {
            let mut jwk = jwk.clone();
            jwk[name] = json!(value);
            keys(&[jwk])
        };
        assert_eq!(with(json!({ "alg": "EdDSA" }), &changed("alg", "ES256")), Err(IdTokenError::UnknownKey));
        assert_eq!(with(json!({ "alg": "EdDSA" }), &changed("use", "enc")), Err(IdTokenError::UnknownKey));
        assert_eq!(with(json!({ "alg": "EdDSA" }), &changed("x", &URL_SAFE_NO_PAD.encode([9; 32]))), Err(IdTokenError::Signature));
        // A shared secret can't become a key, whoever writes it into the set.
        assert_eq!(with(json!({ "alg": "EdDSA" }), &keys(&[json!({ "kty": "oct", "k": "AAAA" })])), Err(IdTokenError::UnknownKey));
    }

    #[test]
    fn a_changed_or_broken_token_is_refused() {
        let (_, jwk) = ed25519();
        let keys = keys(&[jwk]);
        let whole = token(&json!({ "alg": "EdDSA" }), &good());
        let parts: Vec<&str> = whole.split('.').collect();
        let mut forged = good();
        forged["sub"] = json!("root");
        for (text, error) in [
            (format!("{}.{}.{}", parts[0], encode(&forged), parts[2]), IdTokenError::Signature),
            (format!("{}.{}.", parts[0], parts[1]), IdTokenError::Signature),
            (format!("{}.{}.AAAA", parts[0], parts[1]), IdTokenError::Signature),
            (format!("{}.{}", parts[0], parts[1]), IdTokenError::Malformed),
            (format!("{whole}.x"), IdTokenError::Malformed),
            (format!("{whole}="), IdTokenError::Malformed),
            (String::new(), IdTokenError::Malformed),
            ("a.b.c".to_owned(), IdTokenError::Malformed),
            ("A".repeat(MOST_TOKEN + 1), IdTokenError::Malformed),
        ] {
            assert_eq!(verify(&text, &keys, &expected()).map(drop), Err(error), "{text:.60}");
        }
    }

    #[test]
    fn curve_keys_verify_and_points_of_the_wrong_length_are_no_keys() {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).expect("a key");
        let point = pair.public_key().as_ref();
        let jwk =
            |x: &[u8], y: &[u8]| json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) });
        let signed = format!("{}.{}", encode(&json!({ "alg": "ES256" })), encode(&good()));
        let signature = pair.sign(&random, signed.as_bytes()).expect("signs");
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        assert!(verify(&token, &keys(&[jwk(&point[1..33], &point[33..])]), &expected()).is_ok());
        let cut = keys(&[jwk(&point[1..32], &point[33..])]);
        assert_eq!(verify(&token, &cut, &expected()).map(drop), Err(IdTokenError::UnknownKey));
    }
}
