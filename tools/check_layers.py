#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds src/ to the architecture published in tools/layers.toml.

Fails on: an include against the order; a module without an entry, or an entry without a module; a permission that
nobody uses; a third-party header that the module has no leave for, or that a header passes on to other folders.
    check_layers.py [--root DIR] [--layers FILE]    --used prints what each module includes, in the file's own form
"""
import argparse
import re
import sys
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# The C++ standard library: a name without a dot; and the C one under its own names.
C_STANDARD = {f"{n}.h" for n in "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal "
              "stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time "
              "uchar wchar wctype".split()}


class Module:
    def __init__(self, name, entry):
        self.name = name
        self.entry = entry
        # What the sources include, apart for the tests: a test may more than the code beside it.
        self.used = {key: set() for key in ("may", "uses", "test_may", "test_uses")}
        self.has_sources = False


def module_of(path, modules):
    """The longest listed module that holds this path, or None."""
    folder = path.rpartition("/")[0]
    while folder:
        if folder in modules:
            return folder
        folder = folder.rpartition("/")[0]
    return None


def group_of(header, groups):
    return next((name for name, patterns in groups.items() if any(fnmatchcase(header, p) for p in patterns)), None)


def is_standard(header):
    return ("." not in header and "/" not in header) or header in C_STANDARD


def check_entries(layers):
    """The published order itself: a module may only what is listed above it, and some never see each other."""
    problems, above = [], []
    for name, entry in layers["modules"].items():
        unknown = set(entry) - {"may", "uses", "test_may", "test_uses"}
        problems += [f"{name}: unknown key '{key}'" for key in sorted(unknown)]
        for other in entry.get("may", []):
            if other not in above:
                problems.append(f"{name}: may not include {other}, which is not listed above it")
            for left, right in layers.get("apart", []):
                if (name.startswith(left) and other.startswith(right)) or (name.startswith(right) and other.startswith(left)):
                    problems.append(f"{name}: {left} and {right} never see each other, but it may include {other}")
        for other in entry.get("test_may", []):
            if other not in layers["modules"]:
                problems.append(f"{name}: test_may names {other}, which is no module")
        for group in entry.get("uses", []) + entry.get("test_uses", []):
            if group not in layers["third_party"]:
                problems.append(f"{name}: uses names {group}, which is no third-party group")
        above.append(name)
    return problems


def scan(src, modules, layers):
    """Reads every include of every source. Fills Module.used; returns the problems that need no permission to be wrong."""
    groups, plain, every_test = layers["third_party"], layers.get("plain", []), layers.get("every_test", [])
    problems, exposing, includers = [], {}, {}
    for path in sorted(p for p in src.rglob("*") if p.suffix in (".h", ".cc", ".c") and p.is_file()):
        rel = path.relative_to(src).as_posix()
        name = module_of(rel, modules)
        if name is None:
            problems.append(f"src/{rel}: lies in no module of the list")
            continue
        modules[name].has_sources = True
        # x_test.cc, and what only such files include.
        test = path.stem.endswith(("_test", "_fixture")) or path.stem.startswith("test_")
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            where, (quote, header) = f"src/{rel}:{number}", match.groups()
            if quote == '"':
                other = module_of(header, modules)
                if not (src / header).is_file():
                    problems.append(f"{where}: no file src/{header} (includes are written from src/)")
                includers.setdefault(header, set()).add((rel.rpartition("/")[0], where))
                if other != name and other is not None:
                    modules[name].used["test_may" if test else "may"].add((other, where))
            elif not is_standard(header):
                group = group_of(header, groups)
                if group is None:
                    problems.append(f"{where}: <{header}> belongs to no third-party group of the list")
                    continue
                if not (test and group in every_test):
                    modules[name].used["test_uses" if test else "uses"].add((group, where))
                if path.suffix == ".h" and group not in plain:
                    exposing[rel] = f"<{header}>"
    # A header of ours that shows somebody else's types is an inner one: only its own folder may include it.
    for rel, header in exposing.items():
        problems += [f"{where}: {rel} brings {header} along, so only its own folder may include it"
                     for folder, where in sorted(includers.get(rel, ())) if folder != rel.rpartition("/")[0]]
    return problems


def check_permissions(module):
    problems, entry = [], module.entry
    for key in ("may", "uses"):
        granted, test_granted = set(entry.get(key, [])), set(entry.get(f"test_{key}", []))
        code, tests = module.used[key], module.used[f"test_{key}"]
        problems += [f"{where}: {module.name} may not include {other}" for other, where in sorted(code)
                     if other not in granted]
        problems += [f"{where}: the tests of {module.name} may not include {other}" for other, where in sorted(tests)
                     if other not in granted | test_granted]
        problems += [f"{module.name}: nobody uses its permission {key} = {other}"
                     for other in sorted(granted - {o for o, _ in code})]
        problems += [f"{module.name}: no test uses its permission test_{key} = {other}"
                     for other in sorted(test_granted - {o for o, _ in tests})]
    return problems


def print_used(modules):
    for module in modules.values():
        print(f'[modules."{module.name}"]')
        order = list(modules)
        for key in ("may", "uses", "test_may", "test_uses"):
            names = {other for other, _ in module.used[key]}
            if key.startswith("test_"):
                names -= {other for other, _ in module.used[key.removeprefix("test_")]}
            names = sorted(names, key=lambda n: (order.index(n), n) if n in order else (0, n))
            if names:
                print(f"{key} = [{', '.join(repr(n) for n in names)}]".replace("'", '"'))
        print()


def check(root, layers_file):
    """All problems of a tree, and its modules."""
    layers = tomllib.loads(layers_file.read_text())
    src = root / "src"
    modules = {name: Module(name, entry) for name, entry in layers["modules"].items()}
    problems = check_entries(layers)
    problems += scan(src, modules, layers)
    problems += [f"{name}: listed, but there are no sources in src/{name}" for name, m in modules.items() if not m.has_sources]
    for module in modules.values():
        problems += check_permissions(module)
    named = {g for m in modules.values() for key in ("uses", "test_uses") for g in m.entry.get(key, [])}
    named |= set(layers.get("every_test", []))
    problems += [f"third_party: no module may use {group}" for group in layers["third_party"] if group not in named]
    return problems, modules


def main():
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description="Holds src/ to tools/layers.toml.")
    parser.add_argument("--root", type=Path, default=here.parent)
    parser.add_argument("--layers", type=Path, default=here / "layers.toml")
    parser.add_argument("--used", action="store_true", help="print what each module includes")
    args = parser.parse_args()
    problems, modules = check(args.root, args.layers)
    if args.used:
        return print_used(modules)
    for problem in problems:
        print(problem)
    print(f"layers: {len(modules)} modules, {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
