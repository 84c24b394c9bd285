//! Where in the program something is asked for: file and line of each call that schedules.
//!
//! Such a call is `#[track_caller]`, and its [`Place`] goes along with what is scheduled: one pointer to
//! what the compiler has put into the program anyway. When a worker begins the handler it looks the place's
//! number up, one load and one comparison, and that goes into the flight record. What has been seen is the
//! catalogue: [`RuntimeHandle::places`](crate::RuntimeHandle::places).

use core::{
    panic::Location,
    sync::atomic::{AtomicU16, Ordering},
};
use std::sync::Arc;

use dunlin_sync::{Register, Registered};
use dunlin_trace::{PLACES, Recorder, Site};

/// Where something is asked for; nowhere if nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place(Option<&'static Location<'static>>);

impl Place {
    pub(crate) const NOWHERE: Self = Self(None);

    /// The place of the call.
    #[inline]
    #[track_caller]
    pub(crate) const fn here() -> Self {
        Self(Some(Location::caller()))
    }
}

/// Stands for a place in the program where something was asked for, in what workers measure:
/// [`RuntimeHandle::place`](crate::RuntimeHandle::place) knows which it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PlaceId(pub(crate) u16);

impl PlaceId {
    /// Nobody knows.
    pub const UNKNOWN: Self = Self(0);
}

/// A place in the program where something is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceInfo {
    /// File, line and column.
    pub location: &'static Location<'static>,
    /// What it asks for: the site of the first record of what came of it.
    pub site: Site,
}

/// All places seen so far, of one runtime. Workers look their numbers up, and enter new ones.
#[derive(Debug)]
pub(crate) struct Places {
    numbers: Register<Location<'static>, PLACES>,
    /// By number: the first site. Written once by the worker that entered the place, read by anyone; relaxed, as
    /// who looks at that very moment may well see none.
    sites: [AtomicU16; PLACES],
    recorder: Option<Recorder>,
}

impl Places {
    /// Their names are told to this recorder.
    pub(crate) fn new(recorder: Option<Recorder>) -> Arc<Self> {
        let sites = core::array::from_fn(|_| AtomicU16::new(0));
        Arc::new(Self { numbers: Register::new(), sites, recorder })
    }

    /// The number of a place, if it stands where nearly all do; else [`Places::number`] knows.
    #[inline]
    pub(crate) fn glance(&self, place: Place) -> Option<PlaceId> {
        self.numbers.glance(place.0).map(PlaceId)
    }

    /// The number of a place where something was asked for of which `site` came.
    pub(crate) fn number(&self, place: Place, site: Site) -> PlaceId {
        self.glance(place).unwrap_or_else(|| self.look(place, site))
    }

    #[cold]
    fn look(&self, place: Place, site: Site) -> PlaceId {
        let Some(location) = place.0 else { return PlaceId::UNKNOWN };
        match self.numbers.enter(location) {
            Registered::Known(number) => PlaceId(number),
            Registered::New(number) => {
                if let Some(first) = self.sites.get(usize::from(number)) {
                    first.store(site.0, Ordering::Relaxed);
                }
                if let Some(recorder) = &self.recorder {
                    recorder.name_place(number, location);
                }
                PlaceId(number)
            }
            Registered::Full => PlaceId::UNKNOWN,
        }
    }

    /// The place of this number.
    pub(crate) fn find(&self, place: PlaceId) -> Option<&'static Location<'static>> {
        self.numbers.find(place.0)
    }

    /// All of them, by file and line. Code that is there several times, because it is generic, has one place.
    pub(crate) fn list(&self) -> Vec<PlaceInfo> {
        let info = |(number, site): (u16, &AtomicU16)| {
            let site = Site(site.load(Ordering::Relaxed));
            Some(PlaceInfo { location: self.numbers.find(number)?, site })
        };
        let mut all: Vec<_> = (0..).zip(&self.sites).filter_map(info).collect();
        let key = |info: &PlaceInfo| {
            let PlaceInfo { location, site } = info;
            (location.file(), location.line(), location.column(), site.0)
        };
        all.sort_by_key(key);
        all.dedup_by_key(|info| key(info));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_number_and_the_recorder_knows_it() {
        let recorder = crate::sim::sim_recorder().unwrap();
        let places = Places::new(Some(recorder.clone()));
        let (one, other) = (Place::here(), Place::here());
        let line = line!() - 1;
        let number = places.number(one, Site::TIMER);
        assert_ne!(number, PlaceId::UNKNOWN);
        assert_eq!(places.number(one, Site::TIMER), number);
        assert_ne!(places.number(other, Site::EVENT), number, "another column");
        assert_eq!(places.find(number).map(Location::line), Some(line));
        let sites: Vec<_> = places.list().iter().map(|info| info.site).collect();
        assert_eq!(sites, [Site::TIMER, Site::EVENT]);
        let entry = dunlin_trace::Entry {
            at: 1,
            since: 1,
            site: Site::TIMER,
            class: 0,
            loop_id: 1,
            cause: dunlin_trace::RecordId::NONE,
            argument: 0,
            place: number.0,
        };
        recorder.ring(0).unwrap().record(&entry);
        let snapshot = recorder.snapshot();
        let place = snapshot.place(&snapshot.records()[0]);
        assert_eq!(place, Some(format!("lib/runtime/src/place.rs:{line}")));
    }

    #[test]
    fn nowhere_has_no_number() {
        let places = Places::new(None);
        assert_eq!(places.number(Place::NOWHERE, Site::STOP), PlaceId::UNKNOWN);
        assert_eq!(places.find(PlaceId::UNKNOWN), None);
        assert!(places.list().is_empty());
    }
}
