"""A build of the index, step by step: read by key → pure call → write → hand on the key.

`Steps`, in `steps.py`, has a method for each step; Airflow's tasks and `build.py` call these and nothing else, in the
order that stands here. Each can be run again: an object that exists is not made again, so a retry goes on where the
last attempt ended. A step over several essays does all that it can and names the ones that failed in its `Outcome`; an
error that concerns more than one essay is raised.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BEFORE", "PER_ESSAY", "TOGETHER"]

# What comes first, what is then done for each essay that changed, and what is done at last with all of them.
BEFORE: Final = ("discover", "fetch", "changes")
PER_ESSAY: Final = ("chunk", "contextualize", "embed")
TOGETHER: Final = ("assemble", "evaluate", "publish")
