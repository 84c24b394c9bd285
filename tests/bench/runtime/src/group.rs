//! What is measured: groups of contenders that do the same work, and what their figures have to hold.

/// Contenders that do the same work.
pub struct Group {
    pub name: &'static str,
    /// What the work is, in a line.
    pub about: &'static str,
    pub figures: &'static [Figure],
    pub contenders: &'static [Contender],
}

/// Who does the work, and how: prints its figures into `Out`.
pub struct Contender {
    pub name: &'static str,
    pub run: fn(&mut Out),
}

/// The contender that does what a worker of Dunlin always does: it measures each handler.
pub const TIMED: &str = "tokio timed";

/// Dunlin built without statistics, and a recorder if "recorded": what is between it and Dunlin as it is is their cost.
pub const UNMEASURED: &str = "dunlin unmeasured";
/// Dunlin built with neither statistics nor flight recorder.
pub const BARE: &str = "dunlin bare";

/// One figure that each contender may give.
pub struct Figure {
    pub name: &'static str,
    pub unit: &'static str,
    /// What the contenders whose name begins with "dunlin" have to hold.
    pub bars: &'static [Bar],
}

/// A bar; all of them compare medians, and less is better.
#[derive(Clone, Copy)]
pub enum Bar {
    /// At most so much; for any contender whose name begins with "dunlin".
    AtMost(f64),
    /// At most so much, for this contender only.
    Only(&'static str, f64),
    /// At most so many times what another contender needs.
    Times(f64, &'static str),
    /// What this contender needs is at most so much more than what another does.
    More(&'static str, f64, &'static str),
}

/// Where a contender says what it measured.
#[derive(Default)]
pub struct Out {
    pub values: Vec<(&'static str, f64)>,
}

impl Out {
    pub fn say(&mut self, figure: &'static str, value: f64) {
        self.values.push((figure, value));
    }
}

/// A figure without a bar.
pub const fn figure(name: &'static str, unit: &'static str, bars: &'static [Bar]) -> Figure {
    Figure { name, unit, bars }
}

pub const fn contender(name: &'static str, run: fn(&mut Out)) -> Contender {
    Contender { name, run }
}
