#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fetches ncnn's source as deps/deps.toml pins it, and builds .deps/ncnn/libncnn.so. A second run does nothing.

    tools/build_ncnn.py [--source ncnn-1.0.20261020.tar.gz]

--source names the archive where pip cannot fetch it; its sha256 must be the pinned one all the same.
"""
import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import fetch_deps

# For the CPU, as a shared library with the C interface, without what only tools and tests need.
OPTIONS = {"CMAKE_BUILD_TYPE": "Release", "NCNN_SHARED_LIB": "ON", "NCNN_C_API": "ON", "NCNN_OPENMP": "ON",
           "NCNN_VULKAN": "OFF", "NCNN_BUILD_TOOLS": "OFF", "NCNN_BUILD_EXAMPLES": "OFF", "NCNN_BUILD_BENCHMARK": "OFF",
           "NCNN_BUILD_TESTS": "OFF", "NCNN_PYTHON": "OFF",
           # Kernels are chosen at run time, so each variant is compiled. Those left out are for bfloat16, which is never
           # asked for, and for instructions that hardly a processor has.
           "NCNN_BF16": "OFF", "NCNN_XOP": "OFF", "NCNN_AVX512FP16": "OFF", "NCNN_AVXNECONVERT": "OFF",
           "NCNN_AVXVNNIINT8": "OFF", "NCNN_AVXVNNIINT16": "OFF"}


def take(archive, file):
    """A given archive into the cache, when it is the pinned one."""
    found = fetch_deps.sha256_of(archive)
    if found != file["sha256"]:
        sys.exit(f"build_ncnn: {archive} has sha256 {found}, expected {file['sha256']}: not used")
    fetch_deps.CACHE.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(archive, fetch_deps.CACHE / file["file"])


def build(source, folder, version):
    # The source takes the day of the build for its version unless it is told.
    options = OPTIONS | {"NCNN_VERSION": version.rpartition(".")[2]}
    definitions = [f"-D{key}={value}" for key, value in options.items()]
    subprocess.run(["cmake", "-S", source, "-B", folder, "-G", "Ninja", *definitions], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", folder, "-j", os.environ.get("OREE_BUILD_JOBS", str(os.cpu_count()))], check=True)
    return (folder / "src" / "libncnn.so").resolve()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--source", type=Path, help="the pinned archive, for a machine without a network")
    args = parser.parse_args()
    deps = fetch_deps.load(fetch_deps.ROOT / "deps" / "deps.toml")
    dep = next(d for d in deps if d["name"] == "ncnn")
    there = fetch_deps.ROOT / ".deps" / "ncnn"
    stamp = there / "version"
    if (there / "libncnn.so").is_file() and stamp.is_file() and stamp.read_text() == dep["version"]:
        return
    host = fetch_deps.platform.machine()
    if args.source:
        take(args.source, fetch_deps.file_for(dep, host))
    try:
        fetch_deps.install(dep, host, fetch_deps.ROOT / ".deps", deps, host)
    except fetch_deps.Missing as why:
        sys.exit(f"build_ncnn: {why}\nName the archive with tools/build_ncnn.py --source where it cannot be fetched.")
    print("compiling ncnn: this takes minutes", flush=True)
    library = build(there / "source", there / "build", dep["version"])
    half = there / ".libncnn.so"
    shutil.copyfile(library, half)
    os.replace(half, there / "libncnn.so")
    stamp.write_text(dep["version"])
    shutil.rmtree(there / "build")
    shutil.rmtree(there / "source")
    print(f"{there / 'libncnn.so'}: ncnn {dep['version']}")


if __name__ == "__main__":
    main()
