#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent needs no shared C++ library: libstdc++ goes in statically, and a second, shared one beside it would be a trap.
Shared are the C library and what the system's static OpenSSL compresses with: zlib, from Debian 13 on also zstd."""
import re
import subprocess
import sys
import unittest

AGENT = sys.argv.pop(1)


SHARED = ("libc", "libm", "libz", "libzstd")


class AgentLinks(unittest.TestCase):
    def test_only_the_c_library_and_compression_are_shared(self):
        dynamic = subprocess.run(["readelf", "-dW", AGENT], capture_output=True, text=True, check=True).stdout
        needed = re.findall(r"\(NEEDED\).*\[(.*?)\.so", dynamic)
        self.assertIn("libc", needed)
        self.assertEqual([], [name for name in needed if name not in SHARED and not name.startswith("ld-linux")])


if __name__ == "__main__":
    unittest.main()
