"""A server with a folder, a free port and an unprivileged user of its own, and a state file that finds it again."""

import contextlib
import fcntl
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import time


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

    def saved(self):
        """What the last start left behind, whether or not it still runs."""
        try:
            return json.loads(self.state.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None

    def save(self, state):
        self.state.write_text(json.dumps(state))

    def running(self):
        state = self.saved()
        return state if state and started_at(state["pid"]) == state.get("began") else None

    def start(self):
        with self.alone():
            if state := self.running():
                return state
            self.clear()
            self.folder.mkdir(parents=True)
            give_away(self.folder)
            state = self.launch()
            state["began"] = started_at(state["pid"])
            self.save(state)
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
