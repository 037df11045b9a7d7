"""The disk with the ledger fills up, under load, and has room again: what cannot be recorded is
refused and does not reach the target, what was answered is recorded, and nobody has to help."""

import os
import shutil
import subprocess
import threading
import time

import psycopg
import pytest
from serving import Gateway, Target

DISK_MB = 8
CLIENTS = 4


@pytest.fixture
def disk(tmp_path):
    """A small file system of its own. Needs root, as mount does."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", folder],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"cannot mount a small file system here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


class Load(threading.Thread):
    """Goes on whatever happens; every statement has a name of its own in it."""

    def __init__(self, gateway, number):
        super().__init__()
        self.gateway, self.number = gateway, number
        self.goes_on = True
        self.answered, self.refused, self.unexpected = [], [], []

    def run(self):
        count = 0
        while self.goes_on:
            try:
                with psycopg.connect(self.gateway.dsn(), autocommit=True) as connection:
                    while self.goes_on:
                        count += 1
                        name = f"full_{self.number}_{count}"
                        self.ask(connection, name)
            except psycopg.OperationalError as error:
                self.refused.append((error.sqlstate, str(error)))
                time.sleep(0.05)

    def ask(self, connection, name):
        try:
            if len(self.answered) % 3 == 0:
                connection.execute(f"insert into filled values ('{name}')")
            else:
                # The text takes room in the ledger.
                connection.execute(f"select '{name}', '{'x' * 3000}'")
            self.answered.append(name)
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            self.refused.append((error.sqlstate, str(error)))
            time.sleep(0.01)


def until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def test_a_full_disk_refuses_and_recovers(disk, tmp_path):
    target = Target()
    gateway = Gateway(tmp_path / "gateway", target, "ledger: {segment_bytes: 262144}\n")
    gateway.config.write_text(gateway.config.read_text().replace("data: ./data", f"data: {disk}/data"))
    gateway.data = disk / "data"
    loads = []
    try:
        gateway.start()
        with psycopg.connect(f"host=127.0.0.1 port={target.port} user=postgres dbname=postgres",
                             autocommit=True) as admin:
            admin.execute("create table filled (name text)")
        loads = [Load(gateway, number) for number in range(CLIENTS)]
        gateway.ticket()
        for load in loads:
            load.start()
        until(lambda: min(len(load.answered) for load in loads) > 20, 60, "no load")

        room = shutil.disk_usage(disk).free
        with open(disk / "filler", "wb") as filler:
            try:
                filler.write(b"\0" * (room - 300_000))
                filler.flush()
            except OSError:
                pass
        until(lambda: all(len(load.refused) > 3 for load in loads), 120, "never refused")
        answered = [len(load.answered) for load in loads]
        time.sleep(1)
        # Refused is refused: nobody gets through while there is no room.
        assert sum(len(load.answered) for load in loads) - sum(answered) <= CLIENTS
        assert gateway.get("/readyz")[0] == 503
        assert gateway.process.poll() is None

        os.remove(disk / "filler")
        answered = [len(load.answered) for load in loads]
        until(lambda: all(len(load.answered) > before + 10 for load, before in zip(loads, answered)),
              60, "does not recover")
        until(lambda: gateway.get("/readyz")[0] == 200, 30, "does not become ready")
        for load in loads:
            load.goes_on = False
        for load in loads:
            load.join()

        reasons = {reason for load in loads for reason in load.refused}
        print("refusals:", {(code, text.splitlines()[0]) for code, text in reasons})
        assert any("record" in text or "ledger" in text for _, text in reasons), reasons
        assert gateway.stop() == 0
        gateway.verify()
        texts = " ".join(record["data"]["command"]["text"] for record in gateway.records()
                         if record["kind"] == "command")
        for load in loads:
            missing = [name for name in load.answered if f"'{name}'" not in texts]
            assert not missing, missing[:5]
        # A read may be under way while its record is written: its answer was withheld. A change is
        # not sent before.
        told = [text for text in target.statements() if "'full_" in text]
        assert len(told) > 50
        unknown = [text for text in told if f"'{text.split(chr(39))[1]}'" not in texts]
        assert not [text for text in unknown if text.startswith("insert")]
        recoveries = [record for record in gateway.records() if record["kind"] == "recovery"]
        print(f"{len(told)} statements at the target, {len(unknown)} reads lost, "
              f"{len(recoveries)} recoveries")
        assert len(recoveries) >= 1
        assert len(unknown) <= CLIENTS * len(recoveries)
    finally:
        for load in loads:
            load.goes_on = False
        for load in loads:
            load.join()
        gateway.stop()
        target.remove()
