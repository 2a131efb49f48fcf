//! Files of keys: which ones count for a host, and whether a passphrase is needed. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::settings::Settings;

/// The path that a setting means; None where only the ssh program knows.
pub(super) fn path(text: &str, settings: &Settings, home: &str) -> Option<String> {
    let text = match text.strip_prefix("~/") {
        Some(rest) => format!("{home}/{rest}"),
        None => text.to_owned(),
    };
    let mut path = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            path.push(letter);
            continue;
        }
        match letters.next()? {
            '%' => path.push('%'),
            'd' => path.push_str(home),
            'h' => path.push_str(settings.host()?),
            'r' => path.push_str(settings.get("user")?),
            'p' => path.push_str(&settings.port().to_string()),
            _ => return None,
        }
    }
    (!path.starts_with('~') && !path.contains("${")).then_some(path)
}

/// Whether a private key cannot be read without a passphrase.
pub(super) fn is_locked(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let begin = lines.by_ref().find(|line| line.starts_with("-----BEGIN "));
    if begin != Some("-----BEGIN OPENSSH PRIVATE KEY-----") {
        return text.contains("ENCRYPTED");
    }
    let body: String = lines.take_while(|line| !line.starts_with('-')).collect();
    let Ok(bytes) = STANDARD.decode(body) else { return true };
    // Behind the magic stands the cipher's name, and before it its length.
    let cipher = bytes.strip_prefix(b"openssh-key-v1\0").and_then(|rest| rest.get(4..8));
    cipher != Some(b"none")
}

/// The contents of a public key's file.
pub(super) fn public(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.split_whitespace().nth(1)?).ok()
}

/// The type of a key, as its contents begin with it.
pub(super) fn kind(blob: &[u8]) -> Option<&str> {
    let length: [u8; 4] = blob.get(..4)?.try_into().ok()?;
    let end = usize::try_from(u32::from_be_bytes(length)).ok()?.checked_add(4)?;
    std::str::from_utf8(blob.get(4..end)?).ok()
}

/// Whether a connection of this process can use a key of a type: neither certificates nor devices.
pub(super) fn is_plain(kind: &str) -> bool {
    matches!(kind, "ssh-ed25519" | "ssh-rsa" | "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_what_the_settings_mean() {
        let settings = Settings::read("hostname far\nuser me\nport 7\n");
        let of = |text: &str| path(text, &settings, "/home/me");
        assert_eq!(of("~/.ssh/id").as_deref(), Some("/home/me/.ssh/id"));
        assert_eq!(of("/keys/%r@%h:%p-100%%").as_deref(), Some("/keys/me@far:7-100%"));
        assert_eq!(of("%d/id").as_deref(), Some("/home/me/id"));
        for unknown in ["%C", "~other/id", "${KEYS}/id", "odd%"] {
            assert_eq!(of(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn keys_with_a_passphrase_are_told_from_others() {
        let openssh = |cipher: &str| {
            let mut bytes = b"openssh-key-v1\0\0\0\0\x04".to_vec();
            bytes.extend(cipher.as_bytes());
            bytes.extend([0; 60]);
            let text = STANDARD.encode(bytes);
            let (one, two) = text.split_at(40);
            format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{one}\n{two}\n-----END OPENSSH PRIVATE KEY-----\n")
        };
        assert!(!is_locked(&openssh("none")));
        assert!(is_locked(&openssh("aes256-ctr")));
        assert!(is_locked("-----BEGIN OPENSSH PRIVATE KEY-----\n???\n"));
        assert!(is_locked("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"));
        assert!(is_locked("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        assert!(!is_locked("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n"));
    }

    #[test]
    fn a_public_key_says_its_type() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIdnZdYE5RHcqGYMDbFoBHKtyBhmsKm0pQhDbLEFcGWm me@here";
        let blob = public(key).unwrap();
        assert_eq!(kind(&blob), Some("ssh-ed25519"));
        assert!(is_plain("ssh-rsa") && !is_plain("sk-ssh-ed25519@openssh.com"));
        assert_eq!((kind(&[]), kind(&[255; 9]), public("ssh-rsa")), (None, None, None));
    }
}
