"""Compares the ways to run one checkpoint, side by side on one machine.

candidates.py   the ways, by the names users type
setting.py      the size, threads and tiles that they are compared at
worker.py       one candidate in a process of its own, so that its peak memory is its own
measure.py      runs the candidates in turn, round by round, and sums up their figures
machine.py      what the machine can do, and how near to it a candidate comes
report.py       all results, as a table and as JSON
page.py         the report as one HTML page
"""
