from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from tests.extras import needed

needed("sklearn")
from sklearn.linear_model import LinearRegression

from shardmill.cli.main import main
from shardmill.errors import UsageError
from shardmill.operations.model.result import ModelOfArm, lines
from shardmill.operations.model.run import model
from shardmill.operations.report.run import report
from shardmill.runs import begin_run
from tests.report.speed_test import measurements, write_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "grid", measurements())


def named(models: tuple[ModelOfArm, ...], name: str) -> ModelOfArm:
    (one,) = (each for each in models if each.name == name)
    return one


def test_straight_lines_are_those_of_scikit_learn(folder: Path) -> None:
    rows = [row for row in measurements() if row.format == "tfrecord" and not row.warm_up]
    size, count = (np.array([getattr(row, name) for row in rows], float) for name in ("batch_size", "num_batches"))
    columns = {"batch size": size, "number of batches": count, "batch size x number of batches": size * count}
    rate = np.array([row.images_per_s for row in rows])
    models = model(str(folder)).arms[0].models
    for name, chosen in {**{f"{one} alone": [one] for one in columns}, "the three together": list(columns)}.items():
        design = np.column_stack([columns[one] for one in chosen])
        theirs = LinearRegression().fit(design, rate)
        ours = named(models, name)
        assert [one.value for one in ours.coefficients] == pytest.approx([theirs.intercept_, *theirs.coef_], rel=1e-8)
        assert ours.r2 == pytest.approx(theirs.score(design, rate), rel=1e-8)


def test_what_was_put_in_comes_out(folder: Path) -> None:
    result = model(str(folder))
    arm = result.arms[0]
    assert (arm.name, arm.cells) == ("tfrecord", 24)
    assert arm.best_model == "seconds: start-up, images, batches"
    assert arm.best_is_clear
    found = {one.name: one for one in named(arm.models, arm.best_model).coefficients}
    for name, truth in (("start-up", 4e-3), ("per batch", 150e-6), ("per image", 150e-6)):
        low, high = found[name].interval or (0, 0)
        assert low <= truth <= high
    assert arm.strongest_predictor == "batch size"
    assert result.speed_ups[0].value > 3
    json.dumps(asdict(result), allow_nan=False)


def test_what_cannot_be_told_is_said(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", measurements(num_batches=(8,)))
    text = "\n".join(lines(model(str(run))))
    assert "per batch: not identifiable: in these rows it is the same as start-up" in text
    single = write_run(tmp_path / "single", measurements(batch_sizes=(8,), num_batches=(8,)))
    result = model(str(single))
    text = "\n".join(lines(result))
    assert "not told" in text
    assert "start-up: not identifiable" in text
    assert result.arms[0].best_model is None
    json.dumps(asdict(result), allow_nan=False)


def test_models_are_kept_and_reported(folder: Path, tmp_path: Path) -> None:
    result = model(str(folder), out=str(tmp_path / "kept"))
    kept = json.loads((tmp_path / "kept" / "model.json").read_text())
    assert kept["arms"][0]["name"] == result.arms[0].name
    page = Path(report(str(tmp_path / "kept"), output=str(tmp_path / "r.html")).page).read_text()
    assert "Which model predicts combinations that it has not seen" in page
    assert model(str(folder), out=str(tmp_path / "kept")) == result
    with pytest.raises(UsageError, match="asked with other runs"):
        model(str(write_run(tmp_path / "other", measurements(batch_sizes=(8, 16)))), out=str(tmp_path / "kept"))


def test_several_runs_are_taken_together(folder: Path, tmp_path: Path) -> None:
    again = write_run(tmp_path / "again", measurements(1))
    assert model(str(folder), str(again)).rows == model(str(folder)).rows + model(str(again)).rows


def test_wrong_requests(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one run"):
        model()
    with pytest.raises(UsageError, match=r"holds no run\.json"):
        model(str(tmp_path))
    begin_run(tmp_path / "sweep", "sweep", {})
    with pytest.raises(UsageError, match="is a run of sweep"):
        model(str(tmp_path / "sweep"))
    warm = measurements(caches=("cold",), batch_sizes=(8,), num_batches=(4,), stubborn=1000)
    with pytest.raises(UsageError, match="no pass that counts"):
        model(str(write_run(tmp_path / "warm", warm)))


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "strongest predictor: batch size" in out
    assert "times as fast as files" in out
    assert main(["model", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["arms"][0]["limit"] == "processor"
    assert main(["model", str(folder / "absent")]) == 2
