"""Every kind of mask over every type, in text and in binary: the type stays, the value does not, and
no value makes a mask fail."""

import psycopg
import pytest

from masked import MaskLab
from own_postgres import MAJOR

KINDS = ["partial", "round", "year", "hash", "redact", "null"]

# Type and values, ends of the range and odd ones among them.
TYPES = {
    "text": ["'Some Value'", "''", "'x'", "E'a\\nb\\t'", "'Zoë 💥 日本'", "repeat('long ', 10000)"],
    "varchar": ["'v'", "''"],
    "varchar(5)": ["'abcde'", "'a'"],
    "char(7)": ["'abc'", "'abcdefg'"],
    "char": ["'q'"],  # no hexadecimal digit: a hash has room for one here
    '"char"': ["'q'"],
    "name": ["'some_name'"],
    "int2": ["32767", "-32768", "0"],
    "int4": ["2147483647", "-2147483648", "12345"],
    "int8": ["9223372036854775807", "-9223372036854775808", "77123"],
    "numeric": ["12345.678", "'NaN'", "'Infinity'", "'-Infinity'", "1e-30", "1e300", "0"],
    "numeric(8, 2)": ["999999.99", "-12345.67"],
    "numeric(2, -3)": ["99000"],
    "float4": ["1.5", "'NaN'", "'Infinity'", "'-Infinity'", "3.4e38", "1e-37", "'-0'"],
    "float8": ["12345.5", "'NaN'", "'Infinity'", "1.7e308", "4.9e-324"],
    "money": ["'12.34'"],
    "bool": ["true", "false"],
    "date": ["'1990-05-06'", "'infinity'", "'-infinity'", "'4713-01-01 BC'", "'5874897-12-31'",
             "'9999-12-31'", "'10000-01-01'"],
    "timestamp": ["'1990-05-06 07:08:09.123456'", "'infinity'", "'4713-01-01 BC'",
                  "'294276-12-31 23:59:59'"],
    "timestamp(0)": ["'1990-05-06 07:08:09'"],
    "timestamptz": ["'1990-05-06 07:08:09+05'", "'-infinity'", "'294276-12-31 23:59:59+00'"],
    "timestamptz(3)": ["'1990-05-06 07:08:09.123+00'"],
    "time": ["'07:08:09'"],
    "time(2)": ["'07:08:09.12'"],
    "timetz": ["'07:08:09+02'"],
    "interval": ["'1 year 2 days'"],
    "interval day to second(3)": ["'2 days 3:04:05.678'"],
    "uuid": ["'6b9c1b1e-9a55-4e0b-8f6e-5d0c7a9e4411'"],
    "json": ["'{\"a\": [1, 2]}'"],
    "jsonb": ["'{\"a\": [1, 2]}'", "'null'", "'\"x\"'"],
    "jsonpath": ["'$.a'"],
    "xml": ["'<a>b</a>'"],
    "bytea": ["'\\xdeadbeef'", "''"],
    "inet": ["'10.1.2.3/8'", "'::1'"],
    "cidr": ["'10.0.0.0/8'"],
    "macaddr": ["'08:00:2b:01:02:03'"],
    "bit(4)": ["B'1010'"],
    "varbit(9)": ["B'101'"],
    "point": ["'(1,2)'"],
    "polygon": ["'((0,0),(1,1),(2,0))'"],
    "tsvector": ["'fat cat'"],
    "tsquery": ["'fat & cat'"],
    "int4range": ["'[1,5)'"],
    "tstzrange": ["'[2020-01-01,2021-01-01)'"],
    "int4multirange": ["'{[1,5)}'"],
    "text[]": ["'{one,two}'", "'{}'"],
    "varchar(3)[]": ["'{abc}'"],
    "int4[]": ["'{1,2}'"],
    "int4[][]": ["'{{1,2},{3,4}}'"],
    "jsonb[]": ["'{\"{}\"}'"],
    "oid": ["4711"],
    "regclass": ["'pg_class'"],
    "mood": ["'sad'"],
    "mood[]": ["'{sad}'"],
    "pair": ["'(1,x)'"],
    "pair[]": ["'{\"(1,x)\"}'"],
    "mail": ["'someone@example.com'"],
    "short": ["'abcd'"],
    "positive": ["12345"],
    "mails": ["'{a@b.example}'"],
    "floats": ["'[1.5,2.5)'"],
    "other.\"Odd Type\"": ["'odd'"],
    "pg_lsn": ["'0/16B3748'"],
}
if MAJOR < 15:  # what came with later versions
    del TYPES["numeric(2, -3)"]
if MAJOR < 14:
    del TYPES["int4multirange"]
    TYPES["numeric"] = [value for value in TYPES["numeric"] if "Infinity" not in value]

SETUP = """
create schema other;
create type mood as enum ('sad', 'happy');
create type pair as (a int, b text);
create domain mail as text check (value like '%@%');
create domain short as varchar(4) not null;
create domain positive as int check (value > 0) not null;
create domain mails as mail[];
create type floats as range (subtype = float8);
create type other."Odd Type" as enum ('odd');
"""


def table_of(kind, number):
    return f"t_{kind}_{number}"


def schema():
    sql = SETUP
    for kind in KINDS:
        for number, (of, values) in enumerate(TYPES.items()):
            table = table_of(kind, number)
            sql += f'create table {table} (id serial primary key, v {of});\n'
            for value in values:
                sql += f"insert into {table} (v) values ({value});\n"
            if of not in ("short", "positive"):
                sql += f"insert into {table} (v) values (null);\n"
    return sql


PROTECTION = "classification:\n" + "".join(
    f'  "*.{table_of(kind, number)}.v": c_{kind}\n'
    for kind in KINDS for number in range(len(TYPES)))
PROTECTION += "masks:\n" + "".join(f"  c_{kind}: {kind}\n" for kind in KINDS)


@pytest.fixture(scope="module")
def lab():
    made = MaskLab(schema(), PROTECTION)
    yield made
    made.remove()


def rows(connection, sql, binary=False):
    result = connection.pgconn.exec_params(sql.encode(), [], result_format=int(binary))
    assert result.status == psycopg.pq.ExecStatus.TUPLES_OK, (sql, result.error_message)
    return [[result.get_value(r, c) for c in range(result.nfields)] for r in range(result.ntuples)], \
        [result.ftype(c) for c in range(result.nfields)], [result.fmod(c) for c in range(result.nfields)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_stays_what_it_is_and_no_value_is_shown(lab, kind):
    with lab.connect("reader") as reader, lab.direct() as direct:
        for number, of in enumerate(TYPES):
            sql = f"select v, v::text from {table_of(kind, number)} order by id"
            for binary in (False, True):
                raw, types, modifiers = rows(direct, sql, binary)
                got, masked_types, masked_modifiers = rows(reader, sql, binary)
                assert masked_types == types, of
                assert masked_modifiers == modifiers, of
                assert len(got) == len(raw), of
                for before, after in zip(raw, got):
                    if after[0] is None:
                        continue
                    assert before[0] is not None or kind == "redact", of
                    shown = (kind in ("partial",) and before[0] in (b"", b"x") or
                             kind == "round" and before[0] is not None or
                             kind == "year" and before[0] is not None)
                    if not shown:
                        assert after[0] != before[0], (of, before)


def test_equal_values_have_equal_hashes_and_others_have_not(lab):
    with lab.connect("reader") as reader:
        for number, (of, values) in enumerate(TYPES.items()):
            table = table_of("hash", number)
            if of in ("json", "jsonpath", "xml", "point", "polygon"):
                continue
            found = reader.execute(f"select a.v::text, count(*) from {table} a join {table} b using (v) "
                                   "group by 1").fetchall()
            hashed = [row for row in found if row[0] is not None]
            assert all(count == 1 for _, count in hashed), (of, found)
        number = list(TYPES).index("text")
        found = reader.execute(f"select v from {table_of('hash', number)} order by id").fetchall()
        assert len({row[0] for row in found}) == len(TYPES["text"]) + 1
        assert all(len(row[0]) == 32 for row in found if row[0] is not None)


def test_rounding_and_years(lab):
    with lab.connect("reader") as reader:
        def masked(kind, of):
            return [row[0] for row in reader.execute(
                f"select v::text from {table_of(kind, list(TYPES).index(of))} order by id")]

        assert masked("round", "int4")[:3] == ["2147483000", "-2147483000", "12000"]
        assert masked("round", "int8")[:2] == ["9223372036854775000", "-9223372036854775000"]
        if MAJOR >= 14:
            assert masked("round", "numeric")[:4] == ["12000", "NaN", "Infinity", "-Infinity"]
        assert masked("round", "numeric(8, 2)") == ["999000.00", "-12000.00", None]
        assert masked("round", "float8")[0] == "12000"
        assert masked("round", "date")[0] == "1990-05-01"
        assert masked("year", "date")[0] == "1990-01-01"
        assert masked("year", "timestamp(0)")[0] == "1990-01-01 00:00:00"
        assert masked("year", "int4") == [None] * 4


def test_given_values_can_be_written_and_not_read_back(lab):
    with lab.connect("reader") as reader, lab.direct() as direct:
        for number, (of, values) in enumerate(TYPES.items()):
            table = table_of("null", number)
            with reader.transaction(force_rollback=True):
                new = reader.execute(f"insert into {table} (v) values ({values[0]}) returning id")
                (identity,) = new.fetchone()
                reader.execute(f"update {table} set v = {values[-1]} where id = {identity}")
                assert reader.execute(f"select v from {table} where id = {identity}").fetchone() \
                    == (None,), of
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    with reader.transaction():
                        reader.execute(f"update {table} set id = id returning v")
        del direct
