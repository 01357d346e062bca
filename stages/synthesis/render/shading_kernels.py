# Kernels are Warp's language: Python in form, not in types.
# mypy: ignore-errors
# ruff: noqa: UP018 - Warp takes a bare literal for a constant that a loop may not change
"""Warp kernel that turns samples into light: skin, eyes, mouth, hair and cloth.

A pixel has four samples. Where all four lie on one smooth surface it is shaded once, else once a
sample: edges are smooth at little more than the price of one sample.
"""

import warp as wp

from stages.synthesis.head.folds import STEEPEST
from stages.synthesis.render.light_kernels import Lighting, highlight, lit, surrounding, unshadowed
from stages.synthesis.render.look_kernels import Look, Shell, eye_colour, grain, owner_part, texel

wp.set_module_options({"enable_backward": False, "fast_math": True, "optimization_level": 3})

SKIN = wp.constant(0)
MOUTH = wp.constant(1)
EYE = wp.constant(2)
TEETH = wp.constant(3)
TONGUE = wp.constant(4)
LASHES = wp.constant(5)
GLASSES = wp.constant(7)
LENS = wp.constant(8)
TILT_STEP = wp.constant(STEEPEST / 127.0)
SEAM = wp.constant(6.615)  # height on the base head at which the lips meet, decimetres
SEAM_WIDTH = wp.constant(0.016)
EDGE = wp.constant(0.035)  # head units of depth between samples that make an edge


@wp.func
def unfolded(value: wp.vec4) -> wp.vec3:
    """Tilt along x and y and darkness of a fold, from its texel (see `folds.fold_textures`)."""
    return wp.vec3(TILT_STEP * (value[0] - 128.0), TILT_STEP * (value[1] - 128.0), value[2] / 255.0)


@wp.func
def shade_sample(
    t: int,
    x: float,
    y: float,
    first: int,
    shell: Shell,
    look: Look,
    light: Lighting,
    owner: wp.array2d(dtype=wp.int32),
    shadow: wp.array2d(dtype=wp.float32),
) -> wp.vec3:
    """Colour of triangle `t` at a place of the sample grid."""
    i = shell.triangles[t, 0]
    j = shell.triangles[t, 1]
    k = shell.triangles[t, 2]
    a = shell.screen[i]
    b = shell.screen[j]
    c = shell.screen[k]
    area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
    dx = x - a[0]
    dy = y - a[1]
    v = wp.clamp((dx * (c[1] - a[1]) - dy * (c[0] - a[0])) / area, 0.0, 1.0)
    w = wp.clamp((dy * (b[0] - a[0]) - dx * (b[1] - a[1])) / area, 0.0, 1.0 - v)
    u = 1.0 - v - w
    part = shell.parts[t]
    point = shell.points[i] * u + shell.points[j] * v + shell.points[k] * w
    smooth = wp.normalize(shell.normals[i] * u + shell.normals[j] * v + shell.normals[k] * w)
    rest = shell.rest[i] * u + shell.rest[j] * v + shell.rest[k] * w
    # occlusion, lips, lid margin, hair
    surface = shell.surface[i] * u + shell.surface[j] * v + shell.surface[k] * w
    if part >= LASHES and smooth[2] < 0.0:  # thin parts are seen from both sides
        smooth = -smooth
    reach = float(1.0)
    if wp.dot(smooth, light.key) > -0.35:
        reach = 1.0 - light.shadow_strength * (1.0 - unshadowed(point, smooth, light, shadow))
    if part == SKIN:
        if rest[1] < look.neckline - 0.25 * wp.abs(rest[0]) + 0.5 * (rest[0] * rest[0]):
            weave = 0.9 + 0.2 * grain(rest[0] * 60.0, rest[1] * 60.0, rest[2] * 60.0)
            return lit(look.cloth * weave, smooth, smooth, reach, surface[0], 0.1, 0.0, 0.0, light)
        place = shell.corners[t, 0] * u + shell.corners[t, 1] * v + shell.corners[t, 2] * w
        colour = texel(shell.skin, place) * (1.0 / 255.0)
        # the texture holds roots: dark skin keeps its shades in eight bits
        albedo = wp.vec3(colour[0] * colour[0], colour[1] * colour[1], colour[2] * colour[2])
        hairy = colour[3]  # 0 is bare skin, 1 is hair
        if wp.abs(rest[0]) > 0.6:
            ear = look.ears * wp.clamp(1.3 - 1.4 * wp.abs(surface[3]), 0.0, 1.0)
            albedo = albedo * (1.0 - ear) + wp.cw_mul(look.skin, wp.vec3(1.03, 0.92, 0.92)) * ear
            hairy = hairy * (1.0 - ear)
        crease = shell.creases[i] * u + shell.creases[j] * v + shell.creases[k] * w
        fold = wp.vec3(0.0, 0.0, 0.0)
        normal = smooth
        if wp.max(crease[0], crease[1]) > 0.03:
            if crease[0] > 0.03:
                fold = unfolded(texel(shell.folds_a, place)) * crease[0]
            if crease[1] > 0.03:
                fold = fold + unfolded(texel(shell.folds_b, place)) * crease[1]
            fold = fold * (1.0 - hairy)
            tilt = look.rotation * wp.vec3(fold[0], fold[1], 0.0)
            normal = wp.normalize(smooth + tilt)
        lip = wp.smoothstep(0.25, 0.75, surface[1])
        if lip > 0.0:
            upper = wp.smoothstep(SEAM - 0.01, SEAM + 0.01, rest[1])
            tint = look.lips * upper + look.lower_lips * (1.0 - upper)
            off = (rest[1] - SEAM) / SEAM_WIDTH
            tint = tint * (1.0 - look.seam * wp.exp(-off * off))
            albedo = albedo * (1.0 - lip) + wp.cw_mul(tint, albedo * 0.5 + look.skin * 0.5) * lip
        albedo = albedo * wp.max(1.0 - fold[2], 0.25)
        gloss = look.oil * (1.0 - 0.85 * hairy) * (1.0 - lip) + look.lip_gloss * lip
        if gloss > 0.02 and look.patches > 0.0:
            pore = grain(rest[0] * 28.0, rest[1] * 28.0, 5.0)
            patch = grain(rest[0] * 9.0, rest[1] * 9.0, 11.0)
            gloss = gloss * wp.max(1.0 + look.patches * (1.4 * pore + 1.0 * patch - 1.2), 0.0)
        occlusion = surface[0] * wp.max(1.0 - 0.8 * fold[2], 0.2)
        # the line of the lashes: skin of the lids within a few samples of the eyeball
        if surface[2] > 0.05:
            near = float(0.0)
            for step in range(1, 3):
                below = owner_part(
                    owner, int(y) + int(float(step) * look.eye_pixels), int(x), first, shell
                )
                if below == EYE:
                    near = wp.max(near, 0.85 - 0.5 * float(step - 1))
                above = owner_part(
                    owner, int(y) - int(float(step) * look.eye_pixels), int(x), first, shell
                )
                if above == EYE:
                    near = wp.max(near, 0.25 - 0.2 * float(step - 1))
            margin = wp.max(near * look.lashes, wp.smoothstep(0.6, 1.0, surface[2]) * look.liner)
            albedo = albedo * (1.0 - margin) + look.lash * margin
            gloss = gloss * (1.0 - margin)
        tight = wp.max(lip, look.polish * (1.0 - hairy))
        return lit(
            albedo, normal, smooth, reach, occlusion, 0.3 * (1.0 - hairy), gloss, tight, light
        )
    if part == EYE:
        direction = wp.normalize(rest)
        gaze = look.gaze_left
        if surface[3] < 0.0:
            gaze = look.gaze_right
        colour = eye_colour(direction, gaze, look)
        shade = float(1.0)
        for step in range(1, 5):
            above = owner_part(
                owner, int(y - 0.5) - int(float(step) * look.eye_pixels), int(x), first, shell
            )
            if above != EYE:
                shade = wp.min(shade, 0.38 + 0.14 * float(step))
        albedo = wp.vec3(colour[0], colour[1], colour[2])
        out = lit(albedo, smooth, smooth, wp.min(reach, shade), 0.8 * shade, 0.25, 0.0, 0.0, light)
        wet = look.rotation * direction
        # the cornea bulges, so it shows the lights where the ball alone would not
        bulge = wp.normalize(wet + 0.35 * colour[3] * (wet - look.rotation * gaze))
        glint = wp.pow(wp.max(wp.dot(bulge, light.half_key), 0.0), 300.0) * 1.3 * shade
        faint = wp.pow(wp.max(wp.dot(bulge, light.half_fill), 0.0), 200.0) * 0.5 * shade
        return (
            out
            + light.key_colour * glint
            + light.fill_colour * faint
            + light.ambient * (0.03 * shade)
        )
    if part == TEETH:
        return lit(
            look.teeth,
            smooth,
            smooth,
            reach * surface[0],
            surface[0],
            0.2,
            0.12 * surface[0],
            0.6,
            light,
        )
    if part == TONGUE:
        return lit(
            look.tongue,
            smooth,
            smooth,
            reach * surface[0],
            surface[0],
            0.3,
            0.1 * surface[0],
            0.2,
            light,
        )
    if part == MOUTH:
        inside = wp.cw_mul(wp.vec3(0.75, 0.36, 0.34), look.skin)
        return lit(
            inside,
            smooth,
            smooth,
            reach * surface[0],
            surface[0],
            0.3,
            0.08 * surface[0],
            0.2,
            light,
        )
    if part == LASHES:
        return lit(look.lash, smooth, smooth, reach, 0.6, 0.0, 0.0, 0.0, light)
    if part == GLASSES:
        return lit(look.frame, smooth, smooth, reach, 1.0, 0.0, 0.6, 1.0, light)
    if part == LENS:
        shine = highlight(wp.dot(smooth, light.half_key), 1.0)
        mirrored = surrounding(
            wp.vec3(2.0 * smooth[2] * smooth[0], 0.5 + 0.5 * smooth[1], 0.6), light
        )
        return (
            wp.cw_mul(look.lens, surrounding(smooth, light))
            + mirrored * look.mirror
            + light.key_colour * (shine * look.mirror)
        )
    strand = grain(rest[0] * 45.0 + rest[2] * 45.0, rest[1] * 6.0, 7.0)
    return lit(
        look.hair * (0.6 + 0.7 * strand), smooth, smooth, reach, surface[0], 0.0, 0.2, 0.0, light
    )


@wp.kernel
def shade(
    origin_x: int,
    origin_y: int,
    width: int,
    first: int,
    shell: Shell,
    look: Look,
    light: Lighting,
    depth: wp.array2d(dtype=wp.float32),
    owner: wp.array2d(dtype=wp.int32),
    shadow: wp.array2d(dtype=wp.float32),
    picture: wp.array2d(dtype=wp.vec3),
) -> None:
    """Shade one head's samples of a row of pixels over what `picture` already shows."""
    row = wp.tid() + origin_y
    count = shell.parts.shape[0]
    for column in range(origin_x, origin_x + width):
        covered = 0
        parts = -1
        mixed = 0
        low = float(1.0e9)
        high = float(-1.0e9)
        for s in range(4):
            y = 2 * row + s / 2
            x = 2 * column + s % 2
            t = owner[y, x] - first
            if t >= 0 and t < count:
                covered = covered + 1
                z = depth[y, x]
                low = wp.min(low, z)
                high = wp.max(high, z)
                part = shell.parts[t]
                if parts >= 0 and part != parts:
                    mixed = 1
                parts = part
        if covered == 0:
            continue
        # inside a smooth surface the triangle of the last sample stands for the whole pixel
        step = float(0.5)
        samples = 4
        weight = float(0.25)
        total = picture[row, column] * (1.0 - 0.25 * float(covered))
        if covered == 4 and mixed == 0 and high - low < EDGE:
            samples = 1
            weight = 1.0
            step = 1.0
        for s in range(4 - samples, 4):
            y = 2 * row + s / 2
            x = 2 * column + s % 2
            t = owner[y, x] - first
            if t >= 0 and t < count:
                total = total + weight * shade_sample(
                    t, float(x) + 1.0 - step, float(y) + 1.0 - step, first, shell, look, light,
                    owner, shadow,
                )  # fmt: skip
        picture[row, column] = total
