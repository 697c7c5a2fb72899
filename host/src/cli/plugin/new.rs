//! `sangam plugin new`: a connector project, with its SDK beside it.

use std::path::{Path, PathBuf};

use super::build::Language;
use super::sdks::{self, SdkFile};
use crate::cli::Failure;
use crate::config;

/// A file of a template ends so, and that of the project doesn't: so no tool takes a template for a project.
const TEMPLATE: &str = ".template";

/// Writes a connector project that builds, tests and runs as it is, and the language's SDK beside it in `sangam-sdk`. Nothing is fetched, and nothing of
/// anybody's is overwritten.
#[derive(Debug, clap::Args)]
pub(super) struct New {
    /// What the connector is called: lower-case letters, digits and hyphens, such as stock-update
    name: String,
    /// The language: rust, javascript (TypeScript too), python, go or c
    #[arg(long, short, value_name = "LANGUAGE")]
    lang: String,
    /// Where to write it; default a new folder of that name
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl New {
    pub(super) fn run(self) -> Result<(), Failure> {
        config::new_name("plugin", &self.name).map_err(Failure::Usage)?;
        let language = Language::parse(&self.lang).map_err(|error| Failure::Usage(format!("--lang: {error}")))?;
        let template = sdks::template(language);
        if template.is_empty() {
            return Err(Failure::Failed(format!("this binary was built without the SDK for {}", language.title())));
        }
        let folder = self.dir.clone().unwrap_or_else(|| PathBuf::from(&self.name));
        let words = Words::of(&self.name);
        let project = template.into_iter().map(|file| words.file(file));
        let sdk = sdks::sdk(language).into_iter().map(|file| SdkFile { path: Path::new("sangam-sdk").join(file.path), ..file });
        let files: Vec<SdkFile> = project.chain(sdk).collect();
        // Nothing is written if something is in the way.
        if let Some(there) = files.iter().map(|file| folder.join(&file.path)).find(|path| path.symlink_metadata().is_ok()) {
            return Err(Failure::Usage(format!("{} is there already; nothing was written", there.display())));
        }
        for file in &files {
            put(&folder.join(&file.path), &file.bytes)?;
        }
        for file in files.iter().filter(|file| !file.path.starts_with("sangam-sdk")) {
            anstream::println!("wrote {}", folder.join(&file.path).display());
        }
        anstream::println!("wrote {} (the SDK for {}, and the contract)", folder.join("sangam-sdk").display(), language.title());
        let into = if folder.as_os_str() == "." { String::new() } else { format!("\n  cd {}", folder.display()) };
        anstream::println!(
            "\nnext:{into}\n  sangam plugin build                 # makes build/{name}.wasm\n  sangam plugin test                  # plays the cases in tests/\n  \
             sangam up                           # runs it, as sangam.toml says\n  sangam send event.json --wait       # in another terminal\n\n\
             `sangam plugin dev` does it again after each change; README.md says more",
            name = self.name
        );
        Ok(())
    }
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("can't write {}: {error}", path.display()));
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
    std::fs::write(path, bytes).map_err(failed)
}

/// The connector's name as the parts of a project spell it.
struct Words {
    pairs: [(&'static str, String); 4],
}

impl Words {
    fn of(name: &str) -> Words {
        let words: Vec<&str> = name.split('-').filter(|word| !word.is_empty()).collect();
        let capital = |word: &str| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
        };
        let pairs = [
            ("{{name}}", name.to_owned()),
            ("{{title}}", capital(&words.join(" "))),
            ("{{name_snake}}", words.join("_")),
            ("{{NamePascal}}", words.iter().map(|word| capital(word)).collect()),
        ];
        Words { pairs }
    }

    fn text(&self, text: &str) -> String {
        self.pairs.iter().fold(text.to_owned(), |text, (word, value)| text.replace(word, value))
    }

    /// A file of the template as the project has it. What is no text stays as it is.
    fn file(&self, file: SdkFile) -> SdkFile {
        let path = self.text(&file.path.to_string_lossy());
        let path = PathBuf::from(path.strip_suffix(TEMPLATE).unwrap_or(&path));
        let bytes = match String::from_utf8(file.bytes) {
            Ok(text) => self.text(&text).into_bytes(),
            Err(error) => error.into_bytes(),
        };
        SdkFile { path, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_spelled_as_each_part_of_a_project_wants_it() {
        let text = "{{name}} {{title}} {{name_snake}} {{NamePascal}}";
        assert_eq!(Words::of("stock-update").text(text), "stock-update Stock update stock_update StockUpdate");
        assert_eq!(Words::of("s3--sync-").text(text), "s3--sync- S3 sync s3_sync S3Sync");
    }

    #[test]
    fn a_file_of_a_template_loses_its_ending_and_gets_the_name() {
        let file = SdkFile { path: "src/{{name_snake}}.c.template".into(), bytes: b"// {{title}}".to_vec() };
        assert_eq!(Words::of("pay-roll").file(file), SdkFile { path: "src/pay_roll.c".into(), bytes: b"// Pay roll".to_vec() });
        let binary = SdkFile { path: "logo.png".into(), bytes: vec![0xff, b'{'] };
        assert_eq!(Words::of("x").file(binary), SdkFile { path: "logo.png".into(), bytes: vec![0xff, b'{'] });
    }
}
