"""What is done to a target: pgbench, one large result, many idle connections."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

import psycopg

from machine import SystemCalls, anonymous_kb, cpu_s, peak_kb
from targets import USER

READ = "\\set id random(1, 1000)\nselect total from orders where id = :id;\n"
# About as long as a fast and a slow sync of a disk: what a read does while its record is written.
WORK = {"short": READ,
        "long": "select count(*) from orders a, orders b where a.id <= 40 and a.total < b.total;\n"}

ANY_ROW = "\\set id random(1, 1000)\n"

SETTLE_S = 0.3


class Failed(Exception):
    """A run that gave no figure, and why."""


def percentile(ordered, part):
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def established(port):
    """Connections that this port has accepted and that are still there."""
    local, count = f":{port:04X}", 0
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        count += fields[1].endswith(local) and fields[3] == "01"
    return count


def await_clients(run, target, clients):
    """Until all of pgbench's clients have logged in: it connects one after the other."""
    end = time.monotonic() + 120
    while established(target.port) < clients and run.poll() is None:
        if time.monotonic() > end:
            raise Failed("pgbench's clients could not connect")
        time.sleep(0.02)
    time.sleep(SETTLE_S)


def pgbench(target, protocol, clients, seconds, script=READ, watch=contextlib.nullcontext):
    """One run. What is measured is a window inside it, after all logins and before the first
    goodbye: the CPU of the target's processes and the transactions that ended in that time.
    `watch(pids)` is a context manager that lasts as long as the window."""
    with tempfile.TemporaryDirectory(prefix="pgbench-") as folder:
        file = pathlib.Path(folder) / "script.sql"
        file.write_text(script)
        with subprocess.Popen(
                ["pgbench", "-n", "-M", protocol, "-c", str(clients), "-j", "1", "-T", "100000",
                 "-f", str(file), "-l", "--log-prefix", folder + "/log"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env=target.environment()) as run:
            try:
                await_clients(run, target, clients)
                pids = target.pids()
                with watch(pids):
                    before, began = cpu_s(pids), time.time()
                    time.sleep(seconds)
                    after, ended = cpu_s(pids), time.time()
                run.send_signal(signal.SIGALRM)  # its own way to end: it finishes and writes its log
                _, errors = run.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                raise Failed("pgbench hung")
            finally:
                if run.poll() is None:
                    run.kill()
        if run.returncode != 0:
            raise Failed(errors.strip().splitlines()[-1] if errors.strip() else "pgbench failed")
        micros = transactions_between(pathlib.Path(folder), began, ended)
    count = len(micros)
    if count == 0:
        raise Failed("no transaction ended in time")
    figures = {"transactions": count, "tps": count / (ended - began),
               "p50_us": percentile(micros, .5), "p99_us": percentile(micros, .99)}
    if target.name != "direct":
        user, system = ((b - a) * 1e6 / count for a, b in zip(before, after))
        figures |= {"cpu_us": user + system, "user_us": user}
    return figures


def transactions_between(folder, began, ended):
    """Latencies in microseconds, sorted, of the transactions that ended between two times."""
    micros = []
    for log in folder.glob("log*"):
        for line in log.read_text().splitlines():
            _, _, latency, _, seconds, fraction = line.split()[:6]
            if began <= int(seconds) + int(fraction) / 1e6 <= ended:
                micros.append(int(latency))
    return sorted(micros)


def system_calls(target, protocol, clients):
    """System calls per transaction; strace slows everything, so nothing else is measured here."""
    calls = SystemCalls()
    run = pgbench(target, protocol, clients, 2, watch=calls.of)
    per_call = sorted(((count / run["transactions"], name) for name, count in
                       calls.by_name.items()), reverse=True)
    return {"syscalls": sum(calls.by_name.values()) / run["transactions"],
            "by_name": {name: round(share, 2) for share, name in per_call[:6]}}


def connect(target):
    return psycopg.connect(host="127.0.0.1", port=target.port, user=USER,
                           dbname="shop", password=target.password, autocommit=True,
                           sslmode="disable", gssencmode="disable", connect_timeout=30)


# About 1 GB each, and what a detector has to do for it.
TEXTS = {"1 % of cells hit": "select one_in_100 from texts, generate_series(1, 100)",
         "no candidates": "select nothing from texts, generate_series(1, 100)"}
LARGE = {"select": "select id, name, note from customers",
         "copy": "copy customers (id, name, note) to stdout"}


def large_result(target, sql):
    """CPU seconds per GB of an answer, read as fast as it comes and thrown away."""
    query = sql.encode() + b"\0"
    pids = target.pids()
    with connect(target) as connection:
        stream = socket.socket(fileno=os.dup(connection.fileno()))
        stream.setblocking(True)
        stream.settimeout(600)
        buffer = bytearray(1 << 18)
        total, tail = 0, b""
        before, start = cpu_s(pids), time.monotonic()
        stream.sendall(b"Q" + (len(query) + 4).to_bytes(4, "big") + query)
        while tail != b"Z\0\0\0\5I":
            got = stream.recv_into(buffer)
            if got == 0:
                raise Failed("the connection was closed in the middle of the result")
            total += got
            tail = (tail + bytes(buffer[max(0, got - 6):got]))[-6:]
        elapsed, after = time.monotonic() - start, cpu_s(pids)
        stream.close()
    if total < 1_000_000:
        raise Failed("the result is an error")
    figures = {"mb": total / 1e6, "mb_s": total / 1e6 / elapsed}
    if target.name != "direct":
        figures["cpu_s_gb"] = (sum(after) - sum(before)) / (total / 1e9)
        figures["peak_mb"] = peak_kb(pids) / 1e3
    return figures


def seen(target, binary):
    """Scripts with the same work for the database, of a masked column and of one that is not: `masked`
    is rewritten by the gateway, `values` asks for the same expression of a table of which nothing is
    masked. `plain` is what a client would ask that table."""
    sql = "select email from customers where id = 1"
    with connect(target) as connection:
        connection.execute(sql)
    done = subprocess.run([binary, "ledger", "export", "--data", target.folder / "data", "--kind", "command"],
                          capture_output=True, text=True, check=True)
    commands = [json.loads(line)["data"]["command"] for line in done.stdout.splitlines()]
    executed = [one["executed"] for one in commands if one["text"] == sql][-1]
    assert '"public"."customers"' in executed
    by_hand = executed.replace('"public"."customers"', '"public"."people"')
    return {shown: ANY_ROW + text.replace("id = 1", "id = :id") + ";\n" for shown, text in {
        "values": by_hand, "masked": sql, "plain": sql.replace("customers", "people")}.items()}


def idle_connections(target, count):
    """Anonymous memory per connection that has run one query and does nothing since."""
    pids = target.pids()
    open_connections = []
    try:
        with connect(target) as first:  # what is made once
            first.execute("select total from orders where id = 1")
        time.sleep(0.5)
        before = anonymous_kb(pids)
        for _ in range(count):
            one = connect(target)
            one.execute("select total from orders where id = 1")
            open_connections.append(one)
        time.sleep(1)
        return {"kb": (anonymous_kb(pids) - before) / count}
    finally:
        for one in open_connections:
            one.close()
