"""Rewards and datasets made from verified attempts."""
