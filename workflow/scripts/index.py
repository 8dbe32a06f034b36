"""Write the page that opens first."""

from collections.abc import Mapping
from pathlib import Path

from gradgap import logs
from gradgap.report import digests, index


def main(
    answers: Mapping[str, str | Path],
    captions: Mapping[str, str | Path],
    scaling: Mapping[str, str | Path],
    figures: list[str] | list[Path],
    output: str | Path,
    record: str | Path,
    seed: int,
) -> None:
    """Write the page.

    Parameters
    ----------
    answers, captions, scaling : mapping of str to path
        Of each study what its analysis wrote.
    figures : list of path
        The PNG files that the page shows.
    output : path
        The HTML file to write.
    record : path
        File to write with the digests of the page and of all that it was made from.
    seed : int
        Of the run.
    """
    index.write(answers, captions, scaling, output, seed)
    digests.write(record, [output], [*answers.values(), *captions.values(), *scaling.values(), *figures])


if "snakemake" in globals():
    with logs.to(snakemake.log[0]):  # noqa: F821
        main(
            *(
                dict(zip(snakemake.params.studies, files, strict=True))  # noqa: F821
                for files in (
                    snakemake.input.answers,  # noqa: F821
                    snakemake.input.captions,  # noqa: F821
                    snakemake.input.scaling,  # noqa: F821
                )
            ),
            list(snakemake.input.figures),  # noqa: F821
            snakemake.output.page,  # noqa: F821
            snakemake.output.digests,  # noqa: F821
            snakemake.params.seed,  # noqa: F821
        )
