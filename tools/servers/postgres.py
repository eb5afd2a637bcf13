"""PostgreSQL 15 of Debian's packages."""

import os
import pathlib
import subprocess

from servers.service import Service, free_port, give_away, is_alive, started_at, terminate, unprivileged, wait_for

POSTGRES_BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
POSTGRES_SETTINGS = """
listen_addresses = '127.0.0.1'
max_connections = 400
shared_buffers = 256MB
wal_level = logical
fsync = off
synchronous_commit = on
full_page_writes = off
log_line_prefix = '%m [%p] '
log_min_error_statement = error
timezone = 'UTC'
"""


class Postgres(Service):
    name = "postgres"

    def clear(self):
        """A start that was interrupted leaves a server that no state tells of; it works in its data folder."""
        data = self.folder / "data"
        try:
            pid = int((data / "postmaster.pid").read_text().splitlines()[0])
            if pathlib.Path(os.readlink(f"/proc/{pid}/cwd")) == data.resolve():
                terminate(pid, started_at(pid))
        except (OSError, ValueError, IndexError):
            pass
        super().clear()

    def launch(self):
        data, log, port = self.folder / "data", self.folder / "postgres.log", free_port()
        run = dict(check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=self.folder)
        subprocess.run(
            [
                *unprivileged(),
                POSTGRES_BIN / "initdb",
                "-A",
                "trust",
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
                "-D",
                data,
            ],
            **run,
        )
        settings = POSTGRES_SETTINGS + f"port = {port}\nunix_socket_directories = '{self.folder}'\n"
        with open(data / "postgresql.auto.conf", "a") as conf:
            conf.write(settings)
        subprocess.run([*unprivileged(), POSTGRES_BIN / "pg_ctl", "start", "-w", "-D", data, "-l", log], **run)
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        wait_for(port, lambda: is_alive(pid), log)
        return {"uri": f"postgres://postgres@127.0.0.1:{port}/postgres", "port": port, "pid": pid, "log": str(log)}
