//! Answering feeds and queries: what a group holds, by bands of attribute sets or by network.

use dunlin_net::Prefix;

use super::attrs::NIL;
use super::exports::Trailer;
use super::table::{BEST, Env, Table};
use crate::export::{BANDS, FeedReply, FeedRequest, QueryRequest};
use crate::import::TableKey;

/// Networks after which a reply is sent even if more bands were asked for.
const NETS_PER_REPLY: usize = 4096;

impl<K: TableKey> Table<K> {
    /// Answers a feed request; nothing if the group is not here.
    pub(crate) fn feed(&mut self, request: &FeedRequest, env: &mut Env<'_>) {
        let Some(group) = self.exports.find_group(request.exporter) else { return };
        let stop = request.band.saturating_add(request.bands).min(BANDS);
        let mut band = request.band;
        let mut nets = 0;
        while band < stop && nets < NETS_PER_REPLY {
            nets += self.feed_band(usize::from(band), group, request, env);
            band += 1;
        }
        self.clear_row(env);
        self.exports.count_turn();
        let feed = FeedReply { token: request.token, band: request.band, next: band };
        let trailer = Trailer { feed: Some(feed), ..Trailer::default() };
        self.exports.send(env, &trailer, Some(group));
    }

    fn feed_band(
        &mut self,
        band: usize,
        group: usize,
        request: &FeedRequest,
        env: &mut Env<'_>,
    ) -> usize {
        let mut nets = 0;
        let mut set = self.sets.band(band);
        while set != NIL {
            // The set's neighbour may be a new one that evaluation makes; it is never freed while
            // routes of this set are walked, and this one is held.
            self.sets.hold(set);
            let mut route = self.sets.entry(set).first_route;
            while route != NIL {
                let record = self.routes[route];
                if record.flags & BEST != 0 {
                    let (token, absent) = (request.token, request.withdraw_absent);
                    self.tell_token(record.net, group, token, absent, env);
                    nets += 1;
                }
                route = record.set_next;
            }
            let next = self.sets.next_in_band(set);
            self.release(set, env);
            set = next;
        }
        nets
    }

    /// Answers a query.
    pub(crate) fn query(&mut self, request: &QueryRequest, env: &mut Env<'_>) {
        let Some(group) = self.exports.find_group(request.exporter) else { return };
        for key in request.nets.iter().filter_map(|&net: &Prefix| K::from_prefix(net)) {
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
