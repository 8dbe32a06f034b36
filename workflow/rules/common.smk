# The configuration is checked while this file is parsed: a wrong value stops everything before it starts.

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from gradgap.errors import GradgapError
from gradgap.fingerprint import fingerprint
from gradgap.report import captions
from gradgap.sweep import config as configuration, grid

FORMATS = ["pdf", "svg", "png"]

try:
    CONFIG = configuration.parse(config)
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


wildcard_constraints:
    study="|".join(STUDIES),
    sweep="[^/]+",
    shard="[^/]+",
    format="|".join(FORMATS),


def shard_file(shard):
    """Where a shard is stored."""
    return f"results/shards/{shard.study}/{shard.sweep}/{shard.name}.npz"


def shard_of(wildcards):
    """The shard that a path names."""
    return SHARDS[wildcards.study][wildcards.shard]


def environment_of(wildcards):
    """The conda environment of a shard's job: that of its measurement where it names one, or the simulations'."""
    named = getattr(grid.simulation(shard_of(wildcards)), "ENVIRONMENT", "simulate")
    return f"../../envs/{named}.yaml"


def study_spec(wildcards):
    """The configuration of one study: an edited value reruns just the studies that use it."""
    return vars(CONFIG.studies[wildcards.study])


def module_of_study(wildcards):
    """The module that registers a study."""
    return CONFIG.studies[wildcards.study].study.analyse.__module__
