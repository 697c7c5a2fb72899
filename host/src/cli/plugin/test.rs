//! `sangam plugin test`: the cases of a connector, played to the letter.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::{record, rehearsed};
use crate::amount;
use crate::cli::{Failure, one_line};
use crate::rehearsal::{Case, Descriptions, Fault, FoundCases, Project, Stage, trial};
use crate::telemetry::{self, plain_lines};

#[derive(Debug, clap::Args)]
pub(super) struct Test {
    /// The connector's project, or its component
    #[arg(default_value = ".", value_name = "DIR|FILE")]
    what: PathBuf,
    /// Folder of the cases; `tests` beside the component if absent
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// Only the cases with this in their name
    #[arg(long, value_name = "NAME")]
    case: Option<String>,
    /// Also put every fault at every request of the cases that succeed, and the host's death
    #[arg(long)]
    faults: bool,
    /// Also hold every request against this description of the system (OpenAPI 3.0 or 3.1, Swagger 2.0; YAML or JSON), and play the cases
    /// against a system that answers from it. May be given several times
    #[arg(long, value_name = "SPEC")]
    openapi: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    record: record::Record,
}

impl Test {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let project = rehearsed::project(&self.what).await?;
        let folder = record::folder(self.cases.as_ref(), &self.what);
        if let Some(name) = self.case.as_ref().filter(|_| self.record.is_wanted()) {
            return self.record.run(&project, &folder, name).await;
        }
        let FoundCases { mut cases, errors } = Case::all(&folder).map_err(|error| {
            Failure::Usage(format!("{error}; a case is a JSON file there: `sangam schema case` prints its schema, `--record` writes one"))
        })?;
        if let Some(wanted) = &self.case {
            cases.retain(|case| case.name.contains(wanted.as_str()));
        }
        if cases.is_empty() && errors.is_empty() {
            return Err(Failure::Usage(format!("no case in {} is meant", folder.display())));
        }
        if let Some(older) = older(&self.what, &project) {
            anstream::eprintln!("{older}");
        }
        let description = rehearsed::descriptions(&self.openapi)?;
        let verdicts = self.played(&project, &cases, description).await?;
        let failed = verdicts.iter().filter(|verdict| !verdict.passed()).count() + errors.len();
        if self.json {
            let list: Vec<Value> = verdicts.iter().map(trial::Verdict::json).collect();
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            anstream::println!(
                "{:#}",
                json!({ "component": project.component.digest, "passed": failed == 0, "cases": list, "errors": errors })
            );
        } else {
            for error in &errors {
                anstream::println!("{error}");
            }
            show(&verdicts);
            let faults = verdicts.iter().filter(|verdict| verdict.fault.is_some() && !verdict.is_of_description()).count();
            let with = if faults > 0 { format!(", {}", amount::count(faults as u64, "fault", "faults")) } else { String::new() };
            let cases = verdicts.iter().filter(|verdict| verdict.fault.is_none()).count();
            anstream::println!("{}{with}, {failed} failed", amount::count((cases + errors.len()) as u64, "case", "cases"));
        }
        if failed > 0 { Err(Failure::Failed("the connector does not do what its cases say".to_owned())) } else { Ok(()) }
    }

    async fn played(
        &self,
        project: &Project,
        cases: &[Case],
        description: Option<Arc<Descriptions>>,
    ) -> Result<Vec<trial::Verdict>, Failure> {
        let broken = |error: &dyn std::error::Error| Failure::Failed(telemetry::chain(error));
        let (mut casts, of) = trial::casts(cases);
        let servers = description.as_ref().map(|description| description.origins()).unwrap_or_default();
        casts.iter_mut().for_each(|cast| cast.origins.extend(servers.iter().cloned()));
        let stage = Stage::open(project, &casts).await.map_err(|error| broken(&error))?;
        let mut verdicts = Vec::new();
        for (case, cast) in cases.iter().zip(of) {
            let (verdict, unharmed) = trial::case(&stage, cast, case).await.map_err(|error| broken(&error))?;
            let whole = trial::is_unharmed(case, &verdict, &unharmed);
            verdicts.push(verdict);
            if let Some(description) = &description {
                verdicts.push(trial::described(&stage, cast, case, &unharmed, description).await.map_err(|error| broken(&error))?);
            }
            if self.faults && whole {
                for kinds in [&Fault::OF_SYSTEMS[..], &Fault::OF_HOSTS] {
                    let tried = trial::faults(&stage, cast, case, &unharmed, kinds).await.map_err(|error| broken(&error))?;
                    verdicts.extend(tried.into_iter().map(|(verdict, _)| verdict));
                }
            }
        }
        Ok(verdicts)
    }
}

/// One line a case; of the faults that went well only how many they were.
fn show(verdicts: &[trial::Verdict]) {
    let mut well = 0;
    for (index, verdict) in verdicts.iter().enumerate() {
        let shown = if verdict.passed() { "ok    " } else { "FAILED" };
        match &verdict.fault {
            None => anstream::println!("{shown}  {}  {}", one_line(&verdict.case), one_line(&verdict.outcome)),
            Some(_) if verdict.passed() && verdict.is_of_description() => {
                anstream::println!("{shown}  {} / as described  {}", one_line(&verdict.case), one_line(&verdict.outcome));
            }
            Some(_) if verdict.passed() => well += 1,
            Some(fault) => anstream::println!("{shown}  {} / {}  {}", one_line(&verdict.case), one_line(fault), one_line(&verdict.outcome)),
        }
        for difference in &verdict.differences {
            anstream::println!("    {}", plain_lines(difference));
        }
        let last = verdicts.get(index + 1).is_none_or(|next| next.fault.is_none());
        if last && well > 0 {
            anstream::println!("ok      {} / {well} faults got over", one_line(&verdict.case));
            well = 0;
        }
    }
}

/// Says so where a source is newer than the component.
fn older(what: &Path, project: &Project) -> Option<String> {
    if !what.is_dir() {
        return None;
    }
    let made = std::fs::metadata(&project.file).ok()?.modified().ok()?;
    let newest = newest(&what.join("src"), 0)?;
    let component = project.file.display();
    (newest > made).then(|| {
        format!("{component} is older than its sources: what is tested is what was built last (`sangam plugin build` builds it anew)")
    })
}

fn newest(folder: &Path, depth: usize) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?;
    let times = entries.filter_map(Result::ok).filter_map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() && depth < 8 => newest(&entry.path(), depth + 1),
        Ok(kind) if kind.is_file() => entry.metadata().ok()?.modified().ok(),
        _ => None,
    });
    times.max()
}
