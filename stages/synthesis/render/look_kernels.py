# Kernels are Warp's language: Python in form, not in types.
# mypy: ignore-errors

"""What the shading of a head looks up: colours, arrays, textures, the eye's iris."""

import warp as wp

wp.set_module_options({"enable_backward": False, "fast_math": True, "optimization_level": 3})


@wp.struct
class Look:
    """What one person's parts look like, and how the head stands in this frame."""

    rotation: wp.mat33
    gaze_left: wp.vec3
    gaze_right: wp.vec3
    iris: wp.vec3
    iris_size: float
    pupil: float
    sclera: wp.vec3
    lips: wp.vec3
    lower_lips: wp.vec3
    seam: float
    lip_gloss: float
    skin: wp.vec3
    oil: float
    polish: float
    patches: float
    teeth: wp.vec3
    tongue: wp.vec3
    lashes: float
    ears: float
    frame: wp.vec3
    lens: wp.vec3
    mirror: float
    lash: wp.vec3
    hair: wp.vec3
    cloth: wp.vec3
    neckline: float
    liner: float
    eye_pixels: float


@wp.struct
class Shell:
    """Arrays of one head."""

    triangles: wp.array2d(dtype=wp.int32)
    parts: wp.array(dtype=wp.int32)
    corners: wp.array2d(dtype=wp.vec2)
    screen: wp.array(dtype=wp.vec3)
    points: wp.array(dtype=wp.vec3)
    normals: wp.array(dtype=wp.vec3)
    rest: wp.array(dtype=wp.vec3)
    creases: wp.array(dtype=wp.vec2)
    surface: wp.array(dtype=wp.vec4)
    skin: wp.array2d(dtype=wp.vec4ub)
    folds_a: wp.array2d(dtype=wp.vec4ub)
    folds_b: wp.array2d(dtype=wp.vec4ub)


@wp.func
def unpacked(value: wp.vec4ub) -> wp.vec4:
    """Four bytes as numbers."""
    return wp.vec4(float(value[0]), float(value[1]), float(value[2]), float(value[3]))


@wp.func
def texel(texture: wp.array2d(dtype=wp.vec4ub), place: wp.vec2) -> wp.vec4:
    """Bilinear sample, 0 to 255; the texture joins at its left and right edges."""
    size = texture.shape[0]
    x = (place[0] - wp.floor(place[0])) * float(size) - 0.5
    y = wp.clamp(place[1] * float(size) - 0.5, 0.0, float(size) - 1.001)
    x0 = int(wp.floor(x))
    y0 = int(y)
    fx = x - float(x0)
    fy = y - float(y0)
    left = x0
    if x0 < 0:
        left = size - 1
    right = x0 + 1
    if right == size:
        right = 0
    top = unpacked(texture[y0, left]) * (1.0 - fx) + unpacked(texture[y0, right]) * fx
    low = unpacked(texture[y0 + 1, left]) * (1.0 - fx) + unpacked(texture[y0 + 1, right]) * fx
    return top * (1.0 - fy) + low * fy


@wp.func
def grain(x: float, y: float, z: float) -> float:
    """Noise of one cell in space, 0 to 1."""
    state = wp.rand_init(
        int(wp.floor(x)) * 73856093 + int(wp.floor(y)) * 19349663, int(wp.floor(z))
    )
    return wp.randf(state)


@wp.func
def eye_colour(direction: wp.vec3, gaze: wp.vec3, look: Look) -> wp.vec4:
    """Colour of the eyeball where it points in `direction`, and how much it is cornea."""
    cosine = wp.clamp(wp.dot(direction, gaze), -1.0, 1.0)
    angle = wp.acos(cosine)
    edge = look.iris_size
    corner = wp.clamp((angle - 0.45) / 0.55, 0.0, 1.0)
    white = look.sclera
    white = wp.cw_mul(white, wp.vec3(1.0 - 0.08 * corner, 1.0 - 0.3 * corner, 1.0 - 0.32 * corner))
    across = wp.atan2(direction[1] - gaze[1], direction[0] - gaze[0])
    fibre = grain(across * 7.0 + 40.0, angle * 18.0, 3.0)
    inner = wp.clamp((angle - look.pupil) / (edge - look.pupil), 0.0, 1.0)
    iris = look.iris * (0.75 + 0.5 * fibre * (1.0 - inner) + 0.3 * (1.0 - inner))
    ring = wp.smoothstep(0.72, 1.0, inner)
    iris = iris * (1.0 - 0.65 * ring)
    dark = wp.smoothstep(look.pupil + 0.025, look.pupil - 0.02, angle)
    iris = iris * (1.0 - dark) + wp.vec3(0.004, 0.004, 0.005) * dark
    mix = wp.smoothstep(edge + 0.025, edge - 0.025, angle)
    colour = white * (1.0 - mix) + iris * mix
    return wp.vec4(colour[0], colour[1], colour[2], mix)


@wp.func
def owner_part(owner: wp.array2d(dtype=wp.int32), y: int, x: int, first: int, shell: Shell) -> int:
    """Part at a sample; -1 outside of this head."""
    if y < 0 or x < 0 or y >= owner.shape[0] or x >= owner.shape[1]:
        return -1
    t = owner[y, x] - first
    if t < 0 or t >= shell.parts.shape[0]:
        return -1
    return shell.parts[t]
