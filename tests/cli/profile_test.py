# SPDX-License-Identifier: Apache-2.0
"""oree profile as a user calls it: what it prints, in text and as JSON. Models that are not fetched are skipped."""
import json
import os
import pathlib
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
OREE = pathlib.Path(os.environ.get("OREE_BIN", ROOT / "build/bin")) / "oree"
MODELS = pathlib.Path(os.environ.get("OREE_DEPS", ROOT / ".deps")) / "models"


def run(*args, status=0):
    done = subprocess.run([OREE, "profile", *map(str, args)], capture_output=True, text=True, timeout=200)
    if done.returncode != status:
        raise AssertionError(f"exit {done.returncode}, expected {status}: {done.stdout}{done.stderr}")
    return done


def model(name):
    if not (MODELS / name).exists():
        raise unittest.SkipTest(f"{name} is not fetched")
    return MODELS / name


class Profile(unittest.TestCase):
    def test_the_list_says_which_profile_this_machine_is(self):
        listed = json.loads(run("--json").stdout)
        names = [p["name"] for p in listed["profiles"]]
        self.assertEqual(sorted(names), sorted(p.stem for p in (ROOT / "profiles").glob("*.toml")))
        text = run().stdout
        for name in names:
            self.assertIn(name, text)
        here = listed["this_machine"]
        self.assertEqual(here["architecture"], os.uname().machine)
        self.assertIn(f"is {here['profile'] or 'of no profile'}.", text)
        self.assertIn("unmeasured", text)

    def test_one_in_full_shows_its_sources(self):
        for profile in json.loads(run("--json").stdout)["profiles"]:
            text = run("--device", profile["name"]).stdout
            self.assertEqual(json.loads(run("--device", profile["name"], "--json").stdout), profile)
            self.assertGreater(len(profile["sources"]), 0)
            for source in profile["sources"]:
                self.assertIn(source["title"], text)
            for engine in profile["engines"]:
                self.assertIn(engine["why"], text)

    def test_a_wrong_name_is_answered_with_the_nearest(self):
        self.assertIn("raspberry-pi-4", run("--device", "rasberry-pi-4", status=8).stderr)

    def test_the_detector_needs_a_single_board(self):
        detector = model("detector.tflite")
        done = json.loads(run(detector, "--json").stdout)["models"][0]
        self.assertEqual(done["level"], "single-board")
        by_name = {d["device"]: d for d in done["devices"] if not d["this_machine"]}
        self.assertEqual(by_name["raspberry-pi-4"]["verdict"], "fits")
        self.assertEqual(by_name["nucleo-l4r5zi"]["verdict"], "does_not_fit")
        low, high = (by_name["raspberry-pi-4"]["latency_estimate"][k] for k in ("ms_min", "ms_max"))
        self.assertLess(0, low)
        self.assertLess(low, high)
        self.assertTrue(all(d["measured"] is False for d in done["devices"]))
        self.assertIsNone(by_name["raspberry-pi-zero-2"]["latency_estimate"])
        text = run(detector).stdout
        self.assertIn("Level needed: single-board", text)
        self.assertIn("estimate", text)
        self.assertIn("does not fit nucleo-l4r5zi", run(detector, "--device", "nucleo-l4r5zi", status=1).stderr)

    def test_a_key_word_model_needs_a_microcontroller(self):
        done = json.loads(run(model("okay_nabu.tflite"), model("nmp.onnx"), "--json").stdout)["models"]
        self.assertEqual([m["level"] for m in done][0], "mcu")
        self.assertIn(done[1]["level"], ("mcu", "single-board"))


if __name__ == "__main__":
    unittest.main()
