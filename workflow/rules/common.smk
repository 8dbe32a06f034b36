# The configuration is checked while this file is parsed: a wrong value stops everything before it starts.

import hashlib
import os
import signal
import sys
import threading
from pathlib import Path

from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from gradgap.errors import GradgapError
from gradgap.fingerprint import fingerprint, hand_down
from gradgap.report import captions
from gradgap.sweep import config as configuration, grid, reading
from gradgap.sweep.axes import AXES
from gradgap.sweep.dataset import Contents

hand_down()
FORMATS = ["pdf", "svg", "png"]


def at_interrupt(action):
    """Say what SIGINT (Ctrl-C) does; only the main thread may."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, action)


def stop(*_):
    """Stop while the configuration is read, before Snakemake looks after it."""
    print("stopped", file=sys.stderr)
    os._exit(130)


at_interrupt(stop)


def written():
    """The configuration with the lines on which it stands, where it is one file."""
    # inside another workflow, which gives a mapping
    if workflow.modifier.skip_configfile:
        return None
    files = workflow.overwrite_configfiles or ["config.yaml"]
    found = [reading.read(os.path.relpath(file)) for file in files]
    if len(found) == 1 and not workflow.config_settings.config:
        return found[0]
    for document in found:
        document.refuse()
    return None  # several, or --config: Snakemake puts them together


# read here first: Snakemake's own reader takes what nobody means, such as the second of two equal keys
try:
    WRITTEN = written()
except GradgapError as error:
    raise WorkflowError(str(error)) from None


configfile: "config.yaml"


try:
    CONFIG = configuration.parse(config if WRITTEN is None else WRITTEN)
    STUDIES = list(CONFIG.studies)
    SHARDS = {
        name: {
            shard.name: shard
            for shard in grid.shards(study, CONFIG.shard_points, CONFIG.shard_seconds)
        }
        for name, study in CONFIG.studies.items()
    }
except GradgapError as error:
    raise WorkflowError(str(error)) from None


# from here on Snakemake ends the run; also where a shell that starts it in the background makes it deaf to SIGINT
at_interrupt(signal.default_int_handler)


pathvars:
    results=CONFIG.results,


#: Of each figure, its study and the module that draws it.
FIGURES = {
    figure: (name, module)
    for name, study in CONFIG.studies.items()
    for figure, module in study.study.figures(name).items()
}


wildcard_constraints:
    figure="|".join(FIGURES),
    study="|".join(STUDIES),
    shard="[^/]+",
    format="|".join(FORMATS),


def shard_file(shard):
    """Where a shard is stored."""
    return f"{CONFIG.results}/shards/{shard.study}/{shard.name}.npz"


def shard_of(wildcards):
    """The shard that a path names."""
    return SHARDS[wildcards.study][wildcards.shard]


def environment_of(wildcards):
    """The conda environment of a shard's job, which its measurements name."""
    return f"../../envs/{shard_of(wildcards).environment}.yaml"


def study_spec(wildcards):
    """The configuration of one study: an edited value reruns just the studies that use it."""
    return vars(CONFIG.studies[wildcards.study])


def study_of(wildcards):
    """The study that a figure belongs to."""
    return FIGURES[wildcards.figure][0]


def code(file, *modules):
    """What a job's numbers follow from: its script or template, and modules of the package with all they import.

    It is a parameter of the job, so that a change of the text reruns it and a change of the file's time does not.
    """
    text = (ROOT / "workflow" / "scripts" / file).read_bytes()
    return f"{hashlib.blake2b(text, digest_size=8).hexdigest()} {fingerprint(*modules)}"


def module_of_study(wildcards):
    """The module that analyses a study."""
    return CONFIG.studies[wildcards.study].study.analysis
