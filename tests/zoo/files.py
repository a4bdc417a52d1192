"""Which files there are, what they are called, and whether they are whole."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.factories import write_checksums
from tests.zoo import artifact, training
from tests.zoo.unfit import OTHER
from tests.zoo.variant import Variant

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 7280\n"

Finish = Callable[[Variant, Path], None]


def then(*steps: Finish) -> Finish:
    def finish(variant: Variant, folder: Path) -> None:
        for step in steps:
            step(variant, folder)

    return finish


def called(name: str) -> Finish:
    """Give the model's file another name, which MLmodel does not tell."""

    def finish(_: Variant, folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / "model.cb").rename(folder / name)

    return finish


def told(data: str = "model.cb", save_format: str = "cbm") -> Finish:
    """Let the flavour name the model's file."""

    def finish(variant: Variant, folder: Path) -> None:
        flavors = artifact.flavors(data, save_format)
        artifact.write_mlmodel(folder, variant.columns, variant.metadata, flavors=flavors)

    return finish


def beside(name: str, content: str | bytes | None = None) -> Finish:
    """Put another file beside it; by default another model."""

    def finish(_: Variant, folder: Path) -> None:
        if content is None:
            OTHER.model.save_model(str(folder / name))
        else:
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return finish


def removed(name: str) -> Finish:
    return lambda _, folder: (folder / name).unlink()


def of_flavour(*names: str, loader: str = "mlflow.catboost") -> Finish:
    """Have MLflow load it otherwise."""

    def finish(variant: Variant, folder: Path) -> None:
        flavors: dict[str, Any] = {name: {} for name in names} | {
            "python_function": {"loader_module": loader, "python_version": "3.11.7"}
        }
        artifact.write_mlmodel(folder, variant.columns, variant.metadata, flavors=flavors)

    return finish


def saved_as(save_format: str) -> Finish:
    def finish(variant: Variant, folder: Path) -> None:
        variant.model.save_model(str(folder / "model.cb"), format=save_format)
        told(save_format=save_format)(variant, folder)

    return finish


def summed(_: Variant, folder: Path) -> None:
    write_checksums(folder)


def golden(**changes: Any) -> Finish:
    def finish(variant: Variant, folder: Path) -> None:
        content = {"rows": variant.rows[:5], "scores": variant.scores[:5]}
        (folder / "golden.json").write_text(json.dumps(content | changes), encoding="utf-8")

    return finish


def cut(_: Variant, folder: Path) -> None:
    content = (folder / "model.cb").read_bytes()
    (folder / "model.cb").write_bytes(content[: len(content) // 2])


def flipped(_: Variant, folder: Path) -> None:
    content = bytearray((folder / "model.cb").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.cb").write_bytes(content)


VARIANTS = (
    Variant("`model.cb`"),
    Variant("`model.cbm`, as the flavour says", finish=then(called("model.cbm"), told("model.cbm"))),
    Variant("`other.cbm`, as the flavour says", finish=then(called("other.cbm"), told("other.cbm"))),
    Variant("`data/model.bin`, as the flavour says", finish=then(called("data/model.bin"), told("data/model.bin"))),
    Variant("the only `*.cbm`, whatever the flavour says", finish=called("other.cbm")),
    Variant(
        "two, of which the flavour names one", finish=then(called("other.cbm"), told("other.cbm"), beside("model.cb"))
    ),
    Variant("two, of which one is `model.cb`", finish=then(told("gone.cbm"), beside("other.cbm"))),
    Variant(
        "`model.onnx` and `model.json` beside it",
        finish=then(beside("model.onnx", b"\x08\x07"), beside("model.json", "{}")),
    ),
    Variant(
        "a `registry.json` of somebody else's beside it",
        finish=beside("registry.json", '{"threshold": "auto"}'),
    ),
    Variant(
        "no flavour in MLmodel",
        finish=lambda variant, folder: artifact.write_mlmodel(folder, variant.columns, {}, flavors={}),
    ),
    Variant("saved as JSON", train=training.read_from_json, finish=saved_as("json")),
    Variant("with checksums", finish=summed),
    Variant("with golden rows", finish=golden()),
    Variant("with golden rows and checksums", finish=then(golden(positive_class=1), summed)),
    Variant(
        "with a card and requirements",
        finish=then(beside("README.md", "# Credit\n"), beside("requirements.txt", "catboost\n")),
    ),
    Variant(
        "two, and nothing says which", finish=then(called("one.cbm"), beside("two.cbm")), rejected="model-files-several"
    ),
    Variant("no model", finish=removed("model.cb"), rejected="model-file-missing"),
    Variant("no MLmodel", finish=removed("MLmodel"), rejected="model-file-missing"),
    Variant("MLmodel that is not YAML", finish=beside("MLmodel", "flavors: ["), rejected="model-file-not-yaml"),
    Variant("saved as ONNX", finish=told(save_format="onnx"), rejected="model-format"),
    Variant("of MLflow's flavour `sklearn`", finish=of_flavour("sklearn"), rejected="model-flavour"),
    Variant("of MLflow's flavour `onnx`", finish=of_flavour("onnx"), rejected="model-flavour"),
    Variant(
        "of one's own class for `mlflow.pyfunc`, around a CatBoost file",
        finish=then(called("artifacts/inner.cbm"), of_flavour(loader="mlflow.pyfunc.model")),
        rejected="model-flavour",
    ),
    Variant("of the flavour `python_function` alone, which loads it by `mlflow.catboost`", finish=of_flavour()),
    Variant("cut off", finish=cut, rejected="model-file-unreadable"),
    Variant("a pointer of Git LFS in its place", finish=beside("model.cb", POINTER), rejected="model-file-pointer"),
    Variant("another thing altogether", finish=beside("model.cb", "a text"), rejected="model-file-unreadable"),
    Variant("a bit flipped, with checksums", finish=then(summed, flipped), rejected="model-file-damaged"),
    Variant(
        "a file that the checksums do not list",
        finish=then(removed("input_example.json"), summed, beside("input_example.json", "[]")),
        rejected="model-file-unlisted",
    ),
    Variant(
        "golden rows that the model does not reproduce",
        finish=golden(scores=[0.5] * 5),
        rejected="golden-scores-differ",
    ),
    Variant("golden rows of the other class", finish=golden(positive_class=0), rejected="golden-class-differs"),
    Variant("golden rows that are none", finish=golden(rows=5), rejected="golden-invalid"),
)
