use super::*;

const HERE: Placement = Placement { worker: 3, generation: 0 };

fn idle() -> StateWord {
    StateWord::new(HERE.worker)
}

fn classes(of: &[Class]) -> Classes {
    of.iter().fold(Classes::NONE, |all, &class| all.with(class))
}

#[test]
fn the_first_send_schedules_and_others_coalesce() {
    let state = idle();
    assert_eq!(state.notify(Class::Routing), Action::Schedule(HERE));
    assert_eq!(state.notify(Class::Routing), Action::Nothing);
    assert_eq!(state.notify(Class::Bulk), Action::Nothing, "the entry stands high enough");
    let pending = classes(&[Class::Routing, Class::Bulk]);
    assert_eq!(state.begin_run(Class::Routing, HERE), Begin::Run(pending));
    assert!(state.is_running());
    assert_eq!(state.end_run(Classes::NONE), None);
    assert_eq!(state.notify(Class::Routing), Action::Schedule(HERE));
}

#[test]
fn a_higher_class_raises_and_the_lower_entry_finds_nothing() {
    let state = idle();
    assert_eq!(state.notify(Class::Bulk), Action::Schedule(HERE));
    assert_eq!(state.notify(Class::Liveness), Action::Raise(HERE));
    assert_eq!(state.notify(Class::Control), Action::Nothing);
    let pending = classes(&[Class::Liveness, Class::Control, Class::Bulk]);
    assert_eq!(state.begin_run(Class::Liveness, HERE), Begin::Run(pending));
    assert_eq!(state.end_run(Classes::NONE), None);
    assert_eq!(state.begin_run(Class::Bulk, HERE), Begin::Nothing);
    assert_eq!(state.notify(Class::Bulk), Action::Schedule(HERE));
}

#[test]
fn what_is_left_uses_the_entry_that_stands() {
    let state = idle();
    assert_eq!(state.notify(Class::Routing), Action::Schedule(HERE));
    assert_eq!(state.notify(Class::Liveness), Action::Raise(HERE));
    assert!(matches!(state.begin_run(Class::Liveness, HERE), Begin::Run(_)));
    assert_eq!(state.end_run(Classes::of(Class::Routing)), None);
    let pending = Classes::of(Class::Routing);
    assert_eq!(state.begin_run(Class::Routing, HERE), Begin::Run(pending));
    let left = classes(&[Class::Bulk, Class::Routing]);
    assert_eq!(state.end_run(left), Some(Class::Routing));
    assert_eq!(state.begin_run(Class::Routing, HERE), Begin::Run(left));
}

#[test]
fn what_comes_during_a_run_requeues() {
    let state = idle();
    assert_eq!(state.notify(Class::Routing), Action::Schedule(HERE));
    assert!(matches!(state.begin_run(Class::Routing, HERE), Begin::Run(_)));
    assert_eq!(state.notify(Class::Control), Action::Nothing);
    assert_eq!(state.pending(), Classes::of(Class::Control));
    assert_eq!(state.end_run(Classes::of(Class::Bulk)), Some(Class::Control));
    assert_eq!(state.notify(Class::Control), Action::Nothing);
}

#[test]
fn a_loop_does_not_run_twice_at_a_time() {
    let state = idle();
    assert_eq!(state.notify(Class::Routing), Action::Schedule(HERE));
    assert_eq!(state.enter(HERE), Begin::Run(Classes::of(Class::Routing)));
    assert_eq!(state.begin_run(Class::Routing, HERE), Begin::Nothing);
    assert_eq!(state.enter(HERE), Begin::Nothing);
    assert!(!state.begin_move());
    assert_eq!(state.end_run(Classes::NONE), None);
    assert_eq!(state.enter(HERE), Begin::Run(Classes::NONE), "a timer needs nothing pending");
    assert_eq!(state.end_run(Classes::NONE), None);
}

#[test]
fn an_entry_dropped_while_the_loop_runs_is_replaced_at_its_end() {
    let state = idle();
    assert_eq!(state.notify(Class::Routing), Action::Schedule(HERE));
    assert_eq!(state.enter(HERE), Begin::Run(Classes::of(Class::Routing)));
    assert_eq!(state.notify(Class::Routing), Action::Nothing);
    assert_eq!(state.begin_run(Class::Routing, HERE), Begin::Nothing);
    assert_eq!(state.end_run(Classes::NONE), Some(Class::Routing));
}

#[test]
fn a_move_makes_entries_stale_and_names_the_one_to_make() {
    let state = idle();
    assert_eq!(state.notify(Class::Routing), Action::Schedule(HERE));
    assert!(state.begin_move());
    assert!(!state.begin_move());
    assert_eq!(state.notify(Class::Control), Action::Nothing);
    assert_eq!(state.enter(HERE), Begin::Nothing);
    let there = Placement { worker: 9, generation: 1 };
    let moved = Moved { placement: there, requeue: Some(Class::Control) };
    assert_eq!(state.finish_move(9), moved);
    assert_eq!(state.placement(), there);
    assert_eq!(state.begin_run(Class::Routing, HERE), Begin::Stale);
    assert_eq!(state.enter(HERE), Begin::Stale);
    assert_eq!(state.notify(Class::Control), Action::Nothing);
    let pending = classes(&[Class::Control, Class::Routing]);
    assert_eq!(state.begin_run(Class::Control, there), Begin::Run(pending));
}

#[test]
fn a_move_of_an_idle_loop_makes_no_entry() {
    let state = idle();
    assert!(state.begin_move());
    assert_eq!(state.finish_move(0).requeue, None);
    let there = Placement { worker: 0, generation: 1 };
    assert_eq!(state.notify(Class::Bulk), Action::Schedule(there));
}

#[test]
fn a_closed_loop_does_nothing_any_more() {
    let state = idle();
    assert_eq!(state.notify(Class::Routing), Action::Schedule(HERE));
    assert_eq!(state.enter(HERE), Begin::Run(Classes::of(Class::Routing)));
    assert_eq!(state.notify(Class::Control), Action::Nothing);
    assert!(state.close() && !state.close() && state.is_closed());
    assert_eq!(state.end_run(Classes::ALL), None);
    assert_eq!(state.notify(Class::Liveness), Action::Closed);
    assert_eq!(state.begin_run(Class::Routing, HERE), Begin::Closed);
    assert_eq!(state.enter(HERE), Begin::Closed);
    assert!(!state.begin_move());
}

#[test]
fn sets_of_classes() {
    let set = classes(&[Class::Bulk, Class::Control]);
    assert_eq!(set.iter().collect::<Vec<_>>(), [Class::Control, Class::Bulk]);
    assert_eq!(set.highest(), Some(Class::Control));
    assert_eq!(set.without(Class::Control).highest(), Some(Class::Bulk));
    assert_eq!(Classes::NONE.highest(), None);
    assert!(set.reaches(Class::Routing) && set.reaches(Class::Control));
    assert!(!set.reaches(Class::Liveness) && !Classes::NONE.reaches(Class::Bulk));
    assert_eq!(format!("{set:?}"), "{Control, Bulk}");
}
