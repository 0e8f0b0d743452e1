"""Runs everything on one machine, without keys or containers: services, Airflow, a sample site, the demo."""
