"""The page that opens first: of each study its question, its answer with the verdict, its figure, and the way on.

Everything on it follows from what a study declares and what its analysis wrote, so a new study appears by itself.
"""

import datetime
import os
import re
import struct
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from .. import __version__
from ..files import write_text
from ..inference import equivalence
from ..sweep import provenance
from ..sweep.study import STUDIES
from . import tables

HERE = Path(__file__).parent
#: Pages of docs/ are linked where the run stands in a checkout.
DOCS = Path("docs")

_FOR = [verdict.value for verdict in equivalence.FOR]
_AGAINST = [equivalence.Verdict.REFUTED.value, equivalence.Verdict.NOT_ATTAINED.value]


def split_answer(line: str) -> tuple[list[tuple[str, str]], str]:
    """The verdicts of an answer, each with a word for how it looks, and the sentence.

    >>> split_answer("3 confirmed, 1 not attained: The step falls.")
    ([('3 confirmed', 'stands'), ('1 not attained', 'fails')], 'The step falls.')
    """
    head, _, sentence = line.strip().partition(": ")
    return [(text, _look(text)) for text in head.split(", ")], sentence


def _look(verdict: str) -> str:
    word = verdict.lstrip("0123456789 ")
    return "stands" if word in _FOR else "fails" if word in _AGAINST else "open"


def _chips(verdicts: Sequence[tuple[str, str]]) -> Markup:
    items = "".join(f'<li class="{look}">{escape(text)}</li>' for text, look in verdicts)
    return Markup(f'<ul class="verdicts">{items}</ul>')


def caption_html(text: str) -> str:
    r"""A filled caption as HTML: paragraphs, bold and literal words; everything else is shown as it is.

    >>> caption_html("**Basin.** The least of ``x`` is 1 < 2.\n\nA star: \\*.")
    '<p><strong>Basin.</strong> The least of <code>x</code> is 1 &lt; 2.</p>\n<p>A star: *.</p>'
    """
    marks = ((r"\*\*(.+?)\*\*", r"<strong>\1</strong>"), (r"``(.+?)``", r"<code>\1</code>"))
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        # an escaped character is taken out of the way of the marks
        held = re.sub(r"\\(.)", lambda found: f"\0{ord(found[1])};", paragraph)
        shown = escape(" ".join(held.split()), quote=False)
        for mark, instead in (
            *marks,
            (r"\0\d+; ?:sup:`(.+?)`", r"<sup>\1</sup>"),
            (r":sup:`(.+?)`", r"<sup>\1</sup>"),
        ):
            shown = re.sub(mark, instead, shown)
        shown = re.sub(r"\0(\d+);", lambda found: escape(chr(int(found[1])), quote=False), shown)
        paragraphs.append(f"<p>{shown}</p>")
    return "\n".join(paragraphs)


def png_size(path: str | Path) -> tuple[int, int]:
    """Width and height of a PNG in pixels, so that the page does not jump while figures load."""
    with open(path, "rb") as file:
        width, height = struct.unpack(">II", file.read(24)[16:])
    return width, height


def contents(
    answers: Mapping[str, str | Path], captions: Mapping[str, str | Path], results: Path
) -> list[dict[str, Any]]:
    """What the page shows of each study.

    Parameters
    ----------
    answers, captions : mapping of str to path
        Of each study its filled answer and caption.
    results : path
        The folder of the page.
    """
    found = []
    for name, path in answers.items():
        study = STUDIES.find(name)
        verdicts, answer = split_answer(Path(path).read_text(encoding="utf-8"))
        figures = list(study.figures(name))
        found.append(
            {
                "name": name,
                "question": study.title,
                "predictions": study.predictions,
                "verdicts": verdicts,
                "answer": answer,
                "figures": figures,
                "sizes": [png_size(results / f"figures/{figure}.png") for figure in figures],
                "caption": caption_html(Path(captions[name]).read_text(encoding="utf-8")),
                "theory": _link(DOCS / study.theory, results),
            }
        )
    return found


def _link(page: Path, folder: Path) -> str | None:
    """Where a page lies as seen from a folder; None where it is not there."""
    return Path(os.path.relpath(page, folder)).as_posix() if page.is_file() else None


def write(
    answers: Mapping[str, str | Path],
    captions: Mapping[str, str | Path],
    scaling: Mapping[str, str | Path],
    path: str | Path,
    seed: int,
) -> None:
    """Write the page.

    Parameters
    ----------
    answers, captions, scaling : mapping of str to path
        Of each study its filled answer, its filled caption, and its rows of the scaling table.
    path : path
        The HTML file to write, beside the folders of the results.
    seed : int
        Of the run.
    """
    table = tables.gather(scaling.values())
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    counted: pd.Series = table.verdict.value_counts()
    page = environment.from_string((HERE / "index.html").read_text(encoding="utf-8")).render(
        style=(HERE / "index.css").read_text(encoding="utf-8"),
        chips=_chips,
        studies=contents(answers, captions, Path(path).parent),
        exponents=len(table),
        searches=table.search.nunique(),
        verdicts=[
            (f"{counted[each.value]} {each.value}", _look(each.value))
            for each in equivalence.Verdict
            if each.value in counted
        ],
        seed=seed,
        version=__version__,
        commit=provenance.commit(),
        date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    write_text(path, page)
