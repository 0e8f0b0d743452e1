"""Everything on one machine, on loopback, without keys or containers: services, Airflow, a sample site, the demo."""
