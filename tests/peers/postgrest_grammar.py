"""PostgREST's grammar of query strings and preferences, as its documentation gives it, and SQL out of it.

Strict: what PostgREST would refuse is a GrammarError here, and so is what it would ignore in silence.
"""

import re

SINGLE = {
    "eq": "=", "gte": ">=", "gt": ">", "lte": "<=", "lt": "<", "neq": "<>", "like": "like", "ilike": "ilike",
    "match": "~", "imatch": "~*", "cs": "@>", "cd": "<@", "ov": "&&", "sl": "<<", "sr": ">>", "nxr": "&<",
    "nxl": "&>", "adj": "-|-", "isdistinct": "IS DISTINCT FROM",
}
FTS = {"fts": "to_tsquery", "plfts": "plainto_tsquery", "phfts": "phraseto_tsquery", "wfts": "websearch_to_tsquery"}
WORDS = {"null": "NULL", "true": "TRUE", "false": "FALSE", "unknown": "UNKNOWN"}
RESERVED = {"select", "columns", "on_conflict"}
ENDINGS = {"order", "limit", "offset", "and", "or"}
PREFERENCES = {
    "return": {"representation", "minimal", "headers-only"},
    "count": {"exact", "planned", "estimated"},
    "resolution": {"merge-duplicates", "ignore-duplicates"},
    "missing": {"default", "null"},
    "handling": {"strict", "lenient"},
    "tx": {"commit", "rollback"},
}


class GrammarError(Exception):
    def __init__(self, details, code="PGRST100", status=400, message="failed to parse the request"):
        super().__init__(details)
        self.code, self.status, self.message = code, status, message


def quote_name(name):
    return '"' + name.replace('"', '""') + '"'


class Field:
    """A column, and a path into its JSON."""

    def __init__(self, name, path):
        self.name, self.path = name, path

    def sql(self, values):
        if not self.path:
            return "t." + quote_name(self.name)
        text = f"to_jsonb(t.{quote_name(self.name)})"
        for arrow, key in self.path:
            if isinstance(key, int):
                text += f"{arrow}({key})"
            else:
                text += arrow + "%s"
                values.append(key)
        return "(" + text + ")"

    def default_key(self):
        keys = [key for _, key in self.path if isinstance(key, str)]
        return keys[-1] if keys else self.name


class Reader:
    """Reads one text from left to right; each method takes what it is named for, or raises."""

    def __init__(self, text):
        self.text, self.at = text, 0

    def fail(self, expected):
        raise GrammarError(f"unexpected {self.text[self.at:self.at + 10]!r}, expecting {expected} (column {self.at})")

    def peek(self, word):
        return self.text.startswith(word, self.at)

    def skip(self, word):
        if not self.peek(word):
            return False
        self.at += len(word)
        return True

    def take(self, word):
        if not self.skip(word):
            self.fail(repr(word))

    def blanks(self):
        while self.at < len(self.text) and self.text[self.at] in " \t":
            self.at += 1

    def end(self):
        if self.at != len(self.text):
            self.fail("the end")

    def quoted(self):
        self.take('"')
        value = ""
        while not self.skip('"'):
            if self.at == len(self.text):
                self.fail('"')
            if self.skip("\\") and self.at == len(self.text):
                self.fail("a character")
            value += self.text[self.at]
            self.at += 1
        return value

    def identifier(self):
        start = self.at
        while self.at < len(self.text) and (self.text[self.at].isalnum() or self.text[self.at] in "_ $"):
            self.at += 1
        if start == self.at:
            self.fail("field name")
        return self.text[start:self.at].strip()

    def field_name(self):
        if self.peek('"'):
            return self.quoted()
        name = self.identifier()
        while self.peek("-") and not self.peek("->"):
            self.at += 1
            name += "-" + self.identifier()
        return name

    def field(self):
        self.blanks()
        name, path = self.field_name(), []
        while self.peek("->"):
            arrow = "->>" if self.skip("->>") else self.skip("->") and "->"
            index = re.compile(r"-?\d+(?=->|::|\.|,|$)").match(self.text, self.at)
            if index:
                self.at = index.end()
                path.append((arrow, int(index.group())))
            else:
                path.append((arrow, self.field_name()))
        self.blanks()
        return Field(name, path)

    def names(self):
        names = [self.field_name()]
        self.blanks()
        while self.skip(","):
            self.blanks()
            names.append(self.field_name())
            self.blanks()
        self.end()
        return names

    # Filters.

    def element(self):
        """Of a list, or the value within a logical expression."""
        start = self.at
        if self.peek('"'):
            value = self.quoted()
            if self.at == len(self.text) or self.text[self.at] in ",)":
                return value
            self.at = start
        if self.peek("{"):
            closing = self.text.find("}", self.at)
            inner = self.text[self.at + 1:closing]
            if closing >= 0 and "{" not in inner:
                self.at = closing + 1
                return "{" + inner + "}"
        while self.at < len(self.text) and self.text[self.at] not in ",)":
            self.at += 1
        return self.text[start:self.at]

    def list(self):
        self.blanks()
        self.take("(")
        values = [self.element()]
        while self.skip(","):
            values.append(self.element())
        self.take(")")
        self.blanks()
        return values

    def condition(self, field, within_logic, values):
        negated = self.skip("not.")
        text = self.operation(field, within_logic, values)
        return f"NOT ({text})" if negated else text

    def operation(self, field, within_logic, values):
        name = re.compile(r"[a-z]+").match(self.text, self.at)
        if not name:
            self.fail("operator (eq, gt, ...)")
        self.at = name.end()
        op, column = name.group(), field.sql(values)
        if op == "in":
            self.take(".")
            elements = self.list()
            values.append("{}" if elements == [""] else array_literal(elements))
            return f"{column} = ANY (%s)"
        if op == "is":
            self.take(".")
            word = re.compile("|".join(WORDS), re.I).match(self.text, self.at)
            if not word:
                self.fail("null or trilean value (unknown, true, false)")
            self.at = word.end()
            return f"{column} IS {WORDS[word.group().lower()]}"
        language = None
        if op in FTS and self.skip("("):
            language = self.identifier()
            self.take(")")
        self.take(".")
        if op not in SINGLE and op not in FTS:
            self.fail("operator (eq, gt, ...)")
        if within_logic:
            value = self.element()
        else:
            value, self.at = self.text[self.at:], len(self.text)
        if op in FTS:
            values += [language, value] if language else [value]
            return f"{column} @@ {FTS[op]}({'%s, ' if language else ''}%s)"
        values.append(value.replace("*", "%") if op in ("like", "ilike") else value)
        return f"{column} {SINGLE[op]} %s"

    def logic(self, values):
        self.blanks()
        start = self.at
        negated = self.skip("not.")
        for word in ("and", "or"):
            if self.skip(word) and self.text[self.at:].lstrip().startswith("("):
                return self.group(word, negated, values)
            self.at = start + 4 * negated
        self.at = start
        field = self.field()
        self.take(".")
        return self.condition(field, True, values)

    def group(self, word, negated, values):
        self.blanks()
        self.take("(")
        terms = [self.logic(values)]
        self.blanks()
        while self.skip(","):
            terms.append(self.logic(values))
            self.blanks()
        self.take(")")
        text = f" {word.upper()} ".join(f"({term})" for term in terms)
        return f"NOT ({text})" if negated else text

    # What is given back.

    def select(self):
        items = [self.output()]
        while self.skip(","):
            items.append(self.output())
        self.end()
        return items

    def output(self):
        self.blanks()
        if self.skip("*"):
            self.blanks()
            return (None, None, None)
        start, alias = self.at, self.field_name()
        if self.peek(":") and not self.peek("::"):
            self.at += 1
        else:
            self.at, alias = start, None
        field = self.field()
        if self.peek("(") or self.peek("!"):
            raise GrammarError("this peer embeds nothing", "PGRST200", 400, "Could not find a relationship")
        cast = self.identifier() if self.skip("::") else None
        self.blanks()
        return (field, alias, cast)

    def order(self, values):
        terms = []
        while True:
            text = self.field().sql(values)
            for word in (".asc", ".desc"):
                if self.skip(word):
                    text += word.replace(".", " ")
                    break
            for word, sql in ((".nullsfirst", " NULLS FIRST"), (".nullslast", " NULLS LAST")):
                if self.skip(word):
                    text += sql
                    break
            terms.append(text)
            self.blanks()
            if not self.skip(","):
                break
        self.end()
        return ", ".join(terms)


def array_literal(elements):
    def quoted(element):
        return '"' + element.replace("\\", "\\\\").replace('"', '\\"') + '"'

    return "{" + ",".join(quoted(element) for element in elements) + "}"


class Query:
    """The query string of a request for a table: SQL pieces, and the values for their places."""

    def __init__(self, pairs):
        self.select, self.columns, self.on_conflict = [(None, None, None)], None, None
        self.conditions, self.condition_values = [], []
        self.order, self.order_values = None, []
        self.limit, self.offset = None, 0
        for key, value in pairs:
            self.read(key, value)

    def read(self, key, value):
        last = key.split(".")[-1]
        if key in RESERVED:
            self.read_reserved(key, value)
        elif last in ("limit", "offset") and key == last:
            if not re.fullmatch(r"\d+", value):
                raise GrammarError(f"{key} is no number")
            setattr(self, key, int(value))
        elif key == "order":
            self.order = Reader(value).order(self.order_values)
        elif last in ("and", "or"):
            if key not in ("and", "or", "not.and", "not.or"):
                raise GrammarError("a logical expression about another table")
            reader = Reader(key + value)
            self.conditions.append(reader.logic(self.condition_values))
            reader.end()
        else:
            reader = Reader(key)
            field = reader.field()
            reader.end()  # a dot would lead into another table
            if "." in key:
                raise GrammarError("a dot in the name of a filter: PostgREST leaves it out of writes")
            reader = Reader(value)
            self.conditions.append(reader.condition(field, False, self.condition_values))
            reader.end()

    def read_reserved(self, key, value):
        if key == "select":
            self.select = Reader(value).select()
        else:
            setattr(self, key, Reader(value).names())

    def where(self):
        return " WHERE " + " AND ".join(f"({c})" for c in self.conditions) if self.conditions else ""

    def outputs(self, values):
        texts = []
        for field, alias, cast in self.select:
            if field is None:
                texts.append("t.*")
                continue
            text = field.sql(values)
            if cast:
                text = f"CAST({text} AS {cast})"
            texts.append(f"{text} AS {quote_name(alias or field.default_key())}")
        return ", ".join(texts)


def read_preferences(header):
    """Name → value. What is unknown or no preference at all matters only under handling=strict."""
    preferences, strange = {}, []
    for preference in filter(None, (part.strip() for part in header.split(","))):
        name, _, value = preference.partition("=")
        if name == "max-affected" and value.isdigit():
            preferences.setdefault(name, int(value))
        elif value in PREFERENCES.get(name, ()):
            preferences.setdefault(name, value)
        else:
            strange.append(preference)
    if strange and preferences.get("handling") == "strict":
        raise GrammarError("Invalid preferences: " + ", ".join(strange), "PGRST122", 400,
                           "Invalid preferences given with handling=strict")
    return preferences
