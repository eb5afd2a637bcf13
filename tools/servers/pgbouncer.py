"""PgBouncer 1.18 of Debian's packages."""

import pathlib
import shutil
import subprocess
import time

from servers.postgres import Postgres
from servers.service import Service, free_port, is_alive, unprivileged, wait_for


class PgBouncer(Service):
    """In transaction mode, in front of the PostgreSQL of this folder."""

    name = "pgbouncer"

    def launch(self):
        server = Postgres(self.folder.parent).start()
        port, log, conf = free_port(), self.folder / "pgbouncer.log", self.folder / "pgbouncer.ini"
        conf.write_text(f"""[databases]
* = host=127.0.0.1 port={server['port']}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
auth_file =
pool_mode = transaction
max_client_conn = 500
default_pool_size = 20
logfile = {log}
pidfile = {self.folder / 'pgbouncer.pid'}
""".replace("* = host", "postgres = user=postgres host"))
        subprocess.run(
            [*unprivileged(), shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", "-d", conf],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
        )
        pid_file, deadline = self.folder / "pgbouncer.pid", time.monotonic() + 10
        while not (pid_file.exists() and pid_file.read_text().strip()):
            if time.monotonic() > deadline:
                raise SystemExit(f"pgbouncer did not start; its log is {log}")
            time.sleep(0.02)
        pid = int(pid_file.read_text())
        wait_for(port, lambda: is_alive(pid), log)
        return {"uri": f"postgres://postgres@127.0.0.1:{port}/postgres", "port": port, "pid": pid, "log": str(log)}
