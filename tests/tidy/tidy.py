#!/usr/bin/env python3
"""Holds the tree to the rules of ARCHITECTURE.md (Layers) and STYLE.md that a machine can check.

Prints one line for each finding, `file:line: what is wrong`, and exits 1 if there is any.
"""

import argparse
import os
import pathlib
import re
import sys

MAX_LINE, MAX_FUNCTION, MAX_FILE = 120, 70, 800
CPP, HEADERS, SCRIPTS = {".cpp", ".h"}, {".h"}, {".py", ".cmake", ".sh"}
SKIPPED = {"build", ".git", ".venv", "node_modules", "athena-data", "__pycache__"}
BANS = [  # pattern, what to do instead; C++ only
    (r"std::w?regex", "std::regex: parse by hand, or use a table"),
    (r"\bv?(?:f|s|sn|d)?printf\s*\(", "the printf family: use fmt or json::Writer"),
    (r"\bGTEST_SKIP\b", "a skipped test: a test that cannot run has to fail"),
]
PYTHON_BANS = [(r"\bpytest\.(?:skip|xfail|importorskip|mark\.(?:skip|skipif|xfail))\b", BANS[2][1])]
ALL_BANS = [(r"\b(?:TODO|FIXME|XXX)\b", "an unfinished line: finish it, or open an issue and leave no mark here")]
NOT_A_FUNCTION = re.compile(r"^(?:(?:inline|extern|export)\s+)*(?:namespace|class|struct|enum|union|extern)\b")
CONTROL = re.compile(r"^(?:else\s*)?(?:if|for|while|switch|catch|do|try)\b|^else$")
# Comments and literals: braces and words within them do not count. A quote after a word character separates digits.
NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\'', re.S)


class Tidy:
    def __init__(self, root):
        self.root, self.findings = root, []
        self.layers, self.homes = {}, []
        for line in (root / "tools/layers.txt").read_text().splitlines():
            if line.startswith("header "):
                _, pattern, *folders = line.split()
                self.homes.append((pattern, folders))
            elif line and not line.startswith("#"):
                module, _, below = line.partition(":")
                self.layers[module] = set(below.split())

    def report(self, path, line, text):
        self.findings.append(f"{path.relative_to(self.root)}:{line}: {text}")

    def files(self):
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(f for f in folders if f not in SKIPPED and not f.startswith("build"))
            for name in sorted(names):
                yield pathlib.Path(folder) / name

    def run(self):
        for path in self.files():
            is_list = path.name == "CMakeLists.txt"
            if path.suffix not in CPP | SCRIPTS and not is_list and path.name != "dev":
                continue
            text = path.read_text(errors="replace")
            self.check_lines(path, text)
            if is_list:
                self.check_deps(path, text)
            if path.suffix in CPP:
                self.check_includes(path, text)
                self.check_functions(path, text)
                self.check_listed(path)
        self.check_adr_numbers()
        return self.findings

    def module_of(self, path):
        parts = path.relative_to(self.root).parts
        return parts[1] if parts[0] == "src" and len(parts) > 2 else None

    def check_lines(self, path, text):
        lines = text.splitlines()
        if len(lines) > MAX_FILE:
            self.report(path, len(lines), f"{len(lines)} lines; a file has at most {MAX_FILE}")
        bans = ALL_BANS + (BANS if path.suffix in CPP else PYTHON_BANS if path.suffix == ".py" else [])
        if path.suffix in HEADERS:
            bans = bans + [(r"^\s*using namespace\b", "using namespace in a header")]
        is_own = path.is_relative_to(self.root / "tests/tidy")
        for number, line in enumerate(lines, 1):
            if len(line) > MAX_LINE:
                self.report(path, number, f"{len(line)} columns; a line has at most {MAX_LINE}")
            for pattern, what in bans if not is_own else []:
                if re.search(pattern, line):
                    self.report(path, number, what)

    def check_deps(self, path, text):
        for call in re.finditer(r"athena_module\(\s*(\w+)([^)]*)\)", text):
            module, words = call[1], call[2].split()
            if module not in self.layers:
                self.report(path, text[: call.start()].count("\n") + 1, f"module '{module}' is not in tools/layers.txt")
                continue
            in_deps = False
            for word in words:
                in_deps = word == "DEPS" if word.isupper() else in_deps
                if in_deps and word != "DEPS" and word not in self.layers[module]:
                    self.report(
                        path,
                        text[: call.start()].count("\n") + 1,
                        f"DEPS {word}: tools/layers.txt does not let {module} use it",
                    )

    def check_includes(self, path, text):
        module = self.module_of(path)
        if module is None:  # tests, fuzzers and benchmarks link what they look into
            return
        folder = path.relative_to(self.root).parent.as_posix()
        for number, line in enumerate(text.splitlines(), 1):
            include = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if not include:
                continue
            name = include[2]
            if include[1] == '"':
                if folder.split("/")[2] != "src" or not (self.root / "src" / module / "src" / name).is_file():
                    self.report(path, number, f'"{name}": quotes are for headers of src/{module}/src, used within it')
            elif name.startswith("athena/testing/") and path.stem.endswith(("_test", "_fixture")):
                continue  # fakes and peers are for tests, and tests alone
            elif name.startswith("athena/") and name.split("/")[1] not in self.layers.get(module, set()) | {module}:
                self.report(path, number, f"<{name}>: tools/layers.txt does not let {module} see it")
            for pattern, homes in self.homes:
                if name.startswith(pattern) and not any(f"{folder}/".startswith(f"{home}/") for home in homes):
                    self.report(path, number, f"<{name}>: its home is {' and '.join(homes)}")

    def check_functions(self, path, text):
        code = NOISE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
        code = re.sub(r"^\s*#(?:[^\n]*\\\n)*[^\n]*", lambda found: re.sub(r"[^\n]", " ", found[0]), code, flags=re.M)
        opened, statement = [], 0
        for found in re.finditer(r"[{};]", code):
            at = found.start()
            if found[0] == "{":
                head = code[statement:at]
                skipped = len(head) - len(head.lstrip())
                head = head.strip()
                is_function = ")" in head and not NOT_A_FUNCTION.match(head) and not CONTROL.match(head)
                opened.append((is_function, statement + skipped))
            elif found[0] == "}" and opened:
                is_function, start = opened.pop()
                first = code.count("\n", 0, start) + 1
                length = code.count("\n", 0, at) + 2 - first
                if is_function and length > MAX_FUNCTION:
                    self.report(path, first, f"a function of {length} lines; it has at most {MAX_FUNCTION}")
            statement = at + 1

    def check_listed(self, path):
        folder = path.parent
        while not (folder / "CMakeLists.txt").is_file():
            if folder == self.root:
                return self.report(path, 1, "no CMakeLists.txt above it lists it")
            folder = folder.parent
        words = set(re.findall(r"[\w./+-]+", (folder / "CMakeLists.txt").read_text()))
        relative = path.relative_to(folder).as_posix()
        is_private_header = path.suffix == ".h" and not relative.startswith("include/")
        names = {relative, relative.partition("/")[2], path.stem}
        if not is_private_header and not names & words:
            self.report(path, 1, f"{folder.relative_to(self.root) / 'CMakeLists.txt'} does not list it")

    def check_adr_numbers(self):
        pages = sorted((self.root / "docs/adr").glob("*.md"))
        for expected, page in enumerate(pages, 1):
            if not re.fullmatch(rf"{expected:04}-[a-z0-9-]+\.md", page.name):
                return self.report(page, 1, f"decisions are numbered without gaps: {expected:04}-title.md comes here")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    findings = Tidy(parser.parse_args().root.resolve()).run()
    print("\n".join(findings) if findings else "tidy")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
