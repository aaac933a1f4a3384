#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does `oree tune` find what measuring everything finds, and what does it cost?

    python3 bench/tune/search.py [NAME ...] [--out out/bench/tune] [--repeat N] [--busy]

Each model is tuned with --exhaustive (every candidate in full: all samples, all rounds, all in one interleaved final) and then
as users tune it, both with --fresh. `slower`: how much slower the search's choice is than the fastest within the bound, both
from the exhaustive run's final. `cost`: seconds of the search over those of the exhaustive run; making the variants, which
is done once for both, not counted. `defaults`: each engine's own default with the float model over the choice, in the
search's final. --repeat: the search alone, N times: which choices, and how far they are apart; --busy: while another process
keeps one core busy.

In a virtualenv as for bench/peers/run.py; with jax and scipy for the trained networks.
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
from models import MODELS  # noqa: E402

OREE = pathlib.Path(os.environ.get("OREE_BIN", ROOT / "build/bin")) / "oree"
DEPS = pathlib.Path(os.environ.get("OREE_DEPS", ROOT / ".deps"))


def tune(model, options, folder, *more):
    command = [OREE, "tune", model, *options, "--out", folder, "--fresh", "--json", *more]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env={**os.environ, "OREE_DEPS": str(DEPS)})
    if done.returncode not in (0, 1) or not done.stdout:
        raise SystemExit(f"{' '.join(map(str, command))}: {done.stderr.strip()[-600:]}")
    return json.loads(done.stdout)


def name_of(candidate):
    file = pathlib.Path(candidate["model"]).name
    return f"{file} {candidate['runtime']} {candidate['threads']}T {candidate['precision']}"


def finals(result):
    return {name_of(c): c for c in result["candidates"] if c["measured"] == "final"}


def median(candidate):
    """Without what slowed all of its rounds: what candidates are compared by."""
    return candidate.get("drift_free_ms") or candidate["latency_ms"]["p50"]


def compare(name, out):
    model, options = MODELS[name](out, DEPS)
    folder = out / name
    full = tune(model, options, folder, "--exhaustive")
    (out / f"{name}-exhaustive.json").write_text(json.dumps(full, indent=1))
    quick = tune(model, options, folder)
    (out / f"{name}-search.json").write_text(json.dumps(quick, indent=1))
    good = {k: median(c) for k, c in finals(full).items() if c["within_bounds"]}
    best = min(good, key=good.get)
    if not quick["chosen"]:
        return f"| {name} | nothing chosen: {quick['verdict']} |"
    chosen = name_of(quick["chosen"])
    slower = f"{100 * (good[chosen] / good[best] - 1):.1f} %" if chosen in good else "not in the exhaustive final"
    cost = quick["cost"]["seconds"] / full["cost"]["seconds"]
    p50 = median(finals(quick)[chosen])
    defaults = ", ".join(f"{c['runtime']} {median(c) / p50:.2f}" for c in finals(quick).values() if c["engine_default"])
    measured = sum(c["measured"] != "no" for c in full["candidates"])
    return (f"| {name} | {measured} | {chosen} | {slower} | {quick['cost']['seconds']:.0f} of {full['cost']['seconds']:.0f} s | "
            f"{cost:.2f} | {defaults} |")


def repeat(name, out, times, busy):
    model, options = MODELS[name](out, DEPS)
    spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
    try:
        runs = [tune(model, options, out / name) for _ in range(times)]
    finally:
        if spinner:
            spinner.kill()
    chosen = collections.Counter(name_of(r["chosen"]) if r["chosen"] else "nothing" for r in runs)
    apart = []
    for result in runs:  # the most frequent choice over this run's, where both were in its final
        usual, at = finals(result).get(chosen.most_common(1)[0][0]), result["chosen"]
        if usual and at:
            apart.append(median(usual) / median(finals(result)[name_of(at)]))
    rows = "; ".join(f"{count} x {text}" for text, count in chosen.most_common())
    return f"| {name}{', busy' if busy else ''} | {rows} | {max(apart, default=float('nan')):.3f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", nargs="*", metavar="NAME", help=", ".join(MODELS))
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "out/bench/tune")
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--busy", action="store_true")
    arguments = parser.parse_args()
    unknown = set(arguments.what) - set(MODELS)
    if unknown:
        parser.error(f"no model {', '.join(unknown)}; there are {', '.join(MODELS)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.repeat:
        print("| model | choices | the usual one over another, at most |\n|---|---|---|")
    else:
        print("| model | candidates | chosen | slower | cost | share | defaults over it |\n|---|---|---|---|---|---|---|")
    for name in arguments.what or MODELS:
        if arguments.repeat:
            print(repeat(name, arguments.out, arguments.repeat, arguments.busy), flush=True)
        else:
            print(compare(name, arguments.out), flush=True)


if __name__ == "__main__":
    main()
