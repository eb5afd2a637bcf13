"""The scripted PostgREST of tests/peers, over the PostgreSQL of this folder."""

import os
import pathlib
import shutil
import subprocess

from servers.postgres import Postgres
from servers.service import Service, free_port, wait_for

PEERS = pathlib.Path(__file__).resolve().parents[2] / "tests" / "peers"
KEY = "the-key-of-the-test-peer"


class Postgrest(Service):
    """Its address is the root of the database `postgres`; `/db/NAME` in the place of `/db/postgres` is another's."""

    name = "postgrest"

    def launch(self):
        server = Postgres(self.folder.parent).start()
        port, log = free_port(), self.folder / "postgrest.log"
        # A copy, because whoever it runs as may not be able to go where the sources are.
        for source in PEERS.glob("postgrest*.py"):
            shutil.copy(source, self.folder)
        identity = dict(user="postgres", group="postgres", extra_groups=[]) if os.geteuid() == 0 else {}
        with open(log, "wb") as out:
            process = subprocess.Popen(
                ["/usr/bin/python3", self.folder / "postgrest.py", "--port", str(port), "--postgres", server["uri"],
                 "--key", KEY],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,
                **identity,
            )
        wait_for(port, lambda: process.poll() is None, log)
        return {
            "uri": f"postgrest+http://{KEY}@127.0.0.1:{port}/db/postgres",
            "port": port,
            "pid": process.pid,
            "log": str(log),
        }
