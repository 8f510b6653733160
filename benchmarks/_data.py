"""The tables of the comparison: designs with known truth and real data."""

import numpy as np
import pandas as pd

from benchmarks._runner import data_folder
from sklearn_medsel.datasets import make_gene_expression
from sklearn_medsel.survival import make_survival_y


def simulate(design, seed, n_samples=200, n_features=5000):
    """Draw one table.

    Parameters
    ----------
    design : str
        "lin", "syn", "iid" (as "lin", no correlation), or the name of a real table, into which an
        outcome of ten random genes with coefficients of 1.5 and -1.5 is planted. With "null " in
        front, the outcome is permuted.
    seed : int
    n_samples, n_features : int
        Of a drawn table.

    Returns
    -------
    Bunch
        As of `make_gene_expression`, `X` an array.
    """
    is_null, design = design.startswith("null "), design.removeprefix("null ")
    shared = {"random_state": seed, "as_frame": False}
    if design in ("lin", "syn"):
        data = make_gene_expression(n_samples, n_features, design=design, **shared)
    elif design == "iid":
        data = make_gene_expression(n_samples, n_features, correlation=0.0, **shared)
    else:
        X = load(design)[0].to_numpy()
        data = make_gene_expression(X=X, n_informative=10, effect_size=1.5, **shared)
    if is_null:
        data.y = np.random.default_rng([seed, 1]).permutation(data.y)
        data.support = np.zeros_like(data.support)
    return data


def load(name):
    """Expression values (DataFrame, float32) and outcome of a real table."""
    path = data_folder() / f"{name}.parquet"
    if not path.exists():
        raise FileNotFoundError(
            f"{path.name} is not in the folder of real tables; set MEDSEL_DATA to the folder that "
            "holds omics/."
        )
    table = pd.read_parquet(path)
    genes = table.select_dtypes("float32")
    if "time" in table:
        return genes, make_survival_y(table["event"].astype(bool), table["time"])
    return genes, table["target"].to_numpy(dtype=str)
