//! Files of known host keys, read as OpenSSH reads them (sshd(8) describes them). Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// What files say of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KnownHost {
    /// Its keys: type and contents.
    keys: Vec<(String, Vec<u8>)>,
    /// Keys that nobody may use any more.
    revoked: Vec<Vec<u8>>,
}

/// What a key is for a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The right one.
    Known,
    /// The host has another one.
    Other,
    /// It was taken back.
    Revoked,
}

/// Algorithms for the keys of a type; none for keys that only the ssh program can check.
fn algorithms(kind: &str) -> &'static [&'static str] {
    match kind {
        "ssh-ed25519" => &["ssh-ed25519"],
        "ecdsa-sha2-nistp256" => &["ecdsa-sha2-nistp256"],
        "ecdsa-sha2-nistp384" => &["ecdsa-sha2-nistp384"],
        "ecdsa-sha2-nistp521" => &["ecdsa-sha2-nistp521"],
        "ssh-rsa" => &["rsa-sha2-512", "rsa-sha2-256"],
        _ => &[],
    }
}

/// The name under which a host stands in the files.
pub(super) fn entry_name(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

impl KnownHost {
    /// Takes from a file what it says of a host. Lines that make no sense are passed over.
    pub(super) fn read(&mut self, text: &str, name: &str) {
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let Some(mut hosts) = words.next().filter(|word| !word.starts_with('#')) else { continue };
            let marker = hosts.strip_prefix('@');
            if marker.is_some() {
                let Some(next) = words.next() else { continue };
                hosts = next;
            }
            let (Some(kind), Some(key)) = (words.next(), words.next()) else { continue };
            if !is_for(hosts, name) {
                continue;
            }
            let Ok(key) = STANDARD.decode(key) else { continue };
            match marker {
                None => self.keys.push((kind.to_owned(), key)),
                Some("revoked") => self.revoked.push(key),
                // Authorities sign certificates, which only the ssh program checks.
                Some(_) => {}
            }
        }
    }

    /// Those of `accepted` algorithms for which there is a key, in that order.
    pub(super) fn algorithms<'a>(&self, accepted: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let there = |name: &&str| self.keys.iter().any(|(kind, _)| algorithms(kind).contains(name));
        accepted.filter(there).collect()
    }

    /// What a key is that the host shows.
    pub(super) fn judge(&self, shown: &[u8]) -> Verdict {
        if self.revoked.iter().any(|key| key == shown) {
            Verdict::Revoked
        } else if self.keys.iter().any(|(_, key)| key == shown) {
            Verdict::Known
        } else {
            Verdict::Other
        }
    }
}

/// Whether patterns, or a hash, mean a host.
fn is_for(hosts: &str, name: &str) -> bool {
    if let Some(hashed) = hosts.strip_prefix("|1|") {
        return is_hash_of(hashed, name).unwrap_or(false);
    }
    let mut found = false;
    for pattern in hosts.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(pattern, name) => return false,
            Some(_) => {}
            None => found |= matches(pattern, name),
        }
    }
    found
}

fn is_hash_of(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &STANDARD.decode(salt).ok()?);
    Some(hmac::verify(&key, name.as_bytes(), &STANDARD.decode(hash).ok()?).is_ok())
}

/// Whether a pattern with `*` and `?` means a name that is in lower case.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut here) = (0, 0);
    // Where to go on if the last `*` is to take one byte more.
    let mut retry = None;
    while here < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at, here + 1));
                at += 1;
            }
            Some(b'?') => (at, here) = (at + 1, here + 1),
            Some(byte) if byte.eq_ignore_ascii_case(&name[here]) => (at, here) = (at + 1, here + 1),
            _ => match retry {
                Some((star, next)) => {
                    retry = Some((star, next + 1));
                    (at, here) = (star + 1, next);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = "
# a comment
one,two.example ssh-ed25519 QUFB a comment
*.example,!bad.example ecdsa-sha2-nistp256 QkJC
@revoked * ssh-rsa UlJS
@cert-authority *.example ssh-rsa Q0ND
[one]:2222 ssh-rsa REREREREREQ=
one not-base64 ===
broken
|1|nothing ssh-rsa QUFB
";

    fn known(name: &str) -> KnownHost {
        let mut known = KnownHost::default();
        known.read(FILE, name);
        known
    }

    #[test]
    fn keys_belong_to_the_hosts_that_are_named() {
        assert_eq!(known("one").judge(b"AAA"), Verdict::Known);
        assert_eq!(known("one").judge(b"BBB"), Verdict::Other);
        assert_eq!(known("two.example").judge(b"BBB"), Verdict::Known);
        assert_eq!(known("bad.example").judge(b"BBB"), Verdict::Other);
        assert_eq!(known("example").judge(b"BBB"), Verdict::Other);
        assert_eq!(known("one").judge(b"RRR"), Verdict::Revoked);
        assert_eq!(known("two.example").judge(b"CCC"), Verdict::Other, "an authority is no host");
    }

    #[test]
    fn only_algorithms_with_a_key_are_asked_for_in_the_order_of_the_settings() {
        let accepted = "ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256,ssh-ed25519,rsa-sha2-512,rsa-sha2-256";
        let of = |name: &str| known(name).algorithms(accepted.split(',')).join(",");
        assert_eq!(of("two.example"), "ecdsa-sha2-nistp256,ssh-ed25519");
        assert_eq!(of("[one]:2222"), "rsa-sha2-512,rsa-sha2-256");
        assert_eq!(of("three"), "");
    }

    #[test]
    fn names_have_their_port_unless_it_is_the_usual_one() {
        assert_eq!(entry_name("Host.Example", 22), "host.example");
        assert_eq!(entry_name("::1", 2222), "[::1]:2222");
    }

    #[test]
    fn hashed_names_are_recognised() {
        let salt = [7; 20];
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt);
        let hash = hmac::sign(&key, b"[127.0.0.1]:2222");
        let line = format!("|1|{}|{} ssh-ed25519 QUFB\n", STANDARD.encode(salt), STANDARD.encode(hash));
        let mut known = KnownHost::default();
        known.read(&line, "127.0.0.1");
        assert_eq!(known, KnownHost::default());
        known.read(&line, "[127.0.0.1]:2222");
        assert_eq!(known.judge(b"AAA"), Verdict::Known);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC*", name in "[a-z.*]{0,8}") {
            let mut known = KnownHost::default();
            known.read(&text, &name);
        }

        #[test]
        fn patterns_match_as_a_slow_matcher_says(pattern in "[ab*?]{0,7}", name in "[ab]{0,7}") {
            prop_assert_eq!(matches(&pattern, &name), slow(pattern.as_bytes(), name.as_bytes()));
        }
    }

    fn slow(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => slow(rest, name) || (!name.is_empty() && slow(pattern, &name[1..])),
            (Some((wanted, pattern)), Some((byte, name))) => (*wanted == b'?' || wanted == byte) && slow(pattern, name),
            _ => false,
        }
    }
}
