"""A target with many tables: the gateway reads what it defines in bounded memory and time, and again.
SALLYPORT_TABLES says how many (scripts/test --all: 100,000)."""

import os
import pathlib
import re
import time

import psycopg
import pytest
from conftest import BINARY
from masked import MaskLab

TABLES = int(os.environ.get("SALLYPORT_TABLES", "3000"))
SCHEMAS = 20
# What a table of four columns may take, in two catalogs: the one in use and the next, while it is read.
BYTES_OF_A_TABLE = 4000
PROTECTION = """
classification: {"*.t7.email": pii.email}
catalog_refresh_s: 2
"""


@pytest.fixture(scope="module")
def lab():
    made = MaskLab("select 1", PROTECTION, settings=["max_locks_per_transaction=1000"])
    with made.direct() as direct:
        for schema in range(SCHEMAS):
            direct.execute(f"create schema s{schema}")
            for first in range(0, TABLES // SCHEMAS, 500):
                last = min(first + 500, TABLES // SCHEMAS) - 1
                direct.execute(f"do $$ begin for i in {first}..{last} loop execute format('create table s{schema}.t%s "
                               "(id int primary key, name text, email text, made timestamptz)', i); end loop; end $$")
        direct.execute("insert into s3.t7 values (1, 'Ada', 'canary@example.com', now())")
    yield made
    made.remove()


def memory(lab, field):
    status = pathlib.Path(f"/proc/{lab.process.pid}/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.M).group(1)) * 1024


def reads(lab):
    return float(re.search(r"^sallyport_catalog_reads_total(?:{.*})? (\S+)$", lab.metrics(), re.M).group(1))


def test_all_of_them_are_known_in_bounded_memory(lab):
    before = memory(lab, "VmRSS")
    began = time.monotonic()
    with lab.connect("reader") as reader:
        assert reader.execute("select email from s3.t7").fetchone() == ("c*****@e******.com",)
        first = time.monotonic() - began
        wanted = reads(lab) + 4
        while reads(lab) < wanted:
            # Known before it is asked for: no statement waits while the catalog is read again.
            assert reader.execute(f"select count(*) from s{SCHEMAS - 1}.t3").fetchone() == (0,)
            time.sleep(0.2)
            assert time.monotonic() - began < 600
        with lab.direct() as direct:
            direct.execute("create table s0.fresh (id int)")
        time.sleep(1.1)
        assert reader.execute("select count(*) from s0.fresh").fetchone() == (0,)
        with pytest.raises(psycopg.errors.UndefinedTable):
            reader.execute("select * from s0.not_there")
    peak = memory(lab, "VmHWM") - before
    print(f"{TABLES} tables: first answer after {first:.2f} s, {peak / 1e6:.0f} MB at most, "
          f"{peak / TABLES:.0f} bytes a table")
    if "asan" not in BINARY:  # the sanitizer keeps what is freed
        assert peak < 40e6 + TABLES * BYTES_OF_A_TABLE
