//! One conversation with a relay (RFC 5321): greeting, TLS, login, envelope, message.
//!
//! Our own and not the library's that builds the messages: what decides here is how far a conversation came when it broke, and whose reply a
//! reply is. Until the line that ends the message, nothing was handed over; after it, without an answer, nobody knows.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::reply::{Abilities, Reply};
use super::trouble::Trouble;
use crate::credentials::Secret;

/// Longest line of a reply (RFC 5321 section 4.5.3.1.5 says 512), and most lines of one.
const LONGEST_LINE: u64 = 4 << 10;
const MOST_LINES: usize = 100;
/// How long a relay may take to say goodbye: the mail is there by then.
const GOODBYE: Duration = Duration::from_secs(2);

/// Where a conversation takes place: a socket, perhaps under TLS.
pub(super) trait Line: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Line for T {}

/// How this host proves who it is.
pub(super) enum Login {
    /// AUTH PLAIN, or LOGIN where the relay knows nothing better.
    Password {
        /// Who.
        username: String,
        /// Its password.
        password: Secret,
    },
    /// AUTH XOAUTH2.
    Token {
        /// Whose mailbox.
        username: String,
        /// An access token.
        token: Secret,
    },
}

/// What goes where.
pub(super) struct Envelope<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a [String],
    /// Its addresses are not all ASCII.
    pub(super) utf8: bool,
    /// Goes to those whom the relay takes, where it refuses some.
    pub(super) partial: bool,
}

/// What a relay took.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Its answer to the message.
    pub(super) reply: String,
    /// Recipients it took.
    pub(super) accepted: Vec<String>,
    /// Recipients it refused, with its words.
    pub(super) refused: Vec<(String, String)>,
}

/// A conversation under way.
pub(super) struct Conversation {
    line: BufReader<Box<dyn Line>>,
    patience: Patience,
    abilities: Abilities,
}

/// How long a relay is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// The longest silence.
    pub(super) silence: Duration,
    /// When the step's time is over.
    pub(super) ends: Instant,
}

impl Patience {
    /// The longest silence from now on.
    pub(super) fn now(self) -> Duration {
        self.silence.min(self.ends.saturating_duration_since(Instant::now()))
    }
}

impl Conversation {
    /// Waits for the greeting and introduces this host.
    pub(super) async fn open(line: Box<dyn Line>, hello: &str, patience: Patience) -> Result<Conversation, Trouble> {
        let mut conversation = Conversation { line: BufReader::new(line), patience, abilities: Abilities::default() };
        let greeting = conversation.reply().await?;
        if !greeting.is_done() {
            return Err(Trouble::Later(format!("the relay does not want to talk: {greeting}")));
        }
        conversation.hello(hello).await?;
        Ok(conversation)
    }

    async fn hello(&mut self, hello: &str) -> Result<(), Trouble> {
        let reply = self.command(&format!("EHLO {hello}")).await?;
        self.abilities = if reply.is_done() {
            Abilities::of(&reply)
        } else {
            // A relay of the first generation.
            let reply = self.command(&format!("HELO {hello}")).await?;
            self.done(reply, "HELO")?;
            Abilities::default()
        };
        Ok(())
    }

    /// Goes over to TLS, and begins anew: what was said before may be anybody's.
    pub(super) async fn starttls(mut self, tls: &TlsConnector, name: ServerName<'static>, hello: &str) -> Result<Conversation, Trouble> {
        if !self.abilities.starttls {
            return Err(Trouble::Unreachable("the relay does not offer STARTTLS; see its `tls` in the configuration".to_owned()));
        }
        let reply = self.command("STARTTLS").await?;
        self.done(reply, "STARTTLS")?;
        if !self.line.buffer().is_empty() {
            // It would be taken for what the relay says under TLS.
            return Err(Trouble::Unreachable("somebody has put words into the relay's mouth before TLS began".to_owned()));
        }
        let Conversation { line, patience, .. } = self;
        let line = secured(tls, name, line.into_inner(), patience).await?;
        let mut conversation = Conversation { line: BufReader::new(line), patience, abilities: Abilities::default() };
        conversation.hello(hello).await?;
        Ok(conversation)
    }

    /// Logs in.
    pub(super) async fn login(&mut self, login: &Login) -> Result<(), Trouble> {
        let offers = |mechanism: &str| self.abilities.auth.iter().any(|offered| offered == mechanism);
        let secret = |text: Zeroizing<String>| Zeroizing::new(STANDARD.encode(text.as_bytes()));
        let (mechanism, reply) = match login {
            Login::Token { username, token } if offers("XOAUTH2") => {
                let text = Zeroizing::new(format!("user={username}\u{1}auth=Bearer {}\u{1}\u{1}", token.expose()));
                let mut reply = self.say(&Zeroizing::new(format!("AUTH XOAUTH2 {}", &*secret(text)))).await?;
                if reply.code == 334 {
                    // What is wrong stands in the challenge; an empty answer ends the exchange.
                    reply = self.say("").await?;
                }
                ("XOAUTH2", reply)
            }
            Login::Token { .. } => return Err(self.no_mechanism("XOAUTH2")),
            Login::Password { username, password } if offers("PLAIN") => {
                let text = Zeroizing::new(format!("\u{0}{username}\u{0}{}", password.expose()));
                ("PLAIN", self.say(&Zeroizing::new(format!("AUTH PLAIN {}", &*secret(text)))).await?)
            }
            Login::Password { username, password } if offers("LOGIN") => {
                let mut reply = self.say("AUTH LOGIN").await?;
                for text in [username.as_str(), password.expose()] {
                    if reply.code != 334 {
                        break;
                    }
                    reply = self.say(&secret(Zeroizing::new(text.to_owned()))).await?;
                }
                ("LOGIN", reply)
            }
            Login::Password { .. } => return Err(self.no_mechanism("PLAIN or LOGIN")),
        };
        match reply.code {
            235 => Ok(()),
            _ if reply.is_later() => Err(Trouble::Later(format!("the relay can't check the login now (AUTH {mechanism}): {reply}"))),
            _ => Err(Trouble::Unauthorized(format!("the relay refuses the login (AUTH {mechanism}): {reply}"))),
        }
    }

    fn no_mechanism(&self, wanted: &str) -> Trouble {
        let offered = if self.abilities.auth.is_empty() { "no login at all".to_owned() } else { self.abilities.auth.join(", ") };
        Trouble::Refused { why: format!("the relay does not offer AUTH {wanted}; it offers {offered}"), recipients: Vec::new() }
    }

    /// Hands a message over. Where some recipients are refused nothing is sent, unless the envelope says `partial`.
    pub(super) async fn hand_over(&mut self, envelope: &Envelope<'_>, message: &[u8]) -> Result<Taken, Trouble> {
        let refused = |why: String| Trouble::Refused { why, recipients: Vec::new() };
        if envelope.utf8 && !self.abilities.utf8 {
            return Err(refused("an address of this mail is not ASCII, and the relay does not know SMTPUTF8".to_owned()));
        }
        if let Some(most) = self.abilities.size.filter(|most| message.len() as u64 > *most) {
            return Err(refused(format!("the mail has {} bytes; the relay takes at most {most}", message.len())));
        }
        let mut from = format!("MAIL FROM:<{}>", envelope.from);
        if self.abilities.size.is_some() {
            from.push_str(&format!(" SIZE={}", message.len()));
        }
        if self.abilities.eight_bit && !message.is_ascii() {
            from.push_str(" BODY=8BITMIME");
        }
        if envelope.utf8 {
            from.push_str(" SMTPUTF8");
        }
        let reply = self.command(&from).await?;
        self.done(reply, "the sender")?;
        let (mut accepted, mut turned_away) = (Vec::new(), Vec::new());
        for address in envelope.to {
            let reply = self.command(&format!("RCPT TO:<{address}>")).await?;
            if reply.is_done() {
                accepted.push(address.clone());
            } else if reply.is_later() {
                return Err(Trouble::Later(format!("the relay does not take mail for {address} now: {reply}")));
            } else {
                turned_away.push((address.clone(), reply.to_string()));
            }
        }
        if accepted.is_empty() || (!turned_away.is_empty() && !envelope.partial) {
            let list = turned_away.iter().map(|(address, words)| format!("{address}: {words}")).collect::<Vec<_>>().join("; ");
            let why = format!("the relay refuses recipients, and nothing was sent: {list}");
            return Err(Trouble::Refused { why, recipients: turned_away });
        }
        let reply = self.command("DATA").await?;
        if reply.code != 354 {
            return Err(self.not_done(&reply, "the mail"));
        }
        // Without its last line a relay must not take it (RFC 5321 section 4.1.1.4): until then a break is no doubt.
        self.write(&stuffed(message)).await?;
        let answer = match self.write(b".\r\n").await {
            Ok(()) => self.reply().await,
            Err(trouble) => Err(trouble),
        };
        let reply =
            answer.map_err(|trouble| Trouble::InDoubt(format!("the relay had the whole mail and did not answer: {}", trouble.why())))?;
        let reply = self.done(reply, "the mail")?;
        Ok(Taken { reply: reply.to_string(), accepted, refused: turned_away })
    }

    /// Says goodbye. Whatever comes of it, the mail is where it is.
    pub(super) async fn close(mut self) {
        let goodbye = async {
            let _ = self.command("QUIT").await;
            let _ = self.line.get_mut().shutdown().await;
        };
        let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    }

    fn done(&self, reply: Reply, what: &str) -> Result<Reply, Trouble> {
        if reply.is_done() { Ok(reply) } else { Err(self.not_done(&reply, what)) }
    }

    fn not_done(&self, reply: &Reply, what: &str) -> Trouble {
        let why = format!("the relay does not take {what}: {reply}");
        if reply.is_later() { Trouble::Later(why) } else { Trouble::Refused { why, recipients: Vec::new() } }
    }

    /// A command without anything secret in it.
    async fn command(&mut self, command: &str) -> Result<Reply, Trouble> {
        self.say(command).await
    }

    async fn say(&mut self, text: &str) -> Result<Reply, Trouble> {
        debug_assert!(!text.contains(['\r', '\n']), "a command is one line");
        let line = Zeroizing::new([text.as_bytes(), b"\r\n"].concat());
        self.write(&line).await?;
        let reply = self.reply().await?;
        // The relay is about to close the connection, whatever was asked (RFC 5321 section 3.8).
        if reply.code == 421 { Err(Trouble::Later(format!("the relay is going away: {reply}"))) } else { Ok(reply) }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let stream = self.line.get_mut();
        let written = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        let patience = self.patience.now();
        match tokio::time::timeout(patience, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Trouble::Unreachable(format!("the connection to the relay broke: {error}"))),
            Err(_) => Err(Trouble::Unreachable(format!("the relay took nothing for {patience:?}"))),
        }
    }

    async fn reply(&mut self) -> Result<Reply, Trouble> {
        let patience = self.patience.now();
        match tokio::time::timeout(patience, self.read_reply()).await {
            Ok(reply) => reply,
            Err(_) => Err(Trouble::Unreachable(format!("the relay did not answer within {patience:?}"))),
        }
    }

    async fn read_reply(&mut self) -> Result<Reply, Trouble> {
        let mut lines = Vec::new();
        loop {
            let mut bytes = Vec::new();
            let read = (&mut self.line).take(LONGEST_LINE).read_until(b'\n', &mut bytes).await;
            read.map_err(|error| Trouble::Unreachable(format!("the connection to the relay broke: {error}")))?;
            if bytes.last() != Some(&b'\n') {
                let why =
                    if bytes.len() as u64 == LONGEST_LINE { "the relay's line is too long" } else { "the relay closed the connection" };
                return Err(Trouble::Unreachable(why.to_owned()));
            }
            let text = String::from_utf8_lossy(&bytes);
            let Some((code, last, words)) = Reply::line(text.trim_end_matches(['\r', '\n'])) else {
                return Err(Trouble::Unreachable("what answers there is no mail relay".to_owned()));
            };
            lines.push(words);
            if last {
                return Ok(Reply { code, lines });
            }
            if lines.len() == MOST_LINES {
                return Err(Trouble::Unreachable("the relay's answer does not end".to_owned()));
            }
        }
    }
}

/// TLS over a connection.
pub(super) async fn secured(
    tls: &TlsConnector,
    name: ServerName<'static>,
    line: Box<dyn Line>,
    patience: Patience,
) -> Result<Box<dyn Line>, Trouble> {
    let patience = patience.now();
    match tokio::time::timeout(patience, tls.connect(name, line)).await {
        Ok(Ok(line)) => Ok(Box::new(line)),
        Ok(Err(error)) => {
            let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            // The sentences are written for plugins, which are most of those who meet one.
            let why = tls.map_or_else(|| error.to_string(), |tls| crate::outbound::tls_trouble(tls).replace("this plugin", "this relay"));
            Err(Trouble::Unreachable(format!("no TLS with the relay: {why}")))
        }
        Err(_) => Err(Trouble::Unreachable(format!("no TLS with the relay within {patience:?}"))),
    }
}

/// The message as it goes over the line: a dot more where a line begins with one (RFC 5321 section 4.5.2), and its last line ended.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(message.len() + 64);
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line);
    }
    if !stuffed.ends_with(b"\r\n") {
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed
}
