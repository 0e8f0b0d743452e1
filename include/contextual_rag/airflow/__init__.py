"""What Airflow's tasks share: the settings of its connection, outcomes of instances, who asked. Only DAGs import it."""

from contextual_rag.extras import needs

needs("airflow")
