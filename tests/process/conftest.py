"""Starts the binary (ATHENA_BINARY, else the release build) the way a person does, in an empty folder."""

import os
import pathlib
import queue
import re
import subprocess
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("ATHENA_BINARY", str(ROOT / "build/release/athena"))
PATIENCE = 60


class Server:
    """A running `athena server`: its banner line by line, its log, and how it ended."""

    def __init__(self, arguments, folder, environment):
        self.log_path = folder / f"log-{len(list(folder.glob('log-*')))}"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [BINARY, *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        self.banner = []
        while not self.banner or not self.banner[-1].startswith("  try "):
            line = self.lines.get(timeout=PATIENCE)
            assert line is not None, f"it ended with {self.process.wait()}: {self.log_path.read_text()}"
            self.banner.append(line)
        self.url = re.search(r"https?://\S+", self.line("listening"))[0]

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def line(self, name):
        return next(line[13:] for line in self.banner if line[2:13].strip() == name)

    def log(self):
        return self.log_path.read_text()

    def end(self, signal):
        self.process.send_signal(signal)
        return self.process.wait(timeout=PATIENCE)


class Place:
    """A folder, an environment without the tester's own, and what is started there."""

    def __init__(self, folder):
        self.folder, self.servers = folder, []
        self.environment = {"HOME": str(folder / "home"), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        for name in ("LLVM_PROFILE_FILE", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def serve(self, *arguments, command="server"):
        self.servers.append(Server([command, "--port", "0", *arguments], self.folder, self.environment))
        return self.servers[-1]

    def run(self, *arguments):
        return subprocess.run(
            [BINARY, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def write(self, name, text):
        (self.folder / name).write_text(text)
        return str(self.folder / name)


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    yield place
    for server in place.servers:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
