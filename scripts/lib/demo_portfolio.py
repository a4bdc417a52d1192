"""A synthetic loan portfolio, so that the service can be tried without anybody's data.

Every applicant has a hidden creditworthiness (standard normal, higher is better). It drives the three external
scores, the delays on earlier loans and, together with what is visible (age, sex, work, instalment, terms), the
probability of default. The model never sees it, which keeps its AUC near what real portfolios allow (0.75 or so).
The shape follows public consumer-credit data: most applicants have earlier loans and credit-bureau records, those
who have none carry zeros there, and only the external scores are ever missing.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from scripts.lib.feature_notes import with_notes
from scripts.lib.training_data import Feature, TrainingData

Floats = npt.NDArray[np.float64]

NOTES = Path(__file__).parent / "demo_notes.yaml"
"""What people call the features, in French and English."""

DEMO_SEED = 20_240_501
# Set so that about 8 % of the applicants default.
BASE_LOG_ODDS = -2.3
EXTERNAL_SOURCES = ("FE_EXT_SOURCE_MIN", "FE_EXT_SOURCE_MEAN", "FE_EXT_SOURCE_MAX")

FEATURES = (
    Feature("FE_EXT_SOURCE_MEAN", "double", required=False, ge=0, le=1),
    Feature("BURO_MONTHS_BALANCE_SIZE_MEAN", "double", ge=0),
    Feature("CODE_GENDER", "long", ge=0, le=1),
    Feature("INSTAL_DPD_MEAN", "double", ge=0),
    Feature("BURO_MONTHS_BALANCE_MAX_MIN", "double"),
    Feature("FE_GOODS_CREDIT_RATE", "double", ge=0),
    Feature("APPROVED_CNT_PAYMENT_MEAN", "double", ge=0),
    Feature("YEARS_BIRTH", "long", ge=18, le=100),
    Feature("YEARS_EMPLOYED", "long", ge=0, le=80),
    Feature("AMT_ANNUITY", "double", ge=0),
    Feature("NAME_FAMILY_STATUS_Married", "boolean"),
    Feature("INSTAL_AMT_PAYMENT_SUM", "double", ge=0),
    Feature("FE_EXT_SOURCE_MIN", "double", required=False, ge=0, le=1),
    Feature("PREV_CNT_PAYMENT_MEAN", "double", ge=0),
    Feature("FE_EXT_SOURCE_MAX", "double", required=False, ge=0, le=1),
)

REFERENCE_APPLICANT: dict[str, Any] = {
    "FE_EXT_SOURCE_MEAN": 0.5892,
    "BURO_MONTHS_BALANCE_SIZE_MEAN": 0.0,
    "CODE_GENDER": 0,
    "INSTAL_DPD_MEAN": 0.0,
    "BURO_MONTHS_BALANCE_MAX_MIN": 0.0,
    "FE_GOODS_CREDIT_RATE": 1.0,
    "APPROVED_CNT_PAYMENT_MEAN": 0.0,
    "YEARS_BIRTH": 59,
    "YEARS_EMPLOYED": 0,
    "AMT_ANNUITY": 20952.0,
    "NAME_FAMILY_STATUS_Married": True,
    "INSTAL_AMT_PAYMENT_SUM": 0.0,
    "FE_EXT_SOURCE_MIN": 0.2635,
    "PREV_CNT_PAYMENT_MEAN": 0.0,
    "FE_EXT_SOURCE_MAX": 0.7992,
}


def demo_data(rows: int, seed: int = DEMO_SEED) -> TrainingData:
    """Return a portfolio of that many applicants; the same arguments give the same portfolio."""
    rng = np.random.default_rng(seed)
    worth = rng.standard_normal(rows)
    applicants = {
        **_person(rng, worth),
        **_external_scores(rng, worth),
        **_bureau(rng, rows),
        **_earlier_loans(rng, worth),
        **_requested_loan(rng, rows),
    }
    frame = pd.DataFrame({feature.name: applicants[feature.name] for feature in FEATURES})
    defaults = rng.random(rows) < _default_probability(worth, frame)
    data = TrainingData(
        name="demo",
        origin=f"synthetic loan portfolio, seed {seed}",
        features=FEATURES,
        rows=frame,
        target=defaults.astype(np.int64),
        input_example=dict(REFERENCE_APPLICANT),
        ordered=(EXTERNAL_SOURCES, ("YEARS_EMPLOYED", "YEARS_BIRTH")),
    )
    return with_notes(data, NOTES)


def _person(rng: np.random.Generator, worth: Floats) -> dict[str, Any]:
    """Ages from 20 to 69, few at either end; most people over 60 have stopped working."""
    rows = len(worth)
    age = np.floor(20 + 50 * rng.beta(1.7, 2.1, rows))
    employed = rng.random(rows) < np.where(age >= 60, 0.2, 0.9)
    years_in_job = np.minimum(np.floor(rng.exponential(6.5 * np.exp(0.15 * worth))), age - 18)
    married = rng.random(rows) < np.clip(0.35 + 0.012 * (age - 20), 0, 0.72)
    return {
        "YEARS_BIRTH": age.astype(np.int64),
        "CODE_GENDER": (rng.random(rows) < 0.64).astype(np.int64),
        "YEARS_EMPLOYED": np.where(employed, years_in_job, 0).astype(np.int64),
        "NAME_FAMILY_STATUS_Married": married,
    }


def _external_scores(rng: np.random.Generator, worth: Floats) -> dict[str, Floats]:
    """Three agencies see the creditworthiness through noise; each knows only some applicants, and 4 % none knows."""
    rows = len(worth)
    scores = 1 / (1 + np.exp(-(0.1 + 0.75 * worth[:, None] + 0.7 * rng.standard_normal((rows, 3)))))
    known = rng.random((rows, 3)) < np.array([0.45, 0.97, 0.8])
    known[rng.random(rows) < 0.04] = False
    seen = pd.DataFrame(np.where(known, scores, np.nan))
    return {
        "FE_EXT_SOURCE_MIN": seen.min(axis=1).round(4).to_numpy(),
        "FE_EXT_SOURCE_MEAN": seen.mean(axis=1).round(4).to_numpy(),
        "FE_EXT_SOURCE_MAX": seen.max(axis=1).round(4).to_numpy(),
    }


def _bureau(rng: np.random.Generator, rows: int) -> dict[str, Floats]:
    """Three applicants in five have credit-bureau records, up to eight years long."""
    has_record = rng.random(rows) < 0.6
    length = np.clip(rng.gamma(2.2, 12.0, rows), 1, 96)
    last_month = -np.minimum(np.floor(rng.exponential(9.0, rows)), 90)
    return {
        "BURO_MONTHS_BALANCE_SIZE_MEAN": np.where(has_record, length, 0.0).round(2),
        "BURO_MONTHS_BALANCE_MAX_MIN": np.where(has_record, last_month, 0.0) + 0.0,
    }


def _earlier_loans(rng: np.random.Generator, worth: Floats) -> dict[str, Floats]:
    """Nine in ten applied before; the less creditworthy pay late more often and later."""
    rows = len(worth)
    applied = rng.random(rows) < 0.9
    approved = applied & (rng.random(rows) < 0.94)
    term = np.clip(rng.gamma(4.0, 4.0, rows), 3, 60)
    approved_term = np.clip(term * rng.lognormal(-0.06, 0.18, rows), 3, 60)
    late = approved & (rng.random(rows) < 1 / (1 + np.exp(0.6 + 0.8 * worth)))
    delay = np.minimum(rng.exponential(1.2 * np.exp(-0.5 * worth)), 90)
    paid = approved_term * rng.lognormal(9.3, 0.8, rows)
    return {
        "PREV_CNT_PAYMENT_MEAN": np.where(applied, term, 0.0).round(2),
        "APPROVED_CNT_PAYMENT_MEAN": np.where(approved, approved_term, 0.0).round(2),
        "INSTAL_DPD_MEAN": np.where(late, delay, 0.0).round(3),
        "INSTAL_AMT_PAYMENT_SUM": np.where(approved, paid, 0.0).round(2),
    }


def _requested_loan(rng: np.random.Generator, rows: int) -> dict[str, Floats]:
    """Four loans in ten pay exactly for the goods; the others also for an insurance of up to a third of their price."""
    insurance = np.where(rng.random(rows) < 0.4, 0.0, rng.beta(1.5, 2.5, rows) * 0.35)
    # Instalments are whole halves of a currency unit.
    annuity = np.round(np.clip(rng.lognormal(10.1, 0.5, rows), 2000, 250_000) * 2) / 2
    return {"FE_GOODS_CREDIT_RATE": (1 / (1 + insurance)).round(4), "AMT_ANNUITY": annuity}


def _default_probability(worth: Floats, frame: pd.DataFrame) -> Floats:
    log_odds = (
        BASE_LOG_ODDS
        - 0.95 * worth
        - 0.35 * frame["CODE_GENDER"]
        - 0.015 * (frame["YEARS_BIRTH"] - 44)
        - 0.04 * frame["YEARS_EMPLOYED"]
        - 0.15 * frame["NAME_FAMILY_STATUS_Married"]
        + 0.30 * np.log1p(frame["INSTAL_DPD_MEAN"])
        + 2.5 * (1 - frame["FE_GOODS_CREDIT_RATE"])
        + 0.02 * (frame["PREV_CNT_PAYMENT_MEAN"] - 16)
        + 0.01 * (frame["APPROVED_CNT_PAYMENT_MEAN"] - 15)
        - 0.008 * frame["BURO_MONTHS_BALANCE_SIZE_MEAN"]
        + 0.004 * frame["BURO_MONTHS_BALANCE_MAX_MIN"]
        + 0.20 * np.log(frame["AMT_ANNUITY"] / 25_000)
        - 0.02 * np.log1p(frame["INSTAL_AMT_PAYMENT_SUM"])
    )
    probability: Floats = (1 / (1 + np.exp(-log_odds))).to_numpy()
    return probability
