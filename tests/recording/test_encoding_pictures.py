"""The encodings of pictures: Foxglove's images, field by field, raw and compressed, with what is beside the picture."""

import helpers.recording_extra  # noqa: F401

# isort: split

import io
import re
import threading
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import typedshm
from helpers.encoded import TIME, again, as_bytes, batch_of, messages_of, zeroed
from typedshm import Doc, Layout, Shape, Struct, UpTo, resize
from typedshm.recording import RecordingCorrupt
from typedshm.recording.encodings import compressing
from typedshm.recording.encodings.images import CompressedImages, RawImages
from typedshm.recording.encodings.pictures import NoPicture, Picture

dynamic = pytest.importorskip("mcap_ros2._dynamic", reason="needs mcap-ros2-support")
Image = pytest.importorskip("PIL.Image", reason="needs Pillow")

U8, U16 = NDArray[np.uint8], NDArray[np.uint16]


class Frame(Struct):
    """A frame."""

    sequence: typedshm.u64
    flag: typedshm.u8
    image: Annotated[U8, Shape(9, 10, 3), Doc("blue, green, red")]
    gain: typedshm.f64


class Sized(Struct):
    sequence: typedshm.u8
    image: Annotated[U8, UpTo(20, 30, 3, free=2)]
    gain: typedshm.f64


class Depth(Struct):
    depth: Annotated[U16, Shape(8, 9)]


ARRAYS = [(9, 10), (9, 10, 1), (9, 10, 3), (9, 10, 4)]


def smooth(shape: tuple[int, ...], dtype: Any = np.uint8) -> "NDArray[Any]":
    """A picture that JPEG changes little."""
    rows, columns, *_ = np.indices(shape)
    channel = np.indices(shape)[2] if len(shape) > 2 else 0
    picture: NDArray[Any] = (rows + columns + channel * 40 + 20).astype(dtype)
    return picture


def frame(number: int = 7) -> Frame:
    return zeroed(Frame, sequence=number, flag=3, gain=0.5, image=smooth((9, 10, 3)))


def sized(height: int, width: int) -> Sized:
    value = zeroed(Sized, sequence=5, gain=0.25)
    resize(value, "image", (height, width))[...] = smooth((height, width, 3))
    return value  # type: ignore[no-any-return]


def pixels(shape: tuple[int, ...], dtype: Any = np.uint8) -> tuple[Layout, bytes]:
    return typedshm.array(dtype, *shape).layout, smooth(shape, dtype).tobytes()


def read_by_others(encoding: Any, message: bytes) -> Any:
    read = dynamic.generate_dynamic(encoding.schema_name, encoding.schema_data.decode())
    return read[encoding.schema_name](message)


def names_in(read: Any) -> list[str]:
    slots: Any = type(read)
    return list(slots.__slots__)


def test_a_raw_image_is_what_foxglove_describes() -> None:
    encoding = RawImages(Frame.layout, topic="camera")
    (message,) = messages_of(encoding, batch_of(Frame.layout, [frame()]))
    found = read_by_others(encoding, message)
    assert (found.timestamp.sec, found.timestamp.nanosec) == divmod(TIME + 1, 10**9)
    assert (found.frame_id, found.width, found.height, found.encoding, found.step) == ("camera", 10, 9, "bgr8", 30)
    assert found.data == smooth((9, 10, 3)).tobytes()
    assert (found.value.sequence, found.value.flag, found.value.gain) == (7, 3, 0.5)
    assert encoding.schema_name == "foxglove_msgs/msg/RawImage"


@pytest.mark.parametrize("name", ["RawImage", "CompressedImage"])
def test_images_have_the_fields_of_foxglove_in_their_order(name: str) -> None:
    messages = pytest.importorskip("foxglove.messages")
    fields = re.findall(r":param (\w+):", getattr(messages, name).__doc__)
    encoding: Any = RawImages(Depth.layout) if name == "RawImage" else CompressedImages(Depth.layout, "png")
    value = zeroed(Depth, depth=smooth((8, 9), np.uint16))
    found = read_by_others(encoding, messages_of(encoding, batch_of(Depth.layout, [value]))[0])
    assert names_in(found) == fields[: len(names_in(found))]
    assert len(names_in(found)) >= 4


@pytest.mark.parametrize("shape", ARRAYS, ids=str)
@pytest.mark.parametrize("format", ["image", "png"])
def test_pictures_of_all_shapes_come_back_exactly(shape: tuple[int, ...], format: str) -> None:
    layout, data = pixels(shape)
    encoding: Any = RawImages(layout) if format == "image" else CompressedImages(layout, format)
    noise = np.random.default_rng(1).bytes(len(data))
    batch = batch_of(layout, [data, noise, bytes(len(data))])
    assert again(encoding, batch) == as_bytes(batch)
    found = read_by_others(encoding, messages_of(encoding, batch)[0])
    if format == "image":
        channels = shape[2] if len(shape) > 2 else 1
        assert found.encoding == {1: "mono8", 3: "rgb8", 4: "rgba8"}[channels]
        assert found.step * found.height == len(found.data)
    else:
        shown = np.array(Image.open(io.BytesIO(found.data)))
        assert shown.tobytes() == data


@pytest.mark.parametrize("format", ["image", "png"])
def test_depths_of_16_bits_come_back_exactly(format: str) -> None:
    values = [zeroed(Depth, depth=smooth((8, 9), np.uint16) * 900)]
    encoding: Any = RawImages(Depth.layout) if format == "image" else CompressedImages(Depth.layout, format)
    batch = batch_of(Depth.layout, values)
    assert again(encoding, batch) == as_bytes(batch)
    found = read_by_others(encoding, messages_of(encoding, batch)[0])
    if format == "image":
        assert (found.encoding, found.step) == ("mono16", 18)


@pytest.mark.parametrize("format", ["image", "png", "jpeg"])
@pytest.mark.parametrize("shape", [(20, 30), (8, 9), (1, 1), (0, 5), (5, 0), (0, 0)], ids=str)
def test_pictures_of_varying_size_come_back(shape: tuple[int, int], format: str) -> None:
    encoding: Any = RawImages(Sized.layout) if format == "image" else CompressedImages(Sized.layout, format)
    batch = batch_of(Sized.layout, [sized(*shape), sized(3, 4)])
    messages = messages_of(encoding, batch)
    found = [bytes(value) for value in encoding.decode(messages).values]
    if format == "jpeg":
        assert list(map(len, found)) == list(map(len, as_bytes(batch)))
        assert [value[:24] for value in found] == [value[:24] for value in as_bytes(batch)]
    else:
        assert found == as_bytes(batch)
    assert read_by_others(encoding, messages[0]).value.image_used == list(shape)


@pytest.mark.parametrize("library", ["simplejpeg", "Pillow"])
@pytest.mark.parametrize(("channels", "bgr"), [(1, False), (3, False), (3, True), (4, False), (4, True)])
def test_jpeg_shows_nearly_the_same(library: str, channels: int, bgr: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if library == "Pillow":
        monkeypatch.setattr(compressing, "_simplejpeg", lambda: None)
    else:
        pytest.importorskip("simplejpeg")
    shape = (40, 60, channels)[: 3 if channels > 1 else 2]
    picture = smooth(shape)
    data = compressing.compress("jpeg", picture, bgr=bgr)
    again = compressing.decompress("jpeg", data, (40, 60, channels), np.dtype("u1"), bgr=bgr)
    colours = slice(None, 3)
    pairs = (one.reshape(40, 60, channels)[..., colours].astype(int) for one in (again, picture))
    assert np.abs(next(pairs) - next(pairs)).max() < 12
    shown = np.array(Image.open(io.BytesIO(data))).reshape(40, 60, -1)
    expected = picture.reshape(40, 60, channels)[..., [2, 1, 0] if bgr and channels > 1 else colours]
    assert np.abs(shown.astype(int) - expected).max() < 12
    if channels == 4:
        assert (again[..., 3] == 255).all()


def test_raw_pixels_are_not_copied() -> None:
    batch = batch_of(Frame.layout, [frame()])
    ((_, data, _),) = RawImages(Frame.layout).encode(batch)
    assert np.shares_memory(np.frombuffer(data, np.uint8), np.asarray(batch.values))


def test_many_pictures_are_compressed_by_several_threads_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    encoding = CompressedImages(Frame.layout, "png")
    both = threading.Barrier(2, timeout=30)
    compress = compressing.compress

    def waits_for_another(*given: Any, **options: Any) -> bytes:
        both.wait()  # nobody comes if one thread does it all
        return compress(*given, **options)

    monkeypatch.setattr("typedshm.recording.encodings.images.compress", waits_for_another)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    batch = batch_of(Frame.layout, [frame(number) for number in range(20)])
    messages = messages_of(encoding, batch)
    assert [read_by_others(encoding, message).value.sequence for message in messages] == list(range(20))
    assert [bytes(value) for value in encoding.decode(messages).values] == as_bytes(batch)


def broken_messages(encoding: Any, layout: Layout, value: Any) -> list[bytes]:
    (message,) = messages_of(encoding, batch_of(layout, [value]))
    made = [b"", message[:4], message[:30], message[:-1], message + b"\0", b"\0\0\0\0" + message[4:]]
    for number in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x09\0\0\0"):
        made += [message[:at] + number + message[at + 4 :] for at in range(12, min(len(message), 80), 4)]
    return [one for one in made if one != message]


@pytest.mark.parametrize("format", ["image", "png", "jpeg"])
def test_damaged_messages_are_refused_or_another_picture(format: str) -> None:
    for value in (frame(), sized(9, 10)):
        layout = type(value).layout
        encoding: Any = RawImages(layout) if format == "image" else CompressedImages(layout, format)
        for message in broken_messages(encoding, layout, value)[:6]:
            with pytest.raises(RecordingCorrupt):
                encoding.decode([message])
        for message in broken_messages(encoding, layout, value):
            try:
                (found,) = encoding.decode([message]).values
            except RecordingCorrupt:
                continue
            assert len(bytes(found)) <= layout.size


@given(st.data())
def test_any_change_of_a_message_is_refused_or_another_picture(data: st.DataObject) -> None:
    value = data.draw(st.sampled_from([frame(), sized(9, 10)]))
    layout = type(value).layout
    format = data.draw(st.sampled_from(["image", "png", "jpeg"]))
    encoding: Any = RawImages(layout) if format == "image" else CompressedImages(layout, format)
    message = bytearray(messages_of(encoding, batch_of(layout, [value]))[0])
    at = data.draw(st.integers(0, len(message) - 1))
    message[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    try:
        (found,) = encoding.decode([bytes(message)]).values
    except RecordingCorrupt:
        return
    assert len(bytes(found)) <= layout.size


def test_a_picture_of_another_size_is_not_decoded() -> None:
    file = io.BytesIO()
    Image.new("L", (5000, 5000)).save(file, "PNG")
    for format, shape in (("png", (9, 10, 1)), ("jpeg", (9, 10, 1))):
        with pytest.raises(RecordingCorrupt, match=rf"a picture in {format}"):
            compressing.decompress(format, file.getvalue(), shape, np.dtype("u1"))
    with pytest.raises(RecordingCorrupt, match=r"expected 10 x 9 pixels, found 5000 x 5000"):
        compressing.decompress("png", file.getvalue(), (9, 10, 1), np.dtype("u1"))
    with pytest.raises(RecordingCorrupt, match=r"expected \(5000, 5000, 3\) of uint8"):
        compressing.decompress("png", file.getvalue(), (5000, 5000, 3), np.dtype("u1"))


def test_without_a_library_it_is_said_which_one_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(ImportError, match=r"compressing pictures needs Pillow: pip install 'typedshm\[record\]'"):
        CompressedImages(Frame.layout, "jpeg").encode(batch_of(Frame.layout, [frame()]))


class Two(Struct):
    left: Annotated[U8, Shape(9, 9)]
    right: Annotated[U8, Shape(9, 9)]


class Half(Struct):
    image: Annotated[U8, Shape(9, 9)]
    x: typedshm.f16


class Counted(Struct):
    used: typedshm.u8
    image: Annotated[U8, Shape(9, 9, count="used")]


@pytest.mark.parametrize(
    ("layout", "why"),
    [
        (Two.layout, "it has 2 pictures"),
        (Half.layout, "x is f16, which CDR does not have"),
        (Counted.layout, "it has no pictures"),
        (typedshm.array(np.uint8, 7, 100).layout, "it has no pictures"),
        (typedshm.array(np.uint8, 9, 9, 2).layout, "it has no pictures"),
        (typedshm.array(np.uint16, 9, 9, 3).layout, "it has no pictures"),
        (typedshm.array(np.float32, 9, 9).layout, "it has no pictures"),
        (typedshm.array(np.int8, 9, 9).layout, "it has no pictures"),
        (typedshm.array(np.uint8, UpTo(9, 9, 3)).layout, "it has no pictures"),
    ],
)
def test_what_is_no_picture_says_why(layout: Layout, why: str) -> None:
    with pytest.raises(NoPicture, match=why):
        Picture(layout)


def test_jpeg_is_refused_for_16_bits_and_compressing_for_what_others_refuse() -> None:
    with pytest.raises(NoPicture, match=r"JPEG has 8 bits, and the picture 16; PNG has both"):
        CompressedImages(Depth.layout, "jpeg")
    with pytest.raises(NoPicture, match=r"pictures of more than 89,000,000 pixels are not compressed"):
        CompressedImages(typedshm.array(np.uint8, 10_000, 9_000).layout, "png")


def test_an_image_that_contradicts_itself_is_refused() -> None:
    encoding = RawImages(Sized.layout)
    (message,) = messages_of(encoding, batch_of(Sized.layout, [sized(9, 10)]))
    width, height, step = (message.index(number.to_bytes(4, "little"), 12) for number in (10, 9, 30))
    other = [message[:width] + b"\x09\0\0\0\x0a" + message[width + 5 :], message[:step] + b"\x1f" + message[step + 1 :]]
    other += [message.replace(b"rgb8", b"bgr8"), message[:height] + b"\x08" + message[height + 1 :]]
    turned = bytearray(message)
    turned[width], turned[height], turned[step] = 9, 10, 27  # as many pixels
    for wrong in (*other, bytes(turned)):
        with pytest.raises(RecordingCorrupt, match=r"a picture of Sized: expected"):
            encoding.decode([message, wrong])
