//! Communities, extended communities, large communities and cluster lists: one list type over wire
//! bytes, four kinds of element.
//!
//! Lists are sets that keep the order in which elements were added: adding a present element changes
//! nothing. A received list is kept as it came, duplicates too.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use core::fmt;
use core::marker::PhantomData;
use core::str::FromStr;

mod element;
mod ext;

pub use element::{Community, Element, LargeCommunity, Quad, well_known};
pub use ext::{EcKind, ExtCommunity};

/// A view of the COMMUNITIES attribute (RFC 1997).
pub type Communities<'a> = List<'a, Community>;
/// A view of the EXTENDED COMMUNITIES attribute (RFC 4360).
pub type ExtCommunities<'a> = List<'a, ExtCommunity>;
/// A view of the LARGE_COMMUNITY attribute (RFC 8092).
pub type LargeCommunities<'a> = List<'a, LargeCommunity>;
/// A view of the CLUSTER_LIST attribute (RFC 4456).
pub type ClusterList<'a> = List<'a, Quad>;
/// Owned communities.
pub type CommunitiesBuf = ListBuf<Community>;
/// Owned extended communities.
pub type ExtCommunitiesBuf = ListBuf<ExtCommunity>;
/// Owned large communities.
pub type LargeCommunitiesBuf = ListBuf<LargeCommunity>;
/// An owned cluster list.
pub type ClusterListBuf = ListBuf<Quad>;

/// A view of a list in wire form. Bytes after the last whole element are not looked at.
///
/// `Display` writes the elements with a space between, as `show route all` does.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct List<'a, E> {
    bytes: &'a [u8],
    element: PhantomData<E>,
}

impl<E> Clone for List<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for List<'_, E> {}

impl<E> Default for List<'_, E> {
    fn default() -> Self {
        Self { bytes: &[], element: PhantomData }
    }
}

impl<'a, E: Element> List<'a, E> {
    /// The view of an attribute's value.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, element: PhantomData }
    }

    /// The wire bytes.
    #[inline]
    pub const fn wire(self) -> &'a [u8] {
        self.bytes
    }

    /// The number of elements.
    #[inline]
    pub const fn len(self) -> usize {
        match self.bytes.len().checked_div(E::SIZE) {
            Some(count) => count,
            None => 0,
        }
    }

    /// No elements.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The elements in order.
    #[inline]
    pub fn iter(self) -> impl ExactSizeIterator<Item = E> + Clone + 'a {
        self.bytes.chunks_exact(E::SIZE).map(E::read)
    }

    /// The element is there.
    pub fn contains(self, element: E) -> bool {
        self.iter().any(|other| other == element)
    }

    /// Any element satisfies the predicate. The filter's `list ~ set`.
    pub fn any(self, predicate: impl FnMut(E) -> bool) -> bool {
        self.iter().any(predicate)
    }

    /// The smallest element.
    pub fn min(self) -> Option<E> {
        self.iter().min()
    }

    /// The largest element.
    pub fn max(self) -> Option<E> {
        self.iter().max()
    }

    #[expect(clippy::should_implement_trait, reason = "the filter language's name")]
    /// The list with the element at its end, or as it is if the element is there.
    pub fn add(self, element: E) -> ListBuf<E> {
        let mut list = self.to_buf(E::SIZE);
        list.add(element);
        list
    }

    /// The list with those elements of the other at its end that are not there yet.
    pub fn add_all(self, others: List<'_, E>) -> ListBuf<E> {
        let mut list = self.to_buf(others.bytes.len());
        list.add_all(others);
        list
    }

    /// The list without the elements that satisfy the predicate.
    pub fn delete(self, mut predicate: impl FnMut(E) -> bool) -> ListBuf<E> {
        self.filter(|element| !predicate(element))
    }

    /// The list of only the elements that satisfy the predicate.
    pub fn filter(self, mut predicate: impl FnMut(E) -> bool) -> ListBuf<E> {
        let mut list =
            ListBuf { bytes: Vec::with_capacity(self.bytes.len()), element: PhantomData };
        for element in self.iter().filter(|element| predicate(*element)) {
            element.write(&mut list.bytes);
        }
        list
    }

    fn to_buf(self, more: usize) -> ListBuf<E> {
        let mut bytes = Vec::with_capacity(self.bytes.len().saturating_add(more));
        bytes.extend_from_slice(self.bytes);
        ListBuf { bytes, element: PhantomData }
    }
}

impl<E: Element> fmt::Display for List<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, element) in self.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { " " })?;
            fmt::Display::fmt(&element, f)?;
        }
        Ok(())
    }
}

impl<E: Element> fmt::Debug for List<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

/// An owned list in wire form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListBuf<E> {
    bytes: Vec<u8>,
    element: PhantomData<E>,
}

impl<E> Default for ListBuf<E> {
    fn default() -> Self {
        Self { bytes: Vec::new(), element: PhantomData }
    }
}

impl<E: Element> ListBuf<E> {
    /// The empty list.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), element: PhantomData }
    }

    /// The view.
    #[inline]
    pub fn view(&self) -> List<'_, E> {
        List::new(&self.bytes)
    }

    /// The wire bytes.
    pub fn wire(&self) -> &[u8] {
        &self.bytes
    }

    /// The wire bytes, taken.
    pub fn into_wire(self) -> Vec<u8> {
        self.bytes
    }

    /// Adds the element at the end unless it is there; whether it was added.
    pub fn add(&mut self, element: E) -> bool {
        let new = !self.view().contains(element);
        if new {
            element.write(&mut self.bytes);
        }
        new
    }

    /// Adds each element of the other list that is not there.
    pub fn add_all(&mut self, others: List<'_, E>) {
        for element in others.iter() {
            self.add(element);
        }
    }
}

impl<E: Element> From<List<'_, E>> for ListBuf<E> {
    fn from(list: List<'_, E>) -> Self {
        list.to_buf(0)
    }
}

impl<E: Element> FromIterator<E> for ListBuf<E> {
    /// Elements that occur twice are kept once.
    fn from_iter<I: IntoIterator<Item = E>>(elements: I) -> Self {
        let mut list = Self::new();
        for element in elements {
            list.add(element);
        }
        list
    }
}

impl<E: Element> fmt::Display for ListBuf<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

impl<E: Element> fmt::Debug for ListBuf<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

/// The text is not a community of the kind asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseCommunityError;

impl fmt::Display for ParseCommunityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a community")
    }
}

impl core::error::Error for ParseCommunityError {}

impl<E: Element> FromStr for ListBuf<E> {
    type Err = ParseCommunityError;

    /// What `Display` writes. Quads have no parentheses, the other elements have one pair each.
    fn from_str(text: &str) -> Result<Self, ParseCommunityError> {
        let mut list = Self::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let end = if rest.starts_with('(') {
                rest.find(')').ok_or(ParseCommunityError)?.saturating_add(1)
            } else {
                rest.find(char::is_whitespace).unwrap_or(rest.len())
            };
            let (element, after) = rest.split_at_checked(end).ok_or(ParseCommunityError)?;
            let element: E = element.parse().map_err(|_| ParseCommunityError)?;
            element.write(&mut list.bytes);
            rest = after.trim_start();
        }
        Ok(list)
    }
}

/// The fields of `(a, b, c)`.
fn fields<const N: usize>(text: &str) -> Result<[&str; N], ParseCommunityError> {
    let body = text.trim().strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    let mut fields = body.ok_or(ParseCommunityError)?.split(',').map(str::trim);
    let mut result = [""; N];
    for place in &mut result {
        *place = fields.next().ok_or(ParseCommunityError)?;
    }
    if fields.next().is_some() { Err(ParseCommunityError) } else { Ok(result) }
}

/// A decimal or `0x` hexadecimal number.
fn number(text: &str) -> Result<u32, ParseCommunityError> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| ParseCommunityError)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(text: &str) -> CommunitiesBuf {
        text.parse().unwrap()
    }

    #[test]
    fn golden_bytes() {
        assert_eq!(list("(65002,1) (1,65535)").wire(), [0xfd, 0xea, 0, 1, 0, 1, 0xff, 0xff]);
        let large: LargeCommunitiesBuf = "(65002, 1, 4294967295)".parse().unwrap();
        assert_eq!(large.wire(), [0, 0, 0xfd, 0xea, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]);
        let ext: ExtCommunitiesBuf = "(rt, 65001, 9)".parse().unwrap();
        assert_eq!(ext.wire(), [0, 2, 0xfd, 0xe9, 0, 0, 0, 9]);
        let clusters: ClusterListBuf = "10.0.0.1 10.0.0.2".parse().unwrap();
        assert_eq!(clusters.wire(), [10, 0, 0, 1, 10, 0, 0, 2]);
    }

    #[test]
    fn lists_are_sets_in_order_of_addition() {
        let one = list("(1,1) (2,2)");
        assert_eq!(one.view().add(Community::new(2, 2)).to_string(), "(1,1) (2,2)");
        assert_eq!(one.view().add(Community::new(0, 3)).to_string(), "(1,1) (2,2) (0,3)");
        let both = one.view().add_all(list("(5,5) (1,1) (4,4)").view());
        assert_eq!(both.to_string(), "(1,1) (2,2) (5,5) (4,4)");
        assert_eq!(both.view().len(), 4);
        assert_eq!(both.view().delete(|c| c.asn() > 3).to_string(), "(1,1) (2,2)");
        assert_eq!(both.view().filter(|c| c.asn() > 3).to_string(), "(5,5) (4,4)");
        assert_eq!(both.view().min(), Some(Community::new(1, 1)));
        assert_eq!(both.view().max(), Some(Community::new(5, 5)));
        assert_eq!(Communities::default().min(), None);
    }

    #[test]
    fn a_torn_element_at_the_end_is_not_seen() {
        assert_eq!(Communities::new(&[0, 1, 0, 2, 9]).to_string(), "(1,2)");
    }

    #[test]
    fn bad_text_is_refused() {
        for text in ["(1,2", "(1,2,3)", "(65536,1)", "(a,1)", "(1,2) x", "1,2"] {
            assert!(text.parse::<CommunitiesBuf>().is_err(), "{text}");
        }
    }

    fn round_trips<E: Element>(bytes: &[u8]) {
        let list = List::<E>::new(bytes);
        let again: ListBuf<E> = list.to_string().parse().unwrap();
        assert_eq!(list.to_string(), again.to_string());
        assert_eq!(list.len(), again.view().len());
    }

    proptest! {
        #[test]
        fn every_list_round_trips(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            round_trips::<Community>(&bytes);
            round_trips::<ExtCommunity>(&bytes);
            round_trips::<LargeCommunity>(&bytes);
            round_trips::<Quad>(&bytes);
        }
    }
}
