"""How a `CineSequence` is made from arrays in several forms, from npz files and from its parts."""

import zipfile
from pathlib import Path

import numpy as np

from sklearn_medsel.forecasting import _sequence_checks as checks
from sklearn_medsel.forecasting._frame_store import FrameStore

_SAME_STEP = 1e-3  # s: planes acquired together whose clocks were rounded differently


def from_frames(cls, frames, t, rate, planes, pixel_mm, options):
    """Body of `CineSequence.from_frames`; `options` go to the class as they are."""
    if (t is None) == (rate is None):
        raise ValueError(
            "Give either t, the time of each step in s, or rate, the number of steps per second."
        )
    if not isinstance(frames, dict):
        store = FrameStore.from_array(_four_axes(frames))
        planes = _default_planes(planes, store.shape[1])
    else:
        planes = _planes_of_dict(frames, planes, "planes")
        stacks = [checks.check_frames(frames[plane], 3, f"frames[{plane!r}]") for plane in planes]
        if len({stack.dtype for stack in stacks}) > 1:
            found = ", ".join(f"{p!r} {s.dtype}" for p, s in zip(planes, stacks, strict=True))
            raise ValueError(f"The planes of frames must have one dtype, found {found}.")
        if isinstance(t, dict):
            t, rows = _merge_times(planes, stacks, t)
            if options["mask"] is not None:
                raise ValueError(
                    "mask cannot be given with times per plane, which say what was acquired when. "
                    "Leave out the frames that were not acquired, and their times."
                )
            options = {**options, "mask": rows >= 0}
        else:
            rows = _common_rows(planes, stacks)
        store = FrameStore.from_stacks(stacks, rows)
        if isinstance(pixel_mm, dict):
            _planes_of_dict(pixel_mm, planes, "pixel_mm")
            pixel_mm = [pixel_mm[plane] for plane in planes]
    if isinstance(t, dict) or isinstance(pixel_mm, dict):
        name = "t" if isinstance(t, dict) else "pixel_mm"
        raise ValueError(f"{name} is a dict, so frames must be a dict with the same planes.")
    if rate is not None:
        if not np.isscalar(rate) or not 0 < rate < np.inf:
            raise ValueError("rate must be a number larger than 0, in steps per second.")
        t = np.arange(store.shape[0]) / rate
    return cls(store, t, planes=planes, pixel_mm=pixel_mm, **options)


def from_npz(cls, path, planes, patient, sequence, targets, mmap):
    """Body of `CineSequence.from_npz`."""
    paths = [Path(p) for p in _listed(path)]
    if not paths:
        raise ValueError("path is an empty list. Name at least one npz file.")
    names = [p.stem for p in paths]
    if patient is None and len(set(names)) < len(names):
        raise ValueError("Two files in path have the same name. Say whose they are in patient.")
    patients = names if patient is None else _per_file(patient, len(paths), "patient")
    if sequence is None:
        sequences = [patients[:k].count(label) for k, label in enumerate(patients)]
    else:
        sequences = _per_file(sequence, len(paths), "sequence")
    targets = [None] * len(paths) if targets is None else _listed(targets)
    if len(targets) != len(paths):
        raise ValueError(
            f"targets names {len(targets)} file(s) and path {len(paths)}: give one for each."
        )
    recordings = zip(paths, targets, patients, sequences, strict=True)
    parts = [_read_npz(cls, *recording, planes, mmap) for recording in recordings]
    return parts[0] if len(parts) == 1 else cls.concatenate(parts)


def concatenate(cls, sequences):
    """Body of `CineSequence.concatenate`."""
    sequences = list(sequences)
    if not sequences:
        raise ValueError("sequences is empty: there is nothing to join.")
    for number, part in enumerate(sequences):
        if not isinstance(part, cls):
            raise TypeError(f"sequences must hold CineSequence, found {type(part).__name__}.")
        if part.dtype != sequences[0].dtype:
            raise ValueError(
                f"sequences have frames of {sequences[0].dtype} (part 0) and {part.dtype} (part "
                f"{number}). Bring them to one dtype and one range of values first."
            )
    planes = tuple(dict.fromkeys(plane for part in sequences for plane in part.planes))
    aligned = [_with_planes(part, planes) for part in sequences]
    stores, masks, pixels = zip(*aligned, strict=True)
    joined = cls.__new__(cls)
    joined._set(  # not the class itself: frames were checked when the parts were made
        FrameStore.join(stores),
        t=np.concatenate([part.t for part in sequences]),
        planes=planes,
        pixel_mm=np.concatenate(pixels),
        mask=np.concatenate(masks),
        patient=_joined_labels(sequences, "patient"),
        sequence=_joined_labels(sequences, "sequence"),
        positions=_joined_positions(sequences),
    )
    return joined


def _read_npz(cls, path, target, patient, sequence, planes, mmap):
    """One recording of an npz file."""
    if path.is_file() and not zipfile.is_zipfile(path):
        raise ValueError(
            f"{path.name} is not an npz file. Frames in an npy file are taken by "
            "CineSequence.from_frames(np.load(path, mmap_mode='r'), t, ...)."
        )
    with np.load(path, allow_pickle=False) as file:
        frames_key = _key(file, path, "frames")
        frames = _mapped(path, frames_key) if mmap else file[frames_key]
        t = file[_key(file, path, "t_s", "t")]
        pixel_mm = file[_key(file, path, "pixel_mm", "px")]
        mask = file.get("mask")
        if planes is None and "planes" in file:
            planes = tuple(map(str, np.atleast_1d(file["planes"])))
        known = [key for key in ("pos_mm", "positions") if key in file]
        positions = file[known[0]] if known else None
    if target is not None:
        positions = _read_target(Path(target), t)
    options = dict(mask=mask, patient=patient, sequence=sequence, positions=positions)
    return from_frames(cls, frames, t, None, planes, pixel_mm, options)


def _read_target(path, t):
    """Positions (SI, AP) of a target file, whose steps must be those at `t`."""
    with np.load(path, allow_pickle=False) as file:
        positions = np.column_stack([file[_key(file, path, key)] for key in ("si_mm", "ap_mm")])
        own = file.get("t_s", t)
    if len(positions) != len(t) or len(own) != len(t) or not np.allclose(own, t, atol=_SAME_STEP):
        raise ValueError(
            f"{path.name} in targets has other steps than its frames: {len(positions)} against "
            f"{len(t)}, or other times. Give the targets in the order of path."
        )
    return positions


def _key(file, path, *names):
    """The first of some names that an npz file has."""
    for name in names:
        if name in file:
            return name
    raise ValueError(
        f"{path.name} lacks {' or '.join(map(repr, names))}; it has {', '.join(file.files)}. Save "
        "it under that name, or load the arrays and use CineSequence.from_frames."
    )


def _mapped(path, key):
    """Memory map of an array inside an npz file that is not compressed."""
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(f"{key}.npy")
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError(
            f"{path.name} is compressed and cannot be mapped. Save it by np.savez, or use "
            "mmap=False."
        )
    with path.open("rb") as file:
        # the entry's own header: 30 bytes, then name and extra field, whose lengths it tells
        file.seek(entry.header_offset + 26)
        file.seek(sum(np.frombuffer(file.read(4), "<u2").tolist()), 1)
        version = np.lib.format.read_magic(file)
        read = getattr(np.lib.format, f"read_array_header_{version[0]}_{version[1]}")
        shape, is_fortran, dtype = read(file)
        order = "F" if is_fortran else "C"
        return np.memmap(path, dtype, "r", file.tell(), shape, order)


def _four_axes(frames):
    """Frames with an axis of planes, which one plane may lack."""
    if not isinstance(frames, np.ndarray):
        frames = checks.stack(frames, "frames")
    return checks.check_frames(frames[:, None] if frames.ndim == 3 else frames, 4)


def _default_planes(planes, n_planes):
    """Names of the planes; those of three planes are known."""
    if planes is None and n_planes == len(checks.PLANES):
        return checks.PLANES
    if planes is None:
        raise ValueError(
            f"planes must be given for {n_planes} plane(s), such as planes=('sagittal',): frames "
            "do not tell which they are."
        )
    return planes


def _planes_of_dict(values, planes, name):
    """Planes in the order asked for, which must be the keys."""
    planes = tuple(values) if planes is None else (planes,) if isinstance(planes, str) else planes
    if set(planes) != set(values):
        raise ValueError(f"{name} and frames name other planes: {tuple(values)}, {tuple(planes)}.")
    return tuple(planes)


def _common_rows(planes, stacks):
    """Frame numbers of planes that share their times."""
    lengths = [len(stack) for stack in stacks]
    if len(set(lengths)) > 1:
        found = ", ".join(f"{p!r} {n}" for p, n in zip(planes, lengths, strict=True))
        raise ValueError(
            f"The planes of frames have different numbers of frames ({found}). Give a dict of the "
            "times of each plane as t."
        )
    return np.repeat(np.arange(lengths[0])[:, None], len(planes), axis=1)


def _merge_times(planes, stacks, t):
    """Steps of planes with times of their own: times, and frame numbers or -1."""
    _planes_of_dict(t, planes, "t")
    times = []
    for plane, stack in zip(planes, stacks, strict=True):
        own = checks.check_times(t[plane], len(stack), f"t[{plane!r}]")
        checks.check_order(own, *np.zeros((2, own.size)), name=f"t[{plane!r}]")
        if (np.diff(own) < _SAME_STEP).any():
            raise ValueError(
                f"t[{plane!r}] has frames less than {_SAME_STEP * 1000:.0f} ms apart. Give s."
            )
        times.append(own)
    when = np.concatenate(times)
    plane = np.repeat(np.arange(len(times)), list(map(len, times)))
    number = np.concatenate([np.arange(len(own)) for own in times])
    step, current, start = np.empty(when.size, int), -1, -np.inf
    for k in np.argsort(when, kind="stable"):
        if when[k] - start >= _SAME_STEP:
            current, start = current + 1, when[k]
        step[k] = current
    rows = np.full((current + 1, len(planes)), -1)
    rows[step, plane] = number
    merged = np.full(current + 1, -np.inf)
    np.maximum.at(merged, step, when)  # a step is complete when its last frame is there
    return merged, rows


def _with_planes(part, planes):
    """Frames, mask and pixel sizes of a part for these planes, some of which it may lack."""
    columns = [part.planes.index(plane) if plane in part.planes else -1 for plane in planes]
    has = np.array(columns) >= 0
    mask, pixel_mm = part.mask[:, columns] & has, np.where(has, part.pixel_mm[:, columns], 1.0)
    return part._store.take_planes(columns), mask, pixel_mm


def _joined_labels(sequences, name):
    """Labels of all parts, which must be text or numbers throughout."""
    labels = [getattr(part, name) for part in sequences]
    if len({array.dtype.kind == "U" for array in labels}) > 1:
        raise ValueError(f"{name} is text in some parts and numbers in others. Use one of them.")
    return np.concatenate(labels)


def _joined_positions(sequences):
    """Positions of all parts, NaN in those without."""
    widths = {part.positions.shape[1] for part in sequences if part.positions is not None}
    if len(widths) > 1:
        raise ValueError(
            f"positions have different numbers of dimensions: {sorted(widths)}. Add columns of NaN "
            "for what is not known, or take the columns that all have."
        )
    if not widths:
        return None
    (width,) = widths
    return np.concatenate(
        [
            np.full((len(p), width), np.nan) if p.positions is None else p.positions
            for p in sequences
        ]
    )


def _per_file(labels, n_files, name):
    """One label per file; a single one is that of all."""
    if isinstance(labels, str) or np.ndim(labels) == 0:
        return [labels] * n_files
    if len(labels) != n_files:
        raise ValueError(f"{name} has {len(labels)} label(s) for {n_files} file(s) in path.")
    return list(labels)


def _listed(paths):
    """List of paths; a single one may stand alone."""
    return [paths] if isinstance(paths, str | Path) else list(paths)
