#!/usr/bin/env python3
"""Measures Athena against its peers, as ratios taken in one run: `./dev bench [--seconds N] [--rounds N] [figure …]`.

Every figure alternates Athena and its peer, several rounds, and prints the medians and their ratio. What is measured is
what ships: the release binary with request ids, JSON log lines (to a file) and all limits on. pgbench runs over TCP,
`-M prepared`,
with as many threads as there are cores and the same number of clients; HTTP load comes from wrk on the same machine.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORES = os.cpu_count() or 1
ROWS = 100_000
COLUMNS = "id, name, email, score, active, created_at"

SCHEMA = f"""
DROP TABLE IF EXISTS bench_rows; DROP TABLE IF EXISTS bench_inserts;
CREATE TABLE bench_rows (
  id bigint PRIMARY KEY, name text, email text, score integer, active boolean, created_at timestamptz);
INSERT INTO bench_rows
  SELECT i, 'name ' || i, 'user' || i || '@example.org', i % 1000, i % 2 = 0,
         '2025-01-01T00:00:00Z'::timestamptz + i * interval '1 second'
  FROM generate_series(1, {ROWS}) AS i;
CREATE TABLE bench_inserts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, score integer);
VACUUM ANALYZE bench_rows;
"""

WRK_KEYED = """
local heads = "POST /gateway/fetch HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nX-Athena-Client: CLIENT\\r\\n" ..
  "Content-Type: application/json\\r\\nContent-Length: "
local requests, at = {}, 0
init = function(args)
  math.randomseed(os.time() + tonumber(tostring(requests):match("0x(%x+)"), 16) % 100000)
  for i = 1, 4096 do
    local body = '{"table_name":"bench_rows","columns":["id","name","email","score","active","created_at"],' ..
      '"conditions":[{"eq_column":"id","eq_value":' .. math.random(1, ROWS) .. '}]}'
    requests[i] = heads .. #body .. "\\r\\n\\r\\n" .. body
  end
end
request = function() at = at % 4096 + 1; return requests[at] end
done = function(summary)
  local e = summary.errors
  io.write("bad " .. (e.status + e.connect + e.read + e.write + e.timeout) .. "\\n")
end
"""
WRK_FIXED = """
wrk.method, wrk.path, wrk.body = "METHOD", "PATH", [[BODY]]
wrk.headers["X-Athena-Client"], wrk.headers["Content-Type"] = "CLIENT", "application/json"
done = function(summary)
  local e = summary.errors
  io.write("bad " .. (e.status + e.connect + e.read + e.write + e.timeout) .. "\\n")
end
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for_port(port, process=None):
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if time.monotonic() > deadline or (process and process.poll() is not None):
            raise SystemExit(f"nothing listens on port {port}")
        time.sleep(0.05)


def memory_folder():
    """Log lines go to memory: how fast this machine's disk takes them is not what is measured."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def family_cpu(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return cpu_seconds(pid) + sum(family_cpu(int(child)) for child in children)


def rss_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


class Bench:
    def __init__(self, options, work):
        self.options, self.work = options, work
        self.uri = (
            os.environ.get("ATHENA_TEST_POSTGRES")
            or json.loads(
                subprocess.run(
                    [sys.executable, ROOT / "tools/services.py", "start", "postgres"],
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout
            )["uri"]
        )
        subprocess.run(
            ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", self.uri, "-c", SCHEMA.split("VACUUM")[0]],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        subprocess.run(["psql", "-X", "-q", self.uri, "-c", "VACUUM ANALYZE bench_rows"], check=True)
        self.start_athena()
        self.start_nginx()

    def start_athena(self):
        database = self.work / "bench.db"
        with sqlite3.connect(database) as connection:
            connection.execute(
                "CREATE TABLE bench_rows (id INTEGER PRIMARY KEY, name TEXT, email TEXT, score INTEGER, "
                "active BOOLEAN, created_at TIMESTAMP)"
            )
            connection.executemany(
                "INSERT INTO bench_rows VALUES (?,?,?,?,?,?)",
                (
                    (i, f"name {i}", f"user{i}@example.org", i % 1000, i % 2, "2025-01-01T00:00:00+00:00")
                    for i in range(1, ROWS + 1)
                ),
            )
        connection.close()
        self.port = free_port()
        config = self.work / "config.yaml"
        config.write_text(
            f"api: {{threads: {CORES}}}\ngateway: {{audit_headers: optional}}\n"
            f"storage: {{sqlite_roots: ['{self.work}']}}\n"
            f"clients:\n  - {{name: pg, uri: '{self.uri}'}}\n  - {{name: lite, uri: 'sqlite:{database}'}}\n"
        )
        self.log = open(self.work / "athena.log", "w")
        self.athena = subprocess.Popen(
            [
                self.options.binary,
                "--config",
                str(config),
                "--port",
                str(self.port),
                "--data",
                str(self.work / "data"),
                "server",
            ],
            stdout=self.log,
            stderr=self.log,
        )
        wait_for_port(self.port, self.athena)

    def start_nginx(self):
        self.nginx_port = free_port()
        conf = self.work / "nginx.conf"
        conf.write_text(
            f"""daemon off; worker_processes {CORES}; pid {self.work}/nginx.pid; error_log {self.work}/nginx.err;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000;
  server {{ listen 127.0.0.1:{self.nginx_port} reuseport;
    location / {{ default_type application/json;
      return 200 '{{"status":"success","message":"Fetched 1 rows","data":{{"rows":[]}}}}'; }} }} }}
"""
        )
        self.nginx = subprocess.Popen(["nginx", "-c", str(conf), "-p", str(self.work)], stderr=subprocess.DEVNULL)
        wait_for_port(self.nginx_port, self.nginx)

    def stop(self):
        for process in (self.athena, self.nginx):
            process.terminate()
            process.wait(timeout=60)

    def wrk(self, port, connections, script):
        path = self.work / "load.lua"
        path.write_text(script)
        out = subprocess.run(
            [
                "wrk",
                f"-t{min(CORES, connections)}",
                f"-c{connections}",
                f"-d{self.options.seconds}s",
                "-s",
                str(path),
                f"http://127.0.0.1:{port}/",
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        bad = re.search(r"^bad (\d+)", out, re.M)
        if bad and int(bad.group(1)):
            raise SystemExit(f"{bad.group(1)} requests failed:\n{out}")
        return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), int(
            re.search(r"(\d+) requests in", out).group(1)
        )

    def keyed(self, client):
        return WRK_KEYED.replace("CLIENT", client).replace("ROWS", str(ROWS))

    def fixed(self, method, path, body, client="pg"):
        return (
            WRK_FIXED.replace("METHOD", method)
            .replace("PATH", path)
            .replace("BODY", json.dumps(body) if body is not None else "")
            .replace("CLIENT", client)
        )

    def pgbench(self, clients, sql):
        script = self.work / "load.sql"
        script.write_text(sql)
        out = subprocess.run(
            [
                "pgbench",
                "-n",
                "-M",
                "prepared",
                "-c",
                str(clients),
                "-j",
                str(CORES),
                "-T",
                str(self.options.seconds),
                "-f",
                str(script),
                self.uri,
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        return float(re.search(r"tps = ([\d.]+)", out).group(1))

    def compare(self, ours, theirs):
        """Alternating rounds; the medians and their ratio."""
        a, b = [], []
        for _ in range(self.options.rounds):
            b.append(theirs())
            a.append(ours())
        return statistics.median(a), statistics.median(b)


SELECT = f"\\set id random(1, {ROWS})\nSELECT {COLUMNS} FROM bench_rows WHERE id = :id;\n"


def fetch(clients):
    return lambda b: b.compare(lambda: b.wrk(b.port, clients, b.keyed("pg"))[0], lambda: b.pgbench(clients, SELECT))


def driver_alone(b):
    binary = ROOT / "build/release/bench_driver_postgres"

    def ours():
        out = subprocess.run([binary, b.uri, str(b.options.seconds)], check=True, capture_output=True, text=True).stdout
        return float(re.search(r"([\d.]+) requests/s", out).group(1))

    return b.compare(ours, lambda: b.pgbench(64, SELECT))


def cost_beside_http(kind):
    """CPU µs that a read costs beside its HTTP call, against the 50 that it may."""

    def measure(b):
        command = [ROOT / "build/release/bench_driver_http", kind]
        out = subprocess.run(command, check=True, capture_output=True, text=True)
        return float(re.search(r"(-?[\d.]+) us of CPU more", out.stdout).group(1)), 50.0

    return measure


def insert(b):
    body = {"table_name": "bench_inserts", "insert_body": {"name": "somebody", "score": 42}}
    return b.compare(
        lambda: b.wrk(b.port, 64, b.fixed("PUT", "/gateway/insert", body))[0],
        lambda: b.pgbench(
            64, "INSERT INTO bench_inserts (name, score) VALUES ('somebody', 42) RETURNING id, name, score;\n"
        ),
    )


def thousand_rows(b):
    fetched = {
        "table_name": "bench_rows",
        "columns": COLUMNS,
        "limit": 1000,
        "conditions": [{"operator": "lte", "column": "id", "value": 1000}],
    }
    agg = {
        "query": f"SELECT json_agg(t) AS data FROM (SELECT {COLUMNS} FROM bench_rows WHERE id <= 1000 LIMIT 1000) AS t"
    }
    return b.compare(
        lambda: b.wrk(b.port, 16, b.fixed("POST", "/gateway/fetch", fetched))[0],
        lambda: b.wrk(b.port, 16, b.fixed("POST", "/gateway/query", agg))[0],
    )


def cpu_per_fetch(b):
    def cost(pid, port, script):
        before = family_cpu(pid)
        _, requests = b.wrk(port, 64, script)
        return (family_cpu(pid) - before) / requests * 1e6

    return b.compare(
        lambda: cost(b.athena.pid, b.port, b.keyed("pg")),
        lambda: cost(b.nginx.pid, b.nginx_port, b.fixed("GET", "/", None)),
    )


def sqlite_read(b):
    return b.compare(
        lambda: b.wrk(b.port, 64, b.keyed("lite"))[0], lambda: b.wrk(b.nginx_port, 64, b.fixed("GET", "/", None))[0]
    )


def resident_256(b):
    b.wrk(b.port, 256, b.keyed("pg"))
    return rss_mb(b.athena.pid), 32.0


def slow_reader(b):
    """A 1 GB answer to a client that reads 4 MB a second for a while: how much memory does it add?"""
    body = json.dumps({"query": "SELECT repeat('x', 1000) AS pad FROM generate_series(1, 1000000)"}).encode()
    before, peak = rss_mb(b.athena.pid), 0.0
    with socket.create_connection(("127.0.0.1", b.port)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.sendall(
            b"POST /gateway/query HTTP/1.1\r\nHost: x\r\nX-Athena-Client: pg\r\nContent-Length: %d\r\n\r\n" % len(body)
            + body
        )
        for _ in range(100):
            connection.recv(400_000)
            peak = max(peak, rss_mb(b.athena.pid))
            time.sleep(0.1)
    return peak - before, 2.0


FIGURES = {  # name: (what, measure, must, better when lower)
    "fetch-c64": ("fetch one row, 64 clients / pgbench", fetch(64), 1.0, False),
    "fetch-c256": ("fetch one row, 256 clients / pgbench", fetch(256), 1.6, False),
    "fetch-c16": ("fetch one row, 16 clients / pgbench", fetch(16), 0.65, False),
    "driver": ("driver alone, 4 lanes, 64 in flight / pgbench -c64", driver_alone, 2.0, False),
    "supabase": ("CPU µs of a Supabase read beside its HTTP call / bound", cost_beside_http("supabase"), 1.0, True),
    "d1": ("CPU µs of a D1 read beside its HTTP call / bound", cost_beside_http("d1"), 1.0, True),
    "insert": ("insert one row, 64 clients / pgbench", insert, 1.0, False),
    "rows-1000": ("1000 rows / json_agg through the gateway", thousand_rows, 2.2, False),
    "cpu": ("CPU µs a fetch / nginx return 200", cpu_per_fetch, 1.6, True),
    "sqlite": ("SQLite point read / nginx return 200", sqlite_read, 0.6, False),
    "rss": ("resident MB after 256 clients / bound", resident_256, 1.0, True),
    "slow-reader": ("MB added by 1 GB to a slow reader / bound", slow_reader, 1.0, True),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figure", nargs="*", help=f"which figures (default all): {' '.join(FIGURES)}")
    parser.add_argument("--seconds", type=int, default=5, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3, help="alternating rounds; the median counts")
    parser.add_argument("--binary", default=str(ROOT / "build/release/athena"))
    options = parser.parse_args()
    if unknown := set(options.figure) - set(FIGURES):
        parser.error(f"unknown figure: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="athena-bench-", dir=memory_folder()) as work:
        os.chmod(work, 0o755)
        bench = Bench(options, pathlib.Path(work))
        print(f"| figure | Athena | peer | ratio | must |\n|---|---|---|---|---|")
        try:
            for name in options.figure or FIGURES:
                what, measure, must, lower = FIGURES[name]
                ours, theirs = measure(bench)
                ratio = ours / theirs
                met = ratio <= must if lower else ratio >= must
                print(
                    f"| {what} | {ours:,.1f} | {theirs:,.1f} | **{ratio:.2f}** "
                    f"| {'≤' if lower else '≥'} {must} {'met' if met else 'MISSED'} |",
                    flush=True,
                )
        finally:
            bench.stop()


if __name__ == "__main__":
    main()
