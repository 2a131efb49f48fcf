//! How the terminal looks, decided from options, environment and the stream itself, by pytest's own rules.

/// What the reporter must know about the stream it writes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TerminalOptions {
    /// Columns; `None` means nobody knows, and 80 are taken.
    pub width: Option<u16>,
    /// Whether the stream is a terminal that understands cursor movement.
    pub is_terminal: bool,
    /// Whether to write colours.
    pub color: bool,
    /// Whether this is a continuous integration service: plain lines, messages in full.
    pub ci: bool,
    /// Whether the locale can show more than ASCII.
    pub utf8: bool,
}

impl TerminalOptions {
    /// Everything but the colours, which depend on `--color`, from the environment.
    ///
    /// `columns` is the width of the terminal that stdout is, if it is one.
    pub fn detect(is_terminal: bool, columns: Option<u16>, env: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            width: resolve_width(env("COLUMNS").as_deref(), columns),
            is_terminal: is_terminal && env("TERM").as_deref() != Some("dumb"),
            color: false,
            ci: is_ci(&env),
            utf8: locale_is_utf8(&env),
        }
    }
}

/// Whether a continuous integration service runs this, by the variables that pytest asks.
fn is_ci(env: &impl Fn(&str) -> Option<String>) -> bool {
    ["CI", "BUILD_NUMBER"].iter().any(|name| env(name).is_some_and(|value| !value.is_empty()))
}

/// Whether to write colours: `--color` first, then `PY_COLORS`, `NO_COLOR`, `FORCE_COLOR`, then the stream. A continuous
/// integration service gets none by itself, although some of them pretend to be a terminal.
pub fn resolve_color(option: &str, is_terminal: bool, env: impl Fn(&str) -> Option<String>) -> bool {
    match option {
        "yes" => return true,
        "no" => return false,
        _ => {}
    }
    match env("PY_COLORS").as_deref() {
        Some("1") => return true,
        Some("0") => return false,
        _ => {}
    }
    let set = |name: &str| env(name).is_some_and(|value| !value.is_empty());
    if set("NO_COLOR") {
        return false;
    }
    set("FORCE_COLOR") || (is_terminal && !is_ci(&env) && env("TERM").as_deref() != Some("dumb"))
}

/// Columns as Python's `shutil.get_terminal_size` finds them: `COLUMNS` if it is a positive number, else the
/// terminal's own. `None`: neither is known.
pub fn resolve_width(columns: Option<&str>, terminal: Option<u16>) -> Option<u16> {
    columns
        .and_then(|text| text.trim().parse::<u16>().ok())
        .filter(|&width| width > 0)
        .or(terminal.filter(|&width| width > 0))
}

/// Columns to lay text out in: pytest takes 80 where it knows nothing, and where it is told less than 40.
pub fn layout_width(width: Option<u16>) -> usize {
    match width {
        Some(width) if width >= 40 => usize::from(width),
        _ => 80,
    }
}

/// The first of `LC_ALL`, `LC_CTYPE` and `LANG` that is set decides.
fn locale_is_utf8(env: &impl Fn(&str) -> Option<String>) -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| env(name).filter(|value| !value.is_empty())).is_some_and(
        |locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        },
    )
}
