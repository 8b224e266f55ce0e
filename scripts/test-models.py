#!/usr/bin/env python3
"""Makes the small GGUF models that the tests against a real Ollama use. Called by test-ollama.sh.

  test-models.py word-salad FILE     a llama of two layers that says printable nonsense and ends
  test-models.py same-token FILE     the same, but it says one token for ever
  test-models.py minilm FOLDER FILE  all-MiniLM-L6-v2 from tokenizer.json, config.json, model.safetensors

Needs the packages gguf, numpy and safetensors.
"""

import json
import sys
from pathlib import Path

import gguf
import numpy as np

CONTEXT = 2048
LAYERS, WIDTH, HEADS, INNER = 2, 64, 4, 128
SPECIAL = ["<|pad|>", "<|bos|>", "<|eos|>", "<|im_start|>", "<|im_end|>"]
END = 4
WORDS = (
    "the teacher explained how sun warms ocean and water rises into air a binary search tree keeps its "
    "keys in sorted order score feedback good system user assistant rust value owner lesson"
).split()


def byte_letters():
    """The letter that stands for each byte in a byte-level vocabulary (GPT-2)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    return letters | {byte: chr(256 + place) for place, byte in enumerate(others)}


def vocabulary():
    """Tokens and merges: every byte, and a few words with a space before, built from the left."""
    letters = byte_letters()
    tokens = SPECIAL + [letters[byte] for byte in range(256)]
    merges = []
    for word in WORDS:
        spelled = [letters[byte] for byte in (" " + word).encode()]
        left = spelled[0]
        for letter in spelled[1:]:
            if left + letter not in tokens:
                tokens.append(left + letter)
                merges.append(f"{left} {letter}")
            left += letter
    return tokens, merges


def bias(token):
    """How likely a token is beside the others: whole words most, what cannot be printed never."""
    if token in SPECIAL:
        return 0.2 if token == SPECIAL[END] else -9.0
    if token[1:] in WORDS:
        return 0.0
    return -1.0 if all(33 <= ord(letter) < 127 for letter in token) else -9.0


def llama(path, favourite=None):
    tokens, merges = vocabulary()
    random = np.random.default_rng(0)
    noise = lambda *shape: (random.standard_normal(shape) * 0.08).astype(np.float32)
    out = gguf.GGUFWriter(path, "llama")
    out.add_name("tests")
    out.add_context_length(CONTEXT)
    out.add_embedding_length(WIDTH)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(INNER)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_rope_dimension_count(WIDTH // HEADS)
    out.add_rope_freq_base(10000.0)
    out.add_vocab_size(len(tokens))
    out.add_file_type(gguf.LlamaFileType.ALL_F32)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list(tokens)
    out.add_token_types([gguf.TokenType.CONTROL if t in SPECIAL else gguf.TokenType.NORMAL for t in tokens])
    out.add_token_merges(merges)
    out.add_bos_token_id(1)
    out.add_eos_token_id(END)
    out.add_pad_token_id(0)
    out.add_add_bos_token(False)
    # The first number of every state is constant, so the first column of the output is a bias of
    # each token. Without it random weights say bytes that are no text.
    embedding, output = noise(len(tokens), WIDTH), noise(len(tokens), WIDTH) * 6
    embedding[:, 0] = 0.5
    output[:, 0] = [bias(token) for token in tokens]
    if favourite is not None:
        output[tokens.index(favourite), 0] = 30.0
    out.add_tensor("token_embd.weight", embedding)
    out.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    out.add_tensor("output.weight", output)
    for layer in range(LAYERS):
        name = f"blk.{layer}."
        ones = np.ones(WIDTH, np.float32)
        mixed, down = noise(WIDTH, WIDTH), noise(WIDTH, INNER)
        mixed[0, :] = 0
        down[0, :] = 0
        out.add_tensor(name + "attn_norm.weight", ones)
        out.add_tensor(name + "ffn_norm.weight", ones)
        for part in ("attn_q", "attn_k", "attn_v"):
            out.add_tensor(f"{name}{part}.weight", noise(WIDTH, WIDTH))
        out.add_tensor(name + "attn_output.weight", mixed)
        out.add_tensor(name + "ffn_gate.weight", noise(INNER, WIDTH))
        out.add_tensor(name + "ffn_up.weight", noise(INNER, WIDTH))
        out.add_tensor(name + "ffn_down.weight", down)
    finish(out)


def minilm(folder, path):
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text())
    weights = {name.removeprefix("bert."): value for name, value in load_file(folder / "model.safetensors").items()}
    words = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    out = gguf.GGUFWriter(path, "bert")
    out.add_name("all-MiniLM-L6-v2")
    out.add_context_length(config["max_position_embeddings"])
    out.add_embedding_length(config["hidden_size"])
    out.add_feed_forward_length(config["intermediate_size"])
    out.add_block_count(config["num_hidden_layers"])
    out.add_head_count(config["num_attention_heads"])
    out.add_layer_norm_eps(config["layer_norm_eps"])
    out.add_causal_attention(False)
    out.add_pooling_type(gguf.PoolingType.MEAN)
    out.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    tokens, types = [], []
    for word in sorted(words, key=words.get):
        special = len(word) > 2 and word.startswith("[") and word.endswith("]")
        types.append(gguf.TokenType.CONTROL if special else gguf.TokenType.NORMAL)
        # A word's beginning is marked there, its continuation here.
        tokens.append(word if special else word[2:] if word.startswith("##") else "\u2581" + word)
    out.add_tokenizer_model("bert")
    out.add_tokenizer_pre("default")
    out.add_token_list(tokens)
    out.add_token_types(types)
    out.add_token_type_count(config["type_vocab_size"])
    out.add_pad_token_id(words["[PAD]"])
    out.add_unk_token_id(words["[UNK]"])
    out.add_bos_token_id(words["[CLS]"])
    out.add_eos_token_id(words["[SEP]"])
    out.add_sep_token_id(words["[SEP]"])
    out.add_mask_token_id(words["[MASK]"])

    def add(name, source, half=True):
        value = weights[source]
        out.add_tensor(name, value.astype(np.float16 if half and value.ndim == 2 else np.float32))

    add("token_embd.weight", "embeddings.word_embeddings.weight")
    add("position_embd.weight", "embeddings.position_embeddings.weight", half=False)
    add("token_types.weight", "embeddings.token_type_embeddings.weight", half=False)
    parts = {
        "attn_q": "attention.self.query",
        "attn_k": "attention.self.key",
        "attn_v": "attention.self.value",
        "attn_output": "attention.output.dense",
        "attn_output_norm": "attention.output.LayerNorm",
        "ffn_up": "intermediate.dense",
        "ffn_down": "output.dense",
        "layer_output_norm": "output.LayerNorm",
    }
    for kind in ("weight", "bias"):
        add(f"token_embd_norm.{kind}", f"embeddings.LayerNorm.{kind}")
        for layer in range(config["num_hidden_layers"]):
            for name, source in parts.items():
                add(f"blk.{layer}.{name}.{kind}", f"encoder.layer.{layer}.{source}.{kind}")
    finish(out)


def finish(out):
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


match sys.argv[1:]:
    case ["word-salad", path]:
        llama(path)
    case ["same-token", path]:
        llama(path, favourite=byte_letters()[32] + "sun")
    case ["minilm", folder, path]:
        minilm(Path(folder), path)
    case _:
        sys.exit(__doc__)
