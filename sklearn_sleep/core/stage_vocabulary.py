"""The words for sleep stages in other people's files, and the stage that a text names.

A text is compared without letter case, accents, blanks, hyphens, underscores and full stops. Whole
words are known in all languages at once; of single letters only those that mean one stage in all.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sklearn_sleep.core.messages import shorten
from sklearn_sleep.core.stages import RECHTSCHAFFEN_KALES, Stage
from sklearn_sleep.exceptions import HypnogramError


@dataclass(frozen=True)
class StageVocabulary:
    """What a language or a software calls the stages: texts with commas between them.

    Words of `before` and `after` may stand around a stage: "Stadium N2", "REM-Schlaf".
    """

    name: str
    source: str
    wake: str = ""
    n1: str = ""
    n2: str = ""
    n3: str = ""
    rem: str = ""
    unscored: str = ""
    before: str = ""
    after: str = ""

    def texts(self) -> Iterator[tuple[str, Stage]]:
        """Yield each text and the stage that it names."""
        columns = (self.wake, self.n1, self.n2, self.n3, self.rem, self.unscored)
        for stage, texts in zip(Stage, columns, strict=True):
            for text in _split(texts):
                yield text, stage


def _split(texts: str) -> list[str]:
    return [text.strip() for text in texts.split(",") if text.strip()]


VOCABULARIES: Final = (
    StageVocabulary(
        "AASM and R&K",
        "Berry et al., The AASM Manual, version 2; Rechtschaffen & Kales (1968)",
        wake="W, stage W",
        n1="N1, S1",
        n2="N2, S2",
        n3="N3, N4, S3, S4, S3/4, S3/S4, N3/N4, 3/4, 34, SWS, slow wave",
        rem="R, REM",
        unscored="?, M, MT",
    ),
    StageVocabulary(
        "English",
        "EDF+ standard texts; NSRR XML of both schemas; WSC; Luna; YASA; Philips RML; PhysioNet",
        wake="wake, awake, wakefulness, wake state",
        n1="NREM1, NonREM1, non-rapid eye movement N1, non-rapid eye movement sleep N1",
        n2="NREM2, NonREM2, non-rapid eye movement N2, non-rapid eye movement sleep N2",
        n3="NREM3, NonREM3, non-rapid eye movement N3, non-rapid eye movement sleep N3, "
        "NREM4, NonREM4, non-rapid eye movement N4, non-rapid eye movement sleep N4",
        rem="rapid eye movement",
        unscored="unscored, unscored epoch, not scored, unstaged, unknown, undefined, no stage, "
        "NS, UNS, UNK, U, nan, none, movement, movement time, MVT, art, artifact, artefact, "
        "artifact epoch, lights on",
        before="sleep stage, stage, sleep",
        after="sleep",
    ),
    StageVocabulary(
        "German",
        "Somnomedics Domino; the language's terms",
        wake="wach, Wachzustand, Wachheit",
        unscored="Bewegung, Bewegungszeit, Artefakt, unbekannt, unbestimmt, unbewertet, "
        "nicht bewertet, nicht klassifiziert",
        before="Schlafstadium, Stadium, Schlaf",
        after="Schlaf",
    ),
    StageVocabulary(
        "French",
        "Deltamed Coherence, as sleeplab-format reads it; the language's terms",
        wake="veille, éveil, éveillé",
        n3="sommeil lent profond",
        rem="paradoxal, S. Paradoxal",
        unscored="indéterminé, inconnu, mouvement, temps de mouvement, artéfact, non scoré",
        before="stade de sommeil, stade, sommeil",
    ),
    StageVocabulary(
        "Spanish",
        "the language's terms; MOR: movimientos oculares rápidos",
        wake="vigilia, despierto",
        rem="MOR",
        unscored="movimiento, tiempo de movimiento, artefacto, desconocido, indeterminado, "
        "sin clasificar, no clasificado, no puntuado",
        before="fase de sueño, fase, etapa, estadio, sueño",
    ),
    StageVocabulary(
        "Italian",
        "the language's terms",
        wake="veglia, sveglio",
        unscored="movimento, tempo di movimento, artefatto, sconosciuto, indeterminato, "
        "non classificato, non valutato",
        before="stadio, fase, sonno",
    ),
    StageVocabulary(
        "Portuguese",
        "the language's terms",
        wake="vigília, acordado, desperto",
        unscored="movimento, tempo de movimento, artefato, artefacto, desconhecido, "
        "indeterminado, não classificado, não pontuado",
        before="estágio, estádio, fase, sono",
    ),
    StageVocabulary(
        "Dutch",
        "the language's terms",
        wake="waak, wakker",
        unscored="beweging, bewegingstijd, artefact, onbekend, niet gescoord",
        before="slaapstadium, stadium, slaap",
        after="slaap",
    ),
    StageVocabulary(
        "Danish",
        "the language's terms",
        wake="vågen, vaagen",
        unscored="bevægelse, artefakt, ukendt, ikke scoret",
        before="søvnstadie, søvnstadium, stadie, stadium, søvn",
        after="søvn",
    ),
    StageVocabulary(
        "Swedish",
        "the language's terms",
        wake="vaken, vakenhet",
        unscored="rörelse, artefakt, okänd, ej bedömd, ej scorad",
        before="sömnstadium, stadium, sömn",
        after="sömn",
    ),
    StageVocabulary(
        "Finnish",
        "the language's terms",
        wake="valve, valveilla, hereillä",
        unscored="liike, liikeaika, artefakti, tuntematon, ei luokiteltu",
        before="univaihe, vaihe",
        after="uni",
    ),
)
"""All words for stages; one text names one stage in all of them."""

_COARSE: Final = (
    "light, light sleep, deep, deep sleep, NREM, N, non-REM, sleep, asleep, Leichtschlaf, "
    "Tiefschlaf, Schlaf, sommeil, sommeil léger, sommeil profond, sommeil lent, sueño, "
    "sueño ligero, sueño profundo, sonno, sonno leggero, sonno profondo, sono, sono leve, "
    "sono profundo, slaap, lichte slaap, diepe slaap, søvn, let søvn, dyb søvn, sömn, lätt sömn, "
    "djup sömn, uni, kevyt uni, syvä uni"
)
AMBIGUOUS_LETTERS: Final = {
    "A": "artefact in Domino, acordado or awake elsewhere",
    "E": "éveil in French, an event elsewhere",
    "P": "paradoxal in French, pause elsewhere",
    "S": "sleep, sueño or sommeil",
    "V": "veille in French, vigilia in Spanish and Italian, vaken in Swedish",
    "L": "lights on in Luna, light sleep elsewhere",
    "T": "Tiefschlaf in German, movement time elsewhere",
}
"""Letters that mean different things in different software, by what they mean."""

# A blank between two digits and a minus before one are kept: they change the number.
_SEPARATOR: Final = re.compile(r"(?<!\d)[\s_]|[\s_](?!\d)|-(?!\d)|(?<=[^\W\d])-|\.(?!\d)")
_INTEGER: Final = re.compile(r"-?\d{1,2}(\.0*)?")
_DIGITS: Final = frozenset("012345")
_CODES: Final = {**RECHTSCHAFFEN_KALES, -1: Stage.UNSCORED, -2: Stage.UNSCORED}


def fold(text: str) -> str:
    """Return a text without letter case, accents and separators, as stage names are compared."""
    decomposed = unicodedata.normalize("NFKD", text.strip().casefold())
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return _SEPARATOR.sub("", bare)


_STAGE_OF_TEXT: Final = {
    fold(text): stage for vocabulary in VOCABULARIES for text, stage in vocabulary.texts()
}
_BEFORE: Final = sorted({fold(w) for v in VOCABULARIES for w in _split(v.before)}, key=len)[::-1]
_AFTER: Final = sorted({fold(w) for v in VOCABULARIES for w in _split(v.after)}, key=len)[::-1]
_NO_STAGES: Final = frozenset(map(fold, _split(_COARSE)))


def parse_stage(text: str, stage_names: Mapping[str, str] | None = None) -> Stage:
    """Return the AASM stage that a text of an annotation file names; HypnogramError if none.

    `stage_names` says for texts of the file which stage they are (``{"Wach": "W"}``), and goes
    first. Otherwise a text is one of `VOCABULARIES`, or an R&K code of `RECHTSCHAFFEN_KALES`, so
    that ``"4"`` is S4 and ``"5"`` is REM. What stands after ``|`` (NSRR) or ``@@`` (the channel, in
    EDF+) is no part of the name. ``"-1"`` and YASA's ``"-2"`` are unscored.
    """
    name = text.partition("@@")[0].strip()
    if stage_names:
        told = {fold(key): value for key, value in stage_names.items()}
        if fold(name) in told:
            return parse_stage(told[fold(name)])
    name = name.partition("|")[0].strip()
    if _INTEGER.fullmatch(name) and int(float(name)) in _CODES:
        return _CODES[int(float(name))]
    folded = fold(re.sub(r"^(sro|sdo):", "", name, flags=re.IGNORECASE))
    for spelling in _bare(folded):
        if spelling in _STAGE_OF_TEXT:
            return _STAGE_OF_TEXT[spelling]
        if spelling in _DIGITS:  # "Stage 2"; a bare digit was a code
            return _CODES[int(spelling)]
    raise HypnogramError(f"{shorten(text)} is no sleep stage{_why(folded, name[:100])}")


def _bare(folded: str) -> Iterator[str]:
    """Yield a folded text, and the same without the words around a stage."""
    yield folded
    for before in ("", *_BEFORE):
        if folded.startswith(before):
            inner = folded.removeprefix(before)
            yield inner
            for after in _AFTER:
                if inner.endswith(after):
                    yield inner.removesuffix(after)


def _why(folded: str, name: str) -> str:
    """Return why a text is no stage, and the argument that settles it."""
    argument = f"Say what it is with stage_names={{{name!r}: 'N2'}} (W, N1, N2, N3, R or ?)."
    if folded.upper() in AMBIGUOUS_LETTERS:
        return f": it may be {AMBIGUOUS_LETTERS[folded.upper()]}. {argument}"
    if names_part_of_sleep(name):
        return f": it is none of the five stages of the AASM, but more than one of them. {argument}"
    return (
        ". Known are W, N1, N2, N3, R, S1 to S4, REM, movement time, unscored and their names in "
        f"eleven languages, and the R&K codes 0 to 7, 9 and 10. {argument}"
    )


def names_part_of_sleep(text: str) -> bool:
    """Return whether a text names more than one stage of the AASM, as "light sleep" does."""
    return not _NO_STAGES.isdisjoint(_bare(fold(text)))


def names_stage(text: str, stage_names: Mapping[str, str] | None = None) -> bool:
    """Return whether a text of an annotation file names a stage, see `parse_stage`."""
    try:
        parse_stage(text, stage_names)
    except HypnogramError:
        return False
    return True
