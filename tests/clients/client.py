"""A client of shadowdiff that knows nothing but the protocol: runs a comparison and checks what the service promises.

Run it with run.sh, which makes the stubs. Ends with 0 only if all holds.
"""

import argparse
import collections
import csv
import hashlib
import json
import pathlib
import sys
import time
import uuid

import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_status import rpc_status
from shadowdiff.v1 import jobs_pb2, jobs_pb2_grpc, results_pb2, spec_pb2

CALL = 30  # seconds that a short call may take
JOB = 120  # seconds that a job may take
CHUNK = 1 << 20
REFLECTION = ("v1",)  # versions of the reflection service
ORDER = [jobs_pb2.JobState.Value(f"JOB_STATE_{state}") for state in ("PLANNING QUEUED SCANNING COMPARING MERGING SUCCEEDED FAILED CANCELLED".split())]
ENDED = (jobs_pb2.JOB_STATE_SUCCEEDED, jobs_pb2.JOB_STATE_FAILED, jobs_pb2.JOB_STATE_CANCELLED)
# Those that every result has, and those that the spec of the test asks for.
FILES = ("diff.csv", "accounts.csv", "differences.parquet", "comparison.bin", "summary.json")


class Wrong(Exception):
    """Something that the service promises does not hold."""


def check(holds, what):
    if not holds:
        raise Wrong(what)


def name(state):
    return jobs_pb2.JobState.Name(state).removeprefix("JOB_STATE_").lower()


class Client:
    """The steps, in the order of `main`; each gives what it has found, or raises."""

    def __init__(self, channel, spec, out):
        self.channel = channel
        self.jobs = jobs_pb2_grpc.JobServiceStub(channel)
        self.spec = spec
        self.out = out
        self.run = uuid.uuid4().hex[:12]
        self.submitted = []

    def health(self):
        """Ready: it may still take up jobs when it answers first."""
        health = health_pb2_grpc.HealthStub(self.channel)
        serving = health_pb2.HealthCheckResponse.SERVING
        until = time.monotonic() + CALL
        while (status := health.Check(health_pb2.HealthCheckRequest(service="readiness"), timeout=CALL).status) != serving:
            check(time.monotonic() < until, f"readiness is {status} after {CALL} s, not SERVING")
            time.sleep(0.1)
        for service in ("", "liveness", "shadowdiff.v1.JobService"):
            status = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=CALL).status
            check(status == serving, f"health of {service!r} is {status}, not SERVING")
        request = health_pb2.HealthCheckRequest(service="nonsense")
        refused(grpc.StatusCode.NOT_FOUND, lambda: health.Check(request, timeout=CALL), "health of a service that is not there")
        return "readiness is SERVING"

    def reflection(self):
        """The service describes itself to tools that have no proto files."""
        services = set()
        for version in REFLECTION:
            # The package has the messages of v1alpha only; v1 has the same under its own name.
            ask = self.channel.stream_stream(
                f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
                request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
                response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
            )
            (answer,) = ask(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=CALL)
            services = {service.name for service in answer.list_services_response.service}
            for service in ("shadowdiff.v1.JobService", "shadowdiff.v1.WorkerService", "grpc.health.v1.Health"):
                check(service in services, f"reflection {version} does not list {service}: {sorted(services)}")
                request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=service)
                (answer,) = ask(iter([request]), timeout=CALL)
                check(answer.file_descriptor_response.file_descriptor_proto, f"reflection {version} does not describe {service}: {answer}")
        return ", ".join(sorted(services))

    def check_spec(self):
        answer = self.jobs.CheckSpec(jobs_pb2.CheckSpecRequest(spec=self.spec), timeout=CALL)
        check(answer.plan.strip(), "the plan is empty")
        return f"a plan of {len(answer.plan.splitlines())} lines, {len(answer.warnings)} warnings"

    def submit(self):
        """The same token gives the same job, and with other content none."""
        self.job = self.submit_as("first")
        again = self.jobs.Submit(self.request("first"), timeout=CALL)
        check(again.job.id == self.job.id, f"the token gives job {again.job.id} the second time, {self.job.id} the first")
        check(not again.created, "the second submission with the token says that it made a job")
        check(again.job.created_at == self.job.created_at, "the job's creation has another time the second time")
        spec = spec_pb2.Spec(text=self.spec.text + "\n# Other.\n", base=self.spec.base)
        other = jobs_pb2.SubmitRequest(token=self.token("first"), spec=spec)
        refused(grpc.StatusCode.ALREADY_EXISTS, lambda: self.jobs.Submit(other, timeout=CALL), "the token with another content")
        return f"job {self.job.id}, twice; {self.job.title}"

    def watch(self):
        """States only go on, and the last one is an end."""
        seen, job = [], None
        for answer in self.jobs.Watch(jobs_pb2.WatchRequest(job_id=self.job.id), timeout=JOB):
            check(job is None or job.state not in ENDED, "Watch goes on after the job's end")
            job = answer.job
            check(job.id == self.job.id, f"Watch shows job {job.id}")
            if not seen or seen[-1] != job.state:
                print(f"  {name(job.state)}: {job.progress.tasks_done} of {job.progress.tasks} tasks, {job.progress.rows} rows")
                seen.append(job.state)
        check(job is not None, "Watch ended without a word")
        check(job.state in ENDED, f"Watch ended while the job is {name(job.state)}")
        check(job.state == jobs_pb2.JOB_STATE_SUCCEEDED, f"the job is {name(job.state)}: {job.error.kind}: {job.error.message}")
        check(seen == sorted(seen, key=ORDER.index), f"the states go back: {[name(state) for state in seen]}")
        check(job.verdict != jobs_pb2.VERDICT_UNSPECIFIED, "the job has succeeded without a verdict")
        check(job.HasField("ended_at"), "the job has ended, but not at any time")
        check(job.ended_at.ToNanoseconds() >= job.created_at.ToNanoseconds(), "the job's end is before its beginning")
        check({file.name for file in job.files} == set(FILES), f"the result has other files: {job.files}")
        self.job = job
        again = [answer.job for answer in self.jobs.Watch(jobs_pb2.WatchRequest(job_id=job.id), timeout=CALL)]
        check(again == [job], f"Watch of an ended job shows {len(again)} jobs, not that one")
        return f"verdict {jobs_pb2.Verdict.Name(job.verdict).removeprefix('VERDICT_').lower()}"

    def get(self):
        job = self.jobs.Get(jobs_pb2.GetRequest(job_id=self.job.id), timeout=CALL).job
        check(job == self.job, f"Get shows another job than Watch:\n{job}\n{self.job}")
        check(job.token == self.token("first"), f"the job's token is {job.token}")
        answer = self.jobs.Cancel(jobs_pb2.CancelRequest(job_id=job.id), timeout=CALL)
        check(answer.job == job, "Cancel changes a job that has ended")
        return "as watched; Cancel leaves it as it is"

    def fetch(self):
        """Each file, broken off after the first piece and taken up from there."""
        sizes = []
        for file in self.job.files:
            content = self.fetched(file.name, 0, pieces=1)
            taken = max(1, len(content) * 2 // 3)
            rest = self.fetched(file.name, taken)
            content = content[:taken] + rest
            check(len(content) == file.size_bytes, f"{file.name} has {len(content)} bytes, the job says {file.size_bytes}")
            check(hashlib.sha256(content).hexdigest() == file.sha256, f"{file.name} has not the digest that the job says")
            check(content == self.fetched(file.name, 0), f"{file.name} differs when it is fetched in one go")
            check(self.fetched(file.name, file.size_bytes) == b"", f"{file.name} has something after its end")
            (self.out / file.name).write_bytes(content)
            sizes.append(f"{file.name} {len(content)}")
        for what, request in {
            "a file that is not there": jobs_pb2.FetchResultRequest(job_id=self.job.id, name="nonsense.csv"),
            "an offset beyond the end": jobs_pb2.FetchResultRequest(job_id=self.job.id, name="diff.csv", offset=1 << 40),
        }.items():
            refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: list(self.jobs.FetchResult(request, timeout=CALL)), what)
        return f"bytes: {', '.join(sizes)}"

    def fetched(self, file, offset, pieces=None):
        content = b""
        call = self.jobs.FetchResult(jobs_pb2.FetchResultRequest(job_id=self.job.id, name=file, offset=offset), timeout=CALL)
        for count, piece in enumerate(call, 1):
            check(piece.offset == offset + len(content), f"{file}: a piece begins at {piece.offset}, not at {offset + len(content)}")
            check(0 < len(piece.content) <= CHUNK, f"{file}: a piece has {len(piece.content)} bytes")
            content += piece.content
            if count == pieces:
                call.cancel()
                break
        return content

    def results(self):
        """What is told of the result is what its files say."""
        told = self.jobs.GetSummary(jobs_results(self.job.id, "GetSummaryRequest"), timeout=CALL)
        summary = json.loads((self.out / "summary.json").read_text(encoding="utf-8"))
        for field, value in {
            "passed": summary["verdict"] == "pass",
            "changed": summary["rows"]["changed"],
            "cancelled": summary["rows"]["cancelled"],
            "exceptions": summary["differences"]["exceptions"],
            "expected": summary["differences"]["expected"],
            "listed": summary["differences"]["listed"],
            "accounts_differing": summary["accounts"]["differing"],
        }.items():
            check(getattr(told, field) == value, f"GetSummary: {field} is {getattr(told, field)}, the file says {value}")
        check(told.live.read == summary["rows"]["live"]["read"], "GetSummary has other rows of live")
        check([c.column for c in told.columns] == [c["column"] for c in summary["columns"]], "GetSummary has other columns")
        check(list(told.broken) == summary["broken"], "GetSummary has other broken thresholds")
        for found, listed in ((told.row_patterns, "listed"), (told.rows_alone, "listed_alone")):
            patterns = [(p["fingerprint"], p["rows"], p["exceptions"], p["example"]) for p in summary["row_patterns"][listed]]
            check([(p.fingerprint, p.rows, p.exceptions, p.example) for p in found] == patterns, f"GetSummary has other rows {listed}")
            check(all(p.description for p in found), f"a pattern without words among those {listed}")
        lines = self.lines("diff.csv")
        header, lines = lines[0], lines[1:]
        found = self.differences()
        check(len(found) == len(lines), f"StreamDifferences sends {len(found)}, the file has {len(lines)}")
        key = header.index("kind")
        for difference, line in zip(found, lines):
            check([value.text for value in difference.key] == line[:key], f"another key than in the file: {difference}")
            names = (results_pb2.DifferenceKind.Name(difference.kind).removeprefix("DIFFERENCE_KIND_").lower(), difference.column)
            check(names == tuple(line[key : key + 2]), f"another kind or column than in the file: {difference}")
            check((difference.live, difference.shadow) == tuple(line[key + 2 : key + 4]), f"other values than in the file: {difference}")
            check(difference.is_exception == (line[key + 8] == "exception"), f"another verdict than in the file: {difference}")
        column = next(line[key + 1] for line in lines if line[key + 1])
        some = self.differences(columns=[column], kinds=[results_pb2.DIFFERENCE_KIND_CHANGED])
        check(some == [d for d in found if d.column == column], f"differences of {column} are not those of the file")
        check(self.differences(limit=2) == found[:2], "a limit of 2 gives other differences than the first two")
        check(self.differences(only_exceptions=True) == [d for d in found if d.is_exception], "exceptions are not those of the file")
        blockers = list(told.release_blockers)
        counts = self.accounts(self.lines("accounts.csv"), blockers)
        # The same without what is broken of the release as a whole.
        text = self.spec.text.replace(", max: 1", "").replace(", max_exception_accounts: 50%", "")
        if text != self.spec.text:
            check(blockers, "nothing is broken of the release as a whole")
            first = self.job
            self.job = self.jobs.Submit(jobs_pb2.SubmitRequest(spec=spec_pb2.Spec(text=text, base=self.spec.base)), timeout=CALL).job
            for _ in self.jobs.Watch(jobs_pb2.WatchRequest(job_id=self.job.id), timeout=JOB):
                pass
            lines = list(csv.reader(self.fetched("accounts.csv", 0).decode().splitlines()))
            told = self.jobs.GetSummary(jobs_results(self.job.id, "GetSummaryRequest"), timeout=CALL)
            check(not told.release_blockers, f"something is broken of the release: {told.release_blockers}")
            counts += self.accounts(lines, [])
            self.job = first
        return f"{len(found)} differences; accounts: {counts}"

    def accounts(self, lines, blockers):
        """Every account is as its file says, unless nobody may flip; one that is not there is not in the data."""
        header, lines = lines[0], lines[1:]
        seen = collections.Counter()
        count = header.index("decision") - 3
        for line in lines[:50]:
            answer = self.account(line[:count])
            decision = results_pb2.AccountDecision.Name(answer.decision).removeprefix("ACCOUNT_DECISION_").lower()
            expected = "hold" if blockers else line[count + 3]
            seen[decision] += 1
            check(decision == expected, f"account {line[:count]} is {decision}, the file says {line[count + 3]}")
            check(list(answer.blockers[: len(blockers)]) == blockers, f"the release is blocked by {blockers}, the account by {answer.blockers}")
            check([answer.rows, answer.expected, answer.exceptions] == [int(n) for n in line[count : count + 3]], f"other counts: {answer}")
            check(bool(answer.blockers) == (decision == "hold"), f"{decision} with these blockers: {answer.blockers}")
            mine = self.differences(account=line[:count])
            check(len(mine) == answer.expected + answer.exceptions, f"account {line[:count]} has {len(mine)} differences")
        if header[-1] == "shadow_rows":
            check(self.account(["nobody"] * count).decision == results_pb2.ACCOUNT_DECISION_NOT_IN_DATA, "nobody is in the data")
        else:
            refused(grpc.StatusCode.FAILED_PRECONDITION, lambda: self.account(["nobody"] * count), "an account that is not listed")
        for what, call in {
            "an account of too many values": lambda: self.account(["nobody"] * (count + 1)),
            "differences of such an account": lambda: self.differences(account=["nobody"] * (count + 1)),
            "a rule that is none": lambda: self.differences(rules=["nonsense"]),
            "a kind that is none": lambda: self.differences(kinds=[77]),
        }.items():
            refused(grpc.StatusCode.INVALID_ARGUMENT, call, what)
        return [dict(seen)]

    def lines(self, file):
        with (self.out / file).open(encoding="utf-8", newline="") as text:
            return list(csv.reader(text))

    def account(self, account):
        return self.jobs.GetAccount(jobs_results(self.job.id, "GetAccountRequest", account=account), timeout=CALL)

    def differences(self, **filters):
        request = jobs_results(self.job.id, "StreamDifferencesRequest", **filters)
        found = []
        for number, answer in enumerate(self.jobs.StreamDifferences(request, timeout=CALL)):
            check(bool(answer.key_columns) == (number == 0), "the names of the key's columns come first, and once")
            check(len(answer.differences) <= 1000, f"{len(answer.differences)} differences in an answer")
            found.extend(answer.differences)
        return found

    def unfinished(self):
        """No result before the end. Jobs are short, so several are asked for at once and the last one is looked at."""
        for round in range(10):
            jobs = [self.submit_as(f"unfinished-{round}-{number}") for number in range(1 + round)]
            request = jobs_pb2.FetchResultRequest(job_id=jobs[-1].id, name="diff.csv")
            try:
                list(self.jobs.FetchResult(request, timeout=CALL))
            except grpc.RpcError as error:
                expect(error, grpc.StatusCode.FAILED_PRECONDITION, "the result of an unfinished job")
                break
            state = self.jobs.Get(jobs_pb2.GetRequest(job_id=jobs[-1].id), timeout=CALL).job.state
            check(state == jobs_pb2.JOB_STATE_SUCCEEDED, f"a job that is {name(state)} gives a result")
        else:
            raise Wrong("ten times the last of many jobs had ended at once; FetchResult of an unfinished job is not known")
        self.jobs.Cancel(jobs_pb2.CancelRequest(job_id=jobs[-1].id), timeout=CALL)
        for job in jobs:
            last = list(self.jobs.Watch(jobs_pb2.WatchRequest(job_id=job.id), timeout=JOB))[-1].job
            as_asked = last.state in (jobs_pb2.JOB_STATE_SUCCEEDED, jobs_pb2.JOB_STATE_CANCELLED)
            check(as_asked, f"job {job.id} is {name(last.state)}: {last.error.message}")
        if last.state == jobs_pb2.JOB_STATE_CANCELLED:
            refused(
                grpc.StatusCode.FAILED_PRECONDITION,
                lambda: list(self.jobs.FetchResult(request, timeout=CALL)),
                "the result of a cancelled job",
            )
        return f"no result before the end; then {name(last.state)}"

    def list(self):
        """Newest first, each once, however large the page."""
        while len(self.submitted) < 3:
            job = self.submit_as(f"list-{len(self.submitted)}")
            list(self.jobs.Watch(jobs_pb2.WatchRequest(job_id=job.id), timeout=JOB))
        counts = []
        for size in (1, 2, 1000):
            found = self.pages(size)
            ids = [job.id for job in found]
            check(len(ids) == len(set(ids)), f"pages of {size} show a job twice")
            missing = set(self.submitted) - set(ids)
            check(not missing, f"pages of {size} leave out {sorted(missing)}")
            times = [job.created_at.ToNanoseconds() for job in found]
            check(times == sorted(times, reverse=True), f"pages of {size} are not newest first")
            counts.append(f"{len(ids)} in pages of {size}")
        succeeded = self.pages(1, [jobs_pb2.JOB_STATE_SUCCEEDED])
        check(self.job.id in [job.id for job in succeeded], "the list of succeeded jobs leaves out one that has succeeded")
        check(all(job.state == jobs_pb2.JOB_STATE_SUCCEEDED for job in succeeded), "the list of succeeded jobs shows another")
        failed = self.pages(1000, [jobs_pb2.JOB_STATE_FAILED])
        check(self.job.id not in [job.id for job in failed], "the list of failed jobs shows one that has succeeded")
        for what, request in {
            "a page token that is none": jobs_pb2.ListRequest(page_token="nonsense"),
            "a state that is none": jobs_pb2.ListRequest(states=[77]),
        }.items():
            refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: self.jobs.List(request, timeout=CALL), what)
        return ", ".join(counts)

    def pages(self, size, states=()):
        found, token = [], ""
        while True:
            page = self.jobs.List(jobs_pb2.ListRequest(page_size=size, page_token=token, states=states), timeout=CALL)
            check(len(page.jobs) <= size, f"a page of {size} has {len(page.jobs)} jobs")
            found.extend(page.jobs)
            token = page.next_page_token
            if not token:
                return found
            check(page.jobs, "an empty page has a page after it")

    def bad_specs(self):
        """Every mistake is a violation that says where it is."""
        mistakes = {
            "an unknown field": spec_pb2.Spec(text=self.spec.text + "\nnonsense: 1\n", base=self.spec.base),
            "two unknown fields": spec_pb2.Spec(text="liv: /nowhere\nshado: /nowhere\n", base=self.spec.base),
            "no YAML": spec_pb2.Spec(text="live: [", base=self.spec.base),
            "an empty spec": spec_pb2.Spec(text="", base=self.spec.base),
            "no content": spec_pb2.Spec(base=self.spec.base),
            "no spec": None,
            "relative paths without a base": spec_pb2.Spec(text="live: a.csv\nshadow: b.csv\naccount: a\nkey: [a, b]\n"),
            "a local output": spec_pb2.Spec(text=self.spec.text + "\noutput: results\n", base=self.spec.base),
            "a variable that nobody uses": spec_pb2.Spec(text=self.spec.text, base=self.spec.base, variables={"nonsense": "1"}),
        }
        for what, spec in mistakes.items():
            for call, request in ((self.jobs.CheckSpec, jobs_pb2.CheckSpecRequest), (self.jobs.Submit, jobs_pb2.SubmitRequest)):
                error = refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: call(request(spec=spec), timeout=CALL), what)
                violations = details(error, what).get("BadRequest", error_details_pb2.BadRequest()).field_violations
                check(violations, f"{what}: no field violations")
                check(all(v.field and v.description for v in violations), f"{what}: a violation without a field or a text: {violations}")
                check(all(v.field.split(".")[0] == "spec" for v in violations), f"{what}: a violation of something else: {violations}")
            for violation in violations:
                print(f"  {what}: {violation.field}: {violation.description}")
        request = jobs_pb2.SubmitRequest(spec=self.spec, token="no token/../")
        error = refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: self.jobs.Submit(request, timeout=CALL), "a bad token")
        fields = [violation.field for violation in details(error, "a bad token")["BadRequest"].field_violations]
        check(fields == ["token"], f"a bad token is a violation of {fields}")
        fields = [v.field for v in details(refused_spec(self.jobs, mistakes["two unknown fields"]), "two unknown fields")["BadRequest"].field_violations]
        check({"spec.liv", "spec.shado"} <= set(fields), f"unknown fields are violations of {fields}")
        return f"{len(mistakes) + 1} mistakes are INVALID_ARGUMENT with their places"

    def unknown_job(self):
        id = self.token("never")
        for what, call in {
            "Get": lambda: self.jobs.Get(jobs_pb2.GetRequest(job_id=id), timeout=CALL),
            "Watch": lambda: list(self.jobs.Watch(jobs_pb2.WatchRequest(job_id=id), timeout=CALL)),
            "Cancel": lambda: self.jobs.Cancel(jobs_pb2.CancelRequest(job_id=id), timeout=CALL),
            "FetchResult": lambda: list(self.jobs.FetchResult(jobs_pb2.FetchResultRequest(job_id=id, name="diff.csv"), timeout=CALL)),
        }.items():
            error = refused(grpc.StatusCode.NOT_FOUND, call, f"{what} of an unknown job")
            check(details(error, what)["ErrorInfo"].reason == "not_found", f"{what} of an unknown job has another reason")
        return "NOT_FOUND, whatever is asked"

    def token(self, part):
        return f"client-{self.run}-{part}"

    def request(self, part):
        return jobs_pb2.SubmitRequest(spec=self.spec, token=self.token(part))

    def submit_as(self, part):
        answer = self.jobs.Submit(self.request(part), timeout=CALL)
        check(answer.created, f"token {self.token(part)} is new, but names job {answer.job.id}")
        check(answer.job.id and answer.job.title and answer.job.HasField("created_at"), f"a new job lacks something: {answer.job}")
        self.submitted.append(answer.job.id)
        return answer.job


def jobs_results(job, name, **fields):
    """A request about the result of a job."""
    return getattr(results_pb2, name)(job_id=job, **fields)


def refused(code, call, what):
    """The error of a call that must fail."""
    try:
        call()
    except grpc.RpcError as error:
        expect(error, code, what)
        return error
    raise Wrong(f"{what}: was accepted, {code.name} was expected")


def refused_spec(jobs, spec):
    return refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: jobs.Submit(jobs_pb2.SubmitRequest(spec=spec), timeout=CALL), "a bad spec")


def expect(error, code, what):
    check(error.code() == code, f"{what}: {error.code().name} ({error.details()}), {code.name} was expected")


def details(error, what):
    """The details of an error by the names of their types; its kind is always among them."""
    status = rpc_status.from_call(error)
    check(status is not None, f"{what}: no grpc-status-details-bin")
    check(status.message == error.details(), f"{what}: the details say `{status.message}`, the status `{error.details()}`")
    found = {}
    for packed in status.details:
        type = packed.TypeName().removeprefix("google.rpc.")
        found[type] = getattr(error_details_pb2, type)()
        check(packed.Unpack(found[type]), f"{what}: {type} cannot be read")
    check(found.get("ErrorInfo") and found["ErrorInfo"].reason, f"{what}: no google.rpc.ErrorInfo among {sorted(found)}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--address", required=True, help="the coordinator, host:port")
    parser.add_argument("--spec", required=True, type=pathlib.Path, help="the spec file")
    parser.add_argument("--base", required=True, help="the folder that relative paths in the spec start at")
    parser.add_argument("--out", required=True, type=pathlib.Path, help="the folder for the files of the result")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    spec = spec_pb2.Spec(text=args.spec.read_text(encoding="utf-8"), base=args.base)
    with grpc.insecure_channel(args.address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=CALL)
        except grpc.FutureTimeoutError:
            print(f"nobody answers at {args.address}", file=sys.stderr)
            return 1
        client = Client(channel, spec, args.out)
        steps = (
            client.health,
            client.reflection,
            client.check_spec,
            client.bad_specs,
            client.unknown_job,
            client.submit,
            client.watch,
            client.get,
            client.fetch,
            client.results,
            client.unfinished,
            client.list,
        )
        wrong = 0
        for step in steps:
            try:
                print(f"{step.__name__}: {step()}")
            except Wrong as error:
                wrong += 1
                print(f"{step.__name__}: WRONG: {error}", file=sys.stderr)
            except grpc.RpcError as error:
                wrong += 1
                print(f"{step.__name__}: WRONG: {error.code().name}: {error.details()}", file=sys.stderr)
            else:
                continue
            if step in (client.submit, client.watch):
                print("what follows needs a finished job and is left out", file=sys.stderr)
                break
    print(f"{wrong} of {len(steps)} steps are wrong" if wrong else "all holds")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
