#!/usr/bin/env python3
"""Compares every #include "..." under src/ with the table of rooms: arrows point one way only.

Prints file:line for each include that goes the wrong way, and exits 1 if there is one.
"""
import pathlib
import re
import sys

# A room may include itself and the rooms of the rows below its own, and nothing else.
ROWS = [
    ["app"],
    ["admin", "cli"],
    ["protocol/postgres", "protocol/http"],
    ["protocol/postgres/sql"],
    ["protocol/postgres/catalog"],
    ["guard", "content"],
    ["policy", "approval", "ledger", "mask"],
    ["identity"],
    ["store"],  # tickets are kept there
    ["cedar", "http"],
    ["net"],
    ["core"],
    ["base"],
]
# These do no I/O, so net/ is out of their reach as well.
WITHOUT_IO = ["cedar", "content", "core", "http", "policy", "mask", "protocol/postgres/sql",
              "protocol/postgres/catalog"]
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
ROW_OF = {room: number for number, row in enumerate(ROWS) for room in row}


def room_of(path):
    """The longest room that the path lies in, or None."""
    return max((room for room in ROW_OF if path.startswith(room + "/")), key=len, default=None)


def allowed(room, target):
    if room == target:
        return True
    if target == "net" and room in WITHOUT_IO:
        return False
    return ROW_OF[room] < ROW_OF[target]


def main():
    src = pathlib.Path(__file__).resolve().parent.parent / "src"
    problems = 0
    for file in sorted(src.rglob("*")):
        if file.suffix not in (".h", ".cc", ".c"):
            continue
        name = file.relative_to(src).as_posix()
        room = room_of(name)
        if room is None:
            print(f"src/{name}:1: this folder is not in the table of rooms (scripts/layers.py)")
            problems += 1
            continue
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
            match = INCLUDE.match(line)
            target = match and room_of(match.group(1))
            if target and not allowed(room, target):
                print(f'src/{name}:{number}: {room} may not include {target} ("{match.group(1)}")')
                problems += 1
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
