# SPDX-License-Identifier: Apache-2.0
"""The layer checker on small trees, each broken in one way."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import check_layers  # noqa: E402

LAYERS = """
apart = [["device/", "fleet/"]]
[third_party]
fmt = ["fmt/*"]
[modules."core/base"]
[modules."core/base/fake"]
may = ["core/base"]
[modules."device/agent"]
may = ["core/base"]
uses = ["fmt"]
test_may = ["core/base/fake"]
[modules."fleet/server"]
may = ["core/base"]
"""

TREE = {
    "core/base/a.h": "#include <vector>\n#include <stdint.h>\n",
    "core/base/fake/f.h": '#include "core/base/a.h"\n',
    "device/agent/x.h": '#include "core/base/a.h"\n',
    "device/agent/x.cc": '#include "device/agent/x.h"\n#include <fmt/format.h>\n',
    "device/agent/x_test.cc": '#include "core/base/fake/f.h"\n',
    "fleet/server/s.cc": '#include "core/base/a.h"\n',
}


class LayersTest(unittest.TestCase):
    def problems(self, layers=LAYERS, **changes):
        """The problems of TREE with some files replaced (None: removed); __ in a key stands for /, and _dot_ for a dot."""
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            tree = TREE | {k.replace("__", "/").replace("_dot_", "."): v for k, v in changes.items()}
            for rel, text in tree.items():
                if text is not None:
                    path = root / "src" / rel
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(text)
            (root / "layers.toml").write_text(layers)
            return check_layers.check(root, root / "layers.toml")[0]

    def assert_found(self, text, problems):
        self.assertTrue(any(text in p for p in problems), f"no problem says '{text}': {problems}")

    def test_a_tree_that_keeps_the_order_has_no_problems(self):
        self.assertEqual(self.problems(), [])

    def test_an_include_that_the_list_does_not_grant_is_found_with_its_line(self):
        found = self.problems(fleet__server__s_dot_cc='#include "core/base/a.h"\n#include "device/agent/x.h"\n')
        self.assertEqual(found, ["src/fleet/server/s.cc:2: fleet/server may not include device/agent"])

    def test_code_may_not_include_what_only_tests_may(self):
        found = self.problems(device__agent__x_dot_h='#include "core/base/a.h"\n#include "core/base/fake/f.h"\n')
        self.assert_found("device/agent may not include core/base/fake", found)

    def test_a_permission_against_the_order_is_found(self):
        found = self.problems(LAYERS.replace('[modules."core/base"]', '[modules."core/base"]\nmay = ["fleet/server"]'))
        self.assert_found("core/base: may not include fleet/server, which is not listed above it", found)

    def test_two_sides_that_stay_apart_cannot_be_joined_by_a_permission(self):
        found = self.problems(LAYERS.replace('[modules."fleet/server"]\nmay = [', '[modules."fleet/server"]\nmay = ["device/agent", '))
        self.assert_found("device/ and fleet/ never see each other", found)

    def test_a_module_without_an_entry_is_found(self):
        self.assert_found("src/os/net.cc: lies in no module", self.problems(os__net_dot_cc="int x;\n"))

    def test_an_entry_without_a_module_is_found(self):
        self.assert_found("fleet/server: listed, but there are no sources", self.problems(fleet__server__s_dot_cc=None))

    def test_a_permission_that_nobody_uses_is_found(self):
        self.assert_found("fleet/server: nobody uses its permission may = core/base",
                          self.problems(fleet__server__s_dot_cc="int x;\n"))
        self.assert_found("device/agent: no test uses its permission test_may", self.problems(device__agent__x_test_dot_cc=""))

    def test_a_third_party_header_without_leave_is_found(self):
        found = self.problems(fleet__server__s_dot_cc='#include "core/base/a.h"\n#include <fmt/format.h>\n')
        self.assertEqual(found, ["src/fleet/server/s.cc:2: fleet/server may not include fmt"])

    def test_a_header_with_a_third_party_header_stays_in_its_folder(self):
        self.assertEqual(self.problems(device__agent__x_dot_h='#include "core/base/a.h"\n#include <fmt/format.h>\n'), [])
        found = self.problems(device__agent__x_dot_h='#include "core/base/a.h"\n#include <fmt/format.h>\n',
                              device__agent__sub__y_dot_cc='#include "device/agent/x.h"\n')
        self.assertEqual(found, ["src/device/agent/sub/y.cc:1: device/agent/x.h brings <fmt/format.h> along, "
                                 "so only its own folder may include it"])

    def test_an_unknown_third_party_header_is_found(self):
        self.assert_found("<curl/curl.h> belongs to no third-party group",
                          self.problems(device__agent__y_dot_cc="#include <curl/curl.h>\n"))

    def test_an_include_that_is_not_written_from_src_is_found(self):
        self.assert_found("no file src/x.h", self.problems(device__agent__y_dot_cc='#include "x.h"\n'))


if __name__ == "__main__":
    unittest.main()
