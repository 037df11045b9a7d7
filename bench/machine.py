"""What a run costs, seen from outside: CPU, memory and system calls of the processes of a target."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def process_tree(pids):
    """These processes and all their descendants that are alive."""
    found = []
    waiting = list(pids)
    while waiting:
        pid = waiting.pop()
        try:
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            continue
        found.append(pid)
        waiting += [int(child) for child in children]
    return found


def cpu_s(pids):
    """(user, system) seconds that these processes have used, of all their threads."""
    user = system = 0
    for pid in pids:
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        user += int(fields[11])
        system += int(fields[12])
    return user / TICKS_PER_S, system / TICKS_PER_S


def anonymous_kb(pids):
    """Memory that is the processes' own: no files, no kernel."""
    total = 0
    for pid in pids:
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += int(re.search(r"^Anonymous:\s+(\d+) kB", rollup, re.M).group(1))
    return total


def peak_kb(pids):
    """The most memory that each of the processes ever had, added."""
    return sum(int(re.search(r"^VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(),
                             re.M).group(1)) for pid in pids)


class SystemCalls:
    """The system calls of processes, by name, counted with strace."""

    def __init__(self):
        self.by_name = {}

    @contextlib.contextmanager
    def of(self, pids):
        """Counts for as long as the block lasts."""
        with tempfile.NamedTemporaryFile("r", prefix="strace-") as counts:
            command = ["strace", "-c", "-f", "-o", counts.name]
            for pid in pids:
                command += ["-p", str(pid)]
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL) as tracer:
                time.sleep(0.3)
                yield
                tracer.send_signal(signal.SIGINT)
                tracer.wait(30)
            for line in counts.read().splitlines():
                row = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line)
                if row and row.group(2) != "total":
                    self.by_name[row.group(2)] = int(row.group(1))


def describe():
    """The machine, for the head of a report."""
    def first(path, pattern):
        found = re.search(pattern, pathlib.Path(path).read_text(), re.M)
        return found.group(1).strip() if found else "unknown"

    def version(*command):
        done = subprocess.run(command, capture_output=True, text=True)
        lines = (done.stdout or done.stderr).strip().splitlines()
        return lines[0] if lines else "unknown"

    return {
        "processor": first("/proc/cpuinfo", r"^model name\s*:\s*(.+)$"),
        "cores": os.cpu_count(),
        "memory_gb": round(int(first("/proc/meminfo", r"^MemTotal:\s+(\d+) kB")) / 1e6),
        "kernel": os.uname().release,
        "system": first("/etc/os-release", r'^PRETTY_NAME="(.+)"$'),
        "load_at_start": os.getloadavg()[0],
        "pgbouncer": version("pgbouncer", "--version"),
        "haproxy": version("haproxy", "-v"),
        "pgbench": version("pgbench", "--version"),
    }
