"""Rewrites of real references: those that keep the answer must pass, those that change it must not.

A kind is one mechanism (a notation, a unit, an order, a hedge, an unfinished text ...) over one form of
reference.
"""
