"""NATS and PostgreSQL on this machine, from wheels, without root, Docker or a package manager."""
