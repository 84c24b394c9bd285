//! AS paths: prepending, deleting, filtering, in the arena.

use bumpalo::Bump;
use dunlin_net::as_path::{AsPath, SegmentKind};

/// The most AS numbers in one segment.
const MAX_SEGMENT: u8 = u8::MAX;

/// The path with one more AS number at its front.
pub(super) fn prepend<'v>(path: AsPath<'v>, asn: u32, bump: &'v Bump) -> AsPath<'v> {
    let sequence = SegmentKind::Sequence as u8;
    let wire = path.wire();
    let (count, rest) = match wire {
        [kind, count, rest @ ..] if *kind == sequence && *count < MAX_SEGMENT => (*count, rest),
        _ => (0, wire),
    };
    let bytes = bump.alloc_slice_fill_copy(rest.len() + 6, 0);
    bytes[0] = sequence;
    bytes[1] = count + 1;
    bytes[2..6].copy_from_slice(&asn.to_be_bytes());
    bytes[6..].copy_from_slice(rest);
    AsPath(bytes)
}

/// The path of only those AS numbers that are wanted. Segments that get empty vanish.
pub(super) fn keep<'v>(
    path: AsPath<'v>,
    mut wanted: impl FnMut(u32) -> bool,
    bump: &'v Bump,
) -> AsPath<'v> {
    if path.iter().all(&mut wanted) {
        return path;
    }
    let bytes = bump.alloc_slice_fill_copy(path.wire().len(), 0);
    let mut end = 0;
    for segment in path.segments() {
        let start = end;
        let mut count = 0_u8;
        let mut at = start + 2;
        for asn in segment.iter().filter(|asn| wanted(*asn)) {
            bytes[at..at + 4].copy_from_slice(&asn.to_be_bytes());
            at += 4;
            count += 1;
        }
        if count > 0 {
            bytes[start] = segment.kind as u8;
            bytes[start + 1] = count;
            end = at;
        }
    }
    AsPath(&bytes[..end])
}
