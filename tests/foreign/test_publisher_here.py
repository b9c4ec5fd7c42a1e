"""A publisher's memory is of this system's layout, wherever that stands in the document."""

import json
from pathlib import Path

import pytest

import typedshm
from typedshm import foreign

DOCUMENT = Path(typedshm.__file__).parent / "schemas" / "mumble-link.json"


@pytest.mark.parametrize("turned", [False, True])
def test_the_order_of_layouts_is_of_no_account(tmp_path: Path, turned: bool) -> None:
    content = json.loads(DOCUMENT.read_text())
    if turned:
        content["sources"][0]["layouts"].reverse()
    document = tmp_path / "mumble.json"
    document.write_text(json.dumps(content))
    with foreign.Publisher(tmp_path / "memory", document) as game:
        game.write({"ui_version": 2, "identity": "Zoë"})
        with foreign.attach(tmp_path / "memory", "mumble-link") as region:
            assert region.info().size == typedshm.load("mumble-link").layout.size
            assert region.read().identity == "Zoë"
