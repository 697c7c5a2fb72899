use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

use super::*;

const RSA_PKCS1: &str = include_str!("vectors/rfc7515-a2-pkcs1.pem");
const RSA_PKCS8: &str = include_str!("vectors/rfc7515-a2-pkcs8.pem");
const EC_SEC1: &str = include_str!("vectors/rfc7515-a3-sec1.pem");
const EC_PKCS8: &str = include_str!("vectors/rfc7515-a3-pkcs8.pem");

/// The payload of RFC 7515 appendices A.2 and A.3, line ends included.
const PAYLOAD: &str = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
const A2: &str = "eyJhbGciOiJSUzI1NiJ9.\
    eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
    cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t\
    1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j\
    zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ\
    Ge77Rw";

fn pem(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

#[test]
fn rs256_is_the_published_vector_in_both_key_forms() {
    for key in [RSA_PKCS1, RSA_PKCS8] {
        let signed = sign(r#"{"alg":"RS256"}"#, PAYLOAD, JwtAlgorithm::Rs256, &pem(key)).expect("signs");
        assert_eq!(signed.expose(), A2);
    }
}

#[test]
fn es256_verifies_with_the_published_key() {
    let signed = sign(r#"{"alg":"ES256"}"#, PAYLOAD, JwtAlgorithm::Es256, &pem(EC_PKCS8)).expect("signs");
    let (message, signature) = signed.expose().rsplit_once('.').expect("three parts");
    let decode = |text| URL_SAFE_NO_PAD.decode(text).expect("base64url");
    let point =
        [vec![4], decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"), decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")].concat();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    public.verify(message.as_bytes(), &decode(signature)).expect("the signature is valid");
}

#[test]
fn claims_are_the_five_that_vendors_ask_for_and_the_scope_where_there_is_one() {
    let payload = |scopes: &[String]| {
        let claims = Claims {
            issuer: "client",
            subject: "user@acme.example",
            audience: "https://login.salesforce.com",
            scopes,
            issued_at: Timestamp::from_second(1_000).expect("a time"),
        };
        let text = assertion(&claims, JwtAlgorithm::Rs256, &pem(RSA_PKCS8)).expect("signs");
        let part = text.expose().split('.').nth(1).expect("a payload").to_owned();
        serde_json::from_slice::<serde_json::Value>(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
    };
    let mut expected = json!({
        "iss": "client", "sub": "user@acme.example", "aud": "https://login.salesforce.com", "iat": 1000, "exp": 1180,
    });
    assert_eq!(payload(&[]), expected);
    expected["scope"] = "a b".into();
    assert_eq!(payload(&["a".into(), "b".into()]), expected);
}

#[test]
fn keys_that_do_not_fit_are_refused_without_showing_them() {
    for (key, algorithm, expected) in [
        ("hunter2", JwtAlgorithm::Rs256, "holds no private key"),
        (EC_SEC1, JwtAlgorithm::Es256, "openssl pkcs8"),
        (RSA_PKCS1, JwtAlgorithm::Es256, "openssl pkcs8"),
        (EC_PKCS8, JwtAlgorithm::Rs256, "can't sign RS256"),
        (RSA_PKCS8, JwtAlgorithm::Es256, "can't sign ES256"),
    ] {
        let error = sign("{}", "{}", algorithm, &pem(key)).expect_err("does not fit").to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
