//! Durations and sizes as written on the command line.

use std::time::Duration;

/// Reads a duration: `90` or `90s` (seconds), `500ms`, `10m`, `2h`, `30d`.
///
/// # Errors
/// Says what was expected.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err("expected a duration like 90s, 10m, 2h or 30d".to_owned()),
    };
    let amount: f64 = number.parse().map_err(|_| "expected a duration like 90s, 10m or 2h".to_owned())?;
    Duration::try_from_secs_f64(amount * seconds).map_err(|_| "this duration is too long".to_owned())
}

/// Reads a size: `1000000` (bytes), `500MB`, `20GiB`.
///
/// # Errors
/// Says what was expected.
pub fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" | "k" => 1_000,
        "mb" | "m" => 1_000_000,
        "gb" | "g" => 1_000_000_000,
        "tb" | "t" => 1_000_000_000_000,
        "kib" | "ki" => 1 << 10,
        "mib" | "mi" => 1 << 20,
        "gib" | "gi" => 1 << 30,
        "tib" | "ti" => 1 << 40,
        _ => return Err("expected a size like 500MB or 20GiB".to_owned()),
    };
    let amount: u64 =
        number.parse().map_err(|_| "expected a whole number and a unit, like 500MB or 20GiB".to_owned())?;
    amount.checked_mul(factor).ok_or_else(|| "this size is too large".to_owned())
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_units() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5h"), Ok(Duration::from_secs(5400)));
        assert!(duration("soon").is_err());
        assert!(duration("1e300h").is_err());
    }

    #[test]
    fn sizes_take_decimal_and_binary_units() {
        assert_eq!(bytes("42"), Ok(42));
        assert_eq!(bytes("500 MB"), Ok(500_000_000));
        assert_eq!(bytes("20GiB"), Ok(21_474_836_480));
        assert!(bytes("99999999999TiB").is_err());
        assert!(bytes("many").is_err());
    }
}
