//! What the system says of this process and its threads.

use std::{collections::HashMap, fs, time::Duration};

/// Processor time of the calling thread.
pub fn thread_time() -> Duration {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Processor time of all threads.
pub fn process_time() -> Duration {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn clock(which: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for a write.
    assert_eq!(unsafe { libc::clock_gettime(which, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Processor time of each thread of this process whose name begins so, by its number. Exact for those
/// that sleep.
pub fn thread_times(name: &str) -> HashMap<String, Duration> {
    let mut times = HashMap::new();
    for task in fs::read_dir("/proc/self/task").expect("threads").flatten() {
        let read = |file: &str| fs::read_to_string(task.path().join(file));
        // One that has ended meanwhile has none.
        let (Ok(comm), Ok(times_of)) = (read("comm"), read("schedstat")) else { continue };
        if comm.starts_with(name) {
            let nanos = times_of.split(' ').next().and_then(|field| field.parse().ok());
            let thread = task.file_name().to_string_lossy().into_owned();
            times.insert(thread, Duration::from_nanos(nanos.expect("a number")));
        }
    }
    times
}

/// Memory in use by this process alone, in bytes.
pub fn memory() -> usize {
    let text = fs::read_to_string("/proc/self/smaps_rollup").expect("smaps_rollup");
    let private = |line: &&str| line.starts_with("Private_");
    let kilobytes = |line: &str| line.split_whitespace().nth(1)?.parse::<usize>().ok();
    text.lines().filter(private).filter_map(kilobytes).sum::<usize>() * 1024
}

/// Open descriptors.
pub fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("descriptors").count()
}

/// Threads.
pub fn threads() -> usize {
    fs::read_dir("/proc/self/task").expect("threads").count()
}

/// Allows as many descriptors as the system lets us have.
pub fn raise_descriptor_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for a write.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) }, 0);
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is valid for a read.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
}

/// Calculates for so long.
pub fn burn(span: Duration) {
    let start = std::time::Instant::now();
    while start.elapsed() < span {
        std::hint::spin_loop();
    }
}
