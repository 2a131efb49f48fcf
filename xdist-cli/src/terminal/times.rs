//! Seconds in the forms that pytest prints them in.

use std::time::Duration;

/// `1.23s`, and from a minute on `75.00s (0:01:15)`.
pub(crate) fn session(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    if seconds < 60.0 {
        return format!("{seconds:.2}s");
    }
    let whole = elapsed.as_secs();
    let (days, rest) = (whole / 86_400, whole % 86_400);
    let clock = format!("{}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    match days {
        0 => format!("{seconds:.2}s ({clock})"),
        1 => format!("{seconds:.2}s (1 day, {clock})"),
        _ => format!("{seconds:.2}s ({days} days, {clock})"),
    }
}

/// Seven characters or less for anything below 100 hours: `12.3us`, `1.234s`, `1m 5s`.
pub(crate) fn short(seconds: f64) -> String {
    const FORMS: [(f64, &str, usize, f64); 7] = [
        (1e6, "us", 3, 10.0),
        (1e6, "us", 2, 100.0),
        (1e6, "us", 1, 1000.0),
        (1e3, "ms", 3, 10.0),
        (1e3, "ms", 2, 100.0),
        (1e3, "ms", 1, 1000.0),
        (1.0, "s", 3, 60.0),
    ];
    for (scale, unit, digits, limit) in FORMS {
        // The limit is for the rounded number: 999.96us is 1.000ms.
        let text = format!("{:.digits$}", seconds * scale);
        if text.parse::<f64>().is_ok_and(|shown| shown < limit) {
            return format!("{text}{unit}");
        }
    }
    let whole = Duration::try_from_secs_f64(seconds.round()).unwrap_or_default().as_secs();
    if whole < 3600 {
        format!("{}m {}s", whole / 60, whole % 60)
    } else {
        format!("{}h {}m", whole / 3600, whole % 3600 / 60)
    }
}

/// `0:07`, `12:30`, `1:02:03`: time left.
pub(crate) fn left(remaining: Duration) -> String {
    let whole = remaining.as_secs();
    if whole < 3600 {
        format!("{}:{:02}", whole / 60, whole % 60)
    } else {
        format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
    }
}

/// `90 s`, `2 min`, `2 h 5 min`: how long it has been, in few words.
pub(crate) fn about(elapsed: Duration) -> String {
    let whole = elapsed.as_secs();
    match whole {
        0..120 => format!("{whole} s"),
        120..7200 => format!("{} min", whole / 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}
