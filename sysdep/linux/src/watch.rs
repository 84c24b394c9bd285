//! The loop that keeps the interface list current.
//!
//! It asks for all interfaces, then for all addresses, and hears of changes all the while: a change that
//! arrives during a scan is applied to the picture that the scan builds, in the order in which the kernel
//! queued both. When the kernel lost changes (`ENOBUFS`) or could not give a consistent answer, a new scan
//! follows.

use core::time::Duration;
use std::io;
use std::sync::Arc;

use dunlin_core::interfaces::{InterfaceSource, InterfaceWatch, Interfaces};
use dunlin_core::protocol::Reply;
use dunlin_os::netlink::{self, group};
use dunlin_runtime::{Address, Class, Context, Loop, OwnedSocket, Panic, Ready, SocketId, TimerId};

use crate::machine::Machine;
use crate::netlink::{Event, Message, Messages, request_addresses, request_links};

/// How many bytes of notifications may wait for us, where the system allows it.
const RECEIVE_BUFFER: usize = 1 << 20;

/// Datagrams read before others have their turn.
const READS: usize = 32;

/// After a failed or inconsistent scan.
const RETRY: Duration = Duration::from_millis(100);

/// Called with each new picture.
type Changed = Box<dyn Fn(Arc<Interfaces>) + Send>;

/// Learns the interfaces from Linux, by netlink.
#[derive(Clone, Copy, Debug, Default)]
pub struct NetlinkInterfaces;

impl InterfaceSource for NetlinkInterfaces {
    fn watch(
        &self,
        cx: &mut Context<'_>,
        scan: Option<Duration>,
        changed: Changed,
        failed: Reply<String>,
    ) -> Box<dyn InterfaceWatch> {
        let watcher = Watcher {
            socket: None,
            changed,
            failed: Some(failed),
            machine: Machine::default(),
            scan: Scan::Idle,
            sequence: 0,
            dirty: false,
            again: false,
            published: None,
            interval: scan,
            interval_timer: TimerId::NONE,
            retry_timer: TimerId::NONE,
        };
        Box::new(Watch { watcher: cx.spawn("interfaces", Class::Control, watcher) })
    }
}

/// The handle of the loop.
struct Watch {
    watcher: Address<Change>,
}

impl InterfaceWatch for Watch {
    fn scan(&mut self, interval: Option<Duration>) {
        // A stopped loop scans no more.
        let _ = self.watcher.send(Class::Control, Change::Interval(interval));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watcher.stop();
    }
}

/// What the loop is told.
#[derive(Debug)]
enum Change {
    /// A new scan interval.
    Interval(Option<Duration>),
}

/// What is being asked for.
#[derive(Debug)]
enum Scan {
    Idle,
    /// All interfaces; what was heard so far.
    Links(Machine),
    /// All addresses; likewise.
    Addresses(Machine),
}

struct Watcher {
    socket: Option<SocketId>,
    changed: Changed,
    /// Taken by the first failure.
    failed: Option<Reply<String>>,
    machine: Machine,
    scan: Scan,
    /// Number of the last request.
    sequence: u32,
    /// The picture may differ from the published one.
    dirty: bool,
    /// The present scan is worth nothing.
    again: bool,
    published: Option<Arc<Interfaces>>,
    interval: Option<Duration>,
    interval_timer: TimerId,
    retry_timer: TimerId,
}

impl Watcher {
    fn open(&mut self, cx: &mut Context<'_>) {
        if let Err(error) = self.try_open(cx) {
            self.fail(cx, &error);
        }
    }

    fn try_open(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let groups = group::LINK | group::IPV4_ADDRESS | group::IPV6_ADDRESS;
        let fd = netlink::open(groups, RECEIVE_BUFFER)?;
        self.socket = Some(cx.adopt(OwnedSocket::from_fd(fd))?);
        self.begin_scan(cx)
    }

    /// Gives the socket up; says so the first time, and tries again soon.
    fn fail(&mut self, cx: &mut Context<'_>, error: &io::Error) {
        if let Some(socket) = self.socket.take() {
            cx.close(socket);
        }
        self.scan = Scan::Idle;
        cx.arm_after(self.retry_timer, 10 * RETRY);
        if let Some(failed) = self.failed.take() {
            failed.send(format!("Cannot read the interfaces by netlink: {error}"));
        }
    }

    fn begin_scan(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !matches!(self.scan, Scan::Idle) {
            // The kernel answers one question at a time.
            self.again = true;
            return Ok(());
        }
        self.again = false;
        self.scan = Scan::Links(Machine::default());
        self.sequence = self.sequence.wrapping_add(1).max(1);
        self.ask(cx, request_links(self.sequence))
    }

    fn ask(&mut self, cx: &mut Context<'_>, request: Vec<u8>) -> io::Result<()> {
        let Some(socket) = self.socket else { return Ok(()) };
        cx.write(socket, &request).map(|_| ())
    }

    fn read(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(socket) = self.socket else { return Ok(()) };
        let mut buffer = cx.take_read_buffer();
        let mut result = Ok(());
        for _ in 0..READS {
            match cx.read(socket, &mut buffer) {
                Ok(length) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    result = Messages::new(datagram).try_for_each(|m| self.message(cx, m));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if netlink::is_overrun(&error) => self.lost(cx),
                Err(error) => result = Err(error),
            }
            if result.is_err() {
                break;
            }
        }
        cx.put_read_buffer(buffer);
        result
    }

    fn message(&mut self, cx: &mut Context<'_>, message: Message) -> io::Result<()> {
        let answer = message.sequence == self.sequence;
        self.again |= answer && message.interrupted;
        match message.event {
            Event::Done if answer => self.answered(cx),
            Event::Error(0) => Ok(()),
            Event::Error(code) if answer => Err(io::Error::from_raw_os_error(code)),
            Event::Overrun => {
                self.lost(cx);
                Ok(())
            }
            event => {
                // An answer is news for the scan; a notification is news for both.
                if let Scan::Links(next) | Scan::Addresses(next) = &mut self.scan {
                    next.apply(event.clone());
                }
                if !answer {
                    self.machine.apply(event);
                    self.dirty = true;
                }
                Ok(())
            }
        }
    }

    /// One of the two answers is complete.
    fn answered(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match core::mem::replace(&mut self.scan, Scan::Idle) {
            _ if self.again => {
                cx.arm_after(self.retry_timer, RETRY);
            }
            Scan::Idle => {}
            Scan::Links(next) => {
                self.scan = Scan::Addresses(next);
                self.sequence = self.sequence.wrapping_add(1).max(1);
                return self.ask(cx, request_addresses(self.sequence));
            }
            Scan::Addresses(next) => {
                self.machine = next;
                self.dirty = true;
                // From now on a picture without changes is as good as one with: say it once.
                self.publish(true);
            }
        }
        Ok(())
    }

    /// Notifications were lost.
    fn lost(&mut self, cx: &mut Context<'_>) {
        self.again = true;
        if matches!(self.scan, Scan::Idle) {
            cx.arm_after(self.retry_timer, RETRY);
        }
    }

    /// Tells everybody of a new picture. Before the first complete scan nobody is told anything.
    fn publish(&mut self, complete: bool) {
        if !core::mem::take(&mut self.dirty) || (self.published.is_none() && !complete) {
            return;
        }
        let picture = self.machine.snapshot();
        if self.published.as_deref() != Some(&picture) {
            let picture = Arc::new(picture);
            self.published = Some(Arc::clone(&picture));
            (self.changed)(picture);
        }
    }

    fn set_interval(&self, cx: &mut Context<'_>) {
        match self.interval {
            Some(interval) => {
                cx.arm_every(self.interval_timer, interval);
            }
            None => {
                cx.disarm(self.interval_timer);
            }
        }
    }
}

impl Loop for Watcher {
    type Message = Change;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.interval_timer = cx.timer(Class::Control);
        self.retry_timer = cx.timer(Class::Control);
        self.set_interval(cx);
        self.open(cx);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: Change) {
        let Change::Interval(interval) = message;
        if interval != self.interval {
            self.interval = interval;
            self.set_interval(cx);
        }
    }

    fn timer(&mut self, cx: &mut Context<'_>, _timer: TimerId) {
        if self.socket.is_none() {
            return self.open(cx);
        }
        if let Err(error) = self.begin_scan(cx) {
            self.fail(cx, &error);
        }
    }

    fn ready(&mut self, cx: &mut Context<'_>, _socket: SocketId, _ready: Ready) {
        if let Err(error) = self.read(cx) {
            return self.fail(cx, &error);
        }
        self.publish(false);
    }

    fn panicked(&mut self, panic: &Panic) {
        if let Some(failed) = self.failed.take() {
            failed.send(format!("The loop that looks for interfaces panicked: {panic}"));
        }
    }
}
