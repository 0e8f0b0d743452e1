"""The stages of a build: read by key → pure call → write → hand on the key.

    discover → fetch → changes → (chunk → contextualize → embed, for what changed) → assemble → evaluate → publish

Airflow runs them as tasks, `build.py` in one process. Each can be run again: an object that exists is not made again,
so a retry goes on where the last attempt ended. A stage over several essays does all that it can and names the ones
that failed in its `Outcome`; an error that concerns more than one essay is raised.
"""
