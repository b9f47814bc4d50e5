"""The tables of the page "What the numbers say" as HTML, each with what it was made on.

Accuracies are in percent, differences in points with half the width of their intervals, verdicts after Holm.
"""

from __future__ import annotations

import pandas
from IPython.display import HTML, Markdown

from studies import report, tables
from studies.data_sets import DATA_SETS


def captioned(frame: pandas.DataFrame, caption: str, *, folded: bool = False) -> HTML:
    """A data frame under a caption; folded away, it opens with a click."""
    content = frame.to_html(index=False, border=0, justify="left", na_rep="")
    if folded:
        return HTML(f"<details style='margin-top: 1em'><summary>{caption}</summary>{content}</details>")
    return HTML(f"<p style='margin-top: 2em'>{caption}</p>{content}")


def missing(command: str) -> Markdown:
    """What stands in place of a table that has no cells."""
    return Markdown(f"*Not measured yet; `python -m studies {command}` does it.*")


def points(differences: pandas.Series, highs: pandas.Series) -> list[str]:
    """Differences with half the width of their intervals, where they have one, in points."""
    shown = []
    for mean, high in zip(differences, highs, strict=True):
        width = "" if pandas.isna(high) else f" ± {100 * (high - mean):.1f}"
        shown.append("" if pandas.isna(mean) else f"{100 * mean:+.1f}{width}".replace("-", "−"))
    return shown


def compared(frame: pandas.DataFrame, caption: str, *, folded: bool = False) -> HTML:
    """A table of `report.main_table` or `report.pooled_table`."""
    shown = pandas.DataFrame({"row": frame["row"], "sets": frame["sets"]})
    for kind, column in report.COLUMNS.items():
        shown[f"{column}, %"] = percent(frame[column])
        if f"{kind}low" in frame:
            shown[f"{column} to unguided"] = points(frame[f"{kind}difference"], frame[f"{kind}high"])
            shown[f"{kind}verdict"] = frame[f"{kind}verdict"].fillna("").replace(report.NOT_TOLD_APART, "–")
        else:
            shown[f"{column} to unguided"] = ""
    return captioned(shown, caption, folded=folded)


def percent(shares: pandas.Series) -> list[str]:
    """Shares in percent, to a tenth."""
    return [f"{100 * share:.1f}" for share in shares]


def main_tables(images_per_class: int, network: str = "convnet3") -> list[HTML | Markdown]:
    """The mean over the data sets that were measured, and folded below it the table of every one of them."""
    title = f"{images_per_class} image{'s' * (images_per_class > 1)} per class, {report.NETWORKS[network]}."
    measured, table = report.measured_on(images_per_class, network), report.table_of(network, images_per_class)
    shown: list[HTML | Markdown] = []
    if not measured:
        study = "main digits" if table == "main" else f"students digits --networks {network}"
        shown.append(missing(f"{study} --images-per-class {images_per_class}"))
    elif len(measured) > 1 and len(together := report.pooled_table(images_per_class, network)):
        names = "the three data sets" if len(measured) == 3 else " and ".join(DATA_SETS[one].title for one in measured)
        shown.append(compared(together, f"Mean over {names}, {title} Sets are those of each data set."))
    for data in measured:
        real = report.full_real(data, network)
        caption = f"{DATA_SETS[data].title}, {title}" + (f" All real images: {100 * real:.1f} %." if real else "")
        made_on = tables.made_on(report.read(table, data))
        frame = report.main_table(data, images_per_class, network)
        shown.append(compared(frame, f"{caption} {made_on}", folded=True))
    return shown


def winners() -> HTML | Markdown:
    """The settings that won for every row that has any, on every data set."""
    if not all(report.read("choose", data)["cells"] for data in DATA_SETS):
        return missing("choose")
    made_on = tables.made_on(report.read("choose", next(iter(DATA_SETS))))
    return captioned(
        tables.winners(), f"The settings that won; ten images per class, validation split. {made_on}", folded=True
    )


def variants() -> HTML | Markdown:
    """What else was tried of guidance on sets, a line each: differences to the base by both judges."""
    found = {judge: report.factor_table("variant", judge, table="set_ablations") for judge in report.JUDGES.values()}
    if not found["students"]:
        return missing("set_ablations cifar10")
    frame = pandas.DataFrame({"variant": list(found["students"])})
    for judge, title in report.TITLES.items():
        pairs = found[judge].values()
        frame[f"{title}, points"] = points(
            pandas.Series([p.mean for p in pairs]), pandas.Series([p.high for p in pairs])
        )
    [data] = report.ablated("variant", table="set_ablations")
    made_on = tables.made_on(report.read("set_ablations", data))
    return captioned(frame, f"{DATA_SETS[data].title}, ten images per class, validation split, three sets. {made_on}")


def _of_every_data_set(table: str, frames: dict[str, pandas.DataFrame]) -> list[HTML | Markdown]:
    """One table for each data set that was measured."""
    return [
        captioned(
            frame,
            f"{DATA_SETS[data].title}, ten images per class. {tables.made_on(report.read(table, data))}",
        )
        for data, frame in frames.items()
        if len(frame)
    ] or [missing(f"{table} digits")]


def measures() -> list[HTML | Markdown]:
    """Distances of every row, on every data set."""
    frames = {}
    for data in DATA_SETS:
        frame = tables.measures_table(data).rename(columns=tables.MEASURES)
        frames[data] = frame.map(lambda value: f"{value:.3g}" if isinstance(value, float) else value)
    return _of_every_data_set("measures", frames)


def audits() -> list[HTML | Markdown]:
    """What the audit of every row's first set found, on every data set."""
    return _of_every_data_set("measures", {data: audit_table(data) for data in DATA_SETS})


def audit_table(data: str) -> pandas.DataFrame:
    """One line per row."""
    lines = []
    for row, found in tables.audits(data).items():
        low, high = found["nearer_share_interval"]
        bottom, top = found["membership_auc_interval"]
        lines.append(
            {
                "row": row,
                "distance, median": f"{found['median']:.3f} (held-out {found['held_out_median']:.3f})",
                "nearer than 5 % of held-out": f"{found['nearer_share']:.0%} [{low:.0%}, {high:.0%}]",
                "near duplicates": found["near_duplicates"],
                "membership AUC": f"{found['membership_auc']:.3f} [{bottom:.3f}, {top:.3f}]",
            }
        )
    return pandas.DataFrame(lines)


def robust() -> list[HTML | Markdown]:
    """Soft labels, and no augmentation, on every data set."""
    frames = {}
    for data in DATA_SETS:
        if len(lines := tables.robust_table(data)):
            frames[data] = lines[["row", "sets"]].assign(
                **{
                    "soft labels, %": percent(lines["soft"]),
                    "no augmentation, %": percent(lines["plain"]),
                    "label-robust": [f"{value:.3f}" for value in lines["label_robust"]],
                    "augmentation-robust": [f"{value:.3f}" for value in lines["augmentation_robust"]],
                }
            )
    return _of_every_data_set("robust", frames)


def cost() -> HTML | Markdown:
    """What a set of every row takes, on every data set."""
    lines = tables.cost_table()
    if not len(lines):
        return missing("cost digits")
    shown = lines[["data", "row"]].assign(
        **{
            "seconds per image": [f"{value:.2g}" for value in lines["seconds_per_image"]],
            "memory, MiB": lines["peak_mib"],
            "evaluations per image": [f"{value:g}" for value in lines["evaluations_per_image"]],
        }
    )
    measured = next(content for data in DATA_SETS if (content := report.read("cost", data))["cells"])
    return captioned(shown, tables.made_on(measured))


def claimed() -> HTML:
    """A table that is passed around, beside what was measured."""
    caption = "Left: as passed around, not measured by us. Right: measured. "
    made_on = tables.made_on(report.read(report.table_of("resnet18", 10), "cifar10"))
    return captioned(tables.claimed_table(), caption + made_on)
