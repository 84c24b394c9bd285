//! Answering feeds and queries: what a group holds, by bands of attribute sets or by network.
//!
//! A band may be large (in the extreme, all routes have one attribute set), so a reply may stop in
//! the middle of a set. Where it stopped is kept in a [`Cursor`], which moves on when its route
//! goes. What enters a set behind the cursor's back, or moves to a band that has been fed, is a
//! change of the table and is told as such, even if the group holds just that already
//! ([`Change::moved`](super::decide::Change)).

use dunlin_net::Prefix;

use super::attrs::NIL;
use super::exports::Trailer;
use super::table::{BEST, Env, Table};
use crate::ExporterId;
use crate::export::{BANDS, FeedReply, FeedRequest, QueryRequest};
use crate::import::TableKey;

/// Routes looked at for one reply.
const ROUTES_PER_REPLY: usize = 4096;

/// Where a feed stopped inside a band.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    exporter: ExporterId,
    token: u32,
    band: u16,
    /// The set that is gone through, held.
    pub(crate) set: u32,
    /// The next route of it.
    pub(crate) route: u32,
}

impl<K: TableKey> Table<K> {
    /// Answers a feed request; nothing if the group is not here.
    pub(crate) fn feed(&mut self, request: &FeedRequest, env: &mut Env<'_>) {
        let Some(group) = self.exports.find_group(request.exporter) else { return };
        self.exports.set_feeding(group, true);
        let stop = request.band.saturating_add(request.bands).min(BANDS);
        let mut cursor = self.resume(request, env);
        let mut routes = 0;
        self.exports.take_fed();
        let traced = self.exports.is_group_traced(group);
        while cursor.band < stop && routes < ROUTES_PER_REPLY {
            let most = ROUTES_PER_REPLY - routes;
            routes += self.feed_band(&mut cursor, most, (group, traced), request, env);
            if cursor.set == NIL {
                cursor.band += 1;
                self.enter_band(&mut cursor);
            }
        }
        let next = cursor.band;
        if next < BANDS {
            self.cursors.push(cursor);
        } else {
            self.exports.set_feeding(group, false);
        }
        self.clear_row(env);
        self.exports.count_turn();
        let figures = self.exports.take_fed();
        let feed = FeedReply { token: request.token, band: request.band, next, figures };
        let trailer = Trailer { feed: Some(feed), ..Trailer::default() };
        self.exports.send(env, &trailer, Some(group));
    }

    /// Where the request goes on. Older feeds of the exporter are over.
    fn resume(&mut self, request: &FeedRequest, env: &mut Env<'_>) -> Cursor {
        let goes_on = |cursor: &Cursor| {
            cursor.exporter == request.exporter
                && cursor.token == request.token
                && cursor.band == request.band
        };
        if let Some(at) = self.cursors.iter().position(goes_on) {
            return self.cursors.swap_remove(at);
        }
        self.drop_cursors(request.exporter, env);
        let (exporter, token, band) = (request.exporter, request.token, request.band);
        let mut cursor = Cursor { exporter, token, band, set: NIL, route: NIL };
        self.enter_band(&mut cursor);
        cursor
    }

    /// Forgets the feeds of an exporter.
    pub(crate) fn drop_cursors(&mut self, exporter: ExporterId, env: &mut Env<'_>) {
        while let Some(at) = self.cursors.iter().position(|cursor| cursor.exporter == exporter) {
            let cursor = self.cursors.swap_remove(at);
            self.release(cursor.set, env);
        }
    }

    fn enter_band(&mut self, cursor: &mut Cursor) {
        self.enter_set(cursor, self.sets.band(usize::from(cursor.band)));
    }

    fn enter_set(&mut self, cursor: &mut Cursor, set: u32) {
        self.sets.hold(set);
        cursor.set = set;
        cursor.route = if set == NIL { NIL } else { self.sets.entry(set).first_route };
    }

    /// Goes through the cursor's band until its end or after `most` routes; returns how many.
    fn feed_band(
        &mut self,
        cursor: &mut Cursor,
        most: usize,
        (group, traced): (usize, bool),
        request: &FeedRequest,
        env: &mut Env<'_>,
    ) -> usize {
        let mut routes = 0;
        while cursor.set != NIL {
            while cursor.route != NIL {
                if routes == most {
                    return routes;
                }
                routes += 1;
                let record = self.routes[cursor.route];
                if record.flags & BEST != 0 {
                    let (token, absent) = (request.token, request.withdraw_absent);
                    self.tell_token(record.net, group, token, absent, env);
                    if traced {
                        self.note_fed(record.net, group, token, env);
                    }
                }
                cursor.route = record.set_next;
            }
            // Held until its neighbour is, so the neighbour is what it says.
            let done = cursor.set;
            self.enter_set(cursor, self.sets.next_in_band(done));
            self.release(done, env);
        }
        routes
    }

    /// Answers a query.
    pub(crate) fn query(&mut self, request: &QueryRequest, env: &mut Env<'_>) {
        let Some(group) = self.exports.find_group(request.exporter) else { return };
        for key in request.nets.iter().filter_map(|&net: &Prefix| K::from_network(net.into())) {
            match self.find_net(key) {
                Some(net) => self.tell_token(net, group, request.token, true, env),
                None => self.tell_absent(group, key, request.token),
            }
        }
        self.clear_row(env);
        self.exports.count_turn();
        let trailer = Trailer { query: Some(request.token), ..Trailer::default() };
        self.exports.send(env, &trailer, Some(group));
    }
}
