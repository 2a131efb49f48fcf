//! What `ssh -G` prints: the settings that count for a destination, after files, `Match` blocks and command line. Pure.

use std::collections::HashMap;

/// Settings by name, in lower case as the program prints them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings(HashMap<String, Vec<String>>);

#[cfg_attr(not(any(test, feature = "ssh2")), expect(dead_code, reason = "what connections of this process ask for"))]
impl Settings {
    /// Reads lines of a name, a space and a value.
    pub(super) fn read(text: &str) -> Self {
        let mut settings: HashMap<String, Vec<String>> = HashMap::new();
        for line in text.lines() {
            let (name, value) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            if !name.is_empty() {
                settings.entry(name.to_ascii_lowercase()).or_default().push(value.trim().to_owned());
            }
        }
        Self(settings)
    }

    /// The first value of a setting; None also for the word `none`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?.first()?;
        (!value.is_empty() && !value.eq_ignore_ascii_case("none")).then_some(value)
    }

    /// All values of a setting that may be given several times.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.get(name).into_iter().flatten().map(String::as_str)
    }

    /// The words of a setting's first value.
    pub(super) fn words(&self, name: &str) -> impl Iterator<Item = &str> {
        self.get(name).into_iter().flat_map(str::split_whitespace)
    }

    /// Whether a setting says yes.
    pub(super) fn yes(&self, name: &str) -> bool {
        matches!(self.get(name), Some("yes" | "true"))
    }

    /// The host that is connected to.
    pub(super) fn host(&self) -> Option<&str> {
        self.get("hostname")
    }

    /// Its port.
    pub(super) fn port(&self) -> u16 {
        self.get("port").and_then(|port| port.parse().ok()).unwrap_or(22)
    }

    /// Seconds for connecting, if they are limited.
    pub(super) fn connect_timeout(&self) -> Option<u64> {
        self.get("connecttimeout")?.parse().ok().filter(|seconds| *seconds > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_they_are_printed() {
        let text = "user me\nhostname 10.0.0.1\nport 2222\nproxycommand none\nconnecttimeout none\n\
                    identityfile ~/.ssh/id_a\nidentityfile ~/.ssh/id b\nuserknownhostsfile /a /b\ngssapiauthentication yes\n\
                    sendenv LANG\nsendenv LC_*\nbatchmode no\n";
        let settings = Settings::read(text);
        assert_eq!((settings.host(), settings.port(), settings.connect_timeout()), (Some("10.0.0.1"), 2222, None));
        assert_eq!(settings.get("proxycommand"), None);
        assert_eq!(settings.all("identityfile").collect::<Vec<_>>(), ["~/.ssh/id_a", "~/.ssh/id b"]);
        assert_eq!(settings.words("userknownhostsfile").collect::<Vec<_>>(), ["/a", "/b"]);
        assert_eq!(settings.all("sendenv").collect::<Vec<_>>(), ["LANG", "LC_*"]);
        assert!(settings.yes("gssapiauthentication") && !settings.yes("batchmode") && !settings.yes("nothing"));
        assert_eq!(Settings::read("connecttimeout 7").connect_timeout(), Some(7));
        assert_eq!(Settings::default().port(), 22);
    }
}
