"""The tables of a database as PostgREST knows them, and the root document that describes them."""

TABLES = """
SELECT c.relname, c.relkind, coalesce((
  SELECT array_agg(a.attname::text ORDER BY array_position(k.conkey, a.attnum))
  FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (k.conkey)
  WHERE k.conrelid = c.oid AND k.contype = 'p'), '{}'),
  pg_relation_is_updatable(c.oid, true) <> 0
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
ORDER BY c.relname"""
COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, NULL), a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
  a.attidentity <> '' OR a.attgenerated <> '', (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
  FROM pg_enum e WHERE e.enumtypid = a.atttypid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY c.relname, a.attnum"""
REFERENCES = """
SELECT c.relname, a.attname, f.relname, b.attname
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class f ON f.oid = k.confrelid
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
JOIN pg_attribute b ON b.attrelid = f.oid AND b.attnum = k.confkey[1]
WHERE n.nspname = %s AND k.contype = 'f' AND cardinality(k.conkey) = 1"""
SCHEMAS = """
SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
ORDER BY nspname <> 'public', nspname"""

SWAGGER_TYPES = {
    "boolean": "boolean", "smallint": "integer", "integer": "integer", "bigint": "integer", "numeric": "number",
    "real": "number", "double precision": "number",
}


class Column:
    def __init__(self, row):
        _, self.name, self.type, self.not_null, self.default, self.is_computed, self.labels = row
        self.reference = None


class Table:
    def __init__(self, row):
        self.name, self.kind, self.key, self.is_writable = row
        self.columns = {}


def read_tables(cursor, schema):
    cursor.execute(TABLES, (schema,))
    tables = {row[0]: Table(row) for row in cursor.fetchall()}
    cursor.execute(COLUMNS, (schema,))
    for row in cursor.fetchall():
        if row[0] in tables:
            tables[row[0]].columns[row[1]] = Column(row)
    cursor.execute(REFERENCES, (schema,))
    for table, column, other, key in cursor.fetchall():
        if table in tables:
            tables[table].columns[column].reference = (other, key)
    return tables


def read_schemas(cursor):
    cursor.execute(SCHEMAS)
    return [row[0] for row in cursor.fetchall()]


def describe_column(table, column):
    notes = ["Note:"]
    if column.name in table.key:
        notes.append("This is a Primary Key.<pk/>")
    if column.reference:
        other, key = column.reference
        notes.append(f"This is a Foreign Key to `{other}.{key}`.<fk table='{other}' column='{key}'/>")
    property_ = {"format": column.type}
    if column.type.endswith("[]"):
        property_.update(type="array", items={"type": SWAGGER_TYPES.get(column.type[:-2], "string")})
    elif column.type not in ("json", "jsonb"):
        property_["type"] = SWAGGER_TYPES.get(column.type, "string")
    if len(notes) > 1:
        property_["description"] = "\n".join(notes)
    if column.default is not None and not column.is_computed:
        property_["default"] = column.default
    if column.labels:
        property_["enum"] = column.labels
    return property_


def root_document(tables):
    paths, definitions = {"/": {"get": {"tags": ["Introspection"]}}}, {}
    for table in tables.values():
        paths["/" + table.name] = {"get": {}}
        if table.is_writable:
            paths["/" + table.name].update(post={}, patch={}, delete={})
        definitions[table.name] = {
            "type": "object",
            "required": [c.name for c in table.columns.values() if c.not_null],
            "properties": {c.name: describe_column(table, c) for c in table.columns.values()},
        }
    return {"swagger": "2.0", "info": {"title": "PostgREST API", "version": "12.2.3"}, "paths": paths,
            "definitions": definitions}
