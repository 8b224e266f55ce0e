"""Drives the ingestion bench: parsing beside the peers, the whole pipeline, recordings; the ratios last.

    python drive.py WORK_FOLDER LYCEUM SUITE [PEER=PYTHON ...]

The ratios, fixed here:
  parse_vs_markitdown, parse_vs_unstructured: the peer's seconds over ours for the same documents, middle round.
  embedder_busy: seconds that the gateway counts the embedder at work over those of the stage `embed`; a lower
    bound, because the whole stage `index`, which asks the embedder too, is taken off.
  reingest: seconds of all stages of a second run of the same bytes over those of the first.
  ladder_cpu, remux: as bench/media.sh measures them.
"""

import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
DOCUMENTS = int(os.environ.get("BENCH_DOCUMENTS", 300))
WORDS = int(os.environ.get("BENCH_WORDS", 2500))
PIPELINE = int(os.environ.get("BENCH_PIPELINE", 60))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 3))
PARTS = os.environ.get("BENCH_PARTS", "parse pipeline media").split()
# Goals of the issue.
GOALS = {
    "parse_vs_markitdown": (10, "higher"),
    "parse_vs_unstructured": (30, "higher"),
    "embedder_busy": (0.9, "higher"),
    "ladder_cpu": (0.88, "lower"),
    "remux": (0.05, "lower"),
    "reingest": (0.02, "lower"),
}
BOOK = pathlib.Path(os.environ.get("LYCEUM_TEST_DATA", HERE.parent.parent.parent / "shared" / "data")) / "rust-book"

right = True


def gate(passed, text):
    global right
    right = right and bool(passed)
    print(f"  {'ok' if passed else 'FAILED'}: {text}", flush=True)


def generate(folder, count, words):
    subprocess.run([sys.executable, HERE / "documents.py", folder, str(count), str(words)], check=True)
    return json.loads((folder.parent / f"{folder.name}.marks.json").read_text())


class Peer:
    """A process with its imports done; it reads the folder when it is told."""

    def __init__(self, name, python, warm):
        self.name = name
        self.process = subprocess.Popen(
            [python, HERE / "peer.py", name, *warm],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "UNSTRUCTURED_DISABLE_NOTICE": "1", "DO_NOT_TRACK": "true"},
        )
        line = self.process.stdout.readline().strip()
        word, _, note = line.partition(" ")
        if word != "ready":
            raise RuntimeError(f"{name} did not start")
        if note:
            print(f"  {name}: {note}")

    def read(self, folder):
        self.process.stdin.write(f"{folder}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended early")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


def ours(suite, folder):
    """One round in a process of its own; it times itself, as the peers do."""
    done = subprocess.run(
        [suite, "--ignored", "--nocapture", "--exact", "ingest_bench::parse_and_chunk"],
        env={**os.environ, "BENCH_FOLDER": str(folder)}, capture_output=True, text=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"seconds"')]
    if done.returncode or not lines:
        sys.exit(f"our own measurement failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return json.loads(lines[-1])


def parse(work, suite, peers, values):
    folder = work / "documents"
    marks = generate(folder, DOCUMENTS, WORDS)
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(
        f"parse and chunk: {DOCUMENTS} documents (Markdown, HTML, DOCX), {size / 1e6:.1f} MB, {marks} marked paragraphs; "
        f"{ROUNDS} rounds, interleaved; load of the machine before: {os.getloadavg()[0]:.2f}", flush=True,
    )
    warm = [folder / f"{number:04d}.{end}" for number, end in enumerate(["md", "html", "docx"])]
    contestants = []
    for name, python in peers:
        try:
            contestants.append(Peer(name, python, warm))
        except (RuntimeError, OSError) as error:
            print(f"  {name} is not measured: {error}")
    results = {contestant.name: [] for contestant in contestants}
    mine = []
    for _ in range(ROUNDS):
        mine.append(ours(suite, folder))
        for contestant in list(contestants):
            try:
                results[contestant.name].append(contestant.read(folder))
            except RuntimeError as error:
                print(f"  {error}")
                contestants.remove(contestant)
                results[contestant.name] = []
    for contestant in contestants:
        contestant.close()
    print(f"  {'':<14}{'seconds':>9}{'docs/s':>9}{'MB/s':>8}{'passages':>10}{'words':>9}{'marks':>8}  failed")
    for name, rounds in [("ours", mine), *results.items()]:
        if not rounds:
            continue
        seconds, last = statistics.median(one["seconds"] for one in rounds), rounds[-1]
        print(
            f"  {name:<14}{seconds:>9.2f}{last['documents'] / seconds:>9.1f}{size / 1e6 / seconds:>8.2f}"
            f"{last['chunks']:>10}{last['words']:>9}{last['marks']:>8}  {'; '.join(last['failed'])}", flush=True,
        )
    for name, rounds in results.items():
        # A peer that fails on documents does less: then there is no ratio.
        if rounds and all(one["documents"] == DOCUMENTS for one in rounds):
            ratios = [peer["seconds"] / our["seconds"] for our, peer in zip(mine, rounds)]
            values[f"parse_vs_{name}"] = statistics.median(ratios)
            print(f"  {name}: ours is {statistics.median(ratios):.1f} times as fast ({min(ratios):.1f} to {max(ratios):.1f})")
        elif rounds:
            print(f"  {name} failed on documents, so there is no ratio")
    gate(all(one["documents"] == DOCUMENTS for one in mine), "ours read every document")
    gate(all(one["marks"] == marks for one in mine), f"ours has each of the {marks} marked paragraphs in a passage")


class School:
    """The product, serving, with commands of other processes sent to it."""

    def __init__(self, binary, data):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.command = [binary, "--data-dir", str(data), "--json"]
        self.process = subprocess.Popen(
            [*self.command, "serve", "--listen", f"127.0.0.1:{self.port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 90
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/live", timeout=2).read()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise SystemExit("the product did not start serving")
                time.sleep(0.1)

    def run(self, *arguments):
        done = subprocess.run([*self.command, *map(str, arguments)], capture_output=True, text=True)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        return json.loads(lines[-1]) if lines else {"error": done.stderr[-500:], "code": done.returncode}

    def busy(self):
        """Seconds that workers spent on completed requests of the class of ingestion."""
        for one in self.run("gateway", "stats")["classes"]:
            if str(one["class"]).lower() == "embed":
                return one["meanBusyMs"] * one["completed"] / 1000
        return 0.0

    def ingest(self, folder, course):
        """The report, seconds by stage, and the embedder's seconds meanwhile."""
        before = self.busy()
        report = self.run("ingest", "dir", folder, "--course", course)
        stages = {stage["name"]: stage["seconds"] for stage in report.get("stages", [])}
        # Fitting the scope gate, in the stage `index`, asks the embedder too: its whole time is taken off.
        busy = self.busy() - before - stages.get("index", 0.0)
        return report, stages, max(busy, 0.0)

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=60)


def shown(name, report, stages, busy):
    times = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in stages.items() if seconds > 0)
    print(f"  {name}: {report.get('outcome')}, {report.get('chunks')} passages, {report.get('embedded')} embedded; {times} s; embedder at work {busy:.2f} s", flush=True)


def pipeline(work, binary, values):
    folder = work / "course"
    generate(folder, PIPELINE, 1000)
    print(f"pipeline: {PIPELINE} documents of 1,000 words, real embedding model; load of the machine before: {os.getloadavg()[0]:.2f}", flush=True)
    school = School(binary, work / "school")
    try:
        report, stages, busy = school.ingest(folder, "bench")
        shown("first run", report, stages, busy)
        gate(report.get("outcome") == "succeeded", "the first run succeeded")
        first = sum(stages.values())
        if report.get("embedded") and busy > 0:
            gate(report["embedded"] == report["chunks"], "each passage has its vector, and each once")
            values["embedder_busy"] = busy / stages["embed"]
        else:
            print("  no embedding model here (lyceum model pull), so embedder_busy is not measured")
        again = []
        for _ in range(ROUNDS):
            report, stages, busy = school.ingest(folder, "bench")
            again.append(sum(stages.values()))
            gate(report.get("outcome") == "succeeded" and report.get("embedded") == 0, "the same bytes again: nothing embedded")
        shown("same bytes", report, stages, busy)
        values["reingest"] = statistics.median(again) / first
        if BOOK.is_dir():
            report, stages, busy = school.ingest(BOOK, "rust-book")
            shown("the Rust book", report, stages, busy)
            searchable = sum(stages.get(name, 0) for name in ("fetch", "chunk", "publish"))
            found = school.run("search", "--course", "rust-book", "borrow checker").get("results")
            gate(bool(found), "a search in the book finds something")
            said = "within" if searchable <= 5 else "NOT within"
            print(f"  the Rust book is searchable by keyword after {searchable:.2f} s: {said} 5 s")
            if busy > 0:
                print(f"  the Rust book is embedded in {stages['embed']:.1f} s, of which the embedder itself needs {busy:.1f} s ({stages['embed'] / busy:.3f} times)")
        else:
            print(f"  skipped: no Rust book at {BOOK}")
    finally:
        school.close()


def media(suite, values):
    print("recordings:", flush=True)
    done = subprocess.run([HERE.parent / "media.sh"], env={**os.environ, "BENCH_SUITE": suite}, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    for line in lines[:-1]:
        print(f"  {line}")
    if done.returncode or not lines or not lines[-1].startswith("{"):
        print(f"  not measured: {(done.stderr.strip() or 'no result').splitlines()[-1]}")
        return
    result = json.loads(lines[-1])
    gate(result["correct"], "all rungs written whole, cut at the same moments, the first segment within 2 s")
    for name in ("ladder_cpu", "remux"):
        values[name] = result["ratios"][name]["value"]


def main():
    work, binary, suite = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    peers = [argument.split("=", 1) for argument in sys.argv[4:]]
    values = {}
    if "parse" in PARTS:
        parse(work, suite, peers, values)
    if "pipeline" in PARTS:
        pipeline(work, binary, values)
    if "media" in PARTS:
        media(suite, values)
    ratios = {
        name: {"value": round(values[name], 4) if name in values else None, "goal": goal, "better": better}
        for name, (goal, better) in GOALS.items()
    }
    print(json.dumps({"bench": "ingest", "correct": right, "ratios": ratios}))
    if not right:
        sys.exit(1)


if __name__ == "__main__":
    main()
