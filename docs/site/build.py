"""Make the documentation as a site: ``python docs/site/build.py SITE RESULTS``, which `make site` calls.

The pages of docs/ and the notebooks of examples/ are copied into a folder, the gallery and the reference of the
package are written beside them, and Sphinx makes a site of it. Everything that a page needs lies in the site.
"""

import importlib
import pkgutil
import re
import shutil
import sys
from pathlib import Path

import gradgap
from gradgap.report import index
from gradgap.sweep.study import STUDIES

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / ".cache/site"
BUILT = ROOT / ".cache/site-built/html"
#: In the order of the menu.
PAGES = {
    "Start": ["quickstart", "glossary", "gallery"],
    "Tutorials": ["reproduce", "extend_grid", "add_optimizer", "headroom"],
    "Theory": ["theory", "theory_groups", "theory_contextual", "theory_optimizers"],
    "Practice": ["practice", "probe", "trainers", "networks"],
    "Use": ["config", "datasets", "reproduce_figures", "extend", "hpc", "performance"],
    "Reference": ["api", "changelog"],
}
NOTEBOOKS = PAGES["Tutorials"]
ROOMS = {
    "bandits": "Families of bandits",
    "training": "Rules, optimizers and runs",
    "thresholds": "Thresholds",
    "theory": "Bounds and closed forms",
    "probe": "The probe",
    "inference": "Fits, intervals and verdicts",
    "numerics": "Numerics",
    "sweep": "Grids, shards and datasets",
    "report": "Figures and pages",
}


def relinked(text: str, page: Path) -> str:
    """A page whose links lead to where things lie in the site; what has no page there is named instead.

    Parameters
    ----------
    text : str
    page : path
        Where the page lies in the project.
    """

    def moved(found: re.Match) -> str:
        words, target = found[1], found[2]
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target) or not path:
            return found[0]
        there = (page.parent / path).resolve()
        if there.parent == ROOT / "docs" and there.suffix == ".md":
            name = "reproduce_figures.md" if there.name == "reproduce.md" else there.name
            return f"[{words}]({name}{'#' + anchor if anchor else ''})"
        if there.suffix == ".ipynb":
            return f"[{words}]({there.name})"
        if there == ROOT / "CHANGELOG.md":
            return f"[{words}](changelog.md)"
        if there.parent == ROOT / "docs":
            return found[0]
        return f"`{words}`" if re.fullmatch(r"\S*[./]\S*", words) and "`" not in words else words

    # badges speak of the project today, the site of one version
    badges = r"\[!\[[^\]]*\]\([^)\s]*\)\]\([^)\s]*\)\s*"
    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", moved, re.sub(badges, "", text))


def gallery(results: Path) -> str:
    """Every study: its figure where it was run, its finding, and the command."""
    parts = ["# Gallery", "Each figure with its finding and the command that makes it."]
    for name, study in STUDIES.discover().items():
        folder = next(
            (f for f in (results, results / name) if (f / f"analysis/{name}.answer.txt").is_file()), None
        )
        parts.append(f"## {study.title}")
        if folder is None:
            parts.append("This study was not run when the site was made.")
        else:
            verdicts, answer = index.split_answer(
                (folder / f"analysis/{name}.answer.txt").read_text(encoding="utf-8")
            )
            parts.append(f"**{', '.join(text for text, _ in verdicts)}.** {_plain(answer)}")
            drawn = {name: folder / f"figures/{name}.png" for name in study.figures(name)}
            for figure, path in drawn.items():
                if not path.is_file():  # drawn by a newer version than these results
                    continue
                shutil.copy(path, SOURCE)
                parts.append(f"[![Figure {figure}]({figure}.png)]({figure}.png)")
        files = " ".join(f"results/figures/{figure}.png" for figure in study.figures(name))
        other = "" if study.config_file == "config.yaml" else f" --configfile {study.config_file}"
        theory = f"Tests {study.predictions}; [theory]({study.theory})."
        parts += [f"```\n.venv/bin/snakemake {files}{other}\n```", theory]
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>$|])", r"\\\1", text)


def reference() -> None:
    """Write a page a room of the package, with every public module from its docstrings."""
    tree = "\n".join(f"   api_{room}" for room in ROOMS)
    first = "What each module offers. The text is that of the code, and its examples are run by the tests."
    (SOURCE / "api.rst").write_text(
        f"API reference\n=============\n\n{first}\n\n.. toctree::\n   :maxdepth: 2\n\n{tree}\n",
        encoding="utf-8",
    )
    for room, title in ROOMS.items():
        package = importlib.import_module(f"gradgap.{room}")
        modules = [package.__name__] + [
            module.name
            for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
            if not module.ispkg and not module.name.rpartition(".")[2].startswith("_")
        ]
        parts = [f"{title}\n{'=' * len(title)}\n"]
        for module in modules:
            heading = f"``{module}``"
            parts.append(f"{heading}\n{'-' * len(heading)}\n\n.. automodule:: {module}\n   :members:\n")
        (SOURCE / f"api_{room}.rst").write_text("\n".join(parts), encoding="utf-8")


def menu() -> str:
    """The first page, with the menu of all."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    first = text.split("\n## ", 1)[0].replace("docs/learning_curves.png", "learning_curves.png")
    listed = {name for names in PAGES.values() for name in names} | {"reproduce"}
    others = sorted(path.stem for path in (ROOT / "docs").glob("*.md") if path.stem not in listed)
    trees = "\n\n".join(
        f"```{{toctree}}\n:caption: {caption}\n:hidden:\n\n" + "\n".join(names) + "\n```"
        for caption, names in {**PAGES, "More": others}.items()
        if names
    )
    return (
        relinked(first, ROOT / "README.md")
        + "\n\nStart with [the quick start](quickstart.md) or [the gallery](gallery.md).\n\n"
        + trees
        + "\n"
    )


def assemble(results: Path) -> None:
    """Put the sources of the site together."""
    SOURCE.mkdir(parents=True, exist_ok=True)
    for old in SOURCE.glob("*.*"):
        old.unlink()
    for path in (ROOT / "docs").glob("*"):
        if path.suffix == ".md":
            name = "reproduce_figures.md" if path.name == "reproduce.md" else path.name
            (SOURCE / name).write_text(relinked(path.read_text(encoding="utf-8"), path), encoding="utf-8")
        elif path.suffix == ".png":
            shutil.copy(path, SOURCE)
    for name in NOTEBOOKS:
        shutil.copy(ROOT / f"examples/{name}.ipynb", SOURCE)
    changes = ROOT / "CHANGELOG.md"
    (SOURCE / "changelog.md").write_text(
        relinked(changes.read_text(encoding="utf-8"), changes), encoding="utf-8"
    )
    (SOURCE / "gallery.md").write_text(gallery(results), encoding="utf-8")
    reference()
    (SOURCE / "index.md").write_text(menu(), encoding="utf-8")
    shutil.copy(Path(__file__).parent / "conf.py", SOURCE)


def main(site: str, results: str, *options: str) -> int:
    """Assemble and build; further arguments go to Sphinx."""
    from sphinx.cmd.build import main as sphinx

    assemble(Path(results))
    # into a folder of its own first: executed notebooks are left beside it, and a failure leaves the old site
    failed = sphinx(["-q", "-b", "html", *options, str(SOURCE), str(BUILT)])
    if not failed:
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(BUILT, site)
    return failed


if __name__ == "__main__":
    print(f"gradgap {gradgap.__version__}: site")
    sys.exit(main(*sys.argv[1:]))
