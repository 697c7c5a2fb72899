//! A name server that answers as it was told, and remembers what it was asked. UDP only: a question, an answer.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;

/// Says which addresses a name has when it is asked for the n-th time, from 1. `None`: there is no such name.
type Zone = dyn Fn(&str, usize) -> Option<Vec<IpAddr>> + Send + Sync;

#[derive(Default)]
struct Asked {
    names: Vec<String>,
    /// Questions for addresses of version 4 and of version 6, by name.
    times: HashMap<(String, u16), usize>,
}

/// A running name server. It serves until this is dropped.
pub struct NameServer {
    asked: Arc<Mutex<Asked>>,
    serving: JoinHandle<()>,
}

impl NameServer {
    /// Serves at that address. Each name is counted for each type of question by itself, since resolvers ask for both.
    pub async fn start(
        at: SocketAddr,
        zone: impl Fn(&str, usize) -> Option<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> anyhow::Result<NameServer> {
        let socket = UdpSocket::bind(at).await?;
        let asked: Arc<Mutex<Asked>> = Arc::default();
        let zone: Arc<Zone> = Arc::new(zone);
        let serving = tokio::spawn(serve(socket, asked.clone(), zone));
        Ok(NameServer { asked, serving })
    }

    /// Every name that was asked for, once for each question.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.asked).names.clone()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock(asked: &Mutex<Asked>) -> MutexGuard<'_, Asked> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(socket: UdpSocket, asked: Arc<Mutex<Asked>>, zone: Arc<Zone>) {
    let mut packet = [0; 1500];
    while let Ok((length, from)) = socket.recv_from(&mut packet).await {
        if let Some(reply) = reply(&packet[..length], &asked, &*zone) {
            let _ = socket.send_to(&reply, from).await;
        }
    }
}

/// RFC 1035 section 4: one question, its answers with no time to live.
fn reply(packet: &[u8], asked: &Mutex<Asked>, zone: &Zone) -> Option<Vec<u8>> {
    let mut name = String::new();
    let mut at = 12;
    while let length @ 1..=63 = usize::from(*packet.get(at)?) {
        name.push_str(&String::from_utf8_lossy(packet.get(at + 1..=at + length)?).to_ascii_lowercase());
        name.push('.');
        at += length + 1;
    }
    let name = name.trim_end_matches('.').to_owned();
    let end = at + 5;
    let kind = u16::from_be_bytes(packet.get(at + 1..at + 3)?.try_into().ok()?);
    let time = {
        let mut asked = lock(asked);
        asked.names.push(name.clone());
        let time = asked.times.entry((name.clone(), kind)).or_default();
        *time += 1;
        *time
    };
    let addresses = zone(&name, time);
    let code: u8 = if addresses.is_some() { 0 } else { 3 };
    let of_kind = |address: &IpAddr| match kind {
        TYPE_A => address.is_ipv4(),
        TYPE_AAAA => address.is_ipv6(),
        _ => false,
    };
    let answers: Vec<IpAddr> = addresses.unwrap_or_default().into_iter().filter(of_kind).collect();
    let mut reply = packet.get(..2)?.to_vec();
    reply.extend([0x84, 0x80 | code, 0, 1, 0, u8::try_from(answers.len()).ok()?, 0, 0, 0, 0]);
    reply.extend(packet.get(12..end)?);
    for address in answers {
        let data = match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        // The name is that of the question; type; class IN; 0 seconds.
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0, 0, 0, u8::try_from(data.len()).ok()?]);
        reply.extend(data);
    }
    Some(reply)
}
