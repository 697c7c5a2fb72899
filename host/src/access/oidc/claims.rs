//! What the provider says of a person, and which role follows from it.

use serde_json::{Map, Value};

use super::id_token::IdTokenError;
use crate::config::ClaimRule;
use crate::credentials::Role;

/// The first role, from most to least, one of whose rules holds.
pub(super) fn role(claims: &Map<String, Value>, roles: &[(Role, Vec<ClaimRule>)]) -> Option<Role> {
    roles.iter().find(|(_, rules)| rules.iter().any(|rule| holds(claims, rule))).map(|(role, _)| *role)
}

fn holds(claims: &Map<String, Value>, rule: &ClaimRule) -> bool {
    let ClaimRule::Holds { claim, value } = rule else { return true };
    // Anyone can write any address into an account of theirs: it counts once the provider has made sure.
    if claim == "email" && claims.get("email_verified") != Some(&Value::Bool(true)) {
        return false;
    }
    match find(claims, claim) {
        Some(Value::Array(items)) => items.iter().any(|item| is(item, value)),
        Some(found) => is(found, value),
        None => false,
    }
}

fn is(found: &Value, wanted: &str) -> bool {
    match found {
        Value::String(text) => text == wanted,
        Value::Number(number) => number.to_string() == wanted,
        Value::Bool(flag) => flag.to_string() == wanted,
        _ => false,
    }
}

/// A claim by its name, or, where there is none of that name, by its path.
fn find<'c>(claims: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    if let Some(found) = claims.get(path) {
        return Some(found);
    }
    let (first, rest) = path.split_once('.')?;
    find(claims.get(first)?.as_object()?, rest)
}

/// Whether a rule asks for a claim that is not there.
pub(super) fn lacks(claims: &Map<String, Value>, roles: &[(Role, Vec<ClaimRule>)]) -> bool {
    let missing = |rule: &ClaimRule| match rule {
        ClaimRule::Anyone => false,
        ClaimRule::Holds { claim, .. } => find(claims, claim).is_none() || (claim == "email" && !claims.contains_key("email_verified")),
    };
    roles.iter().flat_map(|(_, rules)| rules).any(missing) || name(claims).is_none()
}

/// The claims with those of the userinfo endpoint, which are about somebody else unless `sub` says so (OpenID Connect Core section 5.3.2). What
/// the signed token says stays.
pub(super) fn joined(claims: Map<String, Value>, more: Map<String, Value>, subject: &str) -> Result<Map<String, Value>, IdTokenError> {
    if more.get("sub").and_then(Value::as_str) != Some(subject) {
        return Err(IdTokenError::Claim("sub of the userinfo endpoint"));
    }
    let mut all = more;
    all.extend(claims);
    Ok(all)
}

/// What to call a person.
pub(super) fn name(claims: &Map<String, Value>) -> Option<&str> {
    ["name", "preferred_username", "email"].iter().find_map(|claim| claims.get(*claim)?.as_str()).filter(|name| !name.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(claim: &str, value: &str) -> ClaimRule {
        ClaimRule::Holds { claim: claim.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn the_highest_role_whose_rule_holds_counts() {
        let roles = [
            (Role::Admin, vec![rule("groups", "admins"), rule("realm_access.roles", "root")]),
            (Role::Operator, vec![rule("email", "ann@acme.example")]),
            (Role::Viewer, vec![ClaimRule::Anyone]),
        ];
        let role = |claims: Value| role(claims.as_object().expect("an object"), &roles);
        assert_eq!(role(json!({ "groups": ["staff", "admins"] })), Some(Role::Admin));
        assert_eq!(role(json!({ "groups": "admins" })), Some(Role::Admin));
        assert_eq!(role(json!({ "groups": "not-admins,admins" })), Some(Role::Viewer));
        assert_eq!(role(json!({ "groups": { "admins": true } })), Some(Role::Viewer));
        assert_eq!(role(json!({ "realm_access": { "roles": ["root"] } })), Some(Role::Admin));
        assert_eq!(role(json!({ "realm_access.roles": "root" })), Some(Role::Admin));
        assert_eq!(role(json!({ "email": "ann@acme.example", "email_verified": true })), Some(Role::Operator));
        assert_eq!(role(json!({ "email": "ann@acme.example" })), Some(Role::Viewer), "not verified");
        assert_eq!(role(json!({ "email": "ann@acme.example", "email_verified": "true" })), Some(Role::Viewer));
        assert_eq!(super::role(json!({}).as_object().expect("an object"), &roles[..2]), None);
    }

    #[test]
    fn userinfo_of_somebody_else_is_refused_and_the_signed_token_wins() {
        let claims = json!({ "sub": "ann", "groups": ["staff"] }).as_object().cloned().expect("an object");
        let more = |value: Value| value.as_object().cloned().expect("an object");
        assert!(joined(claims.clone(), more(json!({ "sub": "bob" })), "ann").is_err());
        assert!(joined(claims.clone(), more(json!({})), "ann").is_err());
        let all = joined(claims, more(json!({ "sub": "ann", "groups": ["admins"], "name": "Ann" })), "ann").expect("joined");
        assert_eq!(Value::Object(all), json!({ "sub": "ann", "groups": ["staff"], "name": "Ann" }));
    }
}
