"""What correct means: a query through the gateway answers as the same query would on a copy of the
database whose data was masked in place. Generated queries; SALLYPORT_DIFFERENTIAL says how many."""

import os
import random

import psycopg
import pytest

from masked import MaskLab

SQL = """
create table customers (id int primary key, name text not null, email text, card text, salary numeric(10, 2),
                        born date, score int, tags text[], profile jsonb);
insert into customers select i, 'name ' || i % 7, 'user' || i % 11 || '@mail' || i % 3 || '.example.com',
  lpad((i * 7919)::text, 4, '0') || ' 1111 2222 ' || lpad(i::text, 4, '0'), (i * 1234.5) % 90000,
  date '1950-01-01' + i * 97, case when i % 5 > 0 then i * 311 end, array['t' || i % 3, 'u'],
  jsonb_build_object('vip', i % 2 = 0) from generate_series(1, 60) i;
create table orders (id int primary key, customer_id int references customers, total numeric, note text, secret text);
insert into orders select i, 1 + i % 60, (i * 37) % 500, 'note ' || i % 9, 'secret ' || i % 13
  from generate_series(1, 200) i;
create table events (id int, customer_id int, kind text, payload text) partition by range (id);
create table events_1 partition of events for values from (0) to (50);
create table events_2 partition of events for values from (50) to (1000);
insert into events select i, 1 + i % 60, 'k' || i % 4, 'payload ' || i % 17 from generate_series(1, 100) i;
create view people as select id as person, upper(name) as name, email as mail, salary from customers where id % 2 = 0;
create view spending as select c.id, c.email, sum(o.total) as spent, max(o.secret) as last
  from customers c join orders o on o.customer_id = c.id group by c.id;
create function doubled(int) returns int language sql immutable as 'select $1 * 2';
analyze;
"""
PROTECTION = """
classification:
  "*.customers.email": pii.email
  "*.customers.card": pci.card
  "*.customers.salary": hr
  "*.customers.born": pii.born
  "*.customers.score": score
  "*.customers.tags": pii.tags
  "*.customers.profile": pii.profile
  "*.orders.secret": secret
  "*.events.payload": pii.text
masks: {hr: round, pii.born: year, score: hash, pii.text: hash}
row_filters:
  public.orders: {some: "total < 400"}
"""
TABLES = {
    "customers": {"id": "int", "name": "text", "email": "text", "card": "text", "salary": "num",
                  "born": "date", "score": "int"},
    "orders": {"id": "int", "customer_id": "int", "total": "num", "note": "text", "secret": "text"},
    "events": {"id": "int", "customer_id": "int", "kind": "text", "payload": "text"},
    "events_1": {"id": "int", "customer_id": "int", "kind": "text", "payload": "text"},
    "people": {"person": "int", "name": "text", "mail": "text", "salary": "num"},
    "spending": {"id": "int", "email": "text", "spent": "num", "last": "text"},
}


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.names = 0

    def pick(self, *options):
        return self.random.choice(options)

    def name(self):
        self.names += 1
        return f"x{self.names}"

    def column(self, scope, kind):
        found = [f"{alias}.{column}" for alias, columns in scope.items()
                 for column, of in columns.items() if of == kind]
        return self.random.choice(found) if found else None

    def value(self, scope, kind, depth=0):
        """An expression of a kind over what is in scope."""
        column = self.column(scope, kind)
        if column and (depth > 2 or self.random.random() < 0.45):
            return column
        if depth > 2:
            return {"int": "7", "num": "12.5", "text": "'text'", "date": "date '1960-02-03'"}[kind]

        def inner(of):
            return self.value(scope, of, depth + 1)

        if kind == "text":
            return self.pick(
                lambda: f"upper({inner('text')})", lambda: f"({inner('text')} || {inner('text')})",
                lambda: f"substr({inner('text')}, {self.random.randint(1, 4)}, 5)",
                lambda: f"reverse({inner('text')})", lambda: f"md5({inner('text')})",
                lambda: f"coalesce({inner('text')}, 'none')", lambda: f"({inner('num')})::text",
                lambda: f"({inner('date')})::text", lambda: f"split_part({inner('text')}, '@', 2)",
                lambda: f"case when {self.condition(scope, depth + 1)} then {inner('text')} end",
                lambda: f"nullif({inner('text')}, {inner('text')})",
                lambda: self.whole_row(scope),
                lambda: f"replace({inner('text')}, '*', '+')")()
        if kind == "num":
            return self.pick(lambda: f"({inner('num')} + {inner('int')})",
                             lambda: f"round({inner('num')} * 1.5)", lambda: f"abs({inner('num')})",
                             lambda: f"coalesce({inner('num')}, 0)",
                             lambda: f"({inner('int')})::numeric")()
        if kind == "int":
            return self.pick(lambda: f"length({inner('text')})",
                             lambda: f"({inner('int')} % 10)", lambda: f"doubled({inner('int')} % 1000)",
                             lambda: f"extract(year from {inner('date')})::int",
                             lambda: f"coalesce({inner('int')}, 1)",
                             lambda: self.scalar(depth))()
        return self.pick(lambda: f"({inner('date')} + 1)", lambda: "date '1970-01-01'")()

    def whole_row(self, scope):
        alias = self.random.choice(list(scope))
        return self.pick(f"md5({alias}::text)", f"to_jsonb({alias})::text", f"({alias})::text",
                         f"row_to_json({alias})::text")

    def scalar(self, depth):
        table, scope = self.relation()
        return f"(select count(*)::int from {table} where {self.condition(scope, depth + 1)})"

    def condition(self, scope, depth=0):
        kind = self.pick("int", "num", "text", "date", "text")
        left, right = (self.value(scope, kind, depth + 1) for _ in range(2))
        made = self.pick(
            f"{left} {self.pick('=', '<', '>=', '<>')} {right}", f"{left} is not null",
            f"{left}::text like '%{self.pick('a', '1', '*', 'e')}%'",
            f"{left} in ({right}, {self.value(scope, kind, 3)})",
            f"{left} between {right} and {self.value(scope, kind, 3)}",
            f"not ({left} is distinct from {right})")
        if depth < 2 and self.random.random() < 0.25:
            made = f"({made} {self.pick('and', 'or')} {self.condition(scope, depth + 1)})"
        if depth < 2 and self.random.random() < 0.1:
            table, inside = self.relation()
            made = f"exists (select from {table} where {self.condition({**scope, **inside}, depth + 2)})"
        return made

    def relation(self):
        """Something for FROM, and what it brings into scope."""
        table = self.random.choice(list(TABLES))
        alias = self.name()
        if self.random.random() < 0.12:
            inner, kinds = self.select(1)
            return f"({inner}) as {alias}", {alias: kinds}
        only = "only " if table == "events_1" and self.random.random() < 0.3 else ""
        schema = self.pick("", "", "public.")
        return f"{only}{schema}{table} {self.pick('as ', '')}{alias}", {alias: dict(TABLES[table])}

    def select(self, depth=0):
        """A query, and the kinds of its columns."""
        scope, source = {}, []
        for number in range(self.pick(1, 1, 1, 2)):
            table, brings = self.relation()
            if number and self.random.random() < 0.8:
                both = {**scope, **brings}
                source[-1] += (f" {self.pick('join', 'left join')} {table} on "
                               f"{self.value(scope, 'int', 2)} = {self.value(brings, 'int', 2)} and "
                               f"{self.condition(both, 2)}")
            else:
                source.append(table)
            scope.update(brings)
        where = f" where {self.condition(scope)}" if self.random.random() < 0.6 else ""
        kinds, outputs, tail = {}, [], ""
        if self.random.random() < 0.3:
            kind = self.pick("text", "int", "date")
            key = self.value(scope, kind, 1)
            outputs = [f"{key} as k", f"{self.aggregate(scope)} as a", "count(*)::int as n"]
            kinds = {"k": kind, "n": "int"}
            tail = " group by 1" + (f" having {self.aggregate(scope)} is not null"
                                    if self.random.random() < 0.3 else "")
        else:
            for number in range(self.random.randint(1, 3)):
                kind = self.pick("text", "text", "int", "num", "date")
                outputs.append(f"{self.value(scope, kind)} as c{number}")
                kinds[f"c{number}"] = kind
            if self.random.random() < 0.15:
                outputs.append(f"count(*) over (partition by {self.value(scope, 'text', 2)}) as w")
        distinct = "distinct " if self.random.random() < 0.15 else ""
        return f"select {distinct}{', '.join(outputs)} from {', '.join(source)}{where}{tail}", kinds

    def aggregate(self, scope):
        text = self.value(scope, "text", 2)
        return self.pick(f"max({text})", f"min({self.value(scope, 'date', 2)})",
                         f"sum({self.value(scope, 'num', 2)})", f"count(distinct {text})",
                         f"string_agg({text}, ',' order by {text})")

    def query(self):
        text, _ = self.select()
        chance = self.random.random()
        if chance < 0.1:
            name = self.name()
            text = f"with {name} as ({text}) select {name}::text as r from {name}"
        elif chance < 0.2:
            inner, kinds = self.select(1)
            column = next(iter(kinds))
            text = (f"select ({column})::text from ({inner}) as l {self.pick('union', 'union all', 'except')} "
                    f"select {self.value({'c': TABLES['customers']}, 'text', 1)} from customers c")
        elif chance < 0.25:
            text = f"select count(*), md5(string_agg(q::text, '|' order by q::text)) from ({text}) q"
        return text


@pytest.fixture(scope="module")
def labs():
    made = MaskLab(SQL, PROTECTION)
    with made.target.connect("postgres") as admin:
        admin.execute("create database masked template lab owner gateway")
    with made.connect("reader") as reader, made.direct("masked") as copy:
        copy.execute("alter table orders add column kept boolean default false")
        for table in ("customers", "orders", "events"):
            columns = [row[0] for row in reader.execute(
                "select attname from pg_attribute where attrelid = %s::text::regclass and attnum > 0 "
                "order by attnum", (table,))]
            for row in reader.execute(f"select {', '.join(f'{c}::text' for c in columns)} from {table}"):
                types = {c: copy.execute("select format_type(atttypid, atttypmod) from pg_attribute "
                                         "where attrelid = %s::text::regclass and attname = %s",
                                         (table, c)).fetchone()[0] for c in columns}
                sets = ", ".join(f"{c} = cast(%s as {types[c]})" for c in columns[1:])
                copy.execute(f"update {table} set {sets} where id = %s", (*row[1:], int(row[0])))
            if table == "orders":
                seen = [row[0] for row in reader.execute("select id from orders")]
                copy.execute("delete from orders where not id = any(%s)", (seen,))
        copy.execute("alter table orders drop column kept")
        copy.execute("analyze")
    yield made
    made.remove()


def answer(connection, sql):
    try:
        return sorted(map(repr, connection.execute(sql).fetchall()))
    except psycopg.Error as error:
        return error.sqlstate


def test_generated_queries_answer_as_on_a_masked_copy(labs):
    count = int(os.environ.get("SALLYPORT_DIFFERENTIAL", "1500"))
    first = int(os.environ.get("SALLYPORT_DIFFERENTIAL_SEED", "1"))
    errors = rows = 0
    with labs.connect("reader") as reader, labs.direct("masked") as copy:
        for one in (reader, copy):
            one.execute("set statement_timeout = '60s'")
        for seed in range(first, first + count):
            sql = Generator(seed).query()
            wanted = answer(copy, sql)
            assert answer(reader, sql) == wanted, f"seed {seed}: {sql}"
            errors += isinstance(wanted, str)
            rows += 0 if isinstance(wanted, str) else len(wanted)
    print(f"{count} queries, {errors} errors, {rows} rows")
    assert errors < count / 3 and rows > count
