"""One checkpoint, several ways to run it, side by side on one machine.

candidates.py   the ways, by the names users type
worker.py       one candidate in a process of its own, so that its peak memory is its own
measure.py      the candidates in turn, round by round, and what the figures come to
report.py       all results, as a table and as JSON
page.py         the report as one HTML page
"""
