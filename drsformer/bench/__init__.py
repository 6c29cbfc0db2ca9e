"""`drs-export bench`: one checkpoint, several ways to run it, side by side on one machine.

contenders.py   the ways, by the names users type
worker.py       one contender in a process of its own, so that its peak memory is its own
measure.py      the contenders in turn, round by round, and what the figures come to
page.py         the report as one HTML page
command.py      the command line
"""
