"""Starts what the contract suite needs: a PostgreSQL (or the one in ATHENA_TEST_POSTGRES), an SQLite file, and Athena.

With --url the suite runs against a server that is already there; it must serve clients `pg` and `lite` with the data of
schema_postgres.sql and schema_sqlite.sql.
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


def config_text(postgres_uri, sqlite_path, gateway="", api="", rest_uri=""):
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
""" + (f"  - name: rest\n    uri: {rest_uri}\n" if rest_uri else "")


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
        config_text(uri, database, rest_uri=request.getfixturevalue("rest_uri")),
    )
    server.postgres_uri = uri
    yield server
    stop_athena(server)


class Client:
    """Requests to one client (database) of the server."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        self.is_postgres = name in ("pg", "rest")  # what knows PostgreSQL's types and operators
        self.runs_sql = name != "rest"

    def send(self, method, path, body=None, headers=None, **options):
        merged = {"X-Athena-Client": self.name, **(headers or {})}
        if body is not None:
            options["content"] = body if isinstance(body, (bytes, str)) else json.dumps(body)
            merged.setdefault("Content-Type", "application/json")
        return self.server.http.request(method, path, headers=merged, **options)

    def fetch(self, table, headers=None, **fields):
        return self.send("POST", "/gateway/fetch", {"table_name": table, **fields}, headers)

    def rows(self, table, **fields):
        reply = self.fetch(table, **fields)
        assert reply.status_code == 200, reply.text
        return reply.json()["data"]["rows"]

    def insert(self, table, body, headers=None, **fields):
        return self.send("PUT", "/gateway/insert", {"table_name": table, "insert_body": body, **fields}, headers)

    def update(self, table, headers=None, **fields):
        return self.send("POST", "/gateway/update", {"table_name": table, **fields}, headers)

    def delete(self, table, headers=None, **fields):
        return self.send("DELETE", "/gateway/delete", {"table_name": table, **fields}, headers)

    def query(self, text, headers=None, **fields):
        return self.send("POST", "/gateway/query", {"query": text, **fields}, headers)


@pytest.fixture(params=["pg", "lite", "rest"])
def client(request, athena):
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


@pytest.fixture(params=["pg", "lite"])
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
