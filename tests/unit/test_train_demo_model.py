import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scripts.lib import training
from scripts.lib.csv_data import csv_data
from scripts.lib.csv_table import Dialect
from scripts.lib.demo_portfolio import EXTERNAL_SOURCES, FEATURES, REFERENCE_APPLICANT, demo_data
from scripts.lib.feature_notes import with_notes
from scripts.lib.training_data import TrainingData, TrainingError
from scripts.train_demo_model import ROOT, main, model_metadata, parse, print_figures, shown_store, tracking_uri

GERMAN_CREDIT = ROOT / "tests" / "data" / "german_credit.csv"
GERMAN_NOTES = ROOT / "docs" / "examples" / "german_credit.yaml"
GERMAN = ("--target", "creditability", "--positive", "bad")


@pytest.fixture(scope="module")
def portfolio() -> TrainingData:
    return demo_data(20_000)


@pytest.fixture(scope="module")
def trained() -> training.TrainedModel:
    return training.train(demo_data(6_000), iterations=40, seed=1)


def write_csv(folder: Path, text: str) -> Path:
    path = folder / "rows.csv"
    path.write_text(text, encoding="utf-8")
    return path


class TestDemoPortfolio:
    def test_its_features_are_those_of_the_reference_payload_in_order(self, portfolio: TrainingData) -> None:
        names = [feature.name for feature in FEATURES]
        assert names == list(REFERENCE_APPLICANT) == list(portfolio.rows.columns)
        assert len(names) == 15

    def test_the_input_example_is_the_reference_payload_to_the_letter(self, portfolio: TrainingData) -> None:
        assert json.dumps(portfolio.input_example, separators=(",", ":")) == (
            '{"FE_EXT_SOURCE_MEAN":0.5892,"BURO_MONTHS_BALANCE_SIZE_MEAN":0.0,"CODE_GENDER":0,"INSTAL_DPD_MEAN":0.0,'
            '"BURO_MONTHS_BALANCE_MAX_MIN":0.0,"FE_GOODS_CREDIT_RATE":1.0,"APPROVED_CNT_PAYMENT_MEAN":0.0,'
            '"YEARS_BIRTH":59,"YEARS_EMPLOYED":0,"AMT_ANNUITY":20952.0,"NAME_FAMILY_STATUS_Married":true,'
            '"INSTAL_AMT_PAYMENT_SUM":0.0,"FE_EXT_SOURCE_MIN":0.2635,"PREV_CNT_PAYMENT_MEAN":0.0,'
            '"FE_EXT_SOURCE_MAX":0.7992}'
        )

    def test_every_row_and_the_example_keep_the_bounds(self, portfolio: TrainingData) -> None:
        rows = pd.concat([portfolio.rows, pd.DataFrame([portfolio.input_example])])
        for feature in FEATURES:
            column = rows[feature.name].dropna().astype(float)
            assert feature.ge is None or column.min() >= feature.ge
            assert feature.le is None or column.max() <= feature.le

    def test_every_row_keeps_the_order_of_ordered_features(self, portfolio: TrainingData) -> None:
        assert portfolio.ordered == (EXTERNAL_SOURCES, ("YEARS_EMPLOYED", "YEARS_BIRTH"))
        for names in portfolio.ordered:
            values = portfolio.rows[list(names)].dropna().to_numpy()
            assert (np.diff(values, axis=1) >= 0).all()

    def test_only_the_external_sources_are_ever_missing_and_only_they_are_not_required(
        self, portfolio: TrainingData
    ) -> None:
        missing = portfolio.rows.isna().mean()
        assert set(missing[missing > 0].index) == set(EXTERNAL_SOURCES)
        assert {feature.name for feature in FEATURES if not feature.required} == set(EXTERNAL_SOURCES)
        assert missing[list(EXTERNAL_SOURCES)].between(0.03, 0.06).all()

    def test_about_eight_in_a_hundred_default(self, portfolio: TrainingData) -> None:
        assert 0.07 < portfolio.target.mean() < 0.09

    def test_the_same_seed_gives_the_same_portfolio_and_another_seed_another(self) -> None:
        first, again, other = demo_data(200), demo_data(200), demo_data(200, seed=1)
        pd.testing.assert_frame_equal(first.rows, again.rows)
        assert (first.target == again.target).all()
        assert not first.rows.equals(other.rows)

    def test_it_can_be_learned_but_not_perfectly(self, trained: training.TrainedModel) -> None:
        assert 0.65 < trained.metrics["auc"] < 0.85


class TestThreshold:
    @pytest.mark.parametrize("seed", range(20))
    def test_no_threshold_costs_less(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        # Rounded, so that some scores are equal.
        scores = rng.random(60).round(int(rng.integers(1, 4)))
        target = (rng.random(60) < scores * rng.random()).astype(np.int64)
        chosen = training.outcome_at(training.best_threshold(target, scores), target, scores).cost
        every = [training.outcome_at(threshold, target, scores).cost for threshold in [*scores, 1.0]]
        assert chosen == min(every)

    def test_it_separates_what_can_be_separated(self) -> None:
        threshold = training.best_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.6, 0.8]))
        assert threshold == pytest.approx(0.4)

    def test_a_missed_default_costs_ten_refused_good_clients(self) -> None:
        scores = np.linspace(0.1, 0.9, 12)
        refuse_all, grant_first = np.zeros(12, dtype=np.int64), np.zeros(12, dtype=np.int64)
        refuse_all[2] = 1
        assert training.outcome_at(training.best_threshold(refuse_all, scores), refuse_all, scores).cost == 9
        grant_first[0] = 1
        assert training.outcome_at(training.best_threshold(grant_first, scores), grant_first, scores).cost == 10

    @pytest.mark.parametrize("cost_ratio", [0.5, 1, 3.25, 40])
    def test_it_is_the_one_of_least_cost_for_the_ratio_that_is_given(self, cost_ratio: float) -> None:
        rng = np.random.default_rng(7)
        scores = rng.random(300).round(2)
        target = (rng.random(300) < scores * 0.6).astype(np.int64)
        chosen = training.best_threshold(target, scores, cost_ratio)
        costs = [training.outcome_at(threshold, target, scores, cost_ratio).cost for threshold in [*scores, 1.0]]
        outcome = training.outcome_at(chosen, target, scores, cost_ratio)
        assert outcome.cost == min(costs)
        assert outcome.cost == cost_ratio * outcome.missed_defaults + outcome.refused_good
        assert outcome.cost_of_granting_all == cost_ratio * target.sum()

    def test_the_dearer_a_missed_default_the_more_are_declined(self) -> None:
        rng = np.random.default_rng(7)
        scores = rng.random(2000)
        target = (rng.random(2000) < scores).astype(np.int64)
        thresholds = [training.best_threshold(target, scores, ratio) for ratio in (0.5, 1, 4, 20)]
        assert thresholds == sorted(thresholds, reverse=True)
        assert thresholds == pytest.approx([2 / 3, 1 / 2, 1 / 5, 1 / 21], abs=0.1)

    def test_neighbouring_floats_are_still_separated(self) -> None:
        low, high = 0.5, float(np.nextafter(0.5, 1))
        assert training.best_threshold(np.array([0, 1]), np.array([low, high])) == high

    def test_a_score_that_reaches_the_threshold_is_refused(self) -> None:
        outcome = training.outcome_at(0.5, np.array([0, 1, 0, 1]), np.array([0.5, 0.5, 0.4, 0.4]))
        assert outcome == training.Outcome(1, 1, 1, 1)
        assert outcome.cost == 11


class TestTraining:
    def test_the_three_parts_share_no_row_lose_none_and_have_the_same_share_of_defaults(self) -> None:
        target = (np.arange(1000) % 10 == 0).astype(np.int64)
        parts = training.split(target, seed=5)
        assert [len(part) for part in parts] == [600, 200, 200]
        assert sorted(np.concatenate(parts)) == list(range(1000))
        assert [target[part].mean() for part in parts] == pytest.approx([0.1, 0.1, 0.1])

    def test_golden_rows_show_every_feature_missing_that_can_be(self) -> None:
        rows = pd.DataFrame({"a": range(200), "b": [1.0] * 180 + [None] * 20})
        chosen = training.choose_golden_rows(rows)
        assert len(chosen) == training.GOLDEN_ROWS
        assert chosen["b"].isna().sum() == 1
        assert chosen.index.is_unique

    def test_the_model_agrees_with_the_signature(self, trained: training.TrainedModel) -> None:
        assert trained.classifier.feature_names_ == list(REFERENCE_APPLICANT)
        assert trained.classifier.get_cat_feature_indices() == []
        assert list(trained.classifier.classes_) == [0, 1]

    def test_a_threshold_that_is_given_is_kept_and_judged(self) -> None:
        trained = training.train(demo_data(1_000), iterations=5, seed=2, cost_ratio=2, threshold=0.25)
        assert trained.threshold == 0.25
        assert trained.metrics["cost_ratio"] == 2
        assert trained.metrics["cost"] == 2 * trained.outcome.missed_defaults + trained.outcome.refused_good

    def test_the_same_seed_gives_the_same_model(self) -> None:
        first, again = (training.train(demo_data(1_000), iterations=5, seed=2) for _ in range(2))
        assert (first.threshold, first.metrics) == (again.threshold, again.metrics)

    def test_the_metadata_hold_the_threshold_the_contract_and_plain_values(
        self, portfolio: TrainingData, trained: training.TrainedModel
    ) -> None:
        metadata = json.loads(json.dumps(model_metadata(portfolio, trained, "demo"), allow_nan=False))
        assert metadata["best_threshold"] == trained.threshold
        assert metadata["missing_category"] == "missing"
        assert metadata["ordered"] == [list(EXTERNAL_SOURCES), ["YEARS_EMPLOYED", "YEARS_BIRTH"]]
        assert metadata["metrics"]["auc"] == trained.metrics["auc"]
        years = metadata["features"]["YEARS_BIRTH"]
        assert (years["ge"], years["le"], years["label"]["fr"], years["actionable"]) == (18, 100, "Âge", False)
        assert all(stated["description"]["en"].endswith(".") for stated in metadata["features"].values())
        assert all({*stated["label"]} == {"fr", "en"} for stated in metadata["features"].values())
        assert {stated.get("group") for stated in metadata["features"].values()} == {None, *metadata["groups"]}

    @pytest.mark.parametrize(
        ("target", "reason"),
        [
            ([0, 1] * 20, "40 rows"),
            ([1] * 200, "any value but the positive one"),
            ([0] * 200, "the positive value"),
            ([0] * 200 + [1] * 3, "only 3 rows"),
        ],
    )
    def test_too_little_to_learn_from_is_refused(self, target: list[int], reason: str) -> None:
        with pytest.raises(TrainingError, match=reason):
            training.check_trainable(np.array(target))


class TestCsv:
    @pytest.mark.parametrize(
        ("cells", "kind", "required", "values"),
        [
            (["1", "-2", " 3"], "long", True, [1, -2, 3]),
            (["1", "", "3"], "long", False, [1, None, 3]),
            (["1", "2.5", "1e3"], "double", True, [1, 2.5, 1000]),
            (["1", "9007199254740993", "3"], "double", True, [1, 9007199254740992, 3]),
            (["True", "false", ""], "boolean", False, [1, 0, None]),
            (["none", "NA", "nan"], "string", True, ["none", "NA", "nan"]),
            (["007", "008", "9"], "string", True, ["007", "008", "9"]),
            (["1e999", "2", "3"], "string", True, ["1e999", "2", "3"]),
            (["café", "", "a b"], "string", False, ["café", None, "a b"]),
        ],
    )
    def test_the_type_of_a_column_comes_from_its_cells(
        self, tmp_path: Path, cells: list[str], kind: str, required: bool, values: list[object]
    ) -> None:
        rows = "\n".join(f"{cell},{label}" for cell, label in zip(cells, "yny", strict=True))
        data = csv_data(write_csv(tmp_path, f"cell_value,label\n{rows}\n"), "label", "y")
        (feature,) = data.features
        assert (feature.type, feature.required, feature.description) == (kind, required, "Cell value.")
        assert data.rows["cell_value"].astype(object).where(data.rows["cell_value"].notna(), None).tolist() == values
        assert data.target.tolist() == [1, 0, 1]
        assert feature.values == (tuple(sorted({cell for cell in cells if cell})) if kind == "string" else ())

    def test_german_credit_has_names_for_people(self) -> None:
        data = with_notes(csv_data(GERMAN_CREDIT, "creditability", "bad"), GERMAN_NOTES)
        contract = data.contract()
        assert all({*stated["label"]} == {"fr", "en"} for stated in contract["features"].values())
        assert contract["features"]["housing"]["values"] == ["for free", "own", "rent"]
        assert {*contract["groups"]} == {"accounts", "work", "home"}

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("a: [", "is not YAML"),
            ("- a", "must hold features and groups"),
            ("feature: {}", "must hold features and groups"),
            ("features: {age: Age}", "must hold features and groups"),
            ("features: {age: {label: {fr: Âge}}}", r"features\.age\.label: The text in en is missing"),
            ("features: {ages: {label: Age}}", "'ages'"),
            ("features: {age: {group: age}}", "'age'"),
            ("groups: {people: {label: People}}", "'people'"),
        ],
    )
    def test_notes_that_no_model_could_have_are_rejected(self, tmp_path: Path, text: str, reason: str) -> None:
        rows = "\n".join(f"{i % 50},{'yn'[i % 2]}" for i in range(120))
        data = csv_data(write_csv(tmp_path, f"age,label\n{rows}\n"), "label", "y")
        path = tmp_path / "notes.yaml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(TrainingError, match=reason):
            with_notes(data, path)
        with pytest.raises(TrainingError, match="cannot be read"):
            with_notes(data, tmp_path / "none.yaml")

    def test_german_credit_is_read_as_it_is(self) -> None:
        data = csv_data(GERMAN_CREDIT, "creditability", "bad")
        types = {feature.name: feature.type for feature in data.features}
        assert (len(types), list(types.values()).count("long"), list(types.values()).count("string")) == (20, 7, 13)
        assert (len(data.target), data.target.sum()) == (1000, 300)
        assert all(feature.required for feature in data.features)
        assert data.input_example["status_of_existing_checking_account"] == "... < 0 DM"
        assert data.input_example["credit_amount"] == 1169
        telephone = next(feature for feature in data.features if feature.name == "telephone")
        assert telephone.values == ("none", "yes, registered under the customers name")
        assert data.notes == ()

    def test_categories_and_missing_values_reach_the_model(self, tmp_path: Path) -> None:
        lines = [f"{'' if i % 9 == 0 else i},{('a', 'b', '')[i % 3]},{'yn'[i * 7 % 10 > 4]}" for i in range(300)]
        data = csv_data(write_csv(tmp_path, "\n".join(["number,letter,label", *lines])), "label", "y")
        trained = training.train(data, iterations=5, seed=1)
        assert trained.classifier.get_cat_feature_indices() == [1]
        assert trained.golden_rows.isna().any().all()

    def test_the_text_for_missing_is_never_one_of_the_categories(self, tmp_path: Path) -> None:
        data = csv_data(write_csv(tmp_path, "a,label\nmissing,y\n_missing_,n\n"), "label", "y")
        assert data.missing_category == "__missing__"

    def test_the_example_is_the_first_row_without_a_gap(self, tmp_path: Path) -> None:
        data = csv_data(write_csv(tmp_path, "a,b,c,label\n1,,x,y\n2,true,z,n\n"), "label", "y")
        assert data.input_example == {"a": 2, "b": True, "c": "z"}

    def test_what_is_not_to_be_learned_from_is_left_out(self, tmp_path: Path) -> None:
        path = write_csv(tmp_path, "id,age,label\nA1,30,y\nA2,40,n\n")
        assert [feature.name for feature in csv_data(path, "label", "y", ["id"]).features] == ["age"]
        with pytest.raises(TrainingError, match=r"no column 'ID' to drop; the columns are 'id', 'age', 'label'"):
            csv_data(path, "label", "y", ["ID"])

    def test_what_cannot_serve_is_left_out_and_said(self, tmp_path: Path) -> None:
        towns = "\n".join(f"{i},{i},,T{i},{'yn'[i % 2]}" for i in range(101))
        path = write_csv(tmp_path, f",age,gap,town,label\n{towns}\n7,NA,,T,y\n7,1,,T,n\n8,1,,T,\n")
        data = csv_data(path, "label", "y")
        assert [feature.name for feature in data.features] == ["age", "town"]
        assert data.features[1].values == ()
        assert len(data.target) == 103
        assert data.notes == (
            "Column 'gap' is empty and was left out.",
            "Column 1 has no name and was left out.",
            "Rows without a target were left out: 1.",
            "Column 'age' is taken as text: 1 value is not a number, the first in row 102.",
            "Column 'town' holds 102 different texts, so any text is allowed there.",
        )

    def test_what_only_tells_the_rows_apart_is_left_out(self, tmp_path: Path) -> None:
        lines = [
            f"{i},{1000 + i},c{i},{'' if i % 2 else f'n{i}'},same,{i % 3},{i * i},{'yn'[i % 2]}" for i in range(250)
        ]
        header = "Unnamed: 0,number,code,note,constant,class,income,label"
        data = csv_data(write_csv(tmp_path, "\n".join([header, *lines])), "label", "y")
        assert [feature.name for feature in data.features] == ["class", "income"]
        assert data.notes == (
            "Column 1 has no name and was left out.",
            "Column 'number' numbers the rows and was left out.",
            "Column 'code' has a different text in every row and was left out.",
            "Column 'note' has a different text in every row and was left out.",
            "Column 'constant' has the same value in every row and was left out.",
            "Column 'income' has a different number in every row. If it is no feature, leave it out with --drop.",
        )

    def test_a_value_that_is_there_or_not_is_something_to_learn_from(self, tmp_path: Path) -> None:
        lines = [f"{'' if i % 3 else 'yes'},{'1.0' if i % 2 else '1'},{'yn'[i % 2]}" for i in range(120)]
        data = csv_data(write_csv(tmp_path, "\n".join(["owner,one,label", *lines])), "label", "y")
        assert [feature.name for feature in data.features] == ["owner"]

    @pytest.mark.parametrize(
        ("header", "row", "said"),
        [
            ("amount;town;label", "{whole},{cents:02};a, b;{label}", Dialect()),
            ("sep=;\namount;town;label", "{whole},{cents:02};a, b;{label}", Dialect()),
            ("amount\ttown\tlabel", "{whole}.{cents:02}\ta, b\t{label}", Dialect()),
            ("amount|town|label", "{whole}.{cents:02}|a, b|{label}", Dialect()),
            ("amount^town^label", "{whole},{cents:02}^a, b^{label}", Dialect("^", ",")),
            ("amount,town,label", '{whole}.{cents:02},"a, b",{label}', Dialect()),
            ('\ufeff"amount";town;label', '"{whole},{cents:02}";"a, b";{label}', Dialect()),
        ],
    )
    def test_delimiter_and_decimal_sign_are_found_or_said(
        self, tmp_path: Path, header: str, row: str, said: Dialect
    ) -> None:
        lines = [row.format(whole=i, cents=i % 100, label="yn"[i % 2]) for i in range(101)]
        path = write_csv(tmp_path, "\n".join([header, *lines, lines[0].replace("a, b", "c"), ""]))
        data = csv_data(path, "label", "y", said=said)
        assert [(feature.name, feature.type) for feature in data.features] == [("amount", "double"), ("town", "string")]
        assert data.rows["amount"].tolist() == pytest.approx([*(i + i % 100 / 100 for i in range(101)), 0])
        assert data.features[1].values == ("a, b", "c")

    def test_how_an_unusual_file_was_read_is_said(self, tmp_path: Path) -> None:
        path = write_csv(tmp_path, "a;label\n1,5;y\n2,5;n\n")
        assert csv_data(path, "label", "y").notes == (
            "Read with --delimiter ';' and --decimal ','; scoring the file takes the same options.",
        )

    def test_other_values_than_two_of_the_target_are_counted_and_not_shown(self, tmp_path: Path) -> None:
        path = write_csv(tmp_path, "a,label\n1,y\n2,n\n3,Jean Martin\n4,Anne Petit\n")
        (note,) = csv_data(path, "label", "y").notes
        assert note == "Column 'label' has 4 different values, and not two. The 3 that are not 'y' count as no default."
        with pytest.raises(TrainingError) as raised:
            csv_data(path, "label", "z")
        assert str(raised.value).endswith("has 'z' in column 'label'; it holds 4 different values.")

    def test_the_very_file_is_scored_without_an_error(self, tmp_path: Path) -> None:
        """Unlabelled rows have what no other has; so the contract is one of the whole file."""
        lines = [f"{i},{i}.5,{i % 7},x{i % 3},{('TRUE', 'False', '')[i % 3]},{'yn'[i % 2]}" for i in range(150)]
        unlabelled = ["9, +1e3 ,,only here,true,", "9,.5,-3,,,"]
        text = "\n".join([",income,age,town,married,label", *lines, "", *unlabelled]) + "\n"
        data = csv_data(write_csv(tmp_path, text), "label", "y")
        assert {feature.name: (feature.type, feature.required) for feature in data.features} == {
            "income": ("double", True),
            "age": ("long", False),
            "town": ("string", False),
            "married": ("boolean", False),
        }
        assert data.features[2].values == ("only here", "x0", "x1", "x2")
        assert len(data.target) == 150


class TestCommand:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (None, "There is no file"),
            ("", "No columns to parse"),
            ("a,b\n1,y\n", "There is no column 'label'; the columns are 'a', 'b'."),
            ("a,label\n1,yes\n2,no\n", "has 'y' in column 'label'; it holds 'yes', 'no'."),
            ("label\ny\nn\n", "no column besides 'label'"),
            ("a,label\n1,y,3\n2,n,4\n", "is not a CSV file"),
            ('a,label\n"1,y\n', "is not a CSV file"),
            ("a,label\n1,y\n2,n\n", "There are 2 rows; at least 100 are needed"),
            ("a,label\n" + "1,y\n2,y\n" * 100, "a model needs both classes"),
            ("a,label\n" + "1,y\n1.00000000001,n\n" * 100, "CatBoost cannot learn from these rows: All features are"),
            (
                "a,label\n" + "1,y\n1,n\n" * 100,
                "no column besides 'label' to learn from. Column 'a' has the same value in every row and was left out.",
            ),
            ("a,b,a,c,b,label\n1,2,3,4,5,y\n", "Columns that occur more than once: 'a', 'b'."),
            ("a,label\n" + "1,y\n" * 50 + "2\n" + "2,n\n" * 50, "Line 52 has 1 field, but the header has 2."),
            ("a,label\n" + "1,y\n" * 50 + '2"x,n\n' + "2,n\n" * 50, "Line 52 has a quote within a field."),
            ("a;b;label\n1,5;2;y\n2;0.5;n\n", "Column 'a' has decimal commas and column 'b' decimal points."),
        ],
    )
    def test_a_file_at_fault_is_one_sentence_and_code_2(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, reason: str
    ) -> None:
        path = tmp_path / "absent.csv" if text is None else write_csv(tmp_path, text)
        options = ["--csv", str(path), "--target", "label", "--positive", "y", "--output", str(tmp_path / "out")]
        assert main(options) == 2
        said = capsys.readouterr().err
        assert reason in said
        assert said.count("\n") == 1
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            (["--csv", "some.csv"], "--csv needs --target COL and --positive VALUE"),
            (["--target", "label"], "need --csv FILE"),
            (["--delimiter", ";"], "need --csv FILE"),
            (["--decimal", ","], "need --csv FILE"),
            (["--csv", str(GERMAN_CREDIT), *GERMAN, "--delimiter", ",", "--decimal", ","], "must differ"),
            (["--name", "a/b"], "--name must not"),
            (["--rows", "30"], "There are 30 rows"),
            (["--output", str(ROOT / "tests")], "holds files that are not a model"),
        ],
    )
    def test_options_that_do_not_fit_are_one_sentence_and_code_2(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], reason: str
    ) -> None:
        assert main(["--output", str(tmp_path / "out"), *options]) == 2
        assert reason in capsys.readouterr().err

    @pytest.mark.parametrize("count", ["0", "-3", "many", "1.5"])
    def test_a_count_must_be_a_whole_number_above_zero(self, count: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit, match="2"):
            main(["--iterations", count])
        assert "whole number" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("--cost-ratio", "0"),
            ("--cost-ratio", "-1"),
            ("--cost-ratio", "inf"),
            ("--cost-ratio", "ten"),
            ("--threshold", "1.5"),
            ("--threshold", "nan"),
            ("--threshold", "half"),
            ("--delimiter", ";;"),
            ("--delimiter", "a"),
            ("--delimiter", '"'),
            ("--decimal", ";"),
        ],
    )
    def test_an_option_out_of_its_range_is_told(
        self, option: str, value: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit, match="2"):
            main([option, value])
        assert f"argument {option}" in capsys.readouterr().err

    def test_the_cost_is_told_in_the_ratio_that_was_given(self, capsys: pytest.CaptureFixture[str]) -> None:
        options = parse(["--cost-ratio", "2.5"])
        print_figures(training.train(demo_data(1_000), 5, 1, options.cost_ratio), 0.1)
        assert " = 2.5 x " in capsys.readouterr().out
        assert (parse(["--cost-ratio", "4.0"]).cost_ratio, parse([]).cost_ratio) == (4, 10)

    def test_the_store_is_the_projects_own_unless_the_environment_names_one(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert tracking_uri() == f"sqlite:///{ROOT}/.local/mlflow/mlflow.db"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example")
        assert tracking_uri() == "http://mlflow.example"

    def test_a_store_is_shown_without_its_password(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(ROOT)
        assert shown_store("https://me:secret@mlflow.example:5000/x") == "https://mlflow.example:5000/x"
        assert shown_store(f"sqlite:///{ROOT}/.local/mlflow/mlflow.db") == ".local/mlflow/mlflow.db"
