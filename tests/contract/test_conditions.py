"""Conditions and operators: contract 4."""

import pytest
from conftest import Client, assert_error, refused


NO_CQL = refused(cql="unsupported_operator")


def ids(client, conditions, table="users"):
    sort = {} if client.name == "cql" else {"sort_by": {"field": "id"}}
    rows = client.rows(table, columns=["id"], conditions=conditions, **sort)
    return [row["id"] for row in client.in_order(rows)]


@pytest.mark.parametrize(
    "operator, column, value, expected",
    [
        ("eq", "id", 1, [1]),
        ("=", "id", 1, [1]),
        pytest.param("neq", "id", 1, [2, 3, 4, 5, 6], marks=NO_CQL),
        pytest.param("!=", "id", 1, [2, 3, 4, 5, 6], marks=NO_CQL),
        ("gt", "score", 10, [2, 4, 6]),
        ("gte", "score", 10, [1, 2, 4, 6]),
        ("lt", "score", 10, [5]),
        ("lte", "score", 10, [1, 5]),
        pytest.param("like", "email", "%@example.org", [1, 2, 3, 4, 5, 6], marks=refused(cql="unindexed_filter")),
        pytest.param("like", "email", "ADA%", [], marks=refused(cql="unindexed_filter")),
        pytest.param("ilike", "email", "ADA%", [1], marks=NO_CQL),
        ("in", "id", [1, 3, 99], [1, 3]),
        ("in", "id", "(1,3)", [1, 3]),
        ("in", "id", [], []),
        ("in", "email", ["bob@example.org", "a'b"], [2]),
        pytest.param("nin", "id", [1, 2, 3], [4, 5, 6], marks=NO_CQL),
        pytest.param("nin", "id", [], [1, 2, 3, 4, 5, 6], marks=NO_CQL),
        pytest.param("is", "score", None, [3], marks=NO_CQL),
        pytest.param("is", "score", "null", [3], marks=NO_CQL),
        pytest.param("is", "score", "not_null", [1, 2, 4, 5, 6], marks=NO_CQL),
        pytest.param("is", "active", True, [1, 2, 4, 6], marks=NO_CQL),
        pytest.param("is", "active", "false", [3, 5], marks=NO_CQL),
        pytest.param("isdistinct", "score", 20, [1, 3, 5, 6], marks=NO_CQL),
        pytest.param("starts_with", "email", "da", [4], marks=refused(cql="unindexed_filter")),
        pytest.param("starts_with", "email", "%", [], marks=refused(cql="invalid_condition")),
        pytest.param("ends_with", "email", "e@example.org", [5], marks=refused(cql="unindexed_filter")),
        pytest.param("ends_with", "email", "%", [], marks=refused(cql="invalid_condition")),
        ("between", "score", [10, 20], [1, 2, 4]),
        ("EQ", "id", "2", [2]),
    ],
)
def test_operator(client, operator, column, value, expected):
    assert ids(client, [{"operator": operator, "column": column, "value": value}]) == expected


def test_elements_are_anded(client):
    assert ids(
        client, [{"eq_column": "active", "eq_value": True}, {"operator": "gt", "column": "score", "value": 10}]
    ) == [2, 4, 6]


def test_both_forms_in_one_element_are_applied_once(client):
    assert ids(client, [{"eq_column": "id", "eq_value": 2, "operator": "eq", "column": "id", "value": 2}]) == [2]


@NO_CQL
def test_trees(client):
    tree = [
        {
            "or": [
                {"eq_column": "id", "eq_value": 1},
                {
                    "and": [
                        {"operator": "gt", "column": "id", "value": 4},
                        {"not": {"operator": "eq", "column": "id", "value": 6}},
                    ]
                },
            ]
        }
    ]
    assert ids(client, tree) == [1, 5]


@NO_CQL
def test_text_forms_of_the_sdk(client):
    assert ids(client, [{"operator": "or", "value": "id.eq.1,score.gt.20"}]) == [1, 6]
    assert ids(client, [{"operator": "not", "value": "id.in.(1,2,3)"}]) == [4, 5, 6]
    assert ids(client, [{"operator": "or", "value": 'email.eq."bob@example.org",and(id.gt.4,active.is.true)'}]) == [
        2,
        6,
    ]


@refused(cql="feature_not_supported")
def test_json_paths(client):
    assert ids(client, [{"operator": "eq", "column": "profile->>city", "value": "Paris"}]) == [2]


def test_empty_conditions_mean_none(client):
    assert len(ids(client, [])) == 6


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"eq_column": "id"},
        {"eq_value": 1},
        {"eq_column": 5, "eq_value": 1},
        {"column": "id", "value": 1},
        {"operator": "eq", "value": 1},
        {"operator": 3, "column": "id", "value": 1},
        "id.eq.1",
        7,
        None,
        ["id", 1],
        {"or": {"a": 1}},
        {"and": [1]},
        {"not": []},
        {"unknown": 1},
        {"operator": "or", "value": "nonsense"},
        {"operator": "or", "value": "id.eq"},
        {"operator": "not", "value": 5},
        {"eq_column": "id", "eq_value": {"a": 1}},
        {"operator": "in", "column": "id", "value": 5},
        {"operator": "between", "column": "id", "value": [1]},
        {"operator": "is", "column": "id", "value": "maybe"},
    ],
)
def test_malformed_conditions_are_refused_not_dropped(client, condition):
    reply = client.fetch("users", conditions=[condition])
    assert reply.status_code == 400, reply.text
    assert reply.json()["code"] in (
        "invalid_condition",
        "invalid_value",
        "invalid_text_representation",
        "type_mismatch",
    )


def test_conditions_must_be_an_array(client):
    assert client.fetch("users", conditions="id.eq.1").status_code == 400
    assert client.fetch("users", conditions=5).status_code == 400


def test_unknown_operator_names_the_known_ones(client):
    body = assert_error(
        client.fetch("users", conditions=[{"operator": "resembles", "column": "id", "value": 1}]),
        400,
        "unknown_operator",
    )
    assert "resembles" in body["error"] and "ilike" in body["hint"] + body["error"]


def test_unknown_condition_column(client):
    assert_error(client.fetch("users", conditions=[{"eq_column": "nope", "eq_value": 1}]), 400, "undefined_column")


@pytest.mark.parametrize(
    "operator, value",
    [
        ("match", "^a"),
        ("imatch", "^A"),
        ("overlaps", ["a"]),
        ("fts", "fox"),
        ("plfts", "fox"),
        ("phfts", "fox"),
        ("wfts", "fox"),
    ],
)
@pytest.mark.parametrize("name, backend", [("lite", "sqlite"), ("d1", "d1"), ("cql", "scylla")])
def test_an_operator_that_cannot_be_expressed_is_refused(athena, name, backend, operator, value):
    body = assert_error(
        Client(athena, name).fetch("users", conditions=[{"operator": operator, "column": "email", "value": value}]),
        400,
        "unsupported_operator",
    )
    assert operator in body["error"] and backend in body["error"]
    assert body["details"] == {"operator": operator, "backend": backend} and body["hint"]


@pytest.mark.parametrize(
    "table, conditions",
    [
        ("users", [{"eq_column": "email", "eq_value": "ada@example.org"}]),
        ("users", [{"operator": "gt", "column": "id", "value": 1}]),
        ("users", [{"operator": "in", "column": "score", "value": [10]}]),
        ("memberships", [{"eq_column": "user_id", "eq_value": 1}]),
        ("memberships", [{"operator": "gte", "column": "team_id", "value": 1}]),
    ],
)
def test_cql_scans_only_when_told(cql, table, conditions):
    body = assert_error(cql.fetch(table, conditions=conditions, allow_filtering=False), 400, "unindexed_filter")
    assert body["details"]["table"] == table and "allow_filtering" in body["hint"]
    assert cql.fetch(table, conditions=conditions).status_code == 200


@pytest.mark.parametrize(
    "operator, column, value, expected",
    [
        ("match", "email", "^a", [1]),
        ("imatch", "email", "^ADA", [1]),
        ("contains", "profile", {"city": "Paris"}, [2]),
        ("cs", "profile", {"tags": ["math"]}, [1]),
    ],
)
def test_postgres_operators_on_users(pg, operator, column, value, expected):
    assert ids(pg, [{"operator": operator, "column": column, "value": value}]) == expected


@pytest.mark.parametrize(
    "operator, column, value, expected",
    [
        ("contains", "tags", ["b c"], [1]),
        ("cs", "tags", ["a"], [1]),
        ("containedBy", "nums", [1, 2, 3, 4], [1]),
        ("overlaps", "nums", [3, 9], [1]),
        ("ov", "nums", [9], []),
        ("fts", "doc", "fox", [1]),
        ("plfts", "doc", "lazy dog", [2]),
        ("phfts", "doc", "quick brown", [1]),
        ("wfts", "doc", "fox or dog", [1, 2]),
        ("eq", "m", "happy", [1]),
        ("gt", "d", "2025-01-01", [1]),
        ("eq", "plain", "2025-01-31T13:00:00.25", [1]),
    ],
)
def test_postgres_operators(pg, operator, column, value, expected):
    assert ids(pg, [{"operator": operator, "column": column, "value": value}], "pg_only") == expected


def test_postgres_types_come_out_as_promised(pg):
    row = pg.rows("pg_only", conditions=[{"eq_column": "id", "eq_value": 1}])[0]
    assert row["tags"] == ["a", "b c", None] and row["nums"] == [1, 2, 3] and row["m"] == "happy"
    assert row["plain"] == "2025-01-31T13:00:00.25" and row["d"] == "2025-01-31" and row["t"] == "13:00:00"
    assert row["n"] == "NaN" and row["f8"] == "Infinity"


def test_bad_literals_are_the_callers_mistake(pg):
    assert_error(
        pg.fetch("users", conditions=[{"eq_column": "id", "eq_value": "x"}]), 400, "invalid_text_representation"
    )
    assert_error(pg.fetch("users", conditions=[{"eq_column": "id", "eq_value": 2**70}]), 400, "value_out_of_range")
