"""Sees that the service will score the file that a model is trained from."""

import json
from pathlib import Path

from scripts.lib.csv_table import Table
from scripts.lib.training_data import TrainingData, TrainingError
from shared.contract.contract import Contract
from shared.contract.derivation import ModelFeatures, derive
from shared.contract.mlmodel import MLmodel
from shared.errors import InputError
from shared.formats import csv_rows
from shared.formats.source import LocalFile, ReadOptions


def check_scored(path: Path, data: TrainingData, table: Table) -> None:
    """Read the file once more, as the service reads it; raises TrainingError with the first thing that it does not accept."""
    options = ReadOptions(delimiter=table.delimiter, decimal=table.decimal)
    try:
        for validated in csv_rows.read(LocalFile(path), options, _contract(data)):
            for invalid in validated.report.errors:
                raise TrainingError(
                    f"The service would not score {path}: row {(invalid.row or 0) + 1}, {invalid.text}."
                )
    except InputError as error:
        raise TrainingError(f"The service would not score {path}: {error}") from error


def _contract(data: TrainingData) -> Contract:
    """Make the contract that the trained model will have."""
    metadata = {**data.contract(), "best_threshold": 0.5}
    described = MLmodel.model_validate(
        {"signature": {"inputs": json.dumps(data.signature_inputs)}, "metadata": metadata}
    )
    texts = frozenset(i for i, feature in enumerate(data.features) if feature.type == "string")
    contract, _ = derive(described, ModelFeatures(tuple(feature.name for feature in data.features), texts))
    return contract
