"""A BGP speaker in the raw: feeds tables at full speed, records what comes, says what is wrong."""

import socket
import struct
import threading
import time

from . import wire
from .lab import wait_for
from .wire import IPV4, IPV6


class Speaker:
    """One session. A thread reads; sending is done by the caller.

    `routes` is what the other side has announced and not withdrawn, `refreshes` what it has asked for again:
    address family, subtype, subsequent family.
    """

    def __init__(self, lab, host, local, remote, asn, router_id=None, port=179, hold=90,
                 families=(IPV4, IPV6), more=(), receive_buffer=None):
        self.lab, self.host, self.local, self.remote, self.port = lab, host, local, remote, port
        self.asn, self.hold, self.families, self.more = asn, hold, families, more
        self.router_id = router_id or (local if ":" not in local else "192.0.2.66")
        self.receive_buffer = receive_buffer
        self.send_lock = threading.Lock()
        self.reading = threading.Event()
        self.socket = None
        self.on_update = None
        self.keepalives = True
        self.clear()
        lab.on_close(self.close)

    def clear(self):
        """Forgets what an earlier connection brought."""
        self.buffer = bytearray()
        self.table = {}
        self.decoded = {}
        self.ended = set()
        self.updates = 0
        self.refreshes = []
        self.notification = None
        self.closed = None
        self.peer_open = None
        self.established = threading.Event()
        self.reading.set()

    # Connections.

    def make_socket(self):
        """A bound socket of the host's."""
        kind = socket.AF_INET6 if ":" in self.local else socket.AF_INET
        made = self.lab.socket(self.host, kind, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.receive_buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        return made

    def dial(self, timeout=10):
        """Opens the TCP connection only."""
        end = time.monotonic() + timeout
        while True:
            made = self.make_socket()
            try:
                made.bind((self.local, 0))
                made.settimeout(2)
                made.connect((self.remote, self.port))
                self.adopt(made)
                return self
            except OSError as error:
                made.close()
                if time.monotonic() > end:
                    raise AssertionError(f"{self.local} cannot connect to {self.remote}: {error}")
                time.sleep(0.1)

    def connect(self, timeout=20):
        """Connects until a session is established."""
        end = time.monotonic() + timeout
        while True:
            self.dial(max(0.1, end - time.monotonic()))
            self.send(self.open())
            self.start_reading()
            if self.wait_answer(min(5, max(0.1, end - time.monotonic()))):
                return self
            said = self.notification or self.closed
            self.close()
            if time.monotonic() > end:
                raise AssertionError(f"{self.local}: no session with {self.remote}; it said {said}")
            time.sleep(0.1)

    def accept(self, timeout=30):
        """Waits for the other side to connect and establishes the session."""
        listener = self.make_socket()
        try:
            listener.bind((self.local, self.port))
            listener.listen(4)
            listener.settimeout(timeout)
            end = time.monotonic() + timeout
            while time.monotonic() < end:
                made, _ = listener.accept()
                self.adopt(made)
                self.send(self.open())
                self.start_reading()
                if self.wait_answer(5):
                    return self
                self.close()
        finally:
            listener.close()
        raise AssertionError(f"{self.local}: {self.remote} did not come")

    def wait_answer(self, timeout):
        """Waits until the session is established or the connection ended."""
        end = time.monotonic() + timeout
        while time.monotonic() < end and self.closed is None:
            if self.established.wait(0.02):
                return True
        return False

    def adopt(self, made):
        """Takes a connected socket."""
        self.clear()
        made.settimeout(None)
        self.socket = made

    def open(self):
        """This speaker's OPEN."""
        return wire.open_message(self.asn, self.router_id, self.hold, self.families, self.more)

    def close(self, reset=False):
        """Closes the connection; `reset`: with a TCP reset."""
        made, self.socket = self.socket, None
        self.keepalives = True
        if made is None:
            return
        try:
            if reset:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                # The reader must let go of the socket, else it is not closed.
                made.shutdown(socket.SHUT_RD)
            else:
                made.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        made.close()
        self.reading.set()

    # Sending.

    def send(self, data):
        """Sends bytes as they are."""
        made = self.socket
        if made is None:
            raise ConnectionError(f"{self.local}: no connection")
        with self.send_lock:
            made.sendall(data)

    def announce(self, routes, end_of_rib=False):
        """Announces {prefix: Route}."""
        self.send(wire.announcements(routes))
        if end_of_rib:
            self.send(b"".join(map(wire.end_of_rib, self.families)))

    def withdraw(self, prefixes):
        """Withdraws prefixes."""
        self.send(wire.withdrawals(prefixes))

    # Receiving.

    def start_reading(self):
        """Starts the reader of this connection."""
        for target in (self.read, self.keep_alive):
            threading.Thread(target=target, args=(self.socket,), daemon=True).start()

    def pause(self):
        """Stops taking bytes from the socket."""
        self.reading.clear()

    def resume(self):
        """Takes bytes again."""
        self.reading.set()

    def read(self, made):
        """Reads until the connection ends."""
        reason = "closed by the other side"
        while made is self.socket:
            self.reading.wait()
            try:
                data = made.recv(262144)
            except OSError as error:
                reason = str(error)
                break
            if not data:
                break
            self.buffer += data
            try:
                self.parse()
            except Exception as error:
                reason = f"unreadable message: {error!r}"
                break
        self.closed = reason

    def keep_alive(self, made):
        """Sends a KEEPALIVE every third of the hold time."""
        if not self.hold:
            return
        while made is self.socket and self.closed is None:
            if self.keepalives and self.established.is_set() and not self.send_lock.locked():
                try:
                    self.send(wire.message(wire.KEEPALIVE))
                except OSError:
                    return
            end = time.monotonic() + max(0.3, self.hold / 3 - 0.5)
            while time.monotonic() < end and made is self.socket:
                time.sleep(0.2)

    def parse(self):
        """Takes whole messages out of the buffer."""
        at = 0
        view = bytes(self.buffer)
        while len(view) - at >= 19:
            length, kind = struct.unpack_from("!HB", view, at + 16)
            if len(view) - at < length:
                break
            self.take(kind, view[at + 19 : at + length])
            at += length
        del self.buffer[:at]

    def take(self, kind, body):
        """One message."""
        if kind == wire.UPDATE:
            self.take_update(body)
        elif kind == wire.OPEN:
            self.peer_open = body
            self.send(wire.message(wire.KEEPALIVE))
        elif kind == wire.KEEPALIVE:
            self.established.set()
        elif kind == wire.ROUTE_REFRESH:
            self.refreshes.append(struct.unpack("!HBB", body))
        elif kind == wire.NOTIFICATION:
            self.notification = (body[0], body[1], body[2:])

    def take_update(self, body):
        """Records an UPDATE."""
        self.updates += 1
        withdrawn, announced, attrs, ended = wire.split_update(body)
        if ended:
            self.ended.add(ended)
        for prefix in withdrawn:
            self.table.pop(prefix, None)
        if announced:
            (length,) = struct.unpack_from("!H", body)
            key = tuple(sorted((k, v) for k, v in attrs.items() if k not in (14, 15)))
            if 14 in attrs:
                reach = attrs[14][1]
                key += ((14, (attrs[14][0], reach[: 5 + reach[3]])),)
            for prefix in announced:
                self.table[prefix] = key
        if self.on_update:
            self.on_update(time.monotonic(), announced, withdrawn)

    @property
    def routes(self):
        """What is received: {prefix: Route}."""
        decoded = {}
        found = {}
        for prefix, key in list(self.table.items()):
            family = wire.family_of(prefix)
            if (key, family) not in decoded:
                decoded[key, family] = wire.route_of(dict(key), family)
            found[prefix] = decoded[key, family]
        return found

    def attributes(self, prefix):
        """The raw attributes of a received prefix: {type: (flags, value)}."""
        return dict(self.table[prefix])

    @property
    def alive(self):
        """Is the session up?"""
        return self.socket is not None and self.established.is_set() and self.closed is None

    def wait_routes(self, count, timeout=30):
        """Waits until so many routes are there."""
        wait_for(lambda: len(self.table) == count, timeout,
                 lambda: f"{self.local} has {len(self.table)} of {count} routes", 0.05)

    def wait_notification(self, timeout=5):
        """The NOTIFICATION that the other side sends, or None when it only closes."""
        wait_for(lambda: self.notification or self.closed, timeout,
                 f"{self.local}: neither NOTIFICATION nor close", 0.02)
        return self.notification

    def wait_closed(self, timeout=5):
        """Waits for the end of the connection."""
        wait_for(lambda: self.closed, timeout, f"{self.local}: still connected", 0.02)
