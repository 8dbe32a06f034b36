"""Which dataset a figure shows, found by following the records of digests from the figure to its dataset."""

import json
from pathlib import Path
from typing import Any

from ..errors import ConfigError, GradgapError
from . import digests

#: What can be said of a figure.
OF_THIS = "of this dataset"
OF_ANOTHER = "of another dataset"
DAMAGED = "damaged: not the file that was drawn"
UNKNOWN = "unknown: no record of digests"


def state(results: str | Path, study: str, figure: str | Path) -> str:
    """Whether a figure was made from the dataset in the same results folder.

    The record of the figure says which numbers it was drawn from. The record of the analysis says from which dataset
    these numbers come. Times of files are not used, because they change when a folder is copied.

    Parameters
    ----------
    results : path
    study : str
    figure : path
        A file in the folder ``figures`` below `results`.

    Returns
    -------
    str
        `OF_THIS`, `OF_ANOTHER`, `DAMAGED` or `UNKNOWN`.
    """
    results, figure = Path(results), Path(figure)
    numbers, dataset = f"analysis/{study}.csv", f"datasets/{study}.nc"
    try:
        drawn = digests.read(results / digests.FOLDER / "figures" / f"{figure.stem}.json")
        read = digests.read(results / digests.FOLDER / "analysis" / f"{study}.json")
        known, shown = drawn.outputs[f"figures/{figure.name}"], drawn.inputs[numbers]
        written, source = read.outputs[numbers], read.inputs[dataset]
    except (GradgapError, KeyError):
        return UNKNOWN
    if digests.digest_of(figure) != known:
        return DAMAGED
    same = shown == written and source == digests.digest_of(results / dataset)
    return OF_THIS if same else OF_ANOTHER


def records(results: str | Path) -> dict[str, Any]:
    """Configuration, code and software behind each dataset and figure of a results folder.

    Parameters
    ----------
    results : path

    Returns
    -------
    dict
        ``studies``: of each study the ``file`` of its dataset; ``config`` (its axes and settings), ``commit``,
        ``software`` and ``seed`` that made it; and its ``figures``, each a ``file`` with its ``state``, see `state`.

    Raises
    ------
    ConfigError
        If there is no dataset, or one cannot be read.
    """
    import xarray as xr  # heavy, and of no use to who asks for a state

    from ..sweep.compare import datasets_of
    from ..sweep.study import STUDIES

    studies = {}
    for file in datasets_of(results).values():
        try:
            with xr.open_dataset(file, engine="netcdf4") as opened:
                attributes = opened.attrs
            record = {name: attributes[name] for name in ("commit", "software", "seed")}
            record["config"] = json.loads(attributes["config"])
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ConfigError(f"{file}: cannot be read as a dataset of this workflow ({error})") from None
        study = attributes["study"]
        names = STUDIES.find(study).figures(study) if study in STUDIES.discover() else {study: ""}
        figures = [path for name in names for path in sorted(Path(results).glob(f"figures/{name}.*"))]
        studies[study] = {
            "file": str(file),
            **record,
            "figures": [{"file": str(path), "state": state(results, study, path)} for path in figures],
        }
    return {"studies": studies}
