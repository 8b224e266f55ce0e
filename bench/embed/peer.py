"""PyPI fastembed as a contestant: the same files, its own batching, the line protocol of the bench.

    python peer.py MODEL_FOLDER MODEL_FILE THREADS TEXTS

The model is registered with `TextEmbedding.add_custom_model` and read from `specific_model_path`;
pooling and normalisation are off because the graph does both. Nothing is fetched.
"""

import json
import resource
import sys
import time

import numpy as np
from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType

DEFAULT_BATCH = 256


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    folder, file, threads, texts_path = sys.argv[1:]
    with open(texts_path, encoding="utf-8") as handle:
        texts = json.load(handle)
    TextEmbedding.add_custom_model(
        model="lyceum/minilm",
        pooling=PoolingType.DISABLED,
        normalization=False,
        sources=ModelSource(hf="lyceum/minilm"),
        dim=384,
        model_file=file,
        output_name="sentence_embedding",
    )
    model = TextEmbedding(
        "lyceum/minilm", specific_model_path=folder, threads=int(threads), providers=["CPUExecutionProvider"]
    )
    print("ready", flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        assert command["do"] == "embed", command
        part = texts[command["from"] : command["to"]]
        begin, cpu = time.perf_counter(), cpu_seconds()
        vectors = list(model.embed(part, batch_size=command.get("batch") or DEFAULT_BATCH))
        outcome = {"wall_s": time.perf_counter() - begin, "cpu_s": cpu_seconds() - cpu}
        if command.get("out"):
            np.asarray(vectors, dtype="<f4").tofile(command["out"])
        print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    main()
