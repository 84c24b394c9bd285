use std::cell::Cell;
use std::rc::Rc;

use super::*;

fn taken<T: Copy>(inbox: &Inbox<T>) -> Vec<Item<T>> {
    inbox.take_all().map(|entry| entry.item).collect()
}

#[test]
fn messages_and_events_come_out_in_the_order_they_went_in() {
    let inbox = Inbox::<&str, u64>::new();
    let event = EventNode::new(7);
    assert!(inbox.push("first", 1));
    assert_eq!(inbox.schedule(&event, 2), Scheduled::Pushed { was_empty: false });
    assert!(!inbox.push("last", 3));
    let taken: Vec<_> = inbox.take_all().map(|entry| (entry.item, entry.stamp)).collect();
    let expected = [(Item::Message("first"), 1), (Item::Event(7), 2), (Item::Message("last"), 3)];
    assert_eq!(taken, expected);
    assert!(inbox.is_empty());
    assert!(inbox.push("again", 4), "it was empty");
}

#[test]
fn a_pending_event_is_scheduled_once_and_keeps_its_first_stamp() {
    let inbox = Inbox::<(), u64>::new();
    let event = EventNode::new(1);
    assert!(inbox.schedule(&event, 10).must_notify());
    assert_eq!(inbox.schedule(&event, 11), Scheduled::Pending);
    let other = Inbox::<String, u64>::new();
    assert_eq!(other.schedule(&event, 12), Scheduled::Pending, "it is in one list at most");
    let stamps: Vec<_> = inbox.take_all().map(|entry| entry.stamp).collect();
    assert_eq!(stamps, [10]);
    assert!(!event.is_pending());
    assert!(other.schedule(&event, 13).must_notify());
}

#[test]
fn an_event_scheduled_from_its_own_handler_runs_again_in_the_next_batch() {
    let inbox = Inbox::<()>::new();
    let event = EventNode::new(1);
    inbox.schedule(&event, ());
    let mut batch = inbox.take_all();
    assert!(batch.next().is_some());
    assert!(inbox.schedule(&event, ()).must_notify());
    assert!(batch.next().is_none());
    assert_eq!(taken(&inbox), [Item::Event(1)]);
}

#[test]
fn a_cancelled_event_is_a_tombstone_until_drained() {
    let inbox = Inbox::<u8>::new();
    let (event, other) = (EventNode::new(1), EventNode::new(2));
    inbox.schedule(&event, ());
    inbox.schedule(&other, ());
    assert!(event.cancel());
    assert!(!event.cancel(), "it was cancelled");
    assert!(!event.is_pending());
    assert_eq!(taken(&inbox), [Item::Event(2)]);
    assert!(!other.cancel(), "it has been handed out");
}

#[test]
fn a_handler_can_cancel_what_comes_later_in_its_batch() {
    let inbox = Inbox::<u8>::new();
    let (event, later) = (EventNode::new(1), EventNode::new(2));
    inbox.schedule(&event, ());
    inbox.schedule(&later, ());
    let mut batch = inbox.take_all();
    assert!(batch.next().is_some());
    assert!(later.cancel());
    assert_eq!(batch.remaining(), 1);
    assert!(batch.next().is_none());
}

#[test]
fn a_tombstone_is_revived_in_its_place() {
    let inbox = Inbox::<u8>::new();
    let event = EventNode::new(1);
    inbox.schedule(&event, ());
    inbox.push(2, ());
    assert!(event.cancel());
    assert_eq!(inbox.schedule(&event, ()), Scheduled::Revived);
    assert_eq!(taken(&inbox), [Item::Event(1), Item::Message(2)]);
}

#[test]
fn a_retired_event_never_runs() {
    let inbox = Inbox::<u8>::new();
    let (linked, idle) = (EventNode::new(1), EventNode::new(2));
    inbox.schedule(&linked, ());
    assert!(linked.retire());
    assert!(!idle.retire());
    for event in [&linked, &idle] {
        assert_eq!(inbox.schedule(event, ()), Scheduled::Retired);
        assert!(!event.is_pending() && !event.cancel());
    }
    assert_eq!(taken(&inbox), []);
    assert_eq!(inbox.schedule(&linked, ()), Scheduled::Retired);
    assert!(inbox.is_empty());
    assert_eq!(Arc::strong_count(&linked), 1);
}

#[test]
fn what_is_left_over_goes_before_what_is_newer() {
    let inbox = Inbox::<u8>::new();
    let mut batch = Batch::empty();
    assert!(!batch.refill(&inbox));
    inbox.push(1, ());
    inbox.push(2, ());
    assert!(batch.refill(&inbox));
    assert_eq!(batch.next().map(|entry| entry.item), Some(Item::Message(1)));
    inbox.push(3, ());
    assert!(batch.refill(&inbox));
    assert_eq!(batch.next().map(|entry| entry.item), Some(Item::Message(2)));
    assert!(batch.next().is_none());
    assert!(batch.refill(&inbox));
    assert_eq!(batch.map(|entry| entry.item).collect::<Vec<_>>(), [Item::Message(3)]);
}

#[test]
fn dropping_drops_each_message_once_and_lets_events_go() {
    struct Counted(Rc<Cell<u32>>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let (dropped, event) = (Rc::new(Cell::new(0)), EventNode::new(1));
    let inbox = Inbox::<Counted>::new();
    for _ in 0..4 {
        inbox.push(Counted(Rc::clone(&dropped)), ());
    }
    inbox.schedule(&event, ());
    let mut batch = inbox.take_all();
    drop(batch.next());
    assert_eq!(dropped.get(), 1);
    drop(batch);
    assert_eq!((dropped.get(), Arc::strong_count(&event)), (4, 1));
    assert!(inbox.schedule(&event, ()).must_notify(), "dropping the batch unscheduled it");
    inbox.push(Counted(Rc::clone(&dropped)), ());
    drop(inbox);
    assert_eq!((dropped.get(), Arc::strong_count(&event)), (5, 1));
}

#[test]
fn an_event_outlives_the_handles_while_linked() {
    let inbox = Inbox::<u8>::new();
    inbox.schedule(&EventNode::new(9), ());
    assert_eq!(taken(&inbox), [Item::Event(9)]);
}

#[test]
fn a_message_stays_where_it_is_until_it_is_taken() {
    let inbox = Inbox::<String, u64>::new();
    let (event, cancelled) = (EventNode::new(7), EventNode::new(8));
    inbox.push("first".into(), 1);
    inbox.schedule(&cancelled, 2);
    inbox.schedule(&event, 3);
    inbox.push("last".into(), 4);
    cancelled.cancel();
    let mut batch = inbox.take_all();
    assert_eq!(batch.peek(), Some((Peeked::Message, 1)));
    assert_eq!(batch.peek(), Some((Peeked::Message, 1)), "still there");
    assert_eq!(batch.take_message().as_deref(), Some("first"));
    assert_eq!(batch.take_message(), None, "an event is next");
    assert_eq!(batch.peek(), Some((Peeked::Event(7), 3)), "over the one that was cancelled");
    assert!(!event.is_pending(), "taken");
    assert_eq!(batch.peek(), Some((Peeked::Message, 4)));
    drop(batch);
    let mut batch = Batch::<String, u64>::empty();
    assert_eq!((batch.peek(), batch.take_message()), (None, None));
}

#[test]
fn the_first_stamp_is_seen_and_nothing_is_taken() {
    let inbox = Inbox::<&str, u64>::new();
    let event = EventNode::new(7);
    assert!(inbox.schedule(&event, 2).must_notify());
    inbox.push("last", 3);
    let mut batch = inbox.take_all();
    assert_eq!((batch.first_stamp(), batch.first_stamp()), (Some(2), Some(2)));
    assert!(event.is_pending(), "it is still to run");
    assert_eq!(batch.next().map(|entry| entry.item), Some(Item::Event(7)));
    assert_eq!(batch.first_stamp(), Some(3));
    assert_eq!(batch.next().map(|entry| entry.item), Some(Item::Message("last")));
    assert_eq!(batch.first_stamp(), None);
}
