"""A figure of one's own: load a dataset, ask gradgap for a threshold, draw. Run after `make study`:

python examples/own_figure.py results/datasets/length_scaling.nc own.png
"""

import json
import subprocess
import sys

import matplotlib
import xarray as xr

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def ask(*arguments: str) -> dict:
    """The answer of the command line, as in a shell."""
    command = [sys.executable, "-m", "gradgap", *arguments, "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main(dataset: str, output: str) -> None:
    """Draw the critical learning rate of GRPO against length, with one more length asked for on the spot."""
    data = xr.load_dataset(dataset)
    rates = data.critical_learning_rate.sel(
        family="counting", advantage="grpo", aggregation="seq-mean-token-sum"
    )
    between = round((float(rates.length[0]) * float(rates.length[1])) ** 0.5 / 2) * 2  # an even length
    answer = ask(
        "threshold", "counting", "--length", str(between), "--success-rate", "0.2", "--advantage", "grpo"
    )
    figure, panel = plt.subplots(layout="constrained")
    panel.loglog(data.response_length.sel(family="counting"), rates, "o", label="dataset")
    panel.loglog(between, answer["critical"], "s", label="asked for")
    panel.set_xlabel("response length T (tokens)")
    panel.set_ylabel("critical learning rate α*")
    panel.legend()
    figure.savefig(output)


if __name__ == "__main__":
    main(*sys.argv[1:])
