//! Output that is allowed in a signal handler.

use std::ffi::c_int;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

/// Where reports go: a descriptor that is never closed. Written by [`set_output`], read in the handler;
/// release and acquire, so that the file is open before its number is seen.
static OUTPUT: AtomicI32 = AtomicI32::new(libc::STDERR_FILENO);

/// Whether reports go elsewhere than to standard error.
pub fn has_output() -> bool {
    OUTPUT.load(Ordering::Acquire) != libc::STDERR_FILENO
}

/// Sends later reports to `fd`, for a daemon without standard error. The descriptor stays open for ever.
pub fn set_output(fd: OwnedFd) {
    OUTPUT.store(fd.as_raw_fd(), Ordering::Release);
    std::mem::forget(fd);
}

/// Text for a descriptor through a small buffer: no allocation, no lock, no system call but `write`.
/// What cannot be written is lost. Flushed when dropped.
#[derive(Debug)]
pub struct Writer {
    fd: c_int,
    length: usize,
    buffer: [u8; 512],
}

impl Writer {
    /// To where crash reports go: standard error or what [`set_output`] said.
    #[expect(clippy::new_without_default, reason = "it opens an output, it is no empty value")]
    pub fn new() -> Self {
        Self::with_fd(OUTPUT.load(Ordering::Acquire))
    }

    /// To standard error, wherever reports go.
    pub fn stderr() -> Self {
        Self::with_fd(libc::STDERR_FILENO)
    }

    fn with_fd(fd: c_int) -> Self {
        Self { fd, length: 0, buffer: [0; 512] }
    }

    /// Adds bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        for byte in bytes {
            if self.length == self.buffer.len() {
                self.flush();
            }
            if let Some(place) = self.buffer.get_mut(self.length) {
                *place = *byte;
                self.length += 1;
            }
        }
        self
    }

    /// Adds text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Adds a decimal number.
    pub fn decimal(&mut self, value: u64) -> &mut Self {
        self.padded(value, 1)
    }

    /// Adds a decimal number with zeros in front, `width` digits at least and 20 at most.
    pub fn padded(&mut self, mut value: u64, width: usize) -> &mut Self {
        let mut digits = [b'0'; 20];
        let mut used = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (value % 10) as u8;
            value /= 10;
            used += 1;
            if value == 0 && used >= width {
                break;
            }
        }
        self.bytes(digits.get(20 - used..).unwrap_or_default())
    }

    /// Adds a hexadecimal number with `0x` in front.
    pub fn hex(&mut self, value: u64) -> &mut Self {
        self.text("0x");
        let digits = (64 - value.leading_zeros()).div_ceil(4).max(1);
        for digit in (0..digits).rev() {
            let nibble = (value >> (4 * digit)) as usize & 15;
            self.bytes(b"0123456789abcdef".get(nibble..=nibble).unwrap_or_default());
        }
        self
    }

    /// Adds a hexadecimal number of 16 digits, with nothing in front.
    pub fn hex_padded(&mut self, value: u64) -> &mut Self {
        for digit in (0..16).rev() {
            let nibble = (value >> (4 * digit)) as usize & 15;
            self.bytes(b"0123456789abcdef".get(nibble..=nibble).unwrap_or_default());
        }
        self
    }

    /// Writes what the buffer holds.
    pub fn flush(&mut self) {
        let mut rest = self.buffer.get(..self.length).unwrap_or_default();
        while !rest.is_empty() {
            match write(self.fd, rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => break,
            }
        }
        self.length = 0;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.flush();
    }
}

fn write(fd: c_int, bytes: &[u8]) -> rustix::io::Result<usize> {
    if fd < 0 {
        return Err(rustix::io::Errno::BADF);
    }
    // SAFETY: the descriptor is standard error or was given away for ever; it is used for this call only.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    rustix::io::write(fd.as_fd(), bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(fill: impl FnOnce(&mut Writer)) -> String {
        let (read, write) = rustix::pipe::pipe().unwrap();
        let mut writer = Writer::with_fd(write.as_raw_fd());
        fill(&mut writer);
        drop(writer);
        drop(write);
        std::io::read_to_string(std::fs::File::from(read)).unwrap()
    }

    #[test]
    fn numbers_are_written_whole() {
        let text = written(|w| {
            w.decimal(0).text(" ").decimal(u64::MAX).text(" ").padded(7, 3);
            w.text(" ").hex(0).text(" ").hex(0xdead_beef).text(" ").hex(u64::MAX);
        });
        assert_eq!(text, "0 18446744073709551615 007 0x0 0xdeadbeef 0xffffffffffffffff");
    }

    #[test]
    fn more_than_the_buffer_is_written() {
        let long = "x".repeat(2000);
        assert_eq!(written(|w| _ = w.text(&long)), long);
    }
}
