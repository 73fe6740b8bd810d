"""What a backtest makes of its ranks.

`quality` has all figures of one run, from `calibration`, `coverage`, `curves` and `intervals`; `variants` and
`comparisons` are the runs beside it; `subscriber` knows what was out; `tables`, `pictures`, `plots` and `report` show
all that.
"""
