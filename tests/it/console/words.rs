//! The console's words: the same ones in every language, and all that the pages ask for.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use sangam_tests::HostFolder;
use serde_json::Value;

use super::serving::{files, root};

const LANGUAGES: [&str; 3] = ["en", "bn", "hi"];

/// Words of a language by `area.key`, each as its forms.
fn words(language: &str) -> anyhow::Result<BTreeMap<String, BTreeMap<String, String>>> {
    let mut words = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("messages").join(language))? {
        let path = entry?.path();
        let area = path.file_stem().context("a catalogue has a name")?.to_string_lossy().into_owned();
        let catalogue: BTreeMap<String, Value> =
            serde_json::from_str(&std::fs::read_to_string(&path)?).with_context(|| format!("{}", path.display()))?;
        for (key, value) in catalogue {
            let forms = match value {
                Value::String(text) => BTreeMap::from([("other".to_owned(), text)]),
                Value::Object(forms) => {
                    forms.into_iter().map(|(form, text)| (form, text.as_str().unwrap_or_default().to_owned())).collect()
                }
                other => anyhow::bail!("{language}/{area}.{key} is {other}"),
            };
            words.insert(format!("{area}.{key}"), forms);
        }
    }
    Ok(words)
}

/// The places for values in a text: `{n}`.
fn places(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

#[test]
fn every_language_has_the_same_words_with_the_same_places_for_values() -> anyhow::Result<()> {
    let english = words("en")?;
    let mut wrong = Vec::new();
    for language in &LANGUAGES[1..] {
        let other = words(language)?;
        for key in english.keys().chain(other.keys()).collect::<BTreeSet<_>>() {
            let (Some(one), Some(two)) = (english.get(key), other.get(key)) else {
                wrong.push(format!("{key} is in one of en and {language} only"));
                continue;
            };
            let in_english: BTreeSet<_> = one.values().flat_map(|text| places(text)).collect();
            for (form, text) in two {
                if text.trim().is_empty() {
                    wrong.push(format!("{language} {key} ({form}) is empty"));
                }
                // A form for one or two may do without the number.
                let mut here = places(text);
                if form != "other" && in_english.contains("n") {
                    here.insert("n");
                }
                if here != in_english {
                    wrong.push(format!("{language} {key} ({form}) has the places {here:?}, English has {in_english:?}"));
                }
            }
            if one.len() > 1 && !(two.contains_key("one") && two.contains_key("other")) {
                wrong.push(format!("{language} {key} has the forms {:?}", two.keys()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(english.len() > 100, "{}", english.len());
    Ok(())
}

#[tokio::test]
async fn there_are_words_for_all_that_the_host_puts_on_record_and_for_nothing_else() -> anyhow::Result<()> {
    let folder = HostFolder::new("[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n")?;
    let host = folder.start().await?;
    let answer = host.client.get("/v1/audit/actions").await?.json;
    let actions = answer["actions"].as_array().context("a list of actions")?;
    // As the page makes a key of an action.
    let told: BTreeSet<String> =
        actions.iter().filter_map(Value::as_str).map(|action| format!("audit.did-{}", action.replace('.', "-"))).collect();
    let known: BTreeSet<String> = words("en")?.into_keys().filter(|key| key.starts_with("audit.did-")).collect();
    assert_eq!(known, told);
    assert!(told.len() > 20, "{told:?}");
    host.kill().await
}

#[tokio::test]
async fn there_are_words_for_every_part_of_the_store() -> anyhow::Result<()> {
    let folder = HostFolder::new("[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n")?;
    let host = folder.start().await?;
    let system = host.client.get("/v1/system?parts=true").await?.json;
    let parts = system["store"]["parts"].as_array().context("a list of parts")?;
    let english = words("en")?;
    // As the page makes a key of a table's name.
    let key = |part: &Value| part["name"].as_str().map(|name| format!("system.part-of-{}", name.replace('_', "-")));
    let untold: Vec<String> = parts.iter().filter_map(key).filter(|key| !english.contains_key(key)).collect();
    assert!(untold.is_empty(), "{untold:?}");
    assert!(parts.len() > 20, "{parts:?}");
    host.kill().await
}

#[test]
fn bengali_and_hindi_are_written_in_their_scripts() -> anyhow::Result<()> {
    for (language, script) in [("bn", '\u{980}'..='\u{9ff}'), ("hi", '\u{900}'..='\u{97f}')] {
        let mut foreign = Vec::new();
        for (key, forms) in words(language)? {
            for text in forms.values() {
                let letters = places(text).iter().fold(text.clone(), |text, place| text.replace(&format!("{{{place}}}"), ""));
                if letters.chars().filter(|letter| letter.is_alphabetic()).count() > 8
                    && !letters.chars().any(|letter| script.contains(&letter))
                {
                    foreign.push(format!("{key}: {text}"));
                }
            }
        }
        assert!(foreign.is_empty(), "{language}:\n{}", foreign.join("\n"));
    }
    Ok(())
}

#[test]
fn every_word_that_a_page_asks_for_is_there() -> anyhow::Result<()> {
    let english = words("en")?;
    let (mut missing, mut asked) = (Vec::new(), 0);
    for (name, path) in files()? {
        if name.starts_with("vendor/") || !name.ends_with(".js") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        for (quote, made) in [('"', false), ('`', true)] {
            for (at, call) in text.match_indices(&format!("t({quote}")) {
                // Not the end of another name, such as `import`.
                if text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
                    continue;
                }
                let Some(key) = text[at + call.len()..].split(quote).next() else { continue };
                if !key.contains('.') || key.contains(['/', ' ', '\n']) && !made {
                    continue;
                }
                asked += 1;
                // `area.kind-${kind}`: some words must begin so.
                let is_there = match key.split_once("${") {
                    Some((begin, _)) => english.keys().any(|known| known.starts_with(begin)),
                    None => english.contains_key(key),
                };
                if !is_there {
                    missing.push(format!("{name}: {key}"));
                }
            }
        }
    }
    missing.sort();
    missing.dedup();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(asked > 50, "{asked}");
    Ok(())
}
