-- The demo shop of the embedded default: made once, the same on every machine. Numbers come from products with primes,
-- so that they look arbitrary and are not. Money is kept as the text of a decimal: no digit is lost.
CREATE TABLE customers (
  id INTEGER PRIMARY KEY,
  uuid UUID NOT NULL UNIQUE,
  name TEXT NOT NULL,
  email TEXT NOT NULL UNIQUE,
  company TEXT,
  country CHAR(2) NOT NULL,
  newsletter BOOLEAN NOT NULL,
  preferences JSON NOT NULL,
  created_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE products (
  id INTEGER PRIMARY KEY,
  sku TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  category TEXT NOT NULL,
  price DECIMAL_TEXT NOT NULL,
  stock INTEGER NOT NULL,
  weight_kg REAL,
  attributes JSON NOT NULL,
  discontinued_at TIMESTAMPTZ
);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  number UUID NOT NULL UNIQUE,
  customer_id INTEGER NOT NULL REFERENCES customers (id),
  status TEXT NOT NULL CHECK (status IN ('open', 'paid', 'shipped', 'returned')),
  total DECIMAL_TEXT NOT NULL,
  note TEXT,
  placed_at TIMESTAMPTZ NOT NULL,
  shipped_at TIMESTAMPTZ
);
CREATE TABLE order_items (
  order_id INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
  line INTEGER NOT NULL,
  product_id INTEGER NOT NULL REFERENCES products (id),
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  unit_price DECIMAL_TEXT NOT NULL,
  PRIMARY KEY (order_id, line)
);
CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  uuid UUID NOT NULL,
  customer_id INTEGER REFERENCES customers (id),
  kind TEXT NOT NULL,
  payload JSON,
  duration_ms REAL,
  happened_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX orders_by_customer ON orders (customer_id, placed_at);
CREATE INDEX events_by_customer ON events (customer_id, happened_at);

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 240),
first_names(i, name) AS (VALUES (0, 'Ada'), (1, 'Bruno'), (2, 'Chiara'), (3, 'Dimitri'), (4, 'Elif'), (5, 'Farid'),
  (6, 'Grace'), (7, 'Hanako'), (8, 'Ines'), (9, 'Jörg'), (10, 'Katarzyna'), (11, 'Luís'), (12, 'Mei'), (13, 'Noor'),
  (14, 'Oluwaseun'), (15, 'Priya')),
last_names(i, name) AS (VALUES (0, 'Almeida'), (1, 'Bergström'), (2, 'Castellanos'), (3, 'Dubois'), (4, 'Eriksen'),
  (5, 'Fontana'), (6, 'Grünwald'), (7, 'Haddad'), (8, 'Ivanova'), (9, 'Jansen'), (10, 'Kowalski'), (11, 'Lindqvist'),
  (12, 'Moreau'), (13, 'Nakamura'), (14, 'O''Brien')),
companies(i, name) AS (VALUES (0, 'Harbour Works'), (1, 'Northwind Instruments'), (2, 'Pallas Textiles'),
  (3, 'Quarry & Sons'), (4, 'Tidewater Foods')),
countries(i, code) AS (VALUES (0, 'DE'), (1, 'FR'), (2, 'GB'), (3, 'JP'), (4, 'NL'), (5, 'PL'), (6, 'SE'), (7, 'US'))
INSERT INTO customers
SELECT n.i,
  printf('%08x-%04x-4%03x-%04x-%012x', n.i * 2654435761 % 4294967296, n.i * 40503 % 65536, n.i * 2657 % 4096,
    32768 + n.i * 7919 % 16384, n.i * 190392490709135 % 281474976710656),
  f.name || ' ' || l.name,
  'customer' || n.i || '@example.org',
  c.name,
  (SELECT code FROM countries WHERE i = n.i * 7 % 8),
  n.i % 3 = 0,
  json_object('language', CASE n.i * 7 % 8 WHEN 0 THEN 'de' WHEN 1 THEN 'fr' ELSE 'en' END,
    'theme', CASE n.i % 4 WHEN 0 THEN 'dark' ELSE 'light' END,
    'topics', json_array('news', CASE n.i % 2 WHEN 0 THEN 'offers' ELSE 'workshops' END)),
  strftime('%Y-%m-%dT%H:%M:%S+00:00', 1672560000 + n.i * 277927, 'unixepoch')
FROM n
JOIN first_names f ON f.i = n.i % 16
JOIN last_names l ON l.i = n.i * 11 % 15
LEFT JOIN companies c ON c.i = n.i % 9;

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60),
kinds(i, category, name, cents, kg) AS (VALUES
  (0, 'lighting', 'Desk lamp', 4950, 1.4), (1, 'kitchen', 'Kettle', 3890, 1.1), (2, 'stationery', 'Notebook', 990, 0.3),
  (3, 'kitchen', 'Chef''s knife', 7425, 0.25), (4, 'garden', 'Watering can', 2680, 0.8),
  (5, 'tools', 'Tape measure', 1275, 0.2), (6, 'textiles', 'Wool blanket', 8900, 2.1),
  (7, 'stationery', 'Fountain pen', 5600, 0.05), (8, 'tools', 'Workbench', 24900, 31.5),
  (9, 'gifts', 'Gift card', 2500, NULL)),
colours(i, name) AS (VALUES (0, 'ash'), (1, 'brick'), (2, 'cobalt'), (3, 'moss'), (4, 'slate'), (5, 'straw'))
INSERT INTO products
SELECT n.i,
  upper(substr(k.category, 1, 3)) || '-' || printf('%04d', n.i * 37),
  k.name || ', ' || c.name,
  k.category,
  printf('%d.%02d', (k.cents + n.i * 35) / 100, (k.cents + n.i * 35) % 100),
  n.i * 53 % 140,
  k.kg,
  json_object('colour', c.name, 'warranty_years', n.i % 4, 'tags', json_array(k.category, c.name)),
  CASE WHEN n.i % 17 = 0 THEN strftime('%Y-%m-%dT%H:%M:%S+00:00', 1735689600 + n.i * 86400, 'unixepoch') END
FROM n
JOIN kinds k ON k.i = n.i % 10
JOIN colours c ON c.i = n.i % 6;

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
INSERT INTO orders
SELECT i,
  printf('%08x-%04x-4%03x-%04x-%012x', i * 3266489917 % 4294967296, i * 31337 % 65536, i * 3571 % 4096,
    32768 + i * 5003 % 16384, i * 127031897653127 % 281474976710656),
  1 + i * 97 % 240,
  CASE WHEN i > 880 THEN 'open' WHEN i > 840 THEN 'paid' WHEN i % 23 = 0 THEN 'returned' ELSE 'shipped' END,
  '0.00',
  CASE WHEN i % 11 = 0 THEN 'Please ring twice.' WHEN i % 29 = 0 THEN 'A present: no invoice in the box.' END,
  strftime('%Y-%m-%dT%H:%M:%S+00:00', 1704067200 + i * 61234, 'unixepoch'),
  CASE WHEN i <= 840 THEN
    strftime('%Y-%m-%dT%H:%M:%S+00:00', 1704153600 + i * 61234 + i * 577 % 90000, 'unixepoch') END
FROM n;

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4)
INSERT INTO order_items
SELECT o.id, n.i, p.id, 1 + o.id * n.i % 3, p.price
FROM orders o
JOIN n ON n.i <= 1 + o.id % 4
JOIN products p ON p.id = 1 + (o.id * 13 + n.i * 7) % 60;

UPDATE orders SET total = (
  SELECT printf('%d.%02d', sum(cents) / 100, sum(cents) % 100)
  FROM (SELECT quantity * CAST(replace(unit_price, '.', '') AS INTEGER) AS cents
        FROM order_items WHERE order_id = orders.id));

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2400)
INSERT INTO events
SELECT i,
  printf('%08x-%04x-4%03x-%04x-%012x', i * 668265263 % 4294967296, i * 27644 % 65536, i * 1013 % 4096,
    32768 + i * 3001 % 16384, i * 93461639715357 % 281474976710656),
  CASE WHEN i % 5 > 0 THEN 1 + i * 89 % 240 END,
  CASE i % 6 WHEN 0 THEN 'signed_in' WHEN 1 THEN 'searched' WHEN 2 THEN 'put_in_basket' WHEN 5 THEN 'paid'
    ELSE 'viewed' END,
  CASE i % 6 WHEN 0 THEN NULL WHEN 1 THEN json_object('words', json_array('lamp', 'blanket'), 'hits', i % 40)
    ELSE json_object('product_id', 1 + i * 31 % 60, 'source', CASE i % 2 WHEN 0 THEN 'web' ELSE 'app' END) END,
  CASE WHEN i % 7 > 0 THEN round((i * 7919 % 90000) / 1000.0, 3) END,
  strftime('%Y-%m-%dT%H:%M:%S+00:00', 1730419200 + i * 9173, 'unixepoch')
FROM n;

CREATE VIEW order_overview AS
SELECT o.id, o.number, c.name AS customer, c.country, o.status, o.total, count(i.line) AS lines, o.placed_at
FROM orders o
JOIN customers c ON c.id = o.customer_id
JOIN order_items i ON i.order_id = o.id
GROUP BY o.id;

CREATE TABLE athena_demo (version INTEGER NOT NULL);
INSERT INTO athena_demo VALUES (1);
