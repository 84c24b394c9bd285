//! Deletions that come one after the other, as one for each list.
//!
//! `bgp_community.delete([A]); bgp_large_community.delete([B]); bgp_community.delete([C]);` takes the same
//! communities away as `bgp_community.delete([A, C]); bgp_large_community.delete([B]);`: what is deleted from
//! one list says nothing of another, and nothing is between them that could look.

use dunlin_attr::kind;

use super::Folder;
use crate::{
    attribute::Attribute,
    code::{Node, NodeId},
    method::Method,
    set::{Item, Set},
    types::{Element, Type},
    value::Constant,
};

/// The lists of a BGP route, and what is in them.
static LISTS: [(Attribute, Element); 3] = [
    (Attribute::Bgp(kind::COMMUNITIES, Type::Clist), Element::Pair),
    (Attribute::Bgp(kind::EXT_COMMUNITIES, Type::Eclist), Element::Ec),
    (Attribute::Bgp(kind::LARGE_COMMUNITIES, Type::Lclist), Element::Lc),
];

impl Folder {
    /// Joins those of a block's statements that do nothing but delete known communities.
    pub(super) fn join_deletions(&mut self, nodes: &mut Vec<NodeId>) {
        let mut start = 0;
        while start < nodes.len() {
            let rest = nodes.iter().skip(start);
            let run = rest.take_while(|node| self.deletion(**node).is_some()).count();
            if run < 2 {
                start += 1;
                continue;
            }
            let joined = self.joined(&nodes[start..start + run]);
            let left = joined.len();
            nodes.splice(start..start + run, joined);
            start += left;
        }
    }

    /// One deletion for each list, in the order in which the lists are met.
    fn joined(&mut self, run: &[NodeId]) -> Vec<NodeId> {
        let mut lists: Vec<(usize, Vec<NodeId>)> = Vec::new();
        for node in run {
            let Some((list, _)) = self.deletion(*node) else { continue };
            match lists.iter_mut().find(|(known, _)| *known == list) {
                Some((_, nodes)) => nodes.push(*node),
                None => lists.push((list, vec![*node])),
            }
        }
        lists.into_iter().map(|(list, nodes)| self.one_deletion(list, &nodes)).collect()
    }

    fn one_deletion(&mut self, list: usize, nodes: &[NodeId]) -> NodeId {
        let [first, _, ..] = nodes else { return nodes.first().copied().unwrap_or_default() };
        let (first, (attribute, element)) = (*first, &LISTS[list]);
        let which = nodes.iter().filter_map(|node| self.deletion(*node));
        let items: Vec<Item> = which.flat_map(|(_, which)| items(which)).collect();
        self.changed = true;
        let spot = self.spot(first);
        let set = Constant::Set(Set::new(*element, items).into());
        let set = self.push(Node::Constant(set), spot);
        let on = self.push(Node::Attribute(attribute.clone()), spot);
        let value = self.push(Node::Method(Method::Delete, on, Some(set)), spot);
        self.push(Node::SetAttribute(attribute.clone(), value), spot)
    }

    /// Which list a statement deletes from, and what, if it does only that and cannot fail.
    fn deletion(&self, id: NodeId) -> Option<(usize, &Constant)> {
        let Node::SetAttribute(attribute, value) = self.node(id) else { return None };
        let Node::Method(Method::Delete, on, Some(which)) = self.node(*value) else { return None };
        let Node::Attribute(from) = self.node(*on) else { return None };
        let list = LISTS.iter().position(|(list, _)| list == attribute && list == from)?;
        let (which, element) = (self.constant(*which)?, LISTS[list].1);
        let fits = match which {
            Constant::Set(set) => set.element() == element,
            one => one.kind() == element.of(),
        };
        fits.then_some((list, which))
    }
}

/// What a set has, or one community.
fn items(which: &Constant) -> Vec<Item> {
    match which {
        Constant::Set(set) => set.items(),
        one => one.value().key().map(|key| Item::Range(key, key)).into_iter().collect(),
    }
}
