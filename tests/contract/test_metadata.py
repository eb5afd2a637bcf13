"""Clients whose metadata says where their database is (contract 9, 12)."""

import json
import sqlite3
import subprocess
import urllib.parse

import pytest
from conftest import Client, assert_error, start_athena, stop_athena


@pytest.fixture(scope="module")
def described(request, tmp_path_factory, postgres_uri, rest_uri):
    """One client of each kind; their secrets are in variables."""
    directory = tmp_path_factory.mktemp("described")
    (directory / "data").mkdir()
    with sqlite3.connect(directory / "data" / "notes.db") as connection:
        connection.executescript("create table users (id integer primary key, email text)")
        connection.execute("insert into users values (1, 'a')")
    connection.close()
    pg = urllib.parse.urlsplit(postgres_uri)
    rest = urllib.parse.urlsplit(rest_uri.removeprefix("postgrest+"))
    parts = {"host": pg.hostname, "port": pg.port, "database": pg.path[1:], "user": pg.username}
    clients = [
        {"name": "parts", "metadata": {"dbEngine": "postgresql", "postgresql": {**parts, "password_env_var": "PG_PW"}}},
        {"name": "neon", "metadata": {"backend": "neon", "connection": {"uri_env_var": "PG_URI"}}},
        {"name": "file", "metadata": {"sqlite": {"path": "notes.db", "read_only": "true"}}},
        {
            "name": "rest",
            "metadata": {
                "postgrest": {
                    "url": f"http://{rest.hostname}:{rest.port}{rest.path}",
                    "key_env_var": "REST_KEY",
                }
            },
        },
    ]
    variables = {"PG_PW": "ignored by trust", "PG_URI": postgres_uri, "REST_KEY": rest.username}
    config = json.dumps({"gateway": {"audit_headers": "optional"}, "clients": clients})
    server = start_athena(request.config.getoption("--binary"), directory, config, variables)
    yield server
    stop_athena(server)


@pytest.mark.parametrize("name", ["parts", "neon", "file", "rest"])
def test_a_client_is_served_from_where_its_metadata_says(described, name):
    reply = Client(described, name).fetch("users", columns=["id"], conditions=[{"eq_column": "id", "eq_value": 1}])
    assert reply.status_code == 200 and reply.json()["data"]["rows"] == [{"id": 1}], reply.text


def test_metadata_can_make_a_client_read_only(described):
    reply = Client(described, "file").insert("users", {"id": 2, "email": "b"})
    assert_error(reply, 503, "read_only_database")
    assert Client(described, "file").rows("users") == [{"id": 1, "email": "a"}]


def test_secrets_of_metadata_are_in_no_log(described):
    assert "ignored by trust" not in described.log() and "the-key-of" not in described.log()


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
