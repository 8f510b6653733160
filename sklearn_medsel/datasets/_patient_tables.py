"""Tables of made patients: clinical columns with their true factors, and log expression."""

import numpy as np
import pandas as pd

from sklearn_medsel.datasets._planting import correlated_blocks, spread_genes

BLOCK_SIZE = 10

_STAGES = np.array(["I", "II", "III", "IV"])
_STAGE_SHARES = np.array([0.3, 0.3, 0.25, 0.15])
_STAGE_MEAN = _STAGE_SHARES @ np.arange(4)
_STAGE_SD = np.sqrt(_STAGE_SHARES @ (np.arange(4) - _STAGE_MEAN) ** 2)


def clinical_table(rng, n_patients, n_clinical):
    """Draw clinical columns.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of everything random.
    n_patients, n_clinical : int
        Rows and columns.

    Returns
    -------
    table : DataFrame of shape (n_patients, n_clinical)
        Numbers and strings, under their names without a prefix.
    factors : DataFrame of shape (n_patients, 3)
        Age, stage and the logarithm of CRP, with mean 0 and variance 1 over all patients there
        could be.
    """

    def normal(mean, sd, digits, low):
        return np.round(np.maximum(rng.normal(mean, sd, n_patients), low), digits)

    age = np.round(np.clip(rng.normal(62, 11, n_patients), 25, 92))
    stage = rng.choice(4, n_patients, p=_STAGE_SHARES)
    inflammation = rng.standard_normal(n_patients)
    columns = {
        "age": age,
        "sex": rng.choice(["female", "male"], n_patients),
        "stage": _STAGES[stage],
        "crp": np.round(np.exp(1.8 + 0.8 * inflammation), 1),
        "albumin": normal(40, 4, 0, 15),
        "haemoglobin": normal(13.2, 1.6, 1, 5),
        "ldh": np.round(np.exp(rng.normal(5.3, 0.25, n_patients))),
        "smoking": rng.choice(["never", "former", "current"], n_patients, p=[0.4, 0.35, 0.25]),
    }
    for extra in range(len(columns), n_clinical):
        columns[f"lab_{extra:02d}"] = normal(100, 15, 1, 1)
    table = pd.DataFrame(dict(list(columns.items())[:n_clinical]))
    factors = pd.DataFrame(
        {
            "age": (age - 62) / 11,
            "stage": (stage - _STAGE_MEAN) / _STAGE_SD,
            "crp": inflammation,
        }
    )
    return table, factors


def gene_table(rng, n_patients, n_genes, n_informative, correlation):
    """Draw log expression of genes in correlated blocks.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of everything random.
    n_patients, n_genes, n_informative : int
        Rows, columns, and how many columns have an effect; each of those is in another block.
    correlation : float
        Correlation of neighbours in a block.

    Returns
    -------
    table : DataFrame of shape (n_patients, n_genes), float32
        Each gene with a level and a spread of its own, as log2 expression has.
    factors : DataFrame of shape (n_patients, n_informative)
        The informative genes with mean 0 and variance 1.
    """
    chosen = spread_genes(n_informative, n_genes, BLOCK_SIZE)
    standard = correlated_blocks(rng, n_patients, n_genes, BLOCK_SIZE, correlation)
    level, spread = rng.uniform(4, 11, n_genes), rng.uniform(0.4, 1.2, n_genes)
    width = len(str(n_genes - 1))
    names = np.array([f"g{gene:0{width}d}" for gene in range(n_genes)], dtype=object)
    table = pd.DataFrame((level + spread * standard).astype(np.float32), columns=names)
    return table, pd.DataFrame(standard[:, chosen], columns=names[chosen])


def drop_cells(rng, table, share):
    """Take cells out of a table at random, but never all of a row."""
    gone = rng.random(table.shape) < share
    kept = rng.integers(table.shape[1], size=len(table))
    gone[np.arange(len(table)), kept] = False
    return table.mask(gone)
