"""Detectors, baselines and indices give the same bits whatever kernels the libraries choose on a processor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.kernels import INDICES, METHODS

pytestmark = pytest.mark.timeout(2000)  # whole series in processes of their own, on a busy machine

ROOT = Path(__file__).parents[1]
_CPU = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").is_file() else ""
FLAGS = frozenset(_CPU.partition("flags")[2].partition("\n")[0].split())

KERNELS: dict[str, tuple[str, dict[str, str]]] = {
    "BLAS of an old processor": ("ssse3", {"OPENBLAS_CORETYPE": "PRESCOTT", "OPENBLAS_NUM_THREADS": "1"}),
    "BLAS with AVX2": ("avx2", {"OPENBLAS_CORETYPE": "HASWELL"}),
    "BLAS of another maker": ("avx2", {"OPENBLAS_CORETYPE": "ZEN", "OPENBLAS_NUM_THREADS": "2"}),
    "BLAS with AVX-512": ("avx512f", {"OPENBLAS_CORETYPE": "SKYLAKEX"}),
    "a C library without fused operations": (
        "fma", {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F"},
    ),
    "numpy without fused operations": ("avx2", {"NPY_DISABLE_CPU_FEATURES": "X86_V3"}),
    "numpy without AVX-512": ("avx512f", {"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR"}),
}  # fmt: skip
"""By what is chosen: the instruction set the processor must have for it, and the environment that chooses it."""


@cache
def computed(kernels: str = "") -> dict[str, Any]:
    chosen = KERNELS[kernels][1] if kernels else {}
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OPENBLAS", "NPY_", "GLIBC"))
    }
    run = subprocess.run(
        [sys.executable, "-m", "tests.kernels"],
        cwd=ROOT, env={**plain, **chosen}, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def _needed(kernels: str) -> None:
    if KERNELS[kernels][0] not in FLAGS:
        pytest.skip(f"{kernels}: this processor has no {KERNELS[kernels][0]}")


@pytest.mark.parametrize("kernels", KERNELS)
def test_the_same_bits_with_other_kernels(kernels: str) -> None:
    _needed(kernels)
    usual, found = computed()["bits"], computed(kernels)["bits"]
    assert usual.keys() == found.keys()
    assert [name for name in usual if usual[name] != found[name]] == []


def test_every_method_and_kind_of_step_is_held_here() -> None:
    from streams.watch.detect import METHODS as ALL

    assert {method for method, _ in METHODS.values()} == set(ALL)
    text = " ".join(INDICES.values())
    for word in (
        "em",
        "pca",
        "entropy",
        "ahp",
        "copeland",
        "geometric",
        "harmonic",
        "power",
        "boxcox",
        "zscore",
    ):
        assert word in text
    assert len(set(computed()["bits"].values())) > 100, "one digest for all would compare nothing"


@pytest.mark.parametrize(
    ("kernels", "part"),
    [("BLAS of an old processor", "blas"), ("a C library without fused operations", "libm")],
)
def test_the_kernels_compared_are_not_the_same(kernels: str, part: str) -> None:
    """What the libraries themselves make of one input differs: the choice was one."""
    _needed(kernels)
    if part == "blas" and "avx2" not in FLAGS:
        pytest.skip("this processor has no other kernels")
    assert computed()["chance"][part] != computed(kernels)["chance"][part]
