//! The host serves the console: whole, to anybody, with what browsers may do with it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use reqwest::Method;
use sangam_tests::HostFolder;

/// The files as they are in the tree.
pub fn files() -> anyhow::Result<Vec<(String, PathBuf)>> {
    fn gather(root: &Path, folder: &Path, found: &mut Vec<(String, PathBuf)>) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                gather(root, &path, found)?;
            } else {
                found.push((path.strip_prefix(root)?.to_string_lossy().into_owned(), path));
            }
        }
        Ok(())
    }
    let root = root();
    let mut found = Vec::new();
    gather(&root, &root, &mut found)?;
    found.sort();
    Ok(found)
}

/// Where they are.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/console")
}

#[tokio::test]
async fn anybody_gets_the_console_and_a_browser_runs_nothing_else_in_it() -> anyhow::Result<()> {
    let folder = HostFolder::new("[server]\nlisten = \"127.0.0.1:0\"\n")?;
    let host = folder.start().await?;
    for (name, path) in files()? {
        let answer = host.client.get(&format!("/console/{name}")).await?;
        assert_eq!((answer.status, answer.text.as_bytes()), (200, std::fs::read(&path)?.as_slice()), "{name}");
        let kind = answer.header("content-type").unwrap_or_default().to_owned();
        let wanted = match name.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("json") => "application/json",
            Some("svg") => "image/svg+xml",
            Some("html") => "text/html; charset=utf-8",
            _ => "text/plain; charset=utf-8",
        };
        assert_eq!(kind, wanted, "{name}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{name}");
        let policy = answer.header("content-security-policy").unwrap_or_default();
        for rule in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(rule), "{name}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{name}: {policy}");
    }
    let index = host.client.get("/").await?;
    assert_eq!((index.status, index.header("content-type")), (200, Some("text/html; charset=utf-8")), "{}", index.text);
    assert!(!index.text.contains("<style") && !index.text.contains(" style=") && !index.text.contains("<script>"), "{}", index.text);
    for path in ["/", "/events/some-eid", "/plugins/x", "/routes/y", "/tokens"] {
        assert_eq!(host.client.get(path).await?.text, index.text, "{path}");
    }
    for path in ["/console/", "/console/nothing.js", "/console/../Cargo.toml", "/console/%2e%2e/build.rs", "/events/some-eid/more"] {
        assert_eq!(host.client.get(path).await?.status, 404, "{path}");
    }
    let opened = [("accept", "text/html,application/xhtml+xml"), ("accept-encoding", "identity"), ("if-none-match", "*")];
    let nowhere = host.client.ask(Method::GET, "/nowhere", &opened, Vec::new()).await?;
    assert_eq!((nowhere.status, nowhere.text.as_str()), (404, index.text.as_str()), "a person is told by the console");
    for path in ["/v1/nowhere", "/console/nowhere", "/hooks/"] {
        let answer = host.client.ask(Method::GET, path, &opened, Vec::new()).await?;
        assert_eq!((answer.status, answer.json["status"].as_u64()), (404, Some(404)), "{path}: {}", answer.text);
    }
    assert_eq!(host.client.get("/nowhere").await?.json["status"], 404, "a program by a problem document");
    assert_eq!(host.client.ask(Method::POST, "/", &[("content-type", "application/json")], b"{}".to_vec()).await?.status, 405);
    Ok(())
}

#[tokio::test]
async fn a_browser_that_has_a_file_is_told_so_and_gets_it_packed_if_it_takes_that() -> anyhow::Result<()> {
    let folder = HostFolder::new("[server]\nlisten = \"127.0.0.1:0\"\n")?;
    let host = folder.start().await?;
    let ask = async |method: Method, headers: &[(&str, &str)]| host.client.ask(method, "/console/app.js", headers, Vec::new()).await;
    let plain = ask(Method::GET, &[]).await?;
    let packed = ask(Method::GET, &[("accept-encoding", "gzip, br")]).await?;
    let etag = |answer: &sangam_tests::Answer| answer.header("etag").unwrap_or_default().to_owned();
    assert_eq!((plain.header("content-encoding"), packed.header("content-encoding")), (None, Some("gzip")));
    assert!(etag(&plain).starts_with('"') && etag(&plain) != etag(&packed), "two forms have two strong tags");
    assert_eq!((plain.header("vary"), plain.header("cache-control")), (Some("accept-encoding"), Some("no-cache")));
    for (known, accepts, status) in [
        (etag(&plain), "identity", 304),
        (format!("\"other\", W/{}", etag(&plain)), "identity", 304),
        (etag(&packed), "gzip", 304),
        (etag(&plain), "gzip", 200),
        ("\"other\"".to_owned(), "identity", 200),
    ] {
        let answer = ask(Method::GET, &[("if-none-match", &known), ("accept-encoding", accepts)]).await?;
        assert_eq!(answer.status, status, "{known} {accepts}");
        assert_eq!(answer.text.is_empty(), status == 304);
    }
    let head = ask(Method::HEAD, &[("accept-encoding", "identity")]).await?;
    let length = plain.text.len().to_string();
    assert_eq!((head.status, head.text.as_str(), head.header("content-length")), (200, "", Some(length.as_str())));
    assert_eq!(etag(&head), etag(&plain));
    Ok(())
}

#[test]
fn the_host_answers_at_every_path_of_the_console_s_table() -> anyhow::Result<()> {
    let app = std::fs::read_to_string(root().join("app.js"))?;
    let in_console: BTreeSet<String> = app
        .lines()
        .filter_map(|line| line.trim().strip_prefix("{ path: \"")?.split('"').next())
        .map(|path| {
            path.split('/')
                .map(|part| part.strip_prefix(':').map_or(part.to_owned(), |name| format!("{{{name}}}")))
                .collect::<Vec<_>>()
                .join("/")
        })
        .collect();
    let routes = std::fs::read_to_string(root().join("../src/api/routes.rs"))?;
    let in_host: BTreeSet<String> = routes
        .lines()
        .filter(|line| line.contains("get(console::page)"))
        .filter_map(|line| line.trim().strip_prefix("way(\"")?.split('"').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(in_console, in_host);
    assert!(in_host.len() > 10, "{in_host:?}");
    let modules: BTreeSet<&str> = app.lines().filter_map(|line| line.split("module: \"").nth(1)?.split('"').next()).collect();
    for module in modules {
        assert!(root().join(format!("pages/{module}.js")).is_file(), "there is no page {module}");
    }
    Ok(())
}

#[test]
fn nothing_in_the_console_comes_from_elsewhere_or_is_markup_made_of_text() -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for (name, path) in files()? {
        if name.starts_with("vendor/") {
            continue;
        }
        for (number, line) in std::fs::read_to_string(&path)?.lines().enumerate() {
            let line = line.replace("http://www.w3.org/2000/svg", "").replace("https://example.com/", "");
            let bad = [
                "http://",
                "https://",
                "innerHTML",
                "dangerouslySetInnerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
            ];
            if bad.iter().any(|word| line.contains(word)) || line.contains(" style=\"") {
                wrong.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn vendored_files_are_npm_s_own() -> anyhow::Result<()> {
    if sangam_tests::BrowserTests::here()?.is_none() {
        return Ok(());
    }
    let modules = sangam_tests::BrowserTests::folder().join("node_modules");
    let mut compared = 0;
    for (name, path) in files()? {
        let Some(inside) = name.strip_prefix("vendor/") else { continue };
        let original = std::fs::read(modules.join(inside)).map_err(|error| anyhow::anyhow!("npm has no {inside}: {error}"))?;
        assert!(original == std::fs::read(&path)?, "{name} is not what npm has");
        compared += 1;
    }
    assert!(compared >= 8, "{compared} files compared");
    Ok(())
}
