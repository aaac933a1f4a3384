#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Style as a test, for what a formatter does not see.

Every source has its licence line; no file is longer than a reader's patience; nothing names a machine's own path, or a
package registry's host (the registries' clients know those); no merge marker; text ends in one newline.
"""
import argparse
import re
import subprocess
import sys
from pathlib import Path

SOURCES = {".h", ".cc", ".c", ".py", ".sh", ".cmake"}
SOURCE_NAMES = {"CMakeLists.txt", "dev"}
LINES_MAX = 500
SPDX = "SPDX-License-Identifier: Apache-2.0"
# Written with [.] and [/] so that this file does not find itself.
NAMED = [
    (re.compile(r"pypi[.]org|pythonhosted[.]org|npmjs[.]org|registry[.]yarnpkg|repo1?[.]maven|crates[.]io|"
                r"proxy[.]golang|deb[.]debian[.]org|archive[.]ubuntu[.]com"), "names a package registry's host"),
    (re.compile(r"(?<![\w.$}/-])/(?:work|root|Users|home/\w+)/"), "names a path of one machine"),
    (re.compile(r"^(?:<{7}|>{7}) ", re.M), "has a merge marker"),
]


def is_source(path, text):
    return path.suffix in SOURCES or path.name in SOURCE_NAMES or text.startswith("#!")


def check_file(rel, data):
    """The problems of one file, each led by its place."""
    if b"\0" in data[:8192]:
        return []
    try:
        text = data.decode()
    except UnicodeDecodeError as e:
        return [f"{rel}: not UTF-8 at byte {e.start}"]
    problems = []
    if is_source(rel, text):
        if SPDX not in "\n".join(text.split("\n", 3)[:3]):
            problems.append(f"{rel}:1: no line '{SPDX}'")
        lines = text.count("\n")
        if lines > LINES_MAX:
            problems.append(f"{rel}: {lines} lines, at most {LINES_MAX}")
        if text and (not text.endswith("\n") or text.endswith("\n\n")):
            problems.append(f"{rel}:{lines + 1}: the file must end in one newline")
        for number, line in enumerate(text.splitlines(), 1):
            if line != line.rstrip():
                problems.append(f"{rel}:{number}: white space at the end")
    for pattern, what in NAMED:
        for match in pattern.finditer(text):
            number = text.count("\n", 0, match.start()) + 1
            problems.append(f"{rel}:{number}: {what}: {match.group()}")
    return problems


def files_of(root):
    """What git tracks; in a tree without git (a release archive), everything but what the build leaves."""
    try:
        out = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=True).stdout
        names = [Path(n) for n in out.decode().split("\0") if n]
    except (OSError, subprocess.CalledProcessError):
        names = [p.relative_to(root) for p in root.rglob("*") if p.is_file()]
        names = [n for n in names if n.parts[0] not in ("build", ".deps", "out", ".git")]
    return [n for n in names if (root / n).is_file()]


def main():
    parser = argparse.ArgumentParser(description="Checks what a formatter does not see.")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    args = parser.parse_args()
    files = files_of(args.root)
    problems = [problem for rel in files for problem in check_file(rel, (args.root / rel).read_bytes())]
    for problem in problems:
        print(problem)
    print(f"tidy: {len(files)} files, {len(problems)} problems")
    sys.exit(1 if problems or not files else 0)


if __name__ == "__main__":
    main()
