#!/usr/bin/env python3
"""Writes handout.pdf, the printed handout of the demonstration course.

Needs reportlab (tested with 4.x). The same input gives the same bytes: `invariant` leaves out the
time and random identifiers. Fonts are the standard PDF ones, so nothing is embedded.
"""

from pathlib import Path

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import (
    ListFlowable,
    PageBreak,
    Paragraph,
    Preformatted,
    SimpleDocTemplate,
    Table,
    TableStyle,
)

TITLE = "Inside a WAV file"
INK = HexColor("#1d2733")
ACCENT = HexColor("#0b5c6b")

BODY = ParagraphStyle("body", fontName="Times-Roman", fontSize=11, leading=15.5, textColor=INK, spaceAfter=7)
HEAD1 = ParagraphStyle("h1", fontName="Helvetica-Bold", fontSize=19, leading=24, textColor=ACCENT, spaceAfter=9)
HEAD2 = ParagraphStyle("h2", fontName="Helvetica-Bold", fontSize=13, leading=17, textColor=ACCENT, spaceBefore=9, spaceAfter=5)
CELL = ParagraphStyle("cell", fontName="Times-Roman", fontSize=10, leading=12.5, textColor=INK)
CELL_HEAD = ParagraphStyle("cellhead", parent=CELL, fontName="Helvetica-Bold", fontSize=9)
CODE = ParagraphStyle("code", fontName="Courier", fontSize=9.5, leading=12.5, leftIndent=6 * mm, spaceBefore=3, spaceAfter=9)


def heading(text):
    return Paragraph(text, HEAD1)


def section(text):
    return Paragraph(text, HEAD2)


def text(*paragraphs):
    return [Paragraph(paragraph, BODY) for paragraph in paragraphs]


def steps(*items):
    return ListFlowable([Paragraph(item, BODY) for item in items], bulletType="1", leftIndent=7 * mm, bulletFontName="Times-Roman")


def table(widths, *rows):
    cells = [[Paragraph(cell, CELL if n else CELL_HEAD) for cell in row] for n, row in enumerate(rows)]
    flowable = Table(cells, colWidths=[width * mm for width in widths], hAlign="LEFT", spaceBefore=3, spaceAfter=10)
    flowable.setStyle(TableStyle([
        ("LINEBELOW", (0, 0), (-1, 0), 0.9, ACCENT),
        ("LINEBELOW", (0, 1), (-1, -1), 0.25, HexColor("#9aa5ad")),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("TOPPADDING", (0, 0), (-1, -1), 2.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ]))
    return flowable


def page_one():
    return [
        heading(TITLE),
        *text(
            "A handout for the course <i>How sound becomes data</i>. The WAV format was published by Microsoft "
            "and IBM in August 1991. It is still what most recorders write, and it is simple enough to be read "
            "with a hex editor and a sheet of paper. This handout shows how.",
        ),
        section("Chunks"),
        *text(
            "A WAV file is a file in the <i>Resource Interchange File Format</i>, RIFF for short. Such a file "
            "consists of <i>chunks</i>. Every chunk starts with a name of four letters, followed by a length of "
            "four bytes, followed by that many bytes of content. A program that does not know the name of a "
            "chunk skips it by its length.",
            "If the content of a chunk has an odd number of bytes, one zero byte is added behind it. This "
            "padding byte is not counted in the length. Forgetting it is the most frequent mistake in programs "
            "that write WAV files.",
            "The whole file is one chunk with the name RIFF. Its content begins with the four letters WAVE and "
            "then holds the other chunks. Two of them are required: the <i>format chunk</i>, whose name is "
            "&quot;fmt&quot; followed by a space, and the <i>data chunk</i>, whose name is &quot;data&quot;. "
            "The format chunk must come before the data.",
        ),
        section("How samples are stored"),
        *text(
            "All numbers are little-endian: the least significant byte comes first. Samples of 16 bits and "
            "more are signed. Samples of 8 bits are the exception: they are unsigned, and silence is the value "
            "128. Channels are interleaved in the order left, right.",
        ),
        PageBreak(),
    ]


def page_two():
    return [
        heading("The first 44 bytes"),
        *text("A plain PCM file without extra chunks has a header of exactly 44 bytes."),
        table(
            (18, 16, 34, 90),
            ("Offset", "Bytes", "Field", "Meaning"),
            ("0", "4", "name", "the letters RIFF"),
            ("4", "4", "length", "size of the file minus 8"),
            ("8", "4", "form", "the letters WAVE"),
            ("12", "4", "name", "the letters fmt and a space"),
            ("16", "4", "length", "16 for plain PCM"),
            ("20", "2", "format tag", "1 for integers, 3 for floating point"),
            ("22", "2", "channels", "1 for mono, 2 for stereo"),
            ("24", "4", "sample rate", "samples per second of each channel"),
            ("28", "4", "byte rate", "sample rate times block align"),
            ("32", "2", "block align", "bytes of one frame"),
            ("34", "2", "bits per sample", "8, 16, 24 or 32"),
            ("36", "4", "name", "the letters data"),
            ("40", "4", "length", "bytes of sample data that follow"),
        ),
        section("Reading one by hand"),
        *text("These are the first 44 bytes of a real file:"),
        Preformatted(
            "52 49 46 46 24 77 01 00 57 41 56 45 66 6d 74 20\n"
            "10 00 00 00 01 00 01 00 80 bb 00 00 00 77 01 00\n"
            "02 00 10 00 64 61 74 61 00 77 01 00",
            CODE,
        ),
        steps(
            "Bytes 24 to 27 are 80 bb 00 00. Read backwards this is the hexadecimal number bb80, which is "
            "48,000: the sample rate.",
            "Bytes 22 and 23 say one channel, bytes 34 and 35 say 16 bits, so a frame has two bytes.",
            "Bytes 40 to 43 are the hexadecimal number 17700, which is 96,000 bytes of data.",
            "96,000 bytes at 96,000 bytes per second: the recording lasts exactly one second.",
        ),
        PageBreak(),
    ]


def page_three():
    return [
        heading("Limits and extensions"),
        section("The four-gigabyte wall"),
        *text(
            "The lengths are unsigned numbers of 32 bits, so no chunk can exceed 4,294,967,295 bytes. How long "
            "that lasts depends on the data rate:",
        ),
        table(
            (62, 44, 52),
            ("Recording", "Bytes per second", "Longest file"),
            ("44,100 Hz, 16 bits, stereo", "176,400", "6 h 45 min"),
            ("48,000 Hz, 24 bits, stereo", "288,000", "4 h 8 min"),
            ("96,000 Hz, 24 bits, stereo", "576,000", "2 h 4 min"),
            ("96,000 Hz, 24 bits, 8 channels", "2,304,000", "31 min"),
        ),
        *text(
            "Many recorders therefore start a new file shortly before the limit and continue without losing a "
            "sample. The extension RF64, described by the European Broadcasting Union in the document Tech 3306, "
            "removes the wall: the file begins with the letters RF64 instead of RIFF, the old length fields "
            "are set to their highest value, and a chunk named ds64 holds the real lengths with 64 bits.",
        ),
        section("Broadcast Wave"),
        *text(
            "A <i>Broadcast Wave</i> file is a WAV file with one more chunk, named bext. The European "
            "Broadcasting Union published it in 1997 as Tech 3285. The chunk holds a description of up to 256 "
            "characters, the name of the originator, the date and time of the recording, and a <i>time "
            "reference</i>: the number of samples between midnight and the first sample of the file. Editing "
            "programs use it to place recordings from several machines at the right moment.",
        ),
        section("More than two channels"),
        *text(
            "For files with more than two channels or more than 16 bits, the format tag should be 65,534 "
            "(hexadecimal fffe), called <i>extensible</i>. The format chunk then has 40 bytes and says which "
            "loudspeaker each channel belongs to.",
        ),
        PageBreak(),
    ]


def page_four():
    return [
        heading("When a file does not open"),
        *text(
            "A recorder that loses its battery has often written all the samples and only failed to write the "
            "lengths. The data length is then zero, or as large as possible, and players refuse the file.",
        ),
        section("Repairing the lengths"),
        steps(
            "Copy the file and work on the copy only.",
            "Read the size of the file in bytes and call it S.",
            "Find the letters data with a hex editor. Call the offset of the first byte behind the following "
            "length field D. In a plain file D is 44.",
            "Write S minus D into the four bytes before D, least significant byte first.",
            "Write S minus 8 into bytes 4 to 7.",
            "Open the copy. If you hear only noise, the sample data begins one byte too early or too late: "
            "delete or add one byte at D and repeat.",
        ),
        section("Exercises"),
        steps(
            "Which eight hexadecimal digits stand at offset 24 of a file with 44,100 Hz?",
            "A file of 24 bits in stereo has a block align of how many bytes?",
            "A file of one channel and 8 bits holds 1,001 samples. How many bytes does its data chunk take, "
            "with name, length and padding?",
            "A time reference is 1,728,000,000 at 48,000 Hz. At what time of day did the recording begin?",
        ),
        section("Answers"),
        *text(
            "1: 44 ac 00 00, because 44,100 is ac44 in hexadecimal. 2: 6 bytes, three for each channel. "
            "3: 1,010 bytes, namely 4 + 4 + 1,001 + 1. 4: 36,000 seconds after midnight, so at ten o'clock in "
            "the morning.",
        ),
    ]


def footer(canvas, document):
    canvas.saveState()
    canvas.setFont("Helvetica", 8.5)
    canvas.setFillColor(HexColor("#5b6770"))
    canvas.drawString(25 * mm, 14 * mm, "How sound becomes data: handout")
    canvas.drawRightString(A4[0] - 25 * mm, 14 * mm, f"Page {document.page}")
    canvas.restoreState()


def main():
    target = Path(__file__).resolve().parent / "handout.pdf"
    document = SimpleDocTemplate(
        str(target), pagesize=A4, leftMargin=25 * mm, rightMargin=25 * mm, topMargin=22 * mm,
        bottomMargin=24 * mm, title=TITLE, author="The Lyceum authors", subject="How sound becomes data",
        lang="en-GB", invariant=1,
    )
    document.build(page_one() + page_two() + page_three() + page_four(), onFirstPage=footer, onLaterPages=footer)
    print(f"{target.name}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
