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
    let mut attributes = attributes()?;
    if !matches!(attributes.sched_policy as i32, libc::SCHED_OTHER | libc::SCHED_BATCH) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    attributes.size = SIZE;
    attributes.sched_runtime = u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX);
    // SAFETY: the pointer is valid for `size` bytes, which the kernel reads, and 0 is the calling thread.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw mut attributes, 0) })
}

const SIZE: u32 = size_of::<libc::sched_attr>() as u32;

/// How the kernel schedules the calling thread.
fn attributes() -> io::Result<libc::sched_attr> {
    // SAFETY: all zeroes is a valid value of this structure of numbers.
    let mut attributes: libc::sched_attr = unsafe { mem::zeroed() };
    let place = &raw mut attributes;
    // SAFETY: the pointer is valid for `SIZE` bytes, and 0 is the calling thread.
    check(unsafe { libc::syscall(libc::SYS_sched_getattr, 0, place, SIZE, 0) })?;
    Ok(attributes)
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

    /// Runs something in a thread of a policy, whatever that of the test is; what the kernel says if
    /// the thread may not have it.
    fn with_policy(policy: i32, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = std::thread::spawn(move || {
            let param = libc::sched_param { sched_priority: 0 };
            // SAFETY: the pointer is valid, and 0 is the calling thread.
            check(unsafe { libc::sched_setscheduler(0, policy, &raw const param) }.into())?;
            body();
            Ok(())
        });
        thread.join().unwrap()
    }

    #[test]
    fn a_slice_is_set_and_the_rest_stays() {
        let set = || {
            let before = attributes().unwrap();
            set_slice(Duration::from_micros(200)).unwrap();
            let after = attributes().unwrap();
            let rest = |one: libc::sched_attr| (one.sched_policy, one.sched_nice, one.sched_flags);
            assert_eq!(rest(after), rest(before));
            // Kernels before 6.12 know of none.
            assert!([0, 200_000].contains(&after.sched_runtime), "{}", after.sched_runtime);
        };
        for policy in [libc::SCHED_OTHER, libc::SCHED_BATCH] {
            match with_policy(policy, set) {
                // A test of the idle policy stays there unless it may raise its priority.
                Err(error) if attributes().unwrap().sched_policy == libc::SCHED_IDLE as u32 => {
                    assert_eq!(error.raw_os_error(), Some(libc::EPERM));
                    println!("not tested: the policy of this process is SCHED_IDLE and stays it");
                }
                result => result.unwrap(),
            }
        }
    }

    #[test]
    fn who_runs_when_nobody_else_does_has_no_slice() {
        let set = || {
            let error = set_slice(Duration::from_micros(200)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        };
        with_policy(libc::SCHED_IDLE, set).unwrap();
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
