"""drs-derain beside Python's Derainer: equal pixels, files that keep what they had, and refusals.

Run by ctest, which sets DRS_DERAIN (the command), DRSFORMER_MODULES (the backends' folder) and
DRSFORMER_ORT_LIBRARY (ONNX Runtime's library, of the version that Python has).
"""

import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import cv2
import numpy as np
from png_files import (
    GREY,
    GREY_ALPHA,
    PALETTE,
    RGB,
    RGBA,
    SIGNATURE,
    chunk,
    chunks_of,
    header_of,
    png,
)

from drsformer.runtime import Derainer

COMMAND = os.environ["DRS_DERAIN"]
ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "drsformer" / "weights" / "demo.onnx"
RUNNING = ("--library", os.environ["DRSFORMER_ORT_LIBRARY"], "--threads", "1")
SKIPPED = 77  # an exit code that ctest knows
HEIGHT, WIDTH = 37, 53  # odd, so that the network's padding takes part
RAW = ("--raw", f"{WIDTH}x{HEIGHT}", "--format")


def run(*arguments, **options):
    """Run the command and return what it did."""
    words = [COMMAND, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, timeout=120, check=False, **options)


def samples(*shape, dtype=np.uint8, seed=0):
    """Return a smooth picture with noise, since the network leaves pure noise alone."""
    most = np.iinfo(dtype).max
    ramp = np.linspace(0.2, 0.8, int(np.prod(shape))).reshape(shape)
    noise = np.random.default_rng(seed).uniform(-0.2, 0.2, shape)
    return ((ramp + noise) * most).astype(dtype)


class InFolder(unittest.TestCase):
    """Gives each test an empty folder, and all of them one Derainer of Python's."""

    @classmethod
    def setUpClass(cls):
        cls.python = Derainer(MODEL, threads=1)

    @classmethod
    def tearDownClass(cls):
        cls.python.close()

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = Path(place.name)

    def file(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def derained(self, content, *options, name="a.png", to="out.png"):
        """Return the content of the file that the command makes of a file."""
        target = self.folder / to
        result = run(MODEL, self.file(name, content), "-o", target, *RUNNING, *options)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, b"")
        return target.read_bytes()

    def refused(self, *arguments, code=1, says, **options):
        """Check that the command ends with one line that says something, and writes nothing."""
        before = sorted(self.folder.rglob("*"))
        result = run(*arguments, **options)
        message = result.stderr.decode()
        self.assertEqual(result.returncode, code, message)
        self.assertIn(says, message)
        self.assertEqual(message.count("\n"), 1, message)
        self.assertEqual(sorted(self.folder.rglob("*")), before)

    def clean(self, rgb):
        """Return what Python makes of RGB samples."""
        return self.python.derain(np.ascontiguousarray(rgb))

    def clean_grey(self, grey):
        """Return what Python makes of grey samples: the luma of the derained colours."""
        return cv2.cvtColor(self.clean(np.repeat(grey[:, :, None], 3, axis=2)), cv2.COLOR_RGB2GRAY)


def decoded(content):
    """Return samples in RGB or RGBA order."""
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels.ndim == 2:
        return pixels
    code = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    return cv2.cvtColor(pixels, code)


class Pictures(InFolder):
    """Pixels are Python's, bit for bit."""

    def test_rgb(self):
        for dtype in (np.uint8, np.uint16):
            rgb = samples(HEIGHT, WIDTH, 3, dtype=dtype)
            result = self.derained(png(rgb, RGB))
            np.testing.assert_array_equal(decoded(result), self.clean(rgb))
            self.assertEqual(header_of(result), (8 * rgb.itemsize, RGB))

    def test_the_network_changes_the_picture(self):
        rgb = samples(HEIGHT, WIDTH, 3)
        self.assertTrue((self.clean(rgb) != rgb).any())

    def test_grey(self):
        for dtype in (np.uint8, np.uint16):
            grey = samples(HEIGHT, WIDTH, dtype=dtype)
            result = self.derained(png(grey, GREY))
            np.testing.assert_array_equal(decoded(result), self.clean_grey(grey))
            self.assertEqual(header_of(result), (8 * grey.itemsize, GREY))

    def test_grey_of_two_bits(self):
        row = bytes([0b00011011, 0b11100100])
        rows = np.frombuffer(row * HEIGHT, np.uint8).reshape(HEIGHT, 2)
        content = bytearray(png(rows, GREY, bits=2))
        content[:] = _with_width(content, 8)
        grey = np.tile(np.array([0, 1, 2, 3, 3, 2, 1, 0], np.uint8) * 85, (HEIGHT, 1))
        np.testing.assert_array_equal(decoded(self.derained(bytes(content))), self.clean_grey(grey))

    def test_rgba(self):
        for dtype in (np.uint8, np.uint16):
            rgba = samples(HEIGHT, WIDTH, 4, dtype=dtype)
            result = decoded(self.derained(png(rgba, RGBA)))
            np.testing.assert_array_equal(result[:, :, :3], self.clean(rgba[:, :, :3]))
            np.testing.assert_array_equal(result[:, :, 3], rgba[:, :, 3])

    def test_grey_and_alpha(self):
        for dtype in (np.uint8, np.uint16):
            pairs = samples(HEIGHT, WIDTH, 2, dtype=dtype)
            content = self.derained(png(pairs, GREY_ALPHA))
            self.assertEqual(header_of(content), (8 * pairs.itemsize, GREY_ALPHA))
            result = decoded(content)
            np.testing.assert_array_equal(result[:, :, 0], self.clean_grey(pairs[:, :, 0]))
            np.testing.assert_array_equal(result[:, :, 3], pairs[:, :, 1])

    def test_palette(self):
        palette = samples(16, 3)
        indices = np.random.default_rng(1).integers(0, 16, (HEIGHT, WIDTH), np.uint8)
        content = self.derained(png(indices, PALETTE, chunks=[("PLTE", palette.tobytes())]))
        np.testing.assert_array_equal(decoded(content), self.clean(palette[indices]))

    def test_transparent_colours_become_alpha(self):
        grey = np.full((HEIGHT, WIDTH), 120, np.uint8)
        grey[:, :20] = 7
        result = decoded(self.derained(png(grey, GREY, chunks=[("tRNS", b"\0\x07")])))
        np.testing.assert_array_equal(result[:, :, 3], np.where(grey == 7, 0, 255))
        palette, indices = samples(4, 3), np.indices((HEIGHT, WIDTH))[1].astype(np.uint8) % 4
        chunks = [("PLTE", palette.tobytes()), ("tRNS", bytes([0, 90]))]
        result = decoded(self.derained(png(indices, PALETTE, chunks=chunks)))
        np.testing.assert_array_equal(result[:, :, :3], self.clean(palette[indices]))
        np.testing.assert_array_equal(result[:, :, 3], np.array([0, 90, 255, 255])[indices])

    def test_interlaced(self):
        rgb = samples(HEIGHT, WIDTH, 3, dtype=np.uint16)
        result = decoded(self.derained(png(rgb, RGB, interlaced=True)))
        np.testing.assert_array_equal(result, self.clean(rgb))

    def test_tiles(self):
        rgb = samples(70, 90, 3)
        for blend in ("uniform", "feather"):
            options = ("--tile", "48", "--overlap", "16", "--blend", blend)
            result = decoded(self.derained(png(rgb, RGB), *options))
            with Derainer(MODEL, threads=1, tile=48, overlap=16, blend=blend) as python:
                np.testing.assert_array_equal(result, python.derain(rgb))

    def test_pnm(self):
        for dtype, most in ((np.uint8, 255), (np.uint16, 65535)):
            rgb = samples(HEIGHT, WIDTH, 3, dtype=dtype)
            body = rgb.astype(rgb.dtype.newbyteorder(">")).tobytes()
            header = b"P6\n# a comment\n%d %d\n%d\n" % (WIDTH, HEIGHT, most)
            result = self.derained(header + body, name="a.ppm", to="b.ppm")
            np.testing.assert_array_equal(decoded(result), self.clean(rgb))
            grey = np.ascontiguousarray(rgb[:, :, 0])
            body = grey.astype(rgb.dtype.newbyteorder(">")).tobytes()
            header = b"P5 %d %d %d " % (WIDTH, HEIGHT, most)
            result = self.derained(header + body, name="a.pgm", to="b.png")
            np.testing.assert_array_equal(decoded(result), self.clean_grey(grey))

    def test_chunks_are_kept(self):
        chunks = [("gAMA", struct.pack(">I", 45455)), ("cICP", bytes([9, 16, 0, 1]))]
        chunks += [("iCCP", b"name\0\0not a profile"), ("pHYs", struct.pack(">IIB", 300, 300, 1))]
        chunks += [("eXIf", b"II*\0\x08\0\0\0\0\0"), ("tEXt", b"Title\0Rain"), ("tEXt", b"A\0B")]
        dropped = [("tIME", bytes([7, 220, 1, 1, 0, 0, 0]))]
        content = self.derained(png(samples(8, 8, 3), RGB, chunks=chunks + dropped))
        kept = [one for one in chunks_of(content) if one[0] not in ("IHDR", "IDAT", "IEND")]
        self.assertEqual(kept, chunks)

    def test_the_content_decides(self):
        content = self.derained(png(samples(8, 8, 3), RGB), name="a.jpg", to="b.ppm")
        self.assertTrue(content.startswith(b"P6"))


def _with_width(content, width):
    """Return a PNG file whose header says another width."""
    header = struct.pack(">I", width) + bytes(content[20:29])
    return content[:8] + chunk("IHDR", header) + bytes(content[33:])


class Folders(InFolder):
    """Folders keep names and structure; a bad file does not stop the others."""

    def test_folder(self):
        pictures = {name: samples(9, 11, 3, seed=i) for i, name in enumerate("abc")}
        for name, rgb in pictures.items():
            self.file(f"in/{name}/{name}.png", png(rgb, RGB))
        self.file("in/readme.txt", b"no picture")
        self.file("in/.hidden.png", b"no picture")
        result = run(MODEL, self.folder / "in", "-o", self.folder / "in" / "out", *RUNNING)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        self.assertIn(b"derained 3 images", result.stdout)
        for name, rgb in pictures.items():
            content = (self.folder / "in" / "out" / name / f"{name}.png").read_bytes()
            np.testing.assert_array_equal(decoded(content), self.clean(rgb))
        again = run(MODEL, self.folder / "in", "-o", self.folder / "in" / "out", *RUNNING)
        self.assertIn(b"derained 3 images", again.stdout)

    def test_bad_files_are_named_and_the_others_done(self):
        good = png(samples(9, 11, 3), RGB)
        self.file("in/a.png", good[:-20])
        self.file("in/b.jpg", b"\xff\xd8\xff\xe0")
        self.file("in/c.png", good)
        result = run(MODEL, self.folder / "in", "-o", self.folder / "out", *RUNNING)
        self.assertEqual(result.returncode, 1)
        first, second = result.stderr.decode().splitlines()
        self.assertIn("in/a.png: a damaged or cut-off PNG", first)
        self.assertIn("in/b.jpg: a JPEG file", second)
        self.assertIn(b"derained 1 image, failed 2", result.stdout)
        self.assertEqual([path.name for path in (self.folder / "out").iterdir()], ["c.png"])

    def test_a_name_without_an_ending_is_a_folder(self):
        path = self.file("a.png", png(samples(8, 8, 3), RGB))
        self.assertEqual(run(MODEL, path, "-o", self.folder / "out", *RUNNING).returncode, 0)
        self.assertTrue((self.folder / "out" / "a.png").is_file())

    def test_several_files(self):
        files = [self.file(f"{name}.png", png(samples(8, 8, 3), RGB)) for name in "ab"]
        run(MODEL, *files, "-o", self.folder / "out", *RUNNING)
        self.assertEqual(len(list((self.folder / "out").iterdir())), 2)

    def test_timings(self):
        path = self.file("a.png", png(samples(8, 8, 3), RGB))
        result = run(MODEL, path, "-o", self.folder / "b.png", "--timings", "-v", *RUNNING)
        self.assertRegex(result.stdout.decode(), r"a.png: [\d.]+ s, of which .* cpu; .* % outside")

    def test_a_link_to_an_input_is_not_written(self):
        path = self.file("a.png", png(samples(8, 8, 3), RGB))
        (self.folder / "b.png").symlink_to(path)
        (self.folder / "c.png").hardlink_to(path)
        for name in "abc":
            target = self.folder / f"{name}.png"
            result = run(MODEL, path, "-o", target, *RUNNING)
            self.assertEqual(result.returncode, 1)
            self.assertIn(b"inputs are never overwritten", result.stderr)
        result = run(MODEL, path, "-o", MODEL, *RUNNING)
        self.assertEqual(result.returncode, 1)

    def test_a_full_disk_leaves_the_old_file(self):
        path = self.file("a.png", png(samples(64, 64, 3), RGB))
        target = self.file("b.png", b"old")
        limited = 'ulimit -f 1; exec "$0" "$@"'
        words = ["bash", "-c", limited, COMMAND, MODEL, path, "-o", target, *RUNNING]
        result = subprocess.run(words, capture_output=True, timeout=60, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"File too large", result.stderr)
        self.assertEqual(target.read_bytes(), b"old")
        self.assertEqual(len(list(self.folder.iterdir())), 2)


class RawFrames(InFolder):
    """Frames through a pipe."""

    def piped(self, frames, form, *options, size=f"{WIDTH}x{HEIGHT}"):
        arguments = ("--raw", size, "--format", form, *options)
        result = run(MODEL, *arguments, *RUNNING, input=b"".join(frames))
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return result.stdout

    def test_colours(self):
        frames = [samples(HEIGHT, WIDTH, 3, seed=seed) for seed in range(3)]
        expected = [self.clean(frame) for frame in frames]
        result = self.piped([frame.tobytes() for frame in frames], "rgb24")
        self.assertEqual(result, b"".join(frame.tobytes() for frame in expected))
        result = self.piped([frame[:, :, ::-1].tobytes() for frame in frames], "bgr24")
        self.assertEqual(result, b"".join(frame[:, :, ::-1].tobytes() for frame in expected))

    def test_16_bits_and_grey(self):
        frame = samples(HEIGHT, WIDTH, 3, dtype="<u2")
        self.assertEqual(self.piped([frame.tobytes()], "rgb48le"), self.clean(frame).tobytes())
        grey = samples(HEIGHT, WIDTH)
        self.assertEqual(self.piped([grey.tobytes()], "gray"), self.clean_grey(grey).tobytes())

    def test_camera_formats(self):
        """What they become is the library's to test; here: sizes, and that options matter."""
        for form, size in (("yuyv422", 16 * 12 * 2), ("nv12", 16 * 12 * 3 // 2)):
            frame = samples(size).tobytes()
            choices = [("--matrix", name) for name in ("bt601", "bt709", "bt2020")]
            choices.append(("--range", "full"))
            results = {self.piped([frame] * 2, form, *one, size="16x12") for one in choices}
            self.assertEqual(len(results), 4)
            self.assertEqual({len(result) for result in results}, {2 * size})

    def test_bad_streams(self):
        options = (*RAW, "rgb24", *RUNNING)
        frame = bytes(WIDTH * HEIGHT * 3)
        self.refused(MODEL, *options, input=b"", says="no frame came")
        self.refused(MODEL, *options, input=frame + b"x", says="ended in frame 2, after 1 of its")

    def test_a_reader_that_goes_away(self):
        words = [COMMAND, MODEL, *RAW, "rgb24", *RUNNING]
        with subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            process.stdout.close()
            try:
                process.stdin.write(bytes(WIDTH * HEIGHT * 3 * 50))
                process.stdin.close()
            except BrokenPipeError:
                pass
            self.assertEqual(process.stderr.read(), b"")
            self.assertEqual(process.wait(60), 141)


class Interrupts(InFolder):
    """Ctrl-C."""

    def test_between_tiles(self):
        path = self.file("a.png", png(samples(2000, 2000, 3), RGB))
        words = [
            COMMAND,
            MODEL,
            path,
            "-o",
            self.folder / "out" / "b.png",
            "--tile",
            "64",
            *RUNNING,
        ]
        for number in (signal.SIGINT, signal.SIGTERM):
            with subprocess.Popen(words, stderr=subprocess.PIPE) as process:
                time.sleep(1.5)
                process.send_signal(number)
                self.assertEqual(process.wait(20), 128 + number)
                self.assertIn(b"interrupted; no file was left", process.stderr.read())
        self.assertEqual(list(self.folder.iterdir()), [path])

    def test_while_waiting_for_a_frame(self):
        words = [COMMAND, MODEL, *RAW, "rgb24", *RUNNING]
        pipe = subprocess.PIPE
        with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe) as process:
            time.sleep(1.5)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(20), 130)


class Refusals(InFolder):
    """One sentence, and nothing written."""

    def refused_file(self, content, says, to="out.png"):
        path = self.file("a.png", content)
        self.refused(MODEL, path, "-o", self.folder / to, *RUNNING, says=says)

    def refused_files(self, files):
        """Check that each of these files, content and words, is refused with its words."""
        for i, (content, _) in enumerate(files):
            self.file(f"in/{i:02}.png", content)
        out = self.folder / "out"
        result = run(MODEL, self.folder / "in", "-o", out, *RUNNING)
        self.assertEqual(result.returncode, 1)
        lines = result.stderr.decode().splitlines()
        self.assertEqual(len(lines), len(files), lines)
        for i, (line, (_, says)) in enumerate(zip(lines, files, strict=True)):
            self.assertTrue(line.startswith(f"error: {self.folder}/in/{i:02}.png: "), line)
            self.assertIn(says, line)
        self.assertFalse(out.exists())

    def test_output_that_cannot_be_written(self):
        path = self.file("a.png", png(samples(8, 8, 3), RGB))
        with open("/dev/full", "wb") as full:
            result = subprocess.run(
                [COMMAND, MODEL, path, "-o", self.folder / "b.png", *RUNNING],
                stdout=full,
                stderr=subprocess.PIPE,
            )
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"the standard output could not be written", result.stderr)

    def test_other_formats(self):
        self.refused_files(
            [
                (b"\xff\xd8\xff\xe0", "convert it to PNG, or use `drs-export run`, which reads it"),
                (b"RIFF\0\0\0\0WEBPVP8 ", "a WebP file"),
                (b"II*\0", "a TIFF file"),
                (b"MM\0*", "a TIFF file"),
                (b"BM\0\0\0", "a BMP file"),
                (b"GIF89a", "a GIF file"),
                (b"\0\0\0\x20ftypheic", "a HEIC file"),
                (b"\0\0\0\x20ftypisom", "an MP4 or MOV video"),
                (b"P3\n1 1\n255\n0 0 0\n", "save it as a binary PPM"),
                (b"", "the file is empty"),
                (b"some text", "not a PNG, PPM or PGM image"),
            ]
        )

    def test_bad_png(self):
        good = png(samples(20, 20, 3), RGB)
        bad = [good[:cut] for cut in (9, 20, 40, len(good) // 2, len(good) - 1)]
        bad += [good[:at] + b"\xaa\xbb" + good[at + 2 :] for at in (18, len(good) // 2)]
        header = chunk("IHDR", struct.pack(">IIBBBBB", 20, 20, 8, RGB, 0, 0, 0))
        bad.append(SIGNATURE + header + chunk("IDAT", b"\x78\x9c") + chunk("IEND"))
        bad.append(SIGNATURE + header + chunk("IEND"))
        bad.append(SIGNATURE + chunk("IEND"))
        small = chunk("IHDR", struct.pack(">IIBBBBB", 2, 2, 8, RGB, 0, 0, 0))
        bad.append(good[:-12] + small + good[-12:])
        files = [(content, "damaged or cut-off PNG") for content in bad]
        animated = png(samples(8, 8, 3), RGB, chunks=[("acTL", struct.pack(">II", 2, 0))])
        files.append((animated, "an animated PNG; save its frames"))
        header = chunk("IHDR", struct.pack(">IIBBBBB", 30000, 30000, 8, RGB, 0, 0, 0))
        huge = SIGNATURE + header + chunk("IDAT") + chunk("IEND")
        self.refused_files([*files, (huge, "limit of 500 megapixels")])

    def test_bad_pnm(self):
        self.refused_files(
            [
                (b"P6 30000 30000 255 ", "limit of 500 megapixels"),
                (b"P6 99999999999 2 255 ", "limit of 500 megapixels"),
                (b"P6 2 2 255 \0\0\0", "damaged or cut-off PPM"),
                (b"P6 2", "damaged or cut-off PPM"),
                (b"P6 0 2 255 ", "damaged or cut-off PPM"),
                (b"P6 -2 2 255 ", "damaged or cut-off PPM"),
                (b"P5 1 1 1023 \0\0", "expected 255 or 65535"),
                (b"P5 1 1 255 \0P5 1 1 255 \0", "expected one picture"),
            ]
        )

    def test_what_a_name_cannot_hold(self):
        rgba = png(samples(8, 8, 4), RGBA)
        self.refused_file(rgba, "hold no transparency", to="out.ppm")
        self.refused_file(rgba, "writes no files that end in '.jpg'", to="out.jpg")

    def test_places(self):
        path = self.file("in/a.png", png(samples(8, 8, 3), RGB))
        folder = path.parent
        self.refused(MODEL, folder, "-o", folder, *RUNNING, says="is the folder of the inputs")
        self.refused(MODEL, folder, "-o", self.folder / "x.png", *RUNNING, says="name of one file")
        self.refused(MODEL, path, path, "-o", self.folder / "x", *RUNNING, says="another input")
        (self.folder / "empty").mkdir()
        out = ("-o", self.folder / "out", *RUNNING)
        self.refused(MODEL, self.folder / "empty", *out, says="holds no image")
        self.refused(MODEL, self.folder / "no.png", *out, says="No such file")
        self.refused(MODEL, path, "-o", path / "b.png", *RUNNING, says="Not a directory")
        os.mkfifo(self.folder / "pipe.png")
        named = ("-o", self.folder / "b.png", *RUNNING)
        self.refused(MODEL, self.folder / "pipe.png", *named, says="not a regular file")
        self.refused(MODEL, path, "-o", self.folder / "pipe.png", *RUNNING, says="or a pipe")

    def test_model(self):
        path = self.file("a.png", png(samples(8, 8, 3), RGB))
        out = ("-o", self.folder / "b.png", *RUNNING)
        self.refused(self.folder / "no.onnx", path, *out, says="no.onnx")
        self.refused(path, path, *out, says="a.png")
        self.refused(MODEL, path, *out, "--provider", "abacus", says="abacus")
        self.refused(MODEL, path, *out, "--tile", "50", says="8")

    def test_usage(self):
        out = ("a.png", "-o", "b.png")
        for arguments, says in (
            ((), "give a model"),
            ((MODEL,), "give a model and what is to be derained"),
            ((MODEL, "a.png"), "-o OUT"),
            ((MODEL, *out, "--what"), "unknown option --what"),
            ((MODEL, *out, "-x"), "unknown option -x"),
            ((MODEL, *out, "--tile"), "--tile needs a value"),
            ((MODEL, *out, "--tile", "many"), "a multiple of 8, or whole"),
            ((MODEL, *out, "--blend=soft"), "one of uniform, feather"),
            ((MODEL, *out, "--threads", "0"), "a whole number from 1 on"),
            ((MODEL, *out, "--timings=1"), "takes no value"),
            ((MODEL, *out, "--matrix", "bt709"), "no effect without --raw"),
            ((MODEL, *out, *RAW, "rgb24"), "leave out INPUT and -o"),
            ((MODEL, "--raw", "4x4"), "needs --format"),
            ((MODEL, "--raw", "4by4", "--format", "gray"), "such as 640x480"),
            ((MODEL, "--raw", "0x4", "--format", "gray"), "such as 640x480"),
            ((MODEL, "--raw", "3x4", "--format", "yuyv422"), "even"),
            ((MODEL, "--raw", "4x3", "--format", "nv12"), "even"),
            ((MODEL, "--raw", "4x4", "--format", "jpeg"), "one of rgb24"),
            ((MODEL, "--raw", "4x4", "--format", "gray", "--range", "full"), "leave them out"),
        ):
            with self.subTest(says):
                self.refused(*arguments, code=2, says=says)

    def test_help_and_version(self):
        for option in ("--help", "-h"):
            result = run(option)
            self.assertEqual(result.returncode, 0)
            self.assertIn(b"Usage: drs-derain", result.stdout)
            self.assertTrue(all(len(line) <= 100 for line in result.stdout.splitlines()))
        self.assertRegex(run("--version").stdout, rb"^drs-derain \S+\n$")


if __name__ == "__main__":
    if b"without PNG" in run("--version").stdout:
        sys.exit(SKIPPED)
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
