"""What only a client behind PostgREST can do, or cannot: the refusals are a part of the contract."""

import contextlib
import http.server
import json
import threading
import urllib.parse

import httpx
import pytest

from conftest import ADMIN_KEY, Client, assert_error, config_text, start_athena, stop_athena

SSL_ROUTE = "/api/v2/supabase/ssl_enforcement"


def split_uri(uri):
    """postgrest+http://KEY@host:port/path → the URL without the key, and the key."""
    url = urllib.parse.urlsplit(uri.removeprefix("postgrest+"))
    return f"{url.scheme}://{url.hostname}:{url.port}{url.path}", url.username


@pytest.mark.parametrize("text", ["select 1", "drop table users"])
def test_raw_sql_is_refused(rest, text):
    assert_error(rest.query(text), 400, "feature_not_supported")
    body = {"query": text, "driver": "native", "db_name": "x"}
    assert_error(rest.send("POST", "/query/sql", body), 400, "feature_not_supported")


def test_other_values_on_conflict_are_refused_and_nothing_is_written(rest):
    row = {"item_id": 990001, "sku": "rest-1", "label": "new", "quantity": 1}
    assert rest.insert("items", row).status_code == 200
    for fields in ({"on_conflict": ["sku"]}, {}):
        reply = rest.insert("items", {**row, "label": "x"}, update_body={"quantity": 77}, **fields)
        assert "update_body" in assert_error(reply, 400, "feature_not_supported")["error"]
    kept = rest.rows("items", conditions=[{"eq_column": "item_id", "eq_value": 990001}])
    assert kept[0]["label"] == "new" and kept[0]["quantity"] == 1


def test_an_upsert_needs_a_key_that_postgrest_tells(rest):
    body = {"table_name": "two_keys", "insert_body": {"a": "x", "b": "y"}, "update_body": {"a": "x"}}
    reply = rest.send("PUT", "/gateway/insert", body)
    assert "on_conflict" in assert_error(reply, 400, "ambiguous_conflict_target")["hint"]


def test_updated_rows_in_an_order_are_refused(rest):
    reply = rest.update("users", set={"name": "x"}, conditions=[{"eq_column": "id", "eq_value": 1}], sort_by="id")
    assert_error(reply, 400, "feature_not_supported")


def test_the_key_is_in_no_answer_and_no_log(athena, rest, rest_uri):
    _, key = split_uri(rest_uri)
    rest.fetch("users")
    rest.fetch("nothing_of_that_name")
    answers = [athena.http.get("/").text, athena.http.get("/clients", headers={"apikey": ADMIN_KEY}).text]
    assert all(key not in text for text in [*answers, athena.log()])


@contextlib.contextmanager
def server_of(request, tmp_path, gateway, environment=None, clients=""):
    uri = request.getfixturevalue("postgres_uri")
    config = config_text(uri, tmp_path / "lite.db", gateway=gateway) + clients
    server = start_athena(request.config.getoption("--binary"), tmp_path, config, environment)
    try:
        yield server
    finally:
        stop_athena(server)


def test_custom_supabase_reads_and_writes_where_the_headers_say(request, tmp_path, rest_uri):
    url, key = split_uri(rest_uri)
    gateway = "  supabase_allowed_hosts: 127.0.0.1\n  supabase_allow_private_hosts: true"
    with server_of(request, tmp_path, gateway) as server:
        custom = Client(server, "Custom_Supabase")
        headers = {"x-supabase-url": url, "x-supabase-key": key}
        rows = custom.fetch("users", headers, limit=2).json()["data"]["rows"]
        assert len(rows) == 2
        row = {"item_id": 990002, "sku": "custom-1", "label": "new", "quantity": 1}
        assert custom.insert("items", row, headers).status_code == 200
        assert custom.delete("items", headers, resource_id=990002).json()["meta"]["rows_affected"] == 1
        body = assert_error(custom.fetch("users", {**headers, "x-supabase-key": "wrong-key"}), 403,
                            "insufficient_privilege")
        assert "wrong-key" not in json.dumps(body) and "wrong-key" not in server.log() and key not in server.log()
        twice = [("X-Athena-Client", "custom_supabase"), ("x-supabase-url", url), ("x-supabase-url", url + "x"),
                 ("x-supabase-key", key)]
        reply = httpx.post(server.url + "/gateway/fetch", json={"table_name": "users"}, headers=twice)
        assert_error(reply, 400, "invalid_request")


def test_custom_supabase_is_closed_to_everything_else(athena):
    custom = Client(athena, "custom_supabase")
    assert_error(custom.fetch("users"), 400, "missing_field")
    assert_error(custom.fetch("users", {"x-supabase-url": "https://a.supabase.co"}), 400, "missing_field")
    for url, status, code in [
        ("https://127.0.0.1", 403, "direct_target_refused"),
        ("http://169.254.169.254/latest", 400, "invalid_value"),
        ("https://a.supabase.co@127.0.0.1", 400, "invalid_value"),
        ("https://a.supabase.co:22", 400, "invalid_value"),
        ("https://a.supabase.co.evil.example", 403, "direct_target_refused"),
    ]:
        assert_error(custom.fetch("users", {"x-supabase-url": url, "x-supabase-key": "k"}), status, code)


def test_query_sql_runs_on_the_postgresql_behind_it(request, tmp_path, postgres_uri, rest_uri):
    base, database = postgres_uri.rsplit("/", 1)
    body = {"query": "select count(*) as n from users", "driver": "supabase", "db_name": database}
    with server_of(request, tmp_path, "", {"SUPABASE_POSTGRES_URI": base + "/{db}"}) as server:
        data = server.http.post("/query/sql", json=body).json()["data"]
        assert data["rows"] == [{"n": 6}] and data["driver"] == "supabase" and data["db_name"] == database
    clients = f"  - {{name: rest, uri: '{rest_uri}', metadata: {{postgres_uri: '{postgres_uri}'}}}}\n"
    (tmp_path / "more").mkdir()
    with server_of(request, tmp_path / "more", "", clients=clients) as server:
        rest = Client(server, "rest")
        assert rest.send("POST", "/query/sql", body).json()["data"]["rows"] == [{"n": 6}]
        assert_error(server.http.post("/query/sql", json=body), 400, "feature_not_supported")


class ManagementApi(http.server.BaseHTTPRequestHandler):
    """The one call of Supabase's management API that Athena makes."""

    seen, status = [], 200

    def do_PUT(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.path, self.headers["Authorization"], body))
        reply = json.dumps({"currentConfig": body["requestedConfig"], "appliedSuccessfully": True}).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_):
        pass


@pytest.fixture
def management_api():
    api = http.server.HTTPServer(("127.0.0.1", 0), ManagementApi)
    thread = threading.Thread(target=api.serve_forever)
    thread.start()
    ManagementApi.seen.clear()
    yield f"http://127.0.0.1:{api.server_port}"
    api.shutdown()
    thread.join()
    api.server_close()


def test_ssl_enforcement(request, tmp_path, management_api):
    environment = {"SUPABASE_ACCESS_TOKEN": "sbp_from_the_environment", "PROJECT_REF": "abcdefghij"}
    with server_of(request, tmp_path, f"  supabase_api_url: {management_api}", environment) as server:
        admin = {"apikey": ADMIN_KEY}
        assert_error(server.http.post(SSL_ROUTE, json={"enabled": True}), 401, "invalid_admin_key")
        reply = server.http.post(SSL_ROUTE, json={"enabled": True}, headers=admin).json()
        assert reply["status"] == "success"
        assert reply["data"] == {"currentConfig": {"database": True}, "appliedSuccessfully": True}
        body = {"enabled": False, "access_token": "sbp_own", "project_ref": "other"}
        assert server.http.post(SSL_ROUTE, json=body, headers=admin).json()["data"]["currentConfig"] == {
            "database": False
        }
        assert ManagementApi.seen == [
            ("/v1/projects/abcdefghij/ssl-enforcement", "Bearer sbp_from_the_environment",
             {"requestedConfig": {"database": True}}),
            ("/v1/projects/other/ssl-enforcement", "Bearer sbp_own", {"requestedConfig": {"database": False}}),
        ]
        ManagementApi.status = 401
        try:
            assert_error(server.http.post(SSL_ROUTE, json=body, headers=admin), 403, "insufficient_privilege")
        finally:
            ManagementApi.status = 200
        assert "sbp_" not in server.log()
