#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds an engine plug-in into .deps/engines/. A second run does nothing.

    tools/build_engine.py torchscript [--torch FOLDER]       with the system's libtorch, or the one in FOLDER
    tools/build_engine.py executorch [--package FILE.whl]    with the package that deps/deps.toml pins

--package names the pinned package where pip cannot fetch it; its sha256 must be the pinned one all the same.
"""
import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import fetch_deps

ROOT = fetch_deps.ROOT
HEADER = ROOT / "src" / "model" / "runtime" / "plugin" / "oree_engine.h"


def take(package, file):
    """A given package into the cache, when it is the pinned one."""
    found = fetch_deps.sha256_of(package)
    if found != file["sha256"]:
        sys.exit(f"build_engine: {package} has sha256 {found}, expected {file['sha256']}: not used")
    fetch_deps.CACHE.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(package, fetch_deps.CACHE / file["file"])


def executorch(package):
    """The CMake options, when the package lies in .deps/."""
    host = fetch_deps.platform.machine()
    deps = fetch_deps.load(ROOT / "deps" / "deps.toml")
    dep = next(d for d in deps if d["name"] == "executorch")
    file = fetch_deps.file_for(dep, host)
    if file is None:
        sys.exit(f"build_engine: there is no package of executorch for {host}")
    if package:
        take(package, file)
    try:
        fetch_deps.install(dep, host, ROOT / ".deps", deps, host)
    except fetch_deps.Missing as why:
        sys.exit(f"build_engine: {why}\nName the package with tools/build_engine.py executorch --package.")
    return [f"-DOREE_EXECUTORCH={ROOT / '.deps' / 'executorch'}", f"-DOREE_EXECUTORCH_VERSION={dep['version']}"]


def torchscript(folder):
    return [f"-DOREE_TORCH={folder.resolve()}"] if folder else []


def fingerprint(name, options):
    digest = hashlib.sha256("\n".join(options).encode())
    plugins = ROOT / "src" / "plugins"
    for path in (plugins / f"{name}.cc", plugins / "engine_side.h", plugins / "CMakeLists.txt", HEADER):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def build(name, options):
    engines = ROOT / ".deps" / "engines"
    library, stamp = engines / f"{name}.so", engines / f".{name}"
    wanted = fingerprint(name, options)
    if library.is_file() and stamp.is_file() and stamp.read_text() == wanted:
        return
    engines.mkdir(parents=True, exist_ok=True)
    print(f"compiling the plug-in {name}: about a minute", flush=True)
    with tempfile.TemporaryDirectory(prefix="oree-engine-") as folder:
        configure = ["cmake", "-S", ROOT / "src" / "plugins", "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                     f"-DOREE_ENGINE={name}", *options]
        if subprocess.run(configure, stdout=subprocess.DEVNULL).returncode != 0:
            sys.exit(f"build_engine: {name} cannot be built here; its libraries are not found (docs/engines.md)")
        subprocess.run(["cmake", "--build", folder], check=True, stdout=subprocess.DEVNULL)
        half = engines / f".{name}.half"
        shutil.copyfile(Path(folder) / f"{name}.so", half)
        os.replace(half, library)
    stamp.write_text(wanted)
    print(library)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("engine", choices=["torchscript", "executorch"])
    parser.add_argument("--torch", type=Path, default=os.environ.get("OREE_TORCH") and Path(os.environ["OREE_TORCH"]),
                        help="a folder with libtorch, instead of the system's; also by OREE_TORCH")
    parser.add_argument("--package", type=Path, help="executorch's pinned package, for a machine without a network")
    args = parser.parse_args()
    build(args.engine, torchscript(args.torch) if args.engine == "torchscript" else executorch(args.package))


if __name__ == "__main__":
    main()
