//! Where versions of pytest write junit.xml differently.

/// The ways of one version of pytest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    /// Since 9.1 characters beyond the basic plane are kept and DEL is not; before it was the other way round.
    pub(super) astral: bool,
    /// Since 8.3 the suite's timestamp tells its time zone.
    pub(super) zoned_timestamp: bool,
    /// Since 8.4 `<testsuites>` has a name.
    pub(super) named_suites: bool,
    /// Since 9.1 a test that passed and failed in teardown counts once, and one that failed twice counts twice, once
    /// for each of its two test cases; before it was the other way round.
    pub(super) counts_cases: bool,
    /// Since 9.2 the `message` attribute of a failure or an error holds some lines, the element's text all of them.
    pub(super) short_messages: bool,
    /// Since 9.2 a bracket in a file's name does not begin the parameters.
    pub(super) brackets_in_paths: bool,
}

impl Dialect {
    /// The ways of this version, e.g. `[9, 2]`.
    pub(super) fn of(pytest: &[u32]) -> Self {
        let since = |version: [u32; 2]| pytest >= version.as_slice();
        Self {
            astral: since([9, 1]),
            zoned_timestamp: since([8, 3]),
            named_suites: since([8, 4]),
            counts_cases: since([9, 1]),
            short_messages: since([9, 2]),
            brackets_in_paths: since([9, 2]),
        }
    }

    /// A node id as the parts of the attribute `classname` and the attribute `name`.
    ///
    /// The path becomes dotted and loses `.py`; the last name stands alone, with the parameters.
    pub(super) fn address(self, nodeid: &str) -> (Vec<String>, String) {
        let (names, parameters) = if self.brackets_in_paths { split_structured(nodeid) } else { split_plain(nodeid) };
        let mut names = names.into_iter();
        let path = names.next().unwrap_or_default().replace('/', ".");
        let path = path.strip_suffix(".py").unwrap_or(&path).to_owned();
        let mut names: Vec<String> = std::iter::once(path).chain(names.map(str::to_owned)).collect();
        let last = names.pop().unwrap_or_default();
        (names, last + &parameters)
    }
}

/// Everything from the first bracket on is parameters.
fn split_plain(nodeid: &str) -> (Vec<&str>, String) {
    let at = nodeid.find('[').unwrap_or(nodeid.len());
    let (names, parameters) = nodeid.split_at(at);
    (names.split("::").collect(), parameters.to_owned())
}

/// The path reaches up to the first `::`, and parameters end with a bracket.
fn split_structured(nodeid: &str) -> (Vec<&str>, String) {
    let Some((path, tail)) = nodeid.split_once("::") else {
        return (vec![nodeid], String::new());
    };
    let (names, parameters) = match tail.split_once('[') {
        Some((names, parameters)) => (names, format!("[{}]", parameters.strip_suffix(']').unwrap_or(parameters))),
        None => (tail, String::new()),
    };
    (std::iter::once(path).chain(names.split("::")).collect(), parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let address = |version: [u32; 2], nodeid: &str| {
            let (classnames, name) = Dialect::of(&version).address(nodeid);
            (classnames.join("|"), name)
        };
        for (nodeid, classnames, name) in [
            ("test_a.py::test_x", "test_a", "test_x"),
            ("tests/unit/test_a.py::TestA::test_x[1-a::b/c.py]", "tests.unit.test_a|TestA", "test_x[1-a::b/c.py]"),
            ("tests/test_bad.py", "", "tests.test_bad"),
            ("", "", ""),
            ("docs/a.rst::b", "docs.a.rst", "b"),
        ] {
            assert_eq!(address([8, 4], nodeid), (classnames.into(), name.into()), "{nodeid}");
            assert_eq!(address([9, 2], nodeid), (classnames.into(), name.into()), "{nodeid}");
        }
        assert_eq!(address([8, 4], "test[1].py::test_x"), (String::new(), "test[1].py::test_x".into()));
        assert_eq!(address([9, 2], "test[1].py::test_x"), ("test[1]".into(), "test_x".into()));
        assert_eq!(address([9, 2], "a.py::test[b]c"), ("a".into(), "test[b]c]".into()));
    }
}
