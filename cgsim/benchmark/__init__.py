"""Comparisons with long molecular dynamics: the demo and its report."""
