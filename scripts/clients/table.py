"""Runs every client, prints client by case, and fails when one case failed or one client said nothing."""

import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
PYTHON = ["openai_sdk.py", "ollama_sdk.py", "langchain_sdk.py", "llm_command.py"]


def outcomes(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        detail = f"exit {done.returncode}: {done.stderr.strip()[-400:]}"
        lines.append({"client": pathlib.Path(command[1]).name, "case": "(whole)", "outcome": "FAILED", "detail": detail})
    return lines


def main():
    node, node_folder = sys.argv[1:3]
    found = [line for name in PYTHON for line in outcomes([sys.executable, str(HERE / name)])]
    if node:
        found += outcomes([node, str(HERE / "openai_sdk.mjs"), node_folder])
    clients = list(dict.fromkeys(line["client"] for line in found))
    cases = list(dict.fromkeys(line["case"] for line in found))
    width = max(map(len, cases))
    print(" " * width, *(f"{client:>20}" for client in clients))
    for case in cases:
        row = {line["client"]: line["outcome"] for line in found if line["case"] == case}
        print(f"{case:<{width}}", *(f"{row.get(client, '-'):>20}" for client in clients))
    for line in found:
        if line["outcome"] != "ok":
            print(f"{line['outcome']}: {line['client']}, {line['case']}: {line['detail']}")
    if not node:
        print("skipped: openai (JavaScript): Node.js is missing")
    failed = sum(line["outcome"] == "FAILED" for line in found)
    print(f"{sum(line['outcome'] == 'ok' for line in found)} ok, {failed} failed of {len(found)} cases")
    return 1 if failed else 0


sys.exit(main())
