//! `[credentials.NAME]`, and the references that stand for what is not in the file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A text with references to what is not in the file. Resolved when it is used; never printed resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Literal text and references in turn.
    pub parts: Vec<ReferencePart>,
}

/// One piece of a [`Reference`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferencePart {
    /// As written.
    Text(String),
    /// `${env:NAME}`.
    Env(String),
    /// `${file:PATH}`, the path made absolute.
    File(PathBuf),
    /// `${secret:NAME}`.
    Secret(String),
}

/// `[credentials.NAME]`.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Its name.
    pub name: String,
    /// The origins it is attached to, exactly: `https://host[:port]`, lower case, default port left out.
    pub hosts: Vec<String>,
    /// How it is attached.
    pub kind: CredentialKind,
}

/// `type` of a credential with the keys of that type.
#[derive(Debug, Clone)]
pub enum CredentialKind {
    /// `Authorization: Bearer TOKEN`.
    Bearer {
        /// `token`
        token: Reference,
    },
    /// `Authorization: Basic …` (RFC 7617).
    Basic {
        /// `username`
        username: Reference,
        /// `password`
        password: Reference,
    },
    /// Any header.
    Header {
        /// `name` of the header.
        name: String,
        /// `value`
        value: Reference,
    },
    /// A parameter of the URL's query.
    Query {
        /// `name` of the parameter.
        name: String,
        /// `value`
        value: Reference,
    },
    /// A signature over the request (RFC 2104).
    Hmac(Box<Hmac>),
    /// The plugin writes `{{credential:NAME}}` where the system wants the secret.
    Placeholder {
        /// `value`
        value: Reference,
        /// `in`: where it is filled in, and nowhere else.
        places: Vec<Place>,
    },
    /// RFC 6749 section 4.4.
    OAuth2ClientCredentials(OAuth2Client),
    /// RFC 6749 section 6. The refresh token comes from the file once; what the server rotates it to is kept in the store.
    OAuth2RefreshToken {
        /// The client.
        client: OAuth2Client,
        /// `refresh-token`: the first one.
        refresh_token: Reference,
    },
    /// RFC 6749 section 4.1 with PKCE (RFC 7636). What `sangam connect` got is kept in the store.
    OAuth2AuthorizationCode {
        /// The client.
        client: OAuth2Client,
        /// `auth-url`: where a person agrees.
        auth_url: String,
        /// `issuer`, which the answer has to name if it names one (RFC 9207).
        issuer: Option<String>,
        /// `auth-parameters` of the vendor's own.
        parameters: BTreeMap<String, String>,
    },
    /// RFC 7523 section 2.1.
    OAuth2JwtBearer {
        /// The client; its secret may be absent.
        client: OAuth2Client,
        /// `issuer`; default the client id.
        issuer: Option<Reference>,
        /// `subject`
        subject: Reference,
        /// `private-key`, PEM (PKCS#8 or PKCS#1).
        private_key: Reference,
        /// `algorithm`; RS256.
        algorithm: JwtAlgorithm,
    },
}

/// The keys that all OAuth2 types share.
#[derive(Debug, Clone)]
pub struct OAuth2Client {
    /// `token-url`; https, or http to loopback.
    pub token_url: String,
    /// `client-id`
    pub client_id: Reference,
    /// `client-secret`
    pub client_secret: Option<Reference>,
    /// `client-auth`
    pub client_auth: ClientAuth,
    /// `scopes`
    pub scopes: Vec<String>,
    /// `audience`
    pub audience: Option<String>,
    /// `keep-alive`: a refresh token is used at least so often, so that it does not end for want of use.
    pub keep_alive: Option<Duration>,
}

/// Where a placeholder is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `"path"`: of the URL.
    Path,
    /// `"query"` of the URL, anywhere or in one parameter: `"query:NAME"`.
    Query(Option<String>),
    /// `"body"`, anywhere or in one form field or JSON member: `"body:NAME"`, `"body:/pointer"`.
    Body(Option<String>),
    /// `"header:NAME"`, lower case.
    Header(String),
}

/// `hmac`: what is signed, how, and where the signature goes.
#[derive(Debug, Clone)]
pub struct Hmac {
    /// `key`
    pub key: Reference,
    /// `key-encoding`: how `key` is written.
    pub key_encoding: Encoding,
    /// `algorithm`
    pub algorithm: HmacAlgorithm,
    /// `signed`: the text that is signed.
    pub signed: Vec<SignedPart>,
    /// `header` of the signature.
    pub header: String,
    /// `format` of that header's value.
    pub format: Vec<SignedPart>,
    /// `encoding` of the signature.
    pub encoding: Encoding,
    /// `key-id`
    pub key_id: Option<Reference>,
    /// `key-id-header`
    pub key_id_header: Option<String>,
    /// `timestamp`: how the time is written.
    pub timestamp: TimeForm,
    /// `timestamp-header`
    pub timestamp_header: Option<String>,
    /// `nonce-header`
    pub nonce_header: Option<String>,
}

/// `algorithm` of `hmac`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacAlgorithm {
    /// Of older systems.
    Sha1,
    /// The default.
    Sha256,
    /// Rare.
    Sha384,
    /// Rare.
    Sha512,
}

/// How bytes are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is; of keys only.
    Text,
    /// Lower case.
    Hex,
    /// With padding.
    Base64,
}

/// How the time of a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeForm {
    /// `"unix"`: seconds since 1970.
    Seconds,
    /// `"unix-ms"`: milliseconds since 1970.
    Milliseconds,
    /// `"rfc3339"`: `2026-03-01T10:00:00Z`.
    Rfc3339,
    /// `"http"`: `Sun, 01 Mar 2026 10:00:00 GMT`.
    Http,
}

/// A piece of what is signed, or of the header that carries the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedPart {
    /// As written.
    Text(String),
    /// `{method}`, upper case.
    Method,
    /// `{url}`, whole.
    Url,
    /// `{host}` with its port, if that is not the default.
    Host,
    /// `{path}` of the URL.
    Path,
    /// `{query}` without its question mark.
    Query,
    /// `{target}`: path and query.
    Target,
    /// `{body}`
    Body,
    /// `{body-sha256}`, hexadecimal.
    BodySha256,
    /// `{body-sha256-base64}`
    BodySha256Base64,
    /// `{header:NAME}` of the request, lower case.
    Header(String),
    /// `{timestamp}`
    Timestamp,
    /// `{nonce}`: a UUID for each request.
    Nonce,
    /// `{key-id}`
    KeyId,
    /// `{signature}`; in `format` only.
    Signature,
}

/// How the client proves who it is at the token endpoint (RFC 6749 section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// `"basic"`, the default.
    Basic,
    /// `"body"`.
    Body,
}

/// Signature algorithm of a JWT assertion (RFC 7518).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwtAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}
