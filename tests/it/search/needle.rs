//! A value that is searched for, in every usual spelling.

use anyhow::Context as _;

/// A value that must be nowhere but where it belongs.
pub(super) struct Needle {
    pub(super) name: &'static str,
    pub(super) spellings: Vec<(&'static str, Vec<u8>)>,
}

impl Needle {
    pub(super) fn new(name: &'static str, value: &str) -> Needle {
        Needle::of(name, value.as_bytes())
    }

    pub(super) fn of(name: &'static str, bytes: &[u8]) -> Needle {
        let each = |write: fn(&u8) -> String| bytes.iter().map(write).collect::<String>().into_bytes();
        let mut spellings = vec![
            ("as it is", bytes.to_vec()),
            ("hexadecimal", each(|byte| format!("{byte:02x}"))),
            ("hexadecimal, upper case", each(|byte| format!("{byte:02X}"))),
            ("percent", each(|byte| format!("%{byte:02X}"))),
            ("a form's", url_encoded(bytes)),
            ("JSON escapes", each(|byte| format!("\\u{byte:04x}"))),
            ("backwards", bytes.iter().rev().copied().collect()),
        ];
        // At each of the three places that a text can have within base64; what its neighbours share is left out.
        for place in 0..3 {
            let padded: Vec<u8> = std::iter::repeat_n(0, place).chain(bytes.iter().copied()).collect();
            let whole = base64(&padded);
            let own = whole[(place * 8).div_ceil(6)..padded.len() * 8 / 6].to_vec();
            let for_urls = own
                .iter()
                .map(|byte| match byte {
                    b'+' => b'-',
                    b'/' => b'_',
                    other => *other,
                })
                .collect();
            spellings.push(("base64", own));
            spellings.push(("base64 for URLs", for_urls));
        }
        Needle { name, spellings }
    }
}

/// Which values are in which places, and how they are spelled there.
pub(super) fn found(needles: &[Needle], haystack: &[(String, Vec<u8>)]) -> std::collections::BTreeSet<String> {
    // By its first two bytes, so that one pass looks for all spellings at once.
    let mut beginning: Vec<Vec<(&Needle, &str, &[u8])>> = vec![Vec::new(); 1 << 16];
    for needle in needles {
        for (how, spelling) in &needle.spellings {
            beginning[usize::from(spelling[0]) << 8 | usize::from(spelling[1])].push((needle, how, spelling));
        }
    }
    let mut found = std::collections::BTreeSet::new();
    for (place, bytes) in haystack {
        for (at, pair) in bytes.windows(2).enumerate() {
            for (needle, how, spelling) in &beginning[usize::from(pair[0]) << 8 | usize::from(pair[1])] {
                if bytes[at..].starts_with(spelling) {
                    found.insert(format!("{} ({how}) in {place}", needle.name));
                }
            }
        }
    }
    found
}

pub(super) fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks(3)
        .flat_map(|chunk| {
            let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            (0..=chunk.len()).map(move |digit| DIGITS[(bits >> (18 - 6 * digit)) as usize & 63])
        })
        .collect()
}

pub(super) fn url_encoded(bytes: &[u8]) -> Vec<u8> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    bytes.iter().flat_map(|byte| if plain(*byte) { vec![*byte] } else { format!("%{byte:02X}").into_bytes() }).collect()
}

/// Bytes that a line of a key in PEM stands for.
pub(super) fn unarmoured(line: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<u32> = line.bytes().filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte)?.try_into().ok()).collect();
    let group = |group: &[u32]| group.iter().fold(0, |bits, digit| bits << 6 | digit).to_be_bytes()[1..].to_vec();
    digits.chunks_exact(4).flat_map(group).collect()
}

/// A line from within a private key, as it stands in PEM and as the bytes that it stands for.
pub(super) fn key_needles(name: &'static str, pem: &str) -> anyhow::Result<[Needle; 2]> {
    let lines: Vec<&str> = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    // Of an RSA key the middle is private; of an Ed25519 key what follows 16 bytes that are the same in all.
    let line = lines[if lines.len() > 8 { lines.len() / 2 } else { 0 }];
    let line = line.get(24..64).context("the key is too short to be searched for")?;
    Ok([Needle::new(name, line), Needle::of(name, &unarmoured(line))])
}

#[test]
fn the_search_finds_a_value_in_every_spelling() {
    const VALUE: &str = "password-Kk20-\"ber\\lin\"&co";
    let needles = [Needle::new("it", VALUE)];
    let found = |bytes: Vec<u8>| found(&needles, &[("there".to_owned(), bytes)]).into_iter().collect::<Vec<_>>().join("\n");
    assert_eq!(found(b"password-Kk20".to_vec()), "");
    for (how, spelling) in &needles[0].spellings {
        assert!(found([b"before", spelling.as_slice(), b"after"].concat()).contains(how), "{how}");
    }
    // As it stands in a longer text that is encoded as a whole.
    for place in 0..6 {
        let whole = format!("{}{VALUE}:more", "x".repeat(place));
        assert!(found(base64(whole.as_bytes())).contains("base64"), "{place}");
    }
    // Signs of the alphabet's end, where the two alphabets differ.
    assert_eq!(base64(b"\xfb\xff\xfe").as_slice(), b"+//+");
    assert_eq!(base64(b"ab").as_slice(), b"YWI");
}
