"""The review page in a real browser: what its button saves is read back and put on the fronts."""

from __future__ import annotations

import json

import pytest

from icefront_dask.change import apply_verdicts, read_verdicts
from icefront_dask.cli import main
from icefront_dask.publish import read_fronts, review_queue, write_fronts, write_review
from icefront_dask.regions import write_regions
from tests.publish.test_review import REGION, fronts

pytestmark = pytest.mark.browser
NOTE = 'rift, "not" the front;\u00a0\u00e9, two commas,'


@pytest.fixture
def page(browser, tmp_path):
    path = write_review(tmp_path / "review.html", review_queue(fronts()), REGION)
    page = browser.new_page(accept_downloads=True)
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.as_uri())
    yield page
    assert said == []
    page.close()


def save(page, path):
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save verdicts").click()
    assert waiting.value.suggested_filename == "verdicts.csv"
    waiting.value.save_as(path)
    return path


def test_what_the_button_saves_is_put_on_the_fronts(page, tmp_path, capsys):
    assert page.locator("#tally").inner_text() == "0 of 2 judged"
    first, second = page.locator("section.item").all()
    first.get_by_label("accept").check()
    second.get_by_label("accept").check()
    second.get_by_label("reject").check()
    second.get_by_label("Note").fill(NOTE)
    assert page.locator("#tally").inner_text() == "2 of 2 judged"

    verdicts = read_verdicts(save(page, tmp_path / "verdicts.csv"))
    assert verdicts["scene_id"].tolist() == ["s03", "s09"]
    assert verdicts["verdict"].tolist() == ["accept", "reject"]
    assert verdicts["note"].tolist() == ["", NOTE]
    judged, outcome = apply_verdicts(fronts(), verdicts)
    assert outcome["outcome"].tolist() == ["applied", "applied"]
    assert outcome["moved_m"].max() < 1.5  # the page keeps lines to the metre
    assert judged.loc[[3, 9], "status"].tolist() == ["accepted", "rejected"]

    write_fronts(fronts(), tmp_path / "fronts.parquet")
    write_regions([REGION], tmp_path / "regions.gpkg")
    with pytest.raises(SystemExit) as ended:
        main(
            ["review", str(tmp_path / "fronts.parquet"), "--regions", str(tmp_path / "regions.gpkg"), "--verdicts",
             str(tmp_path / "verdicts.csv"), "--judged", str(tmp_path / "judged.parquet"), "--out",
             str(tmp_path / "again.html"), "--json"]
        )  # fmt: skip
    assert not ended.value.code
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["verdicts"] == {"applied": 2}
    again = read_fronts(tmp_path / "judged.parquet").set_index("scene_id")
    assert again.loc[["s03", "s09"], "status"].tolist() == ["accepted", "rejected"]


def test_what_was_not_judged_stays_for_review(page, tmp_path):
    page.locator("section.item").first.get_by_label("reject").check()
    verdicts = read_verdicts(save(page, tmp_path / "verdicts.csv"))
    assert verdicts["scene_id"].tolist() == ["s03"]
    judged, _ = apply_verdicts(fronts(), verdicts)
    assert review_queue(judged)["scene_id"].tolist() == ["s09"]
