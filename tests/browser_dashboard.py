#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboard in a real browser: what it shows of a small fleet. Usage: browser_dashboard.py OREE-SERVER; exit status 77
when no Chromium is here."""
import json, os, shutil, signal, subprocess, sys, tempfile, urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
from server_load import report  # noqa: E402
import random  # noqa: E402

TOKEN = "op_" + "browser-test" * 4


def call(url, method, path, body=None, token=TOKEN):
    request = urllib.request.Request(url + path, data=json.dumps(body).encode(), method=method, headers={"Authorization": "Bearer " + token})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def dom(browser, address, profile):
    done = subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir=" + profile,
                           "--virtual-time-budget=4000", "--dump-dom", address], capture_output=True, text=True, timeout=120)
    return done.stdout


def main():
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        print("skipped: no chromium on this machine")
        return 77
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = subprocess.Popen([sys.argv[1], "--data", os.path.join(folder, "data"), "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True, env={**os.environ, "OREE_OPERATOR_TOKEN": TOKEN})
        try:
            url = server.stdout.readline().split()[2]
            token = call(url, "POST", "/api/v1/devices", {"id": "gate-north", "device_type": "pi5"})["token"]
            call(url, "POST", "/api/v1/devices", {"id": "never-started", "device_type": "pi5"})
            r = report(1, random.Random(1))
            r["models"][0].update(model="<img src=x>", version="1.0", drift={"level": "severe", "distance": 0.31, "samples": 400})
            call(url, "POST", "/api/v1/devices/gate-north/telemetry", {"reports": [r]}, token)
            profile = os.path.join(folder, "profile")
            shown, login = dom(browser, url + "/#token=" + TOKEN, profile), dom(browser, url + "/", profile + "2")
            refused = dom(browser, url + "/#token=wrong", profile + "3")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=30)
    checks = {
        "devices": "gate-north" in shown and "never-started" in shown,
        "states": ">online<" in shown and ">never heard<" in shown,
        "drift badge": ">severe<" in shown,
        "absent temperature": '<td class="number" data-label="Temperature">—</td>' in shown,
        "acknowledge button": "Acknowledge the drift alert of gate-north" in shown,
        "histogram": "<rect class=\"recent\"" in shown,
        "retrain request": "0.310" in shown,
        "names are text, never markup": "<img" not in shown and "&lt;img src=x&gt;" in shown,
        "no token on the page": TOKEN not in shown,
        "login without a token": '<form id="login">' in login and '<div id="fleet" hidden' in login,
        "wrong token is said": "does not take this token" in refused,
    }
    for name, good in checks.items():
        print("ok  " if good else "FAIL", name)
    failed = sum(not good for good in checks.values())
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
