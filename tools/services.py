#!/usr/bin/env python3
"""Starts and stops the real servers that tests and benchmarks run against.

  tools/services.py start NAME…                  starts it unless it runs, and prints where it is, as JSON
  tools/services.py stop [NAME…]                 stops what runs
  tools/services.py status [NAME…]
  tools/services.py node NAME NUMBER kill|start|pause|resume|join|leave     what happens to one machine of a cluster

Each has a folder of its own below build/services (--dir), a free port on 127.0.0.1, and runs as an unprivileged user.
"""

import argparse
import json
import os
import pathlib
import sys

from servers.cassandra import Cassandra, CassandraBench, CassandraCluster, CassandraSecure
from servers.d1 import D1
from servers.pgbouncer import PgBouncer
from servers.postgres import Postgres
from servers.postgrest import Postgrest

ROOT = pathlib.Path(__file__).resolve().parents[1]

KINDS = (Postgres, PgBouncer, Postgrest, Cassandra, CassandraSecure, CassandraCluster, CassandraBench, D1)
NODE_ACTIONS = ("kill", "start", "pause", "resume", "join", "leave")
SERVICES = {service.name: service for service in KINDS}


def default_folder():
    """Below build/services; for root below /tmp, because a checkout may lie where another user cannot go."""
    if os.geteuid() == 0:
        return pathlib.Path("/tmp") / ("athena-services-" + str(ROOT).strip("/").replace("/", "-"))
    return ROOT / "build" / "services"


def change_node(parser, arguments):
    clusters = [name for name, service in SERVICES.items() if getattr(service, "nodes", 1) > 1]
    match arguments.names:
        case [name, number, action] if name in clusters and number.isdigit() and action in NODE_ACTIONS:
            nodes = SERVICES[name].nodes
            known = [nodes + 1] if action in ("join", "leave") else range(1, nodes + 1)
            if int(number) not in known:
                parser.error(f"{name} has the nodes 1 to {nodes}; {nodes + 1} may join and leave")
            SERVICES[name](arguments.dir).node(int(number), action)
        case _:
            parser.error(f"node wants {' or '.join(clusters)}, a number, and one of {' '.join(NODE_ACTIONS)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["start", "stop", "status", "node"])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(SERVICES)}; none: all of them")
    parser.add_argument("--dir", type=pathlib.Path, default=default_folder(), help="where their folders are")
    arguments = parser.parse_args()
    if arguments.command == "node":
        return change_node(parser, arguments)
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
