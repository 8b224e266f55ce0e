"""The ollama package of Python, against the same address."""

import ollama

from case import (
    CHAT_MODEL, EMBED_MODEL, EXPECTED, KEY, MALFORMED, NO_MODEL, PROMPT, TEXTS, TIGHT_KEY, URL, WRONG_KEY,
    check_retry_after, check_same, check_vectors, expect, needs_embedding_model, needs_tight_key, run, until_refused,
)

MESSAGES = [{"role": "user", "content": PROMPT}]
last_headers = {}


def client(key=KEY):
    # The package keeps no headers of a refusal; a hook of its HTTP client sees them.
    def note(response):
        last_headers.clear()
        last_headers.update(response.headers)

    return ollama.Client(
        host=URL, headers={"authorization": f"Bearer {key}"}, timeout=30, event_hooks={"response": [note]}
    )


def refused(status, ask):
    error = until_refused(ask, ollama.ResponseError)
    expect(error.status_code == status, f"{error.status_code} instead of {status}: {error}")
    expect(isinstance(error.error, str) and error.error, f"no message in {error.error!r}")
    return error


def models():
    names = [model.model for model in client().list().models]
    expect(any(name.removesuffix(":latest") == CHAT_MODEL for name in names), f"{CHAT_MODEL} not among {names}")


def show():
    shown = client().show(CHAT_MODEL)
    expect(shown.details is not None or shown.capabilities, f"shows nothing: {shown}")


def loaded():
    expect(client().ps().models is not None, "no list")


def version():
    reply = client()._request_raw("GET", "/api/version").json()
    expect(reply.get("version"), f"{reply}")
    return reply["version"]


def chat():
    reply = client().chat(model=CHAT_MODEL, messages=MESSAGES)
    expect(reply.message.content == EXPECTED, reply.message.content)
    expect(reply.message.role == "assistant" and reply.done is True, f"{reply}")
    expect((reply.eval_count or 0) > 0 and (reply.prompt_eval_count or 0) > 0, "no tokens counted")


def stream():
    parts = list(client().chat(model=CHAT_MODEL, messages=MESSAGES, stream=True))
    expect("".join(part.message.content or "" for part in parts) == EXPECTED, "another text")
    expect(sum(bool(part.message.content) for part in parts) > 1, "all in one piece")
    expect([bool(part.done) for part in parts] == [False] * (len(parts) - 1) + [True], "done is not the last alone")
    return f"{len(parts)} lines"


def generate():
    reply = client().generate(model=CHAT_MODEL, prompt=PROMPT)
    expect(reply.response == EXPECTED and reply.done is True, f"{reply}")


def generate_stream():
    parts = list(client().generate(model=CHAT_MODEL, prompt=PROMPT, stream=True))
    expect("".join(part.response or "" for part in parts) == EXPECTED, "another text")
    expect(parts[-1].done is True, "the last line is not done")


def embeddings():
    needs_embedding_model()
    many = client().embed(model=EMBED_MODEL, input=TEXTS).embeddings
    check_same(client().embed(model=EMBED_MODEL, input=TEXTS[0]).embeddings[0], many[0], "alone and in a batch")
    return check_vectors(many)


def wrong_key():
    refused(401, lambda: client(WRONG_KEY).chat(model=CHAT_MODEL, messages=MESSAGES))


def unknown_model():
    refused(404, lambda: client().chat(model=NO_MODEL, messages=MESSAGES))


def unknown_model_stream():
    refused(404, lambda: list(client().chat(model=NO_MODEL, messages=MESSAGES, stream=True)))


def malformed():
    headers = {"content-type": "application/json"}
    refused(400, lambda: client()._request_raw("POST", "/api/chat", content=MALFORMED, headers=headers))


def over_quota():
    needs_tight_key()
    refused(429, lambda: client(TIGHT_KEY).chat(model=CHAT_MODEL, messages=MESSAGES))
    return check_retry_after(last_headers.get("retry-after"))


run("ollama (Python)", [
    ("models", models), ("show", show), ("ps", loaded), ("version", version), ("chat", chat), ("stream", stream),
    ("generate", generate), ("generate stream", generate_stream), ("embeddings", embeddings),
    ("401 wrong key", wrong_key), ("404 unknown model", unknown_model), ("404 in a stream", unknown_model_stream),
    ("400 malformed", malformed), ("429 over quota", over_quota),
])
