"""Detectors on the wire: what is found in columns that nobody classified, with a real server and
unmodified clients, in every way a value can travel. The canaries must be in no byte that the client
receives, nor in the ledger or the log."""

import io
import json
import pathlib
import re
import subprocess

import psycopg
import pytest

from conftest import BINARY
from masked import MaskLab

MAIL = "canary.mail@example.com"
CARD = "4904023784846686"
TOKEN = "AKIA" + "TRUYVWTQFENQD30P"
CANARIES = ["canary.mail", "490402378484", TOKEN]

SQL = f"""
create table notes (id int primary key, body text, doc jsonb, raw json, tags text[], bin bytea,
                    mail varchar(80) unique, ssn text, n bigint, seen timestamptz);
insert into notes values
  (1, 'write to {MAIL}, card 4904 0237 8484 6686', '{{"mail": "{MAIL}", "card": {CARD}}}',
   '{{"m": "canary\\u002email\\u0040example.com"}}', array['{MAIL}', '{TOKEN}'],
   'key {TOKEN} ', '{MAIL}', '219099999', 5312026757583197, '2026-11-24 14:05:17+00'),
  (2, 'nothing to see', '{{"a": [1, 2]}}', '{{"a": 1}}', array['x'], 'y', 'nobody', null, 7,
   '2026-11-24 14:05:17+00');
create type pair as (a text, b int);
create function tell(what text) returns void language plpgsql as
  $$ begin raise notice 'told %', what; raise exception 'failed for %', what; end $$;
"""

HIDDEN_MAIL = "c**********@e******.com"


@pytest.fixture(scope="module")
def lab():
    made = MaskLab(SQL, "detect: mask\ndetect_except: [mac_address]\n")
    yield made
    made.remove()


@pytest.fixture
def reader(lab):
    with lab.connect("reader") as connection:
        yield connection


def has_canary(data):
    text = data if isinstance(data, bytes) else str(data).encode()
    views = [text, text.replace(b" ", b""), text.replace(b"\\", b"")]
    return [c for c in CANARIES for view in views if c.encode() in view]


def test_psql_sees_no_canary_in_any_output(lab):
    for query in ["select * from notes order by id", "table notes", "select notes from notes",
                  "select row_to_json(notes) from notes", "select to_jsonb(notes) from notes",
                  "select body || ' ' || mail from notes", "select string_agg(body, ',') from notes",
                  "copy notes (id, body, doc, tags, mail, ssn) to stdout",
                  "copy (select body, doc, mail from notes) to stdout (format csv, header)",
                  "copy (select body, mail from notes) to stdout (format csv, force_quote *)",
                  ["begin", "declare c cursor for select body from notes", "fetch all from c", "commit"]]:
        done = lab.psql("reader", *([query] if isinstance(query, str) else query))
        assert done.returncode == 0, (query, done.stderr)
        assert not has_canary(done.stdout + done.stderr), (query, done.stdout)
        assert "nothing" in done.stdout or "nobody" in done.stdout, query


def test_values_keep_their_type_and_shape(reader):
    row = reader.execute("select body, doc, raw, tags, bin, mail, ssn, n, seen from notes where id = 1").fetchone()
    assert row[0] == f"write to {HIDDEN_MAIL}, card **** **** **** 6686"
    assert row[1] == {"mail": HIDDEN_MAIL, "card": None}
    assert "canary" not in json.dumps(row[2]) and list(row[2]) == ["m"]
    assert row[3] == [HIDDEN_MAIL, "*" * 20]
    assert row[4] == b"key " + b"*" * 20 + b" "
    assert row[5] == HIDDEN_MAIL
    assert row[6] == "*" * 9, "its column's name says what it is"
    assert row[7] == 5312026757583197, "numbers are for the classification"
    assert row[8].year == 2026
    assert reader.execute("select * from notes where id = 2").fetchone()[:6] == (
        2, "nothing to see", {"a": [1, 2]}, {"a": 1}, ["x"], b"y")


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("query", [
    "select body, doc, raw, tags, bin, mail from notes where id = %s",
    "select row(body, mail), array[body, mail], xmlelement(name x, body)::text from notes where id = %s",
    "select row_to_json(notes)::text, to_jsonb(notes) from notes where id = %s"])
def test_extended_protocol_in_both_formats(lab, reader, binary, query):
    for _ in range(3):  # the third time the statement is prepared
        with reader.cursor(binary=binary) as cursor:
            row = cursor.execute(query, (1,), prepare=True).fetchone()
            assert not has_canary(repr(row)), row
            assert "c***" in repr(row)


def test_binary_copy(lab, reader):
    with reader.cursor() as cursor, cursor.copy(
            "copy (select id, body, doc, mail, n from notes order by id) to stdout (format binary)") as copy:
        data = b"".join(bytes(piece) for piece in copy)
    assert data.startswith(b"PGCOPY\n") and data.endswith(b"\xff\xff")
    assert not has_canary(data)
    assert HIDDEN_MAIL.encode() in data and b"nothing to see" in data


def test_copied_rows_can_be_copied_in_again(lab, reader):
    out = io.BytesIO()
    with reader.cursor() as cursor:
        with cursor.copy("copy (select body, doc, tags from notes) to stdout (format binary)") as copy:
            for piece in copy:
                out.write(piece)
        cursor.execute("create temp table again (body text, doc jsonb, tags text[])")
        with cursor.copy("copy again from stdin (format binary)") as copy:
            copy.write(out.getvalue())
        assert cursor.execute("select count(*) from again").fetchone() == (2,)


def test_errors_and_notices(reader):
    notices = []
    reader.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    with pytest.raises(psycopg.errors.UniqueViolation) as unique:
        reader.execute("insert into notes (id, mail) values (3, %s)", (MAIL,))
    assert unique.value.diag.message_detail == f"Key (mail)=({HIDDEN_MAIL}) already exists."
    assert unique.value.diag.constraint_name == "notes_mail_key"
    with pytest.raises(psycopg.errors.RaiseException) as raised:
        reader.execute("select tell(%s)", (MAIL,))
    assert not has_canary(str(raised.value) + repr(notices))
    assert notices == [f"told {HIDDEN_MAIL}"]
    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as cast:
        reader.execute("select body::int from notes where id = 1")
    assert not has_canary(str(cast.value)), cast.value
    reader.execute("listen here")
    with pytest.raises(psycopg.Error):
        reader.execute("select 1/0")


def test_a_value_larger_than_every_buffer(reader):
    # At 64 offsets, so that the ends of reads and windows fall everywhere around and into the value.
    for size in list(range(8_150, 8_214, 7)) + list(range(57_060, 57_124, 7)) + [1_000_003]:
        body, length = reader.execute(
            "select repeat('x', %s) || ' ' || mail || repeat(' y', 40000), %s from notes where id = 1",
            (size, size)).fetchone()
        assert length == size
        assert body == "x" * size + " " + HIDDEN_MAIL + " y" * 40_000
    with reader.cursor() as cursor, cursor.copy(
            "copy (select repeat('x', 300000) || mail from notes) to stdout") as copy:
        data = b"".join(bytes(piece) for piece in copy)
    assert not has_canary(data) and len(data) > 600_000


def test_what_has_too_many_candidates_is_withheld(lab, reader):
    value, = reader.execute("select repeat('AKIA', 12000)").fetchone()
    assert value == "*" * 48_000
    with pytest.raises(psycopg.OperationalError) as ended:
        with reader.cursor(binary=True) as cursor:
            cursor.execute("select array[repeat('AKIA', 12000)]").fetchall()
    assert "could not be looked through" in str(ended.value) or "closed" in str(ended.value)
    with lab.connect("reader") as again:
        assert again.execute("select 1").fetchone() == (1,)


def test_the_ledger_has_counts_and_nothing_has_values(lab):
    with lab.connect("reader") as reader:
        reader.execute("select body from notes where id = 1").fetchone()
        # A statement of one's own may hold a value: that is what was asked, not what was answered.
    lab.stop()
    exported = lab.records()
    outcomes = [json.dumps(record) for record in exported if "detected" in json.dumps(record)]
    assert any(re.search(r'"email": ?1', text) and re.search(r'"card": ?1', text) for text in outcomes)
    assert not has_canary("".join(text for text in outcomes))
    assert not has_canary(lab.output())
    lab.start()
    lab.tickets.clear()
    with lab.connect("reader") as reader:
        reader.execute("select body from notes where id = 1").fetchone()
    assert 'sallyport_detector_hits_total{detector="email",mode="mask"} 1' in lab.metrics()


def test_report_changes_nothing_and_counts():
    lab = MaskLab(SQL, "detect: report")
    try:
        with lab.connect("reader") as reader:
            row = reader.execute("select body, doc from notes where id = 1").fetchone()
            assert row == (f"write to {MAIL}, card 4904 0237 8484 6686", {"mail": MAIL, "card": int(CARD)})
        assert 'sallyport_detector_hits_total{detector="email",mode="report"} 2' in lab.metrics()
        assert "canary.mail" not in lab.output()
        lab.stop()
        found = [json.dumps(record) for record in lab.records() if '"detected"' in json.dumps(record)]
        assert found and not has_canary("".join(found))
        assert '"masked_fields": 0' in found[0]
    finally:
        lab.remove()


def test_a_name_that_no_detector_has_is_refused(lab):
    wrong = lab.folder / "wrong.yaml"
    wrong.write_text(lab.config.read_text().replace("mac_address", "shoe_size"))
    done = subprocess.run([BINARY, "check", "--config", wrong], capture_output=True, text=True)
    assert done.returncode == 2
    assert "shoe_size" in done.stderr + done.stdout


def test_the_reference_lists_every_detector():
    root = pathlib.Path(__file__).resolve().parent.parent
    table = (root / "src/mask/detector.cc").read_text()
    names = re.findall(r'^      \{\w+, "(\w+)", "([\w.]+)"', table, re.M)
    assert len(names) > 90
    reference = (root / "docs/reference/detectors.md").read_text()
    for name, classification in names:
        assert f"| `{name}` | `{classification}` |" in reference, name
