"""Imported by the process that all others are forked from: whatever a first batch needs is loaded by then."""

from consumers.serving.rehearsal import rehearse
from consumers.settings import Settings
from tests.faults.child import pipeline

rehearse(pipeline(Settings(), 0))
