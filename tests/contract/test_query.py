"""Raw SQL: /gateway/query and /query/sql (contract 3.5)."""

import pytest
from conftest import KINDS, assert_error


def test_select(sql_client):
    body = sql_client.query("select id, email from users where id <= 2 order by id").json()
    assert body["message"] == "Query executed" and [row["id"] for row in body["data"]["rows"]] == [1, 2]
    meta = body["data"]["meta"]
    assert (
        meta["returned_row_count"] == 2 and meta["statement_count"] == 1 and meta["backend"] == KINDS[sql_client.name]
    )


def test_parameters(sql_client):
    rows = sql_client.query("select email from users where id = $1", params=[2]).json()["data"]["rows"]
    assert rows == [{"email": "bob@example.org"}]


def test_returning_rows_of_a_write(sql_client):
    body = sql_client.query("insert into items (item_id, sku) values (501, 'q1') returning item_id, quantity").json()
    assert body["data"]["rows"] == [{"item_id": 501, "quantity": 1}] and body["data"]["meta"]["rows_affected"] == 1
    body = sql_client.query("delete from items where item_id = 501").json()
    assert body["data"]["rows"] == [] and body["data"]["meta"]["rows_affected"] == 1


def test_several_statements_are_one_transaction(sql_client):
    body = sql_client.query(
        "insert into items (item_id, sku) values (601, 'm1'); insert into items (item_id, sku) values (602, 'm2'); "
        "select count(*) as n from items where item_id in (601, 602)"
    ).json()
    assert body["data"]["rows"] == [{"n": 2}] and body["data"]["meta"]["statement_count"] == 3
    reply = sql_client.query(
        "insert into items (item_id, sku) values (603, 'm3'); insert into items (item_id, sku) values (604, 'm1')"
    )
    assert_error(reply, 409, "unique_violation")
    assert sql_client.query("select count(*) as n from items where item_id = 603").json()["data"]["rows"] == [{"n": 0}]
    sql_client.query("delete from items where item_id in (601, 602)")


def test_several_statements_answer_with_all_their_results(script_client):
    text = (
        "select id from users where id <= 2 order by id; select 'é' as mark, null as blank;\n"
        "insert into items (item_id, sku) values (611, 'r1'), (612, 'r2'); select 3 as three where 1 = 0;"
        "update items set quantity = 3 where item_id in (611, 612)"
    )
    reply = script_client.query(text)
    assert reply.status_code == 200, reply.text
    data = reply.json()["data"]
    assert data["rows"] == []  # of the last statement that gives rows
    assert data["results"] == [
        {"rows": [{"id": 1}, {"id": 2}], "rows_affected": 0, "returned_row_count": 2},
        {"rows": [{"mark": "é", "blank": None}], "rows_affected": 0, "returned_row_count": 1},
        {"rows": [], "rows_affected": 2, "returned_row_count": 0},
        {"rows_affected": 0, "returned_row_count": 0},
        {"rows": [], "rows_affected": 2, "returned_row_count": 0},
    ]
    assert data["meta"]["statement_count"] == 5 and data["meta"]["returned_row_count"] == 0
    stripped = script_client.query("select null as a; delete from items where item_id in (611, 612)", strip_nulls=True)
    assert stripped.json()["data"]["rows"] == [{}] and stripped.json()["data"]["results"][1]["rows_affected"] == 2


def test_results_of_statements_that_only_read(script_client):
    body = script_client.query("select 1 as a; select 2 as a", {"X-Athena-Shape": "compact"}).json()
    assert body["data"] == [{"a": 2}]
    assert [result.get("rows") for result in body["results"]] == [[{"a": 1}], None]
    assert script_client.query("select 1 as a; select 2 as a", {"X-Athena-Shape": "bare"}).json() == [{"a": 2}]
    assert "results" not in script_client.query("select 1 as a").json()["data"]


def test_parameters_of_several_statements(script_client):
    data = script_client.query("select $1 || 'x' as a; select $1 || 'y' as a", params=["p"]).json()["data"]
    assert data["results"][0]["rows"] == [{"a": "px"}] and data["rows"] == [{"a": "py"}]


def test_results_that_are_kept_are_bounded(script_client):
    row = "repeat('x', 1000000)" if script_client.is_postgres else "hex(zeroblob(500000))"
    many = f"with recursive n(i) as (select 1 union all select i + 1 from n where i < 20) select i, {row} as t from n"
    assert_error(script_client.query(f"{many}; select 1"), 413, "result_too_large")
    reply = script_client.query(f"select 1 as one; {many}")  # the last one is streamed, whatever its size
    assert len(reply.json()["data"]["rows"]) == 20 and reply.json()["data"]["results"][0]["rows"] == [{"one": 1}]


def test_an_error_says_which_of_several_statements_it_was(script_client):
    text = "select 1;\n\n  select 'é',\n    nope from users;\nselect 3"
    body = assert_error(script_client.query(text), 400, "undefined_column")
    details = body["details"]
    assert details["statement_index"] == "2" and details["line_start"] == "3"
    # SQLite does not say where a statement ends that it cannot compile.
    where = "2/3 failed at lines 3-4" if script_client.is_postgres else "2 failed at line 3"
    assert body["error"].startswith(f"Statement {where}: ")
    assert (details["line"], details["line_column"]) == ("4", "5")
    assert text[int(details["position"]) - 1 :].startswith("nope")


def test_an_error_while_a_statement_runs_says_which_it_was(script_client):
    script_client.query("delete from items where item_id = 621")
    insert = "insert into items (item_id, sku)\nvalues (621, 'e1');\n"
    body = assert_error(script_client.query(insert + "-- again\n" + insert + "select 1"), 409, "unique_violation")
    details = body["details"]
    assert details["statement_index"] == "2" and details["line_start"] == "3" and details["line_end"] == "5"
    assert script_client.query("select 1 as n from items where item_id = 621").json()["data"]["rows"] == []
    single = assert_error(script_client.query("select\n  nope from users"), 400, "undefined_column")
    assert "statement_index" not in single["details"] and not single["error"].startswith("Statement")
    assert (single["details"]["line"], single["details"]["line_column"]) == ("2", "3")


def test_a_syntax_error_says_which_statement_it_was(pg):
    body = assert_error(pg.query("select ';'; -- ;\nselect 2;\nselec 3; select 4"), 400, "syntax_error")
    assert body["details"]["statement_index"] == "3" and body["details"]["total_statements"] == "4"
    assert body["error"].startswith("Statement 3/4 failed at line 3: ")


@pytest.mark.parametrize("text", ["begin", "commit", "select 1; rollback", "begin; select 1; commit", "savepoint a"])
def test_transaction_control_is_refused(sql_client, text):
    assert_error(sql_client.query(text), 400, "unsupported_statement")


def test_syntax_errors_point_into_the_callers_text(pg):
    body = assert_error(pg.query("select é, from users"), 400, "syntax_error")
    assert body["details"]["position"] == "11"


def test_syntax_error(sql_client):
    assert_error(sql_client.query("selec 1"), 400, "syntax_error")


@pytest.mark.parametrize("text", ["", "   ", ";;", "-- only a comment"])
def test_nothing_to_run(client, text):
    assert client.query(text).status_code == 400


def test_read_only(sql_client):
    assert sql_client.query("select 1 as one", read_only=True).json()["data"]["rows"] == [{"one": 1}]
    reply = sql_client.query("delete from items", read_only=True)
    assert reply.status_code in (400, 403) and reply.json()["code"] in (
        "read_only_violation",
        "insufficient_privilege",
        "unsupported_statement",
    )


def test_no_session_state_leaks(pg):
    pg.query("set work_mem = '77MB'")
    pg.query("create temp table leak (id int)")
    for _ in range(8):
        assert pg.query("select current_setting('work_mem') as w").json()["data"]["rows"][0]["w"] != "77MB"
        assert pg.query("select to_regclass('pg_temp.leak') is null as gone").json()["data"]["rows"] == [{"gone": True}]


@pytest.mark.parametrize("text", ["copy users from stdin", "copy users to stdout"])
def test_copy_is_answered_clearly(pg, text):
    assert_error(pg.query(text), 400, "unsupported_statement")
    assert pg.query("select 1 as one").status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        "attach database '/tmp/x.db' as x",
        "detach database main",
        "vacuum into '/tmp/x.db'",
        "pragma journal_mode = delete",
        "pragma writable_schema = on",
        "select load_extension('x')",
        "pragma query_only = 0",
    ],
)
def test_sqlite_authorizer(lite, text):
    reply = lite.query(text)
    assert reply.status_code in (400, 403), reply.text
    assert reply.json()["code"] in ("unsupported_statement", "insufficient_privilege", "undefined_function")


def test_duplicate_and_unnamed_columns(sql_client):
    rows = sql_client.query("select 1 as a, 2 as b").json()["data"]["rows"]
    assert rows == [{"a": 1, "b": 2}]


def test_ddl_is_seen_at_once(sql_client):
    sql_client.query("create table made_here (id integer primary key, note text)")
    try:
        assert sql_client.insert("made_here", {"id": 1, "note": "n"}).status_code == 200
        sql_client.query("alter table made_here add column extra text default 'e'")
        assert sql_client.rows("made_here") == [{"id": 1, "note": "n", "extra": "e"}]
        sql_client.query("alter table made_here drop column note")
        assert sql_client.rows("made_here") == [{"id": 1, "extra": "e"}]
    finally:
        sql_client.query("drop table made_here")
    assert_error(sql_client.fetch("made_here"), 400, "undefined_table")


def test_query_sql(sql_client):
    driver = KINDS[sql_client.name]
    reply = sql_client.send(
        "POST", "/query/sql", {"query": "select count(*) as n from users", "driver": driver, "db_name": "whatever"}
    )
    body = reply.json()
    assert body["status"] == "success" and body["message"] == "Successfully executed query"
    data = body["data"]
    assert (
        data["rows"] == [{"n": 6}]
        and data["columns"][0]["name"] == "n"
        and data["db_name"] == "whatever"
        and data["driver"] == driver
    )
    assert data["statement_count"] == 1 and data["returned_row_count"] == 1 and data["duration_ms"] >= 0


def test_query_sql_without_header_uses_db_name(athena):
    reply = athena.http.post("/query/sql", json={"query": "select 1 as one", "driver": "postgresql", "db_name": "pg"})
    assert reply.json()["data"]["rows"] == [{"one": 1}]


def test_query_sql_unknown_driver_lists_the_known(client):
    body = assert_error(
        client.send("POST", "/query/sql", {"query": "select 1", "driver": "oracle", "db_name": "x"}),
        400,
        "unknown_driver",
    )
    assert "postgresql" in body["error"] + body["hint"]


def test_query_sql_driver_of_another_kind_is_refused(client):
    driver = "sqlite" if client.is_postgres else "postgresql"
    assert client.send("POST", "/query/sql", {"query": "select 1", "driver": driver, "db_name": "x"}).status_code == 400


def test_direct_targets_are_off_unless_configured(athena):
    reply = athena.http.post(
        "/gateway/query",
        json={"query": "select 1"},
        headers={"X-JDBC-URL": "jdbc:postgresql://127.0.0.1:5432/postgres"},
    )
    assert_error(reply, 403, "direct_target_refused")


def test_wide_open_results_stream(pg):
    body = pg.query("select i, repeat('x', 100) as pad from generate_series(1, 50000) as i").json()
    assert len(body["data"]["rows"]) == 50000 and body["data"]["rows"][-1]["i"] == 50000
