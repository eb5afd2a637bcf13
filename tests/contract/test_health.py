"""A database that does not answer is noticed once, for everyone, and comes back by itself."""

import asyncio
import contextlib
import json
import socket
import statistics
import threading
import time
import urllib.parse

import pytest

from conftest import assert_error, config_text, start_athena, stop_athena

THRESHOLD = 5
OFFLINE_S = 2
CONCURRENT = 1000


class Relay:
    """Stands between Athena and a PostgreSQL, counts who connects, and plays dead on demand."""

    def __init__(self, host, port):
        self.server, self.dead, self.accepted, self.open = (host, port), False, 0, []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self.dead:
                client.close()
                continue
            server = socket.create_connection(self.server)
            self.open += [client, server]
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=pair, daemon=True).start()

    def pump(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        hang_up(source, sink)

    def die(self):
        """As when the machine goes: what is open breaks, and nobody answers any more."""
        self.dead = True
        hang_up(*self.open)

    def close(self):
        self.listener.close()


def hang_up(*ends):
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def relay(postgres_uri):
    target = urllib.parse.urlsplit(postgres_uri)
    relay = Relay(target.hostname, target.port)
    yield relay
    relay.close()


@pytest.fixture
def server(request, postgres_uri, relay, tmp_path):
    if request.config.getoption("--url"):
        pytest.fail("this needs a server of its own")
    target = urllib.parse.urlsplit(postgres_uri)
    uri = target._replace(netloc=f"{target.username}@127.0.0.1:{relay.port}", query="sslmode=disable").geturl()
    health = f"\nhealth:\n  failure_threshold: {THRESHOLD}\n  offline_seconds: {OFFLINE_S}\n"
    config = config_text(uri, tmp_path / "lite.db") + health
    (tmp_path / "lite.db").touch()
    started = start_athena(request.config.getoption("--binary"), tmp_path, config)
    yield started
    stop_athena(started)


FETCH = {"table_name": "users", "limit": 1}


def fetch(server):
    return server.http.post("/gateway/fetch", headers={"X-Athena-Client": "pg"}, json=FETCH)


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def host_of(server):
    (host,) = server.http.get("/").json()["hosts"]
    return host


async def fetch_at_once(address, count):
    """Status, Retry-After and seconds of each of `count` requests that are sent at the same time."""
    body = json.dumps(FETCH).encode()
    head = f"POST /gateway/fetch HTTP/1.1\r\nHost: x\r\nX-Athena-Client: pg\r\nContent-Length: {len(body)}\r\n\r\n"
    connections = [await asyncio.open_connection(*address) for _ in range(count)]

    async def one(reader, writer):
        began = time.monotonic()
        writer.write(head.encode() + body)
        lines = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 40)).decode().split("\r\n")
        took = time.monotonic() - began
        writer.close()
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), headers.get("retry-after"), took

    return await asyncio.gather(*(one(*connection) for connection in connections))


def test_a_dead_host_costs_little_and_comes_back(server, relay):
    assert fetch(server).status_code == 200
    before = relay.accepted
    relay.die()
    answers = asyncio.run(fetch_at_once(server.address, CONCURRENT))
    assert {status for status, _, _ in answers} == {503}
    assert all(int(wait) >= 1 for _, wait, _ in answers)
    assert relay.accepted - before <= THRESHOLD + 1
    wait_for(lambda: host_of(server)["state"] == "open")  # a lane that broke unused costs a pause, and no failure
    assert relay.accepted - before <= THRESHOLD + 1

    took = []
    for _ in range(50):
        began = time.monotonic()
        assert_error(fetch(server), 503, "database_unavailable")
        took.append(time.monotonic() - began)
    assert statistics.median(took) < 0.010, took
    host = host_of(server)
    assert host["backend"] == "postgresql" and host["times_opened"] >= 1 and host["refused"] >= 1
    assert "127.0.0.1" not in json.dumps(host)
    assert server.http.get("/").json()["athena_deadpool"] == "offline"

    relay.dead = False
    wait_for(lambda: fetch(server).status_code == 200)
    assert host_of(server)["state"] == "closed"
    events = [json.loads(line)["event"] for line in server.log().splitlines() if line.startswith("{")]
    assert events.count("host_opened") >= 1 and events.count("host_closed") == 1


def test_a_database_that_is_away_for_a_moment_is_waited_for(server, relay):
    assert fetch(server).status_code == 200
    before = relay.accepted
    relay.die()
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(fetch(server)))
    waiting.start()
    while relay.accepted < before + 2:
        time.sleep(0.005)
    relay.dead = False
    waiting.join()
    assert answers[0].status_code == 200, answers[0].text
    assert host_of(server)["times_opened"] == 0
