#!/usr/bin/env python3
"""Kills the gateway and its workers (signal 9) at random moments under durable requests; stops some instead.

A stopped worker is continued after the gateway gave it up, a stopped gateway after its leases ended: what they
then still say must change nothing. Nothing accepted may be lost, nothing may be completed twice, no lease may
stick. Prints one line of JSON at the end; exit 1 when a promise does not hold.

    scripts/gateway-kills.py --kills 200 --stops 4 --seed 1
"""
import argparse, http.client, json, os, pathlib, random, signal, socket, sqlite3, subprocess, sys, tempfile, time

parser = argparse.ArgumentParser()
parser.add_argument("--kills", type=int, default=200)
parser.add_argument("--stops", type=int, default=0, help="beside the kills; each takes about 15 s")
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--binary", default=os.environ.get("LYCEUM_BIN", ""))
options = parser.parse_args()
target = os.environ.get("CARGO_TARGET_DIR", str(pathlib.Path.home() / ".cache/lyceum/target"))
binary = options.binary or f"{target}/debug/lyceum"
chance = random.Random(options.seed)
log = tempfile.TemporaryFile("w+")
folder = tempfile.TemporaryDirectory(prefix="lyceum-kills-")
data = pathlib.Path(folder.name) / "school"
data.mkdir()
rules = data / "rules.json"
rules.write_text(json.dumps([{"pattern": "", "reply": "an answer of seven words, no more"}]))
(data / "lyceum.toml").write_text('embedding_model = "none"\nlease_seconds = 2\njob_concurrency = 8\nlog = "error"\n')


def free_port():
    """Below the ports that connections come from: who dials such a port while nobody listens may meet itself."""
    while True:
        port = chance.randint(15_000, 30_000)
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def run(*arguments):
    done = subprocess.run([binary, "--data-dir", str(data), *arguments, "--json"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{arguments}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


run("institution", "create", "home")
run("user", "create", "ines")
run("user", "grant", "ines", "admin")
key = run("key", "create", "--user", "ines")["key"]
port, worker_port = free_port(), free_port()
token = "a token of this test alone"


def gateway():
    return subprocess.Popen(
        [binary, "--data-dir", str(data), "serve", "--listen", f"127.0.0.1:{port}",
         "--worker-listen", f"127.0.0.1:{worker_port}", "--token", token],
        stdout=log, stderr=log)


def worker(name="worker"):
    empty = pathlib.Path(folder.name) / name
    empty.mkdir(exist_ok=True)
    (empty / "lyceum.toml").write_text(f'embedding_model = "none"\nscripted_chat = "{rules}"\n')
    return subprocess.Popen(
        [binary, "--data-dir", str(empty), "serve", "--role", "worker",
         "--gateway", f"127.0.0.1:{worker_port}", "--token", token],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def call(method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        own = {} if path.startswith("/health") else {"Authorization": f"Bearer {key}"}
        connection.request(method, path, body, {**own, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def submit(name):
    """True when the request was accepted; its answer may have been lost with the process."""
    body = json.dumps({"model": "scripted", "messages": [{"role": "user", "content": name}]})
    try:
        status, text = call("POST", "/v1/chat/completions", body,
                            {"Prefer": "respond-async", "Idempotency-Key": name})
        if status not in (202, 429):
            sys.exit(f"unexpected answer {status}: {text[:300]}")
        return status == 202
    except (OSError, http.client.HTTPException):
        return False


def ready(process):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if call("GET", "/health/live")[0] == 200:
                return
        except (OSError, http.client.HTTPException):
            if process.poll() is not None:
                log.seek(0)
                sys.exit("the gateway ended by itself: " + log.read()[-2000:])
            time.sleep(0.02)
    log.seek(0)
    sys.exit("the gateway did not come up: " + log.read()[-2000:])


def submit_some():
    global number
    for _ in range(chance.randint(1, 6)):
        number += 1
        if submit(f"request {number}"):
            accepted.add(f"request {number}")


def unfinished():
    return rows("SELECT count(*) FROM model_requests WHERE state <> 'done'")[0][0]


def stop_worker():
    """What it holds goes to another; what it says when it goes on comes too late."""
    working.send_signal(signal.SIGSTOP)
    submit_some()
    other = worker("other")
    until = time.monotonic() + 60
    while unfinished() and time.monotonic() < until:
        time.sleep(0.1)
    overtaken = unfinished() == 0
    working.send_signal(signal.SIGCONT)
    time.sleep(1)
    other.send_signal(signal.SIGKILL)
    other.wait()
    return overtaken


def stop_gateway():
    """Longer than its leases last."""
    submit_some()
    serving.send_signal(signal.SIGSTOP)
    time.sleep(3)
    serving.send_signal(signal.SIGCONT)
    ready(serving)


began = time.monotonic()
serving, working = gateway(), worker()
ready(serving)
accepted, kills, number = set(), {"gateway": 0, "worker": 0}, 0
slowest = 0.0
database = next(path for path in data.iterdir() if path.suffix in (".db", ".sqlite", ".sqlite3"))


def rows(sql):
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10) as connection:
        return connection.execute(sql).fetchall()


overtaken = True
for _ in range(options.stops):
    overtaken = stop_worker() and overtaken
    stop_gateway()
while sum(kills.values()) < options.kills:
    submit_some()
    time.sleep(chance.uniform(0, 0.4))
    if chance.random() < 0.5:
        serving.send_signal(signal.SIGKILL)
        serving.wait()
        kills["gateway"] += 1
        back = time.monotonic()
        serving = gateway()
        ready(serving)
        slowest = max(slowest, time.monotonic() - back)
    else:
        working.send_signal(signal.SIGKILL)
        working.wait()
        kills["worker"] += 1
        working = worker()

deadline = time.monotonic() + 120
while time.monotonic() < deadline:
    states = dict(rows("SELECT state, count(*) FROM model_requests GROUP BY state"))
    if set(states) <= {"done"}:
        break
    time.sleep(0.2)
for process in (serving, working):
    process.terminate()
    process.wait()
known = {name for (name,) in rows("SELECT idempotency_key FROM model_requests")}
ends = rows("SELECT count(*), count(DISTINCT aggregate_id) FROM events WHERE event_type IN ('llm.processing_completed', 'llm.processing_failed', 'llm.processing_cancelled')")
leased = rows("SELECT count(*) FROM jobs WHERE state = 'leased'")[0][0]
clean = run("verify")["clean"]
found = {
    "kills": kills, "stops": {"gateway": options.stops, "worker": options.stops}, "stopped_worker_overtaken": overtaken, "accepted": len(accepted), "states": states, "lost": len(accepted - known),
    "ended_twice": ends[0][0] - ends[0][1], "leases_stuck": leased, "verify_clean": clean,
    "slowest_restart_s": round(slowest, 2), "seconds": round(time.monotonic() - began, 1),
}
print(json.dumps(found))
good = (found["lost"] == 0 and found["ended_twice"] == 0 and leased == 0 and clean and overtaken and set(states) == {"done"})
sys.exit(0 if good else 1)
