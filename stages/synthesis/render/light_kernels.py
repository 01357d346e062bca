# Kernels are Warp's language: Python in form, not in types.
# mypy: ignore-errors
# ruff: noqa: UP018 - Warp takes a bare literal for a constant that a loop may not change
"""Light in Warp kernels: the scene's lights, shadows, what a surface reflects, the picture."""

import warp as wp

wp.set_module_options({"enable_backward": False, "fast_math": True, "optimization_level": 3})


@wp.struct
class Lighting:
    """Light as the camera sees it; directions point to the light."""

    key: wp.vec3
    key_colour: wp.vec3
    fill: wp.vec3
    fill_colour: wp.vec3
    ambient: wp.vec3
    ambient_x: wp.vec3
    ambient_y: wp.vec3
    ambient_z: wp.vec3
    ambient_xy: wp.vec3
    ambient_yz: wp.vec3
    ambient_yy: wp.vec3
    ambient_xz: wp.vec3
    ambient_xx: wp.vec3
    centre: wp.vec3
    right: wp.vec3
    up: wp.vec3
    half_key: wp.vec3
    half_fill: wp.vec3
    shadow_scale: float
    shadow_strength: float
    softness: float


@wp.func
def open_share(x: float, y: float, z: float, shadow: wp.array2d(dtype=wp.float32)) -> float:
    """Share of the key light at a place of the shadow map, from its four nearest cells."""
    size = shadow.shape[0]
    x0 = int(wp.floor(x - 0.5))
    y0 = int(wp.floor(y - 0.5))
    if x0 < 2 or y0 < 2 or x0 >= size - 3 or y0 >= size - 3:
        return 1.0
    fx = x - 0.5 - float(x0)
    fy = y - 0.5 - float(y0)
    total = float(0.0)
    if shadow[y0, x0] <= z:
        total = total + (1.0 - fx) * (1.0 - fy)
    if shadow[y0, x0 + 1] <= z:
        total = total + fx * (1.0 - fy)
    if shadow[y0 + 1, x0] <= z:
        total = total + (1.0 - fx) * fy
    if shadow[y0 + 1, x0 + 1] <= z:
        total = total + fx * fy
    return total


@wp.func
def unshadowed(
    point: wp.vec3, normal: wp.vec3, light: Lighting, shadow: wp.array2d(dtype=wp.float32)
) -> float:
    """Share of the key light that reaches a point; four places where its shadows are soft."""
    half = 0.5 * float(shadow.shape[0])
    p = point - light.centre + 0.012 * normal
    x = half + light.shadow_scale * wp.dot(p, light.right)
    y = half - light.shadow_scale * wp.dot(p, light.up)
    z = wp.dot(p, light.key) + 0.02
    if light.softness < 0.5:
        return open_share(x, y, z, shadow)
    near = 0.4 * light.softness
    far = 0.9 * light.softness
    # a wide edge needs slack, or a slope shadows itself
    z = z + 0.006 * light.softness
    return 0.25 * (
        open_share(x + near, y + far, z, shadow)
        + open_share(x - far, y + near, z, shadow)
        + open_share(x - near, y - far, z, shadow)
        + open_share(x + far, y - near, z, shadow)
    )


@wp.func
def surrounding(normal: wp.vec3, light: Lighting) -> wp.vec3:
    """Light from all around on a surface, see `environments.basis`."""
    x = normal[0]
    y = normal[1]
    z = normal[2]
    total = (
        light.ambient
        + light.ambient_x * x
        + light.ambient_y * y
        + light.ambient_z * z
        + light.ambient_xy * (x * y)
        + light.ambient_yz * (y * z)
        + light.ambient_yy * (3.0 * y * y - 1.0)
        + light.ambient_xz * (x * z)
        + light.ambient_xx * (x * x - z * z)
    )
    return wp.max(total, wp.vec3(0.0, 0.0, 0.0))


@wp.func
def wrapped(cosine: float, wrap: float) -> float:
    """Diffuse light that creeps around the edge of a body, as under skin."""
    return wp.max((cosine + wrap) / (1.0 + wrap), 0.0)


@wp.func
def highlight(cosine: float, tight: float) -> float:
    """Shine, from that of skin (power 14, `tight` is 0) to that of wet lips (power 40, 1)."""
    c = wp.max(cosine, 0.0)
    c2 = c * c
    c4 = c2 * c2
    c8 = c4 * c4
    broad = c8 * c4 * c2
    return broad * (1.0 - tight) + tight * c8 * c8 * c8 * c8 * c8


@wp.func
def lit(
    albedo: wp.vec3,
    normal: wp.vec3,
    smooth: wp.vec3,
    reach: float,
    occlusion: float,
    wrap: float,
    gloss: float,
    tight: float,
    light: Lighting,
) -> wp.vec3:
    """Reflected light; `reach` of the key light arrives, `occlusion` dims the rest."""
    ambient = surrounding(normal, light) * occlusion
    key = wp.dot(normal, light.key)
    # red light travels further in skin: the edge of a shadow is warm
    soft = wp.vec3(
        wrapped(key, wrap) * wp.sqrt(reach),
        wrapped(key, 0.45 * wrap) * reach,
        wrapped(key, 0.3 * wrap) * reach,
    )
    fill = wrapped(wp.dot(normal, light.fill), wrap) * (0.4 + 0.6 * occlusion)
    total = ambient + wp.cw_mul(light.key_colour, soft) + light.fill_colour * fill
    colour = wp.cw_mul(albedo, total)
    if gloss > 0.0:
        rim = 1.0 - wp.max(smooth[2], 0.0)
        fresnel = 0.35 + 0.65 * rim * rim * rim
        shine = light.key_colour * (
            reach * highlight(wp.dot(normal, light.half_key), tight)
        ) + light.fill_colour * (
            0.6 * occlusion * highlight(wp.dot(normal, light.half_fill), tight)
        )
        colour = colour + shine * (gloss * fresnel)
    return colour
