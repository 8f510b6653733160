"""What `ModalityImportanceDisplay` shows: checked tables, and one style for each block."""

import numpy as np
import pandas as pd

from sklearn_medsel.inspection._plotting import palette


def block_style(index):
    """Colour of a block, hatched from where the colours repeat."""
    colours = palette()
    hatches = ("", "////", "....")
    return {
        "color": colours[index % len(colours)],
        "hatch": hatches[index // len(colours) % len(hatches)],
    }


def write_share(share):
    """Write a share so that neither all nor none is claimed where it is not so."""
    if 0.99 < share < 1:
        return "> 99 %"
    return "< 1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def checked_importances(table):
    """Return the importances with all columns, NaN where one is not known."""
    missing = [name for name in ("block", "importance") if name not in table]
    if missing:
        raise ValueError(
            f"modality_importances must have the columns block and importance; "
            f"{' and '.join(missing)} is missing."
        )
    if not len(table) or table["block"].duplicated().any():
        raise ValueError("modality_importances must have one row for each of one or more blocks.")
    table = table.reset_index(drop=True)
    absent = {name: np.nan for name in ("spread", "available") if name not in table}
    return table.assign(**absent)


def fitting_contributions(contributions, table, needed):
    """Return the contributions with the blocks in the order of the table, or None."""
    if contributions is None:
        if needed:
            raise ValueError(
                "kind='patients' needs the contributions of each patient; pass contributions, or "
                "use kind='bar'."
            )
        return None
    blocks = list(table["block"])
    contributions = pd.DataFrame(contributions)
    if set(contributions.columns) != set(blocks):
        raise ValueError(
            f"contributions must have one column for each block of modality_importances "
            f"({', '.join(map(str, blocks))}), found {', '.join(map(str, contributions.columns))}."
        )
    return contributions[blocks].astype(float).fillna(0.0)
