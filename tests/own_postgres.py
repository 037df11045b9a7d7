"""A PostgreSQL of a test's own, to be stopped, killed and looked at past the gateway."""

import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile

import psycopg

BIN = max((path for path in pathlib.Path("/usr/lib/postgresql").iterdir()
           if (path / "bin/initdb").exists()), key=lambda path: int(path.name)) / "bin"
MAJOR = int(BIN.parent.name)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class OwnPostgres:
    def __init__(self, settings=(), superuser="admin"):
        self.superuser = superuser
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-pg-"))
        self.user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.run("initdb", "-D", self.folder / "data", "-U", superuser, "-A", "trust", "-E", "UTF8",
                 "--locale=C", "-N")
        with open(self.folder / "data/postgresql.conf", "a") as config:
            config.write("listen_addresses='127.0.0.1'\nfsync=off\n"
                         "unix_socket_directories=''\nshared_buffers='16MB'\n")
            for line in settings:
                config.write(line + "\n")
        for attempts_left in (2, 1, 0):
            self.port = free_port()
            with open(self.folder / "data/postgresql.conf", "a") as config:
                config.write(f"port={self.port}\n")
            try:
                return self.start()
            except AssertionError:  # somebody took the port since
                if attempts_left == 0 or "could not bind" not in self.log():
                    raise

    def run(self, program, *arguments):
        done = subprocess.run([BIN / program, *map(str, arguments)], capture_output=True, text=True,
                              timeout=120, cwd=self.folder,
                              **({"user": self.user.pw_uid, "group": self.user.pw_gid,
                                  "extra_groups": []} if self.user else {}))
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self):
        self.run("pg_ctl", "-D", self.folder / "data", "-w", "-l", self.folder / "log", "start")

    def stop(self, mode="fast"):
        self.run("pg_ctl", "-D", self.folder / "data", "-w", "-m", mode, "stop")

    def connect(self, database="lab"):
        """Past the gateway, as the superuser."""
        return psycopg.connect(host="127.0.0.1", port=self.port, user=self.superuser, dbname=database,
                               autocommit=True)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def remove(self):
        try:
            self.stop("immediate")
        except AssertionError:
            pass
        shutil.rmtree(self.folder, ignore_errors=True)
