"""Benchmarks: `make bench`. Speed is measured here and never asserted; what does not depend on the machine is a test.

workloads   the workflows of W1 to W4, and how they are driven
measure     processor time, commits, rows and WAL of one run
cluster     W5 and W10: nodes as processes of their own
asleep      W6: a million instances asleep, and many due at once
stored      W9: W1 with millions of events stored
takeover    W8: 10,000 instances in flight when their node is killed
cold        W7: from `orquestrax dev` to the first finished workflow
"""
