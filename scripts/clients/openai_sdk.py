"""The openai package of Python."""

import openai

from case import (
    CHAT_MODEL, EMBED_MODEL, EXPECTED, KEY, MALFORMED, NO_MODEL, PROMPT, TEXTS, TIGHT_KEY, URL, WRONG_KEY,
    check_retry_after, check_same, check_vectors, expect, needs_embedding_model, needs_tight_key, run, until_refused,
)

MESSAGES = [{"role": "user", "content": PROMPT}]


def client(key=KEY):
    return openai.OpenAI(base_url=f"{URL}/v1", api_key=key, max_retries=0, timeout=30)


def ask(key=KEY, model=CHAT_MODEL, **more):
    return client(key).chat.completions.create(model=model, messages=MESSAGES, **more)


def models():
    ids = [model.id for model in client().models.list()]
    expect(CHAT_MODEL in ids, f"{CHAT_MODEL} not among {ids}")
    expect(not EMBED_MODEL or EMBED_MODEL in ids, f"{EMBED_MODEL} not among {ids}")
    expect(client().models.retrieve(CHAT_MODEL).id == CHAT_MODEL, "another model was shown")


def chat():
    reply = ask(max_tokens=100, temperature=0)
    expect(reply.object == "chat.completion" and reply.id, "not a completion")
    expect(reply.choices[0].message.content == EXPECTED, reply.choices[0].message.content)
    expect(reply.choices[0].message.role == "assistant", reply.choices[0].message.role)
    expect(reply.choices[0].finish_reason == "stop", reply.choices[0].finish_reason)
    expect(reply.usage and reply.usage.prompt_tokens > 0 and reply.usage.completion_tokens > 0, f"usage {reply.usage}")
    expect(reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens, "total is no sum")


def stream():
    chunks = list(ask(stream=True))
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    expect("".join(texts) == EXPECTED, "".join(texts))
    expect(sum(bool(text) for text in texts) > 1, "all in one piece")
    expect([chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop", "not told to stop")
    expect(len({chunk.id for chunk in chunks}) == 1, "more than one id")
    return f"{len(chunks)} events"


def stream_usage():
    chunks = list(ask(stream=True, stream_options={"include_usage": True}))
    expect(chunks[-1].usage and chunks[-1].usage.completion_tokens > 0, f"usage {chunks[-1].usage}")
    expect(not chunks[-1].choices, "the counts come with a choice")


def completion():
    reply = client().completions.create(model=CHAT_MODEL, prompt=PROMPT, max_tokens=100)
    expect(reply.choices[0].text == EXPECTED, reply.choices[0].text)


def embeddings():
    needs_embedding_model()
    # The SDK asks for base64 unless told otherwise.
    packed = client().embeddings.create(model=EMBED_MODEL, input=TEXTS)
    plain = client().embeddings.create(model=EMBED_MODEL, input=TEXTS, encoding_format="float")
    for one, other in zip(packed.data, plain.data):
        check_same(one.embedding, other.embedding, "base64 and float")
    single = client().embeddings.create(model=EMBED_MODEL, input=TEXTS[0])
    check_same(single.data[0].embedding, plain.data[0].embedding, "alone and in a batch")
    expect([item.index for item in plain.data] == list(range(len(TEXTS))), "out of order")
    expect(plain.usage.prompt_tokens > 0, "no tokens counted")
    return check_vectors([item.embedding for item in plain.data])


def wrong_key():
    until_refused(lambda: ask(key=WRONG_KEY), openai.AuthenticationError)


def unknown_model():
    error = until_refused(lambda: ask(model=NO_MODEL), openai.NotFoundError)
    expect(NO_MODEL in str(error), f"does not name the model: {error}")


def malformed():
    headers = {"content-type": "application/json"}
    call = lambda: client().post("/chat/completions", cast_to=object, content=MALFORMED, options={"headers": headers})
    error = until_refused(call, openai.BadRequestError)
    expect(isinstance(error.body, dict) and error.body.get("message"), f"no message in {error.body}")


def bad_value():
    until_refused(lambda: client().chat.completions.create(model=CHAT_MODEL, messages="text"), openai.BadRequestError)


def over_quota():
    needs_tight_key()
    error = until_refused(lambda: ask(key=TIGHT_KEY), openai.RateLimitError)
    return check_retry_after(error.response.headers.get("retry-after"))


run("openai (Python)", [
    ("models", models), ("chat", chat), ("stream", stream), ("stream usage", stream_usage), ("completion", completion),
    ("embeddings", embeddings), ("401 wrong key", wrong_key), ("404 unknown model", unknown_model),
    ("400 malformed", malformed), ("400 bad value", bad_value), ("429 over quota", over_quota),
])
