//! A company's systems as the stand-ins play them: a host's folder that connects them, and their own clients.

use anyhow::{Context as _, ensure};
use sangam_saas::Saas;
use serde_json::json;

use crate::client::Client;
use crate::host::HostFolder;
use crate::paths::sangam;
use crate::scenario::{HOOK_SECRET, TELEPHONY_TOKEN};

/// The demo's `sangam.toml`: four systems, and one route that updates them all.
pub const CONFIGURATION: &str = include_str!("../demo/sangam.toml");

/// What the demo's scenarios have besides those systems.
pub const SYSTEMS: &str = include_str!("../demo/systems.toml");

/// What the demo's `sangam.toml` has besides, where the connectors of these languages could be built: four systems, and routes of their own.
pub const LANGUAGES: &str = include_str!("../demo/languages.toml");

/// [`CONFIGURATION`] with those sections of [`LANGUAGES`] whose connectors are there, and the names of those that are not.
pub fn all() -> (String, Vec<String>) {
    let mut configuration = CONFIGURATION.to_owned();
    let mut missing = Vec::new();
    for section in LANGUAGES.split("\n# ── ").skip(1) {
        let component = section.split("${env:PLUGINS}/").nth(1).and_then(|rest| rest.split('"').next());
        let there =
            component.is_some_and(|component| sangam().parent().is_some_and(|release| release.join("plugins").join(component).is_file()));
        if there {
            configuration.push_str("\n# ── ");
            configuration.push_str(section);
        } else {
            missing.push(section.lines().next().unwrap_or_default().trim_end_matches([' ', '─']).to_owned());
        }
    }
    (configuration, missing)
}

/// The sections of [`CONFIGURATION`] and [`SYSTEMS`] that describe these plugins, with their credentials, and `[server]` and `[store]`.
///
/// # Panics
/// When there is no such plugin in it.
pub fn plugins(names: &[&str]) -> String {
    let sections: Vec<&str> = CONFIGURATION.split("\n# ── ").chain(SYSTEMS.split("\n# ── ").skip(1)).collect();
    let mut chosen = sections[0].to_owned();
    for name in names {
        // Mail is a relay of the host's, and no plugin.
        let headings = [format!("\n[plugins.{name}]\n"), format!("\n[{name}.office]\n")];
        let is_it = |section: &&&str| headings.iter().any(|heading| section.contains(heading));
        let section = sections.iter().find(is_it).expect("the demo has a system of that name");
        chosen.push_str("\n# ");
        chosen.push_str(section);
    }
    chosen.push('\n');
    chosen
}

/// A folder with a configuration that knows the systems by `${env:SALESFORCE}` and so on, and has their secrets.
///
/// # Errors
/// When a secret can't be kept.
pub fn folder(saas: &Saas, configuration: &str) -> anyhow::Result<HostFolder> {
    let plugins = sangam().parent().context("the program is in a folder")?.join("plugins");
    let folder = HostFolder::new(configuration)?
        .env("SALESFORCE", &saas.salesforce.url())
        .env("HUBSPOT", &saas.hubspot.url())
        .env("QUICKBOOKS", &saas.quickbooks.url())
        .env("HR", &saas.hr.url())
        .env("SLACK", &saas.slack.url())
        .env("WAREHOUSE", &saas.warehouse.url())
        .env("FILES", &saas.files.url())
        .env("FIELD", &saas.fieldservice.url())
        .env("PLUGINS", &plugins.display().to_string());
    for (name, value) in [
        ("salesforce-key", Saas::salesforce_private_key_pem()),
        ("hubspot-token", "hs-token"),
        ("quickbooks-client", "qbo-secret"),
        ("quickbooks-refresh", "qbo-refresh-1"),
        ("hr-token", "hr-token"),
        ("slack-token", sangam_saas::slack::TOKEN),
        ("warehouse-token", sangam_saas::warehouse::TOKEN),
        ("payroll-password", sangam_saas::files::PASSWORD),
        ("field-token", sangam_saas::fieldservice::TOKEN),
        ("field-hook", HOOK_SECRET),
        ("desk-hook", HOOK_SECRET),
        ("books-hook", HOOK_SECRET),
        ("telephony-token", TELEPHONY_TOKEN),
        ("sms-token", sangam_saas::messages::TWILIO_TOKEN),
    ] {
        if configuration.contains(&format!("${{secret:{name}}}")) {
            folder.secret(name, value)?;
        }
    }
    Ok(folder)
}

/// A client of the CRM with a session of its own.
///
/// # Errors
/// When the CRM grants none.
pub async fn crm(saas: &Saas) -> anyhow::Result<Client> {
    let mut crm = Client::new(&saas.salesforce.url());
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = b"grant_type=client_credentials&client_id=sf-client&client_secret=sf-secret".to_vec();
    let token = crm.ask(reqwest::Method::POST, "/services/oauth2/token", &form, body).await?;
    crm.token = Some(token.json["access_token"].as_str().context("the CRM grants a session")?.to_owned());
    Ok(crm)
}

/// A client of the service desk.
pub fn desk(saas: &Saas) -> Client {
    let mut desk = Client::new(&saas.hubspot.url());
    desk.token = Some("hs-token".to_owned());
    desk
}

/// Opens a case for a job; gives its id.
///
/// # Errors
/// When the CRM refuses.
pub async fn open_case(crm: &Client, job: &str, subject: &str) -> anyhow::Result<String> {
    let case = json!({ "Subject": subject, "Status": "Working", "Origin": "Phone", "Job_Id__c": job });
    let made = crm.post("/services/data/v66.0/sobjects/Case", &case).await?;
    ensure!(made.status == 201, "the CRM refused a case: {}", made.text);
    Ok(made.json["id"].as_str().context("a case has an id")?.to_owned())
}

/// Opens a ticket; gives its id.
///
/// # Errors
/// When the service desk refuses.
pub async fn open_ticket(desk: &Client, subject: &str) -> anyhow::Result<String> {
    let ticket = json!({ "properties": { "subject": subject, "hs_pipeline": "0", "hs_pipeline_stage": "2" } });
    let made = desk.post("/crm/v3/objects/tickets", &ticket).await?;
    ensure!(made.status == 201, "the service desk refused a ticket: {}", made.text);
    Ok(made.json["id"].as_str().context("a ticket has an id")?.to_owned())
}
