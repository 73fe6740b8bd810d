"""The parts of the service, beneath `service`.

`task` and `core` say what a state is and where it stands; `restoring` and `recovery` lead to it; `intake` has the
batches, `keeper` the snapshots, `shedding` what is left out under load, `rehearsal` what is done before the first
batch; `observer` is told of it all.
"""
