"""The SDK says the same of a database, whichever way it goes: straight, or through a gateway in any of its shapes."""

import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import urllib.parse

import pytest
from conftest import config_text, start_athena, stop_athena

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ATHENA_BUILD", ROOT / "build/release"))


def tour(*arguments):
    ended = subprocess.run(
        [BUILD / "tests/contract/sdk_tour", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


@pytest.fixture(scope="module")
def gateway(request, postgres_uri, d1_uri, tmp_path_factory):
    if request.config.getoption("--url"):
        pytest.fail("this compares a gateway with the databases behind it, and starts its own")
    directory = tmp_path_factory.mktemp("sdk")
    database = directory / "lite.db"
    sqlite3.connect(database).close()
    config = config_text(postgres_uri, database, d1=d1_uri)
    server = start_athena(request.config.getoption("--binary"), directory, config)
    server.targets = {"pg": ("postgresql", postgres_uri), "lite": ("sqlite", str(database)), "d1": ("d1", d1_uri)}
    yield server
    stop_athena(server)


def direct(gateway, client):
    return tour(*gateway.targets[client])


@pytest.mark.parametrize("shape", ["documented", "compact", "bare"])
@pytest.mark.parametrize("client", ["pg", "lite", "d1"])
def test_both_ways_say_the_same(gateway, client, shape):
    expected = direct(gateway, client)
    answers = tour("gateway", gateway.url, client, shape)
    if shape == "bare":  # which has rows alone

        def has_rows(line):
            return not any(f" {word} " in line for word in ("affected", "count"))

        expected, answers = ([line for line in lines if has_rows(line)] for lines in (expected, answers))
    assert answers == expected
    assert len(answers) > 30 and answers[-1] == "healthy 1"


@pytest.mark.parametrize("client", ["pg", "lite", "d1"])
def test_the_answers_are_right(gateway, client):
    lines = direct(gateway, client)
    stored = '[{"id":2,"label":"Bob","doc":{"k":[1, 2],"s":"x"}},{"id":3,"label":null,"doc":null}]'
    assert "insert more rows " + stored in lines
    assert "insert one affected 1" in lines
    assert any(line.startswith("insert again error unique_violation") for line in lines)
    assert "update all error unfiltered_write: At least one condition is required for update" in lines
    assert any(line.startswith("update many error") for line in lines)
    assert 'tree rows [{"id":2},{"id":1}]' in lines
    assert 'page rows [{"id":2}]' in lines and "page count 3" in lines
    assert "head rows []" in lines and "head count 3" in lines
    assert any("9007199254740993" in line for line in lines)
    assert any(line.startswith("no table error undefined_table") for line in lines)
    assert any(line.startswith("sql read only error") for line in lines)


def test_postgrest_says_the_same(postgres_uri):
    service = os.environ.get("ATHENA_TEST_POSTGREST")
    if not service:
        command = [sys.executable, ROOT / "tools/services.py", "start", "postgrest"]
        service = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["uri"]
    parts = urllib.parse.urlsplit(service.removeprefix("postgrest+"))
    url = f"http://{parts.hostname}:{parts.port}/db/{urllib.parse.urlsplit(postgres_uri).path.strip('/')}"
    assert tour("users", "postgrest", url, parts.username) == tour("users", "postgresql", postgres_uri)


def test_a_gateway_that_is_away_is_noticed(gateway):
    def example(url, client):
        command = [BUILD / "examples/example_gateway", url, client, "users"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    ended = example(gateway.url, "pg")
    assert ended.returncode == 0 and ended.stderr == "healthy\n", ended.stderr
    assert ended.stdout.startswith('[{"id":1,')
    unknown = example(gateway.url, "nobody")
    assert unknown.returncode == 1 and "does not match a configured client" in unknown.stderr
    away = example("http://127.0.0.1:1", "pg")
    assert away.returncode == 1 and "cannot be reached" in away.stderr
