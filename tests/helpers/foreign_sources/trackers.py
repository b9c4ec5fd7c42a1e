"""Trackers of heads and bodies, and cameras: FreeTrack, Virtual Desktop, OBS, UnityCapture."""

from helpers.foreign_sources.notation import document, names, of, rows, source, struct

# ---- FreeTrack -----------------------------------------------------------------------------------------------------

FreeTrack = struct(
    "FreeTrack",
    """
    data_id: u32 | Counts the updates.
    camera_width: i32 px
    camera_height: i32 px
    yaw: f32 rad
    pitch: f32 rad
    roll: f32 rad
    x: f32 mm
    y: f32 mm
    z: f32 mm
    raw: f32[6] | Yaw, pitch, roll, x, y, z, as the tracker has them.
    points: f32[4, 2] | x and y of four points.
    game_id: i32 | Set by the game.
    table: bytes(8)
    game_id2: i32
    """,
    "The pose of a head, and of what it was computed.",
)

FREETRACK = document(
    "FreeTrack 2.0: head tracking, from opentrack and others",
    [
        source(
            "pose",
            FreeTrack,
            names=names("FT_SharedMem", linux=("/dev/shm/facetracknoir-wine-shm",)),
            rule={"kind": "still", "tick": "data_id", "written": "last"},
        )
    ],
    doc="""There is a mutex, FT_Mutext, which opentrack's writer does not take; so it guards nothing. The last fields
    are the game's, which writes which one it is.""",
    provenance=[("opentrack's header of the protocol, compiled", "compiled")],
    licence="opentrack is ISC; this layout is in own words.",
    sizes={"opentrack": 108},
)

# ---- Virtual Desktop -----------------------------------------------------------------------------------------------

Pose = struct("Pose", "orientation: f32[4]\nposition: f32[3] m")
Finger = struct(
    "FingerJoint",
    """
    pose: @Pose
    radius: f32 m
    angular_velocity: f32[3]
    linear_velocity: f32[3]
    """,
    Pose=Pose,
)
Aim = struct(
    "HandAim",
    """
    status: u64
    pose: @Pose
    pinch_index: f32
    pinch_middle: f32
    pinch_ring: f32
    pinch_little: f32
    """,
    Pose=Pose,
)
BodyJoint = struct("BodyJoint", "flags: u64\npose: @Pose", Pose=Pose)
SkeletonJoint = struct("SkeletonJoint", "joint: u32\nparent: u32\npose: @Pose", Pose=Pose)
Body = struct(
    "BodyState",
    """
    face_is_valid: bool
    is_eye_following_blendshapes: bool
    expression_weights: f32[70]
    expression_confidences: f32[2]
    left_eye_is_valid: bool
    right_eye_is_valid: bool
    left_eye: @Pose
    right_eye: @Pose
    left_eye_confidence: f32
    right_eye_confidence: f32
    left_hand_active: bool
    right_hand_active: bool
    left_hand: @FingerJoint[26]
    right_hand: @FingerJoint[26]
    left_aim: @HandAim
    right_aim: @HandAim
    body_is_calibrated: bool
    is_high_fidelity: bool
    body_confidence: f32
    body_joints: @BodyJoint[84]
    skeleton_joints: @SkeletonJoint[84]
    skeleton_changed_count: u32
    """,
    "Face, eyes, hands and body.",
    Pose=Pose,
    FingerJoint=Finger,
    HandAim=Aim,
    BodyJoint=BodyJoint,
    SkeletonJoint=SkeletonJoint,
)

VIRTUAL_DESKTOP = document(
    "Virtual Desktop: face, eyes, hands and body of who wears a headset",
    [
        source(
            "body",
            Body,
            names=names("VirtualDesktop.BodyState", linux=()),
            rule={"kind": "still"},
            event={"name": "VirtualDesktop.BodyStateEvent", "shared": True},
        )
    ],
    doc="""Older readers map 360 bytes, the face alone. How the event resets itself is not known, so it is taken for
    one that other programs wait for, too.""",
    provenance=[("modules of VRCFaceTracking and readers in Python that agree", "third-party")],
    licence="Facts of readers; this layout is in own words.",
    sizes={"used": 9788, "mapped by readers": 12288},
)

# ---- OBS -----------------------------------------------------------------------------------------------------------

QueueState = of("QueueState", "STARTING", "READY", "STOPPING", start=1)
Queue = struct(
    "ObsQueue",
    """
    write_index: u32 | Counts frames, before each is written.
    read_index: u32 | The newest whole frame; its place is this number modulo 3.
    state: u32:QueueState
    offsets: u32[3] B | Of the three frames.
    type: u32
    width: u32 px
    height: u32 px
    interval: u64 | Between frames.
    reserved: u32[8]
    """,
    "Three frames that OBS writes in turn.",
    QueueState=QueueState,
)
FrameHead = struct("ObsFrameHead", "timestamp: u64 ns", size=32)
Byte = struct("PictureByte", "byte: u8")
PIXELS = {"multiply": ["width", "height"]}

OBS = document(
    "OBS Studio's virtual camera on Windows: frames in NV12",
    [
        source(
            "video",
            Queue,
            names=names("OBSVirtualCamVideo", linux=()),
            rule={
                "kind": "rotating-buffer",
                "read": "read_index",
                "write": "write_index",
                "offsets": "offsets",
            },
            dead=[{"field": "state", "is": 3}],
            disabled=[{"field": "state", "is": 1}],
            parts=[
                rows("frame", FrameHead, offset=0, count=1, in_buffer=True),
                rows(
                    "picture",
                    Byte,
                    offset=32,
                    count={"multiply": [3, {"divide": [PIXELS, 2]}]},
                    in_buffer=True,
                    doc="NV12: height rows of luma, then height / 2 rows of pairs of chroma.",
                ),
            ],
        )
    ],
    doc="""OBS cannot start its camera again while a reader holds the section of the last time: it has to be closed
    when the state is 3. A copy is whole if write_index is at most 2 more than read_index was.""",
    provenance=[("OBS Studio: the queue of its virtual camera, compiled", "compiled")],
    licence="OBS Studio is under the GPL; this layout is in own words, from facts.",
    sizes={"of the head": 80, "of a frame of 1920 x 1080": 3110432},
)

# ---- UnityCapture --------------------------------------------------------------------------------------------------

Format = of("Format", "UINT8", "FP16_GAMMA", "FP16_LINEAR")
Unity = struct(
    "UnityCapture",
    """
    max_size: u32 B
    width: i32 px | 0: inactive.
    height: i32 px
    stride: i32
    format: i32:Format
    resize_mode: i32
    mirror_mode: i32
    timeout: i32 ms
    """,
    "What stands before the pixels, which are from the bottom to the top.",
    Format=Format,
)

UNITY_CAPTURE = document(
    "UnityCapture: a camera that programs write to, on Windows",
    [
        source(
            "image",
            Unity,
            names=names("UnityCapture_Data", linux=()),
            rule={"kind": "mutex", "name": "UnityCapture_Mutx", "recheck": ["width", "height", "stride", "format"]},
            event={"name": "UnityCapture_Sent", "shared": True},
            disabled=[{"field": "width", "is": 0}],
        )
    ],
    doc="""The first of several cameras; the names of the others end in their number. The program that shows the camera
    makes the memory and the mutex, and asks for frames by the event UnityCapture_Want. The pixels begin at 32.""",
    provenance=[("UnityCapture: shared.inl, compiled", "compiled")],
    licence="UnityCapture is zlib; this layout is in own words.",
    sizes={"of the head": 32, "of the pixels": 66355200},
)

DOCUMENTS = {
    "freetrack": FREETRACK,
    "obs-virtual-camera": OBS,
    "unity-capture": UNITY_CAPTURE,
    "virtual-desktop": VIRTUAL_DESKTOP,
}
"""The documents of this family, by name."""
