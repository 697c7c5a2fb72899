//! The languages that connectors are written in, and how a project's is told.

use std::path::Path;

/// A language with an SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::plugin) enum Language {
    Rust,
    JavaScript,
    Python,
    Go,
    C,
}

impl Language {
    pub(in crate::cli::plugin) const ALL: [Language; 5] =
        [Language::Rust, Language::JavaScript, Language::Python, Language::Go, Language::C];

    /// Its name on the command line, and of its folder in `sdk`.
    pub(in crate::cli::plugin) fn name(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::JavaScript => "javascript",
            Language::Python => "python",
            Language::Go => "go",
            Language::C => "c",
        }
    }

    /// For people.
    pub(in crate::cli::plugin) fn title(self) -> &'static str {
        match self {
            Language::Rust => "Rust",
            Language::JavaScript => "JavaScript",
            Language::Python => "Python",
            Language::Go => "Go",
            Language::C => "C",
        }
    }

    /// By its name, or by one that people also call it.
    ///
    /// # Errors
    /// A sentence that names the languages, and the one that was probably meant.
    pub(in crate::cli::plugin) fn parse(text: &str) -> Result<Language, String> {
        let wanted = text.to_lowercase();
        let also = match wanted.as_str() {
            "rs" => "rust",
            "js" | "ts" | "typescript" | "node" => "javascript",
            "py" | "python3" => "python",
            "golang" => "go",
            other => other,
        };
        if let Some(language) = Language::ALL.into_iter().find(|language| language.name() == also) {
            return Ok(language);
        }
        let names = Language::ALL.map(Language::name);
        let near = names.iter().map(|name| (strsim::damerau_levenshtein(name, &wanted), name)).min().filter(|(far, _)| *far <= 2);
        let meant = near.map(|(_, name)| format!("; did you mean {name}?")).unwrap_or_default();
        Err(format!("{text:?} is none of the languages with an SDK ({}){meant}", names.join(", ")))
    }

    /// The language of the project in a folder, by the file that its tools look for.
    pub(in crate::cli::plugin) fn of(folder: &Path) -> Option<Language> {
        let named = [
            ("Cargo.toml", Language::Rust),
            ("package.json", Language::JavaScript),
            ("pyproject.toml", Language::Python),
            ("go.mod", Language::Go),
        ];
        if let Some((_, language)) = named.into_iter().find(|(file, _)| folder.join(file).is_file()) {
            return Some(language);
        }
        let sources = std::fs::read_dir(folder.join("src")).ok()?;
        let is_c = |path: &Path| path.extension().is_some_and(|extension| extension == "c");
        sources.flatten().any(|entry| is_c(&entry.path())).then_some(Language::C)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_goes_by_its_name_and_its_nicknames() {
        assert_eq!(Language::parse("rust"), Ok(Language::Rust));
        assert_eq!(Language::parse("TypeScript"), Ok(Language::JavaScript));
        assert_eq!(Language::parse("golang"), Ok(Language::Go));
    }

    #[test]
    fn an_unknown_language_gets_the_list_and_a_near_one() {
        let near = Language::parse("pyton").expect_err("no such language");
        assert!(near.contains("rust, javascript, python, go, c") && near.ends_with("did you mean python?"), "{near}");
        let far = Language::parse("fortran").expect_err("no such language");
        assert!(!far.contains("did you mean"), "{far}");
    }

    #[test]
    fn a_project_s_language_is_told_by_its_files() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Language::of(folder.path()), None);
        std::fs::create_dir(folder.path().join("src")).expect("a folder");
        std::fs::write(folder.path().join("src/payroll.c"), "").expect("a file");
        assert_eq!(Language::of(folder.path()), Some(Language::C));
        std::fs::write(folder.path().join("go.mod"), "").expect("a file");
        assert_eq!(Language::of(folder.path()), Some(Language::Go));
    }
}
