"""Check a results folder, and name every file that is missing or damaged.

gradgap verify
gradgap verify results/smoke/results --configfile tests/smoke.yaml
"""

from ._results import add_arguments as add_arguments

HELP = "check every file of a results folder"


def main(arguments):
    """Check. The exit code is 1 if something is wrong.

    Returns
    -------
    dict
        ``wrong``: of each bad file, what is wrong; ``remedy``: one line for the shell that makes all of it anew, for
        the configuration and folder that were checked; None where nothing is wrong.
    """
    from ..report.verify import verify
    from ..sweep import config

    found = config.load(arguments.configfile)
    results = arguments.results or found.results
    wrong = verify(found, results)
    return {
        "wrong": wrong,
        "remedy": _remedy(wrong, results, found.results, arguments.configfile) if wrong else None,
        "exit_code": 1 if wrong else 0,
    }


def _remedy(wrong, results, inside, configfile):
    """Remove what stands and is bad, and run the workflow as it was run for this folder and configuration.

    `inside` is the folder below the working directory of the run.
    """
    import shlex
    import shutil
    import sys
    from pathlib import Path

    from ..fingerprint import PACKAGE_DIR
    from ..report.verify import REPORT, REPORT_RECORD

    command = ["snakemake"] if shutil.which("snakemake") else [sys.executable, "-m", "snakemake"]
    if not Path("Snakefile").is_file():
        snakefile = PACKAGE_DIR.parents[2] / "Snakefile"
        command += ["--snakefile", str(snakefile if snakefile.is_file() else "Snakefile")]
        command += ["--cores", "all"]  # the profile that says so stands beside the Snakefile
    directory = Path(results)
    for part in reversed(Path(inside).parts):
        directory = directory.parent if directory.name == part else directory
    if directory.resolve() != Path.cwd():
        command += ["--directory", str(directory)]
    if Path(configfile).resolve() != Path("config.yaml").resolve():
        command += ["--configfile", str(configfile)]
    report = {str(Path(results) / name) for name in (REPORT, REPORT_RECORD)}
    then = ""
    if not report.isdisjoint(wrong):  # page and record are made anew together
        wrong = wrong | dict.fromkeys(report, "made anew")
        page, record = Path(results) / REPORT, Path(results) / REPORT_RECORD
        note = [sys.executable, "-m", "gradgap.report.digests", str(record), str(page)]
        then = f" && {shlex.join([*command, '--report', str(Path(inside) / REPORT)])} && {shlex.join(note)}"
    standing = [path for path, what in wrong.items() if what != "missing"]
    remove = f"rm -f {shlex.join(standing)} && " if standing else ""
    return remove + shlex.join(command) + then


def show(result):
    """One line a bad file, and the remedy."""
    if not result["wrong"]:
        return "all is well"
    return "\n".join(
        [*(f"{path}: {what}" for path, what in result["wrong"].items()), f"remedy: {result['remedy']}"]
    )
