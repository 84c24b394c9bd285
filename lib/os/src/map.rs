//! Pages shared with a file, so that what is written survives the process, however it dies.
#![expect(unsafe_code, reason = "maps memory")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use rustix::fs::{FallocateFlags, FlockOperation};
use rustix::mm::{MapFlags, ProtFlags};

/// Mapped zeroed memory, seen as atomic words.
///
/// The file is locked while the region lives, so nobody who asks [`MappedRegion::create`] takes it away;
/// a process that shortens it by other means turns later accesses into `SIGBUS`.
#[derive(Debug)]
pub struct MappedRegion {
    at: NonNull<AtomicU64>,
    words: usize,
    /// Keeps the lock; `None` for anonymous memory.
    file: Option<File>,
}

// SAFETY: the region is memory owned by this value until drop and reached only as atomics.
unsafe impl Send for MappedRegion {}
// SAFETY: as above; `&MappedRegion` gives only `&[AtomicU64]`.
unsafe impl Sync for MappedRegion {}

impl MappedRegion {
    /// Maps a new file of `bytes` bytes (rounded up to pages) at `path`, readable by its owner only. What a dead
    /// process left at `path` is given to `retire`, which is to move it away; a file that a living process
    /// has mapped is [`io::ErrorKind::ResourceBusy`]. The first `reserve` bytes are allocated at once, so
    /// that a full file system is an error here and not a signal later; see [`MappedRegion::reserve`].
    ///
    /// Any number of processes may do this at the same time with the same path: one has it, the others are told
    /// that it is busy.
    pub fn create(
        path: &Path,
        bytes: usize,
        reserve: usize,
        retire: impl Fn(&Path) -> io::Result<()>,
    ) -> io::Result<Self> {
        let bytes = pages(bytes)?;
        // Complete and locked before it has its name: nobody ever sees one that is neither.
        let new = with_suffix(path, &format!(".new-{}", rustix::process::getpid().as_raw_pid()));
        let _ = std::fs::remove_file(&new);
        let result = Self::create_at(&new, bytes, reserve).and_then(|region| {
            take_place(path, &new, retire)?;
            Ok(region)
        });
        let _ = std::fs::remove_file(&new);
        result
    }

    fn create_at(path: &Path, bytes: usize, reserve: usize) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
            .open(path)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Self::map_new(file, bytes, reserve)
    }

    /// Maps `bytes` bytes (rounded up to pages) that die with the process.
    pub fn anonymous(bytes: usize) -> io::Result<Self> {
        let bytes = pages(bytes)?;
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let at = unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), bytes, access, flags)? };
        Self::from_raw(at.cast(), bytes, None)
    }

    /// Allocates the file's pages behind `bytes` bytes from word `first`, so that touching them cannot fail.
    pub fn reserve(&self, first: usize, bytes: usize) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let start = first.saturating_mul(8) as u64;
        match rustix::fs::fallocate(file, FallocateFlags::empty(), start, bytes as u64) {
            // A file system without allocation in advance, as some network ones are.
            Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
            result => Ok(result?),
        }
    }

    /// The memory.
    #[inline]
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: `at` points to `words` zero-initialised, aligned words that stay mapped while `self` lives;
        // a shared mapping may change under us, which atomics allow.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.words) }
    }

    /// Whether the memory outlives the process.
    pub fn is_file(&self) -> bool {
        self.file.is_some()
    }

    fn map_new(file: File, bytes: usize, reserve: usize) -> io::Result<Self> {
        file.set_len(bytes as u64)?;
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let at = unsafe { rustix::mm::mmap(std::ptr::null_mut(), bytes, access, flags, &file, 0)? };
        let region = Self::from_raw(at.cast(), bytes, Some(file))?;
        region.reserve(0, reserve.min(bytes))?;
        Ok(region)
    }

    fn from_raw(at: *mut AtomicU64, bytes: usize, file: Option<File>) -> io::Result<Self> {
        let at = NonNull::new(at).ok_or(rustix::io::Errno::NOMEM)?;
        Ok(Self { at, words: bytes / 8, file })
    }
}

impl Drop for MappedRegion {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, of exactly this length, and no reference to it outlives `self`.
        let _ = unsafe { rustix::mm::munmap(self.at.as_ptr().cast(), self.words * 8) };
    }
}

/// Whether the process that mapped the file at `path` still lives.
pub fn is_mapped(path: &Path) -> io::Result<bool> {
    Ok(is_locked(&File::open(path)?))
}

/// A directory in memory for files that shall survive the process: `XDG_RUNTIME_DIR` of an ordinary user,
/// `/run` for root, else `/dev/shm`, else the directory for temporary files.
pub fn directory() -> PathBuf {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let run = rustix::process::geteuid().is_root().then(|| PathBuf::from("/run"));
    let usable = |path: &PathBuf| {
        path.is_absolute() && rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
    };
    [run, own, Some(PathBuf::from("/dev/shm"))]
        .into_iter()
        .flatten()
        .find(usable)
        .unwrap_or_else(std::env::temp_dir)
}

/// Gives the file `new` the name `path` too, unless a living process has that; what a dead one has left there is
/// retired first.
fn take_place(path: &Path, new: &Path, retire: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    for _ in 0..TRIES {
        if let Some(old) = claim_old(path)? {
            retire(path)?;
            drop(old);
        }
        match std::fs::hard_link(new, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result,
        }
    }
    Err(busy(path))
}

/// How often a place is tried that others take and leave meanwhile.
const TRIES: usize = 16;

/// The lock of what an earlier process left at `path`: who has it may move the file. `None` if nothing is there.
fn claim_old(path: &Path) -> io::Result<Option<File>> {
    let options = libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK;
    let old = match OpenOptions::new().read(true).custom_flags(options).open(path) {
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = old.metadata()?;
    if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() {
        let message = format!("{} is not a file of ours", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    if rustix::fs::flock(&old, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(busy(path));
    }
    // Another process may have moved it between our opening and our locking it.
    let same = std::fs::symlink_metadata(path)
        .is_ok_and(|now| (now.dev(), now.ino()) == (metadata.dev(), metadata.ino()));
    Ok(same.then_some(old))
}

fn busy(path: &Path) -> io::Error {
    let message = format!("{} belongs to a running process", path.display());
    io::Error::new(io::ErrorKind::ResourceBusy, message)
}

/// Moves `path` to `path.1`, what was there to `path.2`, and so on; what would be beyond `path.keep` is
/// removed. With `keep` 0, `path` itself is. A file that is not there is no error.
pub fn rotate(path: &Path, keep: u32) -> io::Result<()> {
    let place = |number: u32| match number {
        0 => path.to_owned(),
        _ => with_suffix(path, &format!(".{number}")),
    };
    let absent = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    };
    std::fs::remove_file(place(keep)).or_else(absent)?;
    for number in (0..keep).rev() {
        std::fs::rename(place(number), place(number + 1)).or_else(absent)?;
    }
    Ok(())
}

/// The path with something behind its last part.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut longer = path.as_os_str().to_owned();
    longer.push(suffix);
    longer.into()
}

fn is_locked(file: &File) -> bool {
    rustix::fs::flock(file, FlockOperation::NonBlockingLockShared).is_err()
}

fn pages(bytes: usize) -> io::Result<usize> {
    let page = rustix::param::page_size();
    bytes
        .max(1)
        .checked_next_multiple_of(page)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "region too large"))
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::Ordering;

    use super::*;

    fn path(name: &str) -> PathBuf {
        directory().join(format!("dunlin-os-map-{name}-{}", std::process::id()))
    }

    fn keep_one(path: &Path) -> io::Result<()> {
        rotate(path, 1)
    }

    fn create(path: &Path, bytes: usize) -> io::Result<MappedRegion> {
        MappedRegion::create(path, bytes, bytes, keep_one)
    }

    fn remove(path: &Path) {
        let _ = std::fs::remove_file(path);
        let _ = std::fs::remove_file(with_suffix(path, ".1"));
    }

    #[test]
    fn what_is_written_is_in_the_file() {
        let path = path("written");
        let region = create(&path, 5000).unwrap();
        assert_eq!(region.words().len(), 1024);
        assert!(region.words().iter().all(|word| word.load(Ordering::Relaxed) == 0));
        region.words()[1000].store(0x0123_4567_89ab_cdef, Ordering::Relaxed);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes[8000..8008], 0x0123_4567_89ab_cdef_u64.to_ne_bytes());
        drop(region);
        remove(&path);
    }

    #[test]
    fn a_file_in_use_is_refused_and_an_old_one_is_kept() {
        let path = path("kept");
        let first = create(&path, 100).unwrap();
        first.words()[0].store(7, Ordering::Relaxed);
        assert!(is_mapped(&path).unwrap());
        let error = create(&path, 100).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        drop(first);
        assert!(!is_mapped(&path).unwrap());
        let second = create(&path, 100).unwrap();
        assert_eq!(second.words()[0].load(Ordering::Relaxed), 0);
        let old = with_suffix(&path, ".1");
        assert_eq!(std::fs::read(&old).unwrap()[..8], 7u64.to_ne_bytes());
        remove(&path);
    }

    #[test]
    fn of_many_that_come_at_once_one_has_the_place() {
        let path = path("race");
        // A dead process's file is there, so that each also has to move something away.
        drop(create(&path, 100).unwrap());
        for _ in 0..20 {
            let barrier = Barrier::new(4);
            let outcomes: Vec<_> = std::thread::scope(|scope| {
                let one = || {
                    // Each with another name for what it makes, as processes have.
                    barrier.wait();
                    let new =
                        with_suffix(&path, &format!(".new-{:?}", std::thread::current().id()));
                    let region = MappedRegion::create_at(&new, 4096, 4096).unwrap();
                    let taken = take_place(&path, &new, keep_one).map(|()| region);
                    std::fs::remove_file(&new).unwrap();
                    taken
                };
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let busy = |error: &io::Error| error.kind() == io::ErrorKind::ResourceBusy;
            assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
            assert!(outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).all(busy));
            assert!(is_mapped(&path).unwrap());
        }
        remove(&path);
    }

    #[test]
    fn so_many_are_kept_as_said() {
        let path = path("rotated");
        let numbered = |number: u32| with_suffix(&path, &format!(".{number}"));
        for number in 0..5 {
            std::fs::write(&path, [number]).unwrap();
            rotate(&path, 3).unwrap();
            assert!(!path.exists());
        }
        let kept = [1, 2, 3].map(|number| std::fs::read(numbered(number)).unwrap());
        assert_eq!(kept, [[4], [3], [2]]);
        assert!(!numbered(4).exists());
        std::fs::write(&path, [9]).unwrap();
        rotate(&path, 0).unwrap();
        assert!(!path.exists());
        (1..4).for_each(|number| std::fs::remove_file(numbered(number)).unwrap());
    }

    #[test]
    fn a_link_is_not_followed() {
        let path = path("link");
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        create(&path, 100).unwrap_err();
        assert!(path.is_symlink());
        remove(&path);
    }

    #[test]
    fn a_full_file_system_is_an_error() {
        let path = path("full");
        // More than any machine has; the file is gone again afterwards.
        create(&path, 1 << 46).unwrap_err();
        assert!(!path.exists());
    }

    #[test]
    fn anonymous_memory_is_zero_and_writable() {
        let region = MappedRegion::anonymous(1 << 20).unwrap();
        assert!(!region.is_file());
        region.reserve(0, 1 << 20).unwrap();
        region.words()[131_071].store(1, Ordering::Relaxed);
        assert_eq!(region.words()[0].load(Ordering::Relaxed), 0);
    }
}
