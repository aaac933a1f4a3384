# SPDX-License-Identifier: Apache-2.0
"""The documentation says what the code says: exit statuses, relative links."""
import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class DocsTest(unittest.TestCase):
    def test_the_exit_codes_are_those_of_the_code(self):
        source = (ROOT / "src/core/base/result.cc").read_text()
        names = dict(re.findall(r'case Code::(k\w+): return "(\w+)";', source))
        code = {names[k]: int(v) for k, v in re.findall(r"case Code::(k\w+): return (\d+);", source)}
        table = (ROOT / "docs/exit-codes.md").read_text()
        documented = {name: int(number) for number, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", table, re.M)}
        self.assertGreater(len(code), 5)
        self.assertEqual(code, documented)

    def test_every_relative_link_leads_somewhere(self):
        pages = [p for p in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]]
        self.assertGreater(len(pages), 3)
        dead = []
        for page in pages:
            for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
                if "://" not in link and not (page.parent / link).exists():
                    dead.append(f"{page.relative_to(ROOT)} -> {link}")
        self.assertEqual(dead, [])


if __name__ == "__main__":
    unittest.main()
