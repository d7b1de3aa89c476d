"""Verification of instructions that a program can check."""
