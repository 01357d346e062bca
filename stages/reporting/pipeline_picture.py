"""The picture of the pipeline in the README; it carries the graph that it shows as text."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import yaml

from stages.core.files import replacing
from stages.pretraining.settings import PretrainData

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINE = "#5b6673"

Route = list[tuple[float, float]]

GRAPH_KEY = "Description"  # PNG text chunk

# column, row: where a stage stands in the picture
PLACES = {
    "corpus": (0, 0),
    "index": (1, 0),
    "crop": (2, 0),
    "pretrain_faces": (1, 1),
    "pretrain_frames": (2, 1),
    "mask": (3, -1),
    "pretrain": (3, 1),
    "visual": (4, 0),
    "audio": (4, 1),
    "inputs": (5, 0),
    "licences": (6, -1),
    "train": (6, 0),
    "probe": (6, 1),
    "ensemble": (7, 0),
    "evaluate": (8, 0),
    "submit": (8, -1),
    "report": (8, 1),
}

# edges that are not a straight line from the right of one box to the left of the next
ROUTES: dict[tuple[str, str], Route] = {
    ("corpus", "pretrain_faces"): [(0, 0.33), (0, 1), (0.61, 1)],
    ("crop", "pretrain_frames"): [(2, 0.33), (2, 0.67)],
    ("crop", "mask"): [(2, -0.33), (2, -1), (2.61, -1)],
    ("mask", "visual"): [(3.39, -1), (4, -1), (4, -0.33)],
    ("pretrain", "visual"): [(3.39, 0.9), (3.5, 0.9), (3.5, 0.0), (3.61, 0.0)],
    ("audio", "inputs"): [(4.39, 1), (4.5, 1), (4.5, 0.12), (4.61, 0.12)],
    ("inputs", "probe"): [(5.12, 0.33), (5.12, 1), (5.61, 1)],
    ("evaluate", "report"): [(8, 0.33), (8, 0.67)],
    ("ensemble", "submit"): [(7, -0.33), (7, -1), (7.61, -1)],
    ("inputs", "licences"): [(5.12, -0.33), (5.12, -1), (5.61, -1)],
}

# a stage for DVC that is drawn as one with another: the audio encoder without weights
SAME_BOX = {"fbank": "audio"}

TRAINED = ("train", "probe", "ensemble", "evaluate", "report", "submit")

CAPTIONS = {
    "corpus": "MP4 talking heads\nwith exact labels,\nfaces, speech",
    "index": "manifest, labels,\npresentation times",
    "crop": "face found, followed,\naligned: 112 x 112",
    "mask": "stretches to copy\nwith half a face",
    "pretrain_faces": "labelled faces,\ngenerated or yours",
    "pretrain_frames": "and some of the\ntraining videos",
    "pretrain": "encoders, on people\nseen nowhere else",
    "visual": "HDF5 store\nper encoder",
    "audio": "HDF5 store\nper encoder",
    "inputs": "labels and faces\njoined to the stores",
    "licences": "of the weights\nthat were used",
    "train": "runs and folds, on\nwindows of 128 frames",
    "probe": "the same on each\nencoder alone",
    "ensemble": "joined, calibrated,\nexported",
    "evaluate": "F1 of 12 AUs",
    "submit": "the challenge's file",
    "report": "tables 1 to 8, claims,\nfigures: one page",
}


def _possible(deps: list[str]) -> list[str]:
    """Put the shipped settings, and all that an encoder may learn from, in place of templates."""
    shipped = {"${data.root}": "data/corpus/videos", "${data.faces}": "data/corpus/faces.h5"}
    filled = [shipped.get(dep, dep) for dep in deps]
    data = get_args(PretrainData)
    return [
        d.replace("${item.data}", one)
        for d in filled
        for one in data
        if "${item" in d or one == data[0]
    ]


def read_graph(path: Path) -> list[tuple[str, str]]:
    """Edges of the pipeline: which stage's output which other stage reads.

    Parameters
    ----------
    path : Path
        ``dvc.yaml``. The runs of a matrix or a `foreach` count as one stage.

    Returns
    -------
    list of (str, str)
        Sorted.
    """
    stages: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
    stages = {name: stage.get("do", stage) for name, stage in stages.items()}  # of `foreach`
    maker: dict[str, str] = {}
    for name, stage in stages.items():
        for out in (*stage.get("outs", ()), *stage.get("metrics", ())):
            maker[next(iter(out)) if isinstance(out, dict) else out] = name
    # the name of a run stands in a path where a matrix puts it: cut paths at the first ${
    stems = {path.split("${")[0].rstrip("/"): name for path, name in maker.items()}
    edges: set[tuple[str, str]] = set()
    for name, stage in stages.items():
        for dep in _possible(stage["deps"]):
            for stem, source in stems.items():
                inside = dep.startswith(f"{stem}/") or stem.startswith(f"{dep}/")
                if (dep == stem or inside) and source != name:
                    edges.add((source, name))
    return sorted(edges)


def without_shortcuts(graph: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out each edge whose target is also reached by way of another stage."""
    following: dict[str, set[str]] = {}
    for source, target in graph:
        following.setdefault(source, set()).add(target)

    def reached(stage: str) -> set[str]:
        direct = following.get(stage, set())
        return direct.union(*map(reached, direct))

    return [
        (source, target)
        for source, target in graph
        if not any(target in reached(other) for other in following[source] - {target})
    ]


def _arrow(axes: "Axes", points: Route) -> None:
    xs, ys = zip(*points, strict=True)
    axes.plot(xs[:-1], ys[:-1], color=LINE, linewidth=1.4, solid_joinstyle="round")
    axes.annotate(
        "",
        xy=points[-1],
        xytext=points[-2],
        arrowprops={"arrowstyle": "-|>", "color": LINE, "lw": 1.4, "shrinkA": 0, "shrinkB": 0},
    )


def draw_pipeline(graph: list[tuple[str, str]], path: Path) -> None:
    """Draw the stages and their edges as a PNG that carries the graph as text."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.patches import FancyBboxPatch

    figure, axes = plt.subplots(figsize=(16.3, 4.4), dpi=110, layout="constrained")
    drawn = {(SAME_BOX.get(a, a), SAME_BOX.get(b, b)) for a, b in graph}
    for source, target in without_shortcuts(sorted(drawn)):
        (x0, y0), (x1, y1) = PLACES[source], PLACES[target]
        straight = [(x0 + 0.39, float(y0)), (x1 - 0.39, float(y1))]
        _arrow(axes, ROUTES.get((source, target), straight))
    for name in sorted({stage for edge in drawn for stage in edge}):
        x, y = PLACES[name]
        box = FancyBboxPatch(
            (x - 0.39, y - 0.33),
            0.78,
            0.66,
            boxstyle="round,pad=0,rounding_size=0.07",
            facecolor="#eaf1f8" if name not in TRAINED else "#fdf1e3",
            edgecolor="#2563a8" if name not in TRAINED else "#d9822b",
            linewidth=1.3,
        )
        box.set_zorder(3)
        axes.add_patch(box)
        axes.text(
            x, y - 0.19, name, ha="center", va="center", fontsize=10.5, fontweight="bold", zorder=4
        )
        axes.text(x, y + 0.09, CAPTIONS[name], ha="center", va="center", fontsize=8.5, zorder=4)
    axes.set_xlim(-0.45, 8.45)
    axes.set_ylim(1.45, -1.4)
    axes.axis("off")
    with replacing(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None, GRAPH_KEY: json.dumps(graph)})
    plt.close(figure)
