# Kernels are Warp's language: Python in form, not in types.
# mypy: ignore-errors
# ruff: noqa: UP018 - Warp takes a bare literal for a constant that a loop may not change
"""Warp kernels that move a head's vertices, find their normals and rasterise the triangles.

On a CPU Warp runs a kernel's threads one after another, so the depth tests need no atomics and the
result is the same, byte for byte, every time.
"""

from typing import Any

import warp as wp

wp.config.log_level = 40  # errors only: no banner, no word on a missing GPU
wp.set_module_options({"enable_backward": False, "fast_math": True, "optimization_level": 3})

HALF = wp.constant(2)  # `two_sided` of what covers every other sample only
SLACK = wp.constant(1.0e-3)  # samples by which neighbours overlap, so that no crack opens


@wp.kernel
def deform(
    neutral: wp.array(dtype=wp.vec3),
    moving: wp.array(dtype=wp.int32),
    shapes: wp.array2d(dtype=wp.vec3),
    active: wp.array(dtype=wp.int32),
    weights: wp.array(dtype=wp.float32),
    count: int,
    rigid: wp.array(dtype=wp.float32),
    folding: wp.array(dtype=wp.int32),
    fold_masks: wp.array2d(dtype=wp.float32),
    folds: wp.array(dtype=wp.float32),
    split: int,
    rotation: wp.mat33,
    pivot: wp.vec3,
    translation: wp.vec3,
    camera: wp.vec4,
    points: wp.array(dtype=wp.vec3),
    light: wp.mat33,
    light_scale: float,
    light_size: float,
    screen: wp.array(dtype=wp.vec3),
    lit: wp.array(dtype=wp.vec3),
    creases: wp.array(dtype=wp.vec2),
) -> None:
    """Sum the `count` active face shapes, pose, project for camera and key light: one vertex.

    The rows of `light` are the key light's right and up and the way to it.
    """
    i = wp.tid()
    p = neutral[i]
    row = moving[i]
    if row >= 0:
        for k in range(count):
            p = p + weights[k] * shapes[row, active[k]]
    turned = rotation * (p - pivot) + pivot
    p = p + rigid[i] * (turned - p) + translation
    points[i] = p
    scale = camera[0] / wp.max(camera[1] - p[2], 0.1)
    screen[i] = wp.vec3(camera[2] + scale * p[0], camera[3] - scale * p[1], p[2])
    seen = light * (p - translation)
    half = 0.5 * light_size
    lit[i] = wp.vec3(half + light_scale * seen[0], half - light_scale * seen[1], seen[2])
    line = folding[i]
    if line >= 0:
        a = float(0.0)
        b = float(0.0)
        for k in range(split):
            a = wp.max(a, folds[k] * fold_masks[line, k])
        for k in range(split, folds.shape[0]):
            b = wp.max(b, folds[k] * fold_masks[line, k])
        creases[i] = wp.vec2(a, b)


@wp.kernel
def vertex_normals(
    points: wp.array(dtype=wp.vec3),
    triangles: wp.array2d(dtype=wp.int32),
    starts: wp.array(dtype=wp.int32),
    around: wp.array(dtype=wp.int32),
    normals: wp.array(dtype=wp.vec3),
) -> None:
    """Area-weighted mean of the normals of the triangles around each vertex."""
    i = wp.tid()
    total = wp.vec3(0.0, 0.0, 0.0)
    for k in range(starts[i], starts[i + 1]):
        t = around[k]
        a = points[triangles[t, 0]]
        total = total + wp.cross(points[triangles[t, 1]] - a, points[triangles[t, 2]] - a)
    normals[i] = wp.normalize(total)


@wp.func
def inside(value: float, step: float, run: wp.vec2) -> wp.vec2:
    """The part of a run of samples k, first to last, in which `value` + k * `step` >= 0."""
    if wp.abs(step) < 1.0e-9:
        if value < 0.0:
            return wp.vec2(1.0, 0.0)
        return run
    root = -value / step
    if step > 0.0:
        return wp.vec2(wp.max(run[0], root - SLACK), run[1])
    return wp.vec2(run[0], wp.min(run[1], root + SLACK))


@wp.kernel
def rasterize(
    screen: wp.array(dtype=wp.vec3),
    triangles: wp.array2d(dtype=wp.int32),
    two_sided: wp.array(dtype=wp.int32),
    first: int,
    depth: wp.array2d(dtype=wp.float32),
    owner: wp.array2d(dtype=wp.int32),
) -> None:
    """Nearest triangle of each sample: one thread a triangle, samples at integer places + 0.5."""
    t = wp.tid()
    a = screen[triangles[t, 0]]
    b = screen[triangles[t, 1]]
    c = screen[triangles[t, 2]]
    area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
    # rows run downwards, so a triangle that faces the camera has a negative area
    if area > -1.0e-9 and (two_sided[t] == 0 or area < 1.0e-9):
        return
    every = 1
    if two_sided[t] == HALF:
        every = 0
    height = depth.shape[0]
    width = depth.shape[1]
    x0 = wp.max(int(wp.ceil(wp.min(a[0], wp.min(b[0], c[0])) - 0.5)), 0)
    x1 = wp.min(int(wp.floor(wp.max(a[0], wp.max(b[0], c[0])) - 0.5)), width - 1)
    y0 = wp.max(int(wp.ceil(wp.min(a[1], wp.min(b[1], c[1])) - 0.5)), 0)
    y1 = wp.min(int(wp.floor(wp.max(a[1], wp.max(b[1], c[1])) - 0.5)), height - 1)
    if x1 < x0 or y1 < y0:
        return
    inverse = 1.0 / area
    # weights of b and c, and the depth, are linear in the sample's place
    bx = (c[1] - a[1]) * inverse
    by = -(c[0] - a[0]) * inverse
    cx = -(b[1] - a[1]) * inverse
    cy = (b[0] - a[0]) * inverse
    zb = b[2] - a[2]
    zc = c[2] - a[2]
    dx = float(x0) + 0.5 - a[0]
    dz = bx * zb + cx * zc
    reach = wp.vec2(0.0, float(x1 - x0))
    for y in range(y0, y1 + 1):
        dy = float(y) + 0.5 - a[1]
        u = dx * bx + dy * by
        v = dx * cx + dy * cy
        run = inside(1.0 - u - v, -bx - cx, inside(v, cx, inside(u, bx, reach)))
        begin = int(wp.ceil(run[0]))
        z = a[2] + u * zb + v * zc + float(begin) * dz
        for x in range(x0 + begin, x0 + int(wp.floor(run[1])) + 1):
            if z > depth[y, x] and (every == 1 or (x + y) % 2 == 0):
                depth[y, x] = z
                owner[y, x] = first + t
            z = z + dz


@wp.kernel
def rasterize_depth(
    screen: wp.array(dtype=wp.vec3),
    triangles: wp.array2d(dtype=wp.int32),
    two_sided: wp.array(dtype=wp.int32),
    depth: wp.array2d(dtype=wp.float32),
) -> None:
    """Depth alone, of what faces the light: its shadow map."""
    t = wp.tid()
    a = screen[triangles[t, 0]]
    b = screen[triangles[t, 1]]
    c = screen[triangles[t, 2]]
    area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
    if area > -1.0e-9 and (two_sided[t] == 0 or area < 1.0e-9):
        return
    x0 = wp.max(int(wp.ceil(wp.min(a[0], wp.min(b[0], c[0])) - 0.5)), 0)
    x1 = wp.min(int(wp.floor(wp.max(a[0], wp.max(b[0], c[0])) - 0.5)), depth.shape[1] - 1)
    y0 = wp.max(int(wp.ceil(wp.min(a[1], wp.min(b[1], c[1])) - 0.5)), 0)
    y1 = wp.min(int(wp.floor(wp.max(a[1], wp.max(b[1], c[1])) - 0.5)), depth.shape[0] - 1)
    inverse = 1.0 / area
    bx = (c[1] - a[1]) * inverse
    cx = -(b[1] - a[1]) * inverse
    zb = b[2] - a[2]
    zc = c[2] - a[2]
    dx = float(x0) + 0.5 - a[0]
    for y in range(y0, y1 + 1):
        dy = float(y) + 0.5 - a[1]
        u = dx * bx - dy * (c[0] - a[0]) * inverse
        v = dx * cx + dy * (b[0] - a[0]) * inverse
        for x in range(x0, x1 + 1):
            if u >= 0.0 and v >= 0.0 and u + v <= 1.0:
                depth[y, x] = wp.max(depth[y, x], a[2] + u * zb + v * zc)
            u = u + bx
            v = v + cx


def launch(kernel: Any, dim: Any, inputs: list[Any]) -> None:
    """Run a kernel on the CPU."""
    wp.launch(kernel, dim=dim, inputs=inputs, device="cpu")


def recorded(kernel: Any, dim: Any, inputs: list[Any]) -> Any:
    """A launch to repeat with the same arguments: it spares Warp's checks, 50 microseconds each."""
    return wp.launch(kernel, dim=dim, inputs=inputs, device="cpu", record_cmd=True)
