"""Benchmarks: `make bench`. Speed is measured here and never asserted; what does not depend on the machine is a test.

workloads   the workflows of W1 to W4, and how they are driven
measure     processor time, commits, rows and WAL of one run
cluster     W5 and W10: nodes as processes of their own
cold        W7: from `orquestrax dev` to the first finished workflow
"""
