"""Reading what a pipeline starts from: files in several forms, folders, wildcards, URLs, hub datasets."""

from factory.stages.source.columns import OURS, BadRecord, absent, problem_row, value_at
from factory.stages.source.files import DataFile, listed
from factory.stages.source.hub import HubDataset, hub_dataset
from factory.stages.source.records import Mark, Record, records
from factory.stages.source.scan import Scan, scan

__all__ = [
    "OURS",
    "BadRecord",
    "DataFile",
    "HubDataset",
    "Mark",
    "Record",
    "Scan",
    "absent",
    "hub_dataset",
    "listed",
    "problem_row",
    "records",
    "scan",
    "value_at",
]
