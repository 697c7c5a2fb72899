//! Names that lead elsewhere than they did, asked of a real resolver: the test runs itself again in a network of its own, with a name
//! server of its own at the address that the system's resolver asks.

use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use sangam_tests::dns::NameServer;
use sangam_tests::tool::missing;
use sangam_tests::wire::{Act, Wire};
use serde_json::json;

use super::Way;

/// Set for the test within.
const WITHIN: &str = "SANGAM_TEST_NETWORK";
/// Addresses that are public everywhere else.
const PUBLIC: [&str; 2] = ["8.8.4.4", "2001:4860:4860::8844"];
/// Addresses of the network within.
const PRIVATE: [&str; 2] = ["10.9.8.7", "fd00:ec2::254"];
const PORT: u16 = 8080;

/// Whether this is the run within a network of its own. Outside of it, the test of that name is run within.
fn within_a_network(test: &str) -> anyhow::Result<bool> {
    if std::env::var_os(WITHIN).is_some() {
        furnish()?;
        return Ok(true);
    }
    let may = Command::new("unshare").args(["--net", "--mount", "--", "ip", "link", "set", "lo", "up"]).stderr(Stdio::null()).status();
    if !may.is_ok_and(|status| status.success()) {
        let lacks = "only root, with unshare (util-linux) and ip (iproute2), can make a network of its own: names are not tested now";
        if is_root() {
            missing(lacks)?;
        } else {
            eprintln!("{lacks}");
        }
        return Ok(false);
    }
    let itself = std::env::current_exe()?;
    let done = Command::new("unshare")
        .args(["--net", "--mount", "--"])
        .arg(itself)
        .args(["--exact", test, "--nocapture"])
        .env(WITHIN, "1")
        .output()?;
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    ensure!(done.status.success() && said.contains("1 passed"), "within a network of its own:\n{said}");
    Ok(false)
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout == b"0\n")
}

/// Addresses, and the system's resolver asking this machine.
fn furnish() -> anyhow::Result<()> {
    let run = |program: &str, arguments: &[&str]| -> anyhow::Result<()> {
        let done = Command::new(program).args(arguments).output()?;
        ensure!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    };
    run("ip", &["link", "set", "lo", "up"])?;
    for address in PUBLIC.iter().chain(&PRIVATE) {
        // Without looking whether somebody else has it, which is done some time later; until then nobody can listen at it.
        let (length, at_once) = if address.contains(':') { (128, &["nodad"][..]) } else { (32, &[][..]) };
        run("ip", &[&["address", "add", &format!("{address}/{length}"), "dev", "lo"], at_once].concat())?;
    }
    let folder = tempfile::tempdir()?.keep();
    let (resolver, hosts, order) = (folder.join("resolv.conf"), folder.join("hosts"), folder.join("nsswitch.conf"));
    std::fs::write(&resolver, "nameserver 127.0.0.1\noptions timeout:2 attempts:2\n")?;
    std::fs::write(&hosts, "127.0.0.1 localhost\n")?;
    std::fs::write(&order, "hosts: files dns\n")?;
    for (file, at) in [(resolver, "/etc/resolv.conf"), (hosts, "/etc/hosts"), (order, "/etc/nsswitch.conf")] {
        run("mount", &["--bind", file.to_str().context("a path is text")?, at])?;
    }
    Ok(())
}

fn addresses(texts: &[&str]) -> Option<Vec<IpAddr>> {
    texts.iter().map(|text| text.parse().ok()).collect()
}

/// Listeners at all addresses, public ones first; they say who they are.
async fn listeners() -> anyhow::Result<(Vec<Wire>, Vec<Wire>)> {
    let listen = async |address: &'static str| {
        let at = SocketAddr::new(address.parse()?, PORT);
        Wire::at(at, None, move |_| Act::Close(sangam_tests::wire::answer("Connection: close\r\n", address))).await
    };
    let mut public = Vec::new();
    for address in PUBLIC {
        public.push(listen(address).await?);
    }
    let mut private = Vec::new();
    for address in PRIVATE.into_iter().chain(["127.0.0.1", "::1"]) {
        private.push(listen(address).await?);
    }
    Ok((public, private))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_bound_anew_leads_nowhere() -> anyhow::Result<()> {
    if !within_a_network("outbound::names::a_name_that_is_bound_anew_leads_nowhere")? {
        return Ok(());
    }
    let [public4, public6] = PUBLIC;
    let [private4, private6] = PRIVATE;
    let names = NameServer::start(SocketAddr::from(([127, 0, 0, 1], 53)), move |name, time| match name {
        "public.example" => addresses(&[public4]),
        "public6.example" => addresses(&[public6]),
        // What an attacker does: an answer that passes, then, since it lives for no time, another one.
        "rebound.example" => addresses(&[if time == 1 { public4 } else { private4 }]),
        "rebound6.example" => addresses(&[if time == 1 { public6 } else { private6 }]),
        "to-loopback.example" => addresses(&[if time == 1 { public4 } else { "127.0.0.1" }]),
        "mixed.example" => addresses(&[public4, private4]),
        "mixed-turned.example" => addresses(&[private4, public4]),
        "mixed-versions.example" => addresses(&[public4, private6]),
        "metadata.example" => addresses(&["169.254.169.254"]),
        "metadata6.example" => addresses(&["fd00:ec2::254"]),
        "loopback6.example" => addresses(&["::1"]),
        "mapped.example" => addresses(&["::ffff:10.9.8.7"]),
        "nat64.example" => addresses(&["64:ff9b::a09:807"]),
        "nothing.example" => addresses(&["0.0.0.0"]),
        _ => None,
    })
    .await?;
    let (public, private) = listeners().await?;
    // A literal address never reaches the resolver.
    let literal = ["10.9.8.7", "127.0.0.1"].map(|host| format!("http://{host}:{PORT}"));
    let named = [
        "public",
        "public6",
        "rebound",
        "rebound6",
        "to-loopback",
        "mixed",
        "mixed-turned",
        "mixed-versions",
        "metadata",
        "metadata6",
        "loopback6",
        "mapped",
        "nat64",
        "nothing",
        "missing",
    ];
    let hosts: Vec<String> = named.iter().map(|name| format!("http://{name}.example:{PORT}")).chain(literal.iter().cloned()).collect();
    let way = Way::alone(&format!("allow-hosts = {hosts:?}\n"), "").await?;
    let url = |name: &str| format!("http://{name}.example:{PORT}/");
    assert_eq!(way.body("m", &url("public")).await?, public4);
    assert_eq!(way.body("m", &url("public6")).await?, public6);
    for (name, first) in [("rebound", public4), ("rebound6", public6), ("to-loopback", public4)] {
        assert_eq!(way.body("m", &url(name)).await?, first, "{name}, as long as it is public");
        for _ in 0..2 {
            way.refused("m", json!({ "url": url(name) }), "denied", "allow-private-addresses").await?;
        }
    }
    let private_names = ["mixed", "mixed-turned", "mixed-versions", "metadata", "metadata6", "loopback6", "mapped", "nat64", "nothing"];
    for name in private_names {
        way.refused("m", json!({ "url": url(name) }), "denied", "allow-private-addresses").await?;
    }
    for host in &literal {
        way.refused("m", json!({ "url": host }), "denied", "allow-private-addresses").await?;
    }
    way.refused("m", json!({ "url": url("missing") }), "connection", "missing.example").await?;
    for wire in &private {
        assert_eq!(wire.opened(), 0, "a connection came to {}", wire.addr);
    }
    assert_eq!(public.iter().map(Wire::opened).sum::<usize>(), 5);
    assert!(names.asked().iter().any(|name| name == "rebound.example"), "the resolver asks this name server");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_not_granted_is_never_looked_up() -> anyhow::Result<()> {
    if !within_a_network("outbound::names::a_name_that_is_not_granted_is_never_looked_up")? {
        return Ok(());
    }
    let names = NameServer::start(SocketAddr::from(([127, 0, 0, 1], 53)), |_, _| addresses(&[PUBLIC[0]])).await?;
    let (public, _private) = listeners().await?;
    let way =
        Way::alone(&format!("allow-hosts = [\"http://api.example:{PORT}\", \"GET http://paths.example:{PORT}/crm/**\"]\n"), "").await?;
    for url in [
        format!("http://stolen-data.attacker.example:{PORT}/"),
        format!("http://stolen-data.api.example:{PORT}/"),
        format!("http://api.example.attacker.example:{PORT}/"),
        format!("http://api.example:{}/", PORT + 1),
        format!("https://api.example:{PORT}/"),
        format!("http://paths.example:{PORT}/stolen-data"),
        format!("http://stolen-data@api.example:{PORT}/"),
    ] {
        way.refused("m", json!({ "url": url }), "denied", "").await?;
    }
    way.refused("n", json!({ "url": format!("http://api.example:{PORT}/") }), "denied", "allow-hosts").await?;
    assert_eq!(names.asked(), Vec::<String>::new(), "a name left");
    assert_eq!(way.body("m", &format!("http://API.example:{PORT}/")).await?, PUBLIC[0]);
    assert!(names.asked().iter().all(|name| name == "api.example") && !names.asked().is_empty(), "{:?}", names.asked());
    assert_eq!(public[0].opened(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_names_many_hosts_keeps_few_connections() -> anyhow::Result<()> {
    if !within_a_network("outbound::names::a_plugin_that_names_many_hosts_keeps_few_connections")? {
        return Ok(());
    }
    let _names = NameServer::start(SocketAddr::from(([127, 0, 0, 1], 53)), |_, _| addresses(&[PUBLIC[0]])).await?;
    let sink = Wire::at(SocketAddr::new(PUBLIC[0].parse()?, PORT), None, |_| Act::answer("ok")).await?;
    let way = Way::alone(&format!("allow-hosts = [\"http://*.many.example:{PORT}\"]\n"), "").await?;
    for number in 0..70 {
        way.body("m", &format!("http://h{number}.many.example:{PORT}/")).await?;
        let open = sink.opened() - sink.ended();
        assert!(open <= 34, "{open} connections stay open");
    }
    assert_eq!(sink.opened(), 70);
    // A host that is asked again keeps its connection.
    way.body("m", &format!("http://h69.many.example:{PORT}/")).await?;
    assert_eq!(sink.opened(), 70);
    Ok(())
}
