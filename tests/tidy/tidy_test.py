"""The tidy check has to fail where it should: each case is a small tree with one fault, and the line that names it."""

import pathlib
import tempfile
import unittest

from tidy import Tidy

LAYERS = "base:\nquery: base\nheader sqlite3.h src/query/src/sqlite\n"
QUERY = "athena_module(query DEPS base SOURCES a.cpp)\n"
LONG_FUNCTION = "void f(int a,\n       int b) {\n" + "  a += b;\n" * 70 + "}\n"
LONG_TABLE = "const int kTable[] = {\n" + "    1,\n" * 70 + "};\n"


def findings(files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {"tools/layers.txt": LAYERS, **files}.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Tidy(pathlib.Path(folder)).run()


def finding_in(source, name="src/query/src/a.cpp"):
    return findings({"src/query/CMakeLists.txt": QUERY, name: source})


class TidyTest(unittest.TestCase):
    def assert_found(self, found, place, text):
        self.assertEqual(1, len(found), found)
        self.assertTrue(found[0].startswith(place), found[0])
        self.assertIn(text, found[0])

    def test_clean_tree(self):
        source = "#include <athena/base/a.h>\n// printf is a word here, and so is \"{\"\nint f() { return '{'; }\n"
        self.assertEqual([], finding_in(source))

    def test_include_against_the_arrows(self):
        found = findings(
            {
                "src/base/CMakeLists.txt": "athena_module(base SOURCES a.cpp)\n",
                "src/base/src/a.cpp": "\n#include <athena/query/statement.h>\n",
            }
        )
        self.assert_found(found, "src/base/src/a.cpp:2:", "does not let base see it")

    def test_deps_against_the_arrows(self):
        found = findings({"src/base/CMakeLists.txt": "athena_module(base DEPS query)\n"})
        self.assert_found(found, "src/base/CMakeLists.txt:1:", "DEPS query")

    def test_third_party_header_away_from_home(self):
        self.assert_found(finding_in("#include <sqlite3.h>\n"), "src/query/src/a.cpp:1:", "src/query/src/sqlite")

    def test_third_party_header_at_home(self):
        files = {
            "src/query/CMakeLists.txt": "athena_module(query SOURCES sqlite/b.cpp)\n",
            "src/query/src/sqlite/b.cpp": "#include <sqlite3.h>\n",
        }
        self.assertEqual([], findings(files))

    def test_quotes_beyond_the_module(self):
        self.assert_found(finding_in('#include "../../base/src/a.h"\n'), "src/query/src/a.cpp:1:", "quotes are for")

    def test_bans(self):
        for source, text in (
            ("std::regex r;", "std::regex"),
            ("printf(a);", "printf"),
            ("std::snprintf(a);", "printf"),
            ("GTEST_SKIP();", "skipped"),
            ("// TO" "DO: later", "unfinished"),
        ):
            with self.subTest(source):
                self.assert_found(finding_in(source + "\n"), "src/query/src/a.cpp:1:", text)

    def test_python_that_skips(self):
        self.assert_found(findings({"tests/test_a.py": "@pytest.mark.skip\n"}), "tests/test_a.py:1:", "skipped")

    def test_using_namespace_in_a_header(self):
        found = finding_in("using namespace std;\n", "src/query/src/a.h")
        self.assert_found(found, "src/query/src/a.h:1:", "using namespace")

    def test_long_function(self):
        self.assert_found(finding_in("namespace a {\n" + LONG_FUNCTION + "}\n"), "src/query/src/a.cpp:2:", "73 lines")

    def test_long_table_is_no_function(self):
        self.assertEqual([], finding_in(LONG_TABLE))

    def test_long_file(self):
        self.assert_found(finding_in("int a;\n" * 801), "src/query/src/a.cpp:801:", "801 lines")

    def test_long_line(self):
        self.assert_found(finding_in("//" + "x" * 119 + "\n"), "src/query/src/a.cpp:1:", "121 columns")

    def test_source_that_no_target_lists(self):
        found = finding_in("int b;\n", "src/query/src/b.cpp")
        self.assert_found(found, "src/query/src/b.cpp:1:", "does not list it")

    def test_public_header_that_no_target_lists(self):
        found = finding_in("#pragma once\n", "src/query/include/athena/query/b.h")
        self.assert_found(found, "src/query/include/athena/query/b.h:1:", "does not list it")

    def test_gap_in_the_decisions(self):
        found = findings({"docs/adr/0001-a.md": "", "docs/adr/0003-b.md": ""})
        self.assert_found(found, "docs/adr/0003-b.md:1:", "0002-title.md")


if __name__ == "__main__":
    unittest.main()
