//! How times are shown: BIRD's `timeformat`, with strftime and fractions of seconds.

use core::time::Duration;
use std::fmt::Write as _;
use std::sync::Arc;

/// Where a format applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeKind {
    /// `show route`
    Route,
    /// `show protocols`
    Protocol,
    /// `show status` and the like.
    Base,
    /// The log.
    Log,
}

/// One format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeFormat {
    /// For recent times.
    pub recent: Arc<str>,
    /// For times older than so many seconds.
    pub older: Option<(u32, Arc<str>)>,
}

impl TimeFormat {
    /// One format for all times.
    pub fn always(format: &str) -> Self {
        Self { recent: Arc::from(format), older: None }
    }

    /// `iso short` with so many digits of fraction: time of day, and the date if older than 20 h.
    pub fn iso_short(digits: u8) -> Self {
        Self {
            recent: Arc::from(["%T", "%T.%3f", "%T.%6f"][Self::index(digits)]),
            older: Some((20 * 3600, Arc::from("%F"))),
        }
    }

    /// `iso long` with so many digits of fraction.
    pub fn iso_long(digits: u8) -> Self {
        Self::always(["%F %T", "%F %T.%3f", "%F %T.%6f"][Self::index(digits)])
    }

    const fn index(digits: u8) -> usize {
        match digits {
            0 => 0,
            1..=3 => 1,
            _ => 2,
        }
    }

    /// Shows a time. `zone` is the local offset at that time.
    pub fn show(&self, time: WallTime, now: WallTime, zone: i32) -> String {
        let age = now.0.saturating_sub(time.0);
        let format = match &self.older {
            Some((limit, older)) if age > Duration::from_secs(u64::from(*limit)) => older,
            _ => &self.recent,
        };
        strftime(format, time, zone)
    }
}

/// The formats of all kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeFormats {
    /// See [`TimeKind::Route`].
    pub route: TimeFormat,
    /// See [`TimeKind::Protocol`].
    pub protocol: TimeFormat,
    /// See [`TimeKind::Base`].
    pub base: TimeFormat,
    /// See [`TimeKind::Log`].
    pub log: TimeFormat,
}

impl Default for TimeFormats {
    fn default() -> Self {
        Self {
            route: TimeFormat::iso_short(3),
            protocol: TimeFormat::iso_short(3),
            base: TimeFormat::iso_long(3),
            log: TimeFormat::iso_long(3),
        }
    }
}

impl TimeFormats {
    /// The format of a kind.
    pub fn get_mut(&mut self, kind: TimeKind) -> &mut TimeFormat {
        match kind {
            TimeKind::Route => &mut self.route,
            TimeKind::Protocol => &mut self.protocol,
            TimeKind::Base => &mut self.base,
            TimeKind::Log => &mut self.log,
        }
    }

    /// The same format for all that a command line session shows.
    pub fn set_shown(&mut self, format: &TimeFormat) {
        for kind in [TimeKind::Route, TimeKind::Protocol, TimeKind::Base] {
            self.get_mut(kind).clone_from(format);
        }
    }
}

/// Time since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct WallTime(pub Duration);

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A calendar time.
#[derive(Clone, Copy, Debug)]
struct Calendar {
    year: i64,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    weekday: u32,
    yearday: u32,
}

impl Calendar {
    fn of(seconds: i64) -> Self {
        let (days, rest) = (seconds.div_euclid(86400), seconds.rem_euclid(86400));
        let (year, month, day) = civil(days);
        let january = days_from_civil(year, 1, 1);
        let small = |value: i64| u32::try_from(value).unwrap_or(0);
        Self {
            year,
            month,
            day,
            hour: small(rest / 3600),
            minute: small(rest / 60 % 60),
            second: small(rest % 60),
            weekday: small((days + 4).rem_euclid(7)),
            yearday: small(days - january),
        }
    }
}

/// Year, month and day of a day number, in the proleptic Gregorian calendar: years begin in March,
/// so that the leap day is the last of its year.
fn civil(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let in_era = shifted.rem_euclid(146_097);
    let year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, u32::try_from(month).unwrap_or(1), u32::try_from(day).unwrap_or(1))
}

fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let in_era = year.rem_euclid(400);
    let month = i64::from(month);
    let in_year =
        (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719_468
}

/// Formats a time as C's strftime in the C locale, with `%f` and `%3f` (1 to 6) for fractions.
pub fn strftime(format: &str, time: WallTime, zone: i32) -> String {
    let seconds = i64::try_from(time.0.as_secs()).unwrap_or(i64::MAX / 2);
    let calendar = Calendar::of(seconds + i64::from(zone));
    let micros = time.0.subsec_micros();
    let mut out = String::with_capacity(format.len() + 16);
    let mut rest = format.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match rest.next() {
            Some(digits @ '1'..='6') if rest.peek() == Some(&'f') => {
                rest.next();
                fraction(&mut out, micros, digits as usize - '0' as usize);
            }
            Some('f') => fraction(&mut out, micros, 6),
            Some(letter) => field(&mut out, letter, &calendar, seconds, zone),
            None => out.push('%'),
        }
    }
    out
}

fn fraction(out: &mut String, micros: u32, digits: usize) {
    let text = format!("{micros:06}");
    out.push_str(text.get(..digits).unwrap_or(&text));
}

fn field(out: &mut String, letter: char, time: &Calendar, seconds: i64, zone: i32) {
    let month = MONTHS.get(time.month as usize - 1).copied().unwrap_or("?");
    let weekday = DAYS.get(time.weekday as usize).copied().unwrap_or("?");
    let hour12 = (time.hour + 11) % 12 + 1;
    let half = if time.hour < 12 { "AM" } else { "PM" };
    let Calendar { year, month: month_number, day, hour, minute, second, .. } = *time;
    // Writing to a string cannot fail.
    let _ = match letter {
        'Y' => write!(out, "{year}"),
        'C' => write!(out, "{:02}", year / 100),
        'y' => write!(out, "{:02}", year % 100),
        'm' => write!(out, "{month_number:02}"),
        'd' => write!(out, "{day:02}"),
        'e' => write!(out, "{day:2}"),
        'H' => write!(out, "{hour:02}"),
        'k' => write!(out, "{hour:2}"),
        'I' => write!(out, "{hour12:02}"),
        'l' => write!(out, "{hour12:2}"),
        'M' => write!(out, "{minute:02}"),
        'S' => write!(out, "{second:02}"),
        'p' => write!(out, "{half}"),
        'P' => write!(out, "{}", half.to_lowercase()),
        'j' => write!(out, "{:03}", time.yearday + 1),
        'u' => write!(out, "{}", (time.weekday + 6) % 7 + 1),
        'w' => write!(out, "{}", time.weekday),
        'a' => write!(out, "{}", &weekday[..3]),
        'A' => write!(out, "{weekday}"),
        'b' | 'h' => write!(out, "{}", &month[..3]),
        'B' => write!(out, "{month}"),
        'F' => write!(out, "{year}-{month_number:02}-{day:02}"),
        'T' | 'X' => write!(out, "{hour:02}:{minute:02}:{second:02}"),
        'R' => write!(out, "{hour:02}:{minute:02}"),
        'r' => write!(out, "{hour12:02}:{minute:02}:{second:02} {half}"),
        'D' | 'x' => write!(out, "{month_number:02}/{day:02}/{:02}", year % 100),
        'c' => write!(
            out,
            "{} {} {day:2} {hour:02}:{minute:02}:{second:02} {year}",
            &weekday[..3],
            &month[..3]
        ),
        's' => write!(out, "{seconds}"),
        'z' => write!(
            out,
            "{}{:02}{:02}",
            if zone < 0 { '-' } else { '+' },
            zone.abs() / 3600,
            zone.abs() / 60 % 60
        ),
        'n' => out.write_char('\n'),
        't' => out.write_char('\t'),
        '%' => out.write_char('%'),
        other => write!(out, "%{other}"),
    };
}

#[cfg(test)]
mod tests {
    use super::{TimeFormat, WallTime, strftime};
    use core::time::Duration;

    fn at(seconds: u64, micros: u32) -> WallTime {
        WallTime(Duration::new(seconds, micros * 1000))
    }

    #[test]
    fn dates() {
        assert_eq!(strftime("%F %T", at(0, 0), 0), "1970-01-01 00:00:00");
        assert_eq!(strftime("%F %T.%3f", at(1_795_355_255, 680_123), 0), "2026-11-22 13:47:35.680");
        assert_eq!(strftime("%F", at(951_782_400, 0), 0), "2000-02-29");
        assert_eq!(strftime("%j %a %b", at(951_782_400, 0), 0), "060 Tue Feb");
        assert_eq!(strftime("%T %z", at(0, 0), 3600), "01:00:00 +0100");
        assert_eq!(strftime("%f|%6f|%q|%", at(0, 42), 0), "000042|000042|%q|%");
    }

    #[test]
    fn old_times_show_their_date() {
        let format = TimeFormat::iso_short(3);
        let now = at(1_795_355_255, 0);
        assert_eq!(format.show(at(1_795_355_255 - 60, 0), now, 0), "13:46:35.000");
        assert_eq!(format.show(at(1_795_355_255 - 20 * 3600 - 1, 0), now, 0), "2026-11-21");
    }
}
