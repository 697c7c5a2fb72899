//! Guesses: who has failed too often has to wait.
//!
//! A token has 256 random bits and can't be guessed; what is bounded here is what guessing costs the store and the log. So waits are short (a
//! minute at most), and whoever shows something that was good before is not made to wait at all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Addresses that are remembered: some hundred kilobytes.
const MOST_ADDRESSES: usize = 10_000;
/// Without a failure for so long, an address starts afresh.
const FORGOTTEN: SignedDuration = SignedDuration::from_mins(10);
/// The longest wait; the first is a second, and each further one doubles it.
const LONGEST: Duration = Duration::from_secs(60);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// Failures by client address. An address of IPv6 stands for its network of 64 bits, which one client has whole.
#[derive(Debug)]
pub struct Attempts {
    per_address: u32,
    overall: u32,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    addresses: HashMap<IpAddr, Mark>,
    minute: Timestamp,
    in_minute: u32,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    failures: u32,
    last: Timestamp,
    until: Timestamp,
}

impl Attempts {
    /// `per_address` failures are free; after `overall` in one minute, whoever they are of, only one of each address.
    pub fn new(per_address: u32, overall: u32) -> Attempts {
        let book = Book { addresses: HashMap::new(), minute: Timestamp::UNIX_EPOCH, in_minute: 0 };
        Attempts { per_address, overall, book: Mutex::new(book) }
    }

    /// How long an address has to wait before it may try again.
    pub fn wait(&self, address: IpAddr, now: Timestamp) -> Option<Duration> {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let mark = book.addresses.get(&network(address))?;
        let left = mark.until.duration_since(now);
        Duration::try_from(left).ok().filter(|left| !left.is_zero())
    }

    /// Notes a failure.
    pub fn failed(&self, address: IpAddr, now: Timestamp) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let book = &mut *book;
        if now.duration_since(book.minute).abs() >= MINUTE {
            (book.minute, book.in_minute) = (now, 0);
        }
        book.in_minute = book.in_minute.saturating_add(1);
        let free = if book.in_minute > self.overall { 1 } else { self.per_address };
        let address = network(address);
        if !book.addresses.contains_key(&address) {
            make_room(&mut book.addresses, now);
        }
        let mark = book.addresses.entry(address).or_insert(Mark { failures: 0, last: now, until: now });
        if now.duration_since(mark.last) > FORGOTTEN {
            mark.failures = 0;
        }
        mark.failures = mark.failures.saturating_add(1);
        mark.last = now;
        if let Some(over) = mark.failures.checked_sub(free) {
            let wait = Duration::from_secs(1 << over.min(16)).min(LONGEST);
            mark.until = crate::clock::later(now, wait);
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

/// The one that has been quiet for longest makes room: whoever goes on guessing stays in the book.
fn make_room(addresses: &mut HashMap<IpAddr, Mark>, now: Timestamp) {
    if addresses.len() < MOST_ADDRESSES {
        return;
    }
    addresses.retain(|_, mark| now.duration_since(mark.last) <= FORGOTTEN);
    if addresses.len() >= MOST_ADDRESSES
        && let Some(oldest) = addresses.iter().min_by_key(|(_, mark)| mark.last).map(|(address, _)| *address)
    {
        addresses.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("a time")
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn waits_begin_after_some_failures_and_grow_to_a_minute() {
        let attempts = Attempts::new(3, 1000);
        let guesser = ip("192.0.2.1");
        let mut waits = Vec::new();
        for _ in 0..10 {
            attempts.failed(guesser, at(0));
            waits.push(attempts.wait(guesser, at(0)).map(|wait| wait.as_secs()));
        }
        assert_eq!(waits, [None, None, Some(1), Some(2), Some(4), Some(8), Some(16), Some(32), Some(60), Some(60)]);
        assert_eq!(attempts.wait(guesser, at(60)), None, "then it may try again");
        assert_eq!(attempts.wait(ip("192.0.2.2"), at(0)), None, "others never wait");
        attempts.failed(guesser, at(0));
        assert!(attempts.wait(ip("::ffff:192.0.2.1"), at(0)).is_some(), "the same address in another form");
    }

    #[test]
    fn who_has_been_quiet_starts_afresh() {
        let attempts = Attempts::new(2, 1000);
        let client = ip("2001:db8::1");
        for second in [0, 0, 700, 1400] {
            attempts.failed(client, at(second));
        }
        assert_eq!(attempts.wait(client, at(1400)), None);
        attempts.failed(ip("2001:db8::ffff:1"), at(1401));
        assert!(attempts.wait(client, at(1401)).is_some(), "a network of IPv6 is one client");
        assert_eq!(attempts.wait(ip("2001:db8:0:1::1"), at(1401)), None);
    }

    #[test]
    fn many_guessers_together_get_one_failure_each() {
        let attempts = Attempts::new(50, 100);
        for index in 0..=100_u32 {
            attempts.failed(IpAddr::from((0x0a00_0000 + index).to_be_bytes()), at(0));
        }
        let late = ip("192.0.2.1");
        assert_eq!(attempts.wait(late, at(0)), None, "nobody waits who has not failed");
        attempts.failed(late, at(1));
        assert!(attempts.wait(late, at(1)).is_some());
        let later = ip("192.0.2.2");
        attempts.failed(later, at(61));
        assert_eq!(attempts.wait(later, at(61)), None, "the flood is over");
    }

    #[test]
    fn memory_is_bounded_and_who_goes_on_stays_in_the_book() {
        let attempts = Attempts::new(1, u32::MAX);
        let guesser = ip("192.0.2.1");
        for index in 0..12_000_u32 {
            attempts.failed(IpAddr::from((0x0a00_0000 + index).to_be_bytes()), at(0));
            if index % 1000 == 0 {
                attempts.failed(guesser, at(1 + i64::from(index / 1000)));
            }
        }
        assert!(attempts.book.lock().expect("nobody panicked").addresses.len() <= MOST_ADDRESSES);
        assert!(attempts.wait(guesser, at(12)).is_some());
    }
}
