"""Tables 1 to 8 of the paper as data: each row's figure as printed, and the run that repeats it.

A run's name says what it is: the encoders, the network unless it is the Transformer, and
``unmasked`` where it is trained without masked copies. A row that two tables share is one run.
Table 6 prints its third row without ECAPA-TDNN and with a semicolon too many; its figure is that of
Table 4's third row, so the two are taken for the same run.

References
----------
Y. Deng, X. Liu, L. Meng, W. Jiang, Y. Dong, C. Liu. Multi-modal Information Fusion for Action
Unit Detection in the Wild. CVPR Workshops, 2023, section 4.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

VISUAL: Final = ("ires100", "mobilenet", "mae", "densenet", "vit")
AUDIO: Final = ("wav2vec", "fbank", "hubert", "ecapatdnn")
MODEL_TITLES: Final = {
    "transformer": "Transformer",
    "tcn": "TCN",
    "gru": "GRU",
    "bigru": "BiGRU",
    "lstm": "LSTM",
    "bilstm": "BiLSTM",
    "tcn_transformer": "TCN + Transformer",
    "dual_transformer": "Dual Transformer",
    "cross_attention_transformer": "CrossAttention + Transformer",
}
HYBRIDS: Final = ("tcn_transformer", "dual_transformer", "cross_attention_transformer")
SUBMISSIONS: Final = {
    "au_top": "AU top ensemble",
    "model": "Model ensemble",
    "kfold": "K-fold",
    "train_val_mix": "Train-Val-Mix",
    "kfold_mix": "K-fold + Train-Val-Mix",
}
CALIBRATED: Final = "calibrated"  # the exported ensemble as it decides; not in the paper
ENSEMBLE: Final = "six"  # the last row of table 6


@dataclass(frozen=True)
class Row:
    """One row of a table of the paper.

    Attributes
    ----------
    run : str
        Name of the run, of the submission (table 8) or ``six`` (last row of table 6).
    printed : str
        F1 as the paper prints it; empty for a row of ours.
    label : str
        What the row is, in words.
    model : str
        Network; empty where the row is no run of one network.
    encoders : tuple of str
        In the paper's order.
    masked : bool or None
        Whether masked copies are trained on; None: as the settings say.
    """

    run: str
    printed: str
    label: str
    model: str = ""
    encoders: tuple[str, ...] = ()
    masked: bool | None = None

    @property
    def paper(self) -> float | None:
        """F1 in the paper; None for a row that the paper does not have."""
        return float(self.printed) if self.printed else None

    @property
    def title(self) -> str:
        """What the run is, also outside its table."""
        if not self.model:
            return self.label
        without = ", no masked copies" if self.masked is False else ""
        return f"{MODEL_TITLES[self.model]} on {', '.join(self.encoders)}{without}"


@dataclass(frozen=True)
class Table:
    """One table of the paper.

    Attributes
    ----------
    number : int
    title : str
    split : str
        What its F1 is on: ``validation``, ``folds`` or ``test``.
    column : str
        What its rows are.
    rows : tuple of Row
    """

    number: int
    title: str
    split: str
    column: str
    rows: tuple[Row, ...]


def run_name(encoders: tuple[str, ...], model: str, masked: bool | None = None) -> str:
    """Name of the run that trains a network on some encoders."""
    parts = [*encoders, *([] if model == "transformer" else [model])]
    return "_".join([*parts, *([] if masked in (None, True) else ["unmasked"])])


def _row(printed: str, features: str, model: str = "transformer", label: str = "") -> Row:
    encoders = tuple(features.split(";"))
    text = label or f"{MODEL_TITLES[model]}: {', '.join(encoders)}"
    return Row(run_name(encoders, model), printed, text, model, encoders)


def _features(printed: str, features: str) -> Row:
    return _row(printed, features, label=features.replace(";", ", "))


def _network(printed: str, model: str) -> Row:
    return _row(printed, "ires100;ecapatdnn", model, MODEL_TITLES[model])


def _balanced(printed: str, masked: bool, label: str) -> Row:
    encoders = ("ires100", "mobilenet")
    name = run_name(encoders, "transformer", masked)
    return Row(name, printed, label, "transformer", encoders, masked)


_FOLDS = ("0.56", "0.53", "0.55", "0.61", "0.56", "0.53", "0.57")
FOLD_MEAN: Final = "0.559"  # as printed beside table 7's figures

TABLES: Final = (
    Table(
        1,
        "Training with and without masked copies",
        "validation",
        "ires100, mobilenet",
        (
            _balanced("0.5508", True, "balanced by masked copies"),
            _balanced("0.5486", False, "as it is"),
        ),
    ),
    Table(
        2,
        "Each visual encoder alone",
        "validation",
        "Transformer on",
        (
            _features("0.518", "ires100"),
            _features("0.507", "mae"),
            _features("0.504", "densenet"),
            _features("0.488", "mobilenet"),
            _features("0.486", "vit"),
        ),
    ),
    Table(
        3,
        "Each audio encoder beside ires100",
        "validation",
        "Transformer on",
        (
            _features("0.531", "ires100;wav2vec"),
            _features("0.529", "ires100;fbank"),
            _features("0.526", "ires100;hubert"),
            _features("0.525", "ires100;ecapatdnn"),
        ),
    ),
    Table(
        4,
        "Combinations of encoders",
        "validation",
        "Transformer on",
        (
            _features("0.556", "ires100;mae;wav2vec;ecapatdnn"),
            _features("0.554", "ires100;mobilenet;mae;wav2vec;ecapatdnn"),
            _features("0.554", "ires100;mae;densenet;wav2vec;ecapatdnn"),
            _features("0.553", "ires100;mobilenet;mae;wav2vec;fbank;ecapatdnn"),
            _features("0.552", "ires100;densenet;vit;wav2vec;fbank"),
            _features("0.551", "ires100;mobilenet;hubert;wav2vec"),
        ),
    ),
    Table(
        5,
        "Nine networks on the same two encoders",
        "validation",
        "network on ires100, ecapatdnn",
        (
            _network("0.525", "transformer"),
            _network("0.519", "tcn"),
            _network("0.516", "bigru"),
            _network("0.515", "bilstm"),
            _network("0.513", "gru"),
            _network("0.513", "lstm"),
            _network("0.531", "tcn_transformer"),
            _network("0.526", "dual_transformer"),
            _network("0.525", "cross_attention_transformer"),
        ),
    ),
    Table(
        6,
        "Six runs and the mean of their probabilities",
        "validation",
        "run",
        (
            _row("0.556", "ires100;mae;wav2vec;ecapatdnn", "tcn_transformer"),
            _row("0.554", "ires100;mobilenet;mae;wav2vec;ecapatdnn", "dual_transformer"),
            _row("0.554", "ires100;mae;densenet;wav2vec;ecapatdnn"),
            _row(
                "0.553", "ires100;mobilenet;mae;wav2vec;fbank;ecapatdnn",
                "cross_attention_transformer",
            ),
            _row("0.553", "ires100;densenet;vit;wav2vec;fbank", "tcn_transformer"),
            _row("0.553", "ires100;mobilenet;mae;wav2vec;fbank;ecapatdnn"),
            Row(ENSEMBLE, "0.5796", "Ensemble of the six"),
        ),
    ),
    Table(
        7,
        "Seven folds, each scored on the fold that was held out",
        "folds",
        "fold",
        tuple(Row(f"fold{i}", f1, f"fold {i}") for i, f1 in enumerate(_FOLDS, start=1)),
    ),
    Table(
        8,
        "Five submissions",
        "test",
        "submission",
        tuple(
            Row(name, f1, title)
            for (name, title), f1 in zip(
                SUBMISSIONS.items(), ("0.5169", "0.5286", "0.5422", "0.5352", "0.5404"), strict=True
            )
        ),
    ),
)  # fmt: skip


def table_runs() -> dict[str, Mapping[str, Any]]:
    """Runs that tables 1 to 6 are made of, as the section ``tables`` of ``params.yaml`` has them.

    Returns
    -------
    dict of str to mapping
        ``model``, ``visual``, ``audio``, ``masked`` and ``split`` by name, in the tables' order.
    """
    runs: dict[str, Mapping[str, Any]] = {}
    for table in TABLES:
        for row in table.rows:
            if row.model:
                runs[row.run] = {
                    "model": row.model,
                    "visual": [name for name in row.encoders if name in VISUAL],
                    "audio": [name for name in row.encoders if name in AUDIO],
                    "masked": row.masked,
                    "split": "official",
                }
    return runs


def run_title(name: str) -> str:
    """What a run is, in words; its name where no table has it."""
    titles = {row.run: row.title for table in TABLES for row in table.rows}
    return titles.get(name, name)
