-- The data set of the contract suite, for SQLite: the rows of schema_postgres.sql, decimals as TEXT.
CREATE TABLE users (
  id INTEGER PRIMARY KEY,
  email text NOT NULL UNIQUE,
  name text,
  status text NOT NULL DEFAULT 'active',
  balance DECIMAL_TEXT,
  active boolean NOT NULL DEFAULT true,
  score integer,
  profile JSON,
  external_id uuid,
  created_at timestamptz NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
);
INSERT INTO users (id, email, name, status, balance, active, score, profile, external_id, created_at) VALUES
  (1, 'ada@example.org', 'Ada', 'active', '12.5000', true, 10, '{"city":"London","tags":["math","poetry"],"age":36}', '11111111-1111-4111-8111-111111111111', '2025-01-31T13:00:00+00:00'),
  (2, 'bob@example.org', 'Bob', 'active', '0.0001', true, 20, '{"city":"Paris","tags":[],"age":40}', '22222222-2222-4222-8222-222222222222', '2025-01-31T13:05:30+00:00'),
  (3, 'cleo@example.org', 'Cleo', 'blocked', '9007199254740993.1234', false, NULL, NULL, NULL, '2025-02-01T00:00:00+00:00'),
  (4, 'dan@example.org', NULL, 'active', NULL, true, 20, '{"city":"Berlin","age":null}', '44444444-4444-4444-8444-444444444444', '2025-02-01T10:30:00+00:00'),
  (5, 'eve@example.org', 'Eve "quoted" \ back', 'pending', '100.0000', false, -7, '{"city":"Oslo","nested":{"a":[1,2,{"b":null}]}}', '55555555-5555-4555-8555-555555555555', '2025-03-15T23:59:59+00:00'),
  (6, 'zoë@example.org', 'Zoë 😀', 'active', '3.1400', true, 30, '{}', NULL, '2025-03-16T00:00:00+00:00');

CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users (id),
  status text NOT NULL,
  value DECIMAL_TEXT NOT NULL,
  created_at timestamptz NOT NULL
);
INSERT INTO events VALUES
  (1, 1, 'active', '10.00', '2025-01-31T13:00:10+00:00'), (2, 1, 'active', '32.00', '2025-01-31T13:05:00+00:00'),
  (3, 2, 'active', '5.50', '2025-01-31T14:00:00+00:00'), (4, 2, 'active', '5.50', '2025-02-01T00:00:00+00:00'),
  (5, 2, 'done', '0.10', '2025-02-01T00:30:00+00:00'), (6, 1, 'active', '0.20', '2025-02-02T12:00:00+00:00');

CREATE TABLE items (
  item_id INTEGER PRIMARY KEY,
  sku text NOT NULL UNIQUE,
  label text,
  quantity integer NOT NULL DEFAULT 1 CHECK (quantity >= 0),
  price DECIMAL_TEXT
);
CREATE TABLE memberships (
  team_id integer NOT NULL,
  user_id bigint NOT NULL,
  role text NOT NULL DEFAULT 'member',
  PRIMARY KEY (team_id, user_id)
);
CREATE TABLE two_keys (id INTEGER PRIMARY KEY, a text UNIQUE, b text UNIQUE, note text);
CREATE TABLE numbers (id INTEGER PRIMARY KEY, big bigint, exact DECIMAL_TEXT, f DOUBLE);
INSERT INTO numbers VALUES (1, 9223372036854775807, '12345678901234567890.123456789', 0.1), (2, -9223372036854775808, '0.10', 1e300);
CREATE TABLE blobs (id INTEGER PRIMARY KEY, payload BLOB);
INSERT INTO blobs VALUES (1, x'00ff10'), (2, x'');
CREATE TABLE "Weird ""Name" (id INTEGER PRIMARY KEY, "Mixed Case" text, "a.b" text, "emoji😀" text, "quo""te" text);
INSERT INTO "Weird ""Name" VALUES (1, 'm', 'dot', 'smile', 'q');
CREATE TABLE camel_things (id INTEGER PRIMARY KEY, first_name text, created_by_user text);
INSERT INTO camel_things VALUES (1, 'Ada', 'root');
CREATE VIEW active_users AS SELECT id, email, name FROM users WHERE active;
CREATE TABLE sequence_rows (id INTEGER PRIMARY KEY, grp integer NOT NULL, body text NOT NULL);
WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 5000)
INSERT INTO sequence_rows SELECT i, i % 10, 'row ' || i || ' ' || replace(hex(zeroblob(40)), '0', 'x') FROM s;
CREATE TABLE things (
  g integer NOT NULL, id integer NOT NULL, n bigint, d DECIMAL_TEXT, r DOUBLE, t text, b boolean, j JSON, u uuid,
  at timestamptz, day date, x BLOB, PRIMARY KEY (g, id)
);
