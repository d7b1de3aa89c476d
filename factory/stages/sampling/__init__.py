"""Stages that ask a teacher."""
