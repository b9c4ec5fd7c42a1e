"""Layouts of trackers, Mumble, cameras and rigs, in own words."""

import enum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from typedshm import (
    Bytes,
    Scalar,
    Shape,
    Struct,
    Utf16,
    Utf32,
    f32,
    f64,
    i32,
    u8,
    u16,
    u32,
    u64,
)

f4 = NDArray[np.float32]
w4 = NDArray[np.uint32]
rows = NDArray[np.void]


class FreeTrack(Struct):
    data_id: u32
    cam_width: i32
    cam_height: i32
    yaw: f32
    pitch: f32
    roll: f32
    x: f32
    y: f32
    z: f32
    raw: Annotated[f4, Shape(6)]
    points: Annotated[f4, Shape(4, 2)]
    game_id: i32
    table: Annotated[bytes, Bytes(8)]
    game_id2: i32


class UiState(enum.IntFlag):
    MAP_OPEN = 1
    COMPASS_TOP_RIGHT = 2
    COMPASS_ROTATES = 4
    FOCUS = 8
    COMPETITIVE = 16
    TEXTBOX = 32
    COMBAT = 64


class Gw2Context(Struct, size=256):
    server: Annotated[bytes, Bytes(28)]
    map_id: u32
    map_type: u32
    shard_id: u32
    instance: u32
    build: u32
    ui: Annotated[UiState, Scalar("u4")]
    compass_w: u16
    compass_h: u16
    compass_rotation: f32
    player_x: f32
    player_y: f32
    center_x: f32
    center_y: f32
    map_scale: f32
    pid: u32
    mount: u8


class MumbleWin(Struct):
    version: u32
    tick: u32
    avatar: Annotated[f4, Shape(3, 3)]
    name: Annotated[str, Utf16(256)]
    camera: Annotated[f4, Shape(3, 3)]
    identity: Annotated[str, Utf16(256)]
    context_len: u32
    context: Gw2Context
    description: Annotated[str, Utf16(2048)]


class MumbleLinux(Struct):
    version: u32
    tick: u32
    avatar: Annotated[f4, Shape(3, 3)]
    name: Annotated[str, Utf32(256)]
    camera: Annotated[f4, Shape(3, 3)]
    identity: Annotated[str, Utf32(256)]
    context_len: u32
    context: Annotated[bytes, Bytes(256)]
    description: Annotated[str, Utf32(2048)]


class Pose(Struct):
    q: Annotated[f4, Shape(4)]
    p: Annotated[f4, Shape(3)]


class Finger(Struct):
    pose: Pose
    radius: f32
    angular: Annotated[f4, Shape(3)]
    linear: Annotated[f4, Shape(3)]


class Aim(Struct):
    status: u64
    pose: Pose
    index: f32
    middle: f32
    ring: f32
    little: f32


class BodyJoint(Struct):
    flags: u64
    pose: Pose


class SkeletonJoint(Struct):
    joint: u32
    parent: u32
    pose: Pose


class VdBody(Struct):
    face_valid: bool
    eye_follow: bool
    weights: Annotated[f4, Shape(70)]
    confidences: Annotated[f4, Shape(2)]
    left_valid: bool
    right_valid: bool
    left_eye: Pose
    right_eye: Pose
    left_conf: f32
    right_conf: f32
    left_hand: bool
    right_hand: bool
    left: Annotated[rows, Shape(26, of=Finger)]
    right: Annotated[rows, Shape(26, of=Finger)]
    left_aim: Aim
    right_aim: Aim
    calibrated: bool
    high_fidelity: bool
    confidence: f32
    joints: Annotated[rows, Shape(84, of=BodyJoint)]
    skeleton: Annotated[rows, Shape(84, of=SkeletonJoint)]
    changed: u32


class ObsQueue(Struct):
    write: u32
    read: u32
    state: u32
    offsets: Annotated[w4, Shape(3)]
    type: u32
    cx: u32
    cy: u32
    interval: u64
    reserved: Annotated[w4, Shape(8)]


class UnityCapture(Struct):
    max_size: u32
    width: i32
    height: i32
    stride: i32
    format: i32
    resize: i32
    mirror: i32
    timeout: i32


class SpoutInfo(Struct):
    handle: u32
    width: u32
    height: u32
    format: u32
    usage: u32
    description: Annotated[str, Utf16(128)]
    partner: u32


class RigPose(Struct):
    sway: f64
    surge: f64
    heave: f64
    yaw: f64
    roll: f64
    pitch: f64


PUBLISHED: dict[type[Struct], tuple[int, dict[str, int]]] = {
    FreeTrack: (108, {"game_id": 92, "table": 96, "game_id2": 104}),
    Gw2Context: (256, {"map_id": 28, "ui": 48, "pid": 80, "mount": 84}),
    MumbleWin: (
        5460,
        {"name": 44, "camera": 556, "identity": 592, "context_len": 1104, "context": 1108, "description": 1364},
    ),
    MumbleLinux: (
        10580,
        {"name": 44, "camera": 1068, "identity": 1104, "context_len": 2128, "context": 2132, "description": 2388},
    ),
    VdBody: (
        9792,
        {
            "weights": 4,
            "left_eye": 296,
            "left": 364,
            "left_aim": 3280,
            "joints": 3400,
            "skeleton": 6760,
            "changed": 9784,
        },
    ),
    ObsQueue: (80, {"interval": 40}),
    UnityCapture: (32, {}),
    SpoutInfo: (280, {"description": 20}),
    RigPose: (48, {}),
}
"""The sizes, and offsets of some fields, as their publishers or other readers have them."""
