//! The notices of Rust's standard library, which is in everything and which no lock file names: the compiler comes with them, as a page.

use anyhow::Context as _;

use super::Part;
use crate::tools::sysroot;

/// The library as a part.
pub(super) fn library() -> anyhow::Result<Part> {
    let folder = sysroot()?.join("share/doc/rust");
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).with_context(|| folder.join(file).display().to_string());
    let mut texts = of_library(&read("COPYRIGHT-library.html")?);
    for terms in ["Unicode-3.0", "MIT", "Apache-2.0"] {
        texts.insert(1, (format!("{terms}.txt"), read(&format!("licenses/{terms}.txt"))?));
    }
    let repository = "https://github.com/rust-lang/rust".into();
    Ok(Part {
        name: "std (Rust's standard library, for all its targets)".into(),
        terms: "MIT OR Apache-2.0".into(),
        repository,
        texts,
        ..Part::default()
    })
}

/// Reads the page: who wrote the library, then the notices of each package that it is made of.
fn of_library(page: &str) -> Vec<(String, String)> {
    let (own, others) = page.split_once("<h2 id=\"out-of-tree").unwrap_or((page, ""));
    let own: Vec<String> = plain(own).lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
    let mut texts = vec![("COPYRIGHT".to_owned(), own.join("\n"))];
    for package in others.split("<h3>").skip(1) {
        let name = plain(package.split("</h3>").next().unwrap_or_default());
        for notice in package.split("<summary>").skip(1) {
            let (file, rest) = notice.split_once("</summary>").unwrap_or((notice, ""));
            let text = rest.split("</pre>").next().unwrap_or_default();
            texts.push((format!("{}/{}", name.trim_start_matches(|c: char| !c.is_alphanumeric()), plain(file)), plain(text)));
        }
    }
    texts
}

/// HTML without its marks.
fn plain(html: &str) -> String {
    let behind_marks =
        html.split('<').enumerate().map(|(at, piece)| if at == 0 { piece } else { piece.split_once('>').map_or("", |(_, text)| text) });
    let signs =
        [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
    signs.into_iter().fold(behind_marks.collect(), |text: String, (written, sign)| text.replace(written, sign))
}

#[cfg(test)]
mod tests {
    use super::of_library;

    #[test]
    fn the_page_gives_who_wrote_the_library_and_each_package_s_notices() {
        let page = "<p><b>Copyright:</b> 2014 Alex Crichton</p>\n\n <h2 id=\"out-of-tree-dependencies\">Others</h2>
            <h3>📦 cfg-if-1.0.4</h3><p><b>License:</b> MIT</p>
            <summary><code>LICENSE-MIT</code></summary>\n<pre>\nCopyright (c) 2014 &#60;Alex&#62;\n</pre>
            <h3>📦 shlex-1.3.0</h3><p>no notice</p>";
        let texts = of_library(page);
        let words: Vec<_> = texts.iter().map(|(path, text)| (path.as_str(), text.trim())).collect();
        assert_eq!(words, [("COPYRIGHT", "Copyright: 2014 Alex Crichton"), ("cfg-if-1.0.4/LICENSE-MIT", "Copyright (c) 2014 <Alex>")]);
    }
}
