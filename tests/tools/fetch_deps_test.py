# SPDX-License-Identifier: Apache-2.0
"""What the fetch script does with what it is given, without a network: the cache already holds a small archive."""
import hashlib
import io
import os
import sys
import tarfile
import tempfile
import unittest
import zipfile
from contextlib import redirect_stdout
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import fetch_deps  # noqa: E402


def no_client(*_):
    raise fetch_deps.Missing("no network in this test")


class FetchDepsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(setattr, fetch_deps, "CACHE", fetch_deps.CACHE)
        self.addCleanup(setattr, fetch_deps, "FETCH", fetch_deps.FETCH)
        fetch_deps.CACHE = Path(folder.name) / "cache"
        fetch_deps.CACHE.mkdir()
        fetch_deps.FETCH = {"pip": no_client}
        self.dest = Path(folder.name) / "deps"

    def dep(self, unpack, files, file="thing-1-py3-none-any.whl"):
        """An entry whose archive lies in the cache."""
        path = fetch_deps.CACHE / file
        if file.endswith(".whl"):
            with zipfile.ZipFile(path, "w") as z:
                for name, data in files.items():
                    z.writestr(name, data)
        else:
            with tarfile.open(path, "w:gz") as t:
                for name, data in files.items():
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    t.addfile(member, io.BytesIO(data))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return {"name": "thing", "package": "thing", "version": "1", "client": "pip", "licence": "MIT", "reason": "a test",
                "files": {"any": {"file": file, "sha256": digest}}, "unpack": unpack}

    def install(self, dep):
        with redirect_stdout(io.StringIO()) as out:
            fetch_deps.install(dep, "x86_64", self.dest, [dep], "x86_64")
        return out.getvalue()

    def test_files_are_laid_out_by_the_rules(self):
        self.install(self.dep([{"from": "p/lib*.so", "to": "lib/"}, {"from": "p/data", "to": "cut", "bytes": [2, 5]},
                               {"from": "p/tree/**", "to": "t/"}],
                              {"p/libx.so": b"x", "p/sub/liby.so": b"y", "p/data": b"0123456", "p/tree/a/b": b"ab"}))
        self.assertEqual((self.dest / "lib/libx.so").read_bytes(), b"x")
        self.assertFalse((self.dest / "lib/liby.so").exists())
        self.assertEqual((self.dest / "cut").read_bytes(), b"234")
        self.assertEqual((self.dest / "t/a/b").read_bytes(), b"ab")

    def test_a_tgz_is_unpacked_like_a_wheel(self):
        self.install(self.dep([{"from": "package/m", "to": "models/"}], {"package/m": b"model"}, "thing-1.tgz"))
        self.assertEqual((self.dest / "models/m").read_bytes(), b"model")

    def test_a_source_package_is_unpacked_too(self):
        self.install(self.dep([{"from": "thing-1/src/**", "to": "source/"}], {"thing-1/src/a/b.h": b"b"}, "thing-1.tar.gz"))
        self.assertEqual((self.dest / "source/a/b.h").read_bytes(), b"b")

    def test_pip_is_told_a_source_packages_version_instead_of_running_it(self):
        """What pip calls in place of the package's own setup, as pip calls it."""
        asked = {}

        def client(command, work, **environment):
            asked["command"] = command
            sys.path.insert(0, environment["PYTHONPATH"])
            kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "setuptools"}
            with mock.patch.dict(os.environ, environment):
                import setuptools.build_meta as backend
                self.assertEqual(backend.get_requires_for_build_wheel(), [])
                folder = backend.prepare_metadata_for_build_wheel(str(work))
            sys.path.remove(environment["PYTHONPATH"])
            for name in [n for n in sys.modules if n.split(".")[0] == "setuptools"]:
                del sys.modules[name]
            sys.modules.update(kept)
            asked["metadata"] = (work / folder / "METADATA").read_text()

        work = Path(tempfile.mkdtemp(dir=self.dest.parent))
        with mock.patch.object(fetch_deps, "run_client", client):
            fetch_deps.fetch_source({"package": "thing", "version": "1.2"}, {"file": "thing-1.2.tar.gz", "sha256": "0" * 64}, work,
                                    "python3")
        self.assertIn("Name: thing\nVersion: 1.2\n", asked["metadata"])
        self.assertEqual((work / "wanted.txt").read_text(), f"thing==1.2 --hash=sha256:{'0' * 64}\n")
        self.assertIn("--no-build-isolation", asked["command"])

    def test_the_second_run_does_nothing_until_a_file_is_lost(self):
        dep = self.dep([{"from": "a", "to": "x/"}], {"a": b"a"})
        self.assertIn("1 files", self.install(dep))
        self.assertEqual(self.install(dep), "")
        (self.dest / "x/a").unlink()
        self.assertIn("1 files", self.install(dep))

    def test_a_new_version_takes_the_files_of_the_old_one_away(self):
        self.install(self.dep([{"from": "lib.so.1", "to": "x/"}], {"lib.so.1": b"1"}))
        self.install(self.dep([{"from": "lib.so.2", "to": "x/"}], {"lib.so.2": b"2"}))
        self.assertEqual([p.name for p in (self.dest / "x").iterdir()], ["lib.so.2"])

    def test_a_cached_file_with_another_digest_is_never_opened(self):
        dep = self.dep([{"from": "a", "to": "x/"}], {"a": b"a"})
        with open(fetch_deps.CACHE / "thing-1-py3-none-any.whl", "ab") as f:
            f.write(b"!")
        with self.assertRaisesRegex(fetch_deps.Missing, "no network"):
            self.install(dep)
        self.assertFalse(self.dest.exists())

    def test_a_fetched_file_with_another_digest_is_refused(self):
        dep = self.dep([{"from": "a", "to": "x/"}], {"a": b"a"})
        (fetch_deps.CACHE / "thing-1-py3-none-any.whl").unlink()

        def forged(_dep, file, work, *_):
            (work / file["file"]).write_bytes(b"forged")
            return work / file["file"]

        fetch_deps.FETCH = {"pip": forged}
        with self.assertRaisesRegex(fetch_deps.Missing, "not used"):
            self.install(dep)
        self.assertEqual(list(fetch_deps.CACHE.iterdir()), [])

    def test_an_archive_cannot_write_outside_the_destination(self):
        with self.assertRaisesRegex(SystemExit, "would leave"):
            self.install(self.dep([{"from": "p/**", "to": "x/"}], {"p/../../evil": b"e"}))

    def test_an_entry_of_a_group_comes_only_when_it_is_named(self):
        engine, digits, tool = {"name": "engine"}, {"name": "digits", "group": "bench"}, {"name": "node", "tool": True}
        self.assertEqual([fetch_deps.wanted(d, None) for d in (engine, digits, tool)], [True, False, False])
        self.assertEqual([fetch_deps.wanted(d, ["digits"]) for d in (engine, digits, tool)], [False, True, False])

    def test_the_real_list_is_complete_and_names_digests(self):
        for dep in fetch_deps.load(ROOT / "deps" / "deps.toml"):
            for file in dep["files"].values():
                self.assertRegex(file["sha256"], "^[0-9a-f]{64}$")
            self.assertTrue("any" in dep["files"] or {"x86_64", "aarch64"} <= set(dep["files"]), dep["name"])


if __name__ == "__main__":
    unittest.main()
