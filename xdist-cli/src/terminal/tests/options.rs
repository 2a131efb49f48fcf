//! Colours, width and locale from the environment.

use super::super::options::{TerminalOptions, layout_width, resolve_color, resolve_width};

fn env<'a>(pairs: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'a {
    move |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

#[test]
fn colour_rules_in_their_order() {
    type Case<'a> = (&'a str, bool, &'a [(&'a str, &'a str)], bool);
    let cases: [Case<'_>; 18] = [
        ("auto", true, &[], true),
        ("auto", false, &[], false),
        ("auto", true, &[("TERM", "dumb")], false),
        ("auto", true, &[("NO_COLOR", "1")], false),
        ("auto", true, &[("NO_COLOR", "")], true),
        ("auto", false, &[("FORCE_COLOR", "1")], true),
        ("auto", false, &[("FORCE_COLOR", "")], false),
        ("auto", false, &[("FORCE_COLOR", "1"), ("NO_COLOR", "1")], false),
        ("auto", false, &[("PY_COLORS", "1"), ("NO_COLOR", "1")], true),
        ("auto", true, &[("PY_COLORS", "0"), ("FORCE_COLOR", "1")], false),
        ("auto", false, &[("PY_COLORS", "yes")], false),
        ("auto", false, &[("FORCE_COLOR", "1"), ("TERM", "dumb")], true),
        ("auto", true, &[("CI", "true")], false),
        ("auto", true, &[("BUILD_NUMBER", "1")], false),
        ("auto", true, &[("CI", "true"), ("FORCE_COLOR", "1")], true),
        ("auto", true, &[("CI", "true"), ("PY_COLORS", "1")], true),
        ("yes", false, &[("NO_COLOR", "1"), ("PY_COLORS", "0")], true),
        ("no", true, &[("FORCE_COLOR", "1"), ("PY_COLORS", "1")], false),
    ];
    for (option, terminal, pairs, expected) in cases {
        assert_eq!(resolve_color(option, terminal, env(pairs)), expected, "{option} {terminal} {pairs:?}");
    }
}

#[test]
fn width_is_columns_then_the_terminals_then_80() {
    assert_eq!(resolve_width(Some("120"), Some(90)), Some(120));
    assert_eq!(resolve_width(Some("0"), Some(90)), Some(90));
    assert_eq!(resolve_width(Some("wide"), None), None);
    assert_eq!(layout_width(None), 80);
    assert_eq!(layout_width(Some(39)), 80);
    assert_eq!(layout_width(Some(40)), 40);
}

#[test]
fn what_the_environment_says() {
    let found = TerminalOptions::detect(true, Some(100), env(&[("LANG", "en_US.UTF-8"), ("CI", "true")]));
    let expected = TerminalOptions { width: Some(100), is_terminal: true, color: false, ci: true, utf8: true };
    assert_eq!(found, expected);
    let found = TerminalOptions::detect(true, None, env(&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C"), ("TERM", "dumb")]));
    assert_eq!(found, TerminalOptions::default());
}
