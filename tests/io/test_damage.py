"""Files that are damaged at random: what comes of them is an error or a warning of ours."""

from __future__ import annotations

import random
import re
import time
from contextlib import suppress

import numpy as np
import pytest
from edf_bytes import annotation_signal, build_file, discontinuous_edf, small_edf, tal

from sklearn_sleep.datasets.demographics import Demographics
from sklearn_sleep.exceptions import SleepError
from sklearn_sleep.io.edf.annotations import read_edf_annotations
from sklearn_sleep.io.edf.header import read_edf_header
from sklearn_sleep.io.edf.samples import read_edf_samples
from sklearn_sleep.io.hypnograms.reading import read_hypnogram

HYPNOGRAM = tal(b"+0\x14\x14\0+0\x1530\x14Sleep stage W\x14\0+30\x1530\x14Sleep stage 2\x14\0", 60)
EVENT = (
    "<ScoredEvent><EventType>Stages|Stages</EventType><EventConcept>Wake|0</EventConcept>"
    "<Start>0.0</Start><Duration>30.0</Duration></ScoredEvent>"
)
SOUND = {
    "EDF": small_edf(40),
    "EDF+D": discontinuous_edf(["0", "1", "2", "60", "61"]),
    "EDF+ hypnogram": build_file(
        [annotation_signal(60)], [[HYPNOGRAM]], reserved="EDF+C", record_duration="0"
    ),
    "NSRR": f'<?xml version="1.0"?><PSGAnnotation>{EVENT}</PSGAnnotation>'.encode(),
    "Profusion": b"<CMPStudyConfig><EpochLength>30</EpochLength><SleepStages><SleepStage>0"
    b"</SleepStage><SleepStage>5</SleepStage></SleepStages></CMPStudyConfig>",
    "CSV": b"onset,duration,stage\n0,30,W\n30,30,N2\n60,30.5,R\n",
    "epochs": b"epoch,stage\n0,W\n1,N1\n2,R\n",
    "stg": b"1\t0\t\n2\t2\t2\n3\t5\t\n",
    "allscore": b"23:58:30.50\tSTART RECORDING\n23:59:00.50\tSTAGE - W\n00:00:00.50\tSTAGE - N1\n",
    "people": b"nsrrid,age,male,bmi\n800002,55,1,31.5\n800003,,0,NA\n",
}
ABSURD = (
    *(b"1e308", b"-1e308", b"1e-308", b"1e9", b"nan", b"inf", b"-1", b"0", b"86400", b"9" * 5000),
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\x14", b"\t", b"\n", b",", b'"', b"<", b"&", b"\x85"),
    *(b"EDF+D", b"EDF Annotations", b"UTF-16", b"1_0", "²".encode(), b"W", b"4"),
)


def damage(content, chance):
    """Return the content with one to four of its pieces lost, doubled or replaced."""
    for _ in range(chance.randint(1, 4)):
        first = chance.randrange(len(content) + 1)
        last = first + chance.choice((0, 1, 8, 64))
        numbers = list(re.finditer(rb"\d+(\.\d+)?", content))
        if numbers and chance.random() < 0.4:
            first, last = chance.choice(numbers).span()
        piece = chance.choice(
            (*ABSURD, b"", content[first:last] * 2, bytes([chance.randrange(256)]))
        )
        content = content[:first] + piece + content[last:]
    return content


def read_in_every_way(path):
    people = Demographics("", "nsrrid", age=("age",), sex=("male",), bmi=("bmi",))
    with suppress(SleepError):
        header = read_edf_header(path)
        for channel in header.channels:
            with suppress(SleepError):
                assert not np.isinf(read_edf_samples(header, channel)).any()
        read_edf_annotations(header)
    messages = []
    for read in (read_hypnogram, people.read):
        try:
            read(path)
        except SleepError as error:
            messages.append(str(error))
    assert all(path.name in message and len(message) < 2000 for message in messages)


@pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.SleepWarning")
@pytest.mark.parametrize("kind", SOUND)
def test_damage_ends_in_an_error_of_ours(kind, tmp_path):
    chance = random.Random(kind)  # noqa: S311
    path = tmp_path / "damaged"
    started = time.process_time()
    for _ in range(40):
        path.write_bytes(damage(SOUND[kind], chance))
        read_in_every_way(path)
    # A single length that is believed takes longer.
    assert time.process_time() - started < 20
