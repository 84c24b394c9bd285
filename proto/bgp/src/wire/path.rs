//! AS paths between two-octet and four-octet speakers (RFC 6793), and what is wrong with a path.

use dunlin_net::as_path::{AsPath, AsPathError, SegmentKind};
use dunlin_net::wire::Reader;

use super::AS_TRANS;

/// What one walk over a path tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// There is an AS_SET or AS_CONFED_SET.
    pub has_set: bool,
    /// There is a confederation segment.
    pub has_confed: bool,
    /// AS 0 is in it (RFC 7607).
    pub has_zero: bool,
    /// An AS number above 65535 is in it.
    pub has_wide: bool,
    /// How often the AS that was asked about is in it.
    pub occurrences: u32,
}

/// Checks a four-octet path and counts `asn` in it.
pub fn examine(path: &[u8], asn: u32) -> Result<Facts, AsPathError> {
    let path = AsPath::new(path)?;
    let mut facts = Facts::default();
    for segment in path.segments() {
        facts.has_set |= segment.kind.is_set();
        facts.has_confed |= segment.kind.is_confed();
        for member in segment.iter() {
            facts.has_zero |= member == 0;
            facts.has_wide |= member > u32::from(u16::MAX);
            facts.occurrences += u32::from(member == asn);
        }
    }
    Ok(facts)
}

/// Appends a two-octet path as a four-octet one. Only the structure is checked that it needs to
/// find its way; [`examine`] does the rest.
pub fn widen(path: &[u8], out: &mut Vec<u8>) -> Result<(), AsPathError> {
    let mut reader = Reader::new(path);
    while !reader.is_empty() {
        let kind = reader.u8().map_err(|_| AsPathError::Truncated)?;
        let count = reader.u8().map_err(|_| AsPathError::Truncated)?;
        let members = reader.take(usize::from(count) * 2).map_err(|_| AsPathError::Truncated)?;
        out.extend_from_slice(&[kind, count]);
        for [high, low] in members.as_chunks::<2>().0 {
            out.extend_from_slice(&[0, 0, *high, *low]);
        }
    }
    Ok(())
}

/// Appends a four-octet path with two-octet AS numbers, AS_TRANS for those that have no place.
pub fn narrow(path: AsPath<'_>, out: &mut Vec<u8>) {
    for segment in path.segments() {
        out.push(segment.kind as u8);
        out.push(u8::try_from(segment.len()).unwrap_or(u8::MAX));
        for asn in segment.iter() {
            let asn = u16::try_from(asn).unwrap_or(AS_TRANS);
            out.extend_from_slice(&asn.to_be_bytes());
        }
    }
}

/// Appends the path that AS_PATH (widened) and AS4_PATH make together (RFC 6793 4.2.3). The result
/// is AS_PATH alone if AS4_PATH is the longer one.
pub fn merge(path: AsPath<'_>, as4_path: AsPath<'_>, out: &mut Vec<u8>) {
    let (hops, as4_hops) = (path.hops(), as4_path.hops());
    let Some(mut leading) = hops.checked_sub(as4_hops) else {
        out.extend_from_slice(path.wire());
        return;
    };
    for segment in path.segments() {
        let taken = match segment.kind {
            SegmentKind::Sequence => segment.len().min(leading),
            SegmentKind::Set => usize::from(leading > 0),
            // Counts for nothing; stays as long as nothing of the outside was left out before it.
            SegmentKind::ConfedSequence | SegmentKind::ConfedSet => 0,
        };
        match segment.kind {
            SegmentKind::Sequence if taken > 0 => {
                put(out, segment.kind, segment.iter().take(taken))
            }
            SegmentKind::Set if taken > 0 => put(out, segment.kind, segment.iter()),
            SegmentKind::ConfedSequence | SegmentKind::ConfedSet => {
                put(out, segment.kind, segment.iter());
            }
            SegmentKind::Sequence | SegmentKind::Set => break,
        }
        leading -= taken;
    }
    put_without_confed(as4_path, out);
}

/// Appends a path without its confederation segments, as AS4_PATH must be (RFC 6793 section 3).
pub fn put_without_confed(path: AsPath<'_>, out: &mut Vec<u8>) {
    for segment in path.segments().filter(|segment| !segment.kind.is_confed()) {
        put(out, segment.kind, segment.iter());
    }
}

fn put(out: &mut Vec<u8>, kind: SegmentKind, members: impl Iterator<Item = u32>) {
    out.push(kind as u8);
    let count_at = out.len();
    out.push(0);
    let mut count = 0u8;
    for asn in members {
        out.extend_from_slice(&asn.to_be_bytes());
        count = count.saturating_add(1);
    }
    if let Some(place) = out.get_mut(count_at) {
        *place = count;
    }
}

#[cfg(test)]
mod tests {
    use dunlin_net::as_path::AsPathBuf;

    use super::*;

    fn path(text: &str) -> AsPathBuf {
        text.parse().unwrap()
    }

    fn merged(text: &str, as4: &str) -> String {
        let mut out = Vec::new();
        merge(path(text).view(), path(as4).view(), &mut out);
        AsPath(&out).to_string()
    }

    #[test]
    fn a_path_survives_an_old_speaker() {
        assert_eq!(merged("1 23456 23456", "70000 80000"), "1 70000 80000");
        assert_eq!(merged("1 2 23456", "70000"), "1 2 70000");
        assert_eq!(merged("23456", "70000"), "70000");
        assert_eq!(merged("1 2 3", ""), "1 2 3");
        assert_eq!(merged("1 {2 3} 4", "70000"), "1 {2 3} 70000");
    }

    #[test]
    fn a_longer_as4_path_is_not_believed() {
        assert_eq!(merged("1 2", "7 8 9"), "1 2");
    }

    #[test]
    fn widened_and_narrowed() {
        let mut narrowed = Vec::new();
        narrow(path("1 70000 {3 4}").view(), &mut narrowed);
        assert_eq!(narrowed, [2, 2, 0, 1, 0x5b, 0xa0, 1, 2, 0, 3, 0, 4]);
        let mut wide = Vec::new();
        assert_eq!(widen(&narrowed, &mut wide), Ok(()));
        assert_eq!(AsPath(&wide).to_string(), "1 23456 {3 4}");
        assert_eq!(widen(&[2, 2, 0, 1, 0], &mut wide), Err(AsPathError::Truncated));
    }

    #[test]
    fn facts_are_told() {
        let facts = examine(path("1 70000 1 {0}").wire(), 1).unwrap();
        assert!(facts.has_set && facts.has_zero && facts.has_wide && !facts.has_confed);
        assert_eq!(facts.occurrences, 2);
    }
}
