"""A stand-in for the gateway's HTTP surface, small and correct: tries the clients of this test without the product.

Prints its port. The keys are `good` and `tight`; `tight` allows two requests."""

import base64
import hashlib
import json
import math
import os
import struct
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHAT = os.environ["LYCEUM_CHAT_MODEL"]
EMBED = os.environ.get("LYCEUM_EMBED_MODEL", "")
REPLY = os.environ["LYCEUM_EXPECTED"]
PIECES = [word + " " for word in REPLY.split(" ")[:-1]] + REPLY.split(" ")[-1:]
spent = {"tight": 0}


def vector(text):
    """Words of four letters and more hashed into 128 numbers, of length 1."""
    numbers = [0.0] * 128
    for word in text.lower().strip("?!.").split():
        if len(word) > 3:
            numbers[hashlib.sha256(word.encode()).digest()[0] % 128] += 1.0
    length = math.hypot(*numbers) or 1.0
    return [number / length for number in numbers]


class Refusal(Exception):
    def __init__(self, status, message, headers=()):
        super().__init__(message)
        self.status, self.headers = status, dict(headers)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, status, value, headers=()):
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"content-type": "application/json", "content-length": len(body), **dict(headers)}.items():
            self.send_header(name, str(text))
        self.end_headers()
        self.wfile.write(body)

    def send_pieces(self, kind, pieces):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in [*pieces, ""]:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece.encode()), piece.encode()))
            self.wfile.flush()

    def answer(self, action):
        openai = self.path.startswith("/v1/")
        try:
            action()
        except Refusal as refusal:
            said = {"message": str(refusal), "type": "invalid_request_error"} if openai else str(refusal)
            self.send(refusal.status, {"error": said}, refusal.headers)

    def check_key(self):
        key = self.headers.get("authorization", "").removeprefix("Bearer ")
        if key not in ("good", "tight"):
            raise Refusal(401, "unknown key")
        if key == "tight":
            spent["tight"] += 1
            if spent["tight"] > 2:
                raise Refusal(429, "requests of a day are used up", {"retry-after": 3600})

    def do_GET(self):
        self.answer(self.get)

    def do_POST(self):
        self.answer(self.post)

    def get(self):
        if self.path == "/api/version":
            return self.send(200, {"version": "0.6.8"})
        self.check_key()
        names = [name for name in (CHAT, EMBED) if name]
        if self.path == "/v1/models":
            return self.send(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in names]})
        if self.path.startswith("/v1/models/"):
            return self.send(200, {"id": self.path.removeprefix("/v1/models/"), "object": "model"})
        if self.path in ("/api/tags", "/api/ps"):
            return self.send(200, {"models": [{"name": f"{name}:latest", "model": f"{name}:latest"} for name in names]})
        raise Refusal(404, "no such path")

    def post(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.check_key()
        try:
            asked = json.loads(body)
        except ValueError:
            raise Refusal(400, "the body is not JSON") from None
        if asked.get("model") not in (CHAT, EMBED):
            raise Refusal(404, f"no model {asked.get('model')!r}")
        if not isinstance(asked.get("messages", []), list):
            raise Refusal(400, "messages is not a list")
        paths = {
            "/v1/chat/completions": self.chat_completion, "/v1/completions": self.completion,
            "/v1/embeddings": self.embeddings, "/api/embed": self.embed, "/api/chat": self.ollama,
            "/api/generate": self.ollama, "/api/show": lambda _: self.send(200, {"details": {}, "model_info": {}}),
        }
        if self.path not in paths:
            raise Refusal(404, "no such path")
        paths[self.path](asked)

    def chat_completion(self, asked):
        base = {"id": "c1", "created": 1, "model": asked["model"]}
        usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
        if not asked.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": REPLY}, "finish_reason": "stop"}
            return self.send(200, {**base, "object": "chat.completion", "choices": [choice], "usage": usage})
        base["object"] = "chat.completion.chunk"
        deltas = [({"content": piece}, None) for piece in PIECES] + [({}, "stop")]
        events = [
            {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]} for delta, reason in deltas
        ]
        if (asked.get("stream_options") or {}).get("include_usage"):
            events.append({**base, "choices": [], "usage": usage})
        texts = [f"data: {json.dumps(event)}\n\n" for event in events]
        return self.send_pieces("text/event-stream", [*texts, "data: [DONE]\n\n"])

    def completion(self, asked):
        choice = {"index": 0, "text": REPLY, "finish_reason": "stop", "logprobs": None}
        self.send(200, {"id": "c1", "object": "text_completion", "created": 1, "model": CHAT, "choices": [choice]})

    def embeddings(self, asked):
        texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        packed = asked.get("encoding_format") == "base64"
        data = []
        for index, text in enumerate(texts):
            numbers = vector(text)
            if packed:
                numbers = base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
            data.append({"object": "embedding", "index": index, "embedding": numbers})
        usage = {"prompt_tokens": 9, "total_tokens": 9}
        self.send(200, {"object": "list", "data": data, "model": asked["model"], "usage": usage})

    def embed(self, asked):
        texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        self.send(200, {"model": asked["model"], "embeddings": [vector(text) for text in texts]})

    def ollama(self, asked):
        def line(text, done):
            said = {"message": {"role": "assistant", "content": text}} if "messages" in asked else {"response": text}
            counts = {"done_reason": "stop", "prompt_eval_count": 5, "eval_count": 7} if done else {}
            return {"model": asked["model"], "created_at": "2026-01-01T00:00:00Z", **said, "done": done, **counts}

        if asked.get("stream", True):
            lines = [line(piece, False) for piece in PIECES] + [line("", True)]
            return self.send_pieces("application/x-ndjson", [json.dumps(each) + "\n" for each in lines])
        return self.send(200, line(REPLY, True))


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
