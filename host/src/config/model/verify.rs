//! `verify`: how a webhook proves where it comes from.

use std::time::Duration;

use super::{HmacAlgorithm, Mtls, Reference};

/// `verify`.
#[derive(Debug, Clone, PartialEq)]
pub enum Verify {
    /// `"none"`: whoever reaches the host is believed.
    Nothing,
    /// An HMAC over parts of the request: `hmac`, and the schemes of vendors that are a form of it.
    Mac(Box<Mac>),
    /// `standard-webhooks`
    StandardWebhooks {
        /// `secret`: any of them.
        secrets: Vec<Reference>,
        /// `public-key`: of v1a signatures, 32 bytes each.
        public_keys: Vec<[u8; 32]>,
        /// `tolerance`
        tolerance: Duration,
    },
    /// `rfc9421`
    MessageSignature(Box<MessageSignature>),
    /// `twilio`
    Twilio {
        /// `secret`: the account's auth token, any of them.
        secrets: Vec<Reference>,
    },
    /// `mango-office`: SHA-256 of key, form field `json` and salt.
    MangoOffice {
        /// `api-key`
        api_key: Reference,
        /// `salt`
        salt: Reference,
    },
    /// `salesforce-outbound-message`: nothing in one is signed.
    Salesforce {
        /// `organization`: ids of 15 or 18 characters.
        organizations: Vec<String>,
        /// `token`: in the query, any of them.
        tokens: Vec<Reference>,
    },
    /// `bearer`: `Authorization: Bearer TOKEN` (RFC 6750), any of them.
    Bearer {
        /// `token`
        tokens: Vec<Reference>,
    },
    /// `basic` (RFC 7617)
    Basic {
        /// `username`
        username: Reference,
        /// `password`: any of them.
        passwords: Vec<Reference>,
    },
    /// `mtls`: the certificate that it shows.
    Mtls(Mtls),
    /// `token`: a secret somewhere in the request.
    Token {
        /// `in`
        place: TokenPlace,
        /// `value`: any of them.
        values: Vec<Reference>,
    },
}

/// Where a secret stands in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// `"header:NAME"`, lower case.
    Header(String),
    /// `"query:NAME"`
    Query(String),
    /// `"form:NAME"`: a field of `application/x-www-form-urlencoded`.
    Form(String),
    /// `"body:/pointer"` into JSON (RFC 6901).
    Body(String),
}

/// An HMAC (RFC 2104) over parts of the request.
#[derive(Debug, Clone, PartialEq)]
pub struct Mac {
    /// The word that the file has for it.
    pub scheme: &'static str,
    /// `secret`: any of them.
    pub secrets: Vec<Reference>,
    /// `secret-encoding`
    pub secret_encoding: SecretEncoding,
    /// `algorithm`
    pub algorithm: HmacAlgorithm,
    /// `signed`
    pub signed: Vec<HookPart>,
    /// `header` of the signature, lower case.
    pub header: String,
    /// `signature-field`: the header is a list of `name=value`, in which this is the signature, perhaps several times.
    pub field: Option<String>,
    /// `prefix` of the signature.
    pub prefix: String,
    /// `encoding` of the signature.
    pub encoding: SignatureEncoding,
    /// When it was signed. `None`: nothing says so, and replays are known by their id alone.
    pub time: Option<SignedTime>,
    /// Where the id of the delivery stands.
    pub id: Option<DeliveryId>,
}

/// `timestamp-header`, `timestamp-field`, `timestamp`, `tolerance`.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedTime {
    /// Where it stands.
    pub place: TimePlace,
    /// How it is written.
    pub form: HookTime,
    /// How far from now it may be.
    pub tolerance: Duration,
}

/// Where the time of a signature stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimePlace {
    /// `timestamp-header`, lower case.
    Header(String),
    /// `timestamp-field` of the signature's header.
    Field(String),
}

/// How the time of a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookTime {
    /// `"unix"`: seconds since 1970.
    Seconds,
    /// `"unix-ms"`: milliseconds since 1970.
    Milliseconds,
    /// `"rfc3339"`
    Rfc3339,
}

/// Where the sender's id of a delivery stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryId {
    /// `id-header`, lower case.
    Header(String),
    /// `id`: a JSON pointer into the body (RFC 6901).
    Body(String),
}

/// `secret-encoding`: how the key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretEncoding {
    /// As it is.
    Text,
    /// Hexadecimal.
    Hex,
    /// Base64 of either alphabet.
    Base64,
}

/// `encoding`: how the signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureEncoding {
    /// Hexadecimal.
    Hex,
    /// Base64 (RFC 4648 section 4).
    Base64,
    /// Base64 for URLs (section 5).
    Base64Url,
}

/// A piece of what is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookPart {
    /// As written.
    Text(String),
    /// `{method}`, upper case.
    Method,
    /// `{url}`: whole, as the sender wrote it.
    Url,
    /// `{url-decoded}`: the same with the characters decoded that HubSpot decodes.
    UrlDecoded,
    /// `{host}`
    Host,
    /// `{path}`
    Path,
    /// `{query}` without its question mark.
    Query,
    /// `{target}`: path and query.
    Target,
    /// `{body}`
    Body,
    /// `{body-sha256}`, hexadecimal.
    BodySha256,
    /// `{timestamp}`, as it came.
    Timestamp,
    /// `{id}`: that of `id-header`.
    Id,
    /// `{header:NAME}`, lower case.
    Header(String),
}

/// `rfc9421`: HTTP Message Signatures.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageSignature {
    /// `keys`
    pub keys: Vec<MessageKey>,
    /// `required`: components that have to be signed, as they stand in `Signature-Input`.
    pub required: Vec<String>,
    /// `label` of the signature. `None`: any whose key is known.
    pub label: Option<String>,
    /// `tolerance`: how far from now `created` may be.
    pub tolerance: Duration,
    /// `id-header`, which has to be signed then; lower case.
    pub id_header: Option<String>,
}

/// One of `keys`.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageKey {
    /// `id`: the `keyid` that it goes by. `None`: any.
    pub id: Option<String>,
    /// `algorithm`, with what it verifies with.
    pub kind: MessageKeyKind,
}

/// `algorithm` of a key of `rfc9421` (RFC 9421 section 6.2.2).
#[derive(Debug, Clone, PartialEq)]
pub enum MessageKeyKind {
    /// `hmac-sha256`
    HmacSha256 {
        /// `secret`
        secret: Reference,
        /// `secret-encoding`
        encoding: SecretEncoding,
    },
    /// One of the others.
    Public {
        /// Which.
        algorithm: PublicAlgorithm,
        /// `public-key`: its SubjectPublicKeyInfo, DER.
        key: Vec<u8>,
    },
}

/// Algorithms with a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicAlgorithm {
    /// `ed25519`
    Ed25519,
    /// `ecdsa-p256-sha256`
    EcdsaP256,
    /// `ecdsa-p384-sha384`
    EcdsaP384,
    /// `rsa-pss-sha512`
    RsaPss,
    /// `rsa-v1_5-sha256`
    RsaPkcs1,
}

impl PublicAlgorithm {
    /// Its name in the registry.
    pub fn name(self) -> &'static str {
        match self {
            PublicAlgorithm::Ed25519 => "ed25519",
            PublicAlgorithm::EcdsaP256 => "ecdsa-p256-sha256",
            PublicAlgorithm::EcdsaP384 => "ecdsa-p384-sha384",
            PublicAlgorithm::RsaPss => "rsa-pss-sha512",
            PublicAlgorithm::RsaPkcs1 => "rsa-v1_5-sha256",
        }
    }
}

impl Verify {
    /// The word that the file has for it.
    pub fn scheme(&self) -> &'static str {
        match self {
            Verify::Nothing => "none",
            Verify::Mac(mac) => mac.scheme,
            Verify::StandardWebhooks { .. } => "standard-webhooks",
            Verify::MessageSignature(_) => "rfc9421",
            Verify::Twilio { .. } => "twilio",
            Verify::MangoOffice { .. } => "mango-office",
            Verify::Salesforce { .. } => "salesforce-outbound-message",
            Verify::Bearer { .. } => "bearer",
            Verify::Basic { .. } => "basic",
            Verify::Mtls(_) => "mtls",
            Verify::Token { .. } => "token",
        }
    }

    /// What it needs to know that is not in the file, in the order in which `hooks::verify` takes it.
    pub fn secrets(&self) -> Vec<&Reference> {
        match self {
            Verify::Nothing | Verify::Mtls(_) => Vec::new(),
            Verify::Mac(mac) => mac.secrets.iter().collect(),
            Verify::StandardWebhooks { secrets, .. } | Verify::Twilio { secrets } => secrets.iter().collect(),
            Verify::MessageSignature(signature) => signature.keys.iter().filter_map(MessageKey::secret).collect(),
            Verify::MangoOffice { api_key, salt } => vec![api_key, salt],
            Verify::Salesforce { tokens, .. } | Verify::Bearer { tokens } => tokens.iter().collect(),
            Verify::Basic { username, passwords } => std::iter::once(username).chain(passwords).collect(),
            Verify::Token { values, .. } => values.iter().collect(),
        }
    }
}

impl MessageKey {
    /// The reference to its secret, if it has one.
    pub fn secret(&self) -> Option<&Reference> {
        match &self.kind {
            MessageKeyKind::HmacSha256 { secret, .. } => Some(secret),
            MessageKeyKind::Public { .. } => None,
        }
    }
}
