"""LangChain's langchain-openai."""

import openai
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from case import (
    CHAT_MODEL, EMBED_MODEL, EXPECTED, KEY, NO_MODEL, PROMPT, TEXTS, TIGHT_KEY, URL, WRONG_KEY, check_retry_after,
    check_same, check_vectors, expect, needs_embedding_model, needs_tight_key, run, until_refused,
)


def model(key=KEY, name=CHAT_MODEL, **more):
    return ChatOpenAI(base_url=f"{URL}/v1", api_key=key, model=name, max_retries=0, timeout=30, **more)


def chat():
    reply = model(temperature=0).invoke(PROMPT)
    expect(reply.content == EXPECTED, reply.content)
    expect(reply.usage_metadata and reply.usage_metadata["output_tokens"] > 0, f"usage {reply.usage_metadata}")
    expect(reply.response_metadata["finish_reason"] == "stop", f"{reply.response_metadata}")


def stream():
    parts = list(model(stream_usage=True).stream(PROMPT))
    expect("".join(part.content for part in parts) == EXPECTED, "another text")
    expect(sum(bool(part.content) for part in parts) > 1, "all in one piece")
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    expect(whole.usage_metadata and whole.usage_metadata["output_tokens"] > 0, f"usage {whole.usage_metadata}")
    return f"{len(parts)} parts"


def batch():
    replies = model().batch([PROMPT, PROMPT + "!", PROMPT + "?"])
    expect([reply.content for reply in replies] == [EXPECTED] * 3, "another text")


def embeddings():
    needs_embedding_model()
    # Its default cuts texts into numbers of OpenAI's own vocabulary, which only OpenAI understands.
    embedder = OpenAIEmbeddings(
        base_url=f"{URL}/v1", api_key=KEY, model=EMBED_MODEL, check_embedding_ctx_length=False, max_retries=0
    )
    many = embedder.embed_documents(TEXTS)
    check_same(embedder.embed_query(TEXTS[0]), many[0], "query and document")
    return check_vectors(many)


def wrong_key():
    until_refused(lambda: model(WRONG_KEY).invoke(PROMPT), openai.AuthenticationError)


def unknown_model():
    until_refused(lambda: model(name=NO_MODEL).invoke(PROMPT), openai.NotFoundError)


def bad_value():
    until_refused(lambda: model(extra_body={"messages": "text"}).invoke(PROMPT), openai.BadRequestError)


def over_quota():
    needs_tight_key()
    error = until_refused(lambda: model(TIGHT_KEY).invoke(PROMPT), openai.RateLimitError)
    return check_retry_after(error.response.headers.get("retry-after"))


run("langchain-openai", [
    ("chat", chat), ("stream", stream), ("batch", batch), ("embeddings", embeddings), ("401 wrong key", wrong_key),
    ("404 unknown model", unknown_model), ("400 bad value", bad_value), ("429 over quota", over_quota),
])
