"""Starts what the contract suite needs: the databases (or those in ATHENA_TEST_POSTGRES and the like), and Athena.

Every case runs on every client. What a database cannot do it must refuse, with the error that the mark `refused` names:
a case so marked fails when it is answered after all. With --url the suite runs against a server that is already there;
it must serve clients `pg`, `rest`, `lite`, `d1` and `cql` with the data of schema_postgres.sql, schema_sqlite.sql and
schema_cql.cql.
"""

import contextlib
import json
import os
import pathlib
import socket
import sqlite3
import subprocess
import time
import uuid

import httpx
import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
ADMIN_KEY = "contract-suite-admin-key"
KINDS = {"pg": "postgresql", "lite": "sqlite", "d1": "d1", "rest": "supabase", "cql": "scylla"}


class Refused(Exception):
    """The database cannot do what was asked, and said so as it should."""


def refused(**codes):
    """Marks a case: the clients named refuse it, with this code."""
    return pytest.mark.refused(**codes)


def pytest_configure(config):
    config.addinivalue_line("markers", "refused(client=code): the client cannot do this, and answers so")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    client = next((value for value in pyfuncitem.funcargs.values() if isinstance(value, Client)), None)
    marks = pyfuncitem.iter_markers("refused") if client else []
    codes = [mark.kwargs[client.name] for mark in marks if client.name in mark.kwargs]
    if not codes:
        return (yield)
    client.refusals = codes
    try:
        yield
    except Refused:
        return True
    raise AssertionError(f"{client.name} did what it was to refuse with {codes[0]}")


def pytest_addoption(parser):
    parser.addoption("--url", help="run against this server instead of starting one")
    parser.addoption("--binary", default=os.environ.get("ATHENA_BINARY", str(ROOT / "build/release/athena")))


def service_uri(name):
    """Where a service is, which is started if nobody has."""
    variable = f"ATHENA_TEST_{name.upper()}"
    if variable not in os.environ:
        started = subprocess.run(
            ["/usr/bin/python3", ROOT / "tools/services.py", "start", name], check=True, capture_output=True, text=True
        )
        service = json.loads(started.stdout)
        os.environ[variable], os.environ[variable + "_LOG"] = service["uri"], service["log"]
    return os.environ[variable]


@contextlib.contextmanager
def new_database():
    """A database of its own, filled from schema_postgres.sql; dropped with the server that holds it."""
    base = service_uri("postgres")
    name = "contract_" + uuid.uuid4().hex[:8]
    run_psql(base, "-c", f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'")
    uri = base.rsplit("/", 1)[0] + "/" + name
    run_psql(uri, "-f", str(HERE / "schema_postgres.sql"))
    yield uri
    run_psql(base, "-c", f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgres_uri():
    with new_database() as uri:
        yield uri


@pytest.fixture(scope="session")
def rest_uri():
    """The scripted PostgREST over a database of its own."""
    with new_database() as uri:
        yield service_uri("postgrest").rsplit("/", 1)[0] + "/" + uri.rsplit("/", 1)[1]


D1_TOKEN = "athena-test-token"  # of tools/servers/d1.mjs


def d1_query(url, text):
    body = {"query": text, "params": [], "databaseBinding": "CONTRACT"}
    reply = httpx.post(url + "/query", headers={"Authorization": f"Bearer {D1_TOKEN}"}, json=body, timeout=60)
    assert reply.status_code == 200, reply.text
    return reply.json()["rows"]


@pytest.fixture(scope="session")
def d1_uri():
    url = service_uri("d1")
    made = "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT GLOB '_cf*'"
    for thing in d1_query(url, made + " ORDER BY rowid DESC"):
        name = thing["name"].replace('"', '""')
        d1_query(url, f'DROP {thing["type"]} "{name}"')
    d1_query(url, (HERE / "schema_sqlite.sql").read_text())
    return f"d1+{url.replace('://', f'://{D1_TOKEN}@')}/?binding=CONTRACT"


@pytest.fixture(scope="session")
def cql_uri(request, tmp_path_factory):
    """A keyspace, filled through a client that begins with none."""
    uri = service_uri("cassandra")
    config = f"gateway: {{audit_headers: optional}}\nclients:\n  - {{name: root, uri: '{uri}'}}\n"
    server = start_athena(request.config.getoption("--binary"), tmp_path_factory.mktemp("fill"), config)
    root = Client(server, "root")
    statements = (HERE / "schema_cql.cql").read_text().split(";\n")
    for statement in filter(None, (s.strip() for s in statements)):
        reply = root.query(statement)
        assert reply.status_code == 200, (statement, reply.text)
    for first in range(1, 5001, 250):
        rows = [{"id": i, "grp": i % 10, "body": f"row {i} {'x' * 80}"} for i in range(first, first + 250)]
        reply = root.insert("contract.sequence_rows", rows)
        assert reply.status_code == 200, reply.text
    stop_athena(server)
    return uri + "/contract"


def run_psql(uri, *arguments):
    result = subprocess.run(
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", uri, *arguments], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Athena:
    """A running server and the way to talk to it."""

    def __init__(self, url, process=None, log_path=None, postgres_uri=None):
        self.url, self.process, self.log_path, self.postgres_uri = url, process, log_path, postgres_uri
        self.http = httpx.Client(base_url=url, timeout=30)

    @property
    def address(self):
        host, port = self.url.removeprefix("http://").split(":")
        return host, int(port)

    def log(self):
        return pathlib.Path(self.log_path).read_text()


def start_athena(binary, directory, config, environment=None):
    """Writes config.yaml, starts the binary and waits until it is ready."""
    port = free_port()
    path = directory / "config.yaml"
    path.write_text(config)
    log_path = directory / "athena.log"
    command = [binary, "--config", str(path), "--port", str(port), "--data", str(directory / "data"), "server"]
    with open(log_path, "w") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            cwd=directory,
            env={**os.environ, "ATHENA_KEY_12": ADMIN_KEY, **(environment or {})},
        )
    server = Athena(f"http://127.0.0.1:{port}", process, log_path)
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None, log_path.read_text()
        try:
            if server.http.get("/ready").status_code == 200:
                return server
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, log_path.read_text()
        time.sleep(0.02)


def stop_athena(server):
    server.http.close()
    server.process.terminate()
    try:
        code = server.process.wait(timeout=40)
    except subprocess.TimeoutExpired:
        server.process.kill()
        raise
    assert code == 0, f"athena ended with {code}\n{server.log()[-4000:]}"


def config_text(postgres_uri, sqlite_path, gateway="", api="", **more):
    """`more`: other clients, by name."""
    return f"""
api:
  threads: 2
  cors_allowed_origins: "https://app.example.org"
{api}
gateway:
  audit_headers: optional
  force_camel_case_to_snake_case: true
{gateway}
storage:
  sqlite_roots: ["{pathlib.Path(sqlite_path).parent}"]
clients:
  - name: pg
    uri: {postgres_uri}
  - name: lite
    uri: sqlite:{sqlite_path}
""" + "".join(f"  - name: {name}\n    uri: {uri}\n" for name, uri in more.items())


@pytest.fixture(scope="session")
def athena(request, tmp_path_factory):
    if url := request.config.getoption("--url"):
        yield Athena(url.rstrip("/"))
        return
    uri = request.getfixturevalue("postgres_uri")
    directory = tmp_path_factory.mktemp("athena")
    database = directory / "lite.db"
    with sqlite3.connect(database) as connection:
        connection.executescript((HERE / "schema_sqlite.sql").read_text())
    connection.close()
    server = start_athena(
        request.config.getoption("--binary"),
        directory,
        config_text(uri, database, **{name: request.getfixturevalue(name + "_uri") for name in ("rest", "d1", "cql")}),
    )
    server.postgres_uri = uri
    yield server
    stop_athena(server)


class Client:
    """Requests to one client (database) of the server."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        self.is_postgres = name in ("pg", "rest")  # what knows PostgreSQL's types and operators
        self.refusals = []  # codes that end the case, as it should

    def send(self, method, path, body=None, headers=None, **options):
        merged = {"X-Athena-Client": self.name, **(headers or {})}
        if body is not None:
            options["content"] = body if isinstance(body, (bytes, str)) else json.dumps(body)
            merged.setdefault("Content-Type", "application/json")
        reply = self.server.http.request(method, path, headers=merged, **options)
        if reply.status_code == 400 and reply.json()["code"] in self.refusals:
            assert_error(reply, 400, reply.json()["code"])
            raise Refused
        return reply

    def fetch(self, table, headers=None, **fields):
        if self.name == "cql":  # the suite's tables have no indexes, and are small
            fields.setdefault("allow_filtering", True)
        return self.send("POST", "/gateway/fetch", {"table_name": table, **fields}, headers)

    def rows(self, table, **fields):
        reply = self.fetch(table, **fields)
        assert reply.status_code == 200, reply.text
        return reply.json()["data"]["rows"]

    def in_order(self, rows, key="id"):
        """CQL gives rows in the order of their tokens, which is none."""
        return sorted(rows, key=lambda row: row[key]) if self.name == "cql" else rows

    def json(self, value):
        """CQL has no type for JSON: it is a text."""
        return json.loads(value) if self.name == "cql" and value is not None else value

    def insert(self, table, body, headers=None, **fields):
        return self.send("PUT", "/gateway/insert", {"table_name": table, "insert_body": body, **fields}, headers)

    def update(self, table, headers=None, **fields):
        return self.send("POST", "/gateway/update", {"table_name": table, **fields}, headers)

    def delete(self, table, headers=None, **fields):
        return self.send("DELETE", "/gateway/delete", {"table_name": table, **fields}, headers)

    def query(self, text, headers=None, **fields):
        return self.send("POST", "/gateway/query", {"query": text, **fields}, headers)


@pytest.fixture(params=["pg", "lite", "rest", "d1", "cql"])
def client(request, athena):
    return Client(athena, request.param)


@pytest.fixture(params=["pg", "lite", "rest", "d1"])
def relational(request, athena):
    """Of the databases with defaults, constraints and conditions beside the key; test_cql.py says what CQL does."""
    return Client(athena, request.param)


@pytest.fixture(params=["pg", "lite"])
def script_client(request, athena):
    """Of the databases that tell what each of several statements gave; D1 tells of the last one alone."""
    return Client(athena, request.param)


@pytest.fixture
def pg(athena):
    return Client(athena, "pg")


@pytest.fixture
def lite(athena):
    return Client(athena, "lite")


@pytest.fixture
def rest(athena):
    return Client(athena, "rest")


@pytest.fixture
def cql(athena):
    return Client(athena, "cql")


@pytest.fixture
def d1(athena):
    return Client(athena, "d1")


@pytest.fixture(params=["pg", "lite", "d1"])
def sql_client(request, athena):
    """Of the databases that run SQL as the caller wrote it."""
    return Client(athena, request.param)


def assert_error(reply, status, code):
    """The one error shape of contract 1.2."""
    assert reply.status_code == status, reply.text
    body = reply.json()
    assert body["status"] == "error" and body["success"] is False
    assert body["code"] == code, body
    assert body["error_id"].startswith("ATH-")
    assert isinstance(body["message"], str) and body["message"]
    assert isinstance(body["error"], str) and body["error"]
    assert body["trace_id"] == reply.headers["X-Request-Id"]
    assert "SELECT t." not in reply.text and "postgres://" not in reply.text
    return body
