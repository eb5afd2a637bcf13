#!/usr/bin/env python3
"""Starts and stops the real servers that tests and benchmarks run against.

  tools/services.py start postgres|pgbouncer     starts it unless it runs, and prints where it is, as JSON
  tools/services.py stop [NAME…]                 stops what runs
  tools/services.py status [NAME…]

Each has a folder of its own below build/services (--dir), a free port on 127.0.0.1, and runs as an unprivileged user.
"""

import argparse
import contextlib
import fcntl
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
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


def unprivileged():
    """Arguments that run a command as nobody special: root becomes `postgres`, anybody else stays who they are."""
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


def give_away(folder):
    """The folder, and the way to it, belong to whom the server runs as."""
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port, process_is_alive, log):
    deadline = time.monotonic() + 30
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline or not process_is_alive():
                raise SystemExit(f"the server did not start; its log ends:\n{pathlib.Path(log).read_text()[-2000:]}")
        time.sleep(0.05)


def started_at(pid):
    """When the process began, in clock ticks since boot; None if it is gone, or dead and not yet reaped.

    Together with the pid it names one process: a pid alone may have become somebody else's.
    """
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def is_alive(pid):
    return started_at(pid) is not None


def terminate(pid, began):
    """Asks for a fast shutdown and waits; insists after a while."""
    deadline = time.monotonic() + 20
    with contextlib.suppress(ProcessLookupError):  # it may end while we look
        os.kill(pid, signal.SIGINT)
        while started_at(pid) == began:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


class Service:
    def __init__(self, base):
        # The unprivileged user must be able to get here; a checkout below a private home would stop it.
        self.folder = base / self.name
        self.state = self.folder / "state.json"

    def running(self):
        try:
            state = json.loads(self.state.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return state if started_at(state["pid"]) == state.get("began") else None

    def start(self):
        with self.alone():
            if state := self.running():
                return state
            self.clear()
            self.folder.mkdir(parents=True)
            give_away(self.folder)
            state = self.launch()
            state["began"] = started_at(state["pid"])
            self.state.write_text(json.dumps(state))
            return state

    def stop(self):
        with self.alone():
            if state := self.running():
                terminate(state["pid"], state["began"])
            self.clear()

    def clear(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def alone(self):
        """One start or stop at a time: two suites that begin together share one server."""
        with open(self.folder.parent / f"{self.name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


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


SERVICES = {service.name: service for service in (Postgres, PgBouncer)}


def default_folder():
    """Below build/services; for root below /tmp, because a checkout may lie where another user cannot go."""
    if os.geteuid() == 0:
        return pathlib.Path("/tmp") / ("athena-services-" + str(ROOT).strip("/").replace("/", "-"))
    return ROOT / "build" / "services"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["start", "stop", "status"])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(SERVICES)}; none: all of them")
    parser.add_argument("--dir", type=pathlib.Path, default=default_folder(), help="where their folders are")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(SERVICES):
        parser.error(f"unknown service: {', '.join(sorted(unknown))}; there are: {', '.join(SERVICES)}")
    names = arguments.names or list(SERVICES)
    arguments.dir.mkdir(parents=True, exist_ok=True)
    for name in reversed(names) if arguments.command == "stop" else names:
        service = SERVICES[name](arguments.dir)
        if arguments.command == "start":
            print(json.dumps(service.start()))
        elif arguments.command == "stop":
            service.stop()
        else:
            print(json.dumps({"name": name, **(service.running() or {"running": False})}))


if __name__ == "__main__":
    sys.exit(main())
