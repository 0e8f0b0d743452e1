#!/bin/sh
# Builds a version if there is none, so that the page has something to answer from. Later ones are built by Airflow.
rag status
if [ $? -eq 5 ]; then
  rag build || echo "No first version; build_index makes one in Airflow. Until then the page cannot answer." >&2
fi
