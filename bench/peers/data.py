# SPDX-License-Identifier: Apache-2.0
"""Real samples for the comparison: crops of the pedestrian video, some to calibrate with and others to evaluate on."""
import cv2
import numpy


def crops(video, count, size, first, step, seed):
    """`count` square crops, size x size RGB bytes, of frames first, first + step, ...: of the half where people walk."""
    random = numpy.random.default_rng(seed)
    capture = cv2.VideoCapture(str(video))
    found, number = [], 0
    while len(found) < count:
        there, frame = capture.read()
        if not there:
            raise SystemExit(f"{video}: ends at frame {number}, {count - len(found)} crops short")
        if number >= first and (number - first) % step == 0:
            side = int(random.integers(200, 330))
            y = int(random.integers(0, frame.shape[0] - side))
            x = int(random.integers(0, frame.shape[1] - side))
            crop = cv2.resize(frame[y:y + side, x:x + side], (size, size), interpolation=cv2.INTER_LINEAR)
            found.append(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB))
        number += 1
    return numpy.stack(found)


def for_yolo(pictures):
    return numpy.ascontiguousarray(pictures.transpose(0, 3, 1, 2)).astype("f") / numpy.float32(255)


def for_ssd(pictures):
    return pictures.astype("f") / numpy.float32(127.5) - 1
