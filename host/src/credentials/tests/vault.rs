use super::support::{by, clock, secret, store, text, vault};
use crate::audit::Action;
use crate::config::{Reference, ReferencePart, Secrets};
use crate::credentials::{KeyError, Secret, SecretError, Vault, VaultError};

#[cfg(unix)]
#[tokio::test]
async fn the_key_file_is_made_once_for_its_owner_only_and_an_exposed_one_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("made/sangam.key");
    let secrets = Secrets::File(path.clone());
    let store = store().await;
    let vault = Vault::open(store.clone(), &secrets, clock()).await.expect("made");
    vault.put("crm", &Secret::new("hunter2\n".into()), &by()).await.expect("kept");
    let mode = std::fs::metadata(&path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let again = Vault::open(store.clone(), &secrets, clock()).await.expect("read");
    assert_eq!(again.get("crm").await.expect("there").expose(), "hunter2");

    for mode in [0o640, 0o604, 0o620] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("set");
        let error = Vault::open(store.clone(), &secrets, clock()).await.expect_err("exposed");
        assert!(error.to_string().contains(&format!("(mode 0{mode:o}): run `chmod 600 ")), "{error}");
    }
}

#[tokio::test]
async fn a_lost_key_file_is_not_made_anew_and_another_key_does_not_open_the_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sangam.key");
    let store = store().await;
    Vault::open(store.clone(), &Secrets::File(path.clone()), clock()).await.expect("made");
    std::fs::remove_file(&path).expect("removed");
    let error = Vault::open(store.clone(), &Secrets::File(path.clone()), clock()).await.expect_err("lost");
    assert!(matches!(error, VaultError::Key(KeyError::Missing { .. })), "{error}");
    assert!(!path.exists());

    let command = ["echo", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="].map(String::from).to_vec();
    let error = Vault::open(store.clone(), &Secrets::Command(command), clock()).await.expect_err("another key");
    assert!(matches!(error, VaultError::OtherKey { .. }), "{error}");
}

#[tokio::test]
async fn what_is_no_key_is_said_so_without_showing_it() {
    let command = |words: &[&str]| Secrets::Command(words.iter().map(|word| (*word).to_owned()).collect());
    for (secrets, expected) in [
        (command(&["echo", "hunter2"]), "holds no sealing key"),
        (command(&["false", "hunter2"]), "the key command `false` ended with"),
        (command(&["/nonexistent/command", "hunter2"]), "running the key command"),
        (command(&[]), "running the key command"),
        (Secrets::Env("SANGAM_TEST_UNSET".into()), "SANGAM_TEST_UNSET, named by `key-env`, is not set"),
        (Secrets::Env("PATH".into()), "the environment variable PATH holds no sealing key"),
    ] {
        let store = store().await;
        let error = Vault::open(store.clone(), &secrets, clock()).await.expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn secrets_are_kept_sealed_listed_by_name_and_removed() {
    let store = store().await;
    let vault = vault(&store, &clock()).await;
    vault.put("crm-key", &Secret::new("hunter2".into()), &by()).await.expect("kept");
    let sealed = store.secret_get("crm-key").await.expect("the store answers").expect("there").value;
    assert!(!sealed.windows(7).any(|window| window == b"hunter2"));
    let names = vault.list().await.expect("listed").into_iter().map(|info| info.name).collect::<Vec<_>>();
    assert_eq!(names, ["crm-key"]);

    // Moved to another name by somebody with the store in hand.
    store.secret_put("other", &sealed, vault.key(), by().did(Action::SecretSet, "other"), clock().now()).await.expect("put");
    assert!(matches!(vault.get("other").await, Err(SecretError::Sealed { .. })));

    assert!(vault.remove("crm-key", &by()).await.expect("removed"));
    assert!(!vault.remove("crm-key", &by()).await.expect("nothing to remove"));
    let error = vault.get("crm-key").await.expect_err("gone");
    assert_eq!(error.to_string(), "there is no secret `crm-key`: set it with `sangam secret set crm-key`");
}

#[tokio::test]
async fn names_and_sizes_are_checked() {
    let store = store().await;
    let vault = vault(&store, &clock()).await;
    for name in ["", "a b", "a/b", "ä", &"x".repeat(129)] {
        let error = vault.put(name, &Secret::new("x".into()), &by()).await.expect_err(name);
        assert!(matches!(error, SecretError::Name(_)), "{error}");
    }
    for (value, expected) in [("", "is empty"), ("\n", "is empty"), (&*"x".repeat(65_537), "larger")] {
        let error = vault.put("n", &Secret::new(value.into()), &by()).await.expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn references_are_put_together_from_their_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        ReferencePart::File(path)
    };
    let store = store().await;
    let vault = vault(&store, &clock()).await;
    vault.put("part", &Secret::new("s3".into()), &by()).await.expect("kept");
    let path = std::env::var("PATH").expect("there is a PATH");
    for (parts, expected) in [
        (vec![], String::new()),
        (vec![ReferencePart::Text("a".into()), ReferencePart::Secret("part".into())], "as3".into()),
        (vec![ReferencePart::Env("PATH".into())], path),
        (vec![file("one", b"line\n")], "line".into()),
        (vec![file("two", b"line\r\n")], "line".into()),
        (vec![file("three", b" line\n\n")], " line\n".into()),
    ] {
        let reference = Reference { parts };
        assert_eq!(vault.resolve(&reference).await.expect("resolves").expose(), expected);
    }
    for (part, expected) in [
        (ReferencePart::Env("SANGAM_TEST_UNSET".into()), "SANGAM_TEST_UNSET"),
        (ReferencePart::File(folder.path().join("absent")), "absent"),
        (file("binary", &[0xff]), "not UTF-8"),
        (file("empty", b"\n"), "is empty"),
        (file("large", &vec![b'x'; 65_537]), "larger"),
        (ReferencePart::Secret("absent".into()), "sangam secret set absent"),
    ] {
        let error = vault.resolve(&Reference { parts: vec![part] }).await.expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(vault.resolve(&text("plain")).await.expect("resolves").expose(), "plain");
    assert_eq!(format!("{:?} {vault:?}", vault.resolve(&secret("part")).await.expect("resolves")).find("s3"), None);
}
