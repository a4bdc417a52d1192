"""Train a model and log it in MLflow as most teams do: with a signature and an example, and with nothing for this service.

The number of trees may be given on the command line; every run registers a version and moves the alias `champion` to it.
"""

import sys

import mlflow
import mlflow.catboost
import pandas as pd
from catboost import CatBoostClassifier
from mlflow.models import infer_signature

trees = int(sys.argv[1]) if len(sys.argv) > 1 else 100
applicants = pd.read_csv("tests/data/german_credit.csv")
target = applicants.pop("creditability")  # "good" or "bad"
categories = [name for name, values in applicants.items() if not pd.api.types.is_numeric_dtype(values)]

model = CatBoostClassifier(
    trees, depth=4, cat_features=categories, random_seed=7, verbose=False, allow_writing_files=False
)
model.fit(applicants, target)

mlflow.set_tracking_uri("sqlite:///team.db")
logged = mlflow.catboost.log_model(
    model,
    name="model",
    registered_model_name="credit-risk",
    signature=infer_signature(applicants, model.predict_proba(applicants)),
    input_example=applicants.head(),
)
mlflow.MlflowClient().set_registered_model_alias("credit-risk", "champion", str(logged.registered_model_version))
