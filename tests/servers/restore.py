"""pg_dump and pg_restore through the gateway, on whatever server there is. pg_dump takes servers up to its own
version only."""

import pathlib
import re
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from own_postgres import MAJOR, OwnPostgres  # noqa: E402
from serving import Gateway  # noqa: E402


def test_a_dump_is_the_same_and_can_be_restored(tmp_path):
    target = OwnPostgres(superuser="postgres")
    gateway = Gateway(tmp_path / "gateway", target).start()
    try:
        tool = int(re.search(r" (\d+)", subprocess.run(["pg_dump", "--version"], capture_output=True,
                                                       text=True, check=True).stdout)[1])
        if MAJOR > tool:
            pytest.skip(f"pg_dump {tool} does not dump a server {MAJOR}")
        direct = f"host=127.0.0.1 port={target.port} user=postgres dbname=postgres"
        subprocess.run(["pgbench", "-q", "-i", "-s", "1", direct], check=True, capture_output=True, timeout=120)

        def dump(where, *options):
            return subprocess.run(["pg_dump", *options, "-d", where], check=True, capture_output=True,
                                  timeout=120).stdout

        plain = [line for line in dump(direct).splitlines() if not line.startswith(b"\\")]
        assert len(plain) > 100_000
        assert [line for line in dump(gateway.dsn()).splitlines() if not line.startswith(b"\\")] == plain
        archive = tmp_path / "all.dump"
        archive.write_bytes(dump(gateway.dsn(), "-Fc"))
        done = subprocess.run(["pg_restore", "--clean", "--if-exists", "--single-transaction", "-d",
                               gateway.dsn(), archive], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert [line for line in dump(direct).splitlines() if not line.startswith(b"\\")] == plain
    finally:
        gateway.stop()
        target.remove()
