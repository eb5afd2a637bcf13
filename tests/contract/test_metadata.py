"""Clients whose metadata says where their database is (contract 9, 12)."""

import json
import sqlite3
import subprocess
import urllib.parse

import pytest
from conftest import D1_TOKEN, Client, assert_error, start_athena, stop_athena


@pytest.fixture(scope="module")
def described(request, tmp_path_factory, postgres_uri, rest_uri, d1_uri, cql_uri):
    """One client of each kind; their secrets are in variables."""
    directory = tmp_path_factory.mktemp("described")
    (directory / "data").mkdir()
    with sqlite3.connect(directory / "data" / "notes.db") as connection:
        connection.executescript("create table users (id integer primary key, email text)")
        connection.execute("insert into users values (1, 'a')")
    connection.close()
    pg = urllib.parse.urlsplit(postgres_uri)
    rest = urllib.parse.urlsplit(rest_uri.removeprefix("postgrest+"))
    base = f"http://{rest.hostname}:{rest.port}{rest.path}"
    d1, ring = urllib.parse.urlsplit(d1_uri.removeprefix("d1+")), urllib.parse.urlsplit(cql_uri)
    worker = {
        "worker_base_url": f"http://{d1.hostname}:{d1.port}/",
        "auth_token_env_var": "D1_TOKEN",
        "database_binding": "CONTRACT",
    }
    hosts = {"hosts": [f"{ring.hostname}:{ring.port}"], "keyspace": ring.path[1:]}
    parts = {"host": pg.hostname, "port": pg.port, "database": pg.path[1:], "user": pg.username}
    clients = [
        {"name": "parts", "metadata": {"dbEngine": "postgresql", "postgresql": {**parts, "password_env_var": "PG_PW"}}},
        {"name": "neon", "metadata": {"backend": "neon", "connection": {"uri_env_var": "PG_URI"}}},
        {"name": "file", "metadata": {"sqlite": {"path": "notes.db", "read_only": "true"}}},
        {"name": "rest", "metadata": {"postgrest": {"url": base, "key_env_var": "REST_KEY"}}},
        {"name": "d1", "metadata": {"dbEngine": "cloudflare-d1", "cloudflareD1": worker}},
        {"name": "ring", "metadata": {"dbEngine": "scylla", "connection": hosts}},
        {"name": "flat", "metadata": {"scyllaHosts": hosts["hosts"][0], "scyllaKeyspace": hosts["keyspace"]}},
    ]
    variables = {
        "PG_PW": "ignored by trust",
        "PG_URI": postgres_uri,
        "REST_KEY": rest.username,
        "D1_TOKEN": D1_TOKEN,
    }
    config = json.dumps({"gateway": {"audit_headers": "optional"}, "clients": clients})
    server = start_athena(request.config.getoption("--binary"), directory, config, variables)
    yield server
    stop_athena(server)


@pytest.mark.parametrize("name", ["parts", "neon", "file", "rest", "d1", "ring", "flat"])
def test_a_client_is_served_from_where_its_metadata_says(described, name):
    reply = Client(described, name).fetch("users", columns=["id"], conditions=[{"eq_column": "id", "eq_value": 1}])
    assert reply.status_code == 200 and reply.json()["data"]["rows"] == [{"id": 1}], reply.text


def test_metadata_can_make_a_client_read_only(described):
    reply = Client(described, "file").insert("users", {"id": 2, "email": "b"})
    assert_error(reply, 503, "read_only_database")
    assert Client(described, "file").rows("users") == [{"id": 1, "email": "a"}]


def test_secrets_of_metadata_are_in_no_log(described):
    for secret in ("ignored by trust", "the-key-of", D1_TOKEN):
        assert secret not in described.log()


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"dbEngine": "scylla"}, "does not include any Scylla hosts"),
        ({"cloudflareD1": {"worker_base_url": "http://w.example"}}, "must use https outside local development"),
        ({"neon": {"host": "h", "password_env_var": "NOT_SET"}}, "NOT_SET is not set"),
        ({"postgresql": {"hostt": "h"}}, "did you mean 'host'?"),
    ],
)
def test_a_mistake_stops_the_start_and_names_file_client_and_key(request, tmp_path, metadata, said):
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps({"clients": [{"name": "mine", "metadata": metadata}]}))
    command = [request.config.getoption("--binary"), "--config", path, "--port", "0", "--data", tmp_path, "server"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert f"{path}:1: clients.0.metadata of client 'mine': " in ended.stderr and said in ended.stderr
