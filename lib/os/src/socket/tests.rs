#[path = "../../../../tests/skipped.rs"]
mod skipped;

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use super::{ConnectOptions, ListenOptions, Shutdown, Socket};
use crate::poll::{Events, Interest, Poller};

const LOCAL4: &str = "127.0.0.1:0";
const LOCAL6: &str = "[::1]:0";

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn listen(at: &str) -> Socket {
    Socket::listen(addr(at), &ListenOptions::default()).unwrap()
}

/// Waits until the socket is ready or a second has passed.
fn wait(socket: &Socket, interest: Interest) -> bool {
    let poller = Poller::new().unwrap();
    let mut events = Events::with_capacity(1);
    poller.add(socket, 0, interest).unwrap();
    poller.wait(&mut events, Some(Duration::from_secs(1))).unwrap();
    !events.is_empty()
}

fn connected(listener: &Socket, options: &ConnectOptions<'_>) -> (Socket, Socket) {
    let client = Socket::connect(listener.local_addr().unwrap(), options).unwrap();
    assert!(wait(listener, Interest::READ), "no connection came");
    let (server, peer) = listener.accept().unwrap();
    assert!(wait(&client, Interest::WRITE));
    assert!(client.take_error().unwrap().is_none());
    assert_eq!(peer.unwrap(), client.local_addr().unwrap());
    (client, server)
}

/// Whether there is IPv6 here; if not, this test is not run, or only a part of it.
fn has_ipv6(test: &str) -> bool {
    let listens = Socket::listen(addr(LOCAL6), &ListenOptions::default()).is_ok();
    if !listens {
        skipped::skip(test, "no IPv6 here");
    }
    listens
}

#[test]
fn bytes_travel_both_ways() {
    for at in [LOCAL4, LOCAL6] {
        if at == LOCAL6 && !has_ipv6("bytes_travel_both_ways") {
            continue;
        }
        let listener = listen(at);
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        let (client, server) = connected(&listener, &ConnectOptions::default());
        assert_eq!(client.read(&mut [0; 4]).unwrap_err().kind(), ErrorKind::WouldBlock);
        let pieces = [IoSlice::new(b"hello "), IoSlice::new(b"world")];
        assert_eq!(client.write_vectored(&pieces).unwrap(), 11);
        assert!(wait(&server, Interest::READ));
        assert_eq!(server.pending().unwrap(), 11);
        let (mut a, mut b) = ([0; 3], [0; 20]);
        let mut into = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
        assert_eq!(server.read_vectored(&mut into).unwrap(), 11);
        assert_eq!((&a, &b[..8]), (b"hel", &b"lo world"[..]));
        server.write(b"bye").unwrap();
        server.shutdown(Shutdown::Write).unwrap();
        assert!(wait(&client, Interest::READ));
        let mut buffer = [0; 8];
        assert_eq!(client.read(&mut buffer).unwrap(), 3);
        assert!(wait(&client, Interest::READ));
        assert_eq!(client.read(&mut buffer).unwrap(), 0);
        assert_eq!(client.peer_addr().unwrap(), listener.local_addr().unwrap());
    }
}

#[test]
fn a_refused_connection_is_an_error_of_the_socket() {
    let listener = listen(LOCAL4);
    let at = listener.local_addr().unwrap();
    drop(listener);
    let client = Socket::connect(at, &ConnectOptions::default()).unwrap();
    assert!(wait(&client, Interest::WRITE));
    let error = client.take_error().unwrap().unwrap();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(client.take_error().unwrap().is_none());
}

#[test]
fn a_connection_that_is_reset_is_an_error_of_reading_and_of_writing() {
    for reads in [true, false] {
        let (client, server) = connected(&listen(LOCAL4), &ConnectOptions::default());
        client.write(b"unread").unwrap();
        assert!(wait(&server, Interest::READ));
        // What it leaves unread makes its end a reset.
        drop(server);
        assert!(wait(&client, Interest::READ));
        let first = if reads { client.read(&mut [0; 8]) } else { client.write(b"more") };
        assert_eq!(first.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(client.write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}

#[test]
fn a_buffer_that_is_exactly_full_is_no_end() {
    let (client, server) = connected(&listen(LOCAL4), &ConnectOptions::default());
    client.write(&[7; 64]).unwrap();
    assert!(wait(&server, Interest::READ));
    let mut buffer = [0; 32];
    for _ in 0..2 {
        assert_eq!(server.read(&mut buffer).unwrap(), buffer.len());
    }
    assert_eq!(server.read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    client.write(&[7; 32]).unwrap();
    drop(client);
    assert!(wait(&server, Interest::READ));
    assert_eq!(server.read(&mut buffer).unwrap(), buffer.len(), "the last bytes");
    assert_eq!(server.read(&mut buffer).unwrap(), 0, "then the end");
}

#[test]
fn writing_to_a_closed_connection_is_an_error_and_no_signal() {
    let (a, b) = Socket::pair().unwrap();
    drop(b);
    assert_eq!(a.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    let pieces = [IoSlice::new(b"x")];
    assert_eq!(a.write_vectored(&pieces).unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn the_local_address_and_port_are_chosen() {
    let listener = listen(LOCAL4);
    let (first, server) = connected(
        &listener,
        &ConnectOptions { local: Some(addr("127.0.0.2:0")), ..ConnectOptions::default() },
    );
    let local = first.local_addr().unwrap();
    assert_eq!(local.ip(), addr("127.0.0.2:0").ip());
    // The same port again, to the same peer, once the first connection is closed by the other end.
    drop(server);
    drop(first);
    let again = listen(LOCAL4);
    let options = ConnectOptions { local: Some(local), ..ConnectOptions::default() };
    let (second, _server) = connected(&again, &options);
    assert_eq!(second.local_addr().unwrap(), local);
}

#[test]
fn an_address_that_is_not_ours_needs_freebind() {
    let foreign = addr("192.0.2.1:0");
    let refused = Socket::listen(foreign, &ListenOptions::default()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AddrNotAvailable);
    let options = ListenOptions { freebind: true, ..ListenOptions::default() };
    Socket::listen(foreign, &options).unwrap();
}

#[test]
fn both_families_listen_on_one_port() {
    if !has_ipv6("both_families_listen_on_one_port") {
        return;
    }
    let four = listen("0.0.0.0:0");
    let port = four.local_addr().unwrap().port();
    let six = Socket::listen(SocketAddr::new(addr("[::]:0").ip(), port), &ListenOptions::default());
    six.unwrap();
}

#[test]
fn ttl_security_holds_off_a_far_peer() {
    for at in [LOCAL4, LOCAL6] {
        if at == LOCAL6 && !has_ipv6("ttl_security_holds_off_a_far_peer") {
            continue;
        }
        let listener = listen(at);
        listener.set_min_ttl(255).unwrap();
        let near = ConnectOptions { ttl: Some(255), ..ConnectOptions::default() };
        connected(&listener, &near);
        let far = ConnectOptions { ttl: Some(254), ..ConnectOptions::default() };
        let peer = listener.local_addr().unwrap();
        let _client = Socket::connect(peer, &far).unwrap();
        let poller = Poller::new().unwrap();
        poller.add(&listener, 0, Interest::READ).unwrap();
        let mut events = Events::with_capacity(1);
        poller.wait(&mut events, Some(Duration::from_millis(100))).unwrap();
        assert!(events.is_empty(), "a packet with TTL 254 was accepted");
    }
}

/// Whether the kernel signs segments at all; some containers and systems do not.
fn has_md5(test: &str, listener: &Socket, peer: IpAddr) -> bool {
    match listener.set_md5(peer, None, b"probe") {
        Ok(()) => listener.remove_md5(peer, None).is_ok(),
        Err(error) => {
            skipped::skip(test, &format!("no TCP MD5 here: {error}"));
            false
        }
    }
}

#[test]
fn md5_keys_must_agree() {
    for at in [LOCAL4, LOCAL6] {
        if at == LOCAL6 && !has_ipv6("md5_keys_must_agree") {
            continue;
        }
        let listener = listen(at);
        let here = addr(at).ip();
        if !has_md5("md5_keys_must_agree", &listener, here) {
            return;
        }
        listener.set_md5(here, None, b"secret").unwrap();
        let options = ConnectOptions { md5: Some(b"secret"), ..ConnectOptions::default() };
        connected(&listener, &options);
        let wrong = ConnectOptions { md5: Some(b"guess"), ..ConnectOptions::default() };
        let peer = listener.local_addr().unwrap();
        let client = Socket::connect(peer, &wrong).unwrap();
        let poller = Poller::new().unwrap();
        poller.add(&client, 0, Interest::WRITE).unwrap();
        let mut events = Events::with_capacity(1);
        poller.wait(&mut events, Some(Duration::from_millis(100))).unwrap();
        assert!(events.is_empty(), "a wrong key was accepted");
        listener.remove_md5(here, None).unwrap();
        listener.remove_md5(here, None).unwrap();
        connected(&listener, &ConnectOptions::default());
    }
}

#[test]
fn an_md5_key_of_a_prefix_covers_its_addresses() {
    let listener = listen("0.0.0.0:0");
    if !has_md5("an_md5_key_of_a_prefix_covers_its_addresses", &listener, addr(LOCAL4).ip()) {
        return;
    }
    listener.set_md5(addr("127.0.0.0:0").ip(), Some(8), b"secret").unwrap();
    let peer = SocketAddr::new(addr(LOCAL4).ip(), listener.local_addr().unwrap().port());
    let options = ConnectOptions {
        local: Some(addr("127.1.2.3:0")),
        md5: Some(b"secret"),
        ..ConnectOptions::default()
    };
    let client = Socket::connect(peer, &options).unwrap();
    assert!(wait(&client, Interest::WRITE));
    assert!(client.take_error().unwrap().is_none());
    listener.remove_md5(addr("127.0.0.0:0").ip(), Some(8)).unwrap();
}

#[test]
fn an_md5_key_that_is_too_long_is_refused() {
    let error = listen(LOCAL4).set_md5(addr(LOCAL4).ip(), None, &[1; 81]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn the_kernel_tells_when_data_last_came() {
    let listener = listen(LOCAL4);
    let (client, server) = connected(&listener, &ConnectOptions::default());
    client.write(&[0; 100]).unwrap();
    assert!(wait(&server, Interest::READ));
    let info = server.tcp_info().unwrap();
    assert_eq!(info.bytes_received, 100);
    assert!(info.since_data_received < Duration::from_secs(1));
    let poller = Poller::new().unwrap();
    poller.wait(&mut Events::with_capacity(1), Some(Duration::from_millis(60))).unwrap();
    assert!(server.tcp_info().unwrap().since_data_received >= Duration::from_millis(50));
}

#[test]
fn a_socket_is_bound_to_a_device() {
    let options = ListenOptions { device: Some("lo"), ..ListenOptions::default() };
    match Socket::listen(addr(LOCAL4), &options) {
        Ok(listener) => _ = connected(&listener, &ConnectOptions::default()),
        Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied),
    }
    let options = ListenOptions { device: Some("no-such-dev"), ..ListenOptions::default() };
    Socket::listen(addr(LOCAL4), &options).unwrap_err();
}

/// A path in a directory of its own that is removed again.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let name = format!("dunlin-os-{name}-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_unix_socket_has_its_mode_and_connects() {
    let place = Place::new("mode");
    let listener = Socket::listen_unix(&place.socket(), 0o660).unwrap();
    let mode = std::fs::metadata(place.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let client = Socket::connect_unix(&place.socket()).unwrap();
    let (server, peer) = listener.accept().unwrap();
    assert!(peer.is_none() && server.local_addr().is_err());
    assert_eq!(server.peer_user().unwrap().0, crate::process::user());
    client.write(b"x").unwrap();
    assert_eq!(server.read(&mut [0; 4]).unwrap(), 1);
}

#[test]
fn a_stale_unix_socket_is_replaced_and_one_in_use_is_not() {
    let place = Place::new("stale");
    let first = Socket::listen_unix(&place.socket(), 0o660).unwrap();
    let error = Socket::listen_unix(&place.socket(), 0o660).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains("in use by a running process"), "{error}");
    drop(first);
    Socket::listen_unix(&place.socket(), 0o660).unwrap();
}

#[test]
fn a_file_in_the_way_of_a_unix_socket_is_left_alone() {
    let place = Place::new("file");
    std::fs::write(place.socket(), "precious").unwrap();
    let error = Socket::listen_unix(&place.socket(), 0o660).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read_to_string(place.socket()).unwrap(), "precious");
}
