"""The process from outside: command line, exit codes, banner, signals, files."""

import json
import signal
import socket
import stat
import subprocess
import threading
import time

import httpx
import pytest

FETCH = {"table_name": "products", "columns": ["id"], "limit": 1}
SLOW_SQL = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) SELECT max(i) FROM n"


def fetch(server, body=FETCH, client="demo"):
    return httpx.post(f"{server.url}/gateway/fetch", json=body, headers={"X-Athena-Client": client}, timeout=30)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nope"],
        ["server", "--port", "abc"],
        ["server", "--port", "65536"],
        ["clients"],
        ["clients", "add", "a"],
        ["fetch"],
    ],
)
def test_a_wrong_command_line_is_exit_code_2(place, arguments):
    done = place.run(*arguments)
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr != ""


@pytest.mark.parametrize(
    "config, message",
    [
        ("api:\n  port: abc\n", "config.yaml:2: api.port must be a whole number from 0 to 65535; it is 'abc'"),
        ("postgres_clients:\n  a: ${A_URI}\n", "config.yaml:2: postgres_clients.a uses ${A_URI}, which is not set"),
        ("api: [\n", "config.yaml:2:1: "),
        ("clients:\n  - {name: a, uri: 'sqlite:../a.db'}\n", "outside of the data folder"),
        ("clients:\n  - {name: a, uri: 'mongodb://u:secret@h/d'}\n", "clients.0"),
    ],
)
def test_a_broken_configuration_stops_the_start_and_says_where(place, config, message):
    done = place.run("server", "--config", place.write("config.yaml", config))
    assert done.returncode == 1
    assert message in done.stderr and "secret" not in done.stderr


def test_a_port_that_is_taken_stops_the_start(place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = place.run("server", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "in use" in done.stderr


def test_version_and_diag_need_no_configuration(place):
    version = place.run("version").stdout.strip()
    assert place.run("--version").stdout.strip() == version
    assert json.loads(place.run("version", "--json").stdout) == {"version": version}
    assert json.loads(place.run("diag").stdout)["version"] == version
    assert list(place.folder.iterdir()) == []


def test_the_curl_line_of_the_banner_works(place):
    server = place.serve()
    done = subprocess.run(server.line("try"), shell=True, capture_output=True, text=True, timeout=30, check=True)
    assert len(json.loads(done.stdout)["data"]["rows"]) == 3


def test_the_first_start_makes_files_that_only_the_owner_reads(place):
    server = place.serve()
    data = place.folder / "athena-data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "admin.key").stat().st_mode) == 0o600
    key = (data / "admin.key").read_text().strip()
    assert key not in server.log() and key not in "\n".join(server.banner)
    assert (place.folder / "home/.config/athena/config.yaml").exists()
    clients = httpx.get(f"{server.url}/schema/clients", headers={"apikey": key})
    assert clients.status_code == 200 and "demo" in clients.text


def test_the_second_start_keeps_what_was_written(place):
    server = place.serve()
    changed = httpx.post(
        f"{server.url}/gateway/update",
        headers={"X-Athena-Client": "demo"},
        json={"table_name": "products", "set": {"stock": 7}, "conditions": [{"eq_column": "id", "eq_value": 1}]},
    )
    assert changed.status_code == 200, changed.text
    assert server.end(signal.SIGTERM) == 0
    rows = fetch(
        place.serve(),
        {"table_name": "products", "columns": ["stock"], "conditions": [{"eq_column": "id", "eq_value": 1}]},
    ).json()["data"]["rows"]
    assert rows == [{"stock": 7}]


def test_an_unwritable_home_serves_the_built_in_configuration(place):
    place.write("home", "a file where a folder should be")
    (place.folder / "config.yaml").mkdir()  # so that the working directory takes none, either
    server = place.serve("--data", str(place.folder / "data"))
    assert server.line("config") == "built in"
    assert fetch(server).status_code == 200


def test_log_lines_are_json_and_separate_from_the_banner(place):
    server = place.serve()
    fetch(server)
    assert server.end(signal.SIGTERM) == 0
    events = [json.loads(line)["event"] for line in server.log().splitlines()]
    assert events[-1] == "stopped" and "listening" in events
    assert server.banner[0].startswith("Athena ")


def test_api_only_is_the_same_as_server(place):
    assert fetch(place.serve(command="--api-only")).status_code == 200


def test_listening_beyond_loopback_is_warned_of(place):
    assert "no API key" in place.serve("--host", "0.0.0.0").line("WARNING")


def test_sigterm_lets_a_request_finish(place):
    server = place.serve()
    answers = []

    def run():
        answers.append(
            httpx.post(
                f"{server.url}/gateway/query",
                headers={"X-Athena-Client": "demo"},
                timeout=60,
                json={"query": SLOW_SQL.replace("100000000", "2000000")},
            )
        )

    request = threading.Thread(target=run)
    request.start()
    time.sleep(0.2)  # the request is on its way; whether it has begun or not, it must be answered
    assert server.end(signal.SIGTERM) == 0
    request.join()
    assert answers and answers[0].status_code == 200, answers


def test_a_second_signal_ends_it_at_once(place):
    server = place.serve()

    def run():
        with pytest.raises(httpx.HTTPError):
            httpx.post(
                f"{server.url}/gateway/query", headers={"X-Athena-Client": "demo"}, json={"query": SLOW_SQL}, timeout=60
            )

    threading.Thread(target=run).start()
    time.sleep(0.3)
    server.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 10
    while '"event":"stopping"' not in server.log():
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.01)
    began = time.monotonic()
    server.end(signal.SIGTERM)
    assert time.monotonic() - began < 5


def test_sighup_takes_over_new_clients_and_keeps_the_old_ones_on_error(place):
    place.serve().end(signal.SIGTERM)  # makes demo.db in the data folder
    config = place.write("config.yaml", "clients:\n  - {name: one, uri: 'sqlite:demo.db'}\n")
    server = place.serve("--config", config)
    assert fetch(server, client="one").status_code == 200
    assert fetch(server, client="two").status_code == 400

    place.write("config.yaml", "clients:\n  - {name: two, uri: 'sqlite:demo.db'}\n")
    server.process.send_signal(signal.SIGHUP)
    wait_for_event(server, "reloaded")
    assert fetch(server, client="two").status_code == 200
    assert fetch(server, client="one").status_code == 400

    place.write("config.yaml", "clients: [\n")
    server.process.send_signal(signal.SIGHUP)
    wait_for_event(server, "reload_failed")
    assert fetch(server, client="two").status_code == 200


def wait_for_event(server, event):
    deadline = time.monotonic() + 10
    while f'"event":"{event}"' not in server.log():
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.01)


def test_fetch_prints_the_answer_and_fails_on_an_http_error(place):
    server = place.serve()
    url = ["--url", f"{server.url}/gateway/fetch"]
    good = place.run("fetch", *url, "--client", "demo", "--body-json", json.dumps(FETCH))
    assert good.returncode == 0
    assert json.loads(good.stdout)["data"]["rows"] == [{"id": 1}]
    bad = place.run("fetch", *url, "--client", "nobody", "--body-json", json.dumps(FETCH))
    assert bad.returncode == 1
    assert "fetch failed (400)" in bad.stderr and "unknown_client" in bad.stderr
    gone = place.run("fetch", "--url", "http://127.0.0.1:9/", "--client", "demo", "--body-json", "{}")
    assert gone.returncode == 1


def test_fetch_takes_the_default_of_the_clients_file(place):
    server = place.serve()
    place.run("clients", "add", "demo", "sqlite:demo.db")
    body = place.write("b.json", json.dumps(FETCH))
    done = place.run("fetch", "--url", f"{server.url}/gateway/fetch", "--body-file", body)
    assert done.returncode == 0, done.stderr
