//! Operating system threads.
#![expect(unsafe_code, reason = "scheduling attributes, which no safe wrapper has")]

use std::io;
use std::mem;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

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

/// Asks the kernel to give the calling thread the processor for this long at a time, at most: woken, it
/// then comes before threads that would keep it for longer. Its share stays the same. Linux 6.12 and
/// newer heed it, from 0.1 ms to 100 ms; older kernels ignore it.
///
/// # Errors
/// If the thread has a policy that knows no such wish (real time), or the kernel refuses.
pub fn set_slice(slice: Duration) -> io::Result<()> {
    let size = size_of::<libc::sched_attr>() as u32;
    let (get, set) = (libc::SYS_sched_getattr, libc::SYS_sched_setattr);
    // SAFETY: all zeroes is a valid value of this structure of numbers.
    let mut attributes: libc::sched_attr = unsafe { mem::zeroed() };
    // SAFETY: the pointer is valid for `size` bytes, and 0 is the calling thread.
    check(unsafe { libc::syscall(get, 0, &raw mut attributes, size, 0) })?;
    if !matches!(attributes.sched_policy as i32, libc::SCHED_OTHER | libc::SCHED_BATCH) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    attributes.size = size;
    attributes.sched_runtime = u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX);
    // SAFETY: as above; the kernel only reads.
    check(unsafe { libc::syscall(set, 0, &raw mut attributes, 0) })
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// How many processors this process may use, by affinity and control group; at least 1.
pub fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_is_set_and_the_rest_stays() {
        let attributes = || {
            let text = std::fs::read_to_string(format!("/proc/self/task/{}/stat", id())).unwrap();
            let fields = text.rsplit(')').next().unwrap().split(' ').map(str::to_owned);
            fields.collect::<Vec<_>>()
        };
        let nice = |fields: Vec<String>| fields[17].clone();
        let before = nice(attributes());
        set_slice(Duration::from_micros(200)).unwrap();
        assert_eq!(nice(attributes()), before);
    }

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
