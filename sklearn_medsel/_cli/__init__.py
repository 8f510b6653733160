"""The command line's parts: reading tables, running the job, drawing the report.

``sklearn_medsel.__main__`` parses the arguments and imports from here only what the chosen
subcommand needs, so that ``--help`` does not wait for torch. Nothing in this package is public API.
"""
