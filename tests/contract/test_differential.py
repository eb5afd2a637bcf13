"""The same random statements on every database: the same rows, or a difference that docs/differences.md tells.

ATHENA_DIFFERENTIAL_SEED and ATHENA_DIFFERENTIAL_STATEMENTS choose others, and more of them.
"""

import concurrent.futures
import http.client
import json
import os
import pathlib
import random
import re
from decimal import Decimal

import pytest
import statements

SEED = int(os.environ.get("ATHENA_DIFFERENTIAL_SEED", "1"))
STATEMENTS = int(os.environ.get("ATHENA_DIFFERENTIAL_STATEMENTS", "1500"))
SQL = ("pg", "lite", "rest", "d1")
ALL = (*SQL, "cql")
DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "differences.md"


class Difference:
    """A row of the table in docs/differences.md: on these clients, where `applies`, the answer is another one."""

    def __init__(self, clients, applies, code=None):
        self.clients, self.applies, self.code = clients, applies, code


def conditions_of(part):
    """Column, operator and values of each condition in a tree."""
    if isinstance(part, list):
        for element in part:
            yield from conditions_of(element)
    elif "eq_column" in part:
        yield part["eq_column"], "eq", [part["eq_value"]]
    elif "operator" in part:
        value = part["value"]
        yield part["column"], part["operator"], value if isinstance(value, list) else [value]
    else:
        for name, inner in part.items():
            yield None, name, []
            yield from conditions_of(inner)


def compares(*columns):
    """Statements that compare one of the columns with a value that `written` says is in other words."""

    def decorate(written):
        return lambda body: any(
            written(value) for column, _, values in conditions_of(body.get("conditions", [])) if column in columns
            for value in values if value is not None
        )

    return decorate


def asks(*operators):
    return lambda body: any(operator in operators for _, operator, _ in conditions_of(body.get("conditions", [])))


def shows(*outputs):
    return lambda body: any(output.endswith(outputs) for output in body.get("columns", ()))


@compares("at", "day")
def other_times(value):
    return not re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?\+00:00)?", str(value)) or value == "2025-02-30"


@compares("g", "id", "n")
def with_a_fraction(value):
    return isinstance(value, float)


@compares("g", "id")
def too_large(value):
    return isinstance(value, int) and value >= 2**31


@compares("t")
def beyond_ascii(value):
    return isinstance(value, str) and not value.isascii()


@compares("u", "b")
def in_other_words(value):
    return not isinstance(value, bool) and not re.fullmatch(r"[0-9a-fA-F-]{36}|true|false", str(value))


def compares_with_null(body):
    return any(None in values for _, _, values in conditions_of(body["conditions"]))


@compares("at", "day")
def number_for_time(value):
    return isinstance(value, int)


def repeats_a_column(body):
    columns = [column for column, _, _ in conditions_of(body["conditions"])]
    return len(columns) > len(set(columns))


def follows_path(body):
    return any("->" in (column or "") for column, _, _ in conditions_of(body["conditions"]))


LIKE_SQLITE = ("lite", "d1")
DIFFERENCES = {
    "only_postgresql": Difference(
        LIKE_SQLITE, asks(*(name for name, _, _ in statements.ONLY_POSTGRES)), "unsupported_operator"
    ),
    "letters_beyond_ascii": Difference(LIKE_SQLITE, lambda body: asks("ilike")(body) and beyond_ascii(body)),
    "times_are_texts": Difference(LIKE_SQLITE, other_times),
    "fractions_for_integers": Difference(LIKE_SQLITE, with_a_fraction),
    "integers_of_any_size": Difference(LIKE_SQLITE, too_large),
    "casts_to_text": Difference(LIKE_SQLITE, shows("r::text", "at::text", "b::text", "j::text")),
    "casts_to_integer": Difference(LIKE_SQLITE, shows("d::integer")),
    "rest_unread_values": Difference(("rest",), lambda body: "set" in body, "nothing_matched"),
    "cql_operators": Difference(("cql",), asks("neq", "is", "nin", "or", "not"), "unsupported_operator"),
    "cql_nulls": Difference(("cql",), compares_with_null, "invalid_condition"),
    "cql_patterns": Difference(("cql",), asks("like"), "unindexed_filter"),
    "cql_offset": Difference(("cql",), lambda body: "offset" in body, "feature_not_supported"),
    "cql_order": Difference(("cql",), lambda body: len(body["sort_by"]) > 1, "feature_not_supported"),
    "cql_paths": Difference(("cql",), follows_path, "feature_not_supported"),
    "cql_casts": Difference(("cql",), shows("n::text"), "feature_not_supported"),
    "cql_words": Difference(
        ("cql",), lambda body: in_other_words(body) or other_times(body), "wrong_value"
    ),
    "cql_times_as_numbers": Difference(("cql",), number_for_time),
    "cql_pairs": Difference(("cql",), repeats_a_column, "invalid_condition"),
}


def documented():
    """Name, and code of the answer (empty: other rows), of each row of the document."""
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", DOCUMENT.read_text(), re.M)
    return {name: (re.search(r"`(\w+)`\)?$", answer) or [None, None])[1] for name, answer in rows}


def test_every_difference_is_documented():
    told = {name: "wrong_value" if code in WRONG_VALUES else code for name, code in documented().items()}
    assert told == {name: difference.code for name, difference in DIFFERENCES.items()}


# Which of several wrong values is told of is the database's choice.
WRONG_VALUES = ("invalid_text_representation", "value_out_of_range")


def run(athena, client, requests):
    """Sends them one after the other on one connection; gives status and JSON of each answer."""
    connection = http.client.HTTPConnection(*athena.address, timeout=60)
    answers = []
    for method, path, body in requests:
        body = statements.as_cql(body) if client == "cql" else body
        headers = {"X-Athena-Client": client, "Content-Type": "application/json", "Prefer": "handling=strict"}
        connection.request(method, path, json.dumps(body).encode(), headers)
        reply = connection.getresponse()
        answers.append((reply.status, json.loads(reply.read(), parse_float=Decimal)))
    connection.close()
    return answers


def run_everywhere(athena, clients, requests):
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        return dict(zip(clients, pool.map(lambda client: run(athena, client, requests), clients)))


def column_of(key, body):
    """Which column a key of the answer shows."""
    for output in body.get("columns", ()):
        alias, _, column = output.rpartition(":")
        if alias == key:
            return column
    return key


def canonical(row, body, client):
    """A row with what must be equal in it; digits of numbers count, but of doubles the value."""
    result = {}
    for key, value in row.items():
        column = column_of(key, body)
        if column == "r" and value is not None:
            value = float(value)
        elif column == "j" and client == "cql" and value is not None:
            value = json.loads(value, parse_float=Decimal)
        elif isinstance(value, Decimal):
            value = str(value)
        result[key] = value
    return result


def outcome(answer, body, client):
    """What of an answer must be the same everywhere."""
    status, reply = answer
    if status != 200:
        return {"error": "wrong_value" if reply["code"] in WRONG_VALUES else reply["code"]}
    data = reply["data"]
    if "limit" not in body:
        return written(reply, body, client)
    rows = [canonical(row, body, client) for row in data["rows"]]
    grouped = data.get("post_processing", {}).get("grouped")
    if grouped is not None:
        for group in grouped:
            group["rows"] = sorted(json.dumps(canonical(r, body, client), sort_keys=True) for r in group["rows"])
            for name in ("aggregation", "cumulative"):
                group[name] = str(group.get(name))
        return {"grouped": grouped}
    keys = list(rows[0]) if rows and "columns" in body else None
    return {"rows": rows, "keys": keys, "count": data.get("count"), "has_more": data.get("has_more", False)}


def written(reply, body, client):
    """Of a write: its rows, in any order, and how many they are. CQL does not give back what it does not know."""
    meta = reply["data"]["meta"] if "set" in body else reply["meta"]
    rows = reply["data"]["rows"] if "set" in body else reply["data"]
    result = {"affected": meta["rows_affected"]}
    if "conditions" not in body or not is_keyed(body):
        shown = [canonical(row, body, client) for row in (rows if isinstance(rows, list) else [rows]) if row]
        result["rows"] = sorted(json.dumps(row, sort_keys=True) for row in shown)
        result["single"] = not isinstance(rows, list)
    return result


def is_keyed(body):
    return [(c, o) for c, o, _ in conditions_of(body["conditions"])] == [("g", "eq"), ("id", "eq")]


def disagreements(requests, answers, used):
    for at, (method, path, body) in enumerate(requests):
        outcomes = {client: outcome(given[at], body, client) for client, given in answers.items()}
        expected = outcomes.pop("pg")
        for client, got in outcomes.items():
            if got == expected:
                continue
            allowed = [
                name
                for name, difference in DIFFERENCES.items()
                if client in difference.clients
                and (difference.code is None or got == {"error": difference.code})
                and difference.applies(body)
            ]
            if allowed:
                used.update(allowed)
                continue
            asked = f"{method} {path} {json.dumps(body, ensure_ascii=False)}"
            yield f"{client}: {asked}\n  pg: {expected}\n  {client}: {got}"


def check(requests, answers, used):
    found = list(disagreements(requests, answers, used))
    shown = "\n".join(found[:8])
    assert not found, f"seed {SEED}: {len(found)} of {len(requests)} statements are answered otherwise\n{shown}"


def fetches(make, count, generator):
    return [("POST", "/gateway/fetch", make(generator)) for _ in range(count)]


@pytest.fixture(scope="module")
def things(athena):
    """The table `things` with the same random rows on every client."""
    print(f"seed {SEED}")
    rows = statements.data_set(random.Random(SEED))
    inserts = [
        ("PUT", "/gateway/insert", {"table_name": "things", "insert_body": rows[i : i + 20]})
        for i in range(0, len(rows), 20)
    ]
    for client in ALL:
        for g in statements.PARTITIONS:
            body = {"table_name": "things", "conditions": [{"eq_column": "g", "eq_value": g}]}
            athena.http.post("/gateway/delete", json=body, headers={"X-Athena-Client": client}).raise_for_status()
        for status, reply in run(athena, client, inserts):
            assert status == 200, (client, reply)
    return rows


@pytest.fixture(scope="module")
def used():
    """The differences that were met."""
    return set()


def test_what_was_written_comes_back(athena, things, used):
    partition = {"table_name": "things", "limit": 1000, "columns": list(statements.COLUMNS), "sort_by": {"field": "id"}}
    requests = [
        ("POST", "/gateway/fetch", {**partition, "conditions": [{"eq_column": "g", "eq_value": g}]})
        for g in statements.PARTITIONS
    ]
    answers = run_everywhere(athena, ALL, requests)
    assert sum(len(reply["data"]["rows"]) for _, reply in answers["pg"]) == len(things)
    check(requests, answers, used)


def test_reads(athena, things, used):
    requests = fetches(statements.fetch, STATEMENTS, random.Random(SEED + 1))
    check(requests, run_everywhere(athena, SQL, requests), used)


def test_grouped_reads(athena, things, used):
    requests = fetches(statements.grouped_fetch, STATEMENTS // 10, random.Random(SEED + 2))
    check(requests, run_everywhere(athena, SQL, requests), used)


def test_reads_by_key(athena, things, used):
    requests = fetches(statements.keyed_fetch, STATEMENTS // 3, random.Random(SEED + 3))
    check(requests, run_everywhere(athena, ALL, requests), used)


def test_writes_by_key(athena, things, used):
    generator = random.Random(SEED + 4)
    requests = []
    for _ in range(STATEMENTS // 10):
        requests.append(statements.write(generator))
        requests += fetches(statements.keyed_fetch, 1, generator)
    check(requests, run_everywhere(athena, ALL, requests), used)


def test_writes(athena, things, used):
    """Last: the rows on CQL stay as they are. Without the differences, behind which the tables would differ, too."""
    generator = random.Random(SEED + 5)
    requests = [statements.sql_write(generator) for _ in range(STATEMENTS // 4)]
    known = [difference.applies for difference in DIFFERENCES.values() if "lite" in difference.clients]
    requests = [request for request in requests if not any(applies(request[2]) for applies in known)]
    everything = {"table_name": "things", "limit": 1000, "sort_by": [{"field": "g"}, {"field": "id"}]}
    for at in range(20, len(requests), 20):
        requests.insert(at, ("POST", "/gateway/fetch", everything))
    check(requests, run_everywhere(athena, SQL, requests), used)


def test_every_difference_was_met(used):
    assert used == set(DIFFERENCES), "the others are differences no more, or the seed is an unlucky one"
