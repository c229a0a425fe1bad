from __future__ import annotations
def page(row, target, evidence, neighbours, notes): return ""
def snippet(row, target, evidence): return ""
