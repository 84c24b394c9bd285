//! The counting allocator counts to the byte. Without the usual harness: that would keep count of running tests, on a
//! thread of its own, meanwhile.

use dunlin_os::heap::Counting;

#[global_allocator]
static HEAP: Counting = Counting::new();

fn main() {
    let asked = |what| std::env::args().any(|argument| argument == what);
    if asked("--list") {
        // A runner asks for the ignored ones apart.
        if !asked("--ignored") {
            println!("what_is_in_use_is_counted_to_the_byte: test");
        }
        return;
    }
    what_is_in_use_is_counted_to_the_byte();
}

fn what_is_in_use_is_counted_to_the_byte() {
    let before = HEAP.used();
    let more = || HEAP.used() - before;
    let mut bytes = Vec::<u8>::with_capacity(1000);
    assert_eq!(more(), 1000);
    bytes.reserve_exact(5000);
    assert_eq!(more(), 5000);
    bytes.push(1);
    bytes.shrink_to(100);
    assert_eq!(more(), 100);
    let zeroed = vec![0u64; 100];
    assert_eq!(more(), 900);
    drop((bytes, zeroed));
    assert_eq!(more(), 0);
    let kept = core::hint::black_box(Box::new([0u8; 77]));
    assert_eq!(more(), 77);
    drop(kept);
    assert_eq!(more(), 0);
}
