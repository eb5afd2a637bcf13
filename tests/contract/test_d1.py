"""Sessions of Cloudflare D1: bookmarks go from the request to the Worker, and from its answer to the reply."""

import pytest
from conftest import Client, assert_error

MODE, BOOKMARK = "X-Athena-D1-Session-Mode", "X-Athena-D1-Bookmark"


def test_an_answer_says_how_far_it_got(d1):
    first = d1.fetch("users", limit=1)
    mark = first.headers[BOOKMARK]
    assert mark
    wrote = d1.insert("items", {"item_id": 770, "sku": "d1-770"}, {BOOKMARK: mark})
    assert wrote.status_code == 200 and wrote.headers[BOOKMARK] > mark
    stored = [{"eq_column": "item_id", "eq_value": 770}]
    again = d1.fetch("items", {BOOKMARK: wrote.headers[BOOKMARK]}, conditions=stored)
    assert len(again.json()["data"]["rows"]) == 1 and again.headers[BOOKMARK] >= wrote.headers[BOOKMARK]
    gone = d1.delete("items", {BOOKMARK: again.headers[BOOKMARK]}, resource_id=770)
    assert gone.headers[BOOKMARK] > wrote.headers[BOOKMARK]


@pytest.mark.parametrize("mode", ["first-primary", "first-unconstrained", ""])
def test_modes(d1, mode):
    for reply in (
        d1.fetch("users", {MODE: mode}, limit=1, count="exact"),
        d1.query("select 1 as one", {MODE: mode}),
        d1.send("POST", "/query/sql", {"query": "select 1 as one", "driver": "d1", "db_name": "d1"}, {MODE: mode}),
    ):
        assert reply.status_code == 200 and reply.headers[BOOKMARK]


def test_without_a_client_header_too(athena):
    body = {"query": "select 1 as one", "driver": "d1", "db_name": "d1"}
    assert athena.http.post("/query/sql", json=body, headers={MODE: "first-primary"}).headers[BOOKMARK]
    assert_error(athena.http.post("/query/sql", json=body, headers={MODE: "last"}), 400, "invalid_value")


def test_what_is_no_mode_is_refused(d1):
    body = assert_error(d1.fetch("users", {MODE: "first-come"}), 400, "invalid_value")
    assert "first-primary" in body["error"] and MODE in body["error"]


@pytest.mark.parametrize("name", ["pg", "lite", "rest", "cql"])
def test_others_take_no_notice(athena, name):
    reply = Client(athena, name).fetch("users", {MODE: "whatever", BOOKMARK: "x"}, limit=1)
    assert reply.status_code == 200 and BOOKMARK not in reply.headers


def test_browsers_may_send_and_read_them(athena):
    origin = {"Origin": "https://app.example.org"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": BOOKMARK.lower()}
    allowed = athena.http.options("/gateway/fetch", headers={**origin, **asked}).headers["Access-Control-Allow-Headers"]
    assert MODE in allowed and BOOKMARK in allowed
    assert BOOKMARK in Client(athena, "d1").fetch("users", origin, limit=1).headers["Access-Control-Expose-Headers"]


def test_the_token_is_in_no_answer_and_no_log(athena, d1):
    d1.fetch("users")
    d1.query("selec 1")
    assert "athena-test-token" not in athena.log() + athena.http.get("/").text
