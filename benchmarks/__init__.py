"""What springtide costs: ratios to a yardstick, measured in one run on one machine.

Read `throughput` first, then `bare`, the yardstick; `report` turns rounds into figures. ``make bench OUT=bench.json``
runs it all (`__main__`).
"""
