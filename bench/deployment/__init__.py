"""The services of docker-compose.yaml as processes on this machine, for those who test without Docker."""
