//! Running filters again that have asked a ROA or ASPA table which has changed.

use super::attrs::NIL;
use super::import_again::Memo;
use super::table::{Env, Table};
use crate::import::TableKey;
use crate::validation::{Changed, Recheck};

/// What of a table may be judged otherwise.
pub(crate) struct Depends<'a> {
    changed: &'a Changed,
    /// Whose import filters have asked.
    sources: &'a [u16],
    /// What is exported depends on it.
    exports: bool,
    /// What passes pipes depends on it.
    pipes: bool,
}

impl<K: TableKey> Table<K> {
    /// What depends on the change; none if nothing does.
    pub(crate) fn depends<'a>(
        &self,
        recheck: &'a Recheck,
        sources: &'a [u16],
    ) -> Option<Depends<'a>> {
        // Nobody is asked about networks that are no plain prefixes, nor about those of another family.
        let plain = K::default().network().plain()?;
        let Recheck { table, changed } = recheck;
        if let Changed::Inside(prefixes) = changed
            && prefixes.first().is_none_or(|one| one.is_v4() != plain.is_v4())
        {
            return None;
        }
        let own = !sources.is_empty();
        let exports = self.exports.rechecks(table);
        let pipes = self.pipes.rechecks(table);
        (own || exports || pipes).then_some(Depends { changed, sources, exports, pipes })
    }

    /// Has a network's routes judged again, if they may be judged otherwise; how many that were.
    pub(crate) fn recheck(
        &mut self,
        net: u32,
        depends: Option<&Depends<'_>>,
        traced: bool,
        memo: &mut Memo,
        env: &mut Env<'_>,
    ) -> u32 {
        let Some(depends) = depends else { return 0 };
        let record = self.nets[net];
        let concerns = |prefix| depends.changed.concerns(prefix);
        if record.first == NIL || !record.key.network().plain().is_some_and(concerns) {
            return 0;
        }
        let (mut at, mut judged) = (record.first, 0);
        while at != NIL {
            let next = self.routes[at].next;
            self.import_again(at, depends.sources, traced, memo, env);
            if depends.pipes {
                self.note_rechecked(at, env);
            }
            at = next;
            judged += 1;
        }
        if depends.exports {
            self.touch_live(net);
        }
        judged
    }
}
