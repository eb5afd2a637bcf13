#!/usr/bin/env python3
"""Runs the fuzzers of a build for a number of seconds each. Seeds: fuzz/corpus/<name>; findings: <build>/findings.

Called by ./dev test --fuzz SECONDS.
"""

import argparse
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def run(binary, build, seconds):
    learned, findings, seeds = (build / "corpus" / binary.name, build / "findings", ROOT / "fuzz/corpus" / binary.name)
    for folder in (learned, findings):
        folder.mkdir(parents=True, exist_ok=True)
    command = [
        binary,
        learned,
        *([seeds] if seeds.is_dir() else []),
        f"-max_total_time={seconds}",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        "-verbosity=0",
        f"-artifact_prefix={findings}/{binary.name}-",
    ]
    print(f"\n══ {binary.name}", flush=True)
    return subprocess.run(command, stdin=subprocess.DEVNULL).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    found = {p.name: p for p in sorted((build / "fuzz").iterdir()) if p.is_file() and os.access(p, os.X_OK)}
    names = arguments.names or list(found)
    for name in names:
        if name not in found:
            parser.error(f"unknown fuzzer '{name}'; there are: {', '.join(found)}")
    failed = [name for name in names if not run(found[name], build, arguments.seconds)]
    if not names:
        print("no fuzzer was built, which is a failure")
    for name in failed:
        print(f"{name}: see {build / 'findings'}")
    print(f"{len(names) - len(failed)} passed, {len(failed) or int(not names)} failed")
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main())
