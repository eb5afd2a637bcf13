#!/usr/bin/env python3
"""Runs the test suites of a build and ends with one line: the sum of all cases, whatever framework counted them.

A suite that ran no case has failed, and so has a case that was skipped. Called by ./dev test and ./dev check.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[1]
CTEST_SUITES = ["tidy", "unit", "golden", "consumer"]
SUITES = CTEST_SUITES + ["process", "backends", "contract"]
SERVICES = {
    "process": [],
    "backends": ["postgres", "pgbouncer", "postgrest", "cassandra", "d1"],
    "contract": ["postgres", "postgrest", "cassandra", "d1"],
}


class Suites:
    def __init__(self, build, python):
        self.build, self.python = build, python
        self.results = build / "test-results"
        shutil.rmtree(self.results, ignore_errors=True)
        self.results.mkdir(parents=True)
        self.environment = dict(os.environ, ATHENA_BINARY=str(build / "athena"), ATHENA_BUILD=str(build))
        if "ATHENA_COVERAGE:BOOL=ON" in (build / "CMakeCache.txt").read_text():
            self.environment["LLVM_PROFILE_FILE"] = str(build / "profiles" / "%p-%m.profraw")
        self.services = Services(self.environment)

    def run(self, name):
        """Gives how many cases passed and how many did not."""
        if name in CTEST_SUITES:
            return self.run_ctest(name)
        passed, failed = (0, 0)
        environment = self.services.provide(SERVICES[name])
        if self.has_label(name):
            passed, failed = self.run_ctest(name, environment)
        if any((ROOT / "tests" / name).glob("test_*.py")):
            more_passed, more_failed = self.run_pytest(name, environment)
            passed, failed = passed + more_passed, failed + more_failed
        return passed, failed

    def ctest(self):
        shown = subprocess.run(
            ["ctest", "--test-dir", self.build, "--show-only=json-v1"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=True,
        )
        for test in json.loads(shown.stdout)["tests"]:
            labels = [p["value"] for p in test.get("properties", []) if p["name"] == "LABELS"]
            yield test["name"], labels[0] if labels else [], pathlib.Path(test.get("command", ["missing"])[0]).name

    def has_label(self, label):
        return any(label in labels for _, labels, _ in self.ctest())

    def run_ctest(self, label, environment=None):
        folder, report = self.results / label, self.results / f"{label}.xml"
        folder.mkdir()
        environment = dict(environment or self.environment, GTEST_OUTPUT=f"json:{folder}/")
        subprocess.run(
            [
                "ctest",
                "--test-dir",
                self.build,
                "-L",
                f"^{label}$",
                "--output-on-failure",
                "--no-tests=error",
                "-j",
                str(os.cpu_count()),
                "--output-junit",
                report,
            ],
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        if not report.exists():
            return 0, 1
        cases = xml.parse(report).getroot().iter("testcase")
        good_of = {case.get("name"): case.get("status") == "run" for case in cases}
        entries = {}  # by binary: it may be run by several entries of ctest
        for name, _, binary in self.ctest():
            if name in good_of:
                entries.setdefault(binary, []).append(good_of[name])
        passed = failed = 0
        for binary, states in entries.items():
            cases, good = count_gtest(folder, binary)
            if cases == 0 or (good == cases and not all(states)):  # no gtest, or it died before it could report
                cases, good = len(states), sum(states)
            passed, failed = passed + good, failed + cases - good
        return passed, failed

    def run_pytest(self, name, environment):
        report = self.results / f"pytest-{name}.xml"
        subprocess.run(
            [
                self.python,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                "--timeout=120",
                f"--junitxml={report}",
                ROOT / "tests" / name,
            ],
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        if not report.exists():
            return 0, 1
        suite = xml.parse(report).getroot().find("testsuite")
        cases, failures, errors, skipped = (int(suite.get(k)) for k in ("tests", "failures", "errors", "skipped"))
        bad = failures + errors + skipped
        return cases - bad, bad

    def write_coverage(self):
        profiles = [str(p) for p in (self.build / "profiles").glob("*.profraw")]
        merged, report = self.build / "merged.profdata", self.build / "report.txt"
        subprocess.run(
            ["llvm-profdata-19", "merge", "-o", merged, "-f", "-"], input="\n".join(profiles).encode(), check=True
        )
        binaries = [self.build / "athena", *sorted(self.build.glob("src/*/*_tests"))]
        objects = [word for binary in binaries[1:] for word in ("-object", binary)]
        with report.open("wb") as out:
            subprocess.run(
                ["llvm-cov-19", "report", binaries[0], *objects, f"-instr-profile={merged}", ROOT / "src"],
                stdout=out,
                check=True,
            )
        print(report.read_text().splitlines()[-1], f"\n{report}")


class Services:
    """The real servers of the suites, which find them in ATHENA_TEST_POSTGRES and the like."""

    def __init__(self, environment):
        self.environment, self.running = environment, {}

    def call(self, *words):
        done = subprocess.run(
            [sys.executable, ROOT / "tools/services.py", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=True,
        )
        return done.stdout.decode()

    def provide(self, names):
        """Starts what is missing, and stops what this suite has no use for."""
        for name in [name for name in reversed(self.running) if name not in names]:
            self.call("stop", name)
            del self.running[name]
        environment = dict(self.environment)
        for name in names:
            if name not in self.running:
                self.running[name] = json.loads(self.call("start", name))
            environment[f"ATHENA_TEST_{name.upper()}"] = self.running[name]["uri"]
            environment[f"ATHENA_TEST_{name.upper()}_LOG"] = self.running[name]["log"]
        return environment


def count_gtest(folder, binary):
    """How many cases the reports of one binary hold, and how many of them passed."""
    cases = []
    for report in folder.iterdir():
        if re.fullmatch(rf"{re.escape(binary)}(_\d+)?\.json", report.name):
            for suite in json.loads(report.read_text())["testsuites"]:
                cases += suite["testsuite"]
    return len(cases), sum(case["result"] == "COMPLETED" and "failures" not in case for case in cases)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has pytest")
    parser.add_argument("suites", nargs="*", help=", ".join(SUITES))
    arguments = parser.parse_args()
    names = arguments.suites or SUITES
    for name in names:
        if name not in SUITES:
            parser.error(f"unknown suite '{name}'; there are: {', '.join(SUITES)}")
    suites = Suites(arguments.build.resolve(), arguments.python)
    lines, passed, failed = [], 0, 0
    try:
        for name in names:
            print(f"\n══ {name}", flush=True)
            began = time.monotonic()
            good, bad = suites.run(name)
            if good + bad == 0:
                print(f"{name}: nothing ran, which is a failure")
                bad = 1
            lines.append(f"{name:<10} {good:>6} passed {bad:>4} failed {time.monotonic() - began:>7.1f} s")
            passed, failed = passed + good, failed + bad
    finally:
        suites.services.provide([])
    if "LLVM_PROFILE_FILE" in suites.environment:
        suites.write_coverage()
    print("\n══ sum\n" + "\n".join(lines) + f"\n{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
