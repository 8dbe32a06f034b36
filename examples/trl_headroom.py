"""TRL's GRPOTrainer with a callback that says how much larger its steps could be, and can set the learning rate.

    make .cache/trainer/installed
    .cache/trainer/bin/python examples/trl_headroom.py --learning-rate 0.01
    .cache/trainer/bin/python examples/trl_headroom.py --learning-rate 0.5 --optimizer adam --control

The model has some 3,000 parameters and is made here, as are its words and prompts; nothing is downloaded. In a
trainer of your own it takes two lines:

    from gradgap.trainer.callback import HeadroomCallback
    HeadroomCallback(trainer)       # before trainer.train(); with a HeadroomController it sets the learning rate

It then logs, with the trainer's own metrics and wherever these go: headroom/gain, headroom/headroom with its interval
headroom/headroom_low and headroom/headroom_high, headroom/reach, headroom/edge, and headroom/learning_rate.
"""

import argparse
import tempfile
import time

from gradgap.probe import HeadroomController
from gradgap.trainer.callback import HeadroomCallback
from gradgap.trainer.counts import Counts
from gradgap.trainer.runs import trainer

SHOWN = ("reward", "headroom/gain", "headroom/headroom", "headroom/reach", "headroom/edge")


def main(arguments: list[str] | None = None) -> None:
    """Train, and print the log."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--length", type=int, default=16, help="tokens of a response")
    parser.add_argument("--optimizer", choices=("sgd", "adam"), default="adam")
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--control", action="store_true", help="let the probe set the learning rate")
    given = parser.parse_args(arguments)

    with tempfile.TemporaryDirectory() as folder:
        made = trainer(
            Counts(given.length),
            optimizer=given.optimizer,
            learning_rate=given.learning_rate,
            steps=given.steps,
            seed=given.seed,
            folder=folder,
        )
        controller = HeadroomController(given.learning_rate) if given.control else None
        callback = HeadroomCallback(made, controller)
        started = time.process_time()
        made.train()
        seconds = time.process_time() - started

    print("step    rate", *(f"{name.rpartition('/')[2]:>9}" for name in SHOWN))
    rows = [row for row in made.state.log_history if "reward" in row]
    for step, (row, rate) in enumerate(zip(rows, callback.rates, strict=True), start=1):
        shown = (f"{row[name]:9.3g}" if name in row else f"{'–':>9}" for name in SHOWN)
        print(f"{step:4d} {rate:7.2g}", *shown)
    print(
        f"{callback.passes / given.steps:.1f} forward passes a step for the probe, "
        f"{callback.seconds / seconds:.0%} of the time of training"
    )


if __name__ == "__main__":
    main()
