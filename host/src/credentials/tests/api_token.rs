use std::time::Duration;

use super::support::{by, clock, store};
use crate::audit::Action;
use crate::credentials::api_token::{self, TokenError};
use crate::credentials::{Permission, Role, SealingKey, allows};

#[tokio::test]
async fn a_token_is_shown_once_kept_as_a_digest_and_good_until_it_expires_or_is_revoked() {
    let (store, clock) = (store().await, clock());
    let end = crate::clock::later(clock.now(), Duration::from_secs(60));
    let (token, row) = api_token::issue("ci", Role::Sender, Vec::new(), clock.now(), Some(end));
    assert!(token.expose().starts_with("sgm_") && token.expose().len() == 47, "{}", token.expose());
    assert!(!format!("{row:?} {token:?}").contains(&token.expose()[4..]));
    store.sign_audit_with(SealingKey::new(&[7; 32]).audit_key());
    store.token_insert(row.clone(), by().did(Action::TokenCreated, &row.id)).await.expect("inserted");

    let found = api_token::verify(&store, token.expose(), clock.now()).await.expect("known");
    assert_eq!((found.name.as_str(), found.role), ("ci", Role::Sender));
    let error = api_token::verify(&store, token.expose(), end).await.expect_err("expired");
    assert!(matches!(error, TokenError::Expired { .. }), "{error}");
    assert!(store.token_revoke(&row.id, by().did(Action::TokenRevoked, &row.id), clock.now()).await.expect("revoked"));
    let error = api_token::verify(&store, token.expose(), clock.now()).await.expect_err("revoked");
    assert!(matches!(error, TokenError::Unknown), "{error}");
}

#[tokio::test]
async fn what_was_never_issued_is_unknown() {
    let (store, clock) = (store().await, clock());
    let (token, row) = api_token::issue("ci", Role::Admin, Vec::new(), clock.now(), None);
    store.sign_audit_with(SealingKey::new(&[7; 32]).audit_key());
    store.token_insert(row.clone(), by().did(Action::TokenCreated, &row.id)).await.expect("inserted");
    let (other, _) = api_token::issue("ci", Role::Admin, Vec::new(), clock.now(), None);
    let truncated = &token.expose()[..46];
    for presented in ["", "sgm_", truncated, &token.expose()[4..], other.expose(), &format!("{} ", token.expose())] {
        let error = api_token::verify(&store, presented, clock.now()).await.expect_err("not a token");
        assert!(matches!(error, TokenError::Unknown), "{error}");
    }
}

#[test]
fn roles_may_do_this() {
    use Permission::{Administer, Operate, Read, Send};
    for (name, may) in
        [("admin", &[Send, Read, Operate, Administer][..]), ("operator", &[Send, Read, Operate]), ("sender", &[Send]), ("viewer", &[Read])]
    {
        let role = name.parse::<Role>().expect("a role");
        assert_eq!(role.to_string(), name);
        for permission in [Send, Read, Operate, Administer] {
            assert_eq!(allows(role, permission), may.contains(&permission), "{name} {permission:?}");
        }
    }
    assert!("Admin".parse::<Role>().is_err());
}
