#!/usr/bin/env python3
"""Builds ONNX files of all-MiniLM-L6-v2 from its safetensors, without torch.

The graph is written by hand so that the output is reproducible: for the same
versions of `onnx` and `onnxruntime` the files have the same sha256. Pooling and
normalisation are inside the graph, so a caller gets sentence vectors and cannot
get them subtly wrong. This script does not fetch anything and does not write the
model catalog; copy the printed hashes there.

    python export_minilm.py --model-dir DIR --out DIR [--precision fp32|int8|all]

Needs `onnx` and `numpy`; int8 and the self-check also need `onnxruntime`.
Inputs `input_ids`, `attention_mask` (int64, [batch, sequence]); output
`sentence_embedding` (float32, [batch, 384], unit length).
"""

import argparse
import hashlib
import json
import math
import pathlib
import re
import struct
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

EXPORTER_NAME = "lyceum-export-minilm"
EXPORTER_VERSION = "2"
# Opset 17 is the first with LayerNormalization; IR 8 is what it shipped with, so
# that old runtimes load the file too.
OPSET = 17
IR_VERSION = 8
UPSTREAM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# Large enough that softmax yields exactly zero in float32, small enough to add
# to a score without overflow.
MASKED_SCORE = -10000.0
FP32_MINIMUM_COSINE = 0.9999
INT8_MINIMUM_COSINE = 0.99


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_safetensors(path):
    """All tensors of a safetensors file as arrays (header: length, JSON, data)."""
    raw = path.read_bytes()
    (header_length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + header_length])
    data = memoryview(raw)[8 + header_length :]
    dtypes = {"F32": np.float32, "I64": np.int64}
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        flat = np.frombuffer(data[begin:end], dtype=dtypes[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


class Graph:
    """Collects nodes and initializers under readable, stable names."""

    def __init__(self):
        self.nodes = []
        self.initializers = []

    def constant(self, name, value, dtype=np.float32):
        array = np.ascontiguousarray(np.asarray(value, dtype=dtype))
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def add(self, operator, name, *inputs, **attributes):
        self.nodes.append(
            helper.make_node(operator, list(inputs), [name], name=name, **attributes)
        )
        return name


def build_fp32(weights, config):
    """The encoder, mean pooling over the mask and L2 normalisation as one graph."""
    heads = config["num_attention_heads"]
    hidden = config["hidden_size"]
    head_size = hidden // heads
    epsilon = config["layer_norm_eps"]
    graph = Graph()

    def layer_norm(name, prefix, value):
        scale = graph.constant(f"{name}.weight", weights[f"{prefix}.weight"])
        bias = graph.constant(f"{name}.bias", weights[f"{prefix}.bias"])
        return graph.add(
            "LayerNormalization", name, value, scale, bias, axis=-1, epsilon=epsilon
        )

    def dense(name, prefix, value):
        # Stored [out, in]; MatMul with a constant right side wants [in, out].
        kernel = graph.constant(f"{name}.weight", weights[f"{prefix}.weight"].T)
        bias = graph.constant(f"{name}.bias", weights[f"{prefix}.bias"])
        return graph.add("Add", name, graph.add("MatMul", f"{name}.product", value, kernel), bias)

    word_table = graph.constant(
        "embedding.word.weight", weights["embeddings.word_embeddings.weight"]
    )
    # There is one segment only, so its row joins the position table. Positions
    # are a slice by the shape of the ids: an index made by Range is lost by some
    # optimizers, which then freeze the length.
    positions = graph.constant(
        "embedding.position.weight",
        weights["embeddings.position_embeddings.weight"]
        + weights["embeddings.token_type_embeddings.weight"][0],
    )
    zero = graph.constant("index.zero", [0], np.int64)
    one = graph.constant("index.one", [1], np.int64)
    length = graph.add("Shape", "sequence_length", "input_ids", start=1, end=2)
    position = graph.add("Slice", "embedding.position", positions, zero, length, zero)
    word = graph.add("Gather", "embedding.word", word_table, "input_ids", axis=0)
    state = graph.add("Add", "embedding.sum", word, position)
    state = layer_norm("embedding.norm", "embeddings.LayerNorm", state)

    mask = graph.add("Cast", "mask", "attention_mask", to=TensorProto.FLOAT)
    unit = graph.constant("unit", 1.0)
    absent = graph.add("Sub", "mask.absent", unit, mask)
    penalty = graph.add(
        "Mul", "mask.penalty", absent, graph.constant("mask.score", MASKED_SCORE)
    )
    attention_bias = graph.add(
        "Unsqueeze",
        "mask.bias",
        penalty,
        graph.constant("mask.axes", [1, 2], np.int64),
    )

    split = graph.constant("heads.split", [0, 0, heads, head_size], np.int64)
    merge = graph.constant("heads.merge", [0, 0, hidden], np.int64)
    scale = graph.constant("attention.scale", 1.0 / math.sqrt(head_size))
    half = graph.constant("gelu.half", 0.5)
    root_half = graph.constant("gelu.root_half", math.sqrt(0.5))

    for index in range(config["num_hidden_layers"]):
        source = f"encoder.layer.{index}"
        name = f"layer{index}"

        def project(part, permutation, name=name, source=source, state=state):
            value = dense(f"{name}.{part}", f"{source}.attention.self.{part}", state)
            value = graph.add("Reshape", f"{name}.{part}.heads", value, split)
            return graph.add("Transpose", f"{name}.{part}.t", value, perm=permutation)

        query = graph.add("Mul", f"{name}.query.scaled", project("query", [0, 2, 1, 3]), scale)
        key = project("key", [0, 2, 3, 1])
        value = project("value", [0, 2, 1, 3])
        scores = graph.add("MatMul", f"{name}.scores", query, key)
        scores = graph.add("Add", f"{name}.scores.masked", scores, attention_bias)
        attention = graph.add("Softmax", f"{name}.attention", scores, axis=-1)
        context = graph.add("MatMul", f"{name}.context", attention, value)
        context = graph.add("Transpose", f"{name}.context.t", context, perm=[0, 2, 1, 3])
        context = graph.add("Reshape", f"{name}.context.merged", context, merge)
        context = dense(f"{name}.attention.output", f"{source}.attention.output.dense", context)
        state = graph.add("Add", f"{name}.attention.residual", context, state)
        state = layer_norm(f"{name}.attention.norm", f"{source}.attention.output.LayerNorm", state)

        inner = dense(f"{name}.inner", f"{source}.intermediate.dense", state)
        error = graph.add("Mul", f"{name}.gelu.argument", inner, root_half)
        error = graph.add("Erf", f"{name}.gelu.erf", error)
        error = graph.add("Add", f"{name}.gelu.shifted", error, unit)
        inner = graph.add("Mul", f"{name}.gelu.product", inner, error)
        inner = graph.add("Mul", f"{name}.gelu", inner, half)
        inner = dense(f"{name}.output", f"{source}.output.dense", inner)
        state = graph.add("Add", f"{name}.output.residual", inner, state)
        state = layer_norm(f"{name}.output.norm", f"{source}.output.LayerNorm", state)

    # A product, not a ReduceSum: that one adds up in another order when the batch is larger than
    # one, and then the last bits of a vector would depend on what it was embedded with.
    row = graph.add("Unsqueeze", "pool.mask", mask, one)
    total = graph.add("MatMul", "pool.sum", row, state)
    total = graph.add("Squeeze", "pool.sum.flat", total, one)
    count = graph.add("ReduceSum", "pool.count", mask, one, keepdims=1)
    count = graph.add("Max", "pool.count.positive", count, graph.constant("pool.floor", 1e-9))
    mean = graph.add("Div", "pool.mean", total, count)
    norm = graph.add("ReduceL2", "norm.length", mean, axes=[1], keepdims=1)
    norm = graph.add("Max", "norm.length.positive", norm, graph.constant("norm.floor", 1e-12))
    graph.add("Div", "sentence_embedding", mean, norm)

    def sequence_input(name):
        return helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])

    onnx_graph = helper.make_graph(
        graph.nodes,
        "all-MiniLM-L6-v2",
        [sequence_input("input_ids"), sequence_input("attention_mask")],
        [
            helper.make_tensor_value_info(
                "sentence_embedding", TensorProto.FLOAT, ["batch", hidden]
            )
        ],
        graph.initializers,
    )
    return stamped(
        helper.make_model(onnx_graph, opset_imports=[helper.make_opsetid("", OPSET)])
    )


def stamped(model):
    """The model with fixed producer fields, so that equal graphs hash equally."""
    model.ir_version = IR_VERSION
    model.producer_name = EXPORTER_NAME
    model.producer_version = EXPORTER_VERSION
    model.model_version = 1
    model.doc_string = ""
    del model.metadata_props[:]
    return model


def write(model, path):
    path.write_bytes(model.SerializeToString(deterministic=True))


def quantize(fp32_path, int8_path, layer_count):
    """Signed 8-bit weights per output channel; activations are quantized at run time.

    Only MatMul with a constant side and the word table are touched, and of these
    the second product of each feed-forward block stays float32: its activations
    have outliers, and with it the lowest cosine falls to 0.985. Activation
    ranges are taken over the whole input tensor, therefore an int8 vector depends
    on what else is in the batch: callers who need equal vectors run one text a
    time, or equal batches.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as scratch:
        draft = pathlib.Path(scratch) / "draft.onnx"
        quantize_dynamic(
            str(fp32_path),
            str(draft),
            op_types_to_quantize=["MatMul", "Gather"],
            per_channel=True,
            # One bit less keeps 16-bit sums from saturating on processors
            # without VNNI, where results would otherwise differ by machine.
            reduce_range=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[f"layer{index}.output.product" for index in range(layer_count)],
            extra_options={"MatMulConstBOnly": True},
        )
        write(stamped(onnx.load(str(draft))), int8_path)


# --- Self-check: a plain numpy BERT against what the runtime makes of the files ---


def numpy_embedding(weights, config, ids):
    """The vector of one unpadded text, computed without ONNX."""
    heads = config["num_attention_heads"]
    epsilon = config["layer_norm_eps"]

    def dense(value, prefix):
        return value @ weights[f"{prefix}.weight"].T + weights[f"{prefix}.bias"]

    def layer_norm(value, prefix):
        centred = value - value.mean(-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
        return centred / deviation * weights[f"{prefix}.weight"] + weights[f"{prefix}.bias"]

    erf = np.vectorize(math.erf, otypes=[np.float64])
    state = (
        weights["embeddings.word_embeddings.weight"][ids].astype(np.float64)
        + weights["embeddings.position_embeddings.weight"][: len(ids)]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    state = layer_norm(state, "embeddings.LayerNorm")
    for index in range(config["num_hidden_layers"]):
        prefix = f"encoder.layer.{index}"

        def project(part, prefix=prefix, state=state):
            value = dense(state, f"{prefix}.attention.self.{part}")
            return value.reshape(len(ids), heads, -1).transpose(1, 0, 2)

        query, key, value = project("query"), project("key"), project("value")
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        attention = np.exp(scores - scores.max(-1, keepdims=True))
        attention /= attention.sum(-1, keepdims=True)
        context = (attention @ value).transpose(1, 0, 2).reshape(len(ids), -1)
        context = dense(context, f"{prefix}.attention.output.dense")
        state = layer_norm(context + state, f"{prefix}.attention.output.LayerNorm")
        inner = dense(state, f"{prefix}.intermediate.dense")
        inner = inner * 0.5 * (1 + erf(inner * math.sqrt(0.5)))
        state = layer_norm(
            dense(inner, f"{prefix}.output.dense") + state, f"{prefix}.output.LayerNorm"
        )
    mean = state.mean(0)
    return mean / np.linalg.norm(mean)


SENTENCES = [
    "What is a lease, and who may end it early?",
    "Water boils at a lower temperature on a mountain because the air presses less on it.",
    "Read the file line by line, and stop at the first one that does not parse.",
    "threads",
    "The committee met in March, but no decision was written down until the autumn.",
    "How do I undo the last change without losing the others?",
    "An enzyme lowers the energy that a reaction needs; it is not used up by it.",
    "let total = items.iter().map(|item| item.price).sum::<u32>();",
    "The string vibrates along its whole length and along its halves at the same time.",
    "Error handling",
    "A matrix can be inverted exactly when its determinant is not zero.",
    "Knead the dough for ten minutes, cover it, and let it rise in a warm place.",
    "Why does the compiler refuse to borrow the same value twice?",
    "The treaty of 1648 ended thirty years of war and changed how states dealt with each other.",
    "A cache is useful only as long as somebody remembers to empty it.",
    "Passwords are stored as salted hashes, never as text.",
    "price elasticity of demand",
    "Each cell carries the same instructions but follows only some of them.",
    "The painter mixed blue and yellow, then added a little white.",
    "if request.method == 'POST': return save(request.body)",
    "Which verbs take a different ending in the past tense?",
    "The bridge carries its load in compression, so stone was a good choice.",
    "A learner who explains a step aloud notices sooner where it does not follow.",
    "Photosynthesis",
    "Sound travels about four times faster in water than in air.",
]


def token_ids(text, vocabulary):
    """WordPiece ids of plain English text; enough for the sentences above."""
    ids = [vocabulary["[CLS]"]]
    for word in re.findall(r"[a-z0-9]+|[^a-z0-9\s]", text.lower()):
        start = 0
        while start < len(word):
            end = len(word)
            while (piece := ("##" if start else "") + word[start:end]) not in vocabulary:
                end -= 1
            ids.append(vocabulary[piece])
            start = end
    return np.array(ids + [vocabulary["[SEP]"]])


def check(path, weights, config, vocabulary, minimum):
    """Fails unless each text has nearly the vector that plain numpy gives it."""
    import onnxruntime

    texts = SENTENCES + [" ".join(SENTENCES[i : i + 5]) for i in range(len(SENTENCES))]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    cosines = []
    for text in texts:
        ids = token_ids(text, vocabulary)
        # Eight padded positions, so that the mask is part of what is checked.
        row = np.pad(ids, (0, 8))[None]
        mask = np.pad(np.ones_like(ids), (0, 8))[None]
        (vectors,) = session.run(None, {"input_ids": row, "attention_mask": mask})
        cosines.append(float(vectors[0] @ numpy_embedding(weights, config, ids)))
    lowest, mean = min(cosines), sum(cosines) / len(cosines)
    print(f"{path.name}: cosine to the reference over {len(texts)} texts: "
          f"lowest {lowest:.6f}, mean {mean:.6f}")
    if lowest < minimum:
        sys.exit(f'"{path.name}" is too far from the reference: {lowest:.5f} < {minimum}')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model-dir", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--precision", choices=["fp32", "int8", "all"], default="all")
    parser.add_argument("--no-check", action="store_true", help="skip the comparison with numpy")
    arguments = parser.parse_args()

    source = arguments.model_dir / "model.safetensors"
    if sha256_of(source) != UPSTREAM_SHA256:
        sys.exit(f'"{source}" is not the published file: its sha256 differs')
    config = json.loads((arguments.model_dir / "config.json").read_text())
    tokenizer = json.loads((arguments.model_dir / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    weights = read_safetensors(source)
    arguments.out.mkdir(parents=True, exist_ok=True)
    print(f"exporter {EXPORTER_NAME} {EXPORTER_VERSION}, opset {OPSET}")
    print(f"onnx {onnx.__version__}, numpy {np.__version__}")

    written = []
    with tempfile.TemporaryDirectory() as scratch:
        wants_fp32 = arguments.precision != "int8"
        folder = arguments.out if wants_fp32 else pathlib.Path(scratch)
        fp32_path = folder / "model.fp32.onnx"
        model = build_fp32(weights, config)
        onnx.checker.check_model(model, full_check=True)
        write(model, fp32_path)
        if wants_fp32:
            written.append((fp32_path, FP32_MINIMUM_COSINE))
        if arguments.precision != "fp32":
            import onnxruntime

            print(f"onnxruntime {onnxruntime.__version__}")
            int8_path = arguments.out / "model.int8.onnx"
            quantize(fp32_path, int8_path, config["num_hidden_layers"])
            written.append((int8_path, INT8_MINIMUM_COSINE))

    for path, minimum in written:
        if not arguments.no_check:
            check(path, weights, config, vocabulary, minimum)
        print(f"{path.name}: {path.stat().st_size} bytes, sha256 {sha256_of(path)}")


if __name__ == "__main__":
    main()
