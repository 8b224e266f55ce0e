"""The llm command, told of the address through extra-openai-models.yaml."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from case import (
    CHAT_MODEL, EXPECTED, KEY, NO_MODEL, PROMPT, TIGHT_KEY, TIGHT_TRIES, URL, WRONG_KEY, Skip, expect, needs_tight_key,
    run,
)

folder = tempfile.TemporaryDirectory(prefix="lyceum-llm.")
models_file = pathlib.Path(folder.name) / "extra-openai-models.yaml"
# JSON is YAML, and quotes what needs quoting.
models_file.write_text(json.dumps([
    {"model_id": f"lyceum-{name}", "model_name": name, "api_base": f"{URL}/v1", "api_key_name": "lyceum"}
    for name in (CHAT_MODEL, NO_MODEL)
]))


def llm(*words, key=KEY):
    environment = {**os.environ, "LLM_USER_PATH": folder.name}
    command = [str(pathlib.Path(sys.executable).with_name("llm")), *words]
    if key:
        command += ["--key", key]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)


def said(done, expected):
    expect(done.returncode == 0, f"exit {done.returncode}: {done.stderr.strip()[-300:]}")
    expect(done.stdout.strip() == expected, done.stdout.strip())


def refused(done, *words):
    expect(done.returncode != 0, f"exit 0: {done.stdout.strip()}")
    expect(any(word in done.stderr for word in words), f"none of {words} in {done.stderr.strip()[-300:]}")


def models():
    done = llm("models", key=None)
    expect(f"lyceum-{CHAT_MODEL}" in done.stdout, done.stdout[-300:])


def chat():
    said(llm(PROMPT, "-m", f"lyceum-{CHAT_MODEL}", "--no-stream", "--no-log"), EXPECTED)


def stream():
    said(llm(PROMPT, "-m", f"lyceum-{CHAT_MODEL}", "--no-log"), EXPECTED)


def embeddings():
    raise Skip("the command takes no address for embedding models")


def wrong_key():
    refused(llm(PROMPT, "-m", f"lyceum-{CHAT_MODEL}", "--no-log", key=WRONG_KEY), "401")


def unknown_model():
    refused(llm(PROMPT, "-m", f"lyceum-{NO_MODEL}", "--no-log"), "404")


def malformed():
    raise Skip("the command writes no malformed requests")


def over_quota():
    needs_tight_key()
    for _ in range(TIGHT_TRIES):
        done = llm(PROMPT, "-m", f"lyceum-{CHAT_MODEL}", "--no-log", key=TIGHT_KEY)
        if done.returncode != 0:
            return refused(done, "429")
    raise AssertionError("none refused")


with folder:
    run("llm (command)", [
        ("models", models), ("chat", chat), ("stream", stream), ("embeddings", embeddings),
        ("401 wrong key", wrong_key), ("404 unknown model", unknown_model), ("400 malformed", malformed),
        ("429 over quota", over_quota),
    ])
