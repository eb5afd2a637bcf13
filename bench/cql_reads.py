"""Point reads with PyPI's cassandra-driver, many at a time, the way its documentation says is fastest (callbacks that
ask again): the peer of bench_driver_reads.

  cql_reads.py HOST PORT KEYSPACE fill ROWS        makes the keyspace and the table
  cql_reads.py HOST PORT KEYSPACE SECONDS IN_FLIGHT
"""

import datetime
import random
import resource
import sys
import threading
import time

from cassandra.cluster import Cluster, ExecutionProfile, EXEC_PROFILE_DEFAULT
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.policies import RoundRobinPolicy, TokenAwarePolicy
from cassandra.query import tuple_factory

ROWS = 100_000


def fill(host, port, keyspace, rows):
    with Cluster([host], port=port, protocol_version=5) as cluster:
        session = cluster.connect()
        session.execute(
            f"CREATE KEYSPACE IF NOT EXISTS {keyspace} "
            "WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
        )
        session.set_keyspace(keyspace)
        session.execute(
            "CREATE TABLE IF NOT EXISTS bench_rows "
            "(id int PRIMARY KEY, name text, email text, score int, active boolean, created_at timestamp)"
        )
        begin = datetime.datetime(2025, 1, 1)
        insert = session.prepare(
            "INSERT INTO bench_rows (id, name, email, score, active, created_at) VALUES (?, ?, ?, ?, ?, ?)"
        )
        values = (
            (i, f"name {i}", f"user{i}@example.org", i % 1000, i % 2 == 0, begin + datetime.timedelta(seconds=i))
            for i in range(1, rows + 1)
        )
        execute_concurrent_with_args(session, insert, values, concurrency=100)


def main():
    host, port, keyspace = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if sys.argv[4] == "fill":
        return fill(host, port, keyspace, int(sys.argv[5]))
    seconds, in_flight = float(sys.argv[4]), int(sys.argv[5])
    profile = ExecutionProfile(TokenAwarePolicy(RoundRobinPolicy()), row_factory=tuple_factory)
    with Cluster([host], port=port, execution_profiles={EXEC_PROFILE_DEFAULT: profile}, protocol_version=5) as cluster:
        session = cluster.connect(keyspace)
        statement = session.prepare("SELECT id, name, email, score, active, created_at FROM bench_rows WHERE id = ?")
        ended, left, asked, failures = threading.Event(), [in_flight], [0], []
        began = time.monotonic()
        end = began + seconds

        def ask():
            session.execute_async(statement, (random.randint(1, ROWS),)).add_callbacks(read, failures.append)

        def read(rows):
            if len(rows) != 1:
                failures.append(rows)
            asked[0] += 1
            if time.monotonic() < end:
                ask()
                return
            left[0] -= 1
            if left[0] == 0:
                ended.set()

        for _ in range(in_flight):
            ask()
        if not ended.wait(seconds + 30) or failures:
            raise SystemExit(f"reads failed: {failures[:1]}")
        took = time.monotonic() - began
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu = (used.ru_utime + used.ru_stime) / asked[0] * 1e6
        print(f"{asked[0] / took:.0f} requests/s, {cpu:.1f} us of CPU each")


main()
