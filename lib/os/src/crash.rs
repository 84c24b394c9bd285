//! What happens when the process dies of a signal: a hook writes what it knows with nothing but `write(2)`,
//! then the signal takes its normal course, core file included.
#![expect(unsafe_code, reason = "signal handlers and their stacks")]

mod frames;
mod writer;

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::panic::PanicHookInfo;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub use self::frames::{write_address, write_backtrace, write_builds};
pub use self::writer::{Writer, has_output, set_output};

/// The signals that end the process with a report.
pub const SIGNALS: [i32; 5] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGABRT, libc::SIGFPE];

/// What is known of a fatal signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crash {
    /// The signal's number.
    pub signal: i32,
    /// Why it was sent (`si_code`); positive from the processor or kernel.
    pub code: i32,
    /// The address that faulted; meaningless for `SIGABRT`.
    pub address: usize,
    /// The instruction that faulted; 0 where the processor's context is not known here.
    pub instruction: usize,
    /// The kernel's number of the thread.
    pub thread: u32,
}

impl Crash {
    /// The signal's name.
    pub const fn name(&self) -> &'static str {
        match self.signal {
            libc::SIGSEGV => "SIGSEGV",
            libc::SIGBUS => "SIGBUS",
            libc::SIGILL => "SIGILL",
            libc::SIGABRT => "SIGABRT",
            libc::SIGFPE => "SIGFPE",
            _ => "signal",
        }
    }
}

/// Called in the signal handler, on the thread that crashed: it must be async-signal-safe, so no allocation,
/// no lock, no formatting with the standard library, only reads of memory and the [`Writer`].
pub type Hook = fn(&Crash, &mut Writer);

/// Calls `hook` for a fatal signal in any thread of this process, and gives the calling thread a signal stack
/// for ever. Once per process: a second call is [`io::ErrorKind::AlreadyExists`].
pub fn install(hook: Hook) -> io::Result<()> {
    if HOOK.set(hook).is_err() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a crash hook is installed"));
    }
    if let Some(stack) = SignalStack::install() {
        std::mem::forget(stack);
    }
    frames::prepare();
    SIGNALS.iter().try_for_each(|signal| set_handler(*signal, true))
}

/// Calls `hook` after the hooks installed before it, whenever a thread panics. Here everything is allowed that
/// is allowed in a panic hook.
pub fn on_panic(hook: fn(&PanicHookInfo<'_>, &mut Writer)) {
    let earlier = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        earlier(info);
        hook(info, &mut Writer::new());
    }));
}

/// The hook, set once before the handlers that read it are installed.
static HOOK: OnceLock<Hook> = OnceLock::new();

/// The thread that reports, 0 while nobody does. The first to crash swaps its number in; the others read it
/// and wait for the process to end. Relaxed: it publishes nothing.
static REPORTING: AtomicU32 = AtomicU32::new(0);

extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let thread = crate::thread::id();
    match REPORTING.compare_exchange(0, thread, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => {
            // SAFETY: the kernel passes a valid siginfo to a handler installed with SA_SIGINFO.
            let info = unsafe { &*info };
            let code = info.si_code;
            // SAFETY: reading the union's address is sound for every signal, if not always meaningful.
            let address = unsafe { info.si_addr() } as usize;
            let instruction = instruction(context);
            if let Some(hook) = HOOK.get() {
                hook(&Crash { signal, code, address, instruction, thread }, &mut Writer::new());
            }
        }
        // The hook itself crashed: give up at once.
        Err(reporting) if reporting == thread => {}
        Err(_) => loop {
            // SAFETY: waits for a signal; has no other effect.
            unsafe { libc::pause() };
        },
    }
    let _ = set_handler(signal, false);
    // The signal is blocked until this handler returns and then kills the process; a fault would do so too,
    // by happening again.
    // SAFETY: raise is async-signal-safe.
    unsafe { libc::raise(signal) };
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn instruction(context: *mut c_void) -> usize {
    let context: *const libc::ucontext_t = context.cast();
    // SAFETY: the kernel passes a valid context to a handler installed with SA_SIGINFO.
    unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize] as usize }
}

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
fn instruction(context: *mut c_void) -> usize {
    let context: *const libc::ucontext_t = context.cast();
    // SAFETY: the kernel passes a valid context to a handler installed with SA_SIGINFO.
    unsafe { (*context).uc_mcontext.pc as usize }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn instruction(_context: *mut c_void) -> usize {
    0
}

fn set_handler(signal: c_int, ours: bool) -> io::Result<()> {
    // SAFETY: zero is a valid sigaction: default action, empty mask, no flags.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    if ours {
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = handle;
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    }
    // SAFETY: `action` is complete, and `handle` is async-signal-safe as its hook promises to be.
    match unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A stack for signal handlers, so that a thread that overflowed its own can still be reported. Belongs to the
/// thread that installed it and is taken away when dropped there.
#[derive(Debug)]
pub struct SignalStack {
    at: *mut c_void,
    earlier: libc::stack_t,
}

impl SignalStack {
    const SIZE: usize = 64 << 10;

    /// Gives the calling thread a signal stack; `None` if there is no memory for it.
    pub fn install() -> Option<Self> {
        let (access, flags) = (
            rustix::mm::ProtFlags::READ | rustix::mm::ProtFlags::WRITE,
            rustix::mm::MapFlags::PRIVATE,
        );
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let at =
            unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), Self::SIZE, access, flags).ok()? };
        let stack = libc::stack_t { ss_sp: at, ss_flags: 0, ss_size: Self::SIZE };
        let mut earlier = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: 0, ss_size: 0 };
        // SAFETY: the mapping is ours and stays until this value is dropped, which first removes it.
        if unsafe { libc::sigaltstack(&raw const stack, &raw mut earlier) } != 0 {
            unmap(at, Self::SIZE);
            return None;
        }
        Some(Self { at, earlier })
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        // SAFETY: gives back what the kernel reported before; it outlives us as it was installed first. The
        // type is not Send, so this is the same thread.
        let restored = unsafe { libc::sigaltstack(&raw const self.earlier, ptr::null_mut()) };
        if restored == 0 {
            unmap(self.at, Self::SIZE);
        }
    }
}

fn unmap(at: *mut c_void, size: usize) {
    // SAFETY: both callers own this mapping and do not use it again.
    let _ = unsafe { rustix::mm::munmap(at, size) };
}
