"""Stages that judge or choose prompts one by one."""
