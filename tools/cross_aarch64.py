#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cross-compiles the tools and the agent for 64-bit Arm, and runs real inferences with them under emulation.

`./dev cross` runs this on Debian, after it installed the cross compiler and qemu. The machine's own package state stays as
it is: the arm64 packages are resolved by an apt with a state of its own, and unpacked into .deps/aarch64/sysroot. Emulated
figures say that it works and what comes out, nothing about a device's speed.
"""
import argparse
import array
import hashlib
import io
import math
import os
import random
import shlex
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BASE = ROOT / ".deps" / "aarch64"
SYSROOT = BASE / "sysroot"
BUILD = ROOT / "build" / "aarch64"
# These come with the cross compiler; a second copy of their headers would be found in the wrong order.
TOOLCHAIN_PACKAGES = ("libc6-dev_", "linux-libc-dev_", "libstdc++-", "libgcc-")
# Largest difference to what the same engine's x86-64 build computes, relative to the output's range.
TOLERANCE = 1e-4

CPUINFO = """processor\t: {n}
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3

"""


def run(*command, **kwargs):
    return subprocess.run([str(c) for c in command], check=True, **kwargs)


# --- the target's libraries ------------------------------------------------------------------------------------------


def packages():
    """The libraries of deps/apt.txt's [build], but GStreamer: the camera stays out of the cross build."""
    section, names = None, []
    for line in (ROOT / "deps" / "apt.txt").read_text().splitlines():
        if line.startswith("["):
            section = line
        elif section == "[build]" and line and not line.startswith("#"):
            name = line.split()[0]
            if name.endswith("-dev") and "gstreamer" not in name:
                names.append(name)
    return names


def make_sysroot():
    names = packages()
    stamp = BASE / "sysroot.stamp"
    key = hashlib.sha256(" ".join([Path("/etc/os-release").read_text(), *names]).encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == key:
        return
    print(f"resolving and fetching {len(names)} arm64 packages and what they need", flush=True)
    state = BASE / "apt"
    shutil.rmtree(SYSROOT, ignore_errors=True)
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "status").write_text("")
    apt = ["apt-get", "-qq", "-o", f"Dir::State={state}/state", "-o", f"Dir::State::status={state}/status",
           "-o", f"Dir::Cache={state}/cache", "-o", "APT::Architecture=arm64", "-o", "APT::Architectures::=arm64"]
    if os.geteuid() == 0:
        # apt's own download user can't write below the checkout of another.
        apt += ["-o", "APT::Sandbox::User=root"]
    run(*apt, "update")
    run(*apt, "-y", "--no-install-recommends", "--download-only", "install", *names, stdout=subprocess.DEVNULL)
    (SYSROOT / "usr" / "lib").mkdir(parents=True)
    (SYSROOT / "lib").symlink_to("usr/lib")
    for deb in sorted((state / "cache" / "archives").glob("*.deb")):
        if not deb.name.startswith(TOOLCHAIN_PACKAGES) or deb.name.startswith("libgcc-s1"):
            with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as tar:
                run("tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", SYSROOT, stdin=tar.stdout)
    # What the packages' scripts would have set up: the choice among the linear-algebra libraries.
    libraries = SYSROOT / "usr" / "lib" / "aarch64-linux-gnu"
    for name in ("blas", "lapack"):
        (libraries / f"lib{name}.so.3").symlink_to(f"{name}/lib{name}.so.3")
    shutil.rmtree(state)
    stamp.write_text(key)


def disguise():
    """What the engines read about the processor, for the emulator to show instead of the host's: qemu-user passes the
    host's /proc/cpuinfo on, and an engine that finds an x86 there, or no midr_el1 in sysfs, dies at its start."""
    cpu = SYSROOT / "sys" / "devices" / "system" / "cpu"
    files = {SYSROOT / "proc" / "cpuinfo": "".join(CPUINFO.format(n=n) for n in range(2))}
    for name in ("online", "possible", "present"):
        files[cpu / name] = "0-1\n"
    for n in range(2):
        one = cpu / f"cpu{n}"
        files[one / "regs" / "identification" / "midr_el1"] = "0x00000000410fd083\n"
        files[one / "topology" / "core_id"] = f"{n}\n"
        files[one / "topology" / "physical_package_id"] = "0\n"
        files[one / "topology" / "thread_siblings_list"] = f"{n}\n"
        for index, (level, kind, size, shared) in enumerate(
                ((1, "Data", "32K", n), (1, "Instruction", "48K", n), (2, "Unified", "1024K", "0-1"))):
            for key, value in (("level", level), ("type", kind), ("size", size), ("shared_cpu_list", shared)):
                files[one / "cache" / f"index{index}" / key] = f"{value}\n"
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


# --- npz, as much of it as a comparison needs ------------------------------------------------------------------------


def npy_f32(shape, values):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + array.array("f", values).tobytes()


def write_npz(path, tensors):
    with zipfile.ZipFile(path, "w") as z:
        for name, (shape, values) in tensors.items():
            z.writestr(f"{name}.npy", npy_f32(shape, values))


def read_npz(path):
    """{name: values}; float32 in C order only, which is what the models here give."""
    out = {}
    with zipfile.ZipFile(path) as z:
        for name in z.namelist():
            f = io.BytesIO(z.read(name))
            f.seek(8)
            (length,) = struct.unpack("<H", f.read(2))
            header = f.read(length).decode()
            if "'<f4'" not in header:
                sys.exit(f"{path}: {name} is not float32: {header}")
            values = array.array("f")
            values.frombytes(f.read())
            out[name.removesuffix(".npy")] = values
    return out


def difference(a, b):
    """The largest one over all tensors, relative to each one's range; infinite when names, sizes or finiteness differ."""
    if a.keys() != b.keys() or not a:
        return math.inf
    worst = 0.0
    for name, x in a.items():
        y = b[name]
        if len(x) != len(y) or not all(map(math.isfinite, x)) or not all(map(math.isfinite, y)):
            return math.inf
        worst = max(worst, max(abs(p - q) for p, q in zip(x, y)) / (max(x) - min(x) or 1.0))
    return worst


# --- building and running --------------------------------------------------------------------------------------------


def build(jobs):
    if not (BUILD / "build.ninja").exists():
        run("cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DOREE_CAMERA=OFF",
            f"-DCMAKE_TOOLCHAIN_FILE={ROOT}/cmake/aarch64.cmake", f"-DOREE_SYSROOT={SYSROOT}", stdout=subprocess.DEVNULL)
    run("cmake", "--build", BUILD, "-j", jobs, "--target", "oree", "oree-agent")
    for program in ("oree", "oree-agent"):
        kind = run("file", "-b", BUILD / "bin" / program, capture_output=True, text=True).stdout if shutil.which("file") else ""
        print(f"{program}: {(BUILD / 'bin' / program).stat().st_size} bytes {kind.strip()}")


def emulated(*command):
    """A command line that runs an aarch64 program here. An emulated Cortex-A72, as the Raspberry Pi 4 has: with qemu's
    `max` processor OpenVINO takes a path that computes something else."""
    qemu = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if not qemu:
        sys.exit("cross_aarch64: qemu-aarch64 is not installed")
    return [qemu, "-cpu", "cortex-a72", "-L", str(SYSROOT), *map(str, command)]


def infer(command, deps, runtime, model, given, got):
    env = os.environ | {"OREE_DEPS": str(deps)}
    done = subprocess.run([*map(str, command), "infer", str(model), "--runtime", runtime, "--threads", "1",
                           "--input", str(given), "--output", str(got)],
                          env=env, capture_output=True, text=True, timeout=900)
    if done.returncode != 0:
        sys.exit(f"{runtime} on {model.name} under {command[0]}: exit status {done.returncode}\n{done.stderr}")
    return read_npz(got)


def prove(host_oree):
    """Each engine's aarch64 build against its x86-64 build, on real networks and fixed inputs.

    The sound network takes a logarithm, so silence in any band makes it ill-conditioned: on a pure tone an input moved by
    half a unit in the last place moves its outputs by 6e-4 of their range, on one engine and one machine. The tone
    therefore has noise under it (2e-5), and TFLite, whose kernels round differently, is asked about the detector.
    """
    work = BUILD / "prove"
    work.mkdir(exist_ok=True)
    noise = random.Random(7)
    sound = [0.5 * math.sin(2 * math.pi * 440 * i / 22050) + 0.1 * noise.uniform(-1, 1) for i in range(43844)]
    image = [noise.uniform(-1, 1) for _ in range(300 * 300 * 3)]
    arm = emulated(BUILD / "bin" / "oree")
    run(*arm, "runtimes", env=os.environ | {"OREE_DEPS": str(BASE / "deps")})
    failed = False
    for runtime, model, name, shape, values in (
            ("onnxruntime", "nmp.onnx", "serving_default_input_2:0", (1, 43844, 1), sound),
            ("openvino", "nmp.onnx", "serving_default_input_2:0", (1, 43844, 1), sound),
            ("tflite", "detector.tflite", "normalized_input_image_tensor", (1, 300, 300, 3), image)):
        path = BASE / "deps" / "models" / model
        given = work / f"{runtime}-in.npz"
        write_npz(given, {name: (shape, values)})
        there = infer(arm, BASE / "deps", runtime, path, given, work / f"{runtime}-aarch64.npz")
        here = infer([host_oree], ROOT / ".deps", runtime, path, given, work / f"{runtime}-host.npz")
        worst = difference(here, there)
        failed |= not worst <= TOLERANCE
        print(f"{runtime:12} {model:15} {len(there)} outputs, largest difference to x86-64: {worst:.1e} of the range"
              f" ({'good' if worst <= TOLERANCE else 'BAD'})", flush=True)
    return not failed


def main():
    parser = argparse.ArgumentParser(description="Cross-compiles for 64-bit Arm and runs inferences under emulation.")
    parser.add_argument("--jobs", default=str(os.cpu_count()))
    parser.add_argument("--host-oree", type=Path, default=ROOT / "build" / "bin" / "oree", help="the tool built for this machine")
    args = parser.parse_args()
    BASE.mkdir(parents=True, exist_ok=True)
    make_sysroot()
    disguise()
    run(sys.executable, ROOT / "tools" / "fetch_deps.py", "--arch", "aarch64", "--dest", BASE / "deps")
    build(args.jobs)
    if not prove(args.host_oree):
        sys.exit("cross_aarch64: an engine computes something else on aarch64")
    # The emulated agent as the device that candidates are measured on.
    run(sys.executable, ROOT / "tools" / "cross_measure.py", "--agent", BUILD / "bin" / "oree-agent", "--emulator", shlex.join(emulated()),
        "--deps", BASE / "deps", "--host-oree", args.host_oree)


if __name__ == "__main__":
    main()
