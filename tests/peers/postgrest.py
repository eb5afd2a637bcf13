#!/usr/bin/env python3
"""A scripted PostgREST: its protocol over a real PostgreSQL; refuses what PostgREST would, and misbehaves on cue.

  postgrest.py --port PORT --postgres URI --key KEY

  /db/NAME/…          the REST root of the database NAME
  /capped/N/NAME/…    the same with db-max-rows = N
  POST /_faults       [{"path": "/db/x", "method": "GET", "do": KIND, …}]: each one befalls one request whose path
                      begins so (and whose method it is); kinds: see Faults
  GET  /_seen?path=…  how many requests came for what begins so: {"GET": 3, …}; DELETE forgets them and all faults
"""

import argparse
import json
import re
import signal
import socket
import struct
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2

from postgrest_catalog import read_schemas, read_tables, root_document
from postgrest_grammar import GrammarError, Query, quote_name, read_preferences

STATUS_OF_CLASS = {"08": 503, "0L": 403, "0P": 403, "25": 500, "28": 403, "2D": 500, "40": 500, "53": 503, "54": 500,
                   "55": 500, "57": 500, "58": 500, "XX": 500}
STATUS_OF_STATE = {"23503": 409, "23505": 409, "25006": 405, "42883": 404, "42P01": 404, "42501": 403, "P0001": 400}


class Faults:
    """What is to go wrong, and what came. Kinds:

    status    answers {"status", "headers", "body"} without running anything
    run_then_status  the same after the request was carried out
    reset     resets the connection before, run_then_reset after it was carried out
    truncate  sends half of the body and closes; long, short: Content-Length says more, or less, than the body has
    stall     answers when the test says DELETE /_seen, or after 30 s
    """

    def __init__(self):
        self.lock, self.faults, self.seen, self.released = threading.Lock(), [], [], threading.Event()

    def add(self, faults):
        with self.lock:
            self.faults += faults

    def take(self, method, path):
        with self.lock:
            self.seen.append((method, path))
            for fault in self.faults:
                if path.startswith(fault["path"]) and fault.get("method", method) == method:
                    self.faults.remove(fault)
                    return fault
        return {}

    def count(self, path):
        with self.lock:
            methods = [m for m, p in self.seen if p.startswith(path)]
        return {method: methods.count(method) for method in set(methods)}

    def forget(self, path):
        with self.lock:
            self.seen = [(m, p) for m, p in self.seen if not p.startswith(path)]
            self.faults = [f for f in self.faults if not f["path"].startswith(path)]
            self.released.set()
            self.released = threading.Event()


class Reply:
    def __init__(self, status, body="", headers=()):
        self.status, self.body, self.headers = status, body, list(headers)


def error_reply(status, code, message, details=None, hint=None):
    return Reply(status, json.dumps({"code": code, "details": details, "hint": hint, "message": message}))


class Rest:
    """One request for one database."""

    def __init__(self, request, connection, cap):
        self.request, self.cap = request, cap
        self.cursor = connection.cursor()
        self.preferences = read_preferences(",".join(request.headers.get_all("Prefer", [])))
        self.schemas = read_schemas(self.cursor)
        profile = request.header("Accept-Profile" if request.command in ("GET", "HEAD") else "Content-Profile")
        self.schema = profile or self.schemas[0]
        if self.schema not in self.schemas:
            known = ", ".join(self.schemas)
            raise GrammarError("", "PGRST106", 406, f"The schema must be one of the following: {known}")
        self.tables = read_tables(self.cursor, self.schema)

    def answer(self, path, pairs):
        reply = self.root() if path == "/" else self.on_table(path, pairs)
        if len(self.schemas) > 1:
            reply.headers.append(("Content-Profile", self.schema))
        return reply

    def root(self):
        if "application/openapi+json" not in self.request.header("Accept"):
            raise GrammarError("", "PGRST107", 406, "None of these media types are available")
        return Reply(200, json.dumps(root_document(self.tables)))

    def on_table(self, path, pairs):
        name = urllib.parse.unquote(path[1:], errors="strict")
        if "/" in path[1:]:
            raise GrammarError("", "PGRST125", 404, "Invalid path specified in request URL")
        if name not in self.tables:
            raise GrammarError("", "PGRST205", 404,
                               f"Could not find the table '{self.schema}.{name}' in the schema cache")
        self.table, self.query = self.tables[name], Query(pairs)
        self.source = f"{quote_name(self.schema)}.{quote_name(name)}"
        run = {"GET": self.read, "HEAD": self.read, "POST": self.insert, "PATCH": self.update, "DELETE": self.delete}
        if self.request.command not in run:
            raise GrammarError("", "PGRST117", 405, "Unsupported HTTP method")
        return run[self.request.command]()

    # Reading.

    def read(self):
        query, values = self.query, []
        outputs = query.outputs(values)
        values += query.condition_values
        sql = f"SELECT {outputs} FROM {self.source} AS t{query.where()}"
        if query.order:
            sql += " ORDER BY " + query.order
            values += query.order_values
        limits = [limit for limit in (query.limit, self.cap) if limit is not None]
        if limits:
            sql += f" LIMIT {min(limits)}"
        sql += f" OFFSET {query.offset}"
        rows, count = self.as_json(sql, values)
        total = self.total()
        if total is not None and query.offset > total:
            raise GrammarError("", "PGRST103", 416, "Requested range not satisfiable")
        status = 206 if total is not None and count < total else 200
        return Reply(status, rows, [self.content_range(query.offset, count, total)])

    def as_json(self, sql, values):
        self.cursor.execute(
            f"SELECT coalesce(json_agg(_row), '[]')::text, count(_row) FROM ({sql}) _row", values or None)
        return self.cursor.fetchone()

    def total(self):
        kind, query = self.preferences.get("count"), self.query
        if kind is None:
            return None
        sql = f"SELECT 1 FROM {self.source} AS t{query.where()}"
        if kind == "exact":
            self.cursor.execute(f"SELECT count(*) FROM ({sql}) _row", query.condition_values or None)
            return self.cursor.fetchone()[0]
        self.cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", query.condition_values or None)
        return self.cursor.fetchone()[0][0]["Plan"]["Plan Rows"]

    @staticmethod
    def content_range(offset, count, total):
        shown = f"{offset}-{offset + count - 1}" if count else "*"
        return ("Content-Range", f"{shown}/{'*' if total is None else total}")

    # Writing.

    def body(self):
        if self.request.header("Content-Type") != "application/json":
            raise GrammarError("", "PGRST107", 415, "None of these media types are available")
        try:
            return json.loads(self.request.body)
        except ValueError:
            raise GrammarError("", "PGRST102", 400, "Empty or invalid json") from None

    def column(self, name):
        if name not in self.table.columns:
            raise GrammarError("", "PGRST204", 400,
                               f"Could not find the '{name}' column of '{self.table.name}' in the schema cache")
        return self.table.columns[name]

    def written(self, sql, values):
        """Runs a write that returns t.*, and shows what was asked for."""
        shown = []
        outputs = self.query.outputs(shown)
        self.cursor.execute(
            f"WITH s AS ({sql}) SELECT coalesce(json_agg(_row), '[]')::text, count(_row) "
            f"FROM (SELECT {outputs} FROM s AS t) _row",
            (values + shown) or None,
        )
        rows, count = self.cursor.fetchone()
        most = self.preferences.get("max-affected")
        if most is not None and self.preferences.get("handling") == "strict" and count > most:
            raise GrammarError(f"The query affects {count} rows", "PGRST124", 400,
                               "Query result exceeds max-affected preference constraint")
        return rows, count

    def write_reply(self, status, rows, count):
        total = count if self.preferences.get("count") == "exact" else "*"
        headers = [("Content-Range", f"*/{total}")]
        if self.preferences.get("return") == "representation":
            return Reply(status, rows, headers)
        return Reply(201 if status == 201 else 204, "", headers)

    def insert(self):
        body = self.body()
        rows = body if isinstance(body, list) else [body]
        if not all(isinstance(row, dict) for row in rows):
            raise GrammarError("", "PGRST102", 400, "Empty or invalid json")
        names = self.query.columns
        if names is None:
            names = list(rows[0]) if rows else []
            if any(set(row) != set(names) for row in rows):
                raise GrammarError("", "PGRST102", 400, "All object keys must match")
        columns = [self.column(name) for name in names]
        if not columns:
            sql, values = f"INSERT INTO {self.source} AS t DEFAULT VALUES", []
        else:
            listed = ", ".join(quote_name(c.name) for c in columns)
            typed = ", ".join(f"{quote_name(c.name)} {c.type}" for c in columns)
            source, values = "%s::json", [self.request.body if isinstance(body, list) else f"[{self.request.body}]"]
            if self.preferences.get("missing") == "default":
                given = [f"'{c.name}', {c.default}" for c in columns if c.default is not None and not c.is_computed]
                source = (f"(SELECT json_agg(jsonb_build_object({', '.join(given)}) || e) "
                          "FROM jsonb_array_elements(%s::jsonb) e)")
            sql = (f"INSERT INTO {self.source} AS t ({listed}) SELECT {listed} "
                   f"FROM json_to_recordset({source}) AS _({typed})")
        rows_text, count = self.written(sql + self.conflict(names) + " RETURNING t.*", values)
        return self.write_reply(201, rows_text, count)

    def conflict(self, names):
        resolution = self.preferences.get("resolution")
        target = [self.column(name).name for name in self.query.on_conflict or self.table.key]
        if resolution is None or not target:
            return ""
        listed = ", ".join(map(quote_name, target))
        if resolution == "ignore-duplicates":
            return f" ON CONFLICT ({listed}) DO NOTHING"
        sets = ", ".join(f"{quote_name(name)} = EXCLUDED.{quote_name(name)}" for name in names)
        return f" ON CONFLICT ({listed}) DO UPDATE SET {sets}"

    def update(self):
        body = self.body()
        if not isinstance(body, dict) or not body:
            raise GrammarError("", "PGRST102", 400, "Empty or invalid json")
        columns = [self.column(name) for name in body]
        typed = ", ".join(f"{quote_name(c.name)} {c.type}" for c in columns)
        sets = ", ".join(f"{quote_name(c.name)} = v.{quote_name(c.name)}" for c in columns)
        sql = f"UPDATE {self.source} AS t SET {sets} FROM json_to_record(%s::json) AS v({typed})"
        rows, count = self.written(
            sql + self.query.where() + " RETURNING t.*", [self.request.body, *self.query.condition_values])
        return self.write_reply(200, rows, count)

    def delete(self):
        rows, count = self.written(
            f"DELETE FROM {self.source} AS t{self.query.where()} RETURNING t.*", list(self.query.condition_values))
        return self.write_reply(200, rows, count)


class Connections:
    """One idle connection for each database and thread is enough for tests."""

    def __init__(self, uri):
        self.base, self.local = uri.rsplit("/", 1)[0], threading.local()

    def get(self, database):
        known = self.local.__dict__.setdefault("known", {})
        if database not in known or known[database].closed:
            known[database] = psycopg2.connect(f"{self.base}/{database}")
        return known[database]


class Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm, wbufsize = True, 64 * 1024  # an answer that leaves in two pieces costs 40 ms
    protocol_version = "HTTP/1.1"
    faults, connections, key = Faults(), None, None

    def header(self, name):
        return self.headers.get(name, "")

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length).decode()
        url = urllib.parse.urlsplit(self.path)
        if url.path.startswith("/_"):
            return self.send(self.control(url))
        fault = self.faults.take(self.command, url.path)
        kind = fault.get("do", "")
        if kind == "reset":
            return self.reset()
        if kind == "stall":
            self.faults.released.wait(30)
        if kind == "status":
            return self.send(Reply(fault["status"], fault.get("body", ""), fault.get("headers", {}).items()))
        reply = self.run(url)
        if kind == "run_then_reset":
            return self.reset()
        if kind == "run_then_status":
            reply = Reply(fault["status"], fault.get("body", ""), fault.get("headers", {}).items())
        return self.send(reply, kind)

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = do_PUT = handle_any

    def control(self, url):
        path = dict(urllib.parse.parse_qsl(url.query)).get("path", "")
        if self.command == "POST":
            self.faults.add(json.loads(self.body))
            return Reply(200, "{}")
        if self.command == "DELETE":
            self.faults.forget(path)
            return Reply(200, "{}")
        return Reply(200, json.dumps(self.faults.count(path)))

    def run(self, url):
        where = re.fullmatch(r"/(?:db|capped/(\d+))/([a-z0-9_]+)(/.*|)", url.path)
        if not where:
            return error_reply(404, "PGRST125", "Invalid path specified in request URL")
        if self.header("apikey") != self.key or self.header("Authorization") != f"Bearer {self.key}":
            message = "Invalid API key" if self.header("apikey") else "No API key found in request"
            return Reply(401, json.dumps({"message": message, "hint": "Double check your API key."}))
        cap = int(where[1]) if where[1] else None
        try:
            connection = self.connections.get(where[2])
        except psycopg2.Error:
            return error_reply(503, "PGRST000", "Could not connect with the database")
        try:
            pairs = urllib.parse.parse_qsl(url.query, keep_blank_values=True, strict_parsing=True, errors="strict") \
                if url.query else []
            rest = Rest(self, connection, cap)
            reply = rest.answer(where[3] or "/", pairs)
            connection.rollback() if rest.preferences.get("tx") == "rollback" else connection.commit()
            return reply
        except GrammarError as error:
            connection.rollback()
            return error_reply(error.status, error.code, error.message, str(error))
        except UnicodeDecodeError:
            connection.rollback()
            return error_reply(400, "PGRST100", "the query is not UTF-8")
        except psycopg2.Error as error:
            return self.database_error(connection, error)

    @staticmethod
    def database_error(connection, error):
        if not connection.closed:
            connection.rollback()
        if error.pgcode is None:
            return error_reply(503, "PGRST001", "Database client error")
        status = STATUS_OF_STATE.get(error.pgcode, STATUS_OF_CLASS.get(error.pgcode[:2], 400))
        diag = error.diag
        return error_reply(status, error.pgcode, diag.message_primary, diag.message_detail, diag.message_hint)

    def send(self, reply, kind=""):
        body = reply.body.encode()
        said = len(body) + {"long": 10, "short": -3}.get(kind, 0)
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, str(value))
        if not any(name.lower() == "content-type" for name, _ in reply.headers):
            self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(said))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:len(body) // 2] if kind == "truncate" else body)
        if kind in ("truncate", "long", "short"):
            self.close_connection = True

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.rfile.close()
        self.wfile.close()
        self.connection.close()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, ValueError, OSError)):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--postgres", required=True, help="postgres://user@host:port/database")
    parser.add_argument("--key", required=True)
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell that starts it in the background has it ignored
    Handler.connections, Handler.key = Connections(arguments.postgres), arguments.key
    Server(("127.0.0.1", arguments.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
