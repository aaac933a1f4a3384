# SPDX-License-Identifier: Apache-2.0
"""The tidiness checker on files that are wrong in one way each."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import check_tidy  # noqa: E402

LICENCE = "// SPDX-License-Identifier: Apache-2.0\n"


class TidyTest(unittest.TestCase):
    def problems(self, name, text):
        return check_tidy.check_file(Path(name), text.encode())

    def test_a_tidy_source_has_no_problems(self):
        self.assertEqual(self.problems("a.cc", LICENCE + "int x;  // see /usr/lib, build/work/x and https://example.com/root/\n"), [])

    def test_a_source_without_its_licence_line_is_found(self):
        self.assertIn("no line", self.problems("a.cc", "int x;\n")[0])
        self.assertIn("no line", self.problems("run", "#!/bin/sh\ntrue\n")[0])
        self.assertEqual(self.problems("notes.md", "text\n"), [])

    def test_a_file_that_is_too_long_is_found(self):
        self.assertIn("502 lines", self.problems("a.cc", LICENCE + "\n" * 500 + "int x;\n")[0])

    def test_a_registry_host_and_a_machine_path_are_found_in_any_text(self):
        self.assertIn("registry", self.problems("notes.md", "from https://" + "pypi" + ".org/simple\n")[0])
        self.assertIn("a.cc:2: names a path of one machine: /" + "root/",
                      self.problems("a.cc", LICENCE + 'auto p = "/' + 'root/.cache";\n')[0])

    def test_white_space_at_the_end_is_found(self):
        self.assertEqual(len(self.problems("a.cc", LICENCE + "int x; \n")), 1)
        self.assertEqual(len(self.problems("a.cc", LICENCE + "int x;")), 1)

    def test_a_binary_file_is_left_alone(self):
        self.assertEqual(check_tidy.check_file(Path("a.bin"), b"\0\xff \n"), [])


if __name__ == "__main__":
    unittest.main()
