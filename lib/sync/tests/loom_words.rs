//! Published words under the model checker.
#![cfg(loom)]

use dunlin_sync::prim::{Arc, AtomicU64, thread};
use dunlin_sync::words::{Words, publish};

#[test]
fn a_header_with_its_magic_is_complete() {
    loom::model(|| {
        let memory: Arc<Vec<_>> = Arc::new((0..3).map(|_| AtomicU64::new(0)).collect());
        let reader = {
            let memory = memory.clone();
            thread::spawn(move || {
                let mut header = [0; 3];
                assert!(memory.as_slice().read(0, &mut header));
                header
            })
        };
        publish(&memory, &[1, 2, 3]);
        let header = reader.join().unwrap();
        assert!(header[0] == 0 || header == [1, 2, 3], "{header:?}");
    });
}
