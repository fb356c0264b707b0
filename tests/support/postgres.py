"""A PostgreSQL of a test session: a server process on a loopback port, where its programs are installed."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def program(name: str) -> str | None:
    """Return where Debian, or the path, has a program of PostgreSQL's."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def is_installed() -> bool:
    return all(program(name) for name in ("initdb", "postgres", "psql"))


class Postgres:
    """A running server."""

    def __init__(self, port: int) -> None:
        self._command = [str(program("psql")), "-h", "127.0.0.1", "-p", str(port), "-U", "kapture", "-d", "postgres"]

    def run(self, sql: str) -> list[list[str]]:
        """Run SQL, which may have psql's ``\\copy``; return the rows, null as ``<null>``."""
        options = ["-v", "ON_ERROR_STOP=1", "-At", "-q", "-F", "\x1f", "-R", "\x1e", "-P", "null=<null>"]
        done = subprocess.run(
            [*self._command, *options], input=sql, capture_output=True, text=True, check=True, timeout=60
        )
        return [row.split("\x1f") for row in done.stdout.rstrip("\n").split("\x1e") if row]


@contextlib.contextmanager
def serving() -> Iterator[Postgres]:
    """Run a server with an empty database."""
    account: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="kapture-postgres-", ignore_cleanup_errors=True) as folder:
        if os.geteuid() == 0:  # it refuses to run as root
            nobody = pwd.getpwnam("nobody")
            account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        data = Path(folder) / "data"
        make = [str(program("initdb")), "-D", str(data), "--username=kapture", "--auth=trust", "--no-sync"]
        subprocess.run([*make, "--encoding=UTF8"], check=True, capture_output=True, cwd=folder, **account)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", "unix_socket_directories="]
        command = [str(program("postgres")), "-D", str(data), *options]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **account
        ) as server:
            try:
                _wait(server, port)
                yield Postgres(port)
            finally:
                server.terminate()


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    ready = [str(program("pg_isready") or "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"]
    while server.poll() is None:
        if subprocess.run(ready, check=False).returncode == 0:
            return
        time.sleep(0.1)  # it is another program: nothing else tells
    raise RuntimeError("PostgreSQL did not start")
