"""What CQL does otherwise than a relational database: documented in docs/operations.md."""

import itertools

import pytest
from conftest import assert_error

NEXT = itertools.count(50_000)


def item(**more):
    key = next(NEXT)
    return {"item_id": key, "sku": f"sku-{key}", "label": "new", "quantity": 2, **more}


def stored(cql, key):
    return cql.rows("items", conditions=[{"eq_column": "item_id", "eq_value": key}], allow_filtering=False)


def test_an_insert_writes_over_what_is_there(cql):
    row = item()
    cql.insert("items", row)
    assert cql.insert("items", {"item_id": row["item_id"], "label": "changed"}).status_code == 200
    kept = stored(cql, row["item_id"])[0]
    assert kept["label"] == "changed" and kept["sku"] == row["sku"]


def test_there_are_no_defaults(cql):
    key = next(NEXT)
    assert cql.insert("items", {"item_id": key, "sku": "s"}).json()["data"] == {"item_id": key, "sku": "s"}
    assert stored(cql, key)[0]["quantity"] is None


def test_the_key_is_all_that_must_be_there(cql):
    body = assert_error(cql.insert("items", {"sku": "s"}), 400, "not_null_violation")
    assert body["details"] == {"column": "item_id", "table": "items"}
    assert_error(cql.insert("memberships", {"team_id": 1}), 400, "not_null_violation")


def test_an_update_makes_the_row_unless_strict(cql):
    key = next(NEXT)
    there = {"conditions": [{"eq_column": "item_id", "eq_value": key}]}
    strict = {"Prefer": "handling=strict"}
    assert_error(cql.update("items", strict, set={"label": "x"}, **there), 404, "nothing_matched")
    assert stored(cql, key) == []
    body = cql.update("items", set={"label": "x"}, **there).json()
    assert body["data"]["rows"] == [{"item_id": key, "label": "x"}]
    assert stored(cql, key)[0]["label"] == "x"


def test_conditions_beside_the_key_are_a_transaction(cql):
    row = item()
    cql.insert("items", row)
    for quantity, changed in (3, 0), (2, 1):
        conditions = [
            {"eq_column": "item_id", "eq_value": row["item_id"]},
            {"eq_column": "quantity", "eq_value": quantity},
        ]
        body = cql.update("items", set={"label": "won"}, conditions=conditions).json()
        assert body["data"]["meta"]["rows_affected"] == changed and len(body["data"]["rows"]) == changed
        assert stored(cql, row["item_id"])[0]["label"] == ("won" if changed else "new")


def test_partitions_are_deleted_whole(cql):
    cql.insert("memberships", [{"team_id": 90, "user_id": i, "role": "r"} for i in range(4)])
    partition = [{"eq_column": "team_id", "eq_value": 90}]
    strict = {"Prefer": "handling=strict"}
    assert_error(cql.delete("memberships", strict, conditions=partition), 400, "feature_not_supported")
    upper = {"operator": "gte", "column": "user_id", "value": 2}
    assert cql.delete("memberships", conditions=[*partition, upper]).status_code == 200
    assert [r["user_id"] for r in cql.rows("memberships", conditions=partition)] == [0, 1]
    assert cql.delete("memberships", conditions=partition).status_code == 200
    assert cql.rows("memberships", conditions=partition) == []


def test_the_key_stays(cql):
    row = item()
    cql.insert("items", row)
    there = {"conditions": [{"eq_column": "item_id", "eq_value": row["item_id"]}]}
    assert_error(cql.update("items", set={"item_id": 1}, **there), 400, "feature_not_supported")


@pytest.mark.parametrize(
    "fields", [{"offset": 1}, {"columns": ["id::text"]}, {"columns": ["profile->a"]}, {"sort_by": {"field": "id"}}]
)
def test_what_cql_has_no_way_to_say(cql, fields):
    assert assert_error(cql.fetch("users", **fields), 400, "feature_not_supported")["hint"]


def test_raw_cql(cql):
    body = cql.query("SELECT id, email FROM users WHERE id = ?", params=[2]).json()
    assert body["data"]["rows"] == [{"id": 2, "email": "bob@example.org"}]
    assert body["data"]["meta"]["backend"] == "scylla"
    rows = cql.query("SELECT * FROM notes", schema_name="contract_other").json()["data"]["rows"]
    assert rows == [{"id": 1, "body": "in another schema"}]
    body = {"query": "SELECT id FROM users WHERE id = 1", "driver": "cassandra", "db_name": "cql"}
    data = cql.send("POST", "/query/sql", body).json()
    assert data["status"] == "success", data
    assert data["data"]["rows"] == [{"id": 1}] and data["data"]["columns"] == [{"name": "id", "type": "bigint"}]
    assert_error(cql.query("SELEC 1"), 400, "syntax_error")
    assert_error(cql.query("SELECT * FROM users WHERE email = 'x'"), 400, "unindexed_filter")
    assert_error(cql.query("DELETE FROM users WHERE id = 99", read_only=True), 400, "read_only_violation")
    assert_error(cql.query("SELECT id FROM users WHERE id = ?", params=[]), 400, "invalid_parameter")


def test_every_type_comes_out_as_json(cql):
    cql.query("DROP TABLE IF EXISTS kinds")
    columns = (
        "id int PRIMARY KEY, a ascii, ti tinyint, si smallint, vi varint, de decimal, fl float, du duration, da date, "
        "ti_me time, at timestamp, tu timeuuid, ip inet, li list<int>, se set<text>, ma map<text, int>, "
        "tup frozen<tuple<int, text>>, ve vector<float, 2>"
    )
    assert cql.query(f"CREATE TABLE kinds ({columns})").status_code == 200
    row = {
        "id": 1,
        "a": "plain",
        "ti": -128,
        "si": 32767,
        "vi": 123456789012345678901234567890,
        "de": "0.10",
        "fl": 0.5,
        "du": "1mo2d3h",
        "da": "2025-01-31",
        "ti_me": "13:00:00.5",
        "at": "2025-01-31T13:00:00.123+02:00",
        "tu": "50554d6e-29bb-11e5-b345-feff819cdc9f",
        "ip": "2001:db8::1",
        "li": [3, 1, 2],
        "se": ["b", "a"],
        "ma": {"x": 1, "y": 2},
        "tup": [1, "t"],
        "ve": [0.5, 1],
    }
    reply = cql.insert("kinds", row)
    assert reply.status_code == 200, reply.text
    expected = {**row, "at": "2025-01-31T11:00:00.123+00:00", "se": ["a", "b"], "de": 0.1}
    text = cql.fetch("kinds", conditions=[{"eq_column": "id", "eq_value": 1}]).text
    assert '"vi":123456789012345678901234567890' in text and '"de":0.10' in text
    (read,) = cql.rows("kinds", conditions=[{"eq_column": "id", "eq_value": 1}])
    assert read == expected
    for change in ({"ti": 128}, {"si": "x"}, {"da": "2025-02-30"}, {"ip": "1.2.3"}, {"li": 5}, {"fl": "1e400"}):
        assert cql.insert("kinds", {"id": 2, **change}).status_code == 400, change
    assert cql.rows("kinds", conditions=[{"eq_column": "id", "eq_value": 2}]) == []
    cql.query("DROP TABLE kinds")


def test_a_changed_table_is_seen(cql):
    cql.query("DROP TABLE IF EXISTS shifting")
    cql.query("CREATE TABLE shifting (id int PRIMARY KEY, a text)")
    cql.insert("shifting", {"id": 1, "a": "x"})
    one = [{"eq_column": "id", "eq_value": 1}]
    assert cql.rows("shifting", conditions=one) == [{"id": 1, "a": "x"}]
    cql.query("ALTER TABLE shifting ADD b int")
    assert cql.rows("shifting", conditions=one) == [{"id": 1, "a": "x", "b": None}]
    cql.query("DROP TABLE shifting")
    assert_error(cql.fetch("shifting"), 400, "undefined_table")


def test_rows_that_are_too_many_for_a_batch(cql):
    rows = [{"id": 100_000 + i, "grp": 1, "body": "x" * 1000} for i in range(2_000)]
    reply = cql.insert("sequence_rows", rows)
    assert reply.status_code == 400, reply.text
    assert cql.rows("sequence_rows", conditions=[{"eq_column": "id", "eq_value": 100_000}]) == []


def test_pages_by_cursor_give_every_row_once_and_end(cql):
    seen, pages, cursor = [], 0, True
    while cursor:
        reply = cql.fetch("users", columns=["id"], limit=4, cursor=cursor)
        assert reply.status_code == 200, reply.text
        data = reply.json()["data"]
        seen += [row["id"] for row in data["rows"]]
        cursor = data.get("next_cursor")
        assert data.get("has_more", False) is bool(cursor)
        pages += 1
        assert pages < 50
    everyone = [row["id"] for row in cql.rows("users", columns=["id"])]
    assert pages > 1 and sorted(seen) == sorted(everyone) and len(set(seen)) == len(seen)


def test_a_cursor_belongs_to_its_request(cql):
    cursor = cql.fetch("users", columns=["id"], limit=2, cursor=True).json()["data"]["next_cursor"]
    assert cql.fetch("users", columns=["id"], limit=3, cursor=cursor).status_code == 200
    changed = ("1" if cursor[-1] == "0" else "0").join((cursor[:-1], ""))
    for table, columns, given in (
        ("events", ["id"], cursor),
        ("users", ["id", "email"], cursor),
        ("users", ["id"], changed),
        ("users", ["id"], cursor[:-2]),
        ("users", ["id"], "next page, please"),
    ):
        body = assert_error(cql.fetch(table, columns=columns, limit=2, cursor=given), 400, "invalid_value")
        assert body["details"]["field"] == "cursor"
