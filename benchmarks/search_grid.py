"""Every configuration of the default search strategy that `search.py` chooses from: one start, and one change at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from shardmill.search.settings import Prior, Settings

_FIRST: Final = Settings(
    prior=Prior(),
    length_scales=(0.7, 1.5, 3.0),
    amplitudes=(0.04, 0.1, 0.2, 0.35),
    raggedness=(0.0,),
    noises=(0.03,),
    tempering=1.0,
    plain_share=0.0,
    doubt=1.0,
    caution=1.0,
)
_START: Final = replace(_FIRST, raggedness=(0.02, 0.05, 0.1), noises=(0.015,))


def _prior(prior: Prior) -> Settings:
    return replace(_START, prior=prior)


DOUBTS: Final = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0)
"""Each configuration is tried with all of these, the least that is calibrated is taken."""

_WIDE: Final = (0.04, 0.1, 0.2, 0.35, 0.7)

GRID: Final[dict[str, Settings]] = {
    "no raggedness": _FIRST,
    "start": _START,
    "ragged 3": replace(_START, raggedness=(0.03,)),
    "ragged 2, 5": replace(_START, raggedness=(0.02, 0.05)),
    "ragged 3, 8": replace(_START, raggedness=(0.03, 0.08)),
    # the smooth error
    "small errors": replace(_START, amplitudes=(0.03, 0.07, 0.15)),
    "large errors": replace(_START, amplitudes=(0.1, 0.2, 0.35, 0.7)),
    "larger errors": replace(_START, amplitudes=(0.2, 0.35, 0.6, 1.0)),
    # what the physical model takes for possible
    "families apart": _prior(Prior(family_speed=0.55)),
    "failures common": _prior(Prior(time_limit=0.4, memory_death=0.4)),
    # how far it is trusted
    "tempered 0.7": replace(_START, tempering=0.7),
    "hedged 10 %": replace(_START, plain_share=0.1, amplitudes=_WIDE),
    "no physics": replace(_START, plain_share=1.0, amplitudes=(0.2, 0.35, 0.7, 1.0)),
    # all of it wider
    "wide": replace(
        _START,
        prior=replace(
            _START.prior, family_speed=0.5, penalty=(0.2, 15.0), core_memory=0.5, time_limit=0.35, memory_death=0.3
        ),
        amplitudes=_WIDE,
    ),
}
