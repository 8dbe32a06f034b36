"""Carry a learning rate over from one training to another, with the law used and the evidence for it.

gradgap transfer --optimizer adamw --from length=512,success_rate=0.5,group_size=8,learning_rate=1e-6
                 --to length=4096,success_rate=0.8,group_size=16

--to needs only the values that change. Either side can also have the steps on each batch (steps=4), the minibatches
of different responses that it is split into (minibatches=4; steps is then how often each is used), their importance
ratio (ratio=gspo) and settings of the optimizer (beta2=0.95). If the laws differ by more than a factor 3, only their
range is given.
"""

HELP = "a learning rate rescaled for another length, success rate, group size or number of steps a batch"

_KEYS = ("length", "success_rate", "group_size", "learning_rate")
#: Keys that may be left out, with what they are then.
_USUAL = {"steps": "1", "minibatches": "1", "ratio": "token"}


def add_arguments(parser):
    """Arguments of the command."""
    parser.add_argument("--optimizer", default="adamw", metavar="O", help="optimizer (default: adamw)")
    parser.add_argument(
        "--from",
        dest="before",
        required=True,
        metavar="KEY=VALUE,...",
        help="the training that works: length, success_rate, group_size, learning_rate; "
        "perhaps steps (a batch), minibatches, ratio (token or gspo), settings of the optimizer",
    )
    parser.add_argument("--to", dest="after", required=True, metavar="KEY=VALUE,...", help="what changes")
    parser.add_argument("--advantage", default="grpo", metavar="A", help="advantage (default: grpo)")
    parser.add_argument(
        "--aggregation", default="token-mean", metavar="G", help="aggregation (default: token-mean)"
    )
    parser.add_argument(
        "--dynamic-sampling", action="store_true", help="groups all right or all wrong are dropped"
    )
    parser.add_argument(
        "--scaling",
        default="results/tables/scaling.csv",
        metavar="F",
        help="table of verdicts (default: results/tables/scaling.csv)",
    )


def parse(text, option):
    """Pairs of one option as texts by name.

    Raises
    ------
    ConfigError
        If a pair has no value, or a key is given twice.
    """
    from ..errors import ConfigError

    found = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not key or not value:
            raise ConfigError(f"{option}: {pair!r} is not of the form key=value")
        if key in found:
            raise ConfigError(f"{option}: {key} is given twice")
        found[key] = value
    return found


def _number(values, key, option):
    """The value of a key as a number."""
    from ..errors import ConfigError

    try:
        return float(values[key])
    except ValueError:
        raise ConfigError(f"{option}: {key}={values[key]} is not a number") from None


def _training(values, option):
    """The training that the pairs name."""
    from decimal import Decimal, InvalidOperation

    from ..errors import ConfigError
    from ..theory.transfer import Training

    try:
        failure = float(1 - Decimal(values["success_rate"]))
    except InvalidOperation:
        raise ConfigError(f"{option}: success_rate={values['success_rate']} is not a number") from None
    keys = ("length", "group_size", "steps", "minibatches")
    length, size, steps, minibatches = (_number(values, key, option) for key in keys)
    return Training(length, failure, size, steps, values["ratio"], minibatches)


def verdicts(path, family, optimizer, ratio=None, split=False):
    """Rows of the table of verdicts on an optimizer and a family, as texts; none if there is no table.

    Rows without an optimizer are those of plain ascent, and an optimizer that is measured as another has the rows of
    that one too. With a ratio, also the rows on steps a batch with this ratio, and with a split those on minibatches,
    of whatever family.
    """
    import csv
    from pathlib import Path

    from ..training.optimizers import OPTIMIZERS

    if not Path(path).is_file():
        return []
    measured = {optimizer, OPTIMIZERS.find(optimizer).measured_as}

    def tells(row):
        if row["axis"] == "minibatches":
            return split
        if row["axis"] == "steps_per_batch":
            return ratio is not None and f"{ratio} ratio" in row["advantage"]
        return row["family"] == family

    with Path(path).open(encoding="utf-8", newline="") as file:
        rows = [
            row for row in csv.DictReader(file) if tells(row) and (row.get("optimizer") or "sgd") in measured
        ]
    return [
        f"{row['study']}, {row['advantage']}: exponent in {row['axis']} predicted {float(row['predicted']):.3g}, "
        f"measured {float(row['measured']):.3g}, {row['verdict']}"
        for row in rows
    ]


def main(arguments):
    """Rescale.

    Returns
    -------
    dict
        ``learning_rate`` and ``factor``: by the first law, null where the laws disagree; ``range``: of all laws;
        ``law`` and ``laws``; ``verdicts``: rows of the table of verdicts on the first law's family; ``notes``.
    """
    from dataclasses import asdict

    from ..errors import ConfigError
    from ..theory import transfer
    from ..training.optimizers import OPTIMIZERS

    before = parse(arguments.before, "--from")
    changed = parse(arguments.after, "--to")
    known = (*_KEYS, *_USUAL, *OPTIMIZERS.find(arguments.optimizer).settings)
    for option, values in (("--from", before), ("--to", changed)):
        for key in values:
            if key not in known:
                raise ConfigError(f"{option}: unknown key {key!r}; known: {', '.join(known)}")
    for key in _KEYS:
        if key not in before:
            raise ConfigError(f"--from: {key} is missing; needed: {', '.join(_KEYS)}")
    if "learning_rate" in changed:
        raise ConfigError("--to: learning_rate is what is asked for; give it in --from")
    rate = _number(before, "learning_rate", "--from")
    if not 0 < rate < float("inf"):
        raise ConfigError(
            f"--from: learning_rate={before['learning_rate']} is not allowed; it is above 0 and finite"
        )
    before = {**_USUAL, **before}
    after = {**before, **changed}
    settings = [
        {key: _number(values, key, option) for key in values if key not in (*_KEYS, *_USUAL)}
        for values, option in ((before, "--from"), (after, "--to"))
    ]
    trainings = _training(before, "--from"), _training(after, "--to")
    laws = transfer.laws(
        arguments.optimizer,
        *trainings,
        settings=settings[0],
        settings_after=settings[1],
        advantage=arguments.advantage,
        aggregation=arguments.aggregation,
        dynamic_sampling=arguments.dynamic_sampling,
    )
    agreed = transfer.agree(laws)
    rates = [rate * law.factor for law in laws]
    stepped = trainings[0].steps != trainings[1].steps
    split = trainings[0].minibatches != trainings[1].minibatches
    ratio = trainings[1].ratio if stepped else None
    found = verdicts(arguments.scaling, laws[0].family, arguments.optimizer, ratio, split)
    notes = []
    for changed, axis, words in (
        (stepped, "steps_per_batch", "steps a batch"),
        (split, "minibatches", "minibatches"),
    ):
        if changed and not any(f"exponent in {axis}" in line for line in found):
            notes.append(
                f"no verdict stands behind the change of {words}, see docs/theory_optimizers.md, O10"
            )
    if not agreed:
        notes.append(
            f"the laws disagree by a factor {max(rates) / min(rates):.2g}: no single learning rate is given, and the "
            f"lower end is the careful choice"
        )
    if max(of.failure_rate for of in trainings) > 0.1:
        notes.append("success rates below 0.9 are outside the range in which exponents in 1−J are fitted")
    if not found:
        notes.append(
            "no row of a verdict table stands behind this; the law is held to experiments in "
            "tests/test_theory_optimizers.py only"
        )
    notes.append("laws of bandits with one parameter: a start for a search on a network, not a guarantee")
    return {
        "learning_rate": rates[0] if agreed else None,
        "factor": laws[0].factor if agreed else None,
        "law": asdict(laws[0]),
        "range": {"low": min(rates), "high": max(rates)},
        "laws": [{**asdict(law), "learning_rate": each} for law, each in zip(laws, rates, strict=True)],
        "verdicts": found,
        "notes": notes,
    }


def show(result):
    """The answer first, then every law, then what stands behind it."""
    low, high = result["range"]["low"], result["range"]["high"]
    if result["learning_rate"] is None:
        first = f"learning rate: no single number; between {low:.3g} and {high:.3g}"
    else:
        first = f"learning rate: {result['learning_rate']:.3g} (laws span {low:.3g} to {high:.3g})"
    text = [
        first,
        f"law: {result['law']['formula']} ({result['law']['family']}, {result['law']['regime']})",
        "all laws:",
    ]
    text += [
        f"  {law['learning_rate']:.3g}  {law['formula']}  ({law['family']}, {law['regime']}; {law['source']})"
        for law in result["laws"]
    ]
    text += ["verdicts:", *(f"  {line}" for line in result["verdicts"] or ["none"])]
    text += [f"note: {note}" for note in result["notes"]]
    return "\n".join(text)
