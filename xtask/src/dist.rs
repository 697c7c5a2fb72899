//! `cargo xtask dist`: what is handed to those who don't build: one archive with everything that a machine needs.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use crate::tools::{root, run, step, target};

/// Builds, and packs `dist/sangam-VERSION-MACHINE.tar.gz` with its digest beside it, in the target folder. `--pgo`: with a host compiled by what it does.
pub fn dist(arguments: &[String]) -> anyhow::Result<()> {
    let release = match arguments {
        [] => crate::build::all()?,
        [only] if only == "--pgo" => crate::pgo::pgo()?,
        other => bail!("dist takes --pgo or nothing, not {}", other.join(" ")),
    };
    let name = format!("sangam-{}-{}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    let dist = target().join("dist");
    let folder = dist.join(&name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("emptying {}", folder.display()))?;
    }
    let program = release.join("sangam");
    lay_out(&release, &program, &folder)?;
    let archive = format!("{name}.tar.gz");
    // Sorted and without the times and names of this machine: the same files make the same archive.
    let tar = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "-czf", &archive, &name];
    step("pack", || run(Command::new("tar").args(tar).current_dir(&dist)))?;
    run(Command::new("sh").arg("-c").arg(format!("sha256sum {archive} > {archive}.sha256")).current_dir(&dist))?;
    println!("{}", dist.join(&archive).display());
    Ok(())
}

/// The folders of the archive, which are those that a machine has under /usr.
fn lay_out(release: &Path, program: &Path, folder: &Path) -> anyhow::Result<()> {
    let root = root();
    copy(program, &folder.join("bin/sangam"))?;
    for entry in std::fs::read_dir(release.join("plugins")).context("the connectors")? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "wasm") {
            copy(&file, &folder.join("lib/sangam/plugins").join(file.file_name().unwrap_or_default()))?;
        }
    }
    for (from, to) in [
        ("packaging/systemd/sangam.service", "lib/systemd/system/sangam.service"),
        ("packaging/systemd/sangam.sysusers", "lib/sysusers.d/sangam.conf"),
        ("packaging/systemd/sangam.toml", "share/doc/sangam/sangam.toml"),
        ("packaging/README.md", "share/doc/sangam/README.md"),
        ("LICENSE", "share/doc/sangam/LICENSE"),
        ("CHANGELOG.md", "share/doc/sangam/CHANGELOG.md"),
        ("docs/upgrade.md", "share/doc/sangam/upgrade.md"),
    ] {
        copy(&root.join(from), &folder.join(to))?;
    }
    let notices = step("gather the notices of what others wrote", crate::notices::notices)?;
    write(&folder.join("share/doc/sangam/THIRD-PARTY-LICENSES.txt"), notices.as_bytes())?;
    run(Command::new(program).arg("man").arg(folder.join("share/man/man1")))?;
    for (shell, to) in [
        ("bash", "share/bash-completion/completions/sangam"),
        ("zsh", "share/zsh/site-functions/_sangam"),
        ("fish", "share/fish/vendor_completions.d/sangam.fish"),
    ] {
        let output = Command::new(program).args(["completions", shell]).output()?;
        ensure!(output.status.success(), "completions of {shell}: {}", String::from_utf8_lossy(&output.stderr));
        write(&folder.join(to), &output.stdout)?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    make_parent(to)?;
    std::fs::copy(from, to).with_context(|| format!("copying {} to {}", from.display(), to.display()))?;
    Ok(())
}

fn write(to: &Path, content: &[u8]) -> anyhow::Result<()> {
    make_parent(to)?;
    std::fs::write(to, content).with_context(|| format!("writing {}", to.display()))
}

fn make_parent(path: &Path) -> anyhow::Result<()> {
    let parent = path.parent().context("a file is in a folder")?;
    std::fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))
}
