//! Two network namespaces joined by a veth pair: the daemon in one, the
//! speakers in the other, so that next hops are on-link and nothing leaves.

use anyhow::{Context, Result, bail};
use std::ffi::CString;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::Command;

pub const DUT_NS: &str = "bgpload-dut";
pub const LOAD_NS: &str = "bgpload-gen";
pub const DUT: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
pub const DUT6: Ipv6Addr = Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 1);

/// The address of speaker `i`.
pub fn speaker(i: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 99, 128 + (i / 250) as u8, 1 + (i % 250) as u8)
}

pub fn speaker6(i: usize) -> Ipv6Addr {
    Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 1, i as u16)
}

/// The AS of speaker `i`: two bytes and four bytes in turn.
pub fn speaker_as(i: usize) -> u32 {
    if i.is_multiple_of(2) { 64520 + i as u32 / 2 } else { 4_200_000_000 + i as u32 }
}

/// Moves the calling thread into a namespace; safe between fork and exec.
pub fn enter(ns: &str) -> io::Result<()> {
    let path = CString::new(format!("/run/netns/{ns}"))?;
    // SAFETY: `path` ends with a zero; the descriptor is this function's own.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if fd < 0 || libc::setns(fd, libc::CLONE_NEWNET) < 0 {
            return Err(io::Error::last_os_error());
        }
        libc::close(fd);
    }
    Ok(())
}

/// Waits until no other run uses the namespaces; they are this one's until it ends.
pub fn take_turn() -> Result<std::fs::File> {
    let lock = std::fs::File::create(std::env::temp_dir().join("bgpload.lock"))?;
    if lock.try_lock().is_err() {
        eprintln!("waiting for another run to end");
        lock.lock()?;
    }
    Ok(lock)
}

/// Creates the namespaces unless they are there.
pub fn set_up() -> Result<()> {
    if std::path::Path::new("/run/netns").join(LOAD_NS).exists() {
        return Ok(());
    }
    let (d, l) = (DUT_NS, LOAD_NS);
    for cmd in [
        format!("netns add {d}"),
        format!("netns add {l}"),
        format!("link add veth0 netns {d} type veth peer name veth0 netns {l}"),
        format!("-n {d} link set lo up"),
        format!("-n {l} link set lo up"),
        format!("-n {d} addr add {DUT}/16 dev veth0"),
        format!("-n {d} addr add {DUT6}/64 dev veth0 nodad"),
        format!("-n {l} addr add 10.99.0.2/16 dev veth0"),
        format!("-n {l} addr add fd99::2/64 dev veth0 nodad"),
        format!("-n {d} link set veth0 up"),
        format!("-n {l} link set veth0 up"),
        // Every address of this range is the generator's.
        format!("-n {l} route add local 10.99.128.0/17 dev lo"),
        format!("-n {l} route add local fd99::1:0/112 dev lo"),
    ] {
        let status = Command::new("ip").args(cmd.split_whitespace()).status().context("ip")?;
        if !status.success() {
            bail!("ip {cmd} failed");
        }
    }
    Ok(())
}

pub fn tear_down() -> Result<()> {
    for ns in [DUT_NS, LOAD_NS] {
        Command::new("ip").args(["netns", "del", ns]).status()?;
    }
    Ok(())
}
