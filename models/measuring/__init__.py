"""What a backtest needs beside the recommender: rivals to beat, parts to look at, and how sure a figure is.

`floors` are the counting baselines, on exact counts of `pairs`; `streams` and `slices` say which events are measured,
`lateness` makes models late on purpose, `bootstrap` gives intervals.
"""
