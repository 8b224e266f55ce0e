#!/usr/bin/env python3
"""Makes lecture.mp4 and captions/lecture.vtt from the script below.

Needs ffmpeg with libx264, flite with the voice "rms" (both are Debian packages), Pillow (tested with
12.x) and the DejaVu fonts. Each caption is spoken on its own, so its times are those of the sound
itself and not estimates; a sentence too long for one caption is cut at a comma.
"""

import subprocess
import tempfile
import wave
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).resolve().parent
VIDEO = HERE / "lecture.mp4"
CAPTIONS = HERE / "captions" / "lecture.vtt"

WIDTH, HEIGHT, SCALE, RATE = 640, 360, 2, 10
LEAD, PAUSE, BREATH, SLIDE_PAUSE = 0.6, 0.45, 0.12, 0.9
LINE_LIMIT, LINES, SHORTEST, LONGEST = 42, 2, 1.0, 7.0

BACK, INK, SOFT, ACCENT, WARM = "#10222b", "#f2f5f4", "#9db3ba", "#5cc8c2", "#f2b25c"

# Each slide: title, drawing, rows of text, sentences. A sentence is a list of captions; a caption is
# the text to show and, where the voice would stumble over it, the text to speak.
SLIDES = [
    ("Why 44,100?", "wave", ["A short lecture on a strange number"], [
        [("Every second of music on a compact disc", None),
         ("takes 44,100 samples for each channel.",
          "takes forty four thousand one hundred samples for each channel.")],
        [("That is a strange number.", None)],
        [("It was not chosen for the ear alone.", None),
         ("It was chosen because of video tape.", None)],
    ]),
    ("Pictures that carry sound", "stripes", ["PCM adaptor: samples as black and white stripes"], [
        [("In the late 1970s, no affordable disk could store digital music fast enough.",
          "In the late nineteen seventies, no affordable disk could store digital music fast enough.")],
        [("A video recorder could.", None)],
        [("So engineers built the PCM adaptor,", "So engineers built the P C M adaptor,"),
         ("which painted the samples as black and white stripes into a television picture.", None)],
        [("Each line of the picture carried three samples for each channel.", None)],
    ]),
    ("One rate for two worlds", "sums", [], [
        [("Television in America and Japan showed sixty fields a second,", None),
         ("and 245 lines of each field were used.", "and two hundred forty five lines of each field were used.")],
        [("Three times 245 times 60 is 44,100.",
          "Three times two hundred forty five times sixty, is forty four thousand one hundred.")],
        [("European television showed fifty fields a second,", None),
         ("with 294 usable lines.", "with two hundred ninety four usable lines.")],
        [("Three times 294 times 50 is 44,100 again.",
          "Three times two hundred ninety four times fifty, is forty four thousand one hundred again.")],
        [("One sample rate fitted both kinds of recorder.", None)],
    ]),
    ("The disc itself", "disc", ["120 mm wide", "Read from the inside", "500 down to 200 turns", "a minute"], [
        [("Philips and Sony wrote the rate into the Red Book of 1980.",
          "Philips and Sony wrote the rate into the Red Book of nineteen eighty.")],
        [("The disc is 120 millimetres wide, and it is read from the inside to the outside.",
          "The disc is one hundred and twenty millimeters wide, and it is red from the inside to the outside.")],
        [("It turns about 500 times a minute at the start,",
          "It turns about five hundred times a minute at the start,"),
         ("and only 200 times a minute at the outer edge,",
          "and only two hundred times a minute at the outer edge,"),
         ("so that the track always passes the laser at the same speed.", None)],
    ]),
    ("A scratch of 2.5 millimetres", "scratch", ["Reed-Solomon code: 4,000 lost bits repaired"], [
        [("Dust and scratches destroy many bits at once.", None)],
        [("Two interleaved Reed-Solomon codes can repair a gap of about 4,000 bits,",
          "Two interleaved Reed Solomon codes can repair a gap of about four thousand bits,"),
         ("which is 2.5 millimetres of track.", "which is two and a half millimeters of track.")],
        [("The first CD player, the CDP-101,", "The first C D player, the C D P one oh one,"),
         ("went on sale in Japan on 1 October 1982.",
          "went on sale in Japan on the first of October, nineteen eighty two.")],
        [("And the number from the video tape is with us still.", None)],
    ]),
]


def font(size, bold=False):
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(f"/usr/share/fonts/truetype/dejavu/{name}", size * SCALE)


def draw_slide(number, title, drawing, rows):
    """A slide at twice the size, made smaller at the end so that its edges are smooth."""
    image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), BACK)
    pen = ImageDraw.Draw(image)

    def at(*numbers):
        return [round(number * SCALE) for number in numbers]

    def write(x, y, words, size, colour=INK, bold=False, anchor="la"):
        pen.text(at(x, y), words, font=font(size, bold), fill=colour, anchor=anchor)

    pen.rectangle(at(0, 0, 8, HEIGHT), fill=ACCENT)
    write(36, 26, title, 28, bold=True)
    write(WIDTH - 24, HEIGHT - 30, f"{number} / {len(SLIDES)}", 11, SOFT, anchor="ra")
    write(36, HEIGHT - 30, "How sound becomes data", 11, SOFT)
    DRAWINGS[drawing](pen, at, write, rows)
    return image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def draw_wave(pen, at, write, rows):
    from math import sin, tau
    points = [(x, 180 - 60 * sin(tau * (x - 60) / 260)) for x in range(60, 581)]
    pen.line([tuple(at(*point)) for point in points], fill=SOFT, width=2 * SCALE)
    for x in range(60, 581, 26):
        y = 180 - 60 * sin(tau * (x - 60) / 260)
        pen.line(at(x, 180, x, y), fill=ACCENT, width=2 * SCALE)
        pen.ellipse(at(x - 5, y - 5, x + 5, y + 5), fill=WARM)
    write(60, 270, rows[0], 17)


def draw_stripes(pen, at, write, rows):
    pen.rounded_rectangle(at(180, 78, 460, 268), radius=14 * SCALE, outline=SOFT, width=4 * SCALE)
    state = 44_100
    for line in range(16):
        for cell in range(28):
            state = (state * 1_103_515_245 + 12_345) % 2**31
            bright = state >> 16 & 1
            left, top = 194 + cell * 9, 92 + line * 10
            pen.rectangle(at(left, top, left + 9, top + 7), fill=INK if bright else "#000000")
    write(WIDTH / 2, 284, rows[0], 17, anchor="ma")


def draw_sums(pen, at, write, rows):
    for top, where, sum_text in ((92, "60 fields a second", "3 x 245 x 60 = 44,100"), (198, "50 fields a second", "3 x 294 x 50 = 44,100")):
        pen.rounded_rectangle(at(60, top, 580, top + 88), radius=12 * SCALE, outline=ACCENT, width=2 * SCALE)
        write(80, top + 10, where, 15, SOFT)
        write(80, top + 38, sum_text, 27, WARM, bold=True)


def draw_disc(pen, at, write, rows):
    x, y = 180, 200
    for radius, colour in ((110, "#c9d4d6"), (104, "#dfe7e8"), (42, "#b7c4c7"), (14, BACK)):
        pen.ellipse(at(x - radius, y - radius, x + radius, y + radius), fill=colour)
    for radius in range(48, 104, 7):
        pen.arc(at(x - radius, y - radius, x + radius, y + radius), 200, 330, fill=ACCENT, width=SCALE)
    for row, words in enumerate(rows):
        write(330, 120 + 36 * row, words, 18)


def draw_scratch(pen, at, write, rows):
    for line in range(7):
        pen.line(at(60, 100 + 22 * line, 580, 100 + 22 * line), fill=SOFT, width=SCALE)
        for pit in range(17):
            left = 64 + pit * 30 + (line * 11) % 17
            pen.rounded_rectangle(at(left, 95 + 22 * line, left + 12 + (pit * 7 + line * 5) % 9, 105 + 22 * line), radius=5 * SCALE, fill=ACCENT)
    pen.line(at(270, 84, 350, 250), fill=WARM, width=7 * SCALE)
    write(60, 276, rows[0], 18)


DRAWINGS = {"wave": draw_wave, "stripes": draw_stripes, "sums": draw_sums, "disc": draw_disc, "scratch": draw_scratch}


def wrapped(words):
    """The caption in at most two lines of at most 42 characters, the lines as equal as possible."""
    if len(words) <= LINE_LIMIT:
        return words
    cuts = [n for n, letter in enumerate(words) if letter == " " and n <= LINE_LIMIT and len(words) - n - 1 <= LINE_LIMIT]
    if not cuts:
        raise SystemExit(f"caption does not fit {LINES} lines: {words}")
    cut = min(cuts, key=lambda n: abs(2 * n - len(words)))
    return words[:cut] + "\n" + words[cut + 1:]


def timestamp(seconds):
    thousandths = round(seconds * 1000)
    return f"{thousandths // 3_600_000:02}:{thousandths // 60_000 % 60:02}:{thousandths // 1000 % 60:02}.{thousandths % 1000:03}"


def spoken(words, target):
    """Speaks the words and returns the samples without the silence at both ends."""
    subprocess.run(["flite", "-voice", "rms", "--setf", "duration_stretch=1.0", "-t", words, "-o", str(target)], check=True)
    with wave.open(str(target)) as sound:
        parameters, frames = sound.getparams(), sound.readframes(sound.getnframes())
    samples = memoryview(frames).cast("h")
    loud = [n for n, sample in enumerate(samples) if abs(sample) > 200]
    margin = parameters.framerate // 25
    return parameters.framerate, frames[2 * max(0, loud[0] - margin):2 * min(len(samples), loud[-1] + margin)]


def record(folder):
    """Speaks everything; returns the sound, the captions with their times and the slides' lengths."""
    sound, captions, lengths, rate = bytearray(), [], [], 16_000

    def pause(seconds):
        sound.extend(bytes(2 * round(seconds * rate)))

    for title, _, _, sentences in SLIDES:
        started = len(sound)
        pause(LEAD)
        for sentence in sentences:
            for position, (shown, said) in enumerate(sentence):
                rate_now, frames = spoken(said or shown, folder / "part.wav")
                if rate_now != rate:
                    raise SystemExit(f"the voice has {rate_now} samples a second, not {rate}")
                start = len(sound) / 2 / rate
                sound.extend(frames)
                captions.append([start, len(sound) / 2 / rate, shown])
                pause(PAUSE if position == len(sentence) - 1 else BREATH)
        pause(SLIDE_PAUSE - PAUSE)
        # A slide is a whole number of pictures, so that picture and sound never drift apart.
        samples_per_picture = rate // RATE
        pause(-(len(sound) // 2) % samples_per_picture / rate)
        lengths.append((len(sound) - started) // 2 // samples_per_picture)
    with wave.open(str(folder / "speech.wav"), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(rate)
        target.writeframes(sound)
    return captions, lengths


def write_captions(captions):
    """A caption stays until just before the next one if that is near; none is shorter than a second."""
    cues = ["WEBVTT", "", "NOTE Why 44,100? A short lecture for the course How sound becomes data.", ""]
    for n, (start, end, words) in enumerate(captions):
        following = captions[n + 1][0] if n + 1 < len(captions) else end + 0.5
        end = max(min(end + 0.25, following - 0.02), min(start + SHORTEST, following - 0.02))
        if not SHORTEST <= end - start <= LONGEST:
            raise SystemExit(f"caption lasts {end - start:.2f} s: {words}")
        cues += [f"{n + 1}", f"{timestamp(start)} --> {timestamp(end)}", wrapped(words), ""]
    CAPTIONS.parent.mkdir(exist_ok=True)
    CAPTIONS.write_text("\n".join(cues), encoding="utf-8")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        captions, lengths = record(folder)
        write_captions(captions)
        listing = []
        for n, ((title, drawing, rows, _), length) in enumerate(zip(SLIDES, lengths), 1):
            draw_slide(n, title, drawing, rows).save(folder / f"slide{n}.png")
            listing += [f"file slide{n}.png"] * length
        (folder / "slides.txt").write_text("".join(f"{line}\nduration {1 / RATE}\n" for line in listing))
        subprocess.run([
            "ffmpeg", "-hide_banner", "-loglevel", "error", "-y",
            "-f", "concat", "-i", str(folder / "slides.txt"), "-i", str(folder / "speech.wav"),
            "-vf", f"fps={RATE},format=yuv420p", "-c:v", "libx264", "-preset", "slow", "-tune", "stillimage", "-crf", "27",
            "-g", str(4 * RATE), "-threads", "1", "-c:a", "aac", "-b:a", "40k", "-ar", "24000", "-ac", "1",
            "-shortest", "-map_metadata", "-1", "-metadata", "title=Why 44,100?",
            "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact",
            "-movflags", "+faststart", str(VIDEO),
        ], check=True)
    print(f"{VIDEO.name}: {VIDEO.stat().st_size} bytes, {sum(lengths) / RATE} s, {len(captions)} captions")


if __name__ == "__main__":
    main()
