"""Stages that compute over columns, without a teacher."""
