"""Reading what a pipeline starts from: files in several forms, folders, wildcards, URLs, hub datasets."""

from factory.stages.inputs.columns import OURS, BadRecord, absent, problem_row, value_at
from factory.stages.inputs.files import DataFile, listed
from factory.stages.inputs.hub import HubDataset, hub_dataset
from factory.stages.inputs.records import Mark, Record, records
from factory.stages.inputs.scan import Scan, scan

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
