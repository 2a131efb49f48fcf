//! Whether it was the kernel that killed a process, because there was no memory left: more such kills are counted on its host
//! than are accounted for.

use std::collections::HashMap;

use execnet_rs::memory::OomKills;

use super::site::{HERE, SiteId};

/// The counts of all hosts.
#[derive(Debug, Default)]
pub(super) struct Starved {
    here: OomKills,
    /// Of those that were killed on a host, how many are accounted for.
    known: HashMap<SiteId, u64>,
    told: bool,
}

impl Starved {
    /// On this host, from now on.
    pub(super) fn begin(&mut self) {
        self.here = OomKills::find();
        self.since(HERE, self.here.count());
    }

    /// On a host, from this count on, if it tells one.
    pub(super) fn since(&mut self, site: SiteId, count: Option<u64>) {
        self.known.extend(count.map(|count| (site, count)));
    }

    /// Whether the end of a process, told in these words, was the kernel's doing; `count` is that of its host, if it is
    /// another one.
    pub(super) fn explains(&mut self, site: SiteId, how: &str, count: Option<u64>) -> bool {
        let count = if site == HERE && is_suspect(how) { self.here.count() } else { count };
        let Some((count, known)) = count.zip(self.known.get_mut(&site)).filter(|_| is_suspect(how)) else {
            return false;
        };
        let one = count > *known;
        *known += u64::from(one);
        one
    }

    /// What the user can do about it; said once.
    pub(super) fn advice(&mut self, name: &str) -> Option<String> {
        let text = format!(
            "the kernel killed {name}, as no memory was left\nfewer workers (`-n`) leave more for each, and \
             `@pytest.mark.xdist_resource` keeps tests apart that need much"
        );
        (!std::mem::replace(&mut self.told, true)).then_some(text)
    }
}

/// Whether an end told in these words may have been the kernel's doing.
pub(super) fn is_suspect(how: &str) -> bool {
    how.starts_with("signal 9 ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_that_was_killed_accounts_for_one_death() {
        let mut starved = Starved::default();
        let far = SiteId(1);
        assert!(!starved.explains(far, "signal 9 (SIGKILL)", Some(7)), "nothing to compare with");
        starved.since(far, Some(2));
        starved.since(far, None);
        assert!(!starved.explains(far, "signal 9 (SIGKILL)", Some(2)));
        assert!(!starved.explains(far, "signal 9 (SIGKILL)", None));
        let ends = ["exit code 9", "signal 9 (SIGKILL)", "signal 9 (SIGKILL) in call", "signal 9 (SIGKILL)"];
        assert_eq!(ends.map(|how| starved.explains(far, how, Some(4))), [false, true, true, false]);
        assert!(!starved.explains(SiteId(2), "signal 9 (SIGKILL)", Some(4)), "another host's");
        assert!(starved.advice("gw1").is_some_and(|text| text.contains("gw1")));
        assert_eq!(starved.advice("gw2"), None);
    }
}
