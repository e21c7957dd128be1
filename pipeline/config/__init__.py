"""Read the job file and the environment into frozen models, all problems at once."""
