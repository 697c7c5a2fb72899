//! What the program is handed out in: image, service, manifests, manual pages, completions. Each is judged by the tool that will use it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use sangam_tests::{Hand, HostFolder, sangam, tool};

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging")
}

/// Whether a program can be started here; without it the rest is left out with a sentence, and fails in CI.
fn there(program: &str, package: &str) -> anyhow::Result<bool> {
    tool::is_there(tool::runs(program, &["--version"]), &format!("{program} is not installed here (Debian: `apt-get install {package}`)"))
}

fn output(command: &mut Command) -> anyhow::Result<(bool, String)> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    Ok((output.status.success(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))))
}

#[tokio::test]
async fn the_image_holds_all_that_the_program_needs_and_runs_it_without_root() -> anyhow::Result<()> {
    if !output(Command::new("id").arg("-u"))?.1.trim().eq("0") || !there("chroot", "coreutils")? {
        eprintln!("only root can enter the image's files; nothing is tested of them now");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("root");
    let release = sangam().parent().context("a folder")?.to_owned();
    let notices = folder.path().join("notices");
    std::fs::write(&notices, "of what others wrote")?;
    let (done, said) = output(Command::new(packaging().join("image/rootfs.sh")).arg(&root).arg(&release).arg(&notices))?;
    ensure!(done, "{said}");
    let documents = root.join("usr/share/doc/sangam");
    ensure!(documents.join("LICENSE").is_file(), "the image has no licence");
    ensure!(std::fs::read(documents.join("THIRD-PARTY-LICENSES.txt"))? == std::fs::read(&notices)?, "the image has no notices");
    let inside = |arguments: &[&str]| {
        let mut command = Command::new("chroot");
        command.arg("--userspec=65532:65532").arg(&root).arg("/usr/bin/sangam").args(arguments);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("SANGAM_CONFIG", "/etc/sangam/sangam.toml");
        command
    };
    let (done, said) = output(&mut inside(&["--version"]))?;
    ensure!(done && said.starts_with("sangam "), "{said}");
    let (done, said) = output(&mut inside(&["plugin", "inspect", "/usr/lib/sangam/plugins/salesforce.wasm"]))?;
    ensure!(done && said.contains("Salesforce"), "{said}");
    // On a port of its own: the image's is everybody's.
    let file = root.join("etc/sangam/sangam.toml");
    let text = std::fs::read_to_string(&file)?.replace("0.0.0.0:7070", "127.0.0.1:0");
    std::fs::write(&file, text)?;
    let mut host = tokio::process::Command::from(inside(&["up"]));
    let mut host = host.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
    use tokio::io::AsyncBufReadExt as _;
    let mut lines = tokio::io::BufReader::new(host.stdout.take().context("piped")?).lines();
    let line = tokio::time::timeout(std::time::Duration::from_secs(120), lines.next_line()).await??.unwrap_or_default();
    let url = line.strip_prefix("listening on ").with_context(|| format!("it said {line:?}"))?.to_owned();
    let (done, said) = output(&mut inside(&["ready", "--url", &url]))?;
    ensure!(done, "{said}");
    let (done, said) = output(&mut inside(&["token", "create", "--name", "first"]))?;
    ensure!(done, "{said}");
    host.kill().await?;
    // Nothing was written but where it may.
    ensure!(root.join("data/sangam.db").is_file() && root.join("data/sangam.key").is_file(), "no store in /data");
    Ok(())
}

#[test]
fn the_service_is_well_formed_and_confined() -> anyhow::Result<()> {
    if !there("systemd-analyze", "systemd")? {
        return Ok(());
    }
    // The unit as it would stand on a machine that has the program and the user.
    let folder = tempfile::tempdir()?;
    let unit = folder.path().join("sangam.service");
    let text = std::fs::read_to_string(packaging().join("systemd/sangam.service"))?;
    let program = sangam();
    std::fs::write(
        &unit,
        text.replace("/usr/bin/sangam", &program.display().to_string()).replace("=sangam\nGroup=sangam", "=daemon\nGroup=daemon"),
    )?;
    let (done, said) = output(Command::new("systemd-analyze").arg("verify").arg("--man=no").arg(&unit))?;
    let own: Vec<&str> = said.lines().filter(|line| line.contains("sangam.service")).collect();
    ensure!(done && own.is_empty(), "{said}");
    // 0 is confined, 10 is not at all. A service that nobody looked after has 9.6.
    let (done, said) = output(Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=20"]).arg(&unit))?;
    ensure!(done, "{said}");
    Ok(())
}

#[test]
fn the_manifests_are_what_a_cluster_takes() -> anyhow::Result<()> {
    // The schemas of Kubernetes itself, in a package of Python's.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/kubernetes");
    let python = folder.join(".venv/bin/python");
    if !python.is_file() {
        let advice = "the schemas of Kubernetes are not installed here: run `python3 -m venv .venv` and `.venv/bin/pip install -r requirements.txt` in \
                      tests/peers/kubernetes";
        return tool::missing(advice);
    }
    let (done, said) = output(Command::new(python).arg(folder.join("validate.py")).arg(packaging().join("kubernetes")))?;
    ensure!(done, "{said}");
    Ok(())
}

#[test]
fn configurations_that_are_handed_out_have_no_mistakes() -> anyhow::Result<()> {
    for file in ["image/sangam.toml", "kubernetes/sangam.toml", "systemd/sangam.toml"] {
        let (done, said) = output(
            Command::new(sangam())
                .args(["check", "--config"])
                .arg(packaging().join(file))
                .env("SANGAM_STORE_URL", "postgres://sangam@localhost/sangam")
                .env("SANGAM_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        )?;
        ensure!(done && said.contains("no mistakes"), "{file}: {said}");
    }
    Ok(())
}

#[test]
fn every_command_has_a_manual_page_that_reads_without_a_complaint() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (done, said) = output(Command::new(sangam()).arg("man").arg(folder.path()))?;
    ensure!(done, "{said}");
    let pages: Vec<PathBuf> = std::fs::read_dir(folder.path())?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    ensure!(pages.len() > 50 && folder.path().join("sangam-plugin-test.1").is_file(), "{pages:?}");
    ensure!(!folder.path().join("sangam-compile.1").exists(), "what the host starts itself is nobody's command");
    if !there("groff", "groff-base")? {
        return Ok(());
    }
    for page in pages {
        let (done, said) = output(Command::new("groff").args(["-Kutf8", "-man", "-Tutf8", "-ww", "-z"]).arg(&page))?;
        ensure!(done && said.is_empty(), "{}: {said}", page.display());
    }
    Ok(())
}

#[test]
fn shells_take_the_completions() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (done, script) = output(Command::new(sangam()).args(["completions", "bash"]))?;
    ensure!(done, "{script}");
    let file = folder.path().join("sangam.bash");
    std::fs::write(&file, script)?;
    let ask = "source \"$1\"; COMP_WORDS=(sangam plugin ce); COMP_CWORD=2; _sangam sangam ce plugin; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let (done, said) = output(Command::new("bash").args(["--norc", "-c", ask, "bash"]).arg(&file))?;
    ensure!(done && said.contains("certify"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_left_as_it_is() -> anyhow::Result<()> {
    let folder = HostFolder::new("[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n")?;
    folder.start().await?.kill().await?;
    let of_the_future = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                         select 9999, 'of the future', success, checksum, execution_time from _sqlx_migrations where version = 1";
    Hand::into(&folder).await?.run(of_the_future).await?;
    let output = folder.run(&["up"], "")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(1) && said.contains("newer version") && said.contains("9999"), "{said}");
    Ok(())
}
