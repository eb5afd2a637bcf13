"""Random statements and rows for the differential test: bounded, and the same for the same seed.

The table `things` is on every database of the suite, with the key (g, id). Statements are bodies of /gateway/fetch and
the routes for writes; they ask for what every language can nearly say; docs/differences.md tells where one cannot.
"""

import datetime
import json
import uuid

COLUMNS = ("g", "id", "n", "d", "r", "t", "b", "j", "u", "at", "day", "x")
SORTABLE = ("g", "id", "n", "d", "r", "t", "b", "u", "at", "day")
PARTITIONS = range(4)
KEYS = range(40)
TEXTS = (
    "",
    "a",
    "A",
    "ab",
    "aB",
    "a%b",
    "a_b",
    "a\\b",
    "a*b",
    "a?b",
    "[a]",
    "null",
    "true",
    "12",
    " padded ",
    'say "hi"',
    "it's",
    "tab\tline\nend",
    "{a,b}",
    "(a,b)",
    "a.b:c",
    "naïve",
    "NAÏVE",
    "Zoë 😀",
    "\u200bzero",
    "日本",
)
INTEGERS = (0, 1, -1, 2, 10, 42, 2**31 - 1, -(2**31), 2**53 - 1, 2**53 + 1, 2**63 - 1, -(2**63))
DECIMALS = ("0", "0.5", "-0.5", "1.50", "1.5", "10", "9.99", "100.00", "12345678901234567890.123456789", "-7.25")
REALS = (0.0, 0.5, -0.5, 1.5, 0.1, 1e300, -1e-7, 3.0, 123456.789, 4.35, 1e22)
PATTERNS = ("a%", "%b", "%a%", "a_b", "a\\%b", "a\\_b", "%", "_", "", "A%", "%ï%", "[a]%", "a*b", "a?%", "%😀", "%\\\\%")
PREFIXES = ("a", "A", "", "a%", "a_", "[", "a*", "say", "Zo", "日")
DOCUMENTS = (
    {"k": "v", "i": 1, "f": True, "z": None, "l": [1, "two", None], "o": {"p": "q"}},
    {"k": 'qu"ote', "i": -3, "f": False, "l": [], "o": {}},
    {"k": "12", "i": 12},
    {"other": "Zoë 😀"},
    [1, 2, 3],
    {},
)
PATHS = ("j->>k", "j->>i", "j->>f", "j->>z", "j->o->>p", "j->l->>0", "j->l->>1", "j->>missing", "j->>0")
ONLY_POSTGRES = (
    ("match", "t", "^a.b$"),
    ("imatch", "t", "^A"),
    ("contains", "j", {"k": "v"}),
    ("containedBy", "j", {"k": "v", "i": 1}),
)
EQUALITIES = ("eq", "neq", "isdistinct")
ORDERS = ("gt", "gte", "lt", "lte")


def moment(random):
    """ISO text in UTC, as a database would give it back."""
    at = datetime.datetime(2025, random.choice((1, 2, 12)), random.choice((1, 13, 28)), random.choice((0, 13)), 5, 30)
    fraction = random.choice(("", "", ".25", ".123"))
    return at.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "+00:00"


def value_for(random, column):
    """A value of the column's type, never null."""
    if column == "g":
        return random.choice(PARTITIONS)
    if column == "id":
        return random.choice(KEYS)
    if column == "n":
        return random.choice(INTEGERS)
    if column == "d":
        return random.choice(DECIMALS)
    if column == "r":
        return random.choice(REALS)
    if column == "t":
        return random.choice(TEXTS)
    if column == "b":
        return random.random() < 0.5
    if column == "j":
        return random.choice(DOCUMENTS)
    if column == "u":
        return str(uuid.UUID(int=random.choice((1, 2, 3)) << 64 | 0x4000800000000000))
    if column == "at":
        return moment(random)
    if column == "day":
        return moment(random)[:10]
    return "\\x" + random.choice(("", "00", "00ff10", "c3a9"))


def row(random, g, key):
    values = {c: None if random.random() < 0.2 else value_for(random, c) for c in COLUMNS[2:]}
    return {"g": g, "id": key, **values}


def data_set(random):
    return [row(random, g, key) for g in PARTITIONS for key in KEYS if random.random() < 0.5]


# The same in other words, and what is no value of the type at all.
OTHER_WORDS = {
    "g": ("1", "01", "+1", " 1", "1.0", "1.5", 1.0, 1.5, 1e0, "x", "", True, 2**40),
    "n": ("-1", "1e3", 1e3, "9223372036854775808", 2**63, "0x10", "1_000", "x", False),
    "d": (1.5, 1.50, "1.5000", "+1.5", "15e-1", 1e1, ".5", "5.", "x", "", "1,5", True),
    "r": ("0.5", "5e-1", 1, "1", "x", "", "1e999", True),
    "b": ("true", "false", "t", "no", "1", 0, 1, "maybe", "", "TRUE", 2),
    "u": ("00000000-0000-0001-4000-800000000000".upper(), "{00000000-0000-0001-4000-800000000000}", "x", "", 5,
          "00000000000000014000800000000000"),
    "at": ("2025-01-13T13:05:30Z", "2025-01-13T15:05:30+02:00", "2025-01-13 13:05:30+00", "2025-01-13", "20250113",
           "2025-01-13T13:05:30", "2025-01-13T13:05:30.250+00:00", "2025-02-30", "yesterday-ish", "", 5),
    "day": ("2025-01-13T13:05:30Z", "2025-1-3", "20250113", "Jan 13 2025", "2025-02-30", "x", "", 5),
    "t": (5, 1.50, True, "\\x00"),
}
OTHER_WORDS["id"] = OTHER_WORDS["g"]


def literal(random, column):
    """A value as callers write it."""
    roll = random.random()
    if column in ("g", "id", "n") and roll < 0.2:
        return str(value_for(random, column))
    return random.choice(OTHER_WORDS[column]) if roll > 0.85 else value_for(random, column)


def predicate(random):
    column = random.choice(SORTABLE if random.random() < 0.85 else PATHS)
    roll = random.random()
    if column in PATHS:
        value = random.choice(("v", "12", "q", "two", "1", "true", "Zoë 😀", 'qu"ote'))
        return {"operator": random.choice(("eq", "neq", "in", "is")), "column": column, "value": value}
    if column == "t" and roll < 0.4:
        operator = random.choice(("like", "ilike", "starts_with"))
        words = PREFIXES if operator == "starts_with" else PATTERNS
        return {"operator": operator, "column": "t", "value": random.choice(words)}
    if roll < 0.02:
        operator, column, value = random.choice(ONLY_POSTGRES)
        return {"operator": operator, "column": column, "value": value}
    if roll < 0.05:
        return {"operator": "eq", "column": random.choice(("x", "j")), "value": value_for(random, "x")}
    if roll < 0.1:
        words = ("null", "not_null", *(("true", "false", "unknown") if column == "b" else ()))
        return {"operator": "is", "column": column, "value": random.choice(words)}
    if roll < 0.3:
        values = [literal(random, column) for _ in range(random.randint(0, 3))]
        if random.random() < 0.2:
            values.append(None)
        return {"operator": random.choice(("in", "nin")), "column": column, "value": values}
    if roll < 0.4 and column != "b":
        return {"operator": "between", "column": column, "value": [literal(random, column), literal(random, column)]}
    if roll < 0.5:
        value = None if random.random() < 0.3 else literal(random, column)
        return {"eq_column": column, "eq_value": value}
    operator = random.choice(EQUALITIES if column == "b" or random.random() < 0.5 else ORDERS)
    return {"operator": operator, "column": column, "value": literal(random, column)}


def fix_path(condition):
    if condition.get("column") in PATHS and condition["operator"] in ("in", "is"):
        condition["value"] = [condition["value"], "v"] if condition["operator"] == "in" else "null"
    return condition


def condition(random, depth=0):
    roll = random.random()
    if depth == 3 or roll < 0.7:
        return fix_path(predicate(random))
    if roll < 0.8:
        return {"not": condition(random, depth + 1)}
    return {random.choice(("and", "or")): [condition(random, depth + 1) for _ in range(random.randint(1, 3))]}


def order(random):
    columns = random.sample(SORTABLE, random.randint(0, 2))
    sort = [{"column": c, "direction": random.choice(("asc", "desc"))} for c in columns]
    for by in sort:
        if random.random() < 0.8:
            by["nulls"] = random.choice(("first", "last"))
    # Down to the key, so that there is one right answer.
    return sort + [{"column": c, "direction": random.choice(("asc", "desc"))} for c in ("g", "id") if c not in columns]


def columns(random):
    roll = random.random()
    if roll < 0.3:
        return {}
    chosen = random.sample(COLUMNS, random.randint(1, 5))
    if roll < 0.5:
        chosen = [f"{c}_: {c}".replace(" ", "") if random.random() < 0.3 else c for c in chosen]
    if roll > 0.8:
        chosen.append("at_path:" + random.choice(PATHS))
    elif roll > 0.7:
        chosen.append("as_text:" + random.choice(SORTABLE) + "::text")
    elif roll > 0.6:
        casts = ("n::text", "d::integer", "t::text", "b::integer", "day::text", "id::bigint")
        chosen.append("cast:" + random.choice(casts))
    return {"columns": chosen}


def fetch(random):
    body = {"table_name": "things", "conditions": [condition(random) for _ in range(random.randint(0, 3))]}
    body.update(columns(random), limit=random.choice((0, 1, 5, 1000)))
    roll = random.random()
    if roll < 0.7:
        body["sort_by"] = order(random)
    if random.random() < 0.3:
        body["offset"] = random.choice((0, 1, 7))
    if random.random() < 0.3:
        body["count"] = "exact"
    if random.random() < 0.1:
        body["strip_nulls"] = True
    return body


def grouped_fetch(random):
    body = {"table_name": "things", "limit": 1000, "conditions": [condition(random, 2)]}
    body["group_by"] = random.choice(("g", "b", "t", "day", "at", "u"))
    if body["group_by"] in ("at", "day"):
        body["time_granularity"] = random.choice(("hour", "day", "week", "month"))
    if random.random() < 0.8:
        body["aggregation_column"] = random.choice(("n", "d"))
        body["aggregation_strategy"] = random.choice(("sum", "cumulative_sum", "min", "max", "count"))
        body["aggregation_dedup"] = random.random() < 0.3
        if random.random() < 0.9:
            body["conditions"].append({"operator": "is", "column": body["aggregation_column"], "value": "not_null"})
    return body


BEYOND_CQL = (
    {"conditions": [{"operator": "gt", "column": "id", "value": 1}, {"operator": "gte", "column": "id", "value": 2}]},
    {"conditions": [{"operator": "gt", "column": "at", "value": 5}]},
    {"conditions": [{"operator": "neq", "column": "n", "value": 1}]},
    {"conditions": [{"operator": "is", "column": "b", "value": "true"}]},
    {"conditions": [{"operator": "nin", "column": "d", "value": ["1"]}]},
    {"conditions": [{"or": [{"eq_column": "n", "eq_value": 1}, {"eq_column": "b", "eq_value": True}]}]},
    {"conditions": [{"not": {"eq_column": "n", "eq_value": 1}}]},
    {"conditions": [{"eq_column": "u", "eq_value": None}]},
    {"conditions": [{"operator": "like", "column": "t", "value": "a%"}]},
    {"conditions": [{"operator": "eq", "column": "j->>k", "value": "v"}]},
    {"offset": 1},
    {"columns": ["id", "n::text"]},
    {"sort_by": [{"column": "n", "direction": "asc", "nulls": "first"}, {"column": "id", "direction": "asc"}]},
)


def keyed_fetch(random):
    """What CQL serves from the key."""
    conditions = [{"eq_column": "g", "eq_value": random.choice(PARTITIONS)}]
    roll = random.random()
    key = lambda: random.choice(KEYS)  # noqa: E731
    if roll < 0.3:
        conditions.append({"eq_column": "id", "eq_value": key()})
    elif roll < 0.5:
        conditions.append({"operator": random.choice(ORDERS), "column": "id", "value": key()})
    elif roll < 0.6:
        conditions.append({"operator": "between", "column": "id", "value": sorted((key(), key()))})
    elif roll < 0.7:
        conditions.append({"operator": "in", "column": "id", "value": [key(), key(), key()]})
    elif roll < 0.8:
        conditions += [
            {"operator": "gte", "column": "id", "value": key()},
            {"operator": "lt", "column": "id", "value": key()},
        ]
    if random.random() < 0.3:
        column = random.choice(("n", "d", "r", "t", "b", "u", "at", "day"))
        operator = random.choice(("eq",) if column == "b" else ("eq", *ORDERS))
        conditions.append({"operator": operator, "column": column, "value": literal(random, column)})
    body = {"table_name": "things", "conditions": conditions, "limit": random.choice((1, 5, 1000))}
    body.update({"columns": random.sample(COLUMNS, random.randint(1, 5))} if random.random() < 0.6 else {})
    body["sort_by"] = [{"column": "id", "direction": random.choice(("asc", "desc"))}]
    if random.random() < 0.3:
        body["count"] = "exact"
    if random.random() < 0.1:
        beyond = random.choice(BEYOND_CQL)
        body["conditions"] += beyond.get("conditions", ())
        body.update({name: value for name, value in beyond.items() if name != "conditions"})
    return {**body, "allow_filtering": True}


def write(random):
    """Method, path and body of a change by key, which every language can say."""
    g, key = random.choice(PARTITIONS), random.choice(KEYS)
    where = {"conditions": [{"eq_column": "g", "eq_value": g}, {"eq_column": "id", "eq_value": key}]}
    roll = random.random()
    if roll < 0.4:
        body = {"table_name": "things", "insert_body": row(random, g, key), "on_conflict": ["g", "id"]}
        return "PUT", "/gateway/insert", body
    if roll < 0.8:
        changed = random.sample(COLUMNS[2:], random.randint(1, 4))
        values = {c: None if random.random() < 0.2 else value_for(random, c) for c in changed}
        return "POST", "/gateway/update", {"table_name": "things", "set": values, **where}
    return "DELETE", "/gateway/delete", {"table_name": "things", **where}


def sql_write(random):
    """A change by conditions, or of several rows: whatever the languages with tables and constraints can say."""
    roll = random.random()
    body = {"table_name": "things"}
    if roll < 0.4:
        rows = [row(random, random.choice(PARTITIONS), random.choice(KEYS)) for _ in range(random.randint(1, 3))]
        for values in rows:
            for column in random.sample(COLUMNS[2:], random.randint(0, 4)):
                del values[column]
        body["insert_body"] = rows if random.random() < 0.7 else rows[0]
        body.update(random.choice(CONFLICTS))
        return "PUT", "/gateway/insert", body
    body["conditions"] = [condition(random, 2) for _ in range(random.randint(1, 2))]
    body["conditions"].append({"eq_column": "g", "eq_value": random.choice(PARTITIONS)})
    if random.random() < 0.7:
        body["conditions"].append({"operator": "lt", "column": "id", "value": random.choice(KEYS)})
    if random.random() < 0.2:
        body["max_affected"] = random.choice((0, 1, 3))
    if roll < 0.8:
        changed = random.sample(COLUMNS[2:], random.randint(1, 4))
        body["set"] = {c: None if random.random() < 0.2 else literal_to_write(random, c) for c in changed}
        return "POST", "/gateway/update", body
    return "DELETE", "/gateway/delete", body


CONFLICTS = (
    {},
    {"on_conflict": ["g", "id"]},
    {"on_conflict": "g,id"},
    {"on_conflict": ["g", "id"], "ignore_duplicates": True},
    {"on_conflict": ["g", "id"], "update_body": {}},
    {"on_conflict": ["g"]},
    {"default_to_null": True},
)


def literal_to_write(random, column):
    """Now and then a value that the column cannot keep. Times stay as they are: SQLite keeps whatever text comes."""
    if column in ("n", "d", "r", "b", "u") and random.random() < 0.15:
        return random.choice(OTHER_WORDS[column])
    return value_for(random, column)


def as_cql(body):
    """CQL has no JSON: documents are texts."""
    copy = json.loads(json.dumps(body))
    rows = copy.get("insert_body") or copy.get("set") or []
    for values in rows if isinstance(rows, list) else [rows]:
        if values.get("j") is not None:
            values["j"] = json.dumps(values["j"])
    return copy
