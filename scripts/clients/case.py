"""What every client of the test shares: the settings, the cases' outcome as one JSON line each, the checks."""

import json
import math
import os
import sys
import time

URL = os.environ["LYCEUM_URL"].rstrip("/")
KEY = os.environ["LYCEUM_KEY"]
TIGHT_KEY = os.environ.get("LYCEUM_TIGHT_KEY", "")
CHAT_MODEL = os.environ["LYCEUM_CHAT_MODEL"]
EMBED_MODEL = os.environ.get("LYCEUM_EMBED_MODEL", "")
EXPECTED = os.environ["LYCEUM_EXPECTED"]

PROMPT = "ping, please"
WRONG_KEY = "lyk_0000000000000000000000000000000000000000000"
NO_MODEL = "no-such-model"
MALFORMED = b'{"model": "' + CHAT_MODEL.encode() + b'", "messages": ['
# The first two say the same, the third speaks of something else.
TEXTS = ["How do plants turn light into food?", "The way plants make food from light", "The train to Ghent was late"]
# A limit of so many requests is set for the tight key; one more must be refused.
TIGHT_TRIES = 8


class Skip(Exception):
    """The case cannot be tried with this client; the text says why."""


def expect(holds, message):
    if not holds:
        raise AssertionError(message)


def run(client, cases):
    """Runs cases in order; never stops at a failure."""
    for name, function in cases:
        began = time.monotonic()
        outcome, detail = "ok", ""
        try:
            detail = function() or ""
        except Skip as reason:
            outcome, detail = "skipped", str(reason)
        except Exception as error:  # noqa: BLE001  a client may raise anything, and all of it is a finding
            outcome, detail = "FAILED", f"{type(error).__name__}: {error}"[:400]
        seconds = round(time.monotonic() - began, 3)
        print(json.dumps({"client": client, "case": name, "outcome": outcome, "detail": detail, "seconds": seconds}))
        sys.stdout.flush()


def needs_embedding_model():
    if not EMBED_MODEL:
        raise Skip("no embedding model here")


def needs_tight_key():
    if not TIGHT_KEY:
        raise Skip("LYCEUM_TIGHT_KEY is not set")


def check_vectors(vectors):
    expect(len(vectors) == len(TEXTS), f"{len(vectors)} vectors for {len(TEXTS)} texts")
    expect(len({len(vector) for vector in vectors}) == 1 and len(vectors[0]) >= 64, "odd dimensions")
    for vector in vectors:
        expect(abs(math.hypot(*vector) - 1) < 1e-3, f"length {math.hypot(*vector)} instead of 1")
    near, far = cosine(vectors[0], vectors[1]), cosine(vectors[0], vectors[2])
    expect(near > far + 0.1, f"like texts {near:.3f}, unlike {far:.3f}")
    return f"{len(vectors[0])} dimensions"


def cosine(one, other):
    return sum(a * b for a, b in zip(one, other)) / (math.hypot(*one) * math.hypot(*other))


def check_same(one, other, what):
    expect(len(one) == len(other), f"{what}: {len(one)} and {len(other)} dimensions")
    expect(cosine(one, other) > 0.99999, f"{what}: cosine {cosine(one, other)}")


def check_retry_after(value):
    expect(value is not None, "no Retry-After")
    expect(str(value).isdigit() and int(value) >= 1, f"Retry-After {value!r}")
    return f"Retry-After {value} s"


def until_refused(ask, refusal):
    """Asks until `refusal` is raised, and gives it back."""
    for _ in range(TIGHT_TRIES):
        try:
            ask()
        except refusal as error:
            return error
    raise AssertionError(f"{TIGHT_TRIES} requests under a tight limit, none refused")
