"""Tests of vector instructions in object code."""

from __future__ import annotations

import platform
import re
from collections import Counter
from pathlib import Path

import pytest

from kernelwright.backends.cpp import Cpp
from kernelwright.backends.plain import PlainTorch
from kernelwright.tasks.loader import load_task
from kernelwright.verifier.build.build import build_candidate
from kernelwright.verifier.build.object_code import ObjectCode, vector_facts
from kernelwright.verifier.inside.disassemble_cpu import counted, innermost
from tests.honest.corpus import load_corpus
from tests.verifier import kit

LISTING = """
    1130:	vmovups (%rdi),%ymm0
    1139:	vfmadd231ps %ymm0,%ymm1,%ymm2
    113e:	vaddps 0x20(%rsi),%ymm3,%ymm3
    1140:	vmulpd %zmm1,%zmm2,%zmm3
    1144:	vaddss %xmm0,%xmm1,%xmm2
    1148:	mulsd  %xmm0,%xmm1
    114c:	addps  %xmm0,%xmm1
    1150:	vcvttss2si %xmm0,%eax
    1154:	add    $0x8,%rax
    1158:	vsqrtps %ymm0,%ymm0
"""


def test_arithmetic_is_counted_by_width() -> None:
    found = Counter(counted(LISTING))
    assert found == {"256": 3, "512": 1, "128": 1, "scalar": 2, "fused": 1}


NESTED = """0000000000001100 <kernel>:
    1100:	vmulss %xmm0,%xmm1,%xmm2
    1104:	jle    1150 <kernel+0x50>
    1108:	vmulps %xmm0,%xmm1,%xmm2
    110c:	vaddps %ymm0,%ymm1,%ymm1
    1110:	vfmadd231ps %ymm0,%ymm1,%ymm2
    1114:	cmp    %rax,%rdx
    1118:	jne    110c <kernel+0xc>
    111c:	vaddss %xmm0,%xmm1,%xmm2
    1120:	jb     1108 <kernel+0x8>
    1124:	vdivps %zmm0,%zmm1,%zmm2
    1128:	ja     1124 <kernel+0x24>
    1150:	ret
"""


def test_loops_that_hold_no_other_are_innermost() -> None:
    found = [line.split(":")[0].strip() for line in innermost(NESTED)]
    assert found == ["110c", "1110", "1114", "1118", "1124", "1128"]
    assert Counter(counted("\n".join(innermost(NESTED)))) == {"256": 2, "512": 1, "fused": 1}
    assert list(innermost("")) == []


def test_shares_in_words() -> None:
    (text,) = vector_facts({"256": 60, "128": 20, "scalar": 20, "fused": 50})
    assert (
        "of 100 arithmetic instructions 60% on 256 bits, 20% on 128 bits, 20% on one number" in text
    )
    assert "50% fused" in text
    assert vector_facts({"scalar": 3}) == ()
    assert vector_facts({}) == ()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="its instructions are x86's")
def test_a_built_kernel_has_its_facts_from_the_cache_too(tmp_path: Path) -> None:
    pair = next(pair for pair in load_corpus() if pair.name == "softmax/library-default")
    task = load_task("softmax", {"ROWS": 4})
    with kit.live_reference(task) as reference:
        built = build_candidate(pair.candidate, Cpp(), reference, tmp_path)
        again = build_candidate(pair.candidate, Cpp(), reference, tmp_path)
    assert built.seconds is not None and again.seconds is None
    assert "256 bits" in built.object_code.facts[0] or "512 bits" in built.object_code.facts[0]
    assert again.object_code == built.object_code


def test_what_builds_nothing_has_no_facts(tmp_path: Path) -> None:
    source = kit.forward("return x * 2")
    reference_text = "class Model(nn.Module):\n    def forward(self, x):\n        return x * 2\n"
    with kit.live_reference(kit.task(reference_text)) as reference:
        built = build_candidate(kit.candidate(source), PlainTorch(), reference, tmp_path)
    assert built.object_code == ObjectCode()


@pytest.mark.parametrize(
    ("old", "new", "is_same"),
    [
        ("shift", "offset", True),
        ("several independent", "many separate", True),
        ("BLOCK 4096", "BLOCK 2048", False),
    ],
)
def test_the_digest_is_that_of_the_code_not_of_its_text(
    tmp_path: Path, old: str, new: str, is_same: bool
) -> None:
    pair = next(pair for pair in load_corpus() if pair.name == "softmax/library-default")
    source = pair.candidate.source
    digests = []
    with kit.live_reference(load_task("softmax", {"ROWS": 4})) as reference:
        for text in (source, re.sub(rf"(?<!\w){old}\b", new, source)):
            candidate = pair.candidate.model_copy(update={"source": text})
            digests.append(
                build_candidate(candidate, Cpp(), reference, tmp_path).object_code.digest
            )
    assert None not in digests
    assert (digests[0] == digests[1]) is is_same
