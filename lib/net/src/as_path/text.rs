//! AS paths as text: `65001 65002 {1 2} (3) ({4})`.

use core::fmt;
use core::str::FromStr;

use super::{AsPath, AsPathBuf, SegmentKind};

impl fmt::Display for AsPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        for segment in self.segments() {
            let (open, close) = match segment.kind {
                SegmentKind::Sequence => ("", ""),
                SegmentKind::Set => ("{", "}"),
                SegmentKind::ConfedSequence => ("(", ")"),
                SegmentKind::ConfedSet => ("({", "})"),
            };
            write!(f, "{space}{open}")?;
            for (index, asn) in segment.iter().enumerate() {
                write!(f, "{}{asn}", if index == 0 { "" } else { " " })?;
            }
            f.write_str(close)?;
            space = " ";
        }
        Ok(())
    }
}

impl fmt::Display for AsPathBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

/// The text is not an AS path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsePathError;

impl fmt::Display for ParsePathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an AS path")
    }
}

impl core::error::Error for ParsePathError {}

impl FromStr for AsPathBuf {
    type Err = ParsePathError;

    fn from_str(text: &str) -> Result<Self, ParsePathError> {
        let mut path = Self::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (kind, body, after) = if let Some(tail) = rest.strip_prefix("({") {
                let (body, after) = tail.split_once("})").ok_or(ParsePathError)?;
                (SegmentKind::ConfedSet, body, after)
            } else if let Some(tail) = rest.strip_prefix('(') {
                let (body, after) = tail.split_once(')').ok_or(ParsePathError)?;
                (SegmentKind::ConfedSequence, body, after)
            } else if let Some(tail) = rest.strip_prefix('{') {
                let (body, after) = tail.split_once('}').ok_or(ParsePathError)?;
                (SegmentKind::Set, body, after)
            } else {
                let (body, after) = rest.split_at(rest.find(['{', '(']).unwrap_or(rest.len()));
                (SegmentKind::Sequence, body, after)
            };
            path.push_text(kind, body)?;
            rest = after.trim_start();
        }
        Ok(path)
    }
}

impl AsPathBuf {
    fn push_text(&mut self, kind: SegmentKind, body: &str) -> Result<(), ParsePathError> {
        let asns: Result<Vec<u32>, _> = body.split_whitespace().map(str::parse).collect();
        let asns = asns.map_err(|_| ParsePathError)?;
        if asns.is_empty() {
            return Err(ParsePathError);
        }
        self.push_segment(kind, asns.into_iter());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_round_trips() {
        for text in ["", "1", "65001 65002 {1 2} (3) ({4})", "(64512 64513) 65001 {4294967295}"] {
            let path: AsPathBuf = text.parse().unwrap();
            assert_eq!(path.to_string(), text);
            assert!(path.view().validate().is_ok());
        }
    }

    #[test]
    fn bad_text_is_refused() {
        for text in ["x", "{1", "{}", "(1", "1 2)", "({1)", "4294967296", "-1"] {
            assert_eq!(text.parse::<AsPathBuf>(), Err(ParsePathError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_path_round_trips(
            segments in proptest::collection::vec((1u8..=4, proptest::collection::vec(any::<u32>(), 1..5)), 0..6),
        ) {
            let mut path = AsPathBuf::new();
            let mut before = None;
            for (kind, asns) in segments {
                let kind = SegmentKind::from_wire(kind).unwrap();
                // Two sequences in a row read as one.
                if before != Some(SegmentKind::Sequence) || kind != SegmentKind::Sequence {
                    path.push_segment(kind, asns.into_iter());
                }
                before = Some(kind);
            }
            prop_assert_eq!(path.to_string().parse::<AsPathBuf>().unwrap(), path);
        }
    }
}
