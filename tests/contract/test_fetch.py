"""POST /gateway/fetch and GET /data: contract 3.1, on every backend."""

import json
import re

import pytest
from conftest import assert_error, refused

NO_CQL = refused(cql="feature_not_supported")


def test_envelope_and_message(client):
    reply = client.fetch("users", columns=["id", "email"], conditions=[{"eq_column": "id", "eq_value": 1}])
    body = reply.json()
    assert reply.status_code == 200
    assert body["status"] == "success" and body["message"] == "Fetched 1 rows"
    assert body["data"]["rows"] == [{"id": 1, "email": "ada@example.org"}]
    assert body["cache_key"]
    assert "count" not in body["data"] and "has_more" not in body["data"]


def test_columns_keep_the_order_asked_for(client):
    text = client.fetch("users", columns=["email", "id"], limit=1).text
    assert text.index('"email"') < text.index('"id"')


def test_star_keeps_the_order_of_the_table(client):
    for columns in ("*", ["*"], [], None):
        fields = {} if columns is None else {"columns": columns}
        row = client.rows("users", conditions=[{"eq_column": "id", "eq_value": 1}], **fields)[0]
        others = ["email", "name", "status", "balance", "active", "score", "profile", "external_id", "created_at"]
        # CQL's tables have an order of their own.
        assert list(row) == ["id", *(sorted(others) if client.name == "cql" else others)]


def test_values_have_their_json_types(client):
    text = client.fetch("users", conditions=[{"eq_column": "id", "eq_value": 1}]).text
    row = json.loads(text)["data"]["rows"][0]
    assert row["active"] is True and row["score"] == 10
    assert '"balance":12.5000' in text
    assert client.json(row["profile"]) == {"city": "London", "tags": ["math", "poetry"], "age": 36}
    assert row["external_id"] == "11111111-1111-4111-8111-111111111111"
    assert row["created_at"] == "2025-01-31T13:00:00+00:00"


def test_numbers_keep_their_digits(client):
    text = client.fetch("numbers").text
    assert '"big":9223372036854775807' in text and '"big":-9223372036854775808' in text
    assert '"exact":12345678901234567890.123456789' in text and '"exact":0.10' in text
    assert '"f":0.1' in text


def test_bytes_are_hex_text(client):
    assert [row["payload"] for row in client.in_order(client.rows("blobs"))] == ["\\x00ff10", "\\x"]


def test_text_with_quotes_backslashes_and_emoji(client):
    assert client.rows("users", columns="name", conditions=[{"eq_column": "id", "eq_value": 5}]) == [
        {"name": 'Eve "quoted" \\ back'}
    ]
    assert client.rows("users", columns="name", conditions=[{"eq_column": "email", "eq_value": "zoë@example.org"}]) == [
        {"name": "Zoë 😀"}
    ]


@pytest.mark.parametrize("value", [1, "1"])
def test_values_are_bound_by_the_type_of_the_column(client, value):
    assert len(client.rows("users", conditions=[{"eq_column": "id", "eq_value": value}])) == 1


def test_uuid_boolean_and_timestamp_values(client):
    uuid = "22222222-2222-4222-8222-222222222222"
    assert client.rows("users", columns="id", conditions=[{"eq_column": "external_id", "eq_value": uuid}]) == [
        {"id": 2}
    ]
    assert len(client.rows("users", columns="id", conditions=[{"eq_column": "active", "eq_value": False}])) == 2
    at = "2025-01-31T13:05:30+00:00"
    assert client.rows("users", columns="id", conditions=[{"eq_column": "created_at", "eq_value": at}]) == [{"id": 2}]


@refused(cql="invalid_condition")
def test_null_equality_is_is_null(client):
    assert [
        r["id"] for r in client.rows("users", columns="id", conditions=[{"eq_column": "score", "eq_value": None}])
    ] == [3]


@NO_CQL
def test_alias_cast_and_json_path(client):
    row = client.rows(
        "users",
        columns=["key:id", "id::text", "profile->>city", "tag:profile->tags->>0"],
        conditions=[{"eq_column": "id", "eq_value": 1}],
    )[0]
    assert row["key"] == 1 and "London" in row.values() and row["tag"] == "math"


def test_limit_and_has_more(client):
    body = client.fetch("users", limit=2).json()["data"]
    ids = [row["id"] for row in body["rows"]]
    assert len(set(ids)) == 2 and set(ids) < {1, 2, 3, 4, 5, 6} and body["has_more"] is True
    assert ids == [1, 2] or client.name == "cql"
    body = client.fetch("users", limit=6).json()["data"]
    assert len(body["rows"]) == 6 and "has_more" not in body


def test_default_limit_is_100(client):
    body = client.fetch("sequence_rows").json()
    assert body["message"] == "Fetched 100 rows" and body["data"]["has_more"] is True


@pytest.mark.parametrize(
    "fields, expected",
    [
        pytest.param({"current_page": 2, "page_size": 2}, [3, 4], marks=NO_CQL),
        pytest.param({"current_page": 2, "limit": 2}, [3, 4], marks=NO_CQL),
        pytest.param({"current_page": 2, "page_size": 2, "limit": 1}, [3], marks=NO_CQL),
        pytest.param({"current_page": 2, "page_size": 2, "offset": 1}, [4, 5], marks=NO_CQL),
        pytest.param({"offset": 4, "limit": 10}, [5, 6], marks=NO_CQL),
        ({"current_page": 1, "page_size": 3}, [1, 2, 3]),
        ({"current_page": 1, "limit": 10}, [1, 2, 3, 4, 5, 6]),
        ({"limit": 0}, []),
    ],
)
def test_paging_arithmetic(client, fields, expected):
    ids = [row["id"] for row in client.rows("users", columns="id", **fields)]
    assert ids == expected or (client.name == "cql" and len(set(ids)) == len(expected))


@pytest.mark.parametrize(
    "fields",
    [
        {"limit": -1},
        {"limit": 1.5},
        {"limit": "x"},
        {"limit": [1]},
        {"offset": -1},
        {"current_page": 0},
        {"current_page": -3},
        {"page_size": -1},
        {"limit": 10**30},
        {"offset": 1e400 if False else "1e9"},
    ],
)
def test_bad_paging_is_refused(client, fields):
    body = assert_error(client.fetch("users", **fields), 400, "invalid_value")
    assert next(iter(fields)) in body["error"]


@NO_CQL
@pytest.mark.parametrize(
    "sort",
    [
        {"sort_by": {"field": "score", "direction": "desc", "nulls": "last"}},
        {"sortBy": [{"column": "score", "direction": "descending", "nulls": "last"}]},
        {"order_by": [{"field": "score", "direction": "desc", "nulls": "last"}]},
    ],
)
def test_sorting(client, sort):
    scores = [row["score"] for row in client.rows("users", columns=["score"], **sort)]
    assert scores == [30, 20, 20, 10, -7, None]


def test_cql_sorts_within_a_partition(cql):
    cql.insert("memberships", [{"team_id": 7, "user_id": i, "role": "r"} for i in (3, 1, 2)])
    partition = [{"eq_column": "team_id", "eq_value": 7}]
    for direction, expected in ("asc", [1, 2, 3]), ("desc", [3, 2, 1]):
        sort = {"field": "user_id", "direction": direction}
        rows = cql.rows("memberships", columns=["user_id"], conditions=partition, sort_by=sort, allow_filtering=False)
        assert [row["user_id"] for row in rows] == expected
    assert cql.delete("memberships", conditions=partition).status_code == 200
    assert cql.rows("memberships", conditions=partition) == []


@NO_CQL
def test_sort_by_two_columns(client):
    rows = client.rows(
        "users", columns=["id"], sort_by=[{"field": "status", "direction": "asc"}, {"field": "id", "direction": "desc"}]
    )
    assert [row["id"] for row in rows] == [6, 4, 2, 1, 3, 5]


@pytest.mark.parametrize("count", ["exact", "planned", "estimated"])
def test_count(client, count):
    data = client.fetch("users", count=count, limit=1).json()["data"]
    assert len(data["rows"]) == 1
    assert data["count"] == 6 if count == "exact" else data["count"] >= 0


def test_head_returns_the_count_alone(client):
    data = client.fetch(
        "users", count="exact", head=True, conditions=[{"eq_column": "active", "eq_value": True}]
    ).json()["data"]
    assert data["rows"] == [] and data["count"] == 4


def test_unknown_count_is_refused(client):
    assert_error(client.fetch("users", count="maybe"), 400, "invalid_value")


def test_strip_nulls_by_header_and_by_body(client):
    conditions = [{"eq_column": "id", "eq_value": 3}]
    for reply in (
        client.fetch("users", {"X-Strip-Nulls": "true"}, conditions=conditions),
        client.fetch("users", conditions=conditions, strip_nulls=True),
    ):
        row = reply.json()["data"]["rows"][0]
        assert "score" not in row and "profile" not in row and row["id"] == 3
    row = client.fetch("users", {"X-Strip-Nulls": "false"}, conditions=conditions, strip_nulls=True).json()["data"][
        "rows"
    ][0]
    assert "score" in row


def test_camel_case_names_resolve_for_columns_conditions_and_sort(client):
    rows = client.rows(
        "camel_things",
        columns=["firstName"],
        conditions=[{"eq_column": "createdByUser", "eq_value": "root"}],
        **({} if client.name == "cql" else {"sort_by": {"field": "firstName"}}),
    )
    assert rows == [{"firstName": "Ada"}]


def test_names_are_never_guessed_by_prefix(client):
    body = assert_error(client.fetch("users", columns=["created_xyz"]), 400, "undefined_column")
    assert "column does not exist" in body["message"] and body["details"]["column"] == "created_xyz"


def test_unknown_column_gets_a_suggestion(client):
    body = assert_error(client.fetch("users", columns=["emial"]), 400, "undefined_column")
    assert "email" in json.dumps(body) and body["error_id"] == "ATH-412"


def test_unknown_table(client):
    body = assert_error(client.fetch("userz"), 400, "undefined_table")
    assert "userz" in body["error"]


def test_missing_table_name(client):
    body = assert_error(client.send("POST", "/gateway/fetch", {"columns": ["id"]}), 400, "missing_field")
    assert "table_name is required" in body["error"]


def test_views_and_view_name(client):
    # A view of CQL shows all rows, by another key.
    active = {"conditions": [{"eq_column": "active", "eq_value": True}]} if client.name == "cql" else {}
    assert len(client.rows("active_users", **active)) == 4
    reply = client.send("POST", "/gateway/fetch", {"view_name": "active_users", **active})
    assert reply.json()["message"] == "Fetched 4 rows"


def test_names_that_need_quotes(client):
    table = "Weird_Name" if client.name == "cql" else 'Weird "Name'  # CQL's tables are called by letters and digits
    rows = client.rows(table, columns=["Mixed Case", "a.b", "emoji😀", 'quo"te'])
    assert rows == [{"Mixed Case": "m", "a.b": "dot", "emoji😀": "smile", 'quo"te': "q"}]


def test_schema_qualified_tables_of_cql(cql):
    assert cql.rows("contract_other.notes") == [{"id": 1, "body": "in another schema"}]
    assert cql.rows("notes", schema_name="contract_other") == [{"id": 1, "body": "in another schema"}]
    assert_error(cql.fetch("notes"), 400, "undefined_table")


def test_schema_qualified_tables(pg):
    assert pg.rows("other.notes") == [{"id": 1, "body": "in another schema"}]
    assert pg.rows("notes", schema_name="other") == [{"id": 1, "body": "in another schema"}]
    assert_error(pg.fetch("notes"), 400, "undefined_table")


def test_gateway_data_is_the_same_route_and_db_prefix(client):
    body = {"table_name": "users", "columns": ["id"], "conditions": [{"eq_column": "id", "eq_value": 1}]}
    for path in ("/gateway/fetch", "/gateway/data", "/db/gateway/fetch", "/db/gateway/data"):
        assert client.send("POST", path, body).json()["data"]["rows"] == [{"id": 1}]


def test_get_data(client):
    reply = client.send("GET", "/data?view=users&eq_column=id&eq_value=2&columns=id,email")
    assert reply.json()["data"]["rows"] == [{"id": 2, "email": "bob@example.org"}]
    tag = reply.headers["ETag"]
    again = client.send(
        "GET", "/data?view=users&eq_column=id&eq_value=2&columns=id,email", headers={"If-None-Match": tag}
    )
    assert again.status_code == 304 and again.content == b""


def test_unknown_top_level_fields_are_ignored(client):
    assert len(client.rows("users", limit=1, whatever={"a": 1}, total_pages=3)) == 1


def test_large_answers_stream(client):
    reply = client.fetch("sequence_rows", limit=5000)
    body = reply.json()
    assert body["message"] == "Fetched 5000 rows" and len(body["data"]["rows"]) == 5000
    assert [row["id"] for row in client.in_order(body["data"]["rows"])] == list(range(1, 5001))


def test_every_reply_has_the_promised_headers(client):
    reply = client.fetch("users", {"X-Request-Id": "my-id.1"}, limit=1)
    assert reply.headers["X-Request-Id"] == "my-id.1" and reply.headers["Server"] == "athena"
    assert "total" in reply.headers["Server-Timing"] or "dur=" in reply.headers["Server-Timing"]
    assert reply.headers["X-Athena-Cache"] in ("off", "miss", "hit", "bypass")
    generated = client.fetch("users", {"X-Request-Id": "bad id with spaces"}, limit=1).headers["X-Request-Id"]
    assert re.fullmatch(r"[0-9A-Za-z._-]{16,64}", generated)


def test_grouping_with_exact_sums(client):
    fields = dict(
        columns=["user_id", "value"],
        group_by="user_id",
        aggregation_column="value",
        aggregation_strategy="cumulative_sum",
    )
    text = client.fetch("events", **fields).text
    grouped = json.loads(text)["data"]["post_processing"]["grouped"]
    assert [(g["label"], len(g["rows"])) for g in grouped] == [("1", 3), ("2", 3)]
    assert [g["aggregation"] for g in grouped] == [42.2, 11.1] and [g["cumulative"] for g in grouped] == [42.2, 53.3]
    compact = client.fetch("events", {"X-Athena-Shape": "compact"}, **fields).json()["post_processing"]["grouped"]
    assert [g["aggregation"] for g in compact] == ["42.20", "53.30"]


def test_grouping_by_time_and_dedup(client):
    grouped = client.fetch(
        "events",
        group_by="created_at",
        time_granularity="day",
        aggregation_column="value",
        aggregation_strategy="sum",
        aggregation_dedup=True,
    ).json()["data"]["post_processing"]["grouped"]
    assert [g["label"] for g in grouped] == ["2025-01-31", "2025-02-01", "2025-02-02"]
    hours = client.fetch("events", group_by="created_at", time_granularity="hour").json()["data"]["post_processing"][
        "grouped"
    ]
    assert hours[0]["label"] == "2025-01-31 13:00"


@pytest.mark.parametrize(
    "fields", [{"time_granularity": "fortnight"}, {"aggregation_strategy": "median", "aggregation_column": "value"}]
)
def test_unknown_grouping_words_are_refused(client, fields):
    assert_error(client.fetch("events", group_by="created_at", **fields), 400, "invalid_value")
