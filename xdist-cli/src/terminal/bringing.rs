//! The line that says how far sources are on their way. Pure.

use xdist_core::event::Bringing;

/// For example `bringing sources to 3 places: 5001 files (30.1 MB), 4.2 MB sent, 8.1 MB/s`.
pub(super) fn line(bringing: &Bringing) -> String {
    let places = if bringing.copies == 1 { "place" } else { "places" };
    let rate = if bringing.seconds > 0.0 { bringing.sent as f64 / bringing.seconds } else { 0.0 };
    format!(
        "bringing sources to {} {places}: {} files ({}), {} sent, {}/s",
        bringing.copies,
        bringing.files,
        size(bringing.bytes as f64),
        size(bringing.sent as f64),
        size(rate),
    )
}

fn size(bytes: f64) -> String {
    match bytes {
        ..1e3 => format!("{bytes:.0} B"),
        ..1e6 => format!("{:.1} kB", bytes / 1e3),
        ..1e9 => format!("{:.1} MB", bytes / 1e6),
        _ => format!("{:.1} GB", bytes / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_files_bytes_rate_and_places() {
        let bringing = Bringing { copies: 3, files: 5001, bytes: 30_100_000, sent: 4_200_000, seconds: 2.0 };
        assert_eq!(line(&bringing), "bringing sources to 3 places: 5001 files (30.1 MB), 4.2 MB sent, 2.1 MB/s");
        let first = Bringing { copies: 1, files: 1, bytes: 999, sent: 0, seconds: 0.0 };
        assert_eq!(line(&first), "bringing sources to 1 place: 1 files (999 B), 0 B sent, 0 B/s");
    }
}
