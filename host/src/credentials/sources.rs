//! What a credential is made of, its references resolved.

use sha2::{Digest, Sha256};

use super::secret::Secret;
use super::vault::{SecretError, Vault};
use crate::config::{ClientAuth, CredentialKind, JwtAlgorithm, OAuth2Client, Reference};

/// SHA-256 over everything that a credential is made of: another one means that somebody changed it.
pub(super) type Fingerprint = [u8; 32];

/// An OAuth2 credential, resolved.
pub(super) struct Sources {
    pub(super) client: OAuth2Client,
    pub(super) client_id: Secret,
    pub(super) client_secret: Option<Secret>,
    pub(super) grant: Grant,
    pub(super) fingerprint: Fingerprint,
}

/// What the client shows to get a token.
pub(super) enum Grant {
    ClientCredentials,
    RefreshToken {
        first: Secret,
    },
    /// The refresh token of what a person agreed to, which is in the store.
    AuthorizationCode,
    JwtBearer {
        issuer: Option<Secret>,
        subject: Secret,
        private_key: Secret,
        algorithm: JwtAlgorithm,
    },
}

impl Sources {
    /// Resolves an OAuth2 credential; `None` for the other kinds.
    pub(super) async fn resolve(vault: &Vault, kind: &CredentialKind) -> Result<Option<Self>, SecretError> {
        let (client, grant) = match kind {
            CredentialKind::OAuth2ClientCredentials(client) => (client, Grant::ClientCredentials),
            CredentialKind::OAuth2RefreshToken { client, refresh_token } => {
                (client, Grant::RefreshToken { first: vault.resolve(refresh_token).await? })
            }
            CredentialKind::OAuth2AuthorizationCode { client, .. } => (client, Grant::AuthorizationCode),
            CredentialKind::OAuth2JwtBearer { client, issuer, subject, private_key, algorithm } => {
                let grant = Grant::JwtBearer {
                    issuer: optional(vault, issuer.as_ref()).await?,
                    subject: vault.resolve(subject).await?,
                    private_key: vault.resolve(private_key).await?,
                    algorithm: *algorithm,
                };
                (client, grant)
            }
            CredentialKind::Bearer { .. }
            | CredentialKind::Basic { .. }
            | CredentialKind::Header { .. }
            | CredentialKind::Query { .. }
            | CredentialKind::Hmac(_)
            | CredentialKind::Placeholder { .. } => return Ok(None),
        };
        let client_id = vault.resolve(&client.client_id).await?;
        let client_secret = optional(vault, client.client_secret.as_ref()).await?;
        let fingerprint = fingerprint(client, &client_id, client_secret.as_ref(), &grant);
        Ok(Some(Self { client: client.clone(), client_id, client_secret, grant, fingerprint }))
    }

    /// Values that no text about this credential may hold.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let granted = match &self.grant {
            Grant::RefreshToken { first } => Some(first),
            // A private key is never sent anywhere.
            Grant::ClientCredentials | Grant::AuthorizationCode | Grant::JwtBearer { .. } => None,
        };
        self.client_secret.iter().chain(granted)
    }

    /// What a stored refresh token goes back to: the configured one, or the client that a person agreed to. With another one it is not used.
    pub(super) fn lineage(&self) -> Option<Fingerprint> {
        match &self.grant {
            Grant::RefreshToken { first } => Some(digest(first)),
            Grant::AuthorizationCode => Some(
                Sha256::new()
                    .chain_update(&self.client.token_url)
                    .chain_update([0])
                    .chain_update(self.client_id.expose())
                    .finalize()
                    .into(),
            ),
            Grant::ClientCredentials | Grant::JwtBearer { .. } => None,
        }
    }
}

async fn optional(vault: &Vault, reference: Option<&Reference>) -> Result<Option<Secret>, SecretError> {
    match reference {
        Some(reference) => vault.resolve(reference).await.map(Some),
        None => Ok(None),
    }
}

/// SHA-256 of a secret, to know it again.
pub(super) fn digest(secret: &Secret) -> Fingerprint {
    Sha256::digest(secret.expose().as_bytes()).into()
}

fn fingerprint(client: &OAuth2Client, id: &Secret, secret: Option<&Secret>, grant: &Grant) -> Fingerprint {
    let auth = match client.client_auth {
        ClientAuth::Basic => "basic",
        ClientAuth::Body => "body",
    };
    let mut hash = Sha256::new();
    // Lengths go in front, so that no two lists of fields give the same bytes.
    let mut field = |text: Option<&str>| {
        let length = text.map_or(u64::MAX, |text| text.len() as u64);
        hash.update(length.to_be_bytes());
        hash.update(text.unwrap_or_default());
    };
    field(Some(&client.token_url));
    field(Some(id.expose()));
    field(secret.map(Secret::expose));
    field(Some(auth));
    field(Some(&client.scopes.join(" ")));
    field(client.audience.as_deref());
    match grant {
        Grant::ClientCredentials => field(Some("client-credentials")),
        Grant::RefreshToken { first } => {
            field(Some("refresh-token"));
            field(Some(first.expose()));
        }
        Grant::AuthorizationCode => field(Some("authorization-code")),
        Grant::JwtBearer { issuer, subject, private_key, algorithm } => {
            field(Some("jwt-bearer"));
            field(issuer.as_ref().map(Secret::expose));
            field(Some(subject.expose()));
            field(Some(private_key.expose()));
            field(Some(match algorithm {
                JwtAlgorithm::Rs256 => "RS256",
                JwtAlgorithm::Es256 => "ES256",
            }));
        }
    }
    hash.finalize().into()
}
