"""Structs and their models as bodies and responses of a FastAPI application, served by uvicorn."""

import contextlib
import json
import math
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum, IntFlag
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import BaseModel, Field

import typedshm
from typedshm import (
    Bytes,
    Scalar,
    Shape,
    Struct,
    Timestamp,
    Utf8,
    Utf16,
    Utf32,
    asdict,
    c64,
    f16,
    f32,
    f64,
    i64,
    u8,
)

fastapi: Any = pytest.importorskip("fastapi", exc_type=ImportError)
uvicorn: Any = pytest.importorskip("uvicorn", exc_type=ImportError)


class Gear(IntEnum):
    REVERSE = -1
    NEUTRAL = 0


class Lamps(IntFlag):
    LEFT = 1
    RIGHT = 2


class Point(Struct):
    x: f64
    key: Annotated[bytes, Bytes(3)] = b"\xff\x00a"


class Everything(Struct):
    """One of each."""

    count: i64
    half: f16
    single: f32
    double: f64
    phase: c64
    ok: bool
    gear: Annotated[Gear, Scalar("i1")]
    lamps: Annotated[Lamps, Scalar("u1")]
    text: Annotated[str, Utf8(8)]
    short: Annotated[str, Utf16(4)]
    long: Annotated[str, Utf32(4)]
    key: Annotated[bytes, Bytes(5)]
    at: Annotated[datetime, Timestamp()]
    exact: Annotated[np.datetime64, Timestamp()]
    point: Point
    grid: Annotated[NDArray[np.float32], Shape(2, 2)]
    flags: Annotated[NDArray[np.bool_], Shape(2)]
    phases: Annotated[NDArray[np.complex64], Shape(2)]
    times: Annotated[NDArray[np.datetime64], Shape(2)]
    names: Annotated[NDArray[np.bytes_], Utf8(4), Shape(2)]
    titles: Annotated[NDArray[np.str_], Utf32(4), Shape(2)]
    blobs: Annotated[NDArray[np.void], Bytes(2), Shape(2)]
    path: Annotated[NDArray[np.void], Shape(2, of=Point)]
    level: Annotated[u8, Field(le=100)] = 100


def everything() -> Everything:
    return Everything(
        count=2**63 - 1,
        half=math.inf,
        single=-math.inf,
        double=math.nan,
        phase=1 - 2j,
        ok=True,
        gear=Gear.REVERSE,
        lamps=Lamps(3),
        text="ünï",
        short="😀",
        long="é",
        key=b"\x00\xff abc"[:5],
        at=datetime(2024, 2, 29, 12, 0, 0, 7, UTC),
        exact=np.datetime64("2024-01-01T00:00:00.000000001"),
        point=Point(x=-0.5),
        grid=np.array([[1, math.nan], [-math.inf, 0.1]], np.float32),
        flags=np.array([True, False]),
        phases=np.array([1j, complex(math.nan, 1)], np.complex64),
        times=np.array([1, "NaT"], "M8[ns]"),
        names=["a", "bé"],  # type: ignore[arg-type]
        titles=["ü", "x"],  # type: ignore[arg-type]
        blobs=[b"ab", b"\xff\x01"],  # type: ignore[arg-type]
        path=[Point(x=1), Point(x=2, key=b"abc")],  # type: ignore[arg-type]
    )


Model: Any = Everything.model()


class Envelope(BaseModel):
    """A Struct, its model, and the kinds themselves, as fields of a model."""

    value: Everything
    model: Model
    several: list[Everything]
    maybe: Everything | None = None
    key: Annotated[bytes, Bytes(3)]
    exact: Annotated[np.datetime64, Timestamp()]
    ratio: f32
    phases: Annotated[NDArray[np.complex64], Shape(1)]


@dataclass
class Plain:
    ratio: f64
    key: Annotated[bytes, Bytes(3)]
    exact: Annotated[np.datetime64, Timestamp()]
    grid: Annotated[NDArray[np.float64], Shape(2)]


def application() -> Any:
    app = fastapi.FastAPI()

    @app.post("/struct")
    def as_struct(value: Annotated[Everything, fastapi.Body()]) -> Everything:
        assert type(value) is Everything
        return value

    @app.post("/model")
    def as_model(value: Model) -> Model:
        assert type(value) is Model
        return value

    @app.post("/list")
    def as_list(value: list[Everything]) -> list[Everything]:
        return value

    @app.post("/struct-to-model", response_model=Model)
    def to_model(value: Annotated[Everything, fastapi.Body()]) -> Any:
        return value

    @app.post("/model-to-struct", response_model=Everything)
    def to_struct(value: Model) -> Any:
        return typedshm.to_struct(value)

    @app.post("/any", response_model=None)
    def as_any(value: Annotated[Everything, fastapi.Body()]) -> Any:
        return fastapi.Response(json.dumps(asdict(value, mode="json")), media_type="application/json")

    @app.post("/envelope")
    async def envelope(value: Envelope) -> Envelope:
        return value

    @app.post("/dataclass")
    async def as_dataclass(value: Plain) -> Plain:
        return value

    @app.post("/region")
    def region(value: Annotated[Everything, fastapi.Body()]) -> Everything:
        with typedshm.create("body", Everything) as region:
            region.write(value)
            return region.read()

    return app


class Server(uvicorn.Server):  # type: ignore[misc]
    """A server that says when it has started."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()


@contextlib.contextmanager
def served(app: Any) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(uvicorn.Config(app, log_level="error", lifespan="off", ws="none", http="h11", loop="asyncio"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert server.ready.wait(60)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def url() -> Iterator[str]:
    with served(application()) as address:
        yield address


def post(url: str, body: Any) -> tuple[int, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_every_kind_of_field_goes_there_and_back(url: str) -> None:
    body = asdict(everything(), mode="json")
    for path in ("struct", "model", "struct-to-model", "model-to-struct", "any", "region"):
        assert post(f"{url}/{path}", body) == (200, body), path
    assert post(f"{url}/list", [body, body]) == (200, [body, body])
    kinds = {"key": "YWJj", "exact": "2024-01-01T00:00:00.000000000Z", "ratio": "NaN", "phases": [[1.0, "Infinity"]]}
    whole = {"value": body, "model": body, "several": [body], "maybe": None, **kinds}
    assert post(f"{url}/envelope", whole) == (200, whole)
    plain = {"ratio": "-Infinity", "key": "//8A", "exact": "NaT", "grid": ["NaN", 1.0]}
    assert post(f"{url}/dataclass", plain) == (200, plain)


def test_a_body_that_does_not_fit_is_answered_with_the_places_of_all_errors(url: str) -> None:
    body = asdict(everything(), mode="json")
    body |= {"level": 101, "key": "?", "path": [body["path"][0], {"x": "no"}], "grid": [[1, "x"], [2, 3]]}
    places = [["body", "key"], ["body", "grid", 0, 1], ["body", "path", 1, "x"], ["body", "level"]]
    for path in ("struct", "model"):
        status, answer = post(f"{url}/{path}", body)
        assert status == 422
        assert [error["loc"] for error in answer["detail"]] == places


def test_the_documentation_has_every_kind(url: str) -> None:
    with urllib.request.urlopen(f"{url}/openapi.json", timeout=60) as response:
        document = json.load(response)
    schemas = document["components"]["schemas"]
    operation = document["paths"]["/struct"]["post"]
    for content in (operation["requestBody"]["content"], operation["responses"]["200"]["content"]):
        found = schemas[content["application/json"]["schema"]["$ref"].rpartition("/")[2]]
        assert found["properties"].keys() == {field.name for field in Everything.layout.fields}
        assert found["description"] == "One of each."
        assert found["properties"]["level"]["maximum"] == 100
        assert found["properties"]["lamps"] == {"type": "integer", "minimum": 0, "maximum": 255, "title": "Lamps"}
        assert found["properties"]["path"]["items"] == {"$ref": "#/components/schemas/Point"}


def test_a_struct_needs_no_declaration_as_a_response() -> None:
    app = fastapi.FastAPI()

    @app.get("/any")
    def as_any() -> dict[str, Any]:
        return {"value": everything(), "list": [Point(x=1)]}

    with served(app) as url, urllib.request.urlopen(f"{url}/any", timeout=60) as response:
        assert json.load(response) == {
            "value": asdict(everything(), mode="json"),
            "list": [{"x": 1.0, "key": "/wBh"}],
        }


def test_a_struct_is_written_wherever_pydantic_expects_any_type() -> None:
    class Loose(BaseModel):
        value: Any

    text = Loose(value=[everything()]).model_dump_json()
    assert json.loads(text) == {"value": [asdict(everything(), mode="json")]}
