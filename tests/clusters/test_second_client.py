"""100,000 keyed reads, pipelined through the driver, against three nodes: every cell agrees with what PyPI's
cassandra-driver reads."""

import datetime
import decimal
import ipaddress
import json
import os
import pathlib
import subprocess
import urllib.parse
import uuid

import pytest
from cassandra.cluster import Cluster
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.query import dict_factory

KEYS, IN_FLIGHT = 100_000, 512
COLUMNS = {
    "id": "int",
    "body": "text",
    "large": "bigint",
    "flag": "boolean",
    "ratio": "double",
    "amount": "decimal",
    "huge": "varint",
    "at": "timestamp",
    "day": "date",
    "mark": "uuid",
    "host": "inet",
    "raw": "blob",
    "items": "list<int>",
    "counts": "map<text, int>",
}


def row_of(key):
    """A row whose values differ from key to key, with nulls now and then."""
    row = {
        "id": key,
        "body": f"nota {key} ä€😀",
        "large": key * 92_233_720_368_547 - 2**62,
        "flag": key % 2 == 0,
        "ratio": key / 7.0 - 1_000.0,
        "amount": decimal.Decimal(f"{key}.{key % 1000:03}"),
        "huge": -(10**30) + key,
        "at": datetime.datetime(2001, 2, 3) + datetime.timedelta(seconds=key * 7919, milliseconds=key % 1000),
        "day": datetime.date(1950, 1, 1) + datetime.timedelta(days=key % 40_000),
        "mark": uuid.UUID(int=(key << 96) | (4 << 76) | (8 << 60) | key),
        "host": str(ipaddress.ip_address(0x0A000000 + key)) if key % 3 else str(ipaddress.ip_address(2**125 + key)),
        "raw": key.to_bytes(5, "big"),
        "items": [key, key + 1, -key],
        "counts": {"a": key, "b": -1},
    }
    if key % 11 == 0:
        row["amount"] = row["raw"] = row["items"] = None
    return row


def text_of(value):
    """As the driver prints it."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return ("float", value)
        case datetime.datetime():
            milliseconds = f".{value.microsecond // 1000:03}" if value.microsecond else ""
            return value.strftime("%Y-%m-%dT%H:%M:%S") + milliseconds + "+00:00"
        case bytes():
            return value.hex()
        case list():
            return json.dumps(value, separators=(",", ":"))
    if hasattr(value, "items"):
        return json.dumps(dict(value.items()), separators=(",", ":"))
    return str(value)


@pytest.fixture
def session():
    uri = urllib.parse.urlsplit(os.environ["ATHENA_TEST_CASSANDRA_CLUSTER"])
    hosts = [host.rpartition(":") for host in uri.netloc.split(",")]
    with Cluster([host for host, _, _ in hosts], port=int(hosts[0][2])) as cluster:
        session = cluster.connect()
        session.row_factory = dict_factory
        session.default_timeout = 60
        yield session


@pytest.mark.timeout(600)
def test_pipelined_reads_agree_with_a_second_client(session):
    session.execute("DROP KEYSPACE IF EXISTS athena_second")
    session.execute(
        "CREATE KEYSPACE athena_second WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 2}"
    )
    session.set_keyspace("athena_second")
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    session.execute(f"CREATE TABLE things ({columns}, PRIMARY KEY (id))")
    insert = session.prepare(f"INSERT INTO things ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})")
    rows = ((row_of(key)[name] for name in COLUMNS) for key in range(KEYS) if key % 10)  # every tenth is missing
    written = execute_concurrent_with_args(session, insert, ([*row] for row in rows), concurrency=100)
    assert len(written) == KEYS - KEYS // 10

    binary = pathlib.Path(os.environ["ATHENA_BUILD"]) / "tests" / "clusters" / "keyed_reads"
    ours = subprocess.run(
        [binary, os.environ["ATHENA_TEST_CASSANDRA_CLUSTER"] + "/athena_second", "things", str(KEYS), str(IN_FLIGHT)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
    )
    lines = dict(line.split("\t", 1) for line in ours.stdout.decode().splitlines())
    assert len(lines) == KEYS

    select = session.prepare("SELECT * FROM things WHERE id = ?")
    answers = execute_concurrent_with_args(session, select, [(key,) for key in range(KEYS)], concurrency=100)
    different = []
    for key, (good, rows) in enumerate(answers):
        assert good, rows
        theirs = [{name: text_of(value) for name, value in row.items()} for row in rows]
        line = lines[str(key)]
        read = [] if line == "none" else [dict(cell.split("=", 1) for cell in line.split("\t"))]
        for row in read:
            row["ratio"] = ("float", float(row["ratio"]))
        if read != theirs:
            different.append((key, read, theirs))
    assert not different, f"{len(different)} of {KEYS} differ, for example {different[0]}"
    assert sum(line == "none" for line in lines.values()) == KEYS // 10
