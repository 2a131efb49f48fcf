//! Points in time as Python's `datetime.isoformat` writes them, in the local time zone.

use jiff::{Timestamp, tz::TimeZone};

/// The local date and time `seconds` after the epoch: `2026-05-04T13:02:11.250000`, the fraction only where there is
/// one, followed by the offset from UTC (`+02:00`) if asked for.
pub fn local_iso(seconds: f64, offset: bool) -> String {
    iso_in(seconds, offset, &TimeZone::system())
}

fn iso_in(seconds: f64, offset: bool, zone: &TimeZone) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "out-of-range values saturate and fall back to the epoch")]
    let micros = (seconds * 1e6).round_ties_even() as i64;
    let time = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone());
    let fraction = if time.subsec_nanosecond() == 0 { "" } else { ".%6f" };
    let tail = if offset { "%:z" } else { "" };
    time.strftime(&format!("%Y-%m-%dT%H:%M:%S{fraction}{tail}")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_pythons_isoformat() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let utc = TimeZone::UTC;
        for (seconds, offset, zone, expected) in [
            (0.0, false, &utc, "1970-01-01T00:00:00"),
            (1.25, true, &utc, "1970-01-01T00:00:01.250000+00:00"),
            (1_750_000_000.5, true, &berlin, "2025-06-15T17:06:40.500000+02:00"),
            (1_735_689_600.0, true, &berlin, "2025-01-01T01:00:00+01:00"),
            (f64::NAN, false, &utc, "1970-01-01T00:00:00"),
            (f64::INFINITY, false, &utc, "1970-01-01T00:00:00"),
        ] {
            assert_eq!(iso_in(seconds, offset, zone), expected);
        }
    }
}
