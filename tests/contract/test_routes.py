"""Utility routes, shapes, errors, CORS, admin key: contract 1, 2, 8."""

import json

import pytest
from conftest import ADMIN_KEY, KINDS, Client, assert_error


def test_root_lists_routes(athena):
    body = athena.http.get("/").json()
    assert (
        body["message"] == "athena is online" and body["athena_api"] == "online" and body["athena_deadpool"] == "online"
    )
    assert body["version"] and any(route["path"] == "/gateway/fetch" for route in body["routes"])


def test_capabilities_are_those_of_the_answers(client):
    kinds = {kind["backend"]: kind for kind in client.server.http.get("/").json()["backends"]}
    assert set(kinds) == {"postgresql", "sqlite", "d1", "scylla", "supabase"}
    mine = kinds[KINDS[client.name]]
    values = {"is": "null", "between": ["a", "b"]}
    values.update(dict.fromkeys(("in", "nin", "contains", "containedBy", "overlaps"), ["a"]))
    for operator in kinds["postgresql"]["operators"]:
        condition = {"operator": operator, "column": "email", "value": values.get(operator, "a")}
        reply = client.fetch("users", conditions=[condition]).json()
        assert (reply.get("code") == "unsupported_operator") == (operator not in mine["operators"]), (operator, reply)
    raw = client.query("SELECT id FROM users WHERE id = 1")
    assert (raw.status_code == 200) == ("raw_sql" in mine["capabilities"]), raw.text
    assert ("sessions" in mine["capabilities"]) == ("X-Athena-D1-Bookmark" in client.fetch("users", limit=1).headers)


def test_ping_health_ready(athena):
    assert athena.http.get("/ping").status_code == 200
    assert athena.http.get("/health").status_code == 200
    assert athena.http.get("/ready").status_code == 200


def test_docs_redirects_and_openapi_is_served(athena):
    assert athena.http.get("/docs", follow_redirects=False).status_code in (302, 307, 308)
    assert athena.http.get("/openapi.yaml").text.startswith("openapi: 3")


def test_head_works_where_get_does(athena):
    reply = athena.http.head("/ping")
    assert reply.status_code == 200 and reply.content == b""


def test_unknown_route_and_wrong_method(athena):
    assert_error(athena.http.get("/nope"), 404, "route_not_found")
    reply = athena.http.get("/gateway/fetch")
    assert_error(reply, 405, "method_not_allowed")
    assert "POST" in reply.headers["Allow"]


@pytest.mark.parametrize("path", ["/clients", "/schema/clients"])
def test_admin_key(athena, path):
    assert_error(athena.http.get(path), 401, "invalid_admin_key")
    assert_error(athena.http.get(path, headers={"apikey": "wrong"}), 401, "invalid_admin_key")
    for headers in (
        {"apikey": ADMIN_KEY},
        {"X-API-Key": ADMIN_KEY},
        {"X-Athena-Key": ADMIN_KEY},
        {"Authorization": f"bearer {ADMIN_KEY}"},
        {"Authorization": "Bearer somebody.elses.token", "apikey": ADMIN_KEY},
    ):
        assert athena.http.get(path, headers=headers).json() == {"clients": ["cql", "d1", "lite", "pg", "rest"]}
    reply = athena.http.get(path, params={"api_key": ADMIN_KEY})
    assert reply.status_code == 200 and reply.headers["Deprecation"]
    assert ADMIN_KEY not in athena.log()


def test_schema_tables(client):
    tables = client.send("GET", "/schema/tables").json()["tables"]
    names = {t["table_name"]: t for t in tables}
    assert names["users"]["table_type"]
    # PostgREST shows a view that can be written as it shows a table, and other schemas when they are asked for rows.
    assert "view" in names["active_users"]["table_type"].lower() or client.name == "rest"
    if client.name == "pg":
        assert {t["table_name"] for t in client.send("GET", "/schema/tables?schema=other").json()["tables"]} == {
            "notes"
        }


def test_schema_columns(client):
    columns = client.send("GET", "/schema/columns?table_name=users").json()["columns"]
    expected = ["id", "active", "balance"] if client.name == "cql" else ["id", "email", "name"]
    assert [c["column_name"] for c in columns][:3] == expected
    assert_error(client.send("GET", "/schema/columns"), 400, "missing_field")


def test_schema_constraints(client):
    constraints = client.send("GET", "/schema/constraints").json()["constraints"]
    mine = [c for c in constraints if c["table_name"] == "events"]
    assert any("PRIMARY" in c["constraint_type"] for c in mine)
    assert any("FOREIGN" in c["constraint_type"] for c in mine) == (client.name != "cql")


def test_schema_migrations_absent(client):
    body = client.send("GET", "/schema/migrations").json()
    assert (
        body == {"message": "Migration tracking is not available for this database.", "migrations": []}
        or body["migrations"] == []
    )


def test_client_header(athena):
    assert_error(athena.http.post("/gateway/fetch", json={"table_name": "users"}), 400, "missing_client_header")
    assert_error(
        athena.http.post("/gateway/fetch", json={"table_name": "users"}, headers={"X-Athena-Client": ""}),
        400,
        "missing_client_header",
    )
    assert_error(Client(athena, "nobody").fetch("users"), 400, "unknown_client")
    assert Client(athena, "PG").fetch("users", limit=1).status_code == 200


SHAPES = [
    ({"X-Athena-Shape": "documented"}, "documented"),
    ({"X-Athena-Shape": "compact"}, "compact"),
    ({"X-Athena-Shape": "bare"}, "bare"),
    ({"X-Athena-Sdk": "xylex-group/athena 5.2.0"}, "compact"),
    ({"X-Backend-Type": "postgresql"}, "compact"),
    ({}, "documented"),
]


@pytest.mark.parametrize("headers, shape", SHAPES)
def test_shapes_of_fetch(client, headers, shape):
    body = client.fetch("users", headers, columns=["id"], limit=1, count="exact").json()
    first = [{"id": 2 if client.name == "cql" else 1}]  # CQL's order is that of the tokens
    if shape == "documented":
        assert body["data"] == {"rows": first, "count": 6, "has_more": True} and body["status"] == "success"
    elif shape == "compact":
        assert (
            body["data"] == first
            and body["count"] == 6
            and body["has_more"] is True
            and "status" not in body
            and "message" not in body
        )
    else:
        assert body == first


def test_early_sdk_gets_bare_rows(client):
    headers = {"apikey": "k", "x-api-key": "k", "X-Strip-Nulls": "true"}
    one = {"conditions": [{"eq_column": "id", "eq_value": 1}]}
    assert client.fetch("users", headers, columns=["id"], strip_nulls=True, **one).json() == [{"id": 1}]
    assert (
        "data"
        in client.fetch("users", {**headers, "x-api-key": "other"}, columns=["id"], limit=1, strip_nulls=True).json()
    )


def test_unknown_shape_is_refused(client):
    assert client.fetch("users", {"X-Athena-Shape": "oval"}).status_code == 400


def test_cors(athena):
    reply = athena.http.options(
        "/gateway/fetch",
        headers={
            "Origin": "https://app.example.org",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-athena-client",
        },
    )
    assert reply.status_code in (200, 204) and reply.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
    assert (
        "x-athena-client" in reply.headers["Access-Control-Allow-Headers"].lower()
        and "POST" in reply.headers["Access-Control-Allow-Methods"]
    )
    assert (
        "Access-Control-Allow-Origin"
        not in athena.http.get("/ping", headers={"Origin": "https://evil.example"}).headers
    )
    assert (
        athena.http.get("/ping", headers={"Origin": "https://app.example.org"}).headers["Access-Control-Allow-Origin"]
        == "https://app.example.org"
    )


def test_compression(client):
    reply = client.fetch("sequence_rows", {"Accept-Encoding": "gzip"}, limit=500)
    assert reply.headers["Content-Encoding"] == "gzip" and len(reply.json()["data"]["rows"]) == 500


def test_request_timeout_header(pg):
    assert_error(pg.query("select pg_sleep(20)", {"X-Athena-Timeout-Ms": "200"}), 504, "statement_timeout")


def test_openapi_is_valid(athena):
    import yaml
    from openapi_spec_validator import validate

    document = yaml.safe_load(athena.http.get("/openapi.yaml").text)
    validate(document)
    served = {(m, r["path"]) for r in athena.http.get("/").json()["routes"] for m in r["methods"]}
    described = {
        (m.upper(), p)
        for p, item in document["paths"].items()
        for m in item
        if m in ("get", "post", "put", "delete", "patch")
    }
    assert described >= {(m, p) for m, p in served if not p.startswith("/db/")}


def test_log_lines_are_json(athena):
    athena.http.get("/ping")
    lines = [line for line in athena.log().splitlines() if line.startswith("{")]
    assert lines and all(json.loads(line) for line in lines)
