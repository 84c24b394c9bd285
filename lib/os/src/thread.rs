//! Operating system threads.

use std::io;
use std::thread::{Builder, JoinHandle};

use crate::clock;

/// Starts a thread. The kernel keeps the first 15 bytes of `name`. `stack` is in bytes, `None` for the
/// default. The thread gets a signal stack large enough for the crash hook.
pub fn spawn<R: Send + 'static>(
    name: &str,
    stack: Option<usize>,
    body: impl FnOnce() -> R + Send + 'static,
) -> io::Result<JoinHandle<R>> {
    let mut builder = Builder::new().name(name.to_owned());
    if let Some(stack) = stack {
        builder = builder.stack_size(stack);
    }
    builder.spawn(move || {
        // Without it a crash is still reported, on the smaller stack the standard library provides.
        let _stack = crate::crash::SignalStack::install();
        body()
    })
}

/// The kernel's number of the calling thread, as `top` and `perf` show it.
pub fn id() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}

/// Processor time the calling thread has used, in nanoseconds.
pub fn cpu_time() -> u64 {
    clock::thread_cpu()
}

/// How many processors this process may use, by affinity and control group; at least 1.
pub fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_its_own_id_and_time() {
        let here = id();
        let (there, used) = spawn("worker-7", None, || {
            let before = cpu_time();
            let mut sum = 0u64;
            while cpu_time() - before < 1_000_000 {
                sum = sum.wrapping_add(1);
            }
            (id(), cpu_time() + (sum & 1))
        })
        .unwrap()
        .join()
        .unwrap();
        assert_ne!(here, there);
        assert!(used >= 1_000_000);
    }
}
