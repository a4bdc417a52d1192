"""What the two classes are called, and which of them the score is the probability of."""

import numpy as np

from shared.models.assumptions import Assumptions
from tests.zoo.applicants import TARGET, WORDS
from tests.zoo.variant import Variant

VARIANTS = (
    Variant("0 and 1 as whole numbers"),
    Variant("0 and 1 as fractions", target=TARGET.astype(float)),
    Variant('"0" and "1" as text', target=TARGET.astype(str), positive="1"),
    Variant("false and true", target=TARGET.astype(bool), positive=True, positive_class="true"),
    Variant('"false" and "true" as text', target=np.where(TARGET, "true", "false"), positive="true"),
    Variant(
        '"False" and "True" as text', target=TARGET.astype(bool).astype(str), positive="True", positive_class="true"
    ),
    Variant("0 and 1, with `class_names=[1, 0]`", options={"class_names": [1, 0]}),
    Variant(
        '"0" and "1", with `class_names=["1", "0"]`',
        target=TARGET.astype(str),
        options={"class_names": ["1", "0"]},
        positive="1",
    ),
    Variant("0 and 1, with `metadata.positive_class: 0`", metadata={"positive_class": 0}, positive=0),
    Variant(
        "0 and 1, with `class_names=[1, 0]` and `metadata.positive_class: 0`",
        options={"class_names": [1, 0]},
        metadata={"positive_class": 0},
        positive=0,
    ),
    Variant(
        "good and bad, with `metadata.positive_class: bad`",
        target=WORDS,
        metadata={"positive_class": "bad"},
        positive="bad",
    ),
    Variant(
        "good and bad, with `metadata.positive_class: good`",
        target=WORDS,
        metadata={"positive_class": "good"},
        positive="good",
    ),
    Variant(
        'good and bad, with `class_names=["good", "bad"]` and `metadata.positive_class: bad`',
        target=WORDS,
        options={"class_names": ["good", "bad"]},
        metadata={"positive_class": "bad"},
        positive="bad",
    ),
    Variant(
        "good and bad, with the setting `POSITIVE_CLASS=bad`",
        target=WORDS,
        assumptions=Assumptions("bad"),
        positive="bad",
    ),
    Variant(
        "good and bad, with `metadata.positive_class: bad` and the setting `POSITIVE_CLASS=good`",
        target=WORDS,
        metadata={"positive_class": "bad"},
        assumptions=Assumptions("good"),
        positive="bad",
    ),
    Variant("0 and 1, with the setting `POSITIVE_CLASS=0`", assumptions=Assumptions("0"), positive=0),
    Variant("0 and 1, with the setting `POSITIVE_CLASS=bad` for other models", assumptions=Assumptions("bad")),
    Variant(
        "false and true, with the setting `POSITIVE_CLASS=0`",
        target=TARGET.astype(bool),
        assumptions=Assumptions("0"),
        positive=False,
        positive_class="false",
    ),
    Variant(
        "1 and 2, with `metadata.positive_class: 2`", target=TARGET + 1, metadata={"positive_class": 2}, positive=2
    ),
    Variant("good and bad, and nothing says which", target=WORDS, rejected="positive-class-unknown"),
    Variant("1 and 2, and nothing says which", target=TARGET + 1, rejected="positive-class-unknown"),
    Variant("-1 and 1, and nothing says which", target=TARGET * 2 - 1, rejected="positive-class-unknown"),
    Variant(
        "good and bad, with `metadata.positive_class: 1`",
        target=WORDS,
        metadata={"positive_class": 1},
        rejected="positive-class-not-a-label",
    ),
    Variant(
        "good and bad, with the setting `POSITIVE_CLASS=1`",
        target=WORDS,
        assumptions=Assumptions("1"),
        rejected="positive-class-not-a-label",
    ),
)
