//! Scopes: what is made in one goes when it is closed, and nothing else does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::{io::Read, os::unix::net::UnixStream, sync::mpsc::channel};

use common::{
    next, runtime,
    script::{On, Script, everywhere},
};
use dunlin_runtime::{
    Armed, Cancel, Class, Context, Duration, OwnedSocket, Scheduling, ScopeId,
    kit::jobs::JobPriority,
};

const MILLI: Duration = Duration::from_millis(1);

/// One of each but a socket, all about to run.
fn busy_things(cx: &mut Context<'_>) {
    let timer = cx.timer(Class::Control);
    cx.arm(timer, cx.now());
    let event = cx.event(Class::Control);
    cx.schedule(event);
    cx.defer(event);
    let work = cx.work(Class::Control);
    cx.queue(work);
    let job = cx.job("job", JobPriority::FIRST);
    cx.start_job(job);
}

#[test]
fn closing_a_scope_gives_up_all_in_it_and_in_scopes_within() {
    everywhere(&vec!["own event", "own timer"], |told| {
        let mut seen = vec![];
        let mut own = None;
        move |cx: &mut Context<'_>, on| match on {
            On::Start => {
                let (outer, other) = (cx.scope(), cx.scope());
                let inner = cx.in_scope(outer, |cx| {
                    busy_things(cx);
                    let inner = cx.scope();
                    cx.in_scope(inner, busy_things);
                    // Back in the outer one.
                    busy_things(cx);
                    inner
                });
                let inner = inner.unwrap();
                own = Some((cx.timer(Class::Bulk), cx.event(Class::Bulk)));
                let (timer, event) = own.unwrap();
                cx.arm_after(timer, 5 * MILLI);
                cx.schedule(event);
                assert_eq!(cx.close_scope(outer), Some(13), "three times four, and a scope");
                for gone in [outer, inner, ScopeId::NONE] {
                    assert_eq!(cx.close_scope(gone), None);
                    assert_eq!(cx.in_scope(gone, |_| unreachable!()), None::<()>);
                }
                assert_eq!(cx.timers().count(), 1);
                let again = cx.scope();
                assert_ne!(again, outer, "the same slot, another name");
                assert_eq!(cx.close_scope(outer), None);
                assert_eq!(cx.close_scope(other), Some(0));
            }
            On::Event(event) => {
                assert_eq!(event, own.unwrap().1);
                seen.push("own event");
            }
            On::Timer(timer) => {
                assert_eq!(timer, own.unwrap().0);
                seen.push("own timer");
                told.send(seen.clone()).unwrap();
            }
            other => unreachable!("{other:?}"),
        }
    });
}

#[test]
fn a_handler_closes_the_scope_it_belongs_to() {
    everywhere(&(), |told| {
        let mut scope = ScopeId::NONE;
        move |cx: &mut Context<'_>, on| match on {
            On::Start => {
                scope = cx.scope();
                cx.in_scope(scope, |cx| {
                    let timer = cx.timer(Class::Control);
                    cx.arm_every(timer, MILLI);
                });
            }
            On::Timer(timer) => {
                let made = cx.in_scope(scope, |cx| {
                    let before = cx.event(Class::Control);
                    cx.schedule(before);
                    assert_eq!(cx.close_scope(scope), Some(2));
                    // Too late: given up as soon as it is made.
                    let after = cx.event(Class::Control);
                    assert_eq!(cx.schedule(after), Scheduling::Gone);
                    assert_eq!(cx.schedule(before), Scheduling::Gone);
                    let at = "127.0.0.1:0".parse().unwrap();
                    let error = cx.listen(at, &Default::default()).unwrap_err();
                    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
                    let late = cx.scope();
                    cx.in_scope(late, |_| unreachable!())
                });
                assert_eq!(made, Some(None::<()>));
                assert_eq!(cx.disarm(timer), Cancel::Running);
                assert_eq!(cx.arm(timer, cx.now()), Armed::NoSuchTimer);
                // Outside of it all is well.
                let mine = cx.timer(Class::Control);
                assert_eq!(cx.arm(mine, cx.now() + 1000 * MILLI), Armed::Armed);
                cx.disarm(mine);
                told.send(()).unwrap();
            }
            other => unreachable!("{other:?}"),
        }
    });
}

#[test]
fn sockets_of_a_scope_are_closed_with_it_and_handles_are_dead() {
    let runtime = runtime(1);
    let (told, heard) = channel();
    let mut handles = None;
    let mut fars = vec![];
    let script = Script(move |cx: &mut Context<'_>, on| match on {
        On::Start => {
            let scope = cx.scope();
            cx.in_scope(scope, |cx| {
                for _ in 0..3 {
                    let (near, far) = UnixStream::pair().unwrap();
                    near.set_nonblocking(true).unwrap();
                    let socket = cx.adopt(OwnedSocket::from_fd(near.into())).unwrap();
                    // One that has left is not closed.
                    if fars.is_empty() {
                        std::mem::forget(cx.release(socket).unwrap());
                    }
                    fars.push(far);
                }
                let event = cx.event(Class::Control);
                handles = Some(cx.event_handle(event));
                cx.schedule(event);
            });
            assert_eq!(cx.close_scope(scope), Some(3));
            let far = core::mem::take(&mut fars);
            told.send((handles.take().unwrap(), far)).unwrap();
        }
        other => unreachable!("{other:?}"),
    });
    runtime.spawn("script", Class::Control, script);
    let (handle, mut fars) = next(&heard);
    assert_eq!(handle.schedule(), Scheduling::Gone);
    for far in &mut fars {
        far.set_nonblocking(true).unwrap();
    }
    let mut read = |far: usize| fars[far].read(&mut [0; 8]);
    assert_eq!(read(0).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!((read(1).unwrap(), read(2).unwrap()), (0, 0), "closed");
    assert_eq!(runtime.stats().loops[0].sockets, 0);
}

/// A scope through which much passes keeps a short list, and closing it does not look at what else
/// the loop has.
#[test]
fn what_has_gone_by_itself_is_forgotten() {
    everywhere(&(), |told| {
        move |cx: &mut Context<'_>, on| {
            assert_eq!(on, On::Start);
            let scope = cx.scope();
            let kept = cx.in_scope(scope, |cx| cx.timer(Class::Control)).unwrap();
            for _ in 0..10_000 {
                cx.in_scope(scope, |cx| {
                    let timer = cx.timer(Class::Control);
                    cx.remove_timer(timer);
                });
            }
            assert!(cx.expires(kept).is_none());
            assert_eq!(cx.arm(kept, cx.now()), Armed::Armed);
            assert_eq!(cx.close_scope(scope), Some(1));
            told.send(()).unwrap();
        }
    });
}
