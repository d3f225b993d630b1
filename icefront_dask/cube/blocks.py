"""One scene's block of the grid, read, decoded and laid together, eagerly. Everything else calls this."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from odc.geo.geobox import GeoboxTiles

from icefront_dask._landsat import level_1_from_mtl
from icefront_dask.catalog.access import Access
from icefront_dask.config import section
from icefront_dask.cube import decode, speckle
from icefront_dask.cube.metadata import load_mtl
from icefront_dask.cube.quality import QUALITY_DTYPE, Quality
from icefront_dask.cube.readers import BandRequest, Reader, get_reader
from icefront_dask.errors import ConfigError, ReadError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from icefront_dask._collection import Band
    from icefront_dask.cube.scene import Scene, Source

__all__ = ["OVER_DATES", "ReadOptions", "block_grid", "read_block", "read_scenes"]

_SLC_RADIUS_M = 240.0  # gaps reach 14 pixels of 30 m (USGS): half of that and a margin
_QA_PIXEL_FILL = 1
OVER_DATES = "multitemporal"


@dataclass(frozen=True)
class ReadOptions:
    """How scenes are read; see section ``cube`` of ``icefront.yaml`` for each value."""

    reader: str = "odc"
    block_px: int = 2048
    border_erosion_px: int = 2
    on_read_error: str = "raise"
    on_grid_mismatch: str = "raise"
    speckle: str = "none"
    access: Access = field(default_factory=Access)

    def check_single(self) -> None:
        """Refuse a filter over dates where scenes are read one by one, as fronts are traced in them.

        Raises
        ------
        ConfigError
            With ``speckle: multitemporal``.
        """
        if self.speckle == OVER_DATES:
            raise ConfigError(
                f"cube.speckle {OVER_DATES} is not for cubes that fronts are traced in: no filter over dates within "
                f"{speckle.FJORD_M:.0f} m of a fjord, where ice moves tens of metres a day; set it to refined_lee or "
                "none, and see icefront_dask.cube.load for pixels farther off"
            )

    @classmethod
    def resolve(cls, **overrides: Any) -> ReadOptions:
        """Return the configured options with overrides that are not None.

        Raises
        ------
        ConfigError
            For an unknown key or value.
        """
        values = section("cube", **overrides)
        for key, allowed in (
            ("on_read_error", ("raise", "skip", "flag")),
            ("on_grid_mismatch", ("raise", "header")),
            ("speckle", ("none", "refined_lee", OVER_DATES)),
        ):
            if values[key] not in allowed:
                raise ConfigError(f"{key} {values[key]!r} is not one of {', '.join(allowed)}")
        get_reader(values["reader"])
        return cls(
            reader=values["reader"],
            block_px=int(values["block_px"]),
            border_erosion_px=int(values["border_erosion_px"]),
            on_read_error=values["on_read_error"],
            on_grid_mismatch=values["on_grid_mismatch"],
            speckle=values["speckle"],
            access=Access.resolve(),
        )


def block_grid(geobox: Any, block_px: int) -> Any:
    """Return the fixed reading blocks of a grid, anchored to its origin and independent of any chunking."""
    side: Any = tuple(min(block_px, int(n)) for n in geobox.shape.yx)
    return GeoboxTiles(geobox, side)


def read_scenes(
    scenes: Sequence[Scene], geobox: Any, variables: Sequence[str], options: ReadOptions | None = None
) -> dict[str, npt.NDArray[Any]]:
    """Read whole scenes at once, for a unit of work.

    Parameters
    ----------
    scenes : sequence of Scene
        What to read, in the order of the result.
    geobox : odc.geo.geobox.GeoBox
        The region's grid.
    variables : sequence of str
        Variables of the result; NaN where a scene lacks one.
    options : ReadOptions, optional
        Default: the configuration.

    Returns
    -------
    dict of str to ndarray
        Dims (time, y, x): each variable float32, NaN nodata, and ``quality`` uint16. The same values as
        :func:`icefront_dask.cube.load` computes.

    Raises
    ------
    ConfigError
        With ``speckle: multitemporal``, which takes all scenes of a cube at once.
    ReadError
        For a file that cannot be read, with ``on_read_error: raise``. With ``flag`` its pixels carry
        ``READ_FAILED``, with ``skip`` those of its whole scene do.
    NotGeoreferencedError
        For a file without CRS.
    """
    options = options or ReadOptions.resolve()
    options.check_single()
    shape = (len(scenes), *geobox.shape.yx)
    out: dict[str, npt.NDArray[Any]] = {name: np.full(shape, np.nan, np.float32) for name in variables}
    out["quality"] = np.full(shape, Quality.NODATA, QUALITY_DTYPE)
    blocks = block_grid(geobox, options.block_px)
    strict = replace(options, on_read_error="raise") if options.on_read_error == "skip" else options
    for slot, scene in enumerate(scenes):
        try:
            for index in np.ndindex(*blocks.shape.yx):
                rows, columns = blocks.roi[index]
                for name, values in read_block(scene, blocks[index], variables, strict).items():
                    out[name][slot, rows, columns] = values
        except ReadError:
            if options.on_read_error != "skip":
                raise
            for name in variables:
                out[name][slot] = np.nan
            out["quality"][slot] = _failed(scene.sources, geobox)
    return out


def read_block(
    scene: Scene, geobox: Any, variables: Sequence[str], options: ReadOptions
) -> dict[str, npt.NDArray[Any]]:
    """Read one block of one scene.

    With ``on_read_error: skip`` a file that cannot be read takes all items of its scene with it, here over the block;
    :func:`read_scenes` takes the whole scene.

    Parameters
    ----------
    scene : Scene
        Its items are laid over one another, see :func:`icefront_dask.cube.decode.fuse`.
    geobox : odc.geo.geobox.GeoBox
        The block.
    variables : sequence of str
        Variables of the result.
    options : ReadOptions
        How to read.

    Returns
    -------
    dict of str to ndarray
        Dims (y, x): each variable float32, NaN nodata, and ``quality`` uint16.
    """
    resolution = abs(float(geobox.resolution.x))
    slc_off = any(source.slc_off for source in scene.sources)
    halo = decode.halo_px(
        resolution,
        erosion_px=options.border_erosion_px,
        slc_radius_m=_SLC_RADIUS_M if slc_off else None,
    )
    if options.speckle != "none":
        halo += speckle.HALO_PX
    needs_halo = slc_off or any(source.kind in {"sar", "grd"} for source in scene.sources)
    padded = geobox.pad(halo) if needs_halo else geobox
    reader = get_reader(options.reader)
    fused: tuple[dict[str, npt.NDArray[np.float32]], npt.NDArray[np.uint16]] | None = None
    try:
        for source in scene.sources:
            part = _read_source(source, padded, variables, options, reader)
            fused = part if fused is None else decode.fuse(fused, part)
    except ReadError:
        if options.on_read_error != "skip":
            raise
        empty = {name: np.full(padded.shape.yx, np.nan, np.float32) for name in variables}
        fused = (empty, _failed(scene.sources, padded))
    assert fused is not None, "a scene has at least one item"
    inner = np.s_[halo:-halo, halo:-halo] if needs_halo else np.s_[:, :]
    out: dict[str, npt.NDArray[Any]] = {name: np.ascontiguousarray(band[inner]) for name, band in fused[0].items()}
    out["quality"] = np.ascontiguousarray(fused[1][inner])
    return out


def _read_source(
    source: Source, geobox: Any, variables: Sequence[str], options: ReadOptions, reader: Reader
) -> tuple[dict[str, npt.NDArray[np.float32]], npt.NDArray[np.uint16]]:
    bands = [band for band in source.bands if band.variable in variables]
    shape = geobox.shape.yx
    values = {name: np.full(shape, np.nan, np.float32) for name in variables}
    if not bands:
        return values, np.full(shape, Quality.NODATA, QUALITY_DTYPE)
    try:
        decoded, quality = _read_decoded(source, bands, geobox, options, reader)
    except ReadError:
        if options.on_read_error != "flag":
            raise
        return values, _failed([source], geobox)
    if options.speckle != "none" and source.looks is not None:
        decoded = {name: speckle.refined_lee(power, source.looks) for name, power in decoded.items()}
    return values | decoded, quality


def _failed(sources: Sequence[Source], geobox: Any) -> npt.NDArray[np.uint16]:
    """Return the quality where items could not be read: nodata, and what they would have covered so flagged."""
    quality = np.full(geobox.shape.yx, Quality.NODATA, QUALITY_DTYPE)
    for source in sources:
        quality[_footprint(source, geobox)] |= np.uint16(Quality.READ_FAILED)
    return quality


def _read_decoded(
    source: Source, bands: Sequence[Band], geobox: Any, options: ReadOptions, reader: Reader
) -> tuple[dict[str, npt.NDArray[np.float32]], npt.NDArray[np.uint16]]:
    if source.radar is None:
        raw = reader.read(_requests(source, bands, options), geobox)
        return _decode(source, bands, raw, geobox, options)
    from icefront_dask.cube.radar import read_grd

    power = read_grd(source.item_id, bands, source.radar, geobox, options.access)
    if all(band.annotation is None for band in bands):
        return decode.decode_grey(power)
    return decode.decode_sar(power, erosion_px=options.border_erosion_px, zero_is_nodata=False)


def _requests(source: Source, bands: Sequence[Band], options: ReadOptions) -> list[BandRequest]:
    requests = []
    for band in bands:
        nodata = 0.0 if band.nodata is None and band.zero_is_nodata else band.nodata
        label = f"item {source.item_id!r}, asset {band.asset!r}"
        requests.append(
            BandRequest(
                name=band.variable,
                href=band.href,
                label=label,
                dtype=read_dtype(source.kind, band.dtype),
                resampling="bilinear",
                nodata=nodata,
                access=options.access,
                grid=band.grid if options.on_grid_mismatch == "raise" else None,
            )
        )
    for role, href in source.quality_hrefs:
        label = f"item {source.item_id!r}, asset {role!r}"
        requests.append(
            BandRequest(
                name=role,
                href=href,
                label=label,
                dtype="uint16",
                resampling="nearest",
                fill=_QA_PIXEL_FILL if role == "qa_pixel" else 0,
                access=options.access,
            )
        )
    return requests


def read_dtype(kind: str, dtype: str | None) -> str:
    """Return the dtype in which a band is read: Landsat's numbers stay the integers that they are on disk."""
    return "uint16" if kind == "landsat" and dtype in {"uint8", "uint16"} else "float32"


def _decode(
    source: Source, bands: Sequence[Band], raw: dict[str, npt.NDArray[Any]], geobox: Any, options: ReadOptions
) -> tuple[dict[str, npt.NDArray[np.float32]], npt.NDArray[np.uint16]]:
    data = {band.variable: raw[band.variable] for band in bands}
    for band in bands:
        if band.zero_is_nodata and data[band.variable].dtype.kind == "f" and source.kind != "sar":
            data[band.variable][data[band.variable] == 0] = np.nan
    scales = {band.variable: _scaling(source, band, options) for band in bands}
    if source.kind != "landsat":
        scaled = {
            name: band if scales[name] == (1.0, 0.0) else decode.scale_dn(band, *scales[name])
            for name, band in data.items()
        }
        if source.kind == "grey":
            return decode.decode_grey(scaled)
        return decode.decode_sar(scaled, erosion_px=options.border_erosion_px)
    return decode.decode_landsat(
        data,
        raw.get("qa_pixel"),
        raw.get("qa_radsat"),
        scales=scales,
        saturation_bits={b.variable: b.saturation_bit for b in bands if b.saturation_bit is not None},
        dropped_bit=source.dropped_bit,
        slc_radius_px=_SLC_RADIUS_M / abs(float(geobox.resolution.x)) if source.slc_off else None,
        thermal_constants=next((b.thermal_constants for b in bands if b.thermal_constants), None),
    )


def _scaling(source: Source, band: Band, options: ReadOptions) -> tuple[float, float]:
    """Return scale and offset of a band: the item's, else those of its scene's metadata file."""
    if band.mtl is None:
        return band.scale, band.offset
    href, number = band.mtl
    label = f"item {source.item_id!r}, metadata of asset {band.asset!r}"
    content = load_mtl(href, label, options.access)
    found = level_1_from_mtl(content, number, thermal=band.variable == "thermal")
    if found is None:
        raise ReadError(f"{label}: {href} states no scaling of band {number}; leave the item out")
    return found


def _footprint(source: Source, geobox: Any) -> npt.NDArray[np.bool_]:
    """Pixels that an item would have covered; all of them where it does not say."""
    from icefront_dask.catalog.geometry import project_footprint
    from icefront_dask.regions import mask

    outline = None
    if source.footprint is not None:
        outline = project_footprint(shapely.from_wkb(source.footprint), str(geobox.crs))
    return np.ones(geobox.shape.yx, dtype=bool) if outline is None else mask(outline, geobox)
