"""Writes the documents of the ingestion bench: a third each Markdown, HTML and DOCX, the same for everybody.

    python documents.py FOLDER COUNT WORDS

Each paragraph holds a mark of its own ("mark" and seven digits), so that what a parser lost can be counted.
`marks.json` in the folder says how many there are. The words are of a fixed list and a fixed seed.
"""

import html
import json
import pathlib
import random
import sys
import zipfile

WORDS = (
    "harbour tide anchor current vessel signal chart compass weather ballast cargo engine rudder sail rope knot "
    "measure value course lesson reader answer question method result sample theory practice energy pressure "
    "volume surface depth light sound wave number letter sentence paragraph figure table between under through "
    "while because although every several often rarely always carries holds turns keeps shows gives moves finds "
    "large small narrow wide early late common strange careful simple modern ancient quiet steady"
).split()
NAMES = ["Markdown", "HTML", "DOCX"]


class Text:
    """Sentences and marks of one document."""

    def __init__(self, chance, number):
        self.chance, self.number, self.marks = chance, number, 0

    def words(self, count):
        return [self.chance.choice(WORDS) for _ in range(count)]

    def title(self):
        return " ".join(self.words(self.chance.randint(2, 5))).capitalize()

    def sentence(self):
        words = self.words(self.chance.randint(7, 19))
        return " ".join(words).capitalize() + "."

    def paragraph(self):
        mark = f"mark{self.number:04d}{self.marks:03d}"
        self.marks += 1
        return " ".join([self.sentence(), f"Here stands {mark} for the count.", *(self.sentence() for _ in range(self.chance.randint(2, 4)))])


def blocks(text, words):
    """(kind, content) until the document has about so many words."""
    written = 0
    while written < words:
        yield "heading", text.title()
        for _ in range(text.chance.randint(2, 4)):
            paragraph = text.paragraph()
            written += len(paragraph.split())
            yield "paragraph", paragraph
        kind = text.chance.randrange(3)
        if kind == 0:
            yield "list", [text.sentence() for _ in range(5)]
        elif kind == 1:
            yield "table", [[" ".join(text.words(2)) for _ in range(4)] for _ in range(6)]
        else:
            yield "code", [f"{a} = {b}({c})  # {d}" for a, b, c, d in (text.words(4) for _ in range(8))]
        written += 45


def markdown(title, parts):
    lines = [f"# {title}", ""]
    for kind, content in parts:
        if kind == "heading":
            lines += [f"## {content}", ""]
        elif kind == "paragraph":
            lines += [content, ""]
        elif kind == "list":
            lines += [*(f"- {item}" for item in content), ""]
        elif kind == "table":
            head, *rest = content
            lines += ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
            lines += [*("| " + " | ".join(row) + " |" for row in rest), ""]
        else:
            lines += ["```python", *content, "```", ""]
    return "\n".join(lines).encode()


def page(title, parts):
    out = [f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{title}</title>"]
    out.append("<style>body{margin:0}</style></head><body><nav><a href=/>Home</a></nav><main>")
    out.append(f"<h1>{title}</h1>")
    for kind, content in parts:
        if kind == "heading":
            out.append(f"<h2>{html.escape(content)}</h2>")
        elif kind == "paragraph":
            first, rest = content.split(" ", 1)
            out.append(f'<p><b>{first}</b> {html.escape(rest)} <a href="#top">Up</a></p>')
        elif kind == "list":
            out.append("<ul>" + "".join(f"<li>{html.escape(item)}</li>" for item in content) + "</ul>")
        elif kind == "table":
            rows = ("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in content)
            out.append("<table>" + "".join(rows) + "</table>")
        else:
            out.append("<pre><code>" + html.escape("\n".join(content)) + "</code></pre>")
    out.append("</main></body></html>")
    return "\n".join(out).encode()


W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
TYPES = (
    '<?xml version="1.0" encoding="UTF-8"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>'
    '<Override PartName="/word/styles.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml"/></Types>'
)
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONS = (
    '<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
    f'relationships"><Relationship Id="rId1" Type="{RELATION}/%s" Target="%s"/></Relationships>'
)
STYLES = f'<?xml version="1.0" encoding="UTF-8"?><w:styles xmlns:w="{W}">' + "".join(
    f'<w:style w:type="paragraph" w:styleId="{id}"><w:name w:val="{name}"/></w:style>'
    for id, name in [("Normal", "Normal"), ("Heading1", "heading 1"), ("Heading2", "heading 2"), ("ListBullet", "List Bullet")]
) + "</w:styles>"


def office(title, parts, path):
    def paragraph(text, style=None):
        properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
        return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{html.escape(text)}</w:t></w:r></w:p>'

    body = [paragraph(title, "Heading1")]
    for kind, content in parts:
        if kind == "heading":
            body.append(paragraph(content, "Heading2"))
        elif kind == "paragraph":
            body.append(paragraph(content))
        elif kind == "list":
            body += [paragraph(item, "ListBullet") for item in content]
        elif kind == "table":
            rows = ("<w:tr>" + "".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) + "</w:tr>" for row in content)
            body.append("<w:tbl><w:tblPr/><w:tblGrid/>" + "".join(rows) + "</w:tbl>")
        else:
            body += [paragraph(line) for line in content]
    document = f'<?xml version="1.0" encoding="UTF-8"?><w:document xmlns:w="{W}"><w:body>' + "".join(body) + "</w:body></w:document>"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in [
            ("[Content_Types].xml", TYPES),
            ("_rels/.rels", RELATIONS % ("officeDocument", "word/document.xml")),
            ("word/document.xml", document),
            ("word/styles.xml", STYLES),
            ("word/_rels/document.xml.rels", RELATIONS % ("styles", "styles.xml")),
        ]:
            archive.writestr(zipfile.ZipInfo(name), text)


def write(folder, count, words):
    folder.mkdir(parents=True, exist_ok=True)
    marks = 0
    for number in range(count):
        text = Text(random.Random(number), number)
        title = text.title()
        parts = list(blocks(text, words))
        marks += text.marks
        stem = folder / f"{number:04d}"
        if number % 3 == 0:
            stem.with_suffix(".md").write_bytes(markdown(title, parts))
        elif number % 3 == 1:
            stem.with_suffix(".html").write_bytes(page(title, parts))
        else:
            office(title, parts, stem.with_suffix(".docx"))
    return marks


if __name__ == "__main__":
    place = pathlib.Path(sys.argv[1])
    total = write(place, int(sys.argv[2]), int(sys.argv[3]))
    (place.parent / f"{place.name}.marks.json").write_text(json.dumps(total))
