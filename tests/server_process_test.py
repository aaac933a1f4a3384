#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""oree-server as a process: killed while a blob arrives, locked, stopped, over TLS. Usage: server_process_test.py OREE-SERVER"""
import contextlib, hashlib, json, os, signal, socket
import sqlite3, ssl, subprocess, sys, tempfile, time, unittest, urllib.error, urllib.request, warnings

SERVER = sys.argv.pop(1) if len(sys.argv) > 1 else "build/bin/oree-server"


class Server:
    def __init__(self, folder, *options, env=None):
        self.process = subprocess.Popen([SERVER, "--data", folder, "--listen", "127.0.0.1:0", *options], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
        self.printed = ""
        for line in self.process.stdout:
            self.printed += line
            if line.startswith("listening on "):
                self.url = line.split()[2]
                self.port = int(self.url.rsplit(":", 1)[1])
                break
        token = os.path.join(folder, "operator.token")
        self.token = None
        if os.path.exists(token):
            with open(token) as file:
                self.token = file.read().strip()

    def call(self, method, path, body=None, token=None, context=None):
        headers = {"Authorization": "Bearer " + (token or self.token)}
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20, context=context) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        _, self.errors = self.process.communicate(timeout=30)
        return self.process.returncode


class ServerTest(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder, self.servers = os.path.join(self.temporary.name, "data"), []

    def tearDown(self):
        for server in self.servers:
            if server.process.poll() is None:
                server.end(signal.SIGKILL)
            server.process.stdout.close()
            server.process.stderr.close()
        self.temporary.cleanup()

    def start(self, *options, **more):
        self.servers.append(Server(self.folder, *options, **more))
        return self.servers[-1]

    def until(self, true, seconds=30):
        end = time.monotonic() + seconds
        while not true():
            self.assertLess(time.monotonic(), end)

    def files(self, name):
        return [f for _, _, files in os.walk(os.path.join(self.folder, name)) for f in files]

    def test_what_was_acknowledged_survives_kill_9_and_what_was_not_is_gone(self):
        server = self.start()
        kept = os.urandom(300_000)
        digest = hashlib.sha256(kept).hexdigest()
        self.assertEqual(server.call("PUT", "/blobs/sha256/" + digest, kept)[0], 201)
        release = {"model": "m", "version": "1", "digest": digest, "size": len(kept), "device_types": ["pi5"]}
        self.assertEqual(server.call("POST", "/api/v1/releases", json.dumps(release).encode())[0], 201)
        token = json.loads(server.call("POST", "/api/v1/devices", b'{"id":"a","device_type":"pi5"}')[1])["token"]
        with socket.create_connection(("127.0.0.1", server.port)) as half:
            half.sendall(f"PUT /blobs/sha256/{'0' * 64} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\n"
                         f"Content-Length: 9000000\r\n\r\n".encode() + b"x" * 3_000_000)
            for _ in range(2000):
                if self.files("uploads"):
                    break
            self.assertEqual(len(self.files("uploads")), 1)
            server.end(signal.SIGKILL)
        again = self.start()
        self.assertNotIn("operator token", again.printed)
        self.assertEqual(self.files("uploads"), [])
        self.assertEqual(self.files("blobs"), [digest])
        self.assertEqual(again.call("GET", "/model/m/latest?device_type=pi5")[0], 200)
        self.assertEqual(again.call("GET", "/blobs/sha256/" + digest)[1], kept)
        self.assertEqual(again.call("POST", "/api/v1/devices/a/telemetry", b'{"reports":[]}', token)[0], 200)
        self.assertEqual(again.end(), 0)

    def test_an_upload_that_its_client_cuts_leaves_nothing(self):
        server = self.start()
        with socket.create_connection(("127.0.0.1", server.port)) as half:
            half.sendall(f"PUT /blobs/sha256/{'0' * 64} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\n"
                         f"Content-Length: 9000000\r\n\r\n".encode() + b"x" * 1_000_000)
            self.until(lambda: self.files("uploads"))  # it has begun
        self.until(lambda: not self.files("uploads"))
        self.assertEqual(server.end(signal.SIGINT), 0)

    def test_an_upload_that_nobody_published_goes_after_its_grace(self):
        server = self.start()
        blobs = {hashlib.sha256(b).hexdigest(): b for b in (b"published", b"forgotten")}
        for digest, content in blobs.items():
            self.assertEqual(server.call("PUT", "/blobs/sha256/" + digest, content)[0], 201)
        published, forgotten = blobs
        release = {"model": "m", "version": "1", "digest": published, "size": 9, "device_types": ["pi5"]}
        self.assertEqual(server.call("POST", "/api/v1/releases", json.dumps(release).encode())[0], 201)
        server.end(signal.SIGKILL)
        server = self.start("--blob-grace", "3600")
        self.assertEqual(sorted(self.files("blobs")), sorted(blobs))
        server.end(signal.SIGKILL)
        with contextlib.closing(sqlite3.connect(os.path.join(self.folder, "fleet.db"))) as database, database:
            database.execute("UPDATE unused_blobs SET since_ms = since_ms - 3600000")  # an hour passes
        server = self.start("--blob-grace", "3600")
        self.assertEqual(self.files("blobs"), [published])
        self.assertIn(b"\noree_blobs_collected_total 1\n", server.call("GET", "/metrics")[1])
        self.assertEqual(server.end(), 0)
        self.assertIn("deleted blob sha256:" + forgotten, server.errors)

    def test_one_process_a_data_folder(self):
        self.start()
        second = self.start()
        second.process.wait(timeout=30)
        self.assertNotEqual(second.process.returncode, 0)
        self.assertIn("another server", second.process.stderr.read())

    def test_the_token_is_printed_once_and_is_nobody_elses_to_read(self):
        server = self.start()
        self.assertRegex(server.printed, r"operator token .*: op_[A-Za-z0-9_-]{43}\n")
        self.assertEqual(os.stat(os.path.join(self.folder, "operator.token")).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(os.path.join(self.folder, "fleet.db")).st_mode & 0o077, 0)

    def test_the_environment_gives_the_token(self):
        server = self.start(env={"OREE_OPERATOR_TOKEN": "x" * 40})
        self.assertEqual(server.call("GET", "/api/v1/overview", token="x" * 40)[0], 200)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "operator.token")))

    def test_wrong_options_end_with_a_usage_status(self):
        for options in ([], ["--data"], ["--data", "x", "--silent-after", "-1"], ["--data", self.folder, "--listen", "nonsense"],
                        ["--data", self.folder, "--cert", "absent.pem", "--key", "absent.pem"]):
            done = subprocess.run([SERVER, *options], capture_output=True, text=True, timeout=30)
            self.assertNotIn(done.returncode, (0, -6, -11), options)
            self.assertTrue(done.stderr, options)
        self.assertEqual(subprocess.run([SERVER, "--help"], capture_output=True, timeout=30).returncode, 0)

    def test_tls(self):
        key, certificate = os.path.join(self.temporary.name, "k.pem"), os.path.join(self.temporary.name, "c.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
                        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        server = self.start("--cert", certificate, "--key", key)
        self.assertTrue(server.url.startswith("https://"))
        context = ssl.create_default_context(cafile=certificate)
        blob = os.urandom(1_500_000)
        path = "/blobs/sha256/" + hashlib.sha256(blob).hexdigest()
        self.assertEqual(server.call("PUT", path, blob, context=context)[0], 201)
        self.assertEqual(server.call("GET", path, context=context)[1], blob)
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises(OSError), socket.create_connection(("127.0.0.1", server.port)) as plain:
            old.wrap_socket(plain)
        self.assertEqual(server.end(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
