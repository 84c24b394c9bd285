//! This process: what it uses, who it is, and becoming a daemon.
#![expect(unsafe_code, reason = "fork and the change of user")]

use std::ffi::CString;
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::ptr;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_keep_capabilities};

/// The process number.
pub fn id() -> u32 {
    std::process::id()
}

/// What of this process is in memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Residence {
    /// Everything; the system's own count.
    pub total: u64,
    /// Of that, pages of files: the program, its libraries, whatever it has mapped.
    pub files: u64,
}

/// What of this process is in memory now.
pub fn residence() -> io::Result<Residence> {
    let text = fs::read_to_string("/proc/self/statm")?;
    let bytes = |field: usize| {
        let pages = text.split(' ').nth(field).and_then(|field| field.parse::<u64>().ok());
        let pages = pages.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "odd statm"))?;
        Ok::<u64, io::Error>(pages.saturating_mul(rustix::param::page_size() as u64))
    };
    Ok(Residence { total: bytes(1)?, files: bytes(2)? })
}

/// Processor time that all threads together have used.
pub fn cpu_time() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(used.tv_sec.try_into().unwrap_or(0), used.tv_nsec.try_into().unwrap_or(0))
}

/// How many descriptors are open.
pub fn open_descriptors() -> io::Result<usize> {
    // The listing itself has one open.
    Ok(fs::read_dir("/proc/self/fd")?.count().saturating_sub(1))
}

/// Allows as many open descriptors as the hard limit does, and tells how many that is.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// The name of this machine.
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The name and the release of the system: `Linux 6.12.0`.
pub fn system() -> String {
    let system = rustix::system::uname();
    format!("{} {}", system.sysname().to_string_lossy(), system.release().to_string_lossy())
}

/// The effective user.
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The effective group.
pub fn group() -> u32 {
    rustix::process::getegid().as_raw()
}

/// The user and primary group of this name; `None` if there is no such user.
pub fn find_user(name: &str) -> io::Result<Option<(u32, u32)>> {
    let name = CString::new(name)?;
    let mut buffer = vec![0; NAME_BUFFER];
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    let mut found = ptr::null_mut();
    // SAFETY: every pointer is valid for the call, and the length is the buffer's.
    let error = unsafe {
        libc::getpwnam_r(
            name.as_ptr(),
            entry.as_mut_ptr(),
            buffer.as_mut_ptr(),
            buffer.len(),
            &raw mut found,
        )
    };
    found_or(error, found.is_null(), || {
        // SAFETY: a found entry is initialised.
        let entry = unsafe { entry.assume_init_ref() };
        (entry.pw_uid, entry.pw_gid)
    })
}

/// The group of this name; `None` if there is no such group.
pub fn find_group(name: &str) -> io::Result<Option<u32>> {
    let name = CString::new(name)?;
    let mut buffer = vec![0; NAME_BUFFER];
    let mut entry = MaybeUninit::<libc::group>::uninit();
    let mut found = ptr::null_mut();
    // SAFETY: every pointer is valid for the call, and the length is the buffer's.
    let error = unsafe {
        libc::getgrnam_r(
            name.as_ptr(),
            entry.as_mut_ptr(),
            buffer.as_mut_ptr(),
            buffer.len(),
            &raw mut found,
        )
    };
    found_or(error, found.is_null(), || {
        // SAFETY: a found entry is initialised.
        unsafe { entry.assume_init_ref() }.gr_gid
    })
}

/// Room for one entry of the user or group database.
const NAME_BUFFER: usize = 64 << 10;

fn found_or<T>(error: i32, missing: bool, read: impl FnOnce() -> T) -> io::Result<Option<T>> {
    match error {
        0 if missing => Ok(None),
        0 => Ok(Some(read())),
        libc::ENOENT | libc::ESRCH => Ok(None),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Becomes another user and group, without supplementary groups, and keeps of root's powers only those a
/// routing daemon needs: network administration, raw sockets and low ports. To be called before threads are
/// started, since capabilities belong to a thread.
pub fn switch_user(user: u32, group: u32) -> io::Result<()> {
    let powerful = rustix::process::geteuid().is_root() && user != 0;
    if powerful {
        set_keep_capabilities(true)?;
    }
    if rustix::process::geteuid().is_root() {
        // SAFETY: an empty list of groups is valid.
        check(unsafe { libc::setgroups(0, ptr::null()) })?;
    }
    // SAFETY: changes no memory.
    check(unsafe { libc::setgid(group) })?;
    // SAFETY: changes no memory.
    check(unsafe { libc::setuid(user) })?;
    if powerful {
        let keep =
            CapabilitySet::NET_ADMIN | CapabilitySet::NET_RAW | CapabilitySet::NET_BIND_SERVICE;
        // A container may have withheld some already.
        let keep = keep & rustix::thread::capabilities(None)?.permitted;
        let inheritable = CapabilitySet::empty();
        set_capabilities(None, CapabilitySets { effective: keep, permitted: keep, inheritable })?;
        set_keep_capabilities(false)?;
    }
    Ok(())
}

/// The daemon's side of [`daemonize`].
#[derive(Debug)]
pub struct Starting {
    parent: OwnedFd,
}

/// Goes to the background: continues in a child of its own session with `/` as directory. The parent waits
/// until the child calls [`Starting::ready`] and then exits with 0; if the child ends before, with 1. So an
/// error while starting still reaches the terminal and the caller's exit status.
///
/// To be called while the process has one thread; more is [`io::ErrorKind::Unsupported`].
pub fn daemonize() -> io::Result<Starting> {
    if fs::read_dir("/proc/self/task").map_or(1, Iterator::count) > 1 {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "cannot fork with several threads"));
    }
    let (wait, parent) = pipe_with(PipeFlags::CLOEXEC)?;
    // SAFETY: there is one thread, so the child's memory is consistent.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(wait);
            rustix::process::setsid()?;
            rustix::process::chdir("/")?;
            Ok(Starting { parent })
        }
        _ => {
            drop(parent);
            let mut byte = [0];
            let ready = loop {
                match rustix::io::read(&wait, &mut byte) {
                    Err(rustix::io::Errno::INTR) => {}
                    result => break result.is_ok_and(|count| count == 1),
                }
            };
            // SAFETY: ends the process without running the child's destructors twice.
            unsafe { libc::_exit(i32::from(!ready)) }
        }
    }
}

impl Starting {
    /// The daemon works: lets go of the terminal and of the waiting parent.
    pub fn ready(self) -> io::Result<()> {
        let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        rustix::stdio::dup2_stdin(&null)?;
        rustix::stdio::dup2_stdout(&null)?;
        rustix::stdio::dup2_stderr(&null)?;
        rustix::io::write(&self.parent, &[1])?;
        Ok(())
    }
}

fn check(result: i32) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_user_zero() {
        assert_eq!(find_user("root").unwrap(), Some((0, 0)));
        assert_eq!(find_group("root").unwrap(), Some(0));
        assert_eq!(find_user("no such user").unwrap(), None);
    }

    #[test]
    fn usage_is_counted() {
        let residence = residence().unwrap();
        assert!(residence.total > residence.files + 100_000, "{residence:?}");
        assert!(residence.files > 100_000, "{residence:?}");
        assert!(!hostname().is_empty());
        assert!(open_descriptors().unwrap() >= 3);
    }
}
