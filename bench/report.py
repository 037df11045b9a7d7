"""The figures of a run as Markdown tables."""

import statistics


def both(rows, name, digits=1):
    """Minimum / median."""
    values = [row[name] for row in rows if name in row]
    if not values:
        return ""
    return f"{min(values):.{digits}f} / {statistics.median(values):.{digits}f}"


def middle(rows, name, digits=0):
    values = [row[name] for row in rows if name in row]
    return f"{statistics.median(values):,.{digits}f}" if values else ""


def grouped(figures, kind, *keys):
    """{key values: {target: rows}} in the order they were measured."""
    groups = {}
    for row in figures:
        if row["kind"] == kind:
            place = tuple(row[key] for key in keys)
            groups.setdefault(place, {}).setdefault(row["target"], []).append(row)
    return groups


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def failures(rows):
    return next((row["failed"] for row in rows if "failed" in row), "")


def ratio(rows, others):
    """Of the medians of CPU; the machine was the same for both in each round."""
    mine = [row["cpu_us"] for row in rows if "cpu_us" in row]
    theirs = [row["cpu_us"] for row in others if "cpu_us" in row]
    if not mine or not theirs or min(theirs) == 0:
        return ""
    return (f"{min(mine) / min(theirs):.2f} / "
            f"{statistics.median(mine) / statistics.median(theirs):.2f}")


def pgbench_table(figures, kind, backend, anchor="PgBouncer"):
    rows = []
    for (of, protocol, clients), by_target in grouped(figures, kind, "backend", "protocol",
                                                      "clients").items():
        if of != backend:
            continue
        others = next((by_target[name] for name in by_target if name.startswith(anchor)), [])
        for target, runs in by_target.items():
            rows.append([protocol, clients, target, middle(runs, "tps"), middle(runs, "p50_us"),
                         middle(runs, "p99_us"), both(runs, "cpu_us"), both(runs, "user_us"),
                         ratio(runs, others), failures(runs)])
    return rows and table(["protocol", "clients", "target", "TPS", "p50 us", "p99 us",
                           "CPU us/tx", "of it user", f"x {anchor}", ""], rows)


def masked_table(figures):
    rows = []
    targets = grouped(figures, "masked", "target")
    for (target,), by_target in targets.items():
        runs = {shown: [row for row in by_target[target] if row["shown"] == shown]
                for shown in ("values", "masked", "plain")}
        for shown, mine in runs.items():
            rows.append([target, shown, middle(mine, "tps"), both(mine, "cpu_us"),
                         both(mine, "user_us"), ratio(mine, runs["values"]), failures(mine)])
    return rows and table(["target", "shown", "TPS", "CPU us/tx", "of it user", "x values", ""],
                          rows)


def large_table(figures):
    rows = []
    for (how,), by_target in grouped(figures, "large", "how").items():
        for target, runs in by_target.items():
            rows.append([how, target, middle(runs, "mb"), middle(runs, "mb_s"),
                         both(runs, "cpu_s_gb", 2), failures(runs)])
    return rows and table(["how", "target", "MB", "MB/s", "CPU s/GB", ""], rows)


def detectors_table(figures):
    """What looking through adds, by the least disturbed rounds: GB that one core looks through in a second."""
    rows = []
    for (of,), by_target in grouped(figures, "detectors", "of").items():
        least = {target: min((row["cpu_s_gb"] for row in runs if "cpu_s_gb" in row), default=0)
                 for target, runs in by_target.items()}
        off = next((cpu for target, cpu in least.items() if target.endswith("off")), 0)
        for target, runs in by_target.items():
            added = least[target] - off
            peak = max((row["peak_mb"] for row in runs if "peak_mb" in row), default=0)
            rows.append([of, target, middle(runs, "mb"), middle(runs, "mb_s"), both(runs, "cpu_s_gb", 2),
                         f"{1 / added:.2f}" if added > 0 else "", f"{peak:.0f}", failures(runs)])
    return rows and table(["text", "target", "MB", "MB/s", "CPU s/GB", "GB/s of the detectors",
                           "peak memory MB", ""], rows)


def syscalls_table(figures):
    rows = []
    for (protocol, clients), by_target in grouped(figures, "syscalls", "protocol",
                                                  "clients").items():
        for target, runs in by_target.items():
            names = ", ".join(f"{name} {share}" for name, share in
                              runs[0].get("by_name", {}).items())
            rows.append([protocol, clients, target, middle(runs, "syscalls", 2), names,
                         failures(runs)])
    return rows and table(["protocol", "clients", "target", "per tx", "which", ""], rows)


def memory_table(figures):
    rows = [[row["target"], f"{row['kb']:.1f}" if "kb" in row else "", row.get("failed", "")]
            for row in figures if row["kind"] == "memory"]
    return rows and table(["target", "KB per idle connection", ""], rows)


def durable_table(figures):
    rows = []
    for (work, clients), by_target in grouped(figures, "durable", "work", "clients").items():
        for target, runs in by_target.items():
            rows.append([work, clients, target, middle(runs, "tps"), middle(runs, "p50_us"),
                         middle(runs, "p99_us"), failures(runs)])
    return rows and table(["work of the target", "clients", "target", "TPS", "p50 us", "p99 us",
                           ""], rows)


def render(about, figures):
    machine = about["machine"]
    parts = [f"Measured on {about['started_at']} UTC at {about['commit']}, {about['took_s']} s: "
             f"{about['rounds']} rounds of {about['seconds']} s over all targets in turn.\n",
             f"Machine: {machine['cores']} cores of {machine['processor']}, "
             f"{machine['memory_gb']} GB, {machine['system']}, kernel {machine['kernel']}, load "
             f"{machine['load_at_start']:.1f} at the start; {machine['pgbouncer']}; "
             f"{machine['haproxy']}; {machine['pgbench']}.\n"]
    tables = [
        ("Fake server: the proxy's own cost", pgbench_table(figures, "pgbench", "fake")),
        ("PostgreSQL, 1,000 hot rows", pgbench_table(figures, "pgbench", "postgres")),
        ("A masked column, the same expression of a table without masks, and its plain column (prepared, 8 clients)", masked_table(figures)),
        ("PostgreSQL with TLS on the client's side", pgbench_table(figures, "tls", "postgres")),
        ("A large result", large_table(figures)),
        ("1 GB through the detectors", detectors_table(figures)),
        ("System calls per transaction (strace)", syscalls_table(figures)),
        ("Memory per idle connection", memory_table(figures)),
        ("What durable reads add (prepared)", durable_table(figures)),
    ]
    parts += [f"## {title}\n\n{text}" for title, text in tables if text]
    return "\n".join(parts)
