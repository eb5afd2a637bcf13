"""Many requests with random disconnects and deadlines leave nothing behind, and no cancel hits a neighbour.

Every request carries a mark, in its text or its values. A reply must hold its own mark; PostgreSQL's log says which
statements were cancelled, and each of those must belong to a request that was cut or ran out of time.
ATHENA_SOAK_REQUESTS sets how many (default 5 000; the full run is 100 000).
"""

import asyncio
import json
import os
import pathlib
import random
import re
import time

REQUESTS = int(os.environ.get("ATHENA_SOAK_REQUESTS", "5000"))
CONCURRENT = 64


class Soak:
    def __init__(self, address):
        self.address = address
        self.random = random.Random(7)
        self.next_mark = 0
        self.cut, self.answered, self.wrong = set(), 0, []

    async def worker(self):
        reader = writer = None
        while self.next_mark < REQUESTS:
            self.next_mark += 1
            mark = self.next_mark
            if writer is None:
                reader, writer = await asyncio.open_connection(*self.address)
            kept = await self.one(mark, reader, writer)
            if not kept:
                writer.close()
                writer = None
        if writer:
            writer.close()

    async def one(self, mark, reader, writer):
        """Sends one request, then waits or leaves. True: the connection may be used again."""
        kind = self.random.random()
        headers = {"X-Athena-Client": "pg", "X-Request-Id": f"soak{mark}"}
        if kind < 0.6:
            path, body = "/gateway/fetch", {
                "table_name": "sequence_rows",
                "columns": ["id"],
                "conditions": [{"eq_column": "id", "eq_value": 1 + mark % 5000}],
            }
            expected = [{"id": 1 + mark % 5000}]
        else:
            sleep = self.random.choice([0, 0, 0.005, 0.05, 0.3])
            path, body = "/gateway/query", {
                "query": f"select {mark} as mark from (select pg_sleep({sleep})) as s /* mark:{mark}: */"
            }
            expected = [{"mark": mark}]
        if kind > 0.8:
            headers["X-Athena-Timeout-Ms"] = str(self.random.choice([1, 5, 20, 100]))
            self.cut.add(mark)
        payload = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(payload)}\r\n" + "".join(
            f"{k}: {v}\r\n" for k, v in headers.items()
        )
        writer.write(head.encode() + b"\r\n" + payload)
        if self.random.random() < 0.15:
            self.cut.add(mark)
            await asyncio.sleep(self.random.choice([0, 0.001, 0.01, 0.06]))
            return False
        status, answer = await self.read_reply(reader)
        self.answered += 1
        if status == 200:
            if answer["data"]["rows"] != expected:
                self.wrong.append((mark, answer))
        elif not (status in (503, 504) and mark in self.cut):
            self.wrong.append((mark, status, answer))
        return True

    async def read_reply(self, reader):
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 40)
        length = int(re.search(rb"content-length: (\d+)", head, re.I).group(1))
        return int(head[9:12]), json.loads(await asyncio.wait_for(reader.readexactly(length), 40))

    async def run(self):
        await asyncio.gather(*(self.worker() for _ in range(CONCURRENT)))


def test_soak(athena, pg):
    soak = Soak(athena.address)
    log_path = pathlib.Path(os.environ["ATHENA_TEST_POSTGRES_LOG"])
    log_start = log_path.stat().st_size
    asyncio.run(soak.run())
    assert not soak.wrong, soak.wrong[:3]
    assert soak.answered > REQUESTS * 0.7

    active = (
        "select count(*) as n from pg_stat_activity "
        "where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()"
    )
    deadline = time.monotonic() + 5
    while pg.query(active).json()["data"]["rows"][0]["n"]:
        assert time.monotonic() < deadline, "a statement still runs"
        time.sleep(0.05)
    connections = pg.query("select count(*) as n from pg_stat_activity where datname = current_database()").json()[
        "data"
    ]["rows"][0]["n"]
    assert connections <= 50

    with open(log_path, "rb") as log:
        log.seek(log_start)
        text = log.read().decode(errors="replace")
    cancelled = {int(m) for m in re.findall(r"canceling statement due to user request.*?mark:(\d+):", text, re.S)}
    assert cancelled, "nothing was cancelled: the test does not test"
    assert cancelled <= soak.cut, sorted(cancelled - soak.cut)[:5]
