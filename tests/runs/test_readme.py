"""The example of the README, run as it stands over a small archive."""

import re
from pathlib import Path

import dask
import geopandas as gpd
import matplotlib as mpl
import pytest

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.mark.filterwarnings("ignore:The GeoDataFrame you are attempting to plot is empty")
def test_the_notebook_example_runs(archive, finished, model, tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "out" / "demo").mkdir(parents=True)
    (tmp_path / "out" / "demo" / "archive").symlink_to(archive.folder)
    (tmp_path / "out" / "demo" / "run").symlink_to(finished.output)
    monkeypatch.chdir(tmp_path)
    settings = {
        "icefront.models.folders": [str(model.parent)],
        "icefront.models.order": [model.stem],
        "icefront.predict.engine": "torch-fp32",
        "icefront.predict.tta": "none",
    }
    names = {}
    with dask.config.set(settings), mpl.rc_context():
        mpl.use("Agg")
        exec(compile(code, "README.md", "exec"), names)
    assert isinstance(names["fronts"], gpd.GeoDataFrame)
    assert len(names["fronts"]) >= names["cube"].sizes["time"] > 0
    assert set(names["series"]["scene_id"]) <= set(names["fronts"]["scene_id"])
