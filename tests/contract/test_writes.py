"""Insert, update, delete: contract 3.2–3.4."""

import itertools
import json

import pytest
from conftest import assert_error, refused

NEXT = itertools.count(10_000)


def item(**more):
    key = next(NEXT)
    return {"item_id": key, "sku": f"sku-{key}", "label": "new", "quantity": 2, **more}


def stored(client, key):
    return client.rows("items", conditions=[{"eq_column": "item_id", "eq_value": key}])


def test_insert_one_object(client):
    row = item(price="12.50")
    body = client.insert("items", row).json()
    assert body["status"] == "success" and body["success"] is True and body["message"] == "Data inserted successfully"
    assert body["table_name"] == "items" and str(body["resource_id"]) == str(row["item_id"])
    assert body["data"]["sku"] == row["sku"] and body["data"]["quantity"] == 2
    assert len(stored(client, row["item_id"])) == 1


def test_insert_takes_defaults_and_returns_them(relational):
    key = next(NEXT)
    assert relational.insert("items", {"item_id": key, "sku": f"s{key}"}).json()["data"]["quantity"] == 1


def test_insert_array_is_answered_with_an_array(client):
    rows = [item(), item(label=None)]
    body = client.insert("items", rows).json()
    assert [r["sku"] for r in body["data"]] == [r["sku"] for r in rows]
    assert [str(key) for key in body["resource_id"]] == [str(r["item_id"]) for r in rows]
    assert [stored(client, r["item_id"])[0]["label"] for r in rows] == ["new", None]


def test_a_batch_is_atomic(relational):
    row = item()
    relational.insert("items", row)
    doomed = [item(), {**item(), "sku": row["sku"]}]
    assert_error(relational.insert("items", doomed), 409, "unique_violation")
    assert stored(relational, doomed[0]["item_id"]) == []


def test_a_batch_with_a_row_that_cannot_be_bound_writes_nothing(client):
    doomed = [item(), item(quantity="many")]
    reply = client.insert("items", doomed)
    assert reply.status_code == 400, reply.text
    assert [stored(client, row["item_id"]) for row in doomed] == [[], []]


def test_insert_by_post_and_under_db(client):
    for path in ("/gateway/insert", "/db/gateway/insert"):
        row = item()
        assert client.send("POST", path, {"table_name": "items", "insert_body": row}).status_code == 200
        assert len(stored(client, row["item_id"])) == 1


def test_upsert_on_conflict_updates_inserted_columns(client):
    row = item()
    client.insert("items", row)
    body = client.insert("items", {**row, "label": "changed"}, on_conflict="item_id").json()
    assert body["data"]["label"] == "changed"


def test_upsert_update_body_says_what_to_set(sql_client):
    row = item()
    sql_client.insert("items", row)
    reply = sql_client.insert("items", {**row, "label": "ignored"}, on_conflict=["sku"], update_body={"quantity": 77})
    assert reply.status_code == 200, reply.text
    kept = stored(sql_client, row["item_id"])[0]
    assert kept["quantity"] == 77 and kept["label"] == "new"


@pytest.mark.parametrize(
    "fields", [{"on_conflict": "item_id", "update_body": {}}, {"on_conflict": "item_id", "ignore_duplicates": True}]
)
def test_upsert_that_does_nothing(client, fields):
    row = item()
    client.insert("items", row)
    assert client.insert("items", {**row, "label": "ignored"}, **fields).status_code == 200
    assert stored(client, row["item_id"])[0]["label"] == "new"


def test_update_body_without_on_conflict_finds_the_key(sql_client):
    row = item()
    sql_client.insert("items", row)
    assert sql_client.insert("items", row, update_body={"label": "found"}).status_code == 200
    assert stored(sql_client, row["item_id"])[0]["label"] == "found"


@refused(cql="feature_not_supported")
def test_update_body_with_two_candidates_is_refused(client):
    body = assert_error(
        client.insert("two_keys", {"a": "x", "b": "y", "note": "n"}, update_body={"note": "m"}),
        400,
        "ambiguous_conflict_target",
    )
    assert "a" in body["error"] + body["hint"] and "b" in body["error"] + body["hint"]


def test_insert_errors_of_constraints(relational):
    assert_error(relational.insert("items", item(sku=None)), 400, "not_null_violation")
    assert_error(relational.insert("items", item(quantity=-1)), 400, "check_constraint_violation")
    assert_error(
        relational.insert(
            "events",
            {"id": 999, "user_id": 4242, "status": "x", "value": "1.00", "created_at": "2025-01-01T00:00:00+00:00"},
        ),
        422,
        "foreign_key_violation",
    )


def test_insert_errors(client):
    assert_error(client.insert("items", item(nope=1)), 400, "undefined_column")
    assert_error(client.insert("items", []), 400, "invalid_value")
    assert_error(client.insert("items", "text"), 400, "invalid_value")
    assert_error(client.send("PUT", "/gateway/insert", {"table_name": "items"}), 400, "missing_field")
    assert_error(client.send("PUT", "/gateway/insert", {"insert_body": {}}), 400, "missing_field")


def test_json_bytes_unicode_and_camel_case_round_trip(client):
    key = next(NEXT)
    profile = {"camelKey": [1, {"x": None}], "s": 'quote " and \\'}
    reply = client.insert(
        "users",
        {
            "id": key,
            "email": f"{key}@example.org",
            "profile": json.dumps(profile) if client.name == "cql" else profile,
            "externalId": "99999999-9999-4999-8999-999999999999",
        },
    )
    assert reply.status_code == 200, reply.text
    row = client.rows("users", columns=["profile", "external_id"], conditions=[{"eq_column": "id", "eq_value": key}])[0]
    row["profile"] = client.json(row["profile"])
    assert row == {"profile": profile, "external_id": "99999999-9999-4999-8999-999999999999"}
    client.delete("users", resource_id=key)


@pytest.mark.parametrize(
    "payload",
    [
        {"update_body": {"label": "u"}},
        {"set": {"label": "u"}},
        {"data": {"label": "u"}},
        {"update_body": {"set": {"label": "u"}}},
        {"update_body": {"data": {"label": "u"}}},
        {"columns": [{"label": "u"}]},
        {"columns": [{"column": "label", "value": "u"}]},
    ],
)
def test_update_payload_forms(client, payload):
    row = item()
    client.insert("items", row)
    body = client.update("items", conditions=[{"eq_column": "item_id", "eq_value": row["item_id"]}], **payload).json()
    assert body["message"] == "Data updated successfully" and body["data"]["rows"][0]["label"] == "u", body
    assert body["data"]["meta"]["rows_affected"] == 1


@refused(cql="feature_not_supported")  # it would have to read them
def test_update_sets_null_and_returns_the_columns_asked_for(client):
    row = item()
    client.insert("items", row)
    body = client.update(
        "items",
        update_body={"label": None},
        columns=["label", "sku"],
        conditions=[{"eq_column": "item_id", "eq_value": row["item_id"]}],
    ).json()
    assert body["data"]["rows"] == [{"label": None, "sku": row["sku"]}]


def test_update_needs_a_payload_and_a_condition(client):
    body = assert_error(
        client.update("items", conditions=[{"eq_column": "item_id", "eq_value": 1}]), 400, "update_payload_required"
    )
    assert "update payload required" in body["error"] + body["message"]
    assert_error(client.update("items", set={"label": "x"}), 400, "unfiltered_write")
    assert_error(client.update("items", set={"label": "x"}, conditions=[]), 400, "unfiltered_write")


@refused(cql="unindexed_filter")
def test_max_affected_changes_nothing(client):
    rows = [item(label="many"), item(label="many")]
    client.insert("items", rows)
    keys = [{"operator": "in", "column": "item_id", "value": [r["item_id"] for r in rows]}]
    assert_error(
        client.update("items", set={"label": "gone"}, conditions=keys, max_affected=1), 409, "too_many_affected"
    )
    assert stored(client, rows[0]["item_id"])[0]["label"] == "many"
    assert (
        client.update("items", set={"label": "gone"}, conditions=keys, max_affected=2).json()["data"]["meta"][
            "rows_affected"
        ]
        == 2
    )


def test_update_that_matches_nothing(relational):
    body = relational.update("items", set={"label": "x"}, conditions=[{"eq_column": "item_id", "eq_value": -1}]).json()
    assert body["data"]["rows"] == [] and body["data"]["meta"]["rows_affected"] == 0


def test_a_strict_write_needs_a_row(client):
    strict = {"Prefer": "handling=strict"}
    absent = {"conditions": [{"eq_column": "item_id", "eq_value": -7}]}
    assert_error(client.update("items", strict, set={"label": "x"}, **absent), 404, "nothing_matched")
    assert_error(client.delete("items", strict, **absent), 404, "nothing_matched")
    assert stored(client, -7) == []
    row = item()
    client.insert("items", row)
    there = {"conditions": [{"eq_column": "item_id", "eq_value": row["item_id"]}]}
    assert client.update("items", strict, set={"label": "x"}, **there).json()["data"]["meta"]["rows_affected"] == 1
    assert stored(client, row["item_id"])[0]["label"] == "x"
    assert client.delete("items", strict, **there).json()["meta"]["rows_affected"] == 1
    assert stored(client, row["item_id"]) == []


def test_delete_by_resource_id(client):
    row = item()
    client.insert("items", row)
    body = client.delete("items", resource_id=row["item_id"]).json()
    assert body["message"] == "Data deleted successfully" and body["success"] is True and body["table_name"] == "items"
    key = "item_id" if client.name == "cql" else "sku"  # CQL does not look at what it deletes
    assert body["data"][0][key] == row[key]
    assert stored(client, row["item_id"]) == []


def test_delete_by_conditions_and_both(client):
    row = item()
    client.insert("items", row)
    client.delete("items", resource_id=row["item_id"], conditions=[{"eq_column": "label", "eq_value": "other"}])
    assert len(stored(client, row["item_id"])) == 1
    reply = client.send(
        "POST",
        "/gateway/delete",
        {
            "table_name": "items",
            "conditions": [
                {"eq_column": "sku", "eq_value": row["sku"]},
                {"eq_column": "item_id", "eq_value": row["item_id"]},
            ],
        },
    )
    assert reply.status_code == 200 and stored(client, row["item_id"]) == []


def test_delete_without_a_filter_or_id_column(client):
    assert_error(client.delete("items"), 400, "unfiltered_write")
    assert_error(client.delete("memberships", resource_id=1), 400, "no_id_column")


def test_delete_that_matches_nothing(client):
    assert client.delete("items", resource_id=-5).status_code == 200
    assert_error(client.delete("items", {"Prefer": "handling=strict"}, resource_id=-5), 404, "nothing_matched")


@refused(cql="unindexed_filter")
def test_unfiltered_writes_when_told(client):
    client.insert("memberships", [{"team_id": 1, "user_id": 1}, {"team_id": 1, "user_id": 2}])
    assert (
        client.update("memberships", set={"role": "admin"}, allow_unfiltered=True).json()["data"]["meta"][
            "rows_affected"
        ]
        == 2
    )
    assert client.delete("memberships", allow_unfiltered=True).status_code == 200
    assert client.rows("memberships") == []
